//! The encoder: appends to a buffer; a debug assertion holds the order of keys.

use std::io::Write;
use std::ops::Range;

/// Writes bencoded values one after another. Dictionaries are written through closures, so that none stays open.
#[derive(Default, Debug)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// An empty one.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Writes a number.
    pub fn integer(&mut self, number: i64) {
        let _ = write!(self.out, "i{number}e"); // a Vec takes everything
    }

    /// Writes a string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = write!(self.out, "{}:", bytes.len()); // a Vec takes everything
        self.out.extend_from_slice(bytes);
    }

    /// Writes a value that is bencoded already.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }

    /// Writes a list; `items` writes what is in it.
    pub fn list(&mut self, items: impl FnOnce(&mut Encoder)) {
        self.out.push(b'l');
        items(self);
        self.out.push(b'e');
    }

    /// Writes a dictionary; `entries` calls [`DictEncoder::key`] with ascending keys, each followed by one value.
    pub fn dict(&mut self, entries: impl FnOnce(&mut DictEncoder<'_>)) {
        self.out.push(b'd');
        entries(&mut DictEncoder { encoder: self, last: None });
        self.out.push(b'e');
    }
}

/// Writes the entries of one dictionary.
#[derive(Debug)]
pub struct DictEncoder<'a> {
    encoder: &'a mut Encoder,
    /// Where the last key stands in what was written.
    last: Option<Range<usize>>,
}

impl DictEncoder<'_> {
    /// Writes `key`; the caller writes exactly one value to what it returns. Keys must ascend.
    pub fn key(&mut self, key: &[u8]) -> &mut Encoder {
        debug_assert!(self.last.clone().is_none_or(|last| &self.encoder.out[last] < key), "keys ascend");
        self.encoder.bytes(key);
        let end = self.encoder.out.len();
        self.last = Some(end - key.len()..end);
        self.encoder
    }
}
