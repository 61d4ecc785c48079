//! The peers of one swarm and one address family.
//!
//! Two parallel vectors: what every announce touches is 12 bytes an IPv4 peer (24 an IPv6 peer), so a small swarm is
//! searched in a few cache lines and needs no table; the 20 bytes of the peer id, wanted only by clients that ask for
//! the old list of dictionaries, lie apart. Seeders stand before leechers, so "leechers for a seeder" is a slice.
//! Addresses are kept as they go out: network order, address and then port.

use std::ops::Range;

use siphasher::sip::SipHasher13;

use super::index::Index;
use crate::ids::PeerId;

/// Swarms up to this size are searched from end to end: 32 IPv4 peers are six cache lines in a row, no more than
/// the misses that a table costs, and most swarms of a tracker are smaller.
const SEARCHED: usize = 32;

/// Seeders that one who says to be a seeder gets. A real one wastes that many connections, aria2 gets its metadata.
const SEEDERS_FOR_SEEDER: usize = 3;

/// What an announce touches.
#[derive(Clone, Copy)]
pub(super) struct Record<const N: usize> {
    /// Address and port in network order.
    pub(super) address: [u8; N],
    /// Tells one client from the next one at the same address.
    pub(super) key: u16,
    /// When it announced last, in seconds of the tracker's time.
    pub(super) heard_s: u32,
}

/// See the module.
pub(super) struct Peers<const N: usize> {
    records: Vec<Record<N>>,
    ids: Vec<PeerId>,
    index: Option<Box<Index>>,
    seeders: usize,
}

impl<const N: usize> Peers<N> {
    pub(super) const fn new() -> Peers<N> {
        Peers { records: Vec::new(), ids: Vec::new(), index: None, seeders: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn seeders(&self) -> usize {
        self.seeders
    }

    pub(super) fn leechers(&self) -> usize {
        self.records.len() - self.seeders
    }

    /// Bytes kept beside the struct itself.
    pub(super) fn bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.bytes());
        self.records.capacity() * size_of::<Record<N>>() + self.ids.capacity() * size_of::<PeerId>() + index
    }

    pub(super) fn record(&self, at: usize) -> &Record<N> {
        &self.records[at]
    }

    pub(super) fn id(&self, at: usize) -> &PeerId {
        &self.ids[at]
    }

    pub(super) fn is_seeder(&self, at: usize) -> bool {
        at < self.seeders
    }

    /// Where the peer with this address stands.
    pub(super) fn position(&self, hasher: &SipHasher13, address: &[u8; N]) -> Option<usize> {
        match &self.index {
            None => self.records.iter().position(|record| record.address == *address),
            Some(index) => index
                .find(hash(hasher, address), |at| self.records[at as usize].address == *address)
                .map(|at| at as usize),
        }
    }

    /// Adds a peer that is not listed yet; returns where it stands.
    pub(super) fn insert(&mut self, hasher: &SipHasher13, record: Record<N>, id: PeerId, seeder: bool) -> usize {
        let at = self.records.len();
        self.records.push(record);
        self.ids.push(id);
        match &mut self.index {
            Some(index) => index.insert(hash(hasher, &record.address), place(at)),
            None if at >= SEARCHED => self.build_index(hasher),
            None => {}
        }
        if seeder { self.set_seeder(hasher, at, true) } else { at }
    }

    /// Notes that a listed peer announced again.
    pub(super) fn refresh(&mut self, at: usize, key: u16, heard_s: u32, id: PeerId) {
        let record = &mut self.records[at];
        record.heard_s = heard_s;
        if record.key != key {
            record.key = key;
            self.ids[at] = id;
        }
    }

    /// Moves a peer to the seeders or to the leechers; returns where it stands then.
    pub(super) fn set_seeder(&mut self, hasher: &SipHasher13, at: usize, seeder: bool) -> usize {
        if self.is_seeder(at) == seeder {
            return at;
        }
        let border = if seeder { self.seeders } else { self.seeders - 1 };
        self.swap(hasher, at, border);
        self.seeders = if seeder { self.seeders + 1 } else { border };
        border
    }

    /// Takes a peer out. Peers behind it may move, peers before it stay.
    pub(super) fn remove(&mut self, hasher: &SipHasher13, at: usize) {
        let at = self.set_seeder(hasher, at, false);
        let last = self.records.len() - 1;
        self.swap(hasher, at, last);
        let Some(record) = self.records.pop() else { return };
        self.ids.pop();
        if let Some(index) = &mut self.index {
            index.remove(hash(hasher, &record.address), place(last));
        }
    }

    /// Takes out who was last heard before `cutoff_s`; returns how many those were.
    pub(super) fn expire(&mut self, hasher: &SipHasher13, cutoff_s: u32) -> usize {
        let before = self.records.len();
        // backwards: a removal only moves peers that were looked at already
        for at in (0..before).rev() {
            if self.records[at].heard_s < cutoff_s {
                self.remove(hasher, at);
            }
        }
        self.shrink(hasher);
        before - self.records.len()
    }

    /// Gives memory back when most of it is unused.
    fn shrink(&mut self, hasher: &SipHasher13) {
        if self.records.len() * 4 > self.records.capacity() {
            return;
        }
        self.records.shrink_to_fit();
        self.ids.shrink_to_fit();
        if self.index.take().is_some() && self.records.len() > SEARCHED {
            self.build_index(hasher);
        }
    }

    fn build_index(&mut self, hasher: &SipHasher13) {
        let mut index = Index::with_room_for(self.records.len());
        for (at, record) in self.records.iter().enumerate() {
            index.insert(hash(hasher, &record.address), place(at));
        }
        self.index = Some(Box::new(index));
    }

    fn swap(&mut self, hasher: &SipHasher13, a: usize, b: usize) {
        if a == b {
            return;
        }
        if let Some(index) = &mut self.index {
            let hash_of = |at: usize| hash(hasher, &self.records[at].address);
            index.swapped((hash_of(a), place(a)), (hash_of(b), place(b)));
        }
        self.records.swap(a, b);
        self.ids.swap(a, b);
    }

    /// Picks up to `count` peers other than `asker`, each equally likely. A seeder gets leechers, and in the places that
    /// are left a few seeders: aria2 says that nothing is left while it knows a magnet link only.
    pub(super) fn sample(
        &self,
        asker: Option<usize>,
        for_seeder: bool,
        count: usize,
        rng: &mut fastrand::Rng,
        mut take: impl FnMut(usize),
    ) {
        if !for_seeder {
            self.sample_of(0..self.records.len(), asker, count, rng, &mut take);
            return;
        }
        let leechers = self.sample_of(self.seeders..self.records.len(), asker, count, rng, &mut take);
        let places = (count - leechers).min(SEEDERS_FOR_SEEDER);
        self.sample_of(0..self.seeders, asker, places, rng, &mut take);
    }

    /// Picks up to `count` peers of `range`, and returns how many.
    ///
    /// The candidates are a ring that starts at a random place and is cut into `count` equal parts; one peer is taken
    /// from each. That needs one random number a peer and no memory of what was taken, and walks forward in memory.
    fn sample_of(
        &self,
        range: Range<usize>,
        asker: Option<usize>,
        count: usize,
        rng: &mut fastrand::Rng,
        take: &mut impl FnMut(usize),
    ) -> usize {
        let first = range.start;
        let asker = asker.filter(|at| range.contains(at));
        let candidates = range.len() - usize::from(asker.is_some());
        let past_asker = |at: usize| first + at + usize::from(asker.is_some_and(|asker| first + at >= asker));
        if candidates <= count {
            (0..candidates).for_each(|at| take(past_asker(at)));
            return candidates;
        }
        let start = rng.usize(..candidates);
        let mut low = 0;
        for part in 1..=count {
            let high = part * candidates / count;
            let at = start + rng.usize(low..high);
            take(past_asker(if at < candidates { at } else { at - candidates }));
            low = high;
        }
        count
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of the hash is enough for a table of at most 2^18 slots")]
fn hash<const N: usize>(hasher: &SipHasher13, address: &[u8; N]) -> u32 {
    hasher.hash(address) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a swarm is bounded far below 2^32 peers")]
fn place(at: usize) -> u32 {
    at as u32
}
