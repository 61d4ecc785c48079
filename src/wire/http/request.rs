//! The head of a request.

use crate::limits::{HTTP_FIELDS, HTTP_HEAD};

use super::{ByteRange, Status};

/// What the client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The content.
    Get,
    /// What the head of the answer to a GET would be.
    Head,
}

/// Whether the first bytes of a connection are HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// They are.
    Http,
    /// Too few to tell.
    Unknown,
    /// They are not.
    Other,
}

/// A request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// What for.
    pub method: Method,
    /// Path of what is wanted, percent-encoded, without a query. Begins with a slash.
    pub path: &'a [u8],
    /// The connection may stay for another request.
    pub keep_alive: bool,
    /// `Range`, if it is one range of bytes. Others are passed over, as RFC 9110 (14.2) allows: the answer is the whole.
    pub range: Option<ByteRange>,
    /// `If-Range`.
    pub if_range: Option<&'a [u8]>,
    /// `If-Match`.
    pub if_match: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not a request, or one that two programs could read differently.
    #[error("malformed")]
    Malformed,
    /// Neither GET nor HEAD.
    #[error("method not allowed")]
    Method,
    /// The head is longer than anything that is sent in good faith.
    #[error("head too long")]
    TooLong,
    /// A version of HTTP that is not read here.
    #[error("version not supported")]
    Version,
}

impl Refusal {
    /// What the client is told.
    pub fn status(self) -> Status {
        match self {
            Refusal::Malformed => Status::BadRequest,
            Refusal::Method => Status::MethodNotAllowed,
            Refusal::TooLong => Status::HeadTooLong,
            Refusal::Version => Status::VersionNotSupported,
        }
    }
}

/// The methods of RFC 9110 and RFC 5789, by which HTTP is told from other protocols.
const METHODS: &[&[u8]] =
    &[b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];

impl Beginning {
    /// Of a connection that began with `bytes`.
    pub fn of(bytes: &[u8]) -> Beginning {
        if METHODS.iter().any(|method| bytes.starts_with(method)) {
            Beginning::Http
        } else if METHODS.iter().any(|method| method.starts_with(bytes)) {
            Beginning::Unknown
        } else {
            Beginning::Other
        }
    }
}

impl Request<'_> {
    /// Reads one from the start of `input`, and its length in bytes; `None` while it may still become one.
    pub fn decode(input: &[u8]) -> Result<Option<(Request<'_>, usize)>, Refusal> {
        // an empty line before a request is passed over (RFC 9112, 2.2)
        let skipped = if input.starts_with(b"\r\n") { 2 } else { 0 };
        let input = &input[skipped..];
        let head = &input[..input.len().min(HTTP_HEAD)];
        let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            if has_stray_controls(head) {
                return Err(Refusal::Malformed);
            }
            return if input.len() < HTTP_HEAD { Ok(None) } else { Err(Refusal::TooLong) };
        };
        let head = &head[..end];
        if has_stray_controls(head) {
            return Err(Refusal::Malformed);
        }
        let mut lines = Lines(Some(head));
        let (method, path, persistent) = read_request_line(lines.next().unwrap_or_default())?;
        let fields = Fields::read(lines)?;
        // RFC 9112, 3.2: without a host it is no HTTP/1.1 request
        if persistent && !fields.host {
            return Err(Refusal::Malformed);
        }
        let keep_alive = !fields.close && (persistent || fields.keep_alive);
        let Fields { range, if_range, if_match, if_none_match, .. } = fields;
        let range = range.and_then(ByteRange::parse);
        let request = Request { method, path, keep_alive, range, if_range, if_match, if_none_match };
        Ok(Some((request, skipped + end + 4)))
    }
}

/// Control characters other than tabs within lines and CRLF at their ends. A CR at the very end may be half of one.
fn has_stray_controls(head: &[u8]) -> bool {
    let stray = |(at, byte): (usize, &u8)| match byte {
        b'\r' => head.get(at + 1).is_some_and(|next| *next != b'\n'),
        b'\n' => at == 0 || head[at - 1] != b'\r',
        b'\t' => false,
        other => other.is_ascii_control(),
    };
    head.iter().enumerate().any(stray)
}

/// Lines that end with CRLF; the last without.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.take()?;
        match rest.windows(2).position(|bytes| bytes == b"\r\n") {
            Some(end) => {
                self.0 = Some(&rest[end + 2..]);
                Some(&rest[..end])
            }
            None => Some(rest),
        }
    }
}

/// Method, path, and whether connections stay unless something else is said (HTTP/1.1).
fn read_request_line(line: &[u8]) -> Result<(Method, &[u8], bool), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    let persistent = read_version(version)?;
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        other if is_token(other) => return Err(Refusal::Method),
        _ => return Err(Refusal::Malformed),
    };
    Ok((method, read_target(target)?, persistent))
}

fn read_version(version: &[u8]) -> Result<bool, Refusal> {
    match version {
        b"HTTP/1.0" => Ok(false),
        // a higher minor version is read as the highest that is known (RFC 9110, 2.5)
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Err(Refusal::Version)
        }
        _ => Err(Refusal::Malformed),
    }
}

/// The path of a target. A server has to take the form that is meant for proxies as well (RFC 9112, 3.2.2); whose name
/// stands there does not matter, as what stands before a port does not.
fn read_target(target: &[u8]) -> Result<&[u8], Refusal> {
    const SCHEME: usize = b"http://".len();
    let path = match target.split_at_checked(SCHEME) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http://") => {
            rest.iter().position(|byte| *byte == b'/').map_or(&b"/"[..], |slash| &rest[slash..])
        }
        _ => target,
    };
    if !path.starts_with(b"/") || path.contains(&b'\t') {
        return Err(Refusal::Malformed);
    }
    let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
    Ok(&path[..end])
}

/// The fields that matter here.
#[derive(Default)]
struct Fields<'a> {
    host: bool,
    close: bool,
    keep_alive: bool,
    range: Option<&'a [u8]>,
    if_range: Option<&'a [u8]>,
    if_match: Option<&'a [u8]>,
    if_none_match: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(lines: Lines<'a>) -> Result<Fields<'a>, Refusal> {
        let mut fields = Fields::default();
        for (number, line) in lines.enumerate() {
            if number == HTTP_FIELDS {
                return Err(Refusal::TooLong);
            }
            // a folded line begins with a space, which no name does
            let colon = line.iter().position(|byte| *byte == b':').ok_or(Refusal::Malformed)?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if !is_token(name) {
                return Err(Refusal::Malformed);
            }
            fields.apply(name, value)?;
        }
        Ok(fields)
    }

    fn apply(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refusal> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            // which of two would be meant? (RFC 9112, 3.2)
            return if std::mem::replace(&mut self.host, true) { Err(Refusal::Malformed) } else { Ok(()) };
        }
        if is("connection") {
            let options = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            self.close |= options().any(|option| option.eq_ignore_ascii_case(b"close"));
            self.keep_alive |= options().any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
            return Ok(());
        }
        if is("transfer-encoding") || is("content-length") && value != b"0" {
            return Err(Refusal::Malformed);
        }
        let once = [
            ("range", &mut self.range),
            ("if-range", &mut self.if_range),
            ("if-match", &mut self.if_match),
            ("if-none-match", &mut self.if_none_match),
        ];
        let known = once.into_iter().find(|(known, _)| is(known));
        match known.map(|(_, place)| place.replace(value)) {
            Some(Some(_)) => Err(Refusal::Malformed),
            _ => Ok(()),
        }
    }
}

/// RFC 9110, 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
