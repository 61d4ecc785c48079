//! The head of an answer.

use std::fmt::Write;
use std::ops::Range;

use crate::ids::{FileIndex, InfoHash};

/// Status of an answer (RFC 9110, 15; RFC 6585).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The whole file.
    Ok,
    /// A part of it.
    PartialContent,
    /// The client has it.
    NotModified,
    /// Malformed.
    BadRequest,
    /// No such file.
    NotFound,
    /// Neither GET nor HEAD.
    MethodNotAllowed,
    /// `If-Match` names another version.
    PreconditionFailed,
    /// No byte is within the range.
    RangeNotSatisfiable,
    /// The head is too long.
    HeadTooLong,
    /// Not HTTP/1.
    VersionNotSupported,
}

impl Status {
    /// Number and words of the status line.
    pub fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::PartialContent => "206 Partial Content",
            Status::NotModified => "304 Not Modified",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::PreconditionFailed => "412 Precondition Failed",
            Status::RangeNotSatisfiable => "416 Range Not Satisfiable",
            Status::HeadTooLong => "431 Request Header Fields Too Large",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// By what a client knows a version of a file: the torrent and the file's place in it, since a torrent never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntityTag(String);

impl EntityTag {
    /// Of a file.
    pub fn new(info_hash: InfoHash, file: FileIndex) -> EntityTag {
        EntityTag(format!("\"{info_hash}-{}\"", file.0))
    }

    /// Whether `text` is this tag, to the byte.
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.as_bytes() == text
    }

    /// Whether it is in a list of tags, or that is `*`. A weak tag is as good: ours are never weak.
    pub fn is_in(&self, list: &[u8]) -> bool {
        let same = |tag: &[u8]| self.is(tag.strip_prefix(b"W/").unwrap_or(tag));
        // no comma stands in one of ours
        list == b"*" || list.split(|byte| *byte == b',').any(|tag| same(tag.trim_ascii()))
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// A file or a part of it; its bytes follow.
    File {
        /// Bytes of the whole.
        length: u64,
        /// Those that follow, if not all.
        part: Option<Range<u64>>,
        /// Version.
        tag: &'a EntityTag,
    },
    /// A page in HTML.
    Page(&'a str),
    /// The client has it.
    NotModified {
        /// Version.
        tag: &'a EntityTag,
    },
    /// No byte is within the range.
    Unsatisfiable {
        /// Bytes of the whole.
        length: u64,
    },
    /// Anything else that comes to nothing.
    Refused(Status),
}

impl Answer<'_> {
    /// Its status.
    pub fn status(&self) -> Status {
        match self {
            Answer::File { part: None, .. } | Answer::Page(_) => Status::Ok,
            Answer::File { part: Some(_), .. } => Status::PartialContent,
            Answer::NotModified { .. } => Status::NotModified,
            Answer::Unsatisfiable { .. } => Status::RangeNotSatisfiable,
            Answer::Refused(status) => *status,
        }
    }

    /// Appends its head to `out`, and unless it is `bodiless` (the answer to HEAD) the body, other than that of a file.
    pub fn encode(&self, keep_alive: bool, bodiless: bool, out: &mut Vec<u8>) {
        let line = self.status().line();
        let mut head = format!("HTTP/1.1 {line}\r\n");
        let written = match self {
            Answer::File { length, part, tag } => write_file(&mut head, *length, part.as_ref(), tag),
            Answer::NotModified { tag } => write!(head, "ETag: {}\r\n", tag.0),
            Answer::Unsatisfiable { length } => write!(head, "Content-Range: bytes */{length}\r\n"),
            Answer::Refused(Status::MethodNotAllowed) => write!(head, "Allow: GET, HEAD\r\n"),
            Answer::Page(_) | Answer::Refused(_) => Ok(()),
        };
        written.expect("memory takes everything");
        let connection = if keep_alive { "keep-alive" } else { "close" };
        head.extend(["Connection: ", connection, "\r\n"]);
        let words = format!("{line}\n");
        let text = match self {
            Answer::File { .. } | Answer::NotModified { .. } => None,
            Answer::Page(page) => Some(("text/html; charset=utf-8", *page)),
            // what a person is told of it
            Answer::Unsatisfiable { .. } | Answer::Refused(_) => Some(("text/plain", words.as_str())),
        };
        if let Some((kind, text)) = text {
            let length = text.len();
            write!(head, "Content-Type: {kind}\r\nContent-Length: {length}\r\n").expect("memory takes everything");
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        if let Some((_, text)) = text.filter(|_| !bodiless) {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn write_file(head: &mut String, length: u64, part: Option<&Range<u64>>, tag: &EntityTag) -> std::fmt::Result {
    let sent = part.map_or(length, |part| part.end - part.start);
    if let Some(part) = part {
        write!(head, "Content-Range: bytes {}-{}/{length}\r\n", part.start, part.end - 1)?;
    }
    let tag = &tag.0;
    let kind = "application/octet-stream";
    write!(head, "Accept-Ranges: bytes\r\nETag: {tag}\r\nContent-Type: {kind}\r\nContent-Length: {sent}\r\n")
}
