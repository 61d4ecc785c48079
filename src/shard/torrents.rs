//! The torrents of a shard: which peers each has, what is known of its pieces.

use std::sync::Arc;

use crate::ids::{InfoHash, PeerKey, TorrentId};
use crate::peer::{Peer, Reason, Torrent};

use super::connection::Connection;
use super::swarm::Swarm;
use super::world::Shard;

/// A torrent, for display.
#[derive(Clone, Debug)]
pub struct TorrentStatus {
    /// Which.
    pub id: TorrentId,
    /// Payload bytes sent since start.
    pub sent: u64,
    /// Connected peers.
    pub peers: usize,
    /// Of these, those that have everything.
    pub seeds: usize,
    /// Of these, interested in us.
    pub interested: usize,
    /// Of these, unchoked.
    pub unchoked: usize,
    /// Peers that send to us, in the round that runs, or did in the last one while that is new.
    pub senders: usize,
    /// Slots that it may have; used by the fixed policy alone.
    pub slots: usize,
    /// Copies of the rarest piece among the connected peers.
    pub availability: u32,
    /// Pieces are shown one by one (BEP 16).
    pub super_seeding: bool,
    /// Pieces that are here.
    pub had: u32,
    /// Its download, if it was not complete at the start.
    pub download: Option<DownloadStatus>,
}

/// Peers of one torrent by what they are doing.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) interested: usize,
    pub(super) seeds: usize,
    pub(super) senders: usize,
}

/// How far a download has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DownloadStatus {
    /// Bytes of good pieces, those of earlier starts included.
    pub good: u64,
    /// Bytes of blocks received and kept.
    pub received: u64,
    /// Bytes received and dropped, or found bad.
    pub wasted: u64,
    /// Pieces that are wanted and not here.
    pub missing: u32,
    /// Pieces under way or being checked.
    pub begun: usize,
}

impl Shard {
    /// Serves a torrent from now on; `false`: it is served already, and nothing changed. One that was withdrawn is served until
    /// its connections were taken down.
    pub fn add(&mut self, id: TorrentId, torrent: Arc<Torrent>, slots: usize) -> bool {
        if self.swarms.contains_key(&id) {
            return false;
        }
        self.by_hash.insert(torrent.info_hash, id);
        self.swarms.insert(id, Swarm::new(torrent, slots, &mut self.rng));
        self.wake(id);
        true
    }

    /// Serves it no more: its connections end with `reason`, new ones are refused, and with the last connection what is kept
    /// of it goes.
    pub fn withdraw(&mut self, id: TorrentId, reason: Reason) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        swarm.withdrawn = true;
        // another torrent of the same hash may have been added since
        if self.by_hash.get(&swarm.torrent.info_hash) == Some(&id) {
            self.by_hash.remove(&swarm.torrent.info_hash);
        }
        if swarm.links == 0 {
            return self.end(id);
        }
        let keys: Vec<PeerKey> =
            self.connections.iter().filter(|(_, c)| c.torrent() == Some(id)).map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.close(key, reason));
    }

    /// It was added and not withdrawn.
    pub(super) fn serves(&self, id: TorrentId) -> bool {
        self.swarms.get(&id).is_some_and(|swarm| self.by_hash.get(&swarm.torrent.info_hash) == Some(&id))
    }

    /// How many of the fixed policy's slots a torrent has here.
    pub fn set_slots(&mut self, id: TorrentId, slots: usize) {
        if let Some(swarm) = self.swarms.get_mut(&id) {
            swarm.slots = slots;
            self.slots_settled = false;
        }
    }

    /// Which pieces of a torrent are here: a bit each, the first the highest of the first byte. `None` if it is not served.
    pub fn pieces(&self, id: TorrentId) -> Option<Vec<u8>> {
        let swarm = self.swarms.get(&id)?;
        Some(swarm.had.bitfield(swarm.torrent.geometry.pieces()))
    }

    pub(super) fn torrent_of(&self, info_hash: InfoHash) -> Option<(TorrentId, &Swarm)> {
        let id = *self.by_hash.get(&info_hash)?;
        Some((id, self.swarms.get(&id)?))
    }

    /// Takes a peer out of its swarm's books.
    pub(super) fn leave(&mut self, key: PeerKey, torrent: TorrentId, peer: &Peer, connection: &Connection) {
        self.waiting -= usize::from(connection.waiting);
        if let Some(shown) = &connection.shown {
            self.forget_shown(torrent, key, shown);
        }
        if !peer.is_choked() {
            // a slot is free again
            self.unchoked -= 1;
            self.slots_settled = false;
        }
        self.askers.left(torrent, key);
        let Some(swarm) = self.swarms.get_mut(&torrent) else { return };
        swarm.unchoked -= usize::from(!peer.is_choked());
        // a silent connection may have been replaced by another of the same peer, which stays listed
        if swarm.peers.get(&peer.id()) == Some(&key) {
            swarm.peers.remove(&peer.id());
        }
        swarm.left(key, peer.pieces(), connection.address.ip());
    }

    /// A connection is about this torrent from now on.
    pub(super) fn link(&mut self, id: TorrentId) {
        if let Some(swarm) = self.swarms.get_mut(&id) {
            swarm.links += 1;
        }
    }

    /// A connection is about it no more. With the last one a torrent goes that was withdrawn.
    pub(super) fn unlink(&mut self, id: TorrentId) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        swarm.links -= 1;
        if swarm.withdrawn && swarm.links == 0 {
            self.end(id);
        }
    }

    /// Drops what is kept of a torrent that nobody is connected to; its last numbers wait for [`Shard::next_ended`].
    pub(super) fn end(&mut self, id: TorrentId) {
        if let Some(swarm) = self.swarms.remove(&id) {
            self.doubts.torrents -= usize::from(swarm.doubt.is_some());
            self.ended.push_back(swarm.status(id, Counts::default()));
            self.forget_limits(id);
        }
    }

    /// The last numbers of a torrent that is gone from here; no other list has them from now on.
    pub fn next_ended(&mut self) -> Option<TorrentStatus> {
        self.ended.pop_front()
    }

    /// Takes back what there was no room to tell; [`Shard::torrents`] lists it until then.
    pub fn keep_ended(&mut self, status: TorrentStatus) {
        self.ended.push_front(status);
    }

    /// All torrents that are served, and those whose end has not been told.
    pub fn torrents(&self) -> Vec<TorrentStatus> {
        let status = |(id, swarm): (&TorrentId, &Swarm)| swarm.status(*id, self.counts(swarm));
        self.swarms.iter().map(status).chain(self.ended.iter().cloned()).collect()
    }

    fn counts(&self, swarm: &Swarm) -> Counts {
        let mut counts = Counts::default();
        for connection in swarm.peers.values().filter_map(|key| self.connections.get(*key)) {
            let Some((_, peer)) = connection.peer() else { continue };
            counts.interested += usize::from(peer.is_interested());
            counts.seeds += usize::from(peer.has_all());
            let received = self.shown_rate(connection, connection.received_in_round, connection.received_rate);
            counts.senders += usize::from(received > 0);
        }
        counts
    }
}
