//! JSON written straight into bytes: a list of 10,000 torrents never exists in another form.

use super::value::Value;

/// JSON that is being written.
#[derive(Default)]
pub(super) struct Json {
    out: Vec<u8>,
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Json {
        Json { out: Vec::with_capacity(bytes) }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// An object, whose entries `inside` writes.
    pub(super) fn object(&mut self, inside: impl FnOnce(&mut Json)) {
        self.separate();
        self.out.push(b'{');
        inside(self);
        self.out.push(b'}');
    }

    /// An array, whose elements `inside` writes.
    pub(super) fn array(&mut self, inside: impl FnOnce(&mut Json)) {
        self.separate();
        self.out.push(b'[');
        inside(self);
        self.out.push(b']');
    }

    /// The key of the value that is written next.
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

    pub(super) fn text(&mut self, text: &str) {
        self.serialized(text);
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.serialized(&number);
    }

    pub(super) fn boolean(&mut self, truth: bool) {
        self.serialized(&truth);
    }

    pub(super) fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.text(text),
            Value::Integer(number) => self.integer(*number),
            Value::Number(number) => self.serialized(number),
            Value::Truth(truth) => self.boolean(*truth),
            Value::Unknown => self.serialized(&()),
        }
    }

    fn serialized<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        self.separate();
        // a vector takes everything, and none of these types refuses
        let written = serde_json::to_writer(&mut self.out, value);
        debug_assert!(written.is_ok());
    }

    /// Every value ends otherwise than these begin.
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
    fn what_is_written_reads_back() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a\"{").text(":[\u{1}\\{");
            json.key("b").array(|json| {
                json.integer(-1);
                json.text("");
                json.array(|_| {});
                json.object(|_| {});
                json.value(&Value::Number(1.0));
            });
            json.quoted_key("\"c\":").value(&Value::Unknown);
            json.key("d").boolean(true);
        });
        let read: serde_json::Value = serde_json::from_slice(&json.finish()).expect("JSON");
        let expected = serde_json::json!({"a\"{": ":[\u{1}\\{", "b": [-1, "", [], {}, 1.0], "c": null, "d": true});
        assert_eq!(read, expected);
    }
}
