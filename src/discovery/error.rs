//! Why an announce failed, in words that tell an operator what to do. Text from the network is cleaned and cut.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::request::Family;
use crate::limits;

/// When a tracker that refused may be asked again (BEP 31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// It did not say.
    Unsaid,
    /// Not earlier than this.
    After(Duration),
    /// Not at all.
    Never,
}

/// Why an announce or a scrape failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// The host name means nothing.
    #[error("cannot resolve {host}: {cause}; check the name and this machine's DNS")]
    Resolve {
        /// Name that was looked up.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// The host has no address of this family; not a fault.
    #[error("{host} has no {family} address")]
    NoAddress {
        /// Name that was looked up.
        host: String,
        /// Missing family.
        family: Family,
    },
    /// Nothing listens there.
    #[error("{peer} refused the connection: no tracker runs at that port")]
    Refused {
        /// Whom it was tried with.
        peer: String,
    },
    /// No way to that address from here.
    #[error("no route to {peer} over {family} from this machine")]
    Unreachable {
        /// Whom it was tried with.
        peer: String,
        /// Family of the address.
        family: Family,
    },
    /// No answer in time.
    #[error("no answer from {peer} within {} s{note}", after.as_secs_f32())]
    Timeout {
        /// Whom it was tried with.
        peer: String,
        /// How long was waited.
        after: Duration,
        /// What came instead of an answer, if anything.
        note: String,
    },
    /// The system has no certificate authorities, so no HTTPS tracker can be trusted.
    #[error(
        "no certificate authorities found, so HTTPS trackers cannot be checked: install the package ca-certificates, \
         or set SSL_CERT_FILE to a PEM file"
    )]
    NoRoots,
    /// The certificate or the TLS handshake is not acceptable.
    #[error("TLS with {peer} failed: {cause}")]
    Tls {
        /// Whom it was tried with.
        peer: String,
        /// What rustls said.
        cause: String,
    },
    /// Neither success nor a tracker's answer.
    #[error("HTTP status {0}; check the announce URL")]
    Status(u16),
    /// Redirected too often.
    #[error("redirected more than {} times", limits::TRACKER_REDIRECTS)]
    Redirects,
    /// The answer is longer than any honest one.
    #[error("answer is longer than {} bytes", limits::TRACKER_BODY)]
    TooLarge,
    /// Not a tracker's answer.
    #[error("not a tracker's answer: {0}")]
    Malformed(String),
    /// The tracker said no.
    #[error("the tracker refused: {reason}")]
    Failure {
        /// Its words, cleaned.
        reason: String,
        /// When to ask again.
        retry: Retry,
    },
    /// The tracker cannot be scraped by convention (BEP 48).
    #[error("this tracker's URL does not end in /announce, so it cannot be scraped")]
    NoScrape,
    /// Anything else that the system said.
    #[error("{peer}: {cause}")]
    Io {
        /// Whom it was tried with.
        peer: String,
        /// What the system said.
        cause: String,
    },
}

impl AnnounceError {
    /// Names an error of a socket that talks to `peer`.
    pub(super) fn from_io(error: &io::Error, peer: &str, family: Family) -> AnnounceError {
        let peer = peer.to_owned();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => AnnounceError::Refused { peer },
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
                AnnounceError::Unreachable { peer, family }
            }
            // a kernel without IPv6
            _ if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
                AnnounceError::Unreachable { peer, family }
            }
            _ => AnnounceError::Io { peer, cause: error.to_string() },
        }
    }

    pub(super) fn from_socket(error: &io::Error, peer: SocketAddr) -> AnnounceError {
        AnnounceError::from_io(error, &peer.to_string(), Family::of(peer.ip()))
    }

    /// Whether it says something about the host, so that other torrents need not find out again.
    pub(super) fn is_of_host(&self) -> bool {
        use AnnounceError::{Refused, Resolve, Timeout, Tls, Unreachable};
        matches!(self, Resolve { .. } | Refused { .. } | Unreachable { .. } | Timeout { .. } | Tls { .. })
    }

    /// When the tracker wants to be asked again.
    pub(super) fn retry(&self) -> Retry {
        match self {
            AnnounceError::Failure { retry, .. } => *retry,
            _ => Retry::Unsaid,
        }
    }
}

/// Text from the network for a person to read: no control characters (terminal escapes, direction overrides), at most
/// `limits::TRACKER_TEXT` characters.
pub(super) fn readable(bytes: &[u8]) -> String {
    // four bytes a character at most, so nothing longer need be looked at
    let head = &bytes[..bytes.len().min(limits::TRACKER_TEXT * 4)];
    let text = String::from_utf8_lossy(head);
    let mut clean = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c });
    let mut out: String = clean.by_ref().take(limits::TRACKER_TEXT).collect();
    if clean.next().is_some() || head.len() < bytes.len() {
        out.push('…');
    }
    out.trim().to_owned()
}

fn is_unprintable(c: char) -> bool {
    // zero-width and direction characters can make a message look like something else
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_cannot_drive_a_terminal() {
        assert_eq!(readable(b"\x1b[2Jgone\r\nnext\0"), "[2Jgone  next");
        assert_eq!(readable("a\u{202e}b".as_bytes()), "a b");
        assert_eq!(readable(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn text_of_strangers_is_cut() {
        let long = readable(&[b'x'; 100_000]);
        assert_eq!(long.chars().count(), limits::TRACKER_TEXT + 1);
        assert!(long.ends_with('…'));
    }
}
