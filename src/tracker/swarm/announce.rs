//! What an announce says and what it is answered, whatever protocol carried it.

use std::net::{IpAddr, SocketAddr};

use crate::ids::{InfoHash, PeerId};
use crate::limits;

/// Why a client announces (BEP 3 `event`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Event {
    /// At the interval, or for more peers.
    #[default]
    Update,
    /// First announce.
    Started,
    /// Last announce: the peer leaves.
    Stopped,
    /// The peer has just finished downloading.
    Completed,
}

/// How many peers the answer may hold, by address family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// IPv4 peers.
    pub v4: usize,
    /// IPv6 peers.
    pub v6: usize,
}

impl Want {
    /// From a client's `numwant`, negative or absent meaning "as you like".
    pub fn peers(numwant: Option<i64>) -> usize {
        match numwant.map(usize::try_from) {
            Some(Ok(count)) => count.min(limits::TRACKER_PEERS_IN_ANSWER),
            Some(Err(_)) | None => limits::TRACKER_PEERS_BY_DEFAULT,
        }
    }
}

/// One announce.
#[derive(Clone, Copy, Debug)]
pub struct Announce {
    /// Torrent.
    pub info_hash: InfoHash,
    /// Where the announce came from, with the port the client listens on. IPv4 in IPv6 form counts as IPv4.
    pub peer: SocketAddr,
    /// Our address that the announce was sent to: one that this peer can reach.
    pub reached_at: IpAddr,
    /// Name that the peer goes by.
    pub peer_id: PeerId,
    /// Tells a client from the one that used the same address and port before it: folded from BEP 7's `key`, or from
    /// the peer id where there is none. A `stopped` with another key is late news about somebody who left already.
    pub key: u16,
    /// Why.
    pub event: Event,
    /// Nothing is left to download.
    pub seeder: bool,
    /// Peers wanted.
    pub want: Want,
}

impl Announce {
    /// Folds what a client sent as `key`, or its peer id, to 16 bits.
    pub fn fold_key(key: Option<u32>, peer_id: &PeerId) -> u16 {
        let [a, b, c, d] = match key {
            Some(key) if key != 0 => key.to_be_bytes(),
            // the tail of a peer id is its random part in every style (BEP 20)
            _ => [peer_id.0[16], peer_id.0[17], peer_id.0[18], peer_id.0[19]],
        };
        u16::from_be_bytes([a ^ c, b ^ d])
    }
}

/// Counts that every answer carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Peers that have everything, ours included.
    pub seeders: u32,
    /// Peers that download.
    pub leechers: u32,
    /// Downloads finished since the tracker started.
    pub downloaded: u32,
    /// The swarm or the tracker is full: the peer got its answer, but others will not hear of it.
    pub unlisted: bool,
}

/// Why an announce got no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The tracker serves only torrents that it was told to.
    #[error("this tracker does not serve this torrent")]
    NotServed,
    /// An open tracker that knows as many torrents as it may.
    #[error("this tracker is full: it takes no further torrents")]
    TorrentsFull,
}

/// Peers of an answer. Reused from one announce to the next, so that answering allocates nothing.
#[derive(Debug, Default)]
pub struct Sample {
    /// IPv4 peers, 6 bytes each in network order (BEP 23).
    pub v4: Vec<u8>,
    /// IPv6 peers, 18 bytes each in network order (BEP 7).
    pub v6: Vec<u8>,
    /// Peer ids in the order of the IPv4 and then the IPv6 peers, if they were asked for.
    pub ids: Option<Vec<PeerId>>,
}

impl Sample {
    /// Empty, as before the next announce.
    pub fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        if let Some(ids) = &mut self.ids {
            ids.clear();
        }
    }

    pub(super) fn push(&mut self, address: &[u8], id: PeerId) {
        if address.len() == 6 { &mut self.v4 } else { &mut self.v6 }.extend_from_slice(address);
        if let Some(ids) = &mut self.ids {
            ids.push(id);
        }
    }
}
