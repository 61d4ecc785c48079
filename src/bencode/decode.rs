//! The decoder: one pass, no copy of any string.

use std::fmt;

use crate::limits;

/// A bencoded value that borrows its strings from the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// `i…e`
    Integer(i64),
    /// `length:…`
    Bytes(&'a [u8]),
    /// `l…e`
    List(Vec<Value<'a>>),
    /// `d…e`
    Dict(Dict<'a>),
}

/// A dictionary, with the bytes that it was written in (an info-hash is taken over exactly those).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dict<'a> {
    raw: &'a [u8],
    entries: Vec<(&'a [u8], Value<'a>)>,
}

/// Whether keys must ascend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Unsorted and repeated keys are errors.
    Strict,
    /// Any order; of repeated keys the first counts.
    Any,
}

/// How much a decoder may be made to do.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nesting.
    pub depth: usize,
    /// Values in all; each costs about 48 bytes while decoded.
    pub values: usize,
    /// Rule for keys.
    pub order: Order,
}

impl Bounds {
    /// For torrent files.
    pub const TORRENT: Bounds =
        Bounds { depth: limits::BENCODE_DEPTH, values: 8 * limits::FILES, order: Order::Strict };
    /// For messages of peers and trackers: 64 KiB of input hold few values.
    pub const MESSAGE: Bounds = Bounds { depth: 8, values: 4_096, order: Order::Any };
}

/// Why bytes are not bencode, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Error {
    /// Cause.
    pub kind: ErrorKind,
    /// Byte of the input at which it was noticed.
    pub offset: usize,
}

/// Causes of an [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Input ends inside a value.
    Truncated,
    /// A value starts with none of `i`, `l`, `d` and the digits.
    UnknownType,
    /// Integer without digits, with a leading zero, with `-0`, or with other characters.
    BadInteger,
    /// Integer beyond 64 bits.
    IntegerOverflow,
    /// String length with a leading zero or other characters.
    BadLength,
    /// String longer than the rest of the input.
    LengthBeyondEnd,
    /// A key that is not a string.
    KeyNotString,
    /// Keys do not ascend.
    UnsortedKeys,
    /// The same key twice.
    DuplicateKey,
    /// Nested deeper than allowed.
    TooDeep,
    /// More values than allowed.
    TooManyValues,
    /// Bytes after the value.
    TrailingBytes,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::Truncated => "data ends inside a value",
            ErrorKind::UnknownType => "no bencoded value starts like this",
            ErrorKind::BadInteger => "malformed integer",
            ErrorKind::IntegerOverflow => "integer does not fit 64 bits",
            ErrorKind::BadLength => "malformed string length",
            ErrorKind::LengthBeyondEnd => "string is longer than the data",
            ErrorKind::KeyNotString => "dictionary key is not a string",
            ErrorKind::UnsortedKeys => "dictionary keys are not sorted",
            ErrorKind::DuplicateKey => "dictionary key appears twice",
            ErrorKind::TooDeep => "values are nested too deep",
            ErrorKind::TooManyValues => "too many values",
            ErrorKind::TrailingBytes => "bytes after the end of the value",
        })
    }
}

/// Decodes the one value that `input` is.
pub fn decode(input: &[u8], bounds: Bounds) -> Result<Value<'_>, Error> {
    let (value, end) = decode_prefix(input, bounds)?;
    if end < input.len() {
        return Err(Error { kind: ErrorKind::TrailingBytes, offset: end });
    }
    Ok(value)
}

/// Decodes the value that `input` begins with; also returns its length in bytes.
pub fn decode_prefix(input: &[u8], bounds: Bounds) -> Result<(Value<'_>, usize), Error> {
    let mut decoder = Decoder { input, at: 0, values: bounds.values, order: bounds.order };
    let value = decoder.value(bounds.depth)?;
    Ok((value, decoder.at))
}

struct Decoder<'a> {
    input: &'a [u8],
    at: usize,
    values: usize,
    order: Order,
}

impl<'a> Decoder<'a> {
    fn fail<T>(&self, kind: ErrorKind, offset: usize) -> Result<T, Error> {
        Err(Error { kind, offset })
    }

    fn peek(&self) -> Result<u8, Error> {
        match self.input.get(self.at) {
            Some(&byte) => Ok(byte),
            None => self.fail(ErrorKind::Truncated, self.at),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        if self.values == 0 {
            return self.fail(ErrorKind::TooManyValues, self.at);
        }
        self.values -= 1;
        match self.peek()? {
            b'i' => self.integer().map(Value::Integer),
            b'0'..=b'9' => self.bytes().map(Value::Bytes),
            b'l' | b'd' if depth == 0 => self.fail(ErrorKind::TooDeep, self.at),
            b'l' => self.list(depth - 1),
            b'd' => self.dict(depth - 1),
            _ => self.fail(ErrorKind::UnknownType, self.at),
        }
    }

    fn integer(&mut self) -> Result<i64, Error> {
        let start = self.at;
        self.at += 1;
        let first = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        let digits_at = self.at;
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        let (text, digits) = (&self.input[first..self.at], &self.input[digits_at..self.at]);
        let canonical = match digits {
            [] => false,
            [b'0', ..] => text == b"0",
            _ => true,
        };
        if self.peek()? != b'e' || !canonical {
            return self.fail(ErrorKind::BadInteger, start);
        }
        self.at += 1;
        match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(number),
            None => self.fail(ErrorKind::IntegerOverflow, start),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        let mut length = 0usize;
        while self.peek()? != b':' {
            let byte = self.input[self.at];
            if !byte.is_ascii_digit() || (self.at > start && self.input[start] == b'0') {
                return self.fail(ErrorKind::BadLength, start);
            }
            length = length.saturating_mul(10).saturating_add(usize::from(byte - b'0'));
            self.at += 1;
        }
        let first = self.at + 1;
        match first.checked_add(length).and_then(|end| self.input.get(first..end)) {
            Some(bytes) => {
                self.at = first + length;
                Ok(bytes)
            }
            None => self.fail(ErrorKind::LengthBeyondEnd, start),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        self.at += 1;
        let mut items = Vec::new();
        while self.peek()? != b'e' {
            items.push(self.value(depth)?);
        }
        self.at += 1;
        Ok(Value::List(items))
    }

    fn dict(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        let start = self.at;
        self.at += 1;
        let mut entries: Vec<(&[u8], Value<'_>)> = Vec::new();
        while self.peek()? != b'e' {
            let key_at = self.at;
            if !self.input[key_at].is_ascii_digit() {
                return self.fail(ErrorKind::KeyNotString, key_at);
            }
            let key = self.bytes()?;
            if let (Order::Strict, Some((last, _))) = (self.order, entries.last()) {
                match key.cmp(last) {
                    std::cmp::Ordering::Greater => {}
                    std::cmp::Ordering::Equal => return self.fail(ErrorKind::DuplicateKey, key_at),
                    std::cmp::Ordering::Less if entries.iter().any(|(seen, _)| *seen == key) => {
                        return self.fail(ErrorKind::DuplicateKey, key_at);
                    }
                    std::cmp::Ordering::Less => return self.fail(ErrorKind::UnsortedKeys, key_at),
                }
            }
            let value = self.value(depth)?;
            entries.push((key, value));
        }
        self.at += 1;
        Ok(Value::Dict(Dict { raw: &self.input[start..self.at], entries }))
    }
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The dictionary, if it is one.
    pub fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

impl<'a> Dict<'a> {
    /// The bytes it was decoded from, `d` and `e` included.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Entries in the order of the input.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &Value<'a>)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }
}
