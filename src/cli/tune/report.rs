//! What was found, for people (80 columns) and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::facts::Facts;
use super::finding::{Finding, Verdict};
use crate::cli::text::Printable;
use crate::cli::units::Bytes;

const COLUMNS: usize = 80;

/// The report as JSON; a key that is not there was not seen.
pub(super) fn json(facts: &Facts, findings: &[Finding]) -> Value {
    json!({
        "machine": {
            "kernel": facts.kernel, "cores": facts.cores, "memory": facts.memory_bytes,
            "devices": facts.devices.iter().map(|device| &device.name).collect::<Vec<_>>(),
            "file_system": facts.data.as_ref().map(|data| &data.file_system),
        },
        "holds_back": count(findings, Verdict::HoldsBack),
        "could_be_better": count(findings, Verdict::CouldBeBetter),
        "good": count(findings, Verdict::Good),
        "findings": findings,
    })
}

/// The report as text.
pub(super) fn text(facts: &Facts, findings: &[Finding]) -> String {
    let mut out = machine(facts);
    for finding in findings.iter().filter(|finding| finding.verdict != Verdict::Good) {
        out.push('\n');
        in_full(&mut out, finding);
    }
    let good: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Good).collect();
    if !good.is_empty() {
        out.push_str("\nGood:\n");
    }
    for finding in good {
        let line = format!("{}: {}", finding.name, Printable(finding.state.as_bytes()));
        wrapped(&mut out, &line, "  ", "      ");
    }
    let (worst, better) = (count(findings, Verdict::HoldsBack), count(findings, Verdict::CouldBeBetter));
    let _ = writeln!(out, "\n{worst} hold upload back, {better} could be better. Nothing was changed.");
    out
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}

fn machine(facts: &Facts) -> String {
    let mut parts = vec![format!("Linux {}", facts.kernel), format!("{} cores", facts.cores)];
    parts.extend(facts.memory_bytes.map(|bytes| Bytes(bytes).to_string()));
    parts.push(facts.devices.first().map_or("no way out".to_owned(), |device| format!("device {}", device.name)));
    parts.extend(facts.data.as_ref().map(|data| format!("content on {}", data.file_system)));
    let mut out = String::new();
    wrapped(&mut out, &Printable(parts.join(", ").as_bytes()).to_string(), "", "  ");
    out
}

fn in_full(out: &mut String, finding: &Finding) {
    let label = if finding.verdict == Verdict::HoldsBack { "HOLDS BACK" } else { "could be better" };
    let head = format!("{label}: {}: {}", finding.name, Printable(finding.state.as_bytes()));
    wrapped(out, &head, "", "  ");
    wrapped(out, &finding.why, "  ", "  ");
    for (when, commands) in [("now", &finding.now), ("for good", &finding.for_good)] {
        if !commands.is_empty() {
            let _ = writeln!(out, "  {when}:");
        }
        commands.iter().for_each(|command| command_lines(out, &Printable(command.as_bytes()).to_string()));
    }
}

/// Breaks `text` at spaces.
fn wrapped(out: &mut String, text: &str, first: &str, next: &str) {
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            let _ = writeln!(out, "{line}");
            next.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(out, "{line}");
}

/// A command stays one that a shell takes: it is broken only before its redirection.
fn command_lines(out: &mut String, command: &str) {
    let fits = 4 + command.chars().count() <= COLUMNS;
    match command.rsplit_once(" >> ").filter(|_| !fits) {
        Some((before, file)) => {
            let _ = writeln!(out, "    {before} \\\n      >> {file}");
        }
        None => {
            let _ = writeln!(out, "    {command}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words() {
        let mut out = String::new();
        wrapped(&mut out, &"word ".repeat(40), "  ", "    ");
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.len() <= COLUMNS), "{out}");
        assert_eq!(out.split_whitespace().count(), 40);
    }

    #[test]
    fn a_long_command_is_still_a_command() {
        let mut out = String::new();
        let command = format!("echo '{}' >> /etc/file", "x ".repeat(35));
        command_lines(&mut out, &command);
        assert_eq!(
            out.replace("\\\n", "").split_whitespace().collect::<Vec<_>>(),
            command.split_whitespace().collect::<Vec<_>>()
        );
    }
}
