//! The swarms of all threads: shards, each behind a lock of its own.
//!
//! UDP and HTTP announce to the same swarms, so something is shared. A torrent's shard is chosen by a keyed hash of its
//! info-hash; an announce holds that one lock for about 200 ns and nothing else happens under it (no system call, no
//! writing to sockets, expiry in steps). An uncontended lock costs 15 ns of an announce's 2,500, and two threads meet
//! at the same shard once in a hundred announces; a queue to one owning thread would cost every announce more. The
//! reactors, where locks are out of the question, never come here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam::utils::CachePadded;
use siphasher::sip::SipHasher13;

use super::swarm::{Announce, Answer, Bounds, OwnSeeder, Refusal, Sample, Swarms, TorrentCounts, Totals};
use crate::clock::Time;
use crate::ids::InfoHash;
use crate::limits;

/// Peers and torrents that expiry looks at before it gives the lock back; about 50 us.
const EXPIRY_STEP: usize = 8_192;

struct Shard {
    swarms: Swarms,
    rng: fastrand::Rng,
}

/// See the module.
pub(super) struct Registry {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    hasher: SipHasher13,
}

impl Registry {
    /// No torrents; hash keys and choices come from `rng`.
    pub(super) fn new(open: bool, rng: &mut fastrand::Rng) -> Registry {
        let bounds = Bounds {
            torrents: limits::TRACKER_TORRENTS / limits::TRACKER_SHARDS,
            peers_per_torrent: limits::TRACKER_PEERS_PER_TORRENT,
            peers: limits::TRACKER_PEERS_IN_ALL / limits::TRACKER_SHARDS,
            open,
        };
        let shard = |rng: &mut fastrand::Rng| Shard { swarms: Swarms::new(bounds, key(rng)), rng: rng.fork() };
        let shards = (0..limits::TRACKER_SHARDS).map(|_| CachePadded::new(Mutex::new(shard(rng)))).collect();
        Registry { shards, hasher: SipHasher13::new_with_key(&key(rng)) }
    }

    fn shard(&self, info_hash: InfoHash) -> MutexGuard<'_, Shard> {
        let count = self.shards.len() as u64;
        let at = usize::try_from(self.hasher.hash(&info_hash.0) % count).unwrap_or(0);
        lock(&self.shards[at])
    }

    pub(super) fn announce(&self, now: Time, announce: &Announce, sample: &mut Sample) -> Result<Answer, Refusal> {
        let Shard { swarms, rng } = &mut *self.shard(announce.info_hash);
        swarms.announce(now, announce, rng, sample)
    }

    pub(super) fn scrape(&self, info_hash: InfoHash) -> Option<Answer> {
        self.shard(info_hash).swarms.scrape(info_hash)
    }

    pub(super) fn add(&self, info_hash: InfoHash, own: Option<OwnSeeder>) -> bool {
        self.shard(info_hash).swarms.add(info_hash, own)
    }

    pub(super) fn remove(&self, info_hash: InfoHash) -> bool {
        self.shard(info_hash).swarms.remove(info_hash)
    }

    /// Takes out who was silent for `patience` from one of [`limits::TRACKER_SHARDS`] shards, a step of it at a time;
    /// true when it came to the end.
    pub(super) fn expire_step(&self, shard: usize, now: Time, patience: Duration) -> bool {
        lock(&self.shards[shard]).swarms.expire(now, patience, EXPIRY_STEP)
    }

    pub(super) fn totals(&self) -> Totals {
        self.shards.iter().map(|shard| lock(shard).swarms.totals()).fold(Totals::default(), |sum, part| Totals {
            torrents: sum.torrents + part.torrents,
            peers_v4: sum.peers_v4 + part.peers_v4,
            peers_v6: sum.peers_v6 + part.peers_v6,
            bytes: sum.bytes + part.bytes,
        })
    }

    /// Up to `count` torrents, the ones with most peers of each shard's first ones.
    pub(super) fn some_torrents(&self, count: usize) -> Vec<TorrentCounts> {
        let mut torrents = Vec::new();
        for shard in &self.shards {
            torrents.extend(lock(shard).swarms.iter().take(count));
        }
        torrents.sort_by_key(|torrent| {
            (std::cmp::Reverse(torrent.counts.seeders + torrent.counts.leechers), torrent.info_hash)
        });
        torrents.truncate(count);
        torrents
    }
}

/// A panic while a lock was held left counts that may be off by one, which is no reason to stop serving.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 16 random bytes.
pub(super) fn key(rng: &mut fastrand::Rng) -> [u8; 16] {
    rng.u128(..).to_le_bytes()
}
