//! What a line of a list says. The formats are told apart line by line, so that files may be put together.
//!
//! | format | line |
//! |---|---|
//! | addresses, CIDR | `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`, with a comment after `#` or `;` |
//! | ranges | `192.0.2.0-192.0.2.99` |
//! | dat (eMule) | `192.000.002.000 - 192.000.002.255 , 100 , name`: blocked if the level is below 128 |
//! | p2p (PeerGuardian) | `name:192.0.2.0-192.0.2.255`, whatever the name has in it |
//!
//! Numbers of IPv4 addresses may begin with zeros, as in dat files; they are decimal all the same.

use std::net::{IpAddr, Ipv4Addr};

use super::Range;

/// Level of a dat line from which on it allows what it names.
const ALLOWED: u32 = 128;

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// These addresses are blocked.
    Blocked(Range),
    /// These are named and not blocked, or nothing is said: a comment.
    Nothing,
}

/// Why a line was passed over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum BadLine {
    /// None of the formats.
    #[error("neither an address, a prefix, a range, nor a line of a p2p or dat list")]
    Unknown,
    /// Last before first.
    #[error("a range that ends before it begins, or of both families")]
    Backwards,
    /// As `192.0.2.0/33`.
    #[error("a prefix longer than the address")]
    Prefix,
    /// The level of a dat line is none.
    #[error("a level that is no number")]
    Level,
    /// See `limits::FILTER_LINE`.
    #[error("a line that is too long")]
    Long,
}

/// Reads one line, its end left out.
pub(super) fn parse(line: &str) -> Result<Said, BadLine> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
        return Ok(Said::Nothing);
    }
    let bare = line.split(['#', ';']).next().unwrap_or_default().trim();
    if let Some(single) = single(bare).or_else(|| dat(line)) {
        return single;
    }
    p2p(line).unwrap_or(Err(BadLine::Unknown))
}

/// An address or a prefix.
fn single(text: &str) -> Option<Result<Said, BadLine>> {
    if let Some(address) = address(text) {
        return Some(range(address, address));
    }
    let (network, length) = text.split_once('/')?;
    let (network, length) = (address(network)?, length.trim().parse().ok()?);
    Some(Range::prefix(network, length).map(Said::Blocked).ok_or(BadLine::Prefix))
}

/// A range that begins the line, with or without a level and a name.
fn dat(line: &str) -> Option<Result<Said, BadLine>> {
    let (addresses, rest) = line.split_once(',').map_or((line, None), |(addresses, rest)| (addresses, Some(rest)));
    let bare = addresses.split(['#', ';']).next()?;
    let (first, last) = bare.split_once('-')?;
    let (first, last) = (address(first)?, address(last)?);
    let Some(level) = rest.and_then(|rest| rest.split(',').next()) else { return Some(range(first, last)) };
    match level.trim().parse::<u32>() {
        Ok(level) if level >= ALLOWED => Some(range(first, last).map(|_| Said::Nothing)),
        Ok(_) => Some(range(first, last)),
        Err(_) => Some(Err(BadLine::Level)),
    }
}

/// A name, and a range at the end of the line. The name may hold anything, also what divides it from the range.
fn p2p(line: &str) -> Option<Result<Said, BadLine>> {
    let (left, last) = line.rsplit_once('-')?;
    let last = address(last)?;
    let starts = left.match_indices(':').map(|(at, _)| &left[at + 1..]);
    // the longest that is an address: what is left of an IPv6 address by cutting more off may be one as well
    let first = starts.into_iter().find_map(address)?;
    Some(range(first, last))
}

fn range(first: IpAddr, last: IpAddr) -> Result<Said, BadLine> {
    Range::new(first, last).map(Said::Blocked).ok_or(BadLine::Backwards)
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    // longer ones are names
    if text.len() > 45 {
        return None;
    }
    if text.contains(':') { text.parse().ok() } else { padded(text).map(IpAddr::V4) }
}

/// `192.000.002.007` is what it looks like. The standard library refuses such numbers, which other programs read as octal.
fn padded(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| (1..=3).contains(&part.len()))?;
        *octet = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(first: [u8; 4], last: [u8; 4]) -> Result<Said, BadLine> {
        Ok(Said::Blocked(Range::V4(u32::from_be_bytes(first), u32::from_be_bytes(last))))
    }

    fn v6(first: &str, last: &str) -> Result<Said, BadLine> {
        let bits = |text: &str| text.parse::<std::net::Ipv6Addr>().expect("an address").to_bits();
        Ok(Said::Blocked(Range::V6(bits(first), bits(last))))
    }

    #[test]
    fn addresses_and_prefixes() {
        assert_eq!(parse("192.0.2.7"), v4([192, 0, 2, 7], [192, 0, 2, 7]));
        assert_eq!(parse("  192.0.2.77/24  # a comment"), v4([192, 0, 2, 0], [192, 0, 2, 255]));
        assert_eq!(parse("192.0.2.0/24 ; SBL1"), v4([192, 0, 2, 0], [192, 0, 2, 255]));
        assert_eq!(parse("0.0.0.0/0"), v4([0; 4], [255; 4]));
        assert_eq!(parse("192.0.2.7/32"), v4([192, 0, 2, 7], [192, 0, 2, 7]));
        assert_eq!(parse("2001:db8::/32"), v6("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(parse("::/0"), v6("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(parse("2001:db8::1"), v6("2001:db8::1", "2001:db8::1"));
        assert_eq!(parse("::ffff:192.0.2.0/120"), v4([192, 0, 2, 0], [192, 0, 2, 255]));
    }

    #[test]
    fn lines_of_dat_files_and_their_levels() {
        let line = "001.009.096.105 - 001.009.096.108 , 000 , Some organization";
        assert_eq!(parse(line), v4([1, 9, 96, 105], [1, 9, 96, 108]));
        assert_eq!(parse("1.2.3.4-1.2.3.5,127,a, b-c"), v4([1, 2, 3, 4], [1, 2, 3, 5]));
        assert_eq!(parse("1.2.3.4 - 1.2.3.5 , 128 , allowed"), Ok(Said::Nothing));
        assert_eq!(parse("1.2.3.4 - 1.2.3.5"), v4([1, 2, 3, 4], [1, 2, 3, 5]));
        assert_eq!(parse("2001:db8::1 - 2001:db8::5 , 0 , six"), v6("2001:db8::1", "2001:db8::5"));
        assert_eq!(parse("1.2.3.4 - 1.2.3.5 , high , x"), Err(BadLine::Level));
    }

    #[test]
    fn lines_of_p2p_files_whatever_the_name_is() {
        assert_eq!(parse("Some org:1.2.3.4-1.2.3.5"), v4([1, 2, 3, 4], [1, 2, 3, 5]));
        assert_eq!(parse("a-b: 9.9.9.9-c, #1:1.2.3.4-1.2.3.5"), v4([1, 2, 3, 4], [1, 2, 3, 5]));
        assert_eq!(parse(":1.2.3.4-1.2.3.5"), v4([1, 2, 3, 4], [1, 2, 3, 5]));
        assert_eq!(parse("Six: really:2001:db8::-2001:db8::ff"), v6("2001:db8::", "2001:db8::ff"));
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        for line in ["", "   ", "# 1.2.3.4", "; 1.2.3.4", "// 1.2.3.4", "\t\r"] {
            assert_eq!(parse(line), Ok(Said::Nothing), "{line:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_cause() {
        assert_eq!(parse("1.2.3.9-1.2.3.4"), Err(BadLine::Backwards));
        assert_eq!(parse("name:1.2.3.4-2001:db8::1"), Err(BadLine::Backwards));
        assert_eq!(parse("1.2.3.4/33"), Err(BadLine::Prefix));
        assert_eq!(parse("2001:db8::/129"), Err(BadLine::Prefix));
        for line in [
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.0004",
            "host.example",
            "name:-",
            "-",
            ":",
            "1.2.3.4/",
            "/8",
            "+1.2.3.4",
        ] {
            assert_eq!(parse(line), Err(BadLine::Unknown), "{line:?}");
        }
    }
}
