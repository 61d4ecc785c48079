//! Peers as they are shown, and why each is not being sent to.

use std::net::SocketAddr;

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::peer::Peer;

use super::connection::{Connection, Wait};
use super::world::Shard;

/// What it is for that a peer is not being sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Nothing: it is being sent to.
    Nothing,
    /// That it wants something.
    Interest,
    /// A slot: it is choked.
    Slot,
    /// That it asks for something.
    Request,
    /// A limit on bytes a second.
    Limit,
    /// Its socket: it has to take what is there.
    Window,
    /// The disk.
    Disk,
    /// That its piece, which was taken on trust, is looked at.
    Check,
}

/// A connected peer, for display.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Whose.
    pub torrent: TorrentId,
    /// Where.
    pub address: SocketAddr,
    /// The port that it says it listens on.
    pub listens_on: Option<u16>,
    /// What it calls itself.
    pub client: Option<String>,
    /// Payload bytes sent to it.
    pub sent: u64,
    /// Bytes a second in the round that runs, or in the last one while that is new.
    pub sent_rate: u64,
    /// Pieces it has, in thousandths.
    pub progress_per_mille: u32,
    /// It has everything.
    pub complete: bool,
    /// It says that it wants nothing (BEP 21).
    pub upload_only: bool,
    /// Interested in us.
    pub interested: bool,
    /// Choked by us.
    pub choked: bool,
    /// Why it is not being sent to.
    pub waiting: Waiting,
    /// Requests of it that wait.
    pub requests: usize,
    /// Payload bytes that it sent and we kept.
    pub received: u64,
    /// Bytes a second in the round that runs, or in the last one while that is new.
    pub received_rate: u64,
    /// We want something of it.
    pub wanted: bool,
    /// It chokes us.
    pub chokes_us: bool,
    /// Blocks that it owes us.
    pub owed: usize,
    /// We opened the connection.
    pub dialled: bool,
    /// It speaks the Fast extension (BEP 6).
    pub fast: bool,
    /// It speaks the extension protocol (BEP 10).
    pub extended: bool,
    /// It speaks HTTP: what goes to it is a file.
    pub http: bool,
    /// For how long it has been connected.
    pub connected_seconds: u64,
}

/// All connections at one moment, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    waiting: [usize; Waiting::ALL.len()],
    /// Requests that wait.
    pub requests: usize,
}

impl Waiting {
    /// All of them, in the order of their numbers.
    pub const ALL: [Waiting; 8] = [
        Waiting::Nothing,
        Waiting::Interest,
        Waiting::Slot,
        Waiting::Request,
        Waiting::Limit,
        Waiting::Window,
        Waiting::Disk,
        Waiting::Check,
    ];

    /// A short name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Waiting::Nothing => "served",
            Waiting::Interest => "not interested",
            Waiting::Slot => "choked",
            Waiting::Request => "nothing asked",
            Waiting::Limit => "rate limited",
            Waiting::Window => "window full",
            Waiting::Disk => "disk",
            Waiting::Check => "being checked",
        }
    }
}

impl Census {
    /// Peers, and HTTP connections that are being sent a file, that wait for this.
    pub fn waiting_for(&self, waiting: Waiting) -> usize {
        self.waiting[waiting as usize]
    }

    /// Adds another shard's.
    pub fn add(&mut self, other: &Census) {
        self.waiting.iter_mut().zip(other.waiting).for_each(|(count, more)| *count += more);
        self.requests += other.requests;
    }
}

impl Shard {
    /// The first `most` peers, for display.
    pub fn peers(&self, most: usize, now: Time) -> Vec<PeerStatus> {
        self.connections.iter().filter_map(|(key, connection)| self.status(key, connection, now)).take(most).collect()
    }

    /// The first `most` peers of one torrent, for display.
    pub fn peers_of(&self, id: TorrentId, most: usize, now: Time) -> Vec<PeerStatus> {
        let here = self.connections.iter().filter(|(_, connection)| connection.torrent() == Some(id));
        here.filter_map(|(key, connection)| self.status(key, connection, now)).take(most).collect()
    }

    /// Counts peers by why they are not being sent to, and what they wait for.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for (_, connection) in self.connections.iter() {
            let requests = match connection.peer() {
                Some((_, peer)) => peer.requests_waiting(),
                None if connection.body().is_some() => 0,
                None => continue,
            };
            census.requests += requests;
            census.waiting[self.waits_for(connection) as usize] += 1;
        }
        census
    }

    fn status(&self, key: PeerKey, connection: &Connection, now: Time) -> Option<PeerStatus> {
        let shown = |in_round, last| self.shown_rate(connection, in_round, last);
        let common = PeerStatus {
            torrent: connection.torrent()?,
            address: connection.address,
            listens_on: None,
            client: Some("HTTP".to_owned()),
            sent: connection.sent,
            sent_rate: shown(connection.sent_in_round, connection.sent_rate),
            progress_per_mille: connection.body().map_or(0, crate::peer::Body::progress_per_mille),
            complete: false,
            upload_only: false,
            interested: true,
            choked: false,
            waiting: self.waits_for(connection),
            requests: 0,
            received: connection.received,
            received_rate: shown(connection.received_in_round, connection.received_rate),
            wanted: false,
            chokes_us: true,
            owed: 0,
            dialled: connection.dialled,
            fast: false,
            extended: false,
            http: true,
            connected_seconds: now.since(connection.opened_at).as_secs(),
        };
        match connection.peer() {
            Some((_, peer)) => self.peer_status(key, peer, common),
            None => connection.body().is_some().then_some(common),
        }
    }

    fn peer_status(&self, key: PeerKey, peer: &Peer, common: PeerStatus) -> Option<PeerStatus> {
        let swarm = self.swarms.get(&common.torrent)?;
        let pieces = swarm.torrent.geometry.pieces();
        let have = u64::from(peer.pieces().count(pieces));
        Some(PeerStatus {
            listens_on: peer.listens_on(),
            client: peer.client().map(str::to_owned),
            progress_per_mille: u32::try_from(have * 1_000 / u64::from(pieces.max(1))).unwrap_or(1_000),
            complete: peer.has_all(),
            upload_only: peer.is_upload_only(),
            interested: peer.is_interested(),
            choked: peer.is_choked(),
            requests: peer.requests_waiting(),
            wanted: peer.is_wanted(),
            chokes_us: peer.chokes_us(),
            owed: swarm.download.as_ref().map_or(0, |download| download.picker.status(key).in_flight),
            fast: peer.is_fast(),
            extended: peer.is_extended(),
            http: false,
            ..common
        })
    }

    /// Why a connection is not being sent to. A choked peer may be sent what it asked for all the same (BEP 6).
    fn waits_for(&self, connection: &Connection) -> Waiting {
        let idle = connection.peer().filter(|(_, peer)| !peer.wants_turn());
        match (idle, connection.wait) {
            (Some((_, peer)), _) if !peer.is_interested() => Waiting::Interest,
            (Some((_, peer)), _) if peer.is_choked() => Waiting::Slot,
            (_, Wait::Socket) => Waiting::Window,
            (Some(_), _) => Waiting::Request,
            (None, Wait::Disk) => Waiting::Disk,
            (None, Wait::Check) => Waiting::Check,
            (None, Wait::Pace) => Waiting::Limit,
            (None, Wait::Nothing | Wait::Serving) if self.held_back => Waiting::Limit,
            (None, Wait::Nothing | Wait::Serving) => Waiting::Nothing,
        }
    }

    /// The rate of the round that runs, or that of the last one while it is new.
    pub(super) fn shown_rate(&self, connection: &Connection, in_round: u64, last: u64) -> u64 {
        let millis = self.ticked_at.since(self.round_at.max(connection.opened_at)).as_millis();
        if millis < 1_000 { last } else { u64::try_from(u128::from(in_round) * 1_000 / millis).unwrap_or(u64::MAX) }
    }
}
