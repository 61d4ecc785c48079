//! How many bytes may go out now: token buckets for the whole program, for a torrent, for a peer.
//!
//! Integer arithmetic on 64 bits; the part of a byte that a span of time earns is kept, so a rate is exact over any
//! length of time, however often it is looked at. Over any span a bucket lets through at most `rate * span + burst`
//! bytes, and what a send overdraws is paid back before the next.

use std::time::Duration;

use crate::clock::Time;
use crate::ids::TorrentId;
use crate::limits::{BLOCK, CHUNK};

const MICROSECONDS: u64 = 1_000_000;

/// A rate in bytes a second, and what is left of it.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: u64,
    /// Bytes that may go out now; below zero after an overdraft.
    balance: i64,
    /// Millionths of a byte earned beyond `balance`.
    fraction: u64,
    at: Time,
    of: Of,
}

/// What a bucket lets through, which decides how much may come at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Chunks,
    Requests,
}

impl Bucket {
    /// A full bucket. A rate of 0 lets nothing through but the first burst.
    pub fn new(rate_bytes_per_second: u64) -> Bucket {
        let mut bucket = Bucket::empty(Time::default(), rate_bytes_per_second, Of::Chunks);
        bucket.balance = bucket.burst();
        bucket
    }

    /// An empty bucket for blocks that are asked for, where a burst has to be small: a slow download would else begin with ten
    /// seconds' worth.
    pub fn of_requests(now: Time, rate_bytes_per_second: u64) -> Bucket {
        Bucket::empty(now, rate_bytes_per_second, Of::Requests)
    }

    fn empty(now: Time, rate: u64, of: Of) -> Bucket {
        Bucket { rate, balance: 0, fraction: 0, at: now, of }
    }

    /// The rate, in bytes a second.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Bytes that a long rest earns. Chunks: 50 ms of the rate, so that a late wake-up of a loop loses nothing; at least a
    /// chunk, so that one can be sent whole. Requests: a block, and 100 ms of the rate for the late wake-up.
    fn burst(&self) -> i64 {
        let part = |of: u64| i64::try_from(self.rate / of).unwrap_or(i64::MAX);
        match self.of {
            Of::Chunks => part(20).max(i64::from(CHUNK)),
            Of::Requests => part(10).saturating_add(i64::from(BLOCK)),
        }
    }

    /// Another rate from `now` on; the balance stays, within the new burst.
    pub fn set_rate(&mut self, now: Time, rate_bytes_per_second: u64) {
        self.refill(now);
        self.rate = rate_bytes_per_second;
        self.balance = self.balance.min(self.burst());
    }

    /// Bytes that may go out now.
    pub fn available(&mut self, now: Time) -> u64 {
        self.refill(now);
        u64::try_from(self.balance).unwrap_or(0)
    }

    /// `bytes` went out. More than was available is an overdraft, paid back before anything else goes out.
    pub fn take(&mut self, now: Time, bytes: u64) {
        self.refill(now);
        self.balance = self.balance.saturating_sub_unsigned(bytes);
    }

    /// `bytes` that were taken were not used after all. At most a second's worth is kept, so that they do not all come at once.
    pub fn give_back(&mut self, now: Time, bytes: u64) {
        self.refill(now);
        let most = i64::try_from(self.rate).unwrap_or(i64::MAX).max(self.burst()).max(self.balance);
        self.balance = self.balance.saturating_add_unsigned(bytes).min(most);
    }

    /// When `bytes` (or a burst, if that is less) will be available; `now` if they are.
    pub fn next_ready(&mut self, now: Time, bytes: u64) -> Time {
        self.refill(now);
        let wanted = i64::try_from(bytes).unwrap_or(i64::MAX).min(self.burst());
        if self.balance >= wanted {
            return now;
        }
        let missing = u128::from(wanted.abs_diff(self.balance)) * u128::from(MICROSECONDS) - u128::from(self.fraction);
        if self.rate == 0 {
            return Time(u64::MAX);
        }
        let wait = missing.div_ceil(u128::from(self.rate));
        now + Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    fn refill(&mut self, now: Time) {
        if now <= self.at {
            return; // completions of one turn may carry a time read a little earlier
        }
        let elapsed = now.0 - self.at.0;
        self.at = now;
        let earned = u128::from(elapsed) * u128::from(self.rate) + u128::from(self.fraction);
        let bytes = i128::try_from(earned / u128::from(MICROSECONDS)).unwrap_or(i128::MAX >> 1);
        self.fraction = u64::try_from(earned % u128::from(MICROSECONDS)).unwrap_or(0);
        match i64::try_from(i128::from(self.balance) + bytes) {
            Ok(balance) if balance < self.burst() => self.balance = balance,
            // what was given back stays
            _ => (self.balance, self.fraction) = (self.burst().max(self.balance), 0),
        }
    }
}

/// The limits that a chunk passes: its peer's, its torrent's, everybody's. One that is not set costs a comparison.
///
/// Each reactor owns one; a limit on the whole program is divided among them from outside, by demand.
#[derive(Debug, Default)]
pub struct Pacer {
    global: Option<Bucket>,
    /// In order of torrent: few have a limit of their own.
    torrents: Vec<(TorrentId, Bucket)>,
    /// By slot of the reactor's table; empty until a peer has a limit.
    peers: Vec<Option<Bucket>>,
}

impl Pacer {
    /// No limits.
    pub fn new() -> Pacer {
        Pacer::default()
    }

    /// Limits all peers together to bytes a second; `None` lifts it.
    pub fn set_global(&mut self, now: Time, rate: Option<u64>) {
        set(&mut self.global, now, rate);
    }

    /// Limits the peers of one torrent together to bytes a second; `None` lifts it.
    pub fn set_torrent(&mut self, now: Time, torrent: TorrentId, rate: Option<u64>) {
        match (self.torrents.binary_search_by_key(&torrent, |(torrent, _)| *torrent), rate) {
            (Ok(at), Some(rate)) => self.torrents[at].1.set_rate(now, rate),
            (Ok(at), None) => drop(self.torrents.remove(at)),
            (Err(at), Some(rate)) => self.torrents.insert(at, (torrent, Bucket::new(rate))),
            (Err(_), None) => {}
        }
    }

    /// Forgets the limit of a torrent that is gone.
    pub fn forget_torrent(&mut self, torrent: TorrentId) {
        self.torrents.retain(|(limited, _)| *limited != torrent);
    }

    /// Limits one peer to bytes a second; `None` lifts it, as must be done when its slot changes hands.
    pub fn set_peer(&mut self, now: Time, slot: u32, rate: Option<u64>) {
        let index = slot as usize;
        if index >= self.peers.len() {
            if rate.is_none() {
                return;
            }
            self.peers.resize(index + 1, None);
        }
        set(&mut self.peers[index], now, rate);
    }

    /// Bytes that may go to this peer now; `u64::MAX` if nothing limits it.
    pub fn available(&mut self, now: Time, torrent: TorrentId, slot: u32) -> u64 {
        self.buckets(torrent, slot).map(|bucket| bucket.available(now)).min().unwrap_or(u64::MAX)
    }

    /// `bytes` went to this peer.
    pub fn take(&mut self, now: Time, torrent: TorrentId, slot: u32, bytes: u64) {
        self.buckets(torrent, slot).for_each(|bucket| bucket.take(now, bytes));
    }

    /// When `bytes` (or as much as its limits ever let through at once) may go to this peer.
    pub fn next_ready(&mut self, now: Time, torrent: TorrentId, slot: u32, bytes: u64) -> Time {
        self.buckets(torrent, slot).map(|bucket| bucket.next_ready(now, bytes)).max().unwrap_or(now)
    }

    /// Whether the limit on all peers lets no block through: then no turn is taken until [`Pacer::global_ready`].
    pub fn exhausted(&mut self, now: Time) -> bool {
        self.global.as_mut().is_some_and(|bucket| bucket.available(now) < u64::from(BLOCK))
    }

    /// When `bytes` may go out under the limit on all peers.
    pub fn global_ready(&mut self, now: Time, bytes: u64) -> Time {
        self.global.as_mut().map_or(now, |bucket| bucket.next_ready(now, bytes))
    }

    fn buckets(&mut self, torrent: TorrentId, slot: u32) -> impl Iterator<Item = &mut Bucket> {
        let torrent = match self.torrents.is_empty() {
            true => None,
            false => self.torrents.binary_search_by_key(&torrent, |(torrent, _)| *torrent).ok(),
        };
        let torrent = torrent.map(|at| &mut self.torrents[at].1);
        let peer = self.peers.get_mut(slot as usize).and_then(Option::as_mut);
        self.global.as_mut().into_iter().chain(torrent).chain(peer)
    }
}

fn set(bucket: &mut Option<Bucket>, now: Time, rate: Option<u64>) {
    match (bucket.as_mut(), rate) {
        (Some(bucket), Some(rate)) => bucket.set_rate(now, rate),
        _ => *bucket = rate.map(Bucket::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TORRENT: TorrentId = TorrentId(1);
    const BURST: u64 = CHUNK as u64;

    #[test]
    fn a_new_bucket_lets_one_chunk_through_at_once() {
        let mut bucket = Bucket::new(1);
        assert_eq!(bucket.available(Time(5)), BURST);
        bucket.take(Time(5), BURST);
        assert_eq!(bucket.available(Time(5)), 0);
    }

    #[test]
    fn the_time_it_names_is_the_first_at_which_the_bytes_are_there() {
        let mut bucket = Bucket::new(3_333);
        bucket.take(Time(0), BURST);
        let ready = bucket.next_ready(Time(0), 1_000);
        assert_eq!(bucket.clone().available(Time(ready.0 - 1)), 999);
        assert_eq!(bucket.available(ready), 1_000);
        assert_eq!(bucket.next_ready(ready, 1_000), ready);
    }

    #[test]
    fn an_overdraft_is_paid_back_first() {
        let mut bucket = Bucket::new(1_000);
        bucket.take(Time(0), BURST + 2_000);
        assert_eq!(bucket.available(Time(2_000_000)), 0);
        assert_eq!(bucket.available(Time(2_500_000)), 500);
    }

    #[test]
    fn more_than_a_burst_is_never_waited_for() {
        let mut bucket = Bucket::new(1_000);
        assert_eq!(bucket.next_ready(Time(0), u64::MAX), Time(0));
        bucket.take(Time(0), 1_000);
        assert_eq!(bucket.next_ready(Time(0), u64::MAX), Time(1_000_000));
    }

    #[test]
    fn a_rate_of_zero_waits_for_ever_and_the_highest_never() {
        let mut stopped = Bucket::new(0);
        stopped.take(Time(0), BURST);
        assert_eq!(stopped.next_ready(Time(1), 1), Time(u64::MAX));
        let mut open = Bucket::new(u64::MAX);
        open.take(Time(0), u64::MAX);
        assert!(open.next_ready(Time(0), 1) <= Time(2_000_000));
        assert!(open.available(Time(u64::MAX)) > u64::MAX / 40);
    }

    #[test]
    fn a_lower_rate_takes_back_what_was_saved_up() {
        let mut bucket = Bucket::new(1 << 30);
        assert!(bucket.available(Time(1)) > BURST);
        bucket.set_rate(Time(1), 1_000);
        assert_eq!(bucket.available(Time(1)), BURST);
    }

    #[test]
    fn without_limits_everything_may_go_now() {
        let mut pacer = Pacer::new();
        pacer.take(Time(0), TORRENT, 7, 1 << 40);
        assert_eq!(pacer.available(Time(0), TORRENT, 7), u64::MAX);
        assert_eq!(pacer.next_ready(Time(0), TORRENT, 7, BURST), Time(0));
        assert!(!pacer.exhausted(Time(0)));
    }

    #[test]
    fn the_tightest_of_three_limits_counts() {
        let mut pacer = Pacer::new();
        pacer.set_global(Time(0), Some(30_000));
        pacer.set_torrent(Time(0), TORRENT, Some(20_000));
        pacer.set_peer(Time(0), 7, Some(10_000));
        pacer.take(Time(0), TORRENT, 7, BURST);
        let second = Time(1_000_000);
        assert_eq!(pacer.available(second, TORRENT, 7), 10_000);
        assert_eq!(pacer.available(second, TORRENT, 8), 20_000);
        assert_eq!(pacer.available(second, TorrentId(2), 8), 30_000);
        assert_eq!(pacer.next_ready(second, TORRENT, 7, 20_000), Time(2_000_000));
        pacer.set_peer(second, 7, None);
        pacer.set_torrent(second, TORRENT, None);
        assert_eq!(pacer.available(second, TORRENT, 7), 30_000);
        pacer.take(second, TORRENT, 7, 30_000);
        assert!(pacer.exhausted(second));
    }

    #[test]
    fn requests_begin_with_nothing_and_save_up_little() {
        let mut bucket = Bucket::of_requests(Time(0), 16_384);
        assert_eq!(bucket.next_ready(Time(0), u64::from(BLOCK)), Time(1_000_000));
        assert_eq!(bucket.available(Time(60_000_000)), u64::from(BLOCK) + 1_638);
    }

    #[test]
    fn what_is_given_back_may_be_used_again_up_to_a_second_of_it() {
        let mut bucket = Bucket::of_requests(Time(0), 100_000);
        bucket.take(Time(0), 50_000);
        bucket.give_back(Time(0), 50_000);
        assert_eq!(bucket.available(Time(0)), 0);
        bucket.give_back(Time(0), 1 << 40);
        assert_eq!(bucket.available(Time(0)), 100_000);
        assert_eq!(bucket.available(Time(9_000_000)), 100_000, "resting neither adds to it nor takes it away");
        bucket.take(Time(9_000_000), 100_000);
        assert_eq!(bucket.available(Time(9_100_000)), 10_000);
    }

    proptest! {
        #[test]
        fn a_rate_is_exact_however_often_it_is_looked_at(
            rate in 1u64..1 << 40, steps in prop::collection::vec(1u64..50_000, 1..200)
        ) {
            let mut bucket = Bucket::new(rate);
            let burst = bucket.available(Time(0));
            let (mut now, mut sent) = (Time(0), 0u64);
            for step in steps {
                let available = bucket.available(now);
                bucket.take(now, available);
                sent += available;
                now.0 += step;
                // drained at every step of under 50 ms, it never overflows: what went out is the rate, to the byte
                let earned = u64::try_from(u128::from(rate) * u128::from(now.0) / 1_000_000).expect("small");
                prop_assert_eq!(sent + bucket.available(now), burst + earned);
            }
        }

        #[test]
        fn no_span_lets_through_more_than_its_rate_and_a_burst(
            rate in 1u64..1 << 32, steps in prop::collection::vec((0u64..3_000_000, 0u64..1 << 20), 1..100)
        ) {
            let mut bucket = Bucket::new(rate);
            let burst = bucket.available(Time(0));
            let (mut now, mut sends) = (Time(0), Vec::new());
            for (step, wanted) in steps {
                now.0 += step;
                let bytes = bucket.available(now).min(wanted);
                bucket.take(now, bytes);
                sends.push((now, bytes));
            }
            for first in 0..sends.len() {
                let mut sum = 0;
                for &(at, bytes) in &sends[first..] {
                    sum += bytes;
                    let span = u128::from(at.0 - sends[first].0.0);
                    prop_assert!(u128::from(sum) <= u128::from(burst) + (u128::from(rate) * span).div_ceil(1_000_000));
                }
            }
        }
    }
}
