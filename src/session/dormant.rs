//! Torrents that are announced, and of which nothing is in memory but their names until somebody asks for one.
//!
//! ```text
//!              a peer asks, or a tracker names one to dial
//!   dormant --------------------------------------------> wished for --wake--> awake
//!      ^                                                       `--refuse--> dormant
//!      `------------------- no peer for a while ----------------------------- awake
//! ```
//!
//! What a torrent needs to be served (its file list, its piece hashes for magnet links, its maps) is several kilobytes to megabytes; a
//! seedbox has ten thousand of them, and a hundred that somebody wants at any moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::ids::{InfoHash, TorrentId};
use crate::metainfo::PathIndex;
use crate::reactor::Serving;
use crate::shard::TorrentStatus;

use super::config::SessionError;
use super::entry::{Body, Entry, serving};
use super::seeding::Session;

/// Seconds without a peer after which a torrent sleeps.
const AWAKE_SECONDS: u32 = 60;
/// Addresses of one torrent that wait until it is awake.
const DIALS: usize = 200;

/// What concerns dormant torrents, beside their entries.
#[derive(Default)]
pub(super) struct Dormant {
    /// Those that are to be woken, and whom they are to dial then.
    wished: BTreeMap<TorrentId, Vec<SocketAddr>>,
    /// Wishes that were told and not answered.
    told: BTreeMap<TorrentId, Vec<SocketAddr>>,
    /// The last numbers of torrents that had left before.
    left: Vec<TorrentStatus>,
    /// Torrents sleep when nobody has asked for them in a while.
    pub(super) enabled: bool,
}

/// A torrent that takes part by its name.
pub(super) struct Member<'a> {
    pub(super) info_hash: InfoHash,
    pub(super) private: bool,
    /// Announce URLs by tier.
    pub(super) trackers: &'a [Vec<String>],
}

impl Session {
    /// A complete torrent takes part: it is announced, and awake once somebody asks for it.
    pub(super) async fn join(&mut self, member: Member<'_>) -> Result<TorrentId, SessionError> {
        let id = self.fresh_id();
        self.track(member.info_hash)?;
        self.fleet.know(&[(member.info_hash, id)], self.web_seed && !member.private);
        let mut entry = Entry::dormant(member.info_hash);
        let announced = self.announce_at(member.info_hash, member.private, member.trackers).of(&entry.shared);
        entry.announced = Some(self.announce_first(announced).await);
        self.by_hash.insert(member.info_hash, id);
        self.torrents.insert(id, entry);
        Ok(id)
    }

    /// Somebody asked for these since the last call. Each is to be woken, or refused.
    pub(super) fn take_wishes(&mut self) -> Vec<TorrentId> {
        let wished = std::mem::take(&mut self.dormant.wished);
        let ids = wished.keys().copied().collect();
        for (id, peers) in wished {
            self.dormant.told.entry(id).or_default().extend(peers);
        }
        ids
    }

    /// Peers that wait for dormant torrents have them wished for.
    pub(super) fn take_wanted(&mut self) {
        for id in self.fleet.take_wanted() {
            match self.torrents.get(&id).map(|entry| entry.body.is_some()) {
                // one reactor has dropped what another still serves
                Some(true) => self.serve_again(id),
                Some(false) => self.wish(id, Vec::new()),
                None => self.fleet.refuse(id),
            }
        }
    }

    /// A dormant torrent is wanted, to dial these.
    pub(super) fn wish(&mut self, id: TorrentId, peers: Vec<SocketAddr>) {
        let waiting = match self.dormant.told.get_mut(&id) {
            Some(waiting) => waiting,
            None => self.dormant.wished.entry(id).or_default(),
        };
        let room = DIALS.saturating_sub(waiting.len());
        waiting.extend(peers.into_iter().take(room));
    }

    /// Answers a wish: it is served from now on.
    pub(super) fn wake(&mut self, id: TorrentId, body: Body) {
        let Some(entry) = self.torrents.get_mut(&id) else { return self.fleet.refuse(id) };
        entry.idle_seconds = 0;
        entry.body = Some(body);
        self.serve_again(id);
        let dials = self.dormant.told.remove(&id).unwrap_or_default();
        dials.into_iter().for_each(|address| self.fleet.dial(id, address));
    }

    /// Answers a wish: it cannot be served.
    pub(super) fn refuse(&mut self, id: TorrentId) {
        self.dormant.told.remove(&id);
        self.fleet.refuse(id);
    }

    fn serve_again(&mut self, id: TorrentId) {
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        entry.dozing = false;
        let Some(body) = &entry.body else { return };
        let metainfo = &body.metainfo;
        let files = (self.web_seed && !metainfo.private()).then(|| Arc::new(PathIndex::new((**metainfo).clone())));
        let unverified = body.check.clone();
        let served = Serving { files, unverified, ..serving(metainfo, &body.content) };
        self.fleet.serve(id, &served);
    }

    /// Once a second: what nobody has asked for in a while sleeps.
    pub(super) fn doze(&mut self) {
        if !self.dormant.enabled {
            return;
        }
        let is_idle = |entry: &Entry| entry.body.is_some() && entry.download.is_none() && entry.failure.is_none();
        for id in &self.lively {
            let entry = self.torrents.get_mut(id).filter(|entry| is_idle(entry));
            if let Some(entry) = entry.filter(|entry| entry.idle_seconds >= AWAKE_SECONDS) {
                (entry.idle_seconds, entry.dozing) = (0, true);
                self.fleet.sleep(*id);
            }
        }
    }

    /// Takes in the last numbers of torrents that reactors keep nothing of any more.
    pub(super) fn take_ended(&mut self) -> Vec<TorrentStatus> {
        let ended = self.fleet.take_ended();
        for status in &ended {
            let Some(entry) = self.torrents.get_mut(&status.id) else {
                self.dormant.left.push(status.clone());
                continue;
            };
            entry.sent_before += status.sent;
            let mut served = self.fleet.snapshots().flat_map(|snapshot| &snapshot.torrents);
            let elsewhere = served.any(|torrent| torrent.id == status.id);
            // somebody may have asked for it since this was told, and then it is served again
            if self.dormant.enabled && entry.dozing && !elsewhere && entry.download.is_none() {
                entry.body = None;
            }
        }
        ended
    }

    /// The last numbers of torrents that had left before, since the last call.
    pub(super) fn take_left(&mut self) -> Vec<TorrentStatus> {
        std::mem::take(&mut self.dormant.left)
    }
}
