//! The UDP tracker protocol on the wire: BEP 15, URL data by BEP 41. Pure.

use std::time::Duration;

use super::error::readable;
use super::reply::{Reply, Scrape, read_compact};
use super::request::{Announce, Event, Family};
use crate::ids::InfoHash;

const PROTOCOL: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;
/// BEP 41: what follows is a length and that many bytes of path and query.
const OPTION_URL: u8 = 2;

/// What a tracker sends back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Connected { connection: u64 },
    Announced(Reply),
    Scraped(Vec<Scrape>),
    Refused { reason: String },
}

/// Asks for a connection id.
pub(super) fn connect(transaction: u32) -> Vec<u8> {
    let mut out = PROTOCOL.to_be_bytes().to_vec();
    out.extend(CONNECT.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out
}

fn header(connection: u64, action: u32, transaction: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend(connection.to_be_bytes());
    out.extend(action.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out
}

/// An announce; `path_and_query` of the tracker's URL follows it in pieces of at most 255 bytes.
pub(super) fn announce(connection: u64, transaction: u32, announce: &Announce, path_and_query: &str) -> Vec<u8> {
    let mut out = header(connection, ANNOUNCE, transaction);
    let event: u32 = match announce.event {
        Event::Regular => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    };
    out.extend(announce.info_hash.0);
    out.extend(announce.peer_id.0);
    for total in [announce.stats.downloaded, announce.stats.left, announce.stats.uploaded] {
        out.extend(total.to_be_bytes());
    }
    // the address is left to the tracker to see
    for word in [event, 0, announce.key, announce.wanted()] {
        out.extend(word.to_be_bytes());
    }
    out.extend(announce.port.to_be_bytes());
    for part in path_and_query.as_bytes().chunks(255) {
        out.extend([OPTION_URL, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        out.extend(part);
    }
    out
}

/// A scrape of at most `limits::SCRAPE_HASHES` torrents.
pub(super) fn scrape(connection: u64, transaction: u32, hashes: &[InfoHash]) -> Vec<u8> {
    let mut out = header(connection, SCRAPE, transaction);
    hashes.iter().for_each(|hash| out.extend(hash.0));
    out
}

/// Reads an answer: its transaction id and what it says. `None` for what is none.
pub(super) fn parse(datagram: &[u8], family: Family) -> Option<(u32, Answer)> {
    let (&action, rest) = datagram.split_first_chunk::<4>()?;
    let (&transaction, rest) = rest.split_first_chunk::<4>()?;
    let answer = match u32::from_be_bytes(action) {
        CONNECT => Answer::Connected { connection: u64::from_be_bytes(*rest.first_chunk()?) },
        ANNOUNCE => Answer::Announced(parse_announced(rest, family)?),
        SCRAPE => Answer::Scraped(parse_scraped(rest)),
        ERROR => Answer::Refused { reason: readable(rest) },
        _ => return None,
    };
    Some((u32::from_be_bytes(transaction), answer))
}

fn parse_announced(body: &[u8], family: Family) -> Option<Reply> {
    let (head, compact) = body.split_first_chunk::<12>()?;
    let [interval, leechers, seeders] = words(head);
    let mut peers = Vec::new();
    read_compact(compact, family, &mut peers);
    Some(Reply {
        interval: Duration::from_secs(u64::from(interval)),
        leechers: Some(leechers),
        seeders: Some(seeders),
        peers,
        ..Reply::default()
    })
}

fn parse_scraped(body: &[u8]) -> Vec<Scrape> {
    let entry = |bytes: &[u8; 12]| {
        let [seeders, completed, leechers] = words(bytes);
        Scrape { seeders, completed, leechers }
    };
    body.as_chunks::<12>().0.iter().map(entry).collect()
}

fn words(bytes: &[u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::request::Stats;
    use super::*;
    use crate::ids::PeerId;

    fn sample() -> Announce {
        Announce {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            key: 0xdead_beef,
            port: 6881,
            event: Event::Started,
            stats: Stats { uploaded: 3, downloaded: 1, left: 2, peers_wanted: 50 },
            tracker_id: None,
        }
    }

    #[test]
    fn requests_have_the_layout_of_bep_15() {
        assert_eq!(connect(5), [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 5]);
        let bytes = announce(7, 5, &sample(), "");
        assert_eq!(bytes.len(), 98);
        assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 5]);
        assert_eq!(bytes[16..56], [[1; 20], [2; 20]].concat());
        assert_eq!((bytes[63], bytes[71], bytes[79], bytes[83]), (1, 2, 3, 2));
        assert_eq!(bytes[84..], [0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 50, 0x1a, 0xe1]);
    }

    #[test]
    fn long_paths_are_cut_into_options_of_255_bytes() {
        let path = format!("/{}", "x".repeat(299));
        let bytes = announce(7, 5, &sample(), &path);
        assert_eq!(bytes[98..100], [2, 255]);
        assert_eq!(bytes[355..357], [2, 45]);
        assert_eq!(bytes.len(), 98 + 2 + 255 + 2 + 45);
    }

    #[test]
    fn answers_are_read_by_the_family_of_the_socket() {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([10, 0, 0, 1, 0, 80]);
        let Some((9, Answer::Announced(reply))) = parse(&bytes, Family::V4) else { panic!("an answer") };
        assert_eq!((reply.interval.as_secs(), reply.leechers, reply.seeders), (1800, Some(2), Some(3)));
        assert_eq!(reply.peers, ["10.0.0.1:80".parse().expect("address")]);
        let Some((9, Answer::Announced(reply))) = parse(&bytes, Family::V6) else { panic!("an answer") };
        assert_eq!(reply.peers, []);
    }

    #[test]
    fn what_is_cut_short_is_no_answer() {
        let announced = [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 3];
        for end in 0..announced.len() {
            assert_eq!(parse(&announced[..end], Family::V4), None);
        }
        assert_eq!(parse(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3], Family::V4), None);
        assert_eq!(parse(&[0, 0, 0, 4, 0, 0, 0, 9], Family::V4), None);
        let refused = Answer::Refused { reason: "no".into() };
        assert_eq!(parse(b"\0\0\0\x03\0\0\0\x09no", Family::V4), Some((9, refused)));
    }
}
