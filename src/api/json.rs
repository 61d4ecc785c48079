//! JSON written straight into bytes: a list of ten thousand torrents never exists in another form. As a tree of values it would be a
//! million small allocations.

use serde::Serialize;

/// JSON under way. Commas come by themselves.
#[derive(Default)]
pub(super) struct Json {
    out: Vec<u8>,
}

impl Json {
    /// Nothing yet, with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Json {
        Json { out: Vec::with_capacity(bytes) }
    }

    /// Room for so many bytes more.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// An object, whose entries `fill` writes.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.between(b'{', b'}', fill);
    }

    /// A list, whose values `fill` writes.
    pub(super) fn list(&mut self, fill: impl FnOnce(&mut Json)) {
        self.between(b'[', b']', fill);
    }

    /// Opens an object or a list that is written bit by bit.
    pub(super) fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
    }

    /// Closes it.
    pub(super) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    /// The key of what is written next.
    pub(super) fn key(&mut self, key: &str) -> &mut Json {
        self.text(key);
        self.out.push(b':');
        self
    }

    /// The same for a key that is quoted already, colon included.
    pub(super) fn quoted_key(&mut self, quoted: &'static str) -> &mut Json {
        self.separate();
        self.out.extend_from_slice(quoted.as_bytes());
        self
    }

    /// A key and its value.
    pub(super) fn pair(&mut self, key: &str, value: impl Serialize) {
        self.key(key).value(value);
    }

    /// A number, a truth value, a text, or anything made of these.
    pub(super) fn value(&mut self, value: impl Serialize) {
        self.separate();
        // a vector takes everything, and plain values refuse nothing
        let written = serde_json::to_writer(&mut self.out, &value);
        debug_assert!(written.is_ok());
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        write_text(&mut self.out, text);
    }

    /// A text that needs no escape: hexadecimal digits, numbers.
    pub(super) fn display(&mut self, value: impl std::fmt::Display) {
        use std::io::Write as _;
        self.separate();
        // writing to memory does not fail
        let _ = write!(self.out, "\"{value}\"");
    }

    fn between(&mut self, open: u8, close: u8, fill: impl FnOnce(&mut Json)) {
        self.open(open);
        fill(self);
        self.close(close);
    }

    /// Every value ends otherwise than these begin.
    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }
}

/// Writes a text. Most need no escapes, and are copied.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // without a way out, so that it is done for many bytes at once
    let escapes = text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if escapes {
        // writing to memory does not fail
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_commas_stand_between_values_alone() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a\"{").text(":[\u{1}\\{\n");
            json.key("list").list(|json| {
                json.value(-1);
                json.text("");
                json.list(|_| {});
                json.object(|_| {});
                json.value(":");
                json.value(1.0);
                json.value(f64::NAN);
            });
            json.quoted_key("\"c\":").value(None::<u8>);
            json.pair("d", true);
            json.key("e").open(b'[');
            json.display(7);
            json.close(b']');
        });
        let read: serde_json::Value = serde_json::from_slice(&json.into_bytes()).expect("JSON");
        let expected = serde_json::json!({
            "a\"{": ":[\u{1}\\{\n", "list": [-1, "", [], {}, ":", 1.0, null], "c": null, "d": true, "e": ["7"],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_text_is_escaped_wherever_it_needs_it() {
        for at in 0..40 {
            for byte in 0..=b'\x7f' {
                let mut text = "ü".repeat(20);
                text.insert(2 * (at / 2), char::from(byte));
                let mut out = Vec::new();
                write_text(&mut out, &text);
                assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
            }
        }
    }
}
