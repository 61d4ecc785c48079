//! JSON as it is written: straight into one buffer, without a tree of values in between. Ten thousand torrents with fifteen
//! fields each are 4 MB of text; as a tree they would be a million small allocations.

use serde::Serialize;

/// A text under way. Commas come by themselves.
pub(super) struct Json {
    out: Vec<u8>,
}

impl Json {
    /// An empty text.
    pub(super) fn new() -> Json {
        Json { out: Vec::new() }
    }

    /// Room for so many bytes more.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// A number, a truth value or a text.
    pub(super) fn value(&mut self, value: impl Serialize) {
        self.separate();
        serde_json::to_writer(&mut self.out, &value).expect("memory takes plain values");
    }

    /// A text that needs no escape: hexadecimal digits, numbers.
    pub(super) fn display(&mut self, value: impl std::fmt::Display) {
        use std::io::Write;
        self.separate();
        write!(self.out, "\"{value}\"").expect("memory takes plain values");
    }

    /// A value of an object.
    pub(super) fn pair(&mut self, key: &str, value: impl Serialize) {
        self.key(key);
        self.value(value);
    }

    /// The name of what comes next in an object. Names are ours and need no escape.
    pub(super) fn key(&mut self, key: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// An object that `fill` fills with pairs.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.between(b'{', b'}', fill);
    }

    /// A list that `fill` fills with values.
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

    /// The text.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn between(&mut self, open: u8, close: u8, fill: impl FnOnce(&mut Json)) {
        self.open(open);
        fill(self);
        self.close(close);
    }

    /// What ends with none of these is a value, since texts end with a quotation mark.
    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let mut json = Json::new();
        json.object(|json| {
            json.pair("text", "a \"quoted\" {[:\n");
            json.pair("number", -3);
            json.key("list");
            json.list(|json| {
                json.value(1.5);
                json.list(|_| {});
                json.object(|_| {});
                json.value(":");
                json.value(true);
            });
            json.pair("not a number", f64::NAN);
        });
        let text = String::from_utf8(json.into_bytes()).expect("text");
        assert_eq!(
            text,
            r#"{"text":"a \"quoted\" {[:\n","number":-3,"list":[1.5,[],{},":",true],"not a number":null}"#
        );
    }
}
