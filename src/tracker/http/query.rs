//! Query strings of announce and scrape (BEP 3, 7, 23, 48): bytes in, requests out.
//!
//! An info-hash is 20 arbitrary bytes, percent-escaped as its client saw fit, so nothing here is text.

use std::net::{IpAddr, SocketAddr};

use crate::ids::{InfoHash, PeerId};
use crate::limits;
use crate::tracker::swarm::{Announce, Event, Want};

/// What is wrong with a query. The text is the failure reason that the client shows to its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is given twice")]
    Twice(&'static str),
    #[error("{0} is not 20 bytes long")]
    NotTwentyBytes(&'static str),
    #[error("{0} is not a number")]
    NotANumber(&'static str),
    #[error("port must be between 1 and 65535")]
    Port,
    #[error("event is none of started, stopped, completed")]
    Event,
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Escape,
    #[error("key is longer than 64 bytes")]
    Key,
    #[error("at most 74 torrents in one scrape")]
    ScrapeTooLong,
    #[error("this tracker does not list its torrents: name them by info_hash")]
    FullScrape,
}

/// What an announce says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct AnnounceQuery {
    info_hash: InfoHash,
    peer_id: PeerId,
    pub(super) port: u16,
    seeder: bool,
    event: Event,
    key: Option<u32>,
    numwant: Option<i64>,
    /// Peers as strings of bytes (BEP 23) and not as dictionaries.
    pub(super) compact: bool,
    /// Dictionaries without peer ids.
    pub(super) no_peer_id: bool,
}

/// Name and value of every parameter, still escaped.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|&byte| byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        let equals = part.iter().position(|&byte| byte == b'=');
        equals.map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]))
    })
}

/// Unescapes `value`, which must come out as exactly `N` bytes. None if it is longer or shorter.
fn exact<const N: usize>(value: &[u8]) -> Result<Option<[u8; N]>, Malformed> {
    let mut out = [0; N];
    let mut length = 0;
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (digit(*high)? << 4 | digit(*low)?, tail),
            (b'%', _) => return Err(Malformed::Escape),
            // a client that escapes form-fashion writes a space so; every client escapes a real plus
            (b'+', tail) => (b' ', tail),
            (byte, tail) => (*byte, tail),
        };
        let Some(place) = out.get_mut(length) else { return Ok(None) };
        *place = byte;
        length += 1;
        rest = tail;
    }
    Ok((length == N).then_some(out))
}

fn digit(byte: u8) -> Result<u8, Malformed> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Malformed::Escape),
    }
}

fn number<T: std::str::FromStr>(name: &'static str, value: &[u8]) -> Result<T, Malformed> {
    let text = std::str::from_utf8(value).map_err(|_| Malformed::NotANumber(name))?;
    text.parse().map_err(|_| Malformed::NotANumber(name))
}

fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if place.replace(value).is_some() { Err(Malformed::Twice(name)) } else { Ok(()) }
}

fn twenty(name: &'static str, value: &[u8]) -> Result<[u8; 20], Malformed> {
    exact(value)?.ok_or(Malformed::NotTwentyBytes(name))
}

/// Clients that announce over UDP too send the same number there and in hexadecimal here, so it reads the same.
fn key(value: &[u8]) -> Result<u32, Malformed> {
    if value.len() > 64 {
        return Err(Malformed::Key);
    }
    let hexadecimal = std::str::from_utf8(value).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
    Ok(hexadecimal.unwrap_or_else(|| value.iter().fold(1, |sum, &byte| sum.wrapping_mul(31) ^ u32::from(byte))))
}

/// Bytes left to download. What does not fit is still "some": clients that know no size yet send -1 or 2^64-1.
fn is_complete(value: &[u8]) -> Result<bool, Malformed> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::NotANumber("left"));
    }
    Ok(digits.iter().all(|&byte| byte == b'0'))
}

fn event(value: &[u8]) -> Result<Event, Malformed> {
    match value {
        // BEP 21: a partial seeder that wants nothing more goes on announcing
        b"" | b"paused" => Ok(Event::Update),
        b"started" => Ok(Event::Started),
        b"stopped" => Ok(Event::Stopped),
        b"completed" => Ok(Event::Completed),
        _ => Err(Malformed::Event),
    }
}

impl AnnounceQuery {
    /// Reads the part of the target behind the question mark. Parameters unknown here are passed by, `ip` among them.
    pub(super) fn parse(query: &[u8]) -> Result<AnnounceQuery, Malformed> {
        let (mut info_hash, mut peer_id, mut port, mut left) = (None, None, None, None);
        let (mut reason, mut client_key, mut numwant) = (Event::Update, None, None);
        let (mut compact, mut no_peer_id) = (true, false);
        for (name, value) in parameters(query) {
            match name {
                b"info_hash" => once("info_hash", &mut info_hash, InfoHash(twenty("info_hash", value)?))?,
                b"peer_id" => once("peer_id", &mut peer_id, PeerId(twenty("peer_id", value)?))?,
                b"port" => once("port", &mut port, number::<u16>("port", value).map_err(|_| Malformed::Port)?)?,
                b"left" => once("left", &mut left, is_complete(value)?)?,
                b"event" => reason = event(value)?,
                b"key" => client_key = Some(key(value)?),
                b"numwant" if !value.is_empty() => numwant = Some(number("numwant", value)?),
                b"compact" => compact = value != b"0",
                b"no_peer_id" => no_peer_id = value == b"1",
                _ => {}
            }
        }
        Ok(AnnounceQuery {
            info_hash: info_hash.ok_or(Malformed::Missing("info_hash"))?,
            peer_id: peer_id.ok_or(Malformed::Missing("peer_id"))?,
            port: port.ok_or(Malformed::Missing("port"))?.ne(&0).then_some(port).flatten().ok_or(Malformed::Port)?,
            // some clients leave it out of a farewell; whoever does not say that it has everything wants something
            seeder: left.unwrap_or(false),
            event: reason,
            key: client_key,
            numwant,
            compact,
            no_peer_id,
        })
    }

    /// The announce of the client that others find at `peer` and that sent it to `reached_at`.
    pub(super) fn announce_of(&self, peer: SocketAddr, reached_at: IpAddr) -> Announce {
        let peers = Want::peers(self.numwant);
        Announce {
            info_hash: self.info_hash,
            peer,
            reached_at,
            peer_id: self.peer_id,
            key: Announce::fold_key(self.key, &self.peer_id),
            event: self.event,
            seeder: self.seeder,
            // BEP 7: a client may well have the other family too
            want: Want { v4: peers, v6: peers },
        }
    }
}

/// The torrents that a scrape asks about (BEP 48), at least one. Lists of everything are refused: to know an info-hash
/// is to be let in, and an open tracker's list has no bound worth sending.
pub(super) fn scrape(query: &[u8]) -> Result<Vec<InfoHash>, Malformed> {
    let mut hashes = Vec::new();
    for (_, value) in parameters(query).filter(|(name, _)| *name == b"info_hash") {
        if hashes.len() == limits::TRACKER_SCRAPE {
            return Err(Malformed::ScrapeTooLong);
        }
        hashes.push(InfoHash(twenty("info_hash", value)?));
    }
    if hashes.is_empty() { Err(Malformed::FullScrape) } else { Ok(hashes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-XX0000-abcdefghijkl&port=6881\
        &uploaded=0&downloaded=0&left=5&event=started&numwant=30&key=1A2b&compact=1&no_peer_id=1&ip=192.0.2.1";

    /// The whole query with one parameter replaced, removed or added.
    fn with(name: &str, value: Option<&str>) -> String {
        let others = WHOLE.split('&').filter(|part| part.split('=').next() != Some(name)).map(str::to_owned);
        let parts: Vec<String> = others.chain(value.map(|value| format!("{name}={value}"))).collect();
        parts.join("&")
    }

    fn parse(query: &str) -> Result<AnnounceQuery, Malformed> {
        AnnounceQuery::parse(query.as_bytes())
    }

    #[test]
    fn a_whole_announce_is_read() {
        let query = parse(WHOLE).expect("well formed");
        assert_eq!(query.info_hash.to_string(), "123456789abcdef123456789abcdef123456789a");
        assert_eq!(query.peer_id.0, *b"-XX0000-abcdefghijkl");
        assert_eq!((query.port, query.seeder, query.event), (6881, false, Event::Started));
        assert_eq!((query.numwant, query.key, query.compact, query.no_peer_id), (Some(30), Some(0x1a2b), true, true));
    }

    #[test]
    fn every_fault_has_its_reason() {
        let nineteen = "a".repeat(19);
        let twenty_one = "a".repeat(21);
        let long = "k".repeat(65);
        let cases: &[(&str, Option<&str>, Malformed)] = &[
            ("info_hash", None, Malformed::Missing("info_hash")),
            ("info_hash", Some(&nineteen), Malformed::NotTwentyBytes("info_hash")),
            ("info_hash", Some(&twenty_one), Malformed::NotTwentyBytes("info_hash")),
            ("info_hash", Some("%1"), Malformed::Escape),
            ("info_hash", Some("%zz"), Malformed::Escape),
            ("info_hash", Some("%"), Malformed::Escape),
            ("peer_id", None, Malformed::Missing("peer_id")),
            ("peer_id", Some("short"), Malformed::NotTwentyBytes("peer_id")),
            ("port", None, Malformed::Missing("port")),
            ("port", Some("0"), Malformed::Port),
            ("port", Some("65536"), Malformed::Port),
            ("port", Some("-1"), Malformed::Port),
            ("port", Some("x"), Malformed::Port),
            ("left", Some(""), Malformed::NotANumber("left")),
            ("left", Some("1x"), Malformed::NotANumber("left")),
            ("event", Some("rested"), Malformed::Event),
            ("numwant", Some("many"), Malformed::NotANumber("numwant")),
            ("numwant", Some("99999999999999999999"), Malformed::NotANumber("numwant")),
            ("key", Some(&long), Malformed::Key),
        ];
        for (name, value, expected) in cases {
            assert_eq!(parse(&with(name, *value)), Err(*expected), "{name}={value:?}");
        }
        for name in ["info_hash=aaaaaaaaaaaaaaaaaaaa", "peer_id=aaaaaaaaaaaaaaaaaaaa", "port=1", "left=1"] {
            let twice = format!("{WHOLE}&{name}");
            assert!(matches!(parse(&twice), Err(Malformed::Twice(_))), "{name}");
        }
    }

    #[test]
    fn what_is_left_tells_seeders_from_others() {
        for (left, seeder) in [("0", true), ("00", true), ("-1", false), ("18446744073709551616", false), ("7", false)]
        {
            assert_eq!(parse(&with("left", Some(left))).expect("a number").seeder, seeder, "{left}");
        }
        assert!(!parse(&with("left", None)).expect("may be absent").seeder);
    }

    #[test]
    fn keys_that_are_no_hexadecimal_number_are_told_apart() {
        let key = |text| parse(&with("key", Some(text))).expect("well formed").key;
        assert_eq!(key("DEADBEEF"), Some(0xdead_beef));
        assert_ne!(key("zebra"), key("giraffe"));
        assert_eq!(parse(&with("key", None)).expect("may be absent").key, None);
    }

    #[test]
    fn a_scrape_names_one_to_seventy_four_torrents() {
        let one = "info_hash=aaaaaaaaaaaaaaaaaaa%41";
        assert_eq!(scrape(one.as_bytes()).map(|hashes| hashes[0].0), Ok(*b"aaaaaaaaaaaaaaaaaaaA"));
        assert_eq!(scrape([one; 74].join("&").as_bytes()).map(|hashes| hashes.len()), Ok(74));
        assert_eq!(scrape([one; 75].join("&").as_bytes()), Err(Malformed::ScrapeTooLong));
        assert_eq!(scrape(b""), Err(Malformed::FullScrape));
        assert_eq!(scrape(b"info_hash=a"), Err(Malformed::NotTwentyBytes("info_hash")));
    }

    proptest! {
        #[test]
        fn any_twenty_bytes_survive_any_escaping(bytes in any::<[u8; 20]>(), escaped in any::<[bool; 20]>()) {
            let write = |(byte, escape): (&u8, &bool)| match byte {
                byte if byte.is_ascii_alphanumeric() && !escape => vec![*byte],
                b' ' if !escape => vec![b'+'],
                byte => format!("%{byte:02x}").into_bytes(),
            };
            let value: Vec<u8> = bytes.iter().zip(&escaped).flat_map(write).collect();
            prop_assert_eq!(exact::<20>(&value), Ok(Some(bytes)));
        }

        #[test]
        fn no_query_panics(query in "[a-z_=&%+0-9]{0,120}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (AnnounceQuery::parse(query.as_bytes()), AnnounceQuery::parse(&bytes));
            let _ = (scrape(query.as_bytes()), scrape(&bytes));
        }
    }
}
