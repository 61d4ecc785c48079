//! Ranges of bytes (RFC 9110, 14) and what of a file is sent.

use std::ops::Range;

use super::{EntityTag, Method, Request};

/// One range as it was asked for. Numbers beyond 64 bits stand as the largest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteRange {
    /// From the first to the last byte, both included.
    Within(u64, u64),
    /// From this byte on.
    From(u64),
    /// The last so many bytes.
    Last(u64),
}

/// What an answer is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// The whole file.
    Whole,
    /// These bytes of it, at least one.
    Part(Range<u64>),
    /// Nothing: the client has it.
    NotModified,
    /// Nothing: the client wants another version.
    PreconditionFailed,
    /// Nothing: no byte is within the range.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the value of a `Range` field; `None` if it is anything but one range of bytes.
    pub fn parse(value: &[u8]) -> Option<ByteRange> {
        const UNIT: usize = b"bytes=".len();
        let (unit, range) = value.split_at_checked(UNIT)?;
        let range = Some(range.trim_ascii()).filter(|_| unit.eq_ignore_ascii_case(b"bytes="))?;
        let dash = range.iter().position(|byte| *byte == b'-')?;
        match (&range[..dash], &range[dash + 1..]) {
            ([], last) => number(last).map(ByteRange::Last),
            (first, []) => number(first).map(ByteRange::From),
            (first, last) => {
                let (from, to) = (number(first)?, number(last)?);
                (from <= to).then_some(ByteRange::Within(from, to))
            }
        }
    }

    /// Which bytes of a file of `length` bytes it names; `None` if none.
    pub fn of(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            ByteRange::Within(first, last) => first..last.saturating_add(1).min(length),
            ByteRange::From(first) => first..length,
            ByteRange::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

impl Selection {
    /// What `request` gets of a file of `length` bytes that is known by `tag` (RFC 9110, 13.2.2).
    pub fn new(request: &Request<'_>, length: u64, tag: &EntityTag) -> Selection {
        if request.if_match.is_some_and(|list| !tag.is_in(list)) {
            return Selection::PreconditionFailed;
        }
        if request.if_none_match.is_some_and(|list| tag.is_in(list)) {
            return Selection::NotModified;
        }
        // a date there is never ours, as answers carry none
        let fresh = request.if_range.is_none_or(|known| tag.is(known));
        let Some(range) = request.range.filter(|_| fresh && request.method == Method::Get) else {
            return Selection::Whole;
        };
        match range.of(length) {
            Some(part) => Selection::Part(part),
            // the end of an empty file is all of it, which no Content-Range can say
            None if length == 0 && matches!(range, ByteRange::Last(1..)) => Selection::Whole,
            None => Selection::Unsatisfiable,
        }
    }
}
