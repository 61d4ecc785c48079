//! Magnet links (BEP 9).

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::ids::InfoHash;
use crate::limits;

/// What a magnet link names. Its text form has the hash in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    /// `xt=urn:btih:`
    pub info_hash: InfoHash,
    /// `dn`: name to show until the real one is known. May contain control characters.
    pub name: Option<String>,
    /// `tr`: announce URLs.
    pub trackers: Vec<String>,
    /// `ws`: web seeds.
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers as `host:port`, `1.2.3.4:port` or `[v6]:port`.
    pub peers: Vec<String>,
}

/// Why a text is no magnet link that can be followed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// Longer than [`limits::MAGNET_LENGTH`].
    #[error("the link is {bytes} bytes long; at most {} are read", limits::MAGNET_LENGTH)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Does not begin with `magnet:?`.
    #[error("not a magnet link: it does not begin with `magnet:?`")]
    NotMagnet,
    /// No `xt` of BitTorrent.
    #[error("the link has no `xt=urn:btih:`, so it names no torrent")]
    NoHash,
    /// Only `xt=urn:btmh:` (BEP 52).
    #[error("the link names a v2 torrent only (`urn:btmh:`); v1 and hybrid ones can be served")]
    V2Only,
    /// Neither 40 hexadecimal nor 32 base32 digits.
    #[error("`xt=urn:btih:` is followed by neither 40 hexadecimal nor 32 base32 digits")]
    BadHash,
    /// Two `xt=urn:btih:` that differ.
    #[error("the link names several torrents")]
    SeveralHashes,
    /// A parameter repeated beyond its bound.
    #[error("the link has more than {limit} `{key}` parameters")]
    TooMany {
        /// Which.
        key: &'static str,
        /// The bound.
        limit: usize,
    },
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(text: &str) -> Result<Magnet, MagnetError> {
        Magnet::parse(text)
    }
}

impl Magnet {
    /// Reads a link. Parameters it does not know, `so` (BEP 53) among them, empty ones and peers without a port are
    /// passed over: they are hints, and the torrent can be found without.
    pub fn parse(text: &str) -> Result<Magnet, MagnetError> {
        if text.len() > limits::MAGNET_LENGTH {
            return Err(MagnetError::TooLong { bytes: text.len() });
        }
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let query = scheme.map(|_| &text[SCHEME.len()..]).ok_or(MagnetError::NotMagnet)?;
        let mut draft = Draft::default();
        for parameter in query.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            draft.take(key, value)?;
        }
        draft.finish()
    }
}

#[derive(Default)]
struct Draft {
    info_hash: Option<InfoHash>,
    v2: bool,
    name: Option<String>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    peers: Vec<String>,
}

impl Draft {
    fn take(&mut self, key: &str, value: &str) -> Result<(), MagnetError> {
        // repeated parameters may be numbered: `tr.1=`; but `x.pe` is a name of its own
        let plain = key.split_once('.').filter(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit()));
        match plain.map_or(key, |(name, _)| name).to_ascii_lowercase().as_str() {
            "xt" => self.take_topic(&decode(value)),
            "dn" if self.name.is_none() => {
                // a `+` is a blank to most programs that write names
                self.name = Some(decode(&value.replace('+', " "))).filter(|name| !name.is_empty());
                Ok(())
            }
            "tr" => push(&mut self.trackers, decode(value), "tr", limits::URLS),
            "ws" => push(&mut self.web_seeds, decode(value), "ws", limits::URLS),
            "x.pe" if is_host_and_port(&decode(value)) => {
                push(&mut self.peers, decode(value), "x.pe", limits::MAGNET_PEERS)
            }
            _ => Ok(()),
        }
    }

    fn take_topic(&mut self, topic: &str) -> Result<(), MagnetError> {
        let lower = topic.to_ascii_lowercase();
        self.v2 |= lower.starts_with("urn:btmh:");
        let Some(digits) = lower.strip_prefix("urn:btih:") else { return Ok(()) };
        let hash = InfoHash::from_hex(digits).or_else(|| from_base32(digits)).ok_or(MagnetError::BadHash)?;
        match self.info_hash.replace(hash) {
            Some(other) if other != hash => Err(MagnetError::SeveralHashes),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Magnet, MagnetError> {
        let Draft { info_hash, v2, name, trackers, web_seeds, peers } = self;
        match info_hash {
            Some(info_hash) => Ok(Magnet { info_hash, name, trackers, web_seeds, peers }),
            None if v2 => Err(MagnetError::V2Only),
            None => Err(MagnetError::NoHash),
        }
    }
}

fn push(list: &mut Vec<String>, value: String, key: &'static str, limit: usize) -> Result<(), MagnetError> {
    let value = value.trim();
    if value.is_empty() || value.contains(char::is_control) || list.iter().any(|seen| seen == value) {
        return Ok(());
    }
    if list.len() == limit {
        return Err(MagnetError::TooMany { key, limit });
    }
    list.push(value.to_owned());
    Ok(())
}

fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

fn is_host_and_port(peer: &str) -> bool {
    let Some((host, port)) = peer.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    host_fits && port.parse::<std::num::NonZeroU16>().is_ok()
}

/// RFC 4648 base32: 32 digits of 5 bits are 20 bytes exactly.
fn from_base32(digits: &str) -> Option<InfoHash> {
    if digits.len() != 32 {
        return None;
    }
    let mut hash = [0; 20];
    for (eight, five) in digits.as_bytes().chunks_exact(8).zip(hash.chunks_exact_mut(5)) {
        let bits = eight.iter().try_fold(0u64, |bits, digit| Some(bits << 5 | from_base32_digit(*digit)?))?;
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(InfoHash(hash))
}

fn from_base32_digit(digit: u8) -> Option<u64> {
    match digit.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => Some(u64::from(letter - b'a')),
        number @ b'2'..=b'7' => Some(u64::from(number - b'2') + 26),
        _ => None,
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}xt=urn:btih:{}", self.info_hash)?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", utf8_percent_encode(name, ENCODED))?;
        }
        for url in &self.trackers {
            write!(f, "&tr={}", utf8_percent_encode(url, ENCODED))?;
        }
        for url in &self.web_seeds {
            write!(f, "&ws={}", utf8_percent_encode(url, ENCODED))?;
        }
        // as BEP 9 prints them: some clients do not decode this one
        self.peers.iter().try_for_each(|peer| write!(f, "&x.pe={}", utf8_percent_encode(peer, ENCODED_IN_PEER)))
    }
}

const SCHEME: &str = "magnet:?";
/// RFC 3986: everything but the unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PEER: &AsciiSet = &ENCODED.remove(b':').remove(b'[').remove(b']');

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

    fn fault(text: &str) -> MagnetError {
        Magnet::parse(text).expect_err("refused")
    }

    #[test]
    fn base32_and_hexadecimal_name_the_same_torrent() {
        // base32 of the bytes 01 23 45 67 89 ab cd ef …, by coreutils' base32
        let base32 = Magnet::parse("magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH").expect("base32");
        let hex = Magnet::parse(&format!("MAGNET:?XT=URN:BTIH:{}", HEX.to_uppercase())).expect("hexadecimal");
        assert_eq!(base32, hex);
        assert_eq!(hex.info_hash.to_string(), HEX);
    }

    #[test]
    fn every_parameter_is_decoded_and_hints_that_make_no_sense_are_passed_over() {
        let link = format!(
            "magnet:?xt=urn:btmh:1220ff&xt.1=urn:btih:{HEX}&dn=a+b%26c%2B&tr=http%3A%2F%2Ft%2Fa%3Fk%3D1%2B2&tr.2=udp://u:1\
             &tr=&tr=udp://u:1&ws=http://w/&so=0,2&x.pe=1.2.3.4:5&x.pe=%5B::1%5D:6&x.pe=host:0&x.pe=nohost&x.pe=[zz]:1&&=&%"
        );
        let magnet = Magnet::parse(&link).expect("valid");
        assert_eq!(magnet.name.as_deref(), Some("a b&c+"));
        assert_eq!(magnet.trackers, ["http://t/a?k=1+2", "udp://u:1"]);
        assert_eq!(magnet.web_seeds, ["http://w/"]);
        assert_eq!(magnet.peers, ["1.2.3.4:5", "[::1]:6"]);
    }

    #[test]
    fn each_bad_link_has_its_own_error() {
        assert_eq!(fault("http://x/"), MagnetError::NotMagnet);
        assert_eq!(fault("magnet"), MagnetError::NotMagnet);
        assert_eq!(fault("magnet:?dn=x"), MagnetError::NoHash);
        assert_eq!(fault("magnet:?xt=urn:sha1:ABC"), MagnetError::NoHash);
        assert_eq!(fault("magnet:?xt=urn:btmh:1220ff"), MagnetError::V2Only);
        assert_eq!(fault("magnet:?xt=urn:btih:12"), MagnetError::BadHash);
        assert_eq!(fault(&format!("magnet:?xt=urn:btih:{}", "1".repeat(32))), MagnetError::BadHash);
        let other = HEX.replace('0', "1");
        assert_eq!(fault(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{other}")), MagnetError::SeveralHashes);
        let bytes = limits::MAGNET_LENGTH + 1;
        assert_eq!(fault(&"m".repeat(bytes)), MagnetError::TooLong { bytes });
        let many: String = (0..=limits::MAGNET_PEERS).map(|port| format!("&x.pe=h:{}", port + 1)).collect();
        let limit = limits::MAGNET_PEERS;
        assert_eq!(fault(&format!("magnet:?xt=urn:btih:{HEX}{many}")), MagnetError::TooMany { key: "x.pe", limit });
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(hash: [u8; 20], name in "\\PC{1,30}", urls in prop::collection::hash_set("[!-~]{1,30}", 0..5)) {
            let urls: Vec<String> = urls.into_iter().collect();
            let magnet = Magnet {
                info_hash: InfoHash(hash), name: Some(name), trackers: urls.clone(), web_seeds: urls,
                peers: vec!["[2001:db8::1]:6881".into(), "host.example:1".into()],
            };
            prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(magnet:\\?)?(xt=urn:btih:)?\\PC{0,60}") {
            let _ = Magnet::parse(&text);
        }
    }
}
