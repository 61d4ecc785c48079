//! The text format: a family has its help and type once, and its samples after them.

use std::fmt::{Display, Write as _};

/// What is being written.
#[derive(Default)]
pub(super) struct Text {
    out: String,
}

/// What a family's numbers are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Only grows, but for a start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Text {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { out: &mut self.out, name }
    }

    /// A family of one counter.
    pub(super) fn counter(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// A family of one gauge; nothing of what is not known.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.family(name, Kind::Gauge, help).sample(&[], value);
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// A family that is being written.
pub(super) struct Family<'text> {
    out: &'text mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One number. Writing to memory does not fail.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.line("", labels, value)
    }

    /// A number of a histogram.
    pub(super) fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let _ = write!(self.out, "{}{suffix}", self.name);
        for (at, (name, label)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{name}=\"", if at == 0 { '{' } else { ',' });
            escape(label, self.out);
            self.out.push('"');
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
        self
    }
}

/// Labels are any text: names of torrents among them.
fn escape(label: &str, out: &mut String) {
    let mut rest = label;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// For display: what is lost above 2^53 nobody sees.
#[expect(clippy::cast_precision_loss, reason = "a number for display")]
pub(super) fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_any_text() {
        let mut text = Text::default();
        text.family("a", Kind::Gauge, "Words.").sample(&[("name", "x\"y\\z\nw"), ("b", "é")], 1.5).sample(&[], 2);
        assert_eq!(text.finish(), "# HELP a Words.\n# TYPE a gauge\na{name=\"x\\\"y\\\\z\\nw\",b=\"é\"} 1.5\na 2\n");
    }
}
