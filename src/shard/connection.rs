//! What a shard keeps of one connection.

use std::net::SocketAddr;

use crate::clock::Time;
use crate::ids::TorrentId;
use crate::peer::{Body, HttpClient, Peer, Reason};

use super::download::Incoming;
use super::super_seed::Shown;

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits for the peer's handshake; a connection that we opened knows its torrent.
    Greeting(Option<TorrentId>),
    /// Speaks the protocol.
    Peer(TorrentId, Box<Peer>),
    /// Speaks HTTP.
    Http(Box<HttpClient>),
}

/// Why a connection is not in turns although it may have requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// Nothing: it is in turns if it has requests.
    Nothing,
    /// Its turn is being served.
    Serving,
    /// The socket takes no more.
    Socket,
    /// Its next range is being read from disk.
    Disk,
    /// Its own rate limit.
    Pace,
    /// Its next piece is being looked at.
    Check,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) address: SocketAddr,
    /// We opened it.
    pub(super) dialled: bool,
    pub(super) stage: Stage,
    /// An incomplete message, or nothing.
    pub(super) input: Vec<u8>,
    /// What it was shown, of a torrent that is super-seeded when it comes.
    pub(super) shown: Option<Box<Shown>>,
    /// The block that is arriving.
    pub(super) incoming: Option<Box<Incoming>>,
    /// It is not read for now: it asks for more than may wait, or waits for a torrent.
    pub(super) held: bool,
    /// It is not read until this torrent is here.
    pub(super) awaits: Option<TorrentId>,
    /// Control bytes for the socket.
    pub(super) output: Vec<u8>,
    /// In the list of connections with control bytes.
    pub(super) listed: bool,
    pub(super) wait: Wait,
    /// Counted as waiting for a slot.
    pub(super) waiting: bool,
    pub(super) closing: Option<Reason>,
    /// Our side of its stream was ended.
    pub(super) parted: bool,
    pub(super) opened_at: Time,
    pub(super) heard_at: Time,
    pub(super) spoke_at: Time,
    /// When it last got or lost a slot.
    pub(super) slot_since: Time,
    pub(super) optimistic_since: Option<Time>,
    /// Since when the socket has taken nothing.
    pub(super) blocked_at: Time,
    /// Payload bytes in all, and in the round that runs.
    pub(super) sent: u64,
    pub(super) sent_in_round: u64,
    /// Bytes a second in the last whole round.
    pub(super) sent_rate: u64,
    /// The same for what it sent to us and we kept.
    pub(super) received: u64,
    pub(super) received_in_round: u64,
    pub(super) received_rate: u64,
    /// Bytes that it sent and nobody wanted.
    pub(super) unwanted: u64,
    /// Requests that it refused since its last block.
    pub(super) rejects: u32,
}

impl Connection {
    pub(super) fn peer(&self) -> Option<(TorrentId, &Peer)> {
        match &self.stage {
            Stage::Peer(torrent, peer) => Some((*torrent, peer)),
            Stage::Greeting(_) | Stage::Http(_) => None,
        }
    }

    /// What it is being sent by HTTP.
    pub(super) fn body(&self) -> Option<&Body> {
        if let Stage::Http(client) = &self.stage { client.body() } else { None }
    }

    /// The torrent that it is about now.
    pub(super) fn torrent(&self) -> Option<TorrentId> {
        match &self.stage {
            Stage::Greeting(dialled) => *dialled,
            Stage::Peer(torrent, _) => Some(*torrent),
            Stage::Http(client) => client.body().map(Body::torrent),
        }
    }

    /// It waits to be sent blocks.
    pub(super) fn wants_turn(&self) -> bool {
        match &self.stage {
            Stage::Greeting(_) => false,
            Stage::Peer(_, peer) => peer.wants_turn(),
            Stage::Http(client) => client.body().is_some_and(|body| !body.is_empty()),
        }
    }

    /// A block of `length` bytes came from it and is kept.
    pub(super) fn count_block(&mut self, length: u64) {
        self.received += length;
        self.received_in_round += length;
        self.rejects = 0;
    }
}
