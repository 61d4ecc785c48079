//! Datagrams of the UDP tracker protocol (BEP 15): requests read where they lie, answers appended to a buffer.
//!
//! Every offset is checked by one length test a kind; after it no access can fail.

use std::net::{IpAddr, SocketAddr};

use super::super::swarm::{Announce, Answer, Event, Want};
use crate::ids::{InfoHash, PeerId};
use crate::limits;

/// First eight bytes of a connect request.
const PROTOCOL: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;
/// Bytes of an announce without options (BEP 41), which we have no use for.
const ANNOUNCE_BYTES: usize = 98;

/// First 16 bytes of every request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// Connection id, or the protocol's magic number.
    connection: u64,
    action: u32,
    pub(super) transaction: u32,
}

/// What a datagram asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A connection id.
    Connect,
    /// Anything else, with the connection id that it comes under.
    Under(u64),
}

/// Why a request with a good connection id gets an error. The text goes to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("announce is too short")]
    ShortAnnounce,
    #[error("unknown event")]
    Event,
    #[error("port 0 cannot be reached")]
    Port,
    #[error("scrape is not a list of info-hashes")]
    ScrapeLength,
    #[error("at most 74 torrents in one scrape")]
    ScrapeTooLong,
    #[error("unknown action")]
    Action,
}

/// A request under a connection id.
#[derive(Debug)]
pub(super) enum Request<'a> {
    Announce(AnnounceRequest),
    /// Info-hashes, 20 bytes each.
    Scrape(&'a [u8]),
}

/// What an announce says.
#[derive(Debug)]
pub(super) struct AnnounceRequest {
    info_hash: InfoHash,
    peer_id: PeerId,
    key: u32,
    event: Event,
    seeder: bool,
    numwant: i32,
    pub(super) port: u16,
}

fn field<const N: usize>(datagram: &[u8], at: usize) -> [u8; N] {
    datagram[at..at + N].try_into().expect("the slice has that length")
}

impl Head {
    /// The head of a datagram, if it is long enough to have one.
    pub(super) fn of(datagram: &[u8]) -> Option<Head> {
        (datagram.len() >= 16).then(|| Head {
            connection: u64::from_be_bytes(field(datagram, 0)),
            action: u32::from_be_bytes(field(datagram, 8)),
            transaction: u32::from_be_bytes(field(datagram, 12)),
        })
    }

    pub(super) fn kind(self) -> Kind {
        if self.connection == PROTOCOL && self.action == CONNECT { Kind::Connect } else { Kind::Under(self.connection) }
    }
}

/// Reads what stands behind the head.
pub(super) fn request(head: Head, datagram: &[u8]) -> Result<Request<'_>, Malformed> {
    match head.action {
        ANNOUNCE => announce(datagram).map(Request::Announce),
        SCRAPE => match &datagram[16..] {
            hashes if hashes.is_empty() || !hashes.len().is_multiple_of(20) => Err(Malformed::ScrapeLength),
            hashes if hashes.len() > limits::TRACKER_SCRAPE * 20 => Err(Malformed::ScrapeTooLong),
            hashes => Ok(Request::Scrape(hashes)),
        },
        _ => Err(Malformed::Action),
    }
}

fn announce(datagram: &[u8]) -> Result<AnnounceRequest, Malformed> {
    if datagram.len() < ANNOUNCE_BYTES {
        return Err(Malformed::ShortAnnounce);
    }
    // downloaded at 56 and uploaded at 72 are statistics that we keep none of; the address at 84 is a claim
    let request = AnnounceRequest {
        info_hash: InfoHash(field(datagram, 16)),
        peer_id: PeerId(field(datagram, 36)),
        seeder: u64::from_be_bytes(field(datagram, 64)) == 0,
        event: match u32::from_be_bytes(field(datagram, 80)) {
            0 => Event::Update,
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            _ => return Err(Malformed::Event),
        },
        key: u32::from_be_bytes(field(datagram, 88)),
        numwant: i32::from_be_bytes(field(datagram, 92)),
        port: u16::from_be_bytes(field(datagram, 96)),
    };
    if request.port == 0 { Err(Malformed::Port) } else { Ok(request) }
}

impl AnnounceRequest {
    /// The announce of the client that others find at `peer` and that sent it to `reached_at`.
    pub(super) fn announce_of(&self, peer: SocketAddr, reached_at: IpAddr, over_v4: bool) -> Announce {
        let peers = Want::peers(Some(self.numwant.into()));
        // one answer holds one family: the one of the datagram
        let want = if over_v4 {
            Want { v4: peers, v6: 0 }
        } else {
            Want { v4: 0, v6: peers.min(limits::TRACKER_PEERS_IN_ANSWER_UDP6) }
        };
        Announce {
            info_hash: self.info_hash,
            peer,
            reached_at,
            peer_id: self.peer_id,
            key: Announce::fold_key(Some(self.key), &self.peer_id),
            event: self.event,
            seeder: self.seeder,
            want,
        }
    }
}

fn head(out: &mut Vec<u8>, action: u32, transaction: u32) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

pub(super) fn put_connect(out: &mut Vec<u8>, transaction: u32, id: u64) {
    head(out, CONNECT, transaction);
    out.extend_from_slice(&id.to_be_bytes());
}

pub(super) fn put_announce(out: &mut Vec<u8>, transaction: u32, interval_s: u32, answer: Answer, peers: &[u8]) {
    head(out, ANNOUNCE, transaction);
    for number in [interval_s, answer.leechers, answer.seeders] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(peers);
}

pub(super) fn put_scrape(out: &mut Vec<u8>, transaction: u32, answers: impl Iterator<Item = Answer>) {
    head(out, SCRAPE, transaction);
    for answer in answers {
        for number in [answer.seeders, answer.downloaded, answer.leechers] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

pub(super) fn put_error(out: &mut Vec<u8>, transaction: u32, reason: impl std::fmt::Display) {
    head(out, ERROR, transaction);
    out.extend_from_slice(reason.to_string().as_bytes());
}
