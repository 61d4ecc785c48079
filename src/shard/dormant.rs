//! Torrents that are ours and of which nothing is in memory but their hash, until somebody asks for one.
//!
//! A connection that opens with such a hash is kept waiting: what it said stays unread, it is not received from, and the outside
//! is told that the torrent is wanted. When it is added, the connection goes on as if its bytes had just come; when it is refused,
//! or after the time that any handshake has, the connection ends.
//!
//! ```text
//!   know --> dormant --(a handshake: next_wanted)--> add --> served --(nobody is connected)--> sleep --> dormant
//!               ^                                     |
//!               +-------------- refuse ---------------+
//! ```

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{InfoHash, PeerKey, TorrentId};
use crate::limits;
use crate::peer::Reason;

use super::swarm::Swarm;
use super::world::Shard;

/// Who waits for torrents that are not in memory.
#[derive(Debug, Default)]
pub(super) struct Waking {
    pub(super) waiting: BTreeMap<TorrentId, Vec<PeerKey>>,
    /// Torrents that the outside is to be told of.
    wanted: VecDeque<TorrentId>,
}

impl Shard {
    /// These torrents are ours, and are added when somebody wants one. `published`: HTTP requests for them wait too.
    pub fn know(&mut self, torrents: &[(InfoHash, TorrentId)], published: bool) {
        self.http |= published;
        self.by_hash.reserve(torrents.len());
        for (info_hash, id) in torrents {
            if self.torrent_of(*info_hash).is_none() {
                self.by_hash.insert(*info_hash, *id);
            }
        }
    }

    /// A dormant torrent is ours no more: who waits for it is closed.
    pub fn forget(&mut self, info_hash: InfoHash) {
        if let Some(id) = self.dormant(info_hash) {
            self.by_hash.remove(&info_hash);
            self.turn_away(id, Reason::UnknownTorrent);
        }
    }

    /// Drops what is kept of a torrent, which is dormant from now on; its last numbers wait for [`Shard::next_ended`]. `false`:
    /// somebody is connected to it, or it is not whole, and it stays.
    pub fn sleep(&mut self, id: TorrentId) -> bool {
        let idle = |swarm: &Swarm| swarm.links == 0 && (swarm.download.is_none() || swarm.is_whole());
        let sleeps = self.swarms.get(&id).is_some_and(idle);
        if sleeps {
            self.end(id);
        }
        sleeps
    }

    /// A dormant torrent cannot be served now: who waits for it is closed.
    pub fn turn_down(&mut self, id: TorrentId) {
        self.turn_away(id, Reason::Absent);
    }

    /// A dormant torrent that somebody waits for. The answer is [`Shard::add`] or [`Shard::turn_down`].
    pub fn next_wanted(&mut self) -> Option<TorrentId> {
        self.waking.wanted.pop_front()
    }

    /// Takes back what there was no room to tell.
    pub fn keep_wanted(&mut self, id: TorrentId) {
        self.waking.wanted.push_front(id);
    }

    /// Torrents that are known and not in memory.
    pub fn dormant_torrents(&self) -> usize {
        self.by_hash.len().saturating_sub(self.swarms.len())
    }

    /// Connections that wait for one of them.
    pub fn awaiting(&self) -> usize {
        self.waking.waiting.values().map(Vec::len).sum()
    }

    /// The torrent of this hash, if it is dormant.
    pub(super) fn dormant(&self, info_hash: InfoHash) -> Option<TorrentId> {
        self.by_hash.get(&info_hash).copied().filter(|id| !self.swarms.contains_key(id))
    }

    /// `key` is not read until `id` is here.
    pub(super) fn wait_for(&mut self, key: PeerKey, id: TorrentId) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        (connection.held, connection.awaits) = (true, Some(id));
        let waiting = self.waking.waiting.entry(id).or_default();
        if waiting.is_empty() {
            self.waking.wanted.push_back(id);
        }
        waiting.push(key);
    }

    /// Bytes that are kept of a connection that is not read.
    pub(super) fn held_max(awaits: Option<TorrentId>) -> usize {
        if awaits.is_some() { limits::AWAITING_INPUT } else { limits::HELD_INPUT }
    }

    /// Those that wait for `id` go on with the next [`Shard::settle_held`].
    pub(super) fn wake(&mut self, id: TorrentId) {
        for key in self.waking.waiting.remove(&id).unwrap_or_default() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.awaits = None;
            }
        }
    }

    fn turn_away(&mut self, id: TorrentId, reason: Reason) {
        let waiting = self.waking.waiting.remove(&id).unwrap_or_default();
        waiting.into_iter().for_each(|key| self.close(key, reason));
        self.waking.wanted.retain(|wanted| *wanted != id);
    }

    /// A connection that waited for `id` is gone.
    pub(super) fn stop_waiting(&mut self, key: PeerKey, id: TorrentId) {
        if let Some(waiting) = self.waking.waiting.get_mut(&id) {
            waiting.retain(|waits| *waits != key);
            if waiting.is_empty() {
                self.waking.waiting.remove(&id);
            }
        }
    }
}
