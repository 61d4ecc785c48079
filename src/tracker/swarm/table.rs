//! All torrents of one shard: lookup, announce, scrape, expiry.

use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::announce::{Announce, Answer, Event, Refusal, Sample};
use super::index::Index;
use super::torrent::{OwnSeeder, Torrent};
use crate::clock::Time;
use crate::ids::InfoHash;

/// How large the memory may get.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Torrents; beyond, an open tracker refuses further ones ([`Refusal::TorrentsFull`]).
    pub torrents: usize,
    /// Peers of one torrent; beyond, a peer is answered but not listed ([`Answer::unlisted`]).
    pub peers_per_torrent: usize,
    /// Peers of all torrents; beyond, as above.
    pub peers: usize,
    /// Whether torrents that nobody told us to serve are taken up when somebody announces them.
    pub open: bool,
}

/// One torrent in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TorrentCounts {
    /// Which.
    pub info_hash: InfoHash,
    /// Its counts.
    pub counts: Answer,
}

/// A shard in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Torrents known.
    pub torrents: usize,
    /// Peers listed, by family.
    pub peers_v4: usize,
    /// Peers listed, by family.
    pub peers_v6: usize,
    /// Bytes that torrents and peers take.
    pub bytes: usize,
}

/// See the module.
pub struct Swarms {
    bounds: Bounds,
    hasher: SipHasher13,
    index: Index,
    torrents: Vec<Torrent>,
    peers: usize,
    /// Where the next round of expiry goes on.
    sweep_at: usize,
}

impl Swarms {
    /// No torrents. `key` is secret and random: whoever knows it can choose addresses that collide.
    pub fn new(bounds: Bounds, key: [u8; 16]) -> Swarms {
        Swarms {
            bounds,
            hasher: SipHasher13::new_with_key(&key),
            index: Index::with_room_for(0),
            torrents: Vec::new(),
            peers: 0,
            sweep_at: 0,
        }
    }

    /// Serves a torrent from now on, with or without a seeder of our own. False if there is no room for it.
    pub fn add(&mut self, info_hash: InfoHash, own: Option<OwnSeeder>) -> bool {
        let at = match self.find(info_hash) {
            Some(at) => at,
            None if self.torrents.len() >= self.bounds.torrents => return false,
            None => self.take_up(info_hash),
        };
        self.torrents[at].told = true;
        self.torrents[at].own = own.map(Box::new);
        true
    }

    /// Forgets a torrent and its peers. False if it was not known.
    pub fn remove(&mut self, info_hash: InfoHash) -> bool {
        let Some(at) = self.find(info_hash) else { return false };
        self.forget(at);
        true
    }

    /// Takes note of an announce and picks peers for it. `sample` is emptied first.
    pub fn announce(
        &mut self,
        now: Time,
        announce: &Announce,
        rng: &mut fastrand::Rng,
        sample: &mut Sample,
    ) -> Result<Answer, Refusal> {
        sample.clear();
        let at = match self.find(announce.info_hash) {
            Some(at) => at,
            None if !self.bounds.open => return Err(Refusal::NotServed),
            // nothing to take back; and an open tracker shall not grow by farewells
            None if announce.event == Event::Stopped => return Ok(Answer::default()),
            None if self.torrents.len() >= self.bounds.torrents => return Err(Refusal::TorrentsFull),
            None => self.take_up(announce.info_hash),
        };
        let torrent = &mut self.torrents[at];
        let room = self.bounds.peers_per_torrent.saturating_sub(torrent.len()).min(self.bounds.peers - self.peers);
        let before = torrent.len();
        let listed_at = torrent.note(&self.hasher, seconds(now), announce, room > 0);
        self.peers = self.peers + torrent.len() - before;
        if announce.event == Event::Stopped {
            return Ok(torrent.counts());
        }
        torrent.pick(announce, listed_at, rng, sample);
        Ok(Answer { unlisted: listed_at.is_none(), ..torrent.counts() })
    }

    /// Counts of one torrent, if it is known (BEP 48).
    pub fn scrape(&self, info_hash: InfoHash) -> Option<Answer> {
        self.find(info_hash).map(|at| self.torrents[at].counts())
    }

    /// Takes out peers that have been silent for `patience`, and torrents nobody told us of that are empty. Looks at
    /// about `budget` peers and torrents and goes on there the next time; true when it came to the end of the table.
    pub fn expire(&mut self, now: Time, patience: Duration, budget: usize) -> bool {
        let cutoff_s = seconds(now).saturating_sub(u32::try_from(patience.as_secs()).unwrap_or(u32::MAX));
        let mut looked_at = 0;
        while looked_at < budget && self.sweep_at < self.torrents.len() {
            let torrent = &mut self.torrents[self.sweep_at];
            looked_at += 1 + torrent.len();
            self.peers -= torrent.expire(&self.hasher, cutoff_s);
            if !torrent.told && torrent.len() == 0 {
                // the last torrent comes to this place and is looked at next
                self.forget(self.sweep_at);
            } else {
                self.sweep_at += 1;
            }
        }
        let done = self.sweep_at >= self.torrents.len();
        if done {
            self.sweep_at = 0;
        }
        done
    }

    /// The torrents in numbers.
    pub fn iter(&self) -> impl Iterator<Item = TorrentCounts> {
        self.torrents.iter().map(|torrent| TorrentCounts { info_hash: torrent.info_hash, counts: torrent.counts() })
    }

    /// The whole in numbers. Walks over all torrents.
    pub fn totals(&self) -> Totals {
        let bytes = self.index.bytes() + self.torrents.capacity() * size_of::<Torrent>();
        let start = Totals { torrents: self.torrents.len(), bytes, ..Totals::default() };
        self.torrents.iter().fold(start, |sum, torrent| Totals {
            peers_v4: sum.peers_v4 + torrent.peers_v4(),
            peers_v6: sum.peers_v6 + torrent.peers_v6(),
            bytes: sum.bytes + torrent.bytes(),
            ..sum
        })
    }

    fn find(&self, info_hash: InfoHash) -> Option<usize> {
        let at = self.index.find(self.hash(info_hash), |at| self.torrents[at as usize].info_hash == info_hash);
        at.map(|at| at as usize)
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of the hash is enough for a table of 2^20 torrents")]
    fn hash(&self, info_hash: InfoHash) -> u32 {
        self.hasher.hash(&info_hash.0) as u32
    }

    fn take_up(&mut self, info_hash: InfoHash) -> usize {
        let at = self.torrents.len();
        self.index.insert(self.hash(info_hash), place(at));
        self.torrents.push(Torrent::new(info_hash));
        at
    }

    fn forget(&mut self, at: usize) {
        let last = self.torrents.len() - 1;
        self.index.remove(self.hash(self.torrents[at].info_hash), place(at));
        if at < last {
            self.index.moved(self.hash(self.torrents[last].info_hash), place(last), place(at));
        }
        let torrent = self.torrents.swap_remove(at);
        self.peers -= torrent.len();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "136 years of uptime")]
fn seconds(now: Time) -> u32 {
    (now.0 / 1_000_000) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "bounded far below 2^32 torrents")]
fn place(at: usize) -> u32 {
    at as u32
}
