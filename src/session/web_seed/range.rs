//! A range of a file by HTTP/1.1 (RFC 9110, section 14), believed only if it is what was asked for.

use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderName, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::discovery::client::describe;
use crate::limits;

/// Bytes before the range that are read and dropped where a server sends the whole file: as many as a range has.
const SKIPPED: u64 = limits::WEB_SEED_RANGE;
/// Longest wait that a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) url: Url,
    /// First byte in the file.
    pub(super) start: u64,
    /// Bytes; not 0.
    pub(super) length: u64,
    /// Bytes of the whole file.
    pub(super) file_length: u64,
}

/// Why a range did not come.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Transport(String),
    #[error("no answer in time")]
    Silent,
    #[error("too slow")]
    Slow,
    #[error("redirected more than {} times, or away from HTTP", limits::WEB_SEED_REDIRECTS)]
    Redirects,
    #[error("the file is not there (HTTP status {0})")]
    NotThere(u16),
    #[error("the file has another length there")]
    OtherLength,
    #[error("busy (HTTP status {status})")]
    Busy { status: u16, after: Option<Duration> },
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("the server sends whole files only")]
    NoRanges,
    #[error("the server answers with another range than was asked for")]
    OtherRange,
    #[error("the server sends the file in another encoding")]
    Encoded,
    #[error("the body is shorter than was promised")]
    Short,
    #[error("the body is longer than was promised")]
    Long,
}

impl Fault {
    /// Whether it is one file that is wrong there, not the server.
    pub(super) fn is_of_file(&self) -> bool {
        matches!(self, Fault::NotThere(_) | Fault::OtherLength)
    }

    /// Whether the server would give it at another time.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Fault::Busy { .. })
    }

    /// How long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Fault::Busy { after, .. } => after.map(|after| after.min(RETRY_AFTER_MAX)),
            _ => None,
        }
    }

    fn of(error: reqwest::Error) -> Fault {
        if error.is_redirect() { Fault::Redirects } else { Fault::Transport(describe(error)) }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Body {
    response: Response,
    /// Bytes before the range.
    skip: u64,
    /// Bytes of the range that are to come.
    left: u64,
    /// It ends with the range.
    exact: bool,
}

/// Asks for a range; the answer must begin within `patience`, redirects included.
pub(super) async fn open(client: &Client, wanted: Wanted, patience: Duration) -> Result<Body, Fault> {
    let end = wanted.start + wanted.length - 1;
    let request = client.get(wanted.url.clone()).header(RANGE, format!("bytes={}-{end}", wanted.start));
    let sent = timeout(patience, request.header(ACCEPT_ENCODING, "identity").send()).await;
    let response = sent.map_err(|_| Fault::Silent)?.map_err(Fault::of)?;
    let skip = judge(response.status(), response.headers(), &wanted)?;
    let exact = response.status() == StatusCode::PARTIAL_CONTENT;
    let promised = if exact { wanted.length } else { wanted.file_length };
    match response.content_length() {
        Some(length) if length != promised && exact => Err(Fault::OtherRange),
        Some(length) if length != promised => Err(Fault::OtherLength),
        _ => Ok(Body { response, skip, left: wanted.length, exact }),
    }
}

impl Body {
    /// Appends what comes of the range next; whether there is more. `until`: what is waited for at most.
    pub(super) async fn read(&mut self, into: &mut Vec<u8>, until: Instant) -> Result<bool, Fault> {
        let chunk = timeout_at(until, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| Fault::Slow)?.map_err(Fault::of)?;
        let Some(chunk) = chunk else { return if self.left == 0 { Ok(false) } else { Err(Fault::Short) } };
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let skipped = self.skip.min(length);
        let taken = self.left.min(length - skipped);
        self.skip -= skipped;
        self.left -= taken;
        let [from, to] = [skipped, skipped + taken].map(|at| usize::try_from(at).expect("within a chunk"));
        into.extend_from_slice(&chunk[from..to]);
        match self.exact {
            true if skipped + taken < length => Err(Fault::Long),
            // the end is waited for: a longer body is a lie, and the connection is free only then
            true => Ok(true),
            false => Ok(self.left > 0),
        }
    }
}

/// How many bytes of the body come before the range.
fn judge(status: StatusCode, headers: &HeaderMap, wanted: &Wanted) -> Result<u64, Fault> {
    match status.as_u16() {
        200 | 206 => {}
        status @ (404 | 410) => return Err(Fault::NotThere(status)),
        416 => return Err(Fault::OtherLength),
        status @ (429 | 503) => return Err(Fault::Busy { status, after: wait_of(headers, SystemTime::now()) }),
        status => return Err(Fault::Status(status)),
    }
    if text(headers, CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Fault::Encoded);
    }
    if status == StatusCode::OK {
        return if wanted.start <= SKIPPED { Ok(wanted.start) } else { Err(Fault::NoRanges) };
    }
    let (start, end, whole) = text(headers, CONTENT_RANGE).and_then(read_range).ok_or(Fault::OtherRange)?;
    if whole.is_some_and(|whole| whole != wanted.file_length) {
        return Err(Fault::OtherLength);
    }
    let right = start == wanted.start && end.checked_sub(start) == Some(wanted.length - 1);
    if right { Ok(0) } else { Err(Fault::OtherRange) }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `bytes 0-99/1234`, or `*` for the length of the whole.
fn read_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, whole) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let whole = if whole == "*" { None } else { Some(whole.parse().ok()?) };
    Some((start.parse().ok()?, end.parse().ok()?, whole))
}

/// `Retry-After`: seconds or a date.
fn wait_of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(start: u64, length: u64) -> Wanted {
        Wanted { url: Url::parse("http://h/").expect("a URL"), start, length, file_length: 10 << 20 }
    }

    fn judged(status: u16, headers: &[(HeaderName, &str)], wanted: &Wanted) -> Result<u64, Fault> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        judge(StatusCode::from_u16(status).expect("a status"), &headers, wanted)
    }

    #[test]
    fn a_part_must_be_the_one_that_was_asked_for() {
        let part = |range: &str| judged(206, &[(CONTENT_RANGE, range)], &wanted(100, 50));
        assert_eq!(part("bytes 100-149/10485760"), Ok(0));
        assert_eq!(part("bytes 100-149/*"), Ok(0));
        assert_eq!(part("bytes 100-149/999"), Err(Fault::OtherLength));
        for other in [
            "bytes 0-49/10485760",
            "bytes 100-148/10485760",
            "bytes 149-100/10485760",
            "100-149/10485760",
            "bytes */10485760",
            "bytes 100-149",
            "bytes +100-149/*",
            "bytes 100-18446744073709551616/*",
            "",
        ] {
            let fault = part(other);
            // `+100` is a number to Rust, and the range is right
            let odd = other.contains('+');
            assert_eq!(fault, if odd { Ok(0) } else { Err(Fault::OtherRange) }, "{other}");
        }
        assert_eq!(judged(206, &[], &wanted(100, 50)), Err(Fault::OtherRange));
        let encoded = [(CONTENT_RANGE, "bytes 100-149/*"), (CONTENT_ENCODING, "gzip")];
        assert_eq!(judged(206, &encoded, &wanted(100, 50)), Err(Fault::Encoded));
    }

    #[test]
    fn a_whole_file_will_do_if_little_of_it_comes_before() {
        assert_eq!(judged(200, &[], &wanted(0, 50)), Ok(0));
        assert_eq!(judged(200, &[], &wanted(SKIPPED, 50)), Ok(SKIPPED));
        assert_eq!(judged(200, &[], &wanted(SKIPPED + 1, 50)), Err(Fault::NoRanges));
    }

    #[test]
    fn other_answers_say_whose_fault_it_is() {
        let fault = |status| judged(status, &[], &wanted(0, 1)).expect_err("refused");
        assert!(fault(404).is_of_file() && fault(410).is_of_file() && fault(416).is_of_file());
        for status in [204, 304, 400, 401, 403, 500, 502, 504] {
            assert_eq!(fault(status), Fault::Status(status));
            assert!(!fault(status).is_of_file());
        }
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let wait = |value: &str| judged(503, &[(RETRY_AFTER, value)], &wanted(0, 1)).expect_err("busy").retry_after();
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("99999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), None, "it is over");
        assert_eq!(wait("Thu, 31 Dec 2099 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(judged(429, &[], &wanted(0, 1)), Err(Fault::Busy { status: 429, after: None }));
    }
}
