//! Who may ask next, where what we download is limited.
//!
//! A peer cannot be told to send more slowly, and one whose bytes are left in the socket sends them all the same. So a limit is
//! kept by asking: every block that is asked for is taken from its torrent's bucket and from everybody's, and what is known not
//! to come any more is given back. The rate of what comes is then that of what was asked for, a round trip later.
//!
//! Peers that have room wait in line: torrents take turns, and within a torrent its peers do. A torrent whose own limit is
//! reached steps aside until then and holds up nobody. A turn is a sixteenth of a second of the limit, whole blocks, so that a high limit costs few
//! of them and a low one is shared by the block.
//!
//! Invariant: a torrent of which somebody waits is in `ready` or in `later`, once; its [`Place`] says where.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::limits::{BLOCK, CHUNK};

use super::pace::Bucket;

/// A peer's turn: it may be asked for so many blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Whose turn.
    pub key: PeerKey,
    /// Its torrent.
    pub torrent: TorrentId,
    /// Blocks at most; `None`: nothing limits them any more.
    pub blocks: Option<usize>,
}

/// The limits of downloads, and the peers that wait to be asked. See the module.
#[derive(Debug, Default)]
pub struct Askers {
    global: Option<Bucket>,
    /// Torrents with a limit or with peers that wait.
    lines: BTreeMap<TorrentId, Line>,
    ready: VecDeque<TorrentId>,
    /// When torrents go on whose own limit is reached.
    later: BinaryHeap<Reverse<(Time, TorrentId)>>,
}

#[derive(Debug, Default)]
struct Line {
    bucket: Option<Bucket>,
    waiting: VecDeque<PeerKey>,
    /// The same, to be found.
    members: BTreeSet<PeerKey>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    Ready,
    Later,
}

impl Askers {
    /// Limits all downloads together to bytes a second; `None` lifts it.
    pub fn set_global(&mut self, now: Time, rate: Option<u64>) {
        set(&mut self.global, now, rate);
    }

    /// Limits one torrent to bytes a second; `None` lifts it.
    pub fn set_torrent(&mut self, now: Time, torrent: TorrentId, rate: Option<u64>) {
        let line = self.lines.entry(torrent).or_default();
        set(&mut line.bucket, now, rate);
        // how long it has to wait is found out anew
        if line.place == Place::Later {
            line.place = Place::Ready;
            self.later.retain(|Reverse((_, later))| *later != torrent);
            self.ready.push_back(torrent);
        }
        self.tidy(torrent);
    }

    /// Forgets a torrent that is gone.
    pub fn forget_torrent(&mut self, torrent: TorrentId) {
        self.lines.remove(&torrent);
        self.ready.retain(|ready| *ready != torrent);
        self.later.retain(|Reverse((_, later))| *later != torrent);
    }

    /// Whether peers of a torrent have to wait in line.
    pub fn limits(&self, torrent: TorrentId) -> bool {
        self.global.is_some() || self.lines.get(&torrent).is_some_and(|line| line.bucket.is_some())
    }

    /// Puts a peer at the end of its torrent's line, unless it waits already.
    pub fn wait(&mut self, torrent: TorrentId, key: PeerKey) {
        let line = self.lines.entry(torrent).or_default();
        if line.members.insert(key) {
            line.waiting.push_back(key);
        }
        if line.place == Place::Nowhere {
            line.place = Place::Ready;
            self.ready.push_back(torrent);
        }
    }

    /// A peer is gone.
    pub fn left(&mut self, torrent: TorrentId, key: PeerKey) {
        if let Some(line) = self.lines.get_mut(&torrent)
            && line.members.remove(&key)
        {
            line.waiting.retain(|waiting| *waiting != key);
        }
    }

    /// The next peer that may be asked. What it is then asked for goes to [`Askers::asked`] before the next call, and the peer itself back
    /// in line if it could be asked for more.
    pub fn next(&mut self, now: Time) -> Option<Grant> {
        self.wake(now);
        while let Some(&torrent) = self.ready.front() {
            if self.global.as_mut().is_some_and(|bucket| bucket.next_ready(now, turn(bucket)) > now) {
                return None;
            }
            self.ready.pop_front();
            let Some(line) = self.lines.get_mut(&torrent) else { continue };
            let due = line.bucket.as_mut().map_or(now, |bucket| bucket.next_ready(now, turn(bucket)));
            if line.waiting.is_empty() {
                line.place = Place::Nowhere;
                self.tidy(torrent);
                continue;
            }
            if due > now {
                line.place = Place::Later;
                self.later.push(Reverse((due, torrent)));
                continue;
            }
            let Some(key) = line.waiting.pop_front() else { continue };
            line.members.remove(&key);
            self.ready.push_back(torrent);
            let turns = [self.global.as_ref(), line.bucket.as_ref()].into_iter().flatten().map(turn);
            let blocks = turns.min().map(|bytes| usize::try_from(bytes / u64::from(BLOCK)).unwrap_or(usize::MAX));
            return Some(Grant { key, torrent, blocks });
        }
        None
    }

    /// So many bytes were asked for.
    pub fn asked(&mut self, now: Time, torrent: TorrentId, bytes: u64) {
        self.buckets(torrent).for_each(|bucket| bucket.take(now, bytes));
    }

    /// So many bytes that were asked for will not come.
    pub fn lost(&mut self, now: Time, torrent: TorrentId, bytes: u64) {
        if bytes > 0 {
            self.buckets(torrent).for_each(|bucket| bucket.give_back(now, bytes));
        }
    }

    /// When [`Askers::next`] may have somebody; `None` while nobody waits.
    pub fn next_ready(&mut self, now: Time) -> Option<Time> {
        let global = self.global.as_mut().map_or(now, |bucket| bucket.next_ready(now, turn(bucket)));
        let own = self.later.peek().map(|Reverse((due, _))| global.max(*due));
        if self.ready.is_empty() { own } else { Some(global) }
    }

    /// Lets torrents go on whose own limit allows it again.
    fn wake(&mut self, now: Time) {
        while let Some(Reverse((due, torrent))) = self.later.peek().copied()
            && due <= now
        {
            self.later.pop();
            if let Some(line) = self.lines.get_mut(&torrent).filter(|line| line.place == Place::Later) {
                line.place = Place::Ready;
                self.ready.push_back(torrent);
            }
        }
    }

    /// Forgets a line of which nothing is to be kept.
    fn tidy(&mut self, torrent: TorrentId) {
        let empty = |line: &Line| line.bucket.is_none() && line.waiting.is_empty() && line.place == Place::Nowhere;
        if self.lines.get(&torrent).is_some_and(empty) {
            self.lines.remove(&torrent);
        }
    }

    fn buckets(&mut self, torrent: TorrentId) -> impl Iterator<Item = &mut Bucket> {
        let own = self.lines.get_mut(&torrent).and_then(|line| line.bucket.as_mut());
        self.global.as_mut().into_iter().chain(own)
    }
}

/// Bytes that are asked for in one turn: at least a block, at most a chunk.
fn turn(bucket: &Bucket) -> u64 {
    let block = u64::from(BLOCK);
    (bucket.rate() / 16 / block * block).clamp(block, CHUNK.into())
}

fn set(bucket: &mut Option<Bucket>, now: Time, rate: Option<u64>) {
    match (bucket.as_mut(), rate) {
        (Some(bucket), Some(rate)) => bucket.set_rate(now, rate),
        _ => *bucket = rate.map(|rate| Bucket::of_requests(now, rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const A: TorrentId = TorrentId(1);
    const B: TorrentId = TorrentId(2);

    fn key(slot: u32) -> PeerKey {
        PeerKey { slot, generation: 0 }
    }

    /// Lets everybody who may ask do so until `end`, always for as much as they may, at the times that the line names; what each
    /// peer got, and how often the line was asked in vain.
    fn run(askers: &mut Askers, from: Time, end: Time) -> (HashMap<PeerKey, u64>, usize) {
        let (mut got, mut now, mut vain) = (HashMap::new(), from, 0);
        loop {
            let mut nobody = true;
            while let Some(grant) = askers.next(now) {
                let bytes = grant.blocks.expect("limited") as u64 * u64::from(BLOCK);
                askers.asked(now, grant.torrent, bytes);
                askers.wait(grant.torrent, grant.key);
                *got.entry(grant.key).or_default() += bytes;
                nobody = false;
            }
            vain += usize::from(nobody);
            now = askers.next_ready(now).expect("all wait").max(Time(now.0 + 1));
            if now > end {
                return (got, vain);
            }
        }
    }

    #[test]
    fn a_limit_holds_to_a_block_and_nobody_wakes_for_nothing() {
        for rate in [16_384, 50_000, 1 << 20, 100 << 20] {
            let mut askers = Askers::default();
            askers.set_global(Time(0), Some(rate));
            (0..100).for_each(|slot| askers.wait(A, key(slot)));
            let (got, vain) = run(&mut askers, Time(0), Time(10_000_000));
            let sum: u64 = got.values().sum();
            assert!(sum.abs_diff(rate * 10) <= u64::from(BLOCK).max(rate / 10), "{rate}: {sum}");
            assert!(vain <= 2, "{vain} of {sum} bytes");
        }
    }

    #[test]
    fn peers_of_a_torrent_and_torrents_get_alike() {
        let mut askers = Askers::default();
        askers.set_global(Time(0), Some(1 << 20));
        (0..9).for_each(|slot| askers.wait(A, key(slot)));
        askers.wait(B, key(9));
        let (got, _) = run(&mut askers, Time(0), Time(60_000_000));
        let others: Vec<u64> = (0..9).map(|slot| got[&key(slot)]).collect();
        let (least, most) = (others.iter().min().expect("nine"), others.iter().max().expect("nine"));
        assert!(most - least <= 4 * u64::from(BLOCK), "{others:?}");
        assert!(got[&key(9)].abs_diff(others.iter().sum()) <= 8 * u64::from(BLOCK), "a torrent each");
    }

    #[test]
    fn a_slow_torrent_holds_up_nobody() {
        let mut askers = Askers::default();
        askers.set_torrent(Time(0), A, Some(20_000));
        askers.set_torrent(Time(0), B, Some(2_000_000));
        (0..3).for_each(|slot| askers.wait(A, key(slot)));
        askers.wait(B, key(9));
        let (got, _) = run(&mut askers, Time(0), Time(10_000_000));
        let slow: u64 = (0..3).map(|slot| got.get(&key(slot)).copied().unwrap_or(0)).sum();
        assert!(slow.abs_diff(200_000) <= u64::from(BLOCK), "{slow}");
        assert!(got[&key(9)].abs_diff(20_000_000) <= 200_000, "{}", got[&key(9)]);
    }

    #[test]
    fn a_limit_that_is_lifted_holds_nobody_and_neither_does_a_higher_one() {
        let mut askers = Askers::default();
        askers.set_torrent(Time(0), A, Some(0));
        askers.wait(A, key(1));
        assert_eq!((askers.next(Time(5)), askers.next_ready(Time(5))), (None, Some(Time(u64::MAX))));
        askers.set_torrent(Time(5), A, Some(u64::from(BLOCK)));
        assert_eq!(askers.next(Time(6)), None);
        assert_eq!(askers.next_ready(Time(6)), Some(Time(1_000_005)));
        askers.set_torrent(Time(7), A, None);
        assert_eq!(askers.next(Time(7)), Some(Grant { key: key(1), torrent: A, blocks: None }));
        assert!(!askers.limits(A));
        assert_eq!((askers.next(Time(7)), askers.next_ready(Time(7))), (None, None));
        assert!(askers.lines.is_empty() && askers.ready.is_empty(), "nothing is kept of it");
    }

    #[test]
    fn what_will_not_come_is_asked_for_again() {
        let mut askers = Askers::default();
        askers.set_global(Time(0), Some(100_000));
        askers.wait(A, key(1));
        let (got, _) = run(&mut askers, Time(0), Time(10_000_000));
        askers.lost(Time(10_000_000), A, got[&key(1)]);
        let (again, _) = run(&mut askers, Time(10_000_000), Time(11_000_000));
        assert!((180_000..=220_000).contains(&again[&key(1)]), "a second's worth at once: {}", again[&key(1)]);
    }

    #[test]
    fn who_left_has_no_turn() {
        let mut askers = Askers::default();
        askers.set_global(Time(0), Some(1 << 20));
        [1, 2, 1].into_iter().for_each(|slot| askers.wait(A, key(slot)));
        askers.left(A, key(1));
        assert_eq!(askers.next(Time(1_000_000)).map(|grant| grant.key), Some(key(2)));
        assert_eq!(askers.next(Time(1_000_000)), None);
        askers.wait(B, key(3));
        askers.forget_torrent(B);
        assert_eq!(askers.next(Time(2_000_000)), None);
    }

    proptest! {
        #[test]
        fn no_span_has_more_asked_for_than_its_limits_allow(
            global in 20_000u64..5_000_000,
            own in 10_000u64..5_000_000,
            steps in prop::collection::vec((0u64..400_000, 0u32..6, any::<bool>()), 1..200),
        ) {
            let mut askers = Askers::default();
            askers.set_global(Time(0), Some(global));
            askers.set_torrent(Time(0), A, Some(own));
            let (mut now, mut asked) = (Time(0), Vec::new());
            for (step, slot, first) in steps {
                now.0 += step;
                askers.wait(if first { A } else { B }, key(slot + if first { 0 } else { 100 }));
                while let Some(grant) = askers.next(now) {
                    let bytes = grant.blocks.expect("limited") as u64 * u64::from(BLOCK);
                    askers.asked(now, grant.torrent, bytes);
                    asked.push((now, grant.torrent, bytes));
                }
                let due = askers.next_ready(now);
                prop_assert!(due.is_none_or(|due| due > now), "whoever waits has to");
            }
            for first in 0..asked.len() {
                let (mut all, mut of_a) = (0u64, 0u64);
                for (at, torrent, bytes) in &asked[first..] {
                    all += bytes;
                    of_a += if *torrent == A { *bytes } else { 0 };
                    let span = at.0 - asked[first].0.0;
                    let most = |rate: u64| rate * span / 1_000_000 + 1 + rate / 10 + u64::from(BLOCK);
                    // a turn begins when it is earned, so nothing is overdrawn
                    prop_assert!(all <= most(global) && of_a <= most(own));
                }
            }
        }
    }
}
