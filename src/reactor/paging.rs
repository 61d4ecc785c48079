//! Ranges on their way from disk, and the peers that wait for them.

use std::collections::{HashMap, VecDeque};

use crate::ids::{FileIndex, PeerKey, TorrentId};
use crate::storage::ColdRange;

/// Ranges read at once by one reactor: enough for the queue of any disk, few enough that the memory they fill is small
/// (64 of 256 KiB are 16 MiB).
const IN_FLIGHT: usize = 64;
/// Ranges that wait beyond those. When they are full, a peer waits for a place and asks again.
const QUEUED: usize = 4_096;

/// What was read from disk on behalf of peers, since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PagingCounters {
    /// Ranges of at most 256 KiB.
    pub ranges: u64,
    /// Bytes of them that were not in memory when they were asked for.
    pub bytes: u64,
}

impl PagingCounters {
    /// Adds another reactor's.
    pub fn add(&mut self, other: PagingCounters) {
        self.ranges += other.ranges;
        self.bytes += other.bytes;
    }
}

type Name = (TorrentId, FileIndex, usize);

#[derive(Debug)]
struct Reading {
    range: ColdRange,
    waiting: Vec<PeerKey>,
}

/// What is being read for whom. One range is read once, however many peers wait for it.
#[derive(Debug, Default)]
pub(super) struct Paging {
    tokens: HashMap<Name, u64>,
    reading: HashMap<u64, Reading>,
    queue: VecDeque<u64>,
    in_flight: usize,
    outstanding: HashMap<PeerKey, u32>,
    /// Peers that found no room.
    refused: VecDeque<PeerKey>,
    next: u64,
    counters: PagingCounters,
}

impl Paging {
    /// Asks for `range`, for `peer` or ahead of need; `false` if there is no room.
    pub(super) fn ask(&mut self, range: ColdRange, peer: Option<PeerKey>) -> bool {
        let name = range.key();
        let token = match self.tokens.get(&name) {
            Some(token) => *token,
            None if self.reading.len() >= IN_FLIGHT + QUEUED => return false,
            None => {
                self.next += 1;
                self.tokens.insert(name, self.next);
                self.reading.insert(self.next, Reading { range, waiting: Vec::new() });
                self.queue.push_back(self.next);
                self.next
            }
        };
        if let (Some(peer), Some(reading)) = (peer, self.reading.get_mut(&token)) {
            reading.waiting.push(peer);
            *self.outstanding.entry(peer).or_default() += 1;
        }
        true
    }

    /// `peer`, for which nothing could be asked, is among those that the next places are for.
    pub(super) fn wait_for_room(&mut self, peer: PeerKey) {
        self.refused.push_back(peer);
    }

    /// The next range to hand to the driver.
    pub(super) fn next(&mut self) -> Option<(u64, ColdRange)> {
        while self.in_flight < IN_FLIGHT {
            let token = self.queue.pop_front()?;
            if let Some(reading) = self.reading.get(&token) {
                self.in_flight += 1;
                return Some((token, reading.range.clone()));
            }
        }
        None
    }

    /// A range arrived or failed: what it was, and the peers that now wait for nothing more.
    pub(super) fn finish(&mut self, token: u64) -> Option<(ColdRange, Vec<PeerKey>)> {
        let (range, mut ready) = self.remove(token)?;
        self.in_flight -= 1;
        self.counters.ranges += 1;
        self.counters.bytes += range.cold_bytes();
        // one place, one peer; it may be gone, so the last range wakes all that are left
        let woken = if self.reading.is_empty() { self.refused.len() } else { self.refused.len().min(1) };
        ready.extend(self.refused.drain(..woken));
        Some((range, ready))
    }

    /// Drops what is queued for `torrent`, whose peers are being closed. What the driver reads already comes back.
    pub(super) fn forget(&mut self, torrent: TorrentId) {
        let of_torrent = |token: &u64| self.reading.get(token).is_some_and(|reading| reading.range.key().0 == torrent);
        let dropped: Vec<u64> = self.queue.iter().copied().filter(of_torrent).collect();
        dropped.into_iter().for_each(|token| drop(self.remove(token)));
    }

    /// Takes a range out, and with it the peers that wait for nothing else.
    fn remove(&mut self, token: u64) -> Option<(ColdRange, Vec<PeerKey>)> {
        let Reading { range, mut waiting } = self.reading.remove(&token)?;
        self.tokens.remove(&range.key());
        waiting.retain(|peer| {
            let Some(left) = self.outstanding.get_mut(peer) else { return false };
            *left -= 1;
            let ready = *left == 0;
            if ready {
                self.outstanding.remove(peer);
            }
            ready
        });
        Some((range, waiting))
    }

    /// The range that the driver was given by `token`.
    pub(super) fn under_way(&self, token: u64) -> Option<ColdRange> {
        self.reading.get(&token).map(|reading| reading.range.clone())
    }

    /// Entries of each of its books.
    #[cfg(test)]
    pub(super) fn books(&self) -> [usize; 6] {
        let maps = [self.tokens.len(), self.reading.len(), self.outstanding.len()];
        [maps[0], maps[1], maps[2], self.queue.len(), self.refused.len(), self.in_flight]
    }

    /// What was read since start.
    pub(super) fn counters(&self) -> PagingCounters {
        self.counters
    }
}
