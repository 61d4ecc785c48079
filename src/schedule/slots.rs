//! How many slots there are: a number for the textbook, everybody, or as many as the machine can feed.
//!
//! [`AutoSlots`] looks once a second at what the slots made of the capacity. More slots than needed cost each peer
//! its speed, and a swarm is done sooner when some peers have whole pieces to pass on; fewer leave the link idle. So:
//!
//! ```text
//!                 somebody waits: open step              total rose by a quarter of what was opened: double step
//!        ,------> calm --------------------> watching -----------------------------------------------> calm
//!        |         ^                            | three seconds and it did not
//!        | 30 s    |                            v
//!        '------ full <------------------ undo, unless nobody waits; step 1/8
//!                  |
//!                  '-> a slot gets under a chunk a second: close 1/8, watch, undo if the total fell
//! ```
//!
//! What is known to be at its limit (upload limit, disk, reactor) is not probed, and slots that get under a chunk a second
//! are closed down to what the rate feeds. At any limit, who waits gets a slot as long as each gets four chunks a second. The choker carries it out, least useful first. When
//! peers leave, the number follows them down to twice theirs, and a new crowd climbs from there.

use std::fmt;
use std::str::FromStr;

use crate::limits::CHUNK;

/// The policy of `--slots`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Slots {
    /// As many as the capacity feeds, shared by all torrents.
    #[default]
    Auto,
    /// Everybody who wants one.
    Unlimited,
    /// The textbook: this many for each torrent, one of them optimistic. At least 1.
    Fixed(u32),
}

/// Text that is no `--slots` policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is neither `auto` nor `unlimited` nor a number from 1 on")]
pub struct ParseSlotsError(String);

impl FromStr for Slots {
    type Err = ParseSlotsError;
    fn from_str(text: &str) -> Result<Slots, ParseSlotsError> {
        match text {
            "auto" => Ok(Slots::Auto),
            "unlimited" => Ok(Slots::Unlimited),
            number => match number.parse() {
                Ok(count @ 1..) => Ok(Slots::Fixed(count)),
                _ => Err(ParseSlotsError(text.into())),
            },
        }
    }
}

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slots::Auto => f.write_str("auto"),
            Slots::Unlimited => f.write_str("unlimited"),
            Slots::Fixed(count) => count.fmt(f),
        }
    }
}

/// Slots at the start and as long as nothing speaks against it: a handful of peers never waits, and a gigabit for
/// each of them is a fast link already.
const START: u32 = 32;
/// The textbook's four and an optimistic one: fewer would feed nobody better.
const FEWEST: u32 = 5;
/// A reactor without a pause this part of the time is at its limit.
const BUSY: f64 = 0.95;
/// Seconds that new slots have to show in the total: requests and a slow start take one or two.
const WATCH_SECONDS: u32 = 3;
/// Seconds between two probes of a link that was full.
const FULL_SECONDS: u32 = 30;
/// Eighths of the slots that a probe adds: all of them again at first, one when a limit has been met.
const STEP_MAX: u32 = 8;

/// Bytes a second with which no slot is too slow to be worth having: four chunks.
const PLENTY: u64 = 4 * CHUNK as u64;

/// What happened in the second that just passed, summed over the reactors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// Part of the second that the busiest reactor worked, 0 to 1.
    pub busy: f64,
    /// The upload limit held chunks back.
    pub limiter_exhausted: bool,
    /// Cold chunks waited for a disk that could read no faster.
    pub disk_exhausted: bool,
    /// Bytes of blocks sent.
    pub sent: u64,
    /// Slots held at its end.
    pub open: u32,
    /// Peers that wait for one.
    pub waiting: u32,
    /// Of those who hold a slot: peers with more to send than their socket took.
    pub full: u32,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Calm,
    /// Slots were opened or closed; the total before tells whether that was right.
    Watching {
        sent_before: u64,
        slots_before: u32,
        seconds: u32,
    },
    /// More slots raised nothing.
    Full {
        seconds: u32,
    },
}

/// How many slots the capacity feeds. One for the whole program; see [`apportion`].
#[derive(Debug)]
pub struct AutoSlots {
    target: u32,
    /// Eighths of the slots that the next probe adds.
    step: u32,
    stage: Stage,
}

impl Default for AutoSlots {
    fn default() -> AutoSlots {
        AutoSlots { target: START, step: STEP_MAX, stage: Stage::Calm }
    }
}

impl AutoSlots {
    /// The number of slots now.
    pub fn target(&self) -> u32 {
        self.target
    }

    /// Takes in one second and returns the number of slots for the next.
    pub fn tick(&mut self, second: &Second) -> u32 {
        let wanted = second.open.saturating_add(second.waiting);
        self.target = self.target.min(wanted.saturating_mul(2).max(START));
        if second.limiter_exhausted || second.disk_exhausted || second.busy >= BUSY {
            self.at_a_known_limit(second);
        } else {
            match self.stage {
                Stage::Calm => self.open(second),
                Stage::Watching { sent_before, slots_before, seconds } => {
                    self.watch(second, sent_before, slots_before, seconds);
                }
                Stage::Full { seconds } => self.rest(second, seconds),
            }
        }
        // at any limit: while every slot gets plenty, a waiting peer is worth more than a faster one
        let plenty = u32::try_from(second.sent / PLENTY).unwrap_or(u32::MAX);
        self.target = self.target.max(plenty.min(wanted));
        self.target
    }

    /// Closes slots that get too little, down to what the rate feeds, an eighth a second.
    fn at_a_known_limit(&mut self, second: &Second) {
        (self.stage, self.step) = (Stage::Full { seconds: WATCH_SECONDS }, 1);
        if starved(second) {
            let fed = u32::try_from(second.sent / u64::from(CHUNK)).unwrap_or(u32::MAX).max(FEWEST);
            let used = self.target.min(second.open);
            self.target = used.saturating_sub((used / 8).max(1)).max(fed.min(used));
        }
    }

    /// Adds a step of slots if somebody waits for one.
    fn open(&mut self, second: &Second) {
        let wanted = second.open.saturating_add(second.waiting);
        if wanted <= self.target {
            return;
        }
        let more = (u64::from(self.target) * u64::from(self.step) / 8).max(1);
        let target = u32::try_from(u64::from(self.target) + more).unwrap_or(u32::MAX).min(wanted);
        self.stage = Stage::Watching { sent_before: second.sent, slots_before: self.target, seconds: 0 };
        self.target = target;
    }

    fn watch(&mut self, second: &Second, sent_before: u64, slots_before: u32, seconds: u32) {
        if self.target < slots_before {
            return self.watch_closing(second, sent_before, slots_before, seconds);
        }
        // a quarter of what as many new peers as fast as the old would add
        let added = u64::from(self.target - slots_before);
        let expected = u128::from(sent_before) * u128::from(added) / u128::from(slots_before.max(1)) / 4;
        let rise = u128::from(second.sent.saturating_sub(sent_before));
        let link_idle = second.full < second.open / 2;
        if rise > expected || link_idle || second.waiting == 0 && second.open < self.target {
            (self.stage, self.step) = (Stage::Calm, (self.step * 2).min(STEP_MAX));
            self.open(second);
        } else if seconds + 1 < WATCH_SECONDS {
            self.stage = Stage::Watching { sent_before, slots_before, seconds: seconds + 1 };
        } else {
            (self.stage, self.step) = (Stage::Full { seconds: FULL_SECONDS }, 1);
            // what helped a little stays, if it is more than one second differs from another
            let helped = rise > (expected / 4).max(u128::from(sent_before / 32));
            if !helped && (second.waiting > 0 || starved(second)) {
                self.target = slots_before;
                self.close(second);
            }
        }
    }

    /// The choker closes at the end of a round; the total counts from then on.
    fn watch_closing(&mut self, second: &Second, sent_before: u64, slots_before: u32, seconds: u32) {
        let seconds = if second.open <= self.target { seconds + 1 } else { 0 };
        if seconds < WATCH_SECONDS {
            self.stage = Stage::Watching { sent_before, slots_before, seconds };
            return;
        }
        let closed = u64::from(slots_before - self.target);
        let allowed = u128::from(sent_before) * u128::from(closed) / u128::from(slots_before) / 2;
        self.stage = Stage::Full { seconds: FULL_SECONDS };
        if u128::from(second.sent) + allowed < u128::from(sent_before) {
            self.target = slots_before;
        } else {
            self.close(second);
        }
    }

    fn rest(&mut self, second: &Second, seconds: u32) {
        match seconds.checked_sub(1) {
            None => {
                self.stage = Stage::Calm;
                self.open(second);
            }
            Some(seconds) => self.stage = Stage::Full { seconds },
        }
    }

    /// Tries an eighth fewer, if slots get too little and sockets, not requests, are what they wait for.
    fn close(&mut self, second: &Second) {
        let used = self.target.min(second.open);
        if starved(second) && second.full >= second.open / 2 && used > FEWEST {
            self.stage = Stage::Watching { sent_before: second.sent, slots_before: used, seconds: 0 };
            self.target = (used - (used / 8).max(1)).max(FEWEST);
        }
    }
}

/// Whether a slot gets less than a chunk a second on average, and somebody could do without.
fn starved(second: &Second) -> bool {
    second.open > FEWEST && second.sent < u64::from(second.open) * u64::from(CHUNK)
}

/// Divides slots among reactors by the peers that want one, the largest remainders first. The sum is `total_slots`.
/// With slots enough each gets one before the rest is divided, so that the first peer of a reactor finds one open.
pub fn apportion(total_slots: u32, interested_by_shard: &[u32]) -> Vec<u32> {
    let shards = u32::try_from(interested_by_shard.len()).unwrap_or(u32::MAX);
    let first = u32::from(total_slots >= shards);
    let rest = u128::from(total_slots - first * if first == 1 { shards } else { 0 });
    let sum: u128 = interested_by_shard.iter().map(|&count| u128::from(count)).sum();
    // nobody wants anything yet: alike for all
    let weight = |count: u32| if sum == 0 { 1 } else { u128::from(count) };
    let sum = if sum == 0 { u128::from(shards) } else { sum };
    let quota = |count: u32| (rest * weight(count) / sum, rest * weight(count) % sum);
    let mut shares: Vec<u32> = Vec::with_capacity(interested_by_shard.len());
    shares.extend(interested_by_shard.iter().map(|&count| first + u32::try_from(quota(count).0).unwrap_or(u32::MAX)));
    let left = total_slots - shares.iter().sum::<u32>().min(total_slots);
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|&shard| std::cmp::Reverse(quota(interested_by_shard[shard]).1));
    by_remainder.iter().take(left as usize).for_each(|&shard| shares[shard] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    /// Peers that always want more, behind one link. New slots open at once, closed ones at the end of a round.
    struct Swarm {
        slots: AutoSlots,
        peers: u32,
        /// Bytes a second that one peer takes, and the seconds it needs to get there.
        peer_rate: u64,
        ramp_seconds: u64,
        link_rate: u64,
        limiter: Option<u64>,
        /// How much one second differs from another, in percent.
        noise: u64,
        random: Rng,
        /// For each open slot, how long it has been.
        ages: Vec<u64>,
        sent: u64,
        clock: u64,
    }

    const MBIT: u64 = 125_000;

    fn swarm(peers: u32, peer_rate: u64, link_rate: u64) -> Swarm {
        let slots = AutoSlots::default();
        Swarm {
            slots,
            peers,
            peer_rate,
            ramp_seconds: 1,
            link_rate,
            limiter: None,
            noise: 0,
            random: Rng::with_seed(7),
            ages: Vec::new(),
            sent: 0,
            clock: 0,
        }
    }

    impl Swarm {
        fn open(&self) -> u32 {
            u32::try_from(self.ages.len()).expect("few")
        }

        /// Runs for some seconds and returns how many slots are open then.
        fn run(&mut self, seconds: u64) -> u32 {
            for _ in 0..seconds {
                let target = self.slots.target().min(self.peers) as usize;
                if self.ages.len() < target {
                    self.ages.resize(target, 0);
                } else if self.clock % 10 == 9 {
                    self.ages.truncate(target);
                }
                self.ages.iter_mut().for_each(|age| *age += 1);
                let takes = |age: &u64| self.peer_rate * (*age).min(self.ramp_seconds) / self.ramp_seconds;
                let wanted: u64 = self.ages.iter().map(takes).sum();
                self.sent = wanted.min(self.link_rate).min(self.limiter.unwrap_or(u64::MAX));
                let noisy = self.sent * (100 - self.noise + self.random.u64(..=2 * self.noise)) / 100;
                let second = Second {
                    busy: 0.3,
                    limiter_exhausted: self.limiter.is_some_and(|limit| wanted >= limit),
                    sent: noisy,
                    open: self.open(),
                    waiting: self.peers - self.open(),
                    full: self.open(),
                    ..Second::default()
                };
                self.slots.tick(&second);
                self.clock += 1;
            }
            self.open()
        }
    }

    #[test]
    fn policies_are_read_as_they_are_written() {
        for slots in [Slots::Auto, Slots::Unlimited, Slots::Fixed(1), Slots::Fixed(400)] {
            assert_eq!(slots.to_string().parse(), Ok(slots));
        }
        for text in ["", "0", "-1", "Auto", "1.5", "5000000000"] {
            assert_eq!(text.parse::<Slots>(), Err(ParseSlotsError(text.into())));
        }
    }

    #[test]
    fn a_handful_of_peers_never_waits() {
        assert_eq!(swarm(20, 100 * MBIT, 100 * MBIT).run(1), 20);
        assert_eq!(swarm(20, 100 * MBIT, 100 * MBIT).run(600), 20);
    }

    #[test]
    fn a_thousand_waiting_peers_have_slots_within_seconds_when_the_link_can_feed_them() {
        assert_eq!(swarm(1_000, MBIT, 100_000 * MBIT).run(7), 1_000);
    }

    #[test]
    fn slow_peers_that_are_slow_to_start_all_get_slots_in_the_end() {
        let mut swarm = swarm(2_000, 32 * 1024, 10_000 * MBIT);
        swarm.ramp_seconds = 6;
        assert_eq!(swarm.run(180), 2_000);
    }

    #[test]
    fn a_link_of_100_mbit_is_not_cut_into_slices_under_a_chunk_a_second() {
        let mut swarm = swarm(1_000, 20 * MBIT, 100 * MBIT);
        for _ in 0..50 {
            let open = swarm.run(20);
            assert!((24..=64).contains(&open), "{open} slots");
            assert_eq!(swarm.sent, 100 * MBIT, "and it is full");
        }
    }

    #[test]
    fn a_link_of_10_gbit_is_filled_with_as_many_slow_peers_as_that_takes() {
        let mut swarm = swarm(5_000, 16 * MBIT, 10_000 * MBIT);
        swarm.run(10);
        for _ in 0..100 {
            let open = swarm.run(10);
            assert_eq!(swarm.sent, 10_000 * MBIT);
            assert!((625..=1_192 * 9 / 8).contains(&open), "{open} slots: 1 MiB/s for each, and a probe of an eighth");
        }
    }

    #[test]
    fn a_rate_that_jumps_by_a_tenth_misleads_it_for_a_while_only() {
        let mut link = swarm(1_000, 20 * MBIT, 100 * MBIT);
        let mut crowd = swarm(1_000, MBIT, 10_000 * MBIT);
        (link.noise, crowd.noise) = (10, 10);
        assert_eq!(crowd.run(300), 1_000);
        link.run(60);
        let opens: Vec<u32> = (0..200).map(|_| link.run(5)).collect();
        let mean = opens.iter().sum::<u32>() / 200;
        assert!((28..=80).contains(&mean), "{mean} slots on average: {opens:?}");
        assert!(opens.iter().all(|open| (16..=200).contains(open)), "{opens:?}");
    }

    #[test]
    fn a_full_link_that_serves_everybody_closes_nothing() {
        let mut swarm = swarm(40, 100 * MBIT, 100 * MBIT);
        assert_eq!(swarm.run(4), 40);
        assert_eq!(swarm.run(600), 40);
    }

    #[test]
    fn slots_follow_a_crowd_that_left() {
        let mut swarm = swarm(1_000, MBIT, 10_000 * MBIT);
        assert_eq!(swarm.run(20), 1_000);
        swarm.peers = 50;
        swarm.ages.truncate(50);
        swarm.run(5);
        assert_eq!(swarm.slots.target(), 100);
        swarm.peers = 3;
        swarm.ages.truncate(3);
        swarm.run(5);
        assert_eq!(swarm.slots.target(), START);
    }

    #[test]
    fn a_thin_link_closes_slots_until_each_gets_a_chunk_a_second() {
        let mut swarm = swarm(1_000, MBIT * 8, 16 * MBIT);
        let open = swarm.run(900);
        assert!((FEWEST..=12).contains(&open), "{open} slots for 7.6 chunks a second");
        assert_eq!(swarm.sent, 16 * MBIT);
    }

    #[test]
    fn an_upload_limit_closes_slots_until_each_gets_a_chunk_a_second() {
        for (limit, fewest, most) in [(10 << 20, 38, 42), (1 << 20, FEWEST, FEWEST), (1_000, FEWEST, FEWEST)] {
            let mut swarm = swarm(1_000, 20 * MBIT, 1_000 * MBIT);
            swarm.run(4);
            swarm.limiter = Some(limit);
            let open = swarm.run(120);
            assert!((fewest..=most).contains(&open), "{open} slots at {limit} bytes a second");
        }
    }

    #[test]
    fn a_lifted_limit_opens_them_again() {
        let mut swarm = swarm(1_000, MBIT, 10_000 * MBIT);
        swarm.limiter = Some(1 << 20);
        assert!(swarm.run(120) <= 9, "nine such peers take the whole limit");
        swarm.limiter = None;
        assert_eq!(swarm.run(60), 1_000);
    }

    #[test]
    fn a_busy_reactor_or_disk_is_given_no_more_peers() {
        let calm = Second { sent: 16 << 20, open: START, waiting: 500, full: START, ..Second::default() };
        assert_eq!(AutoSlots::default().tick(&calm), 2 * START);
        assert_eq!(AutoSlots::default().tick(&Second { busy: 0.99, ..calm }), START);
        assert_eq!(AutoSlots::default().tick(&Second { disk_exhausted: true, ..calm }), START);
    }

    #[test]
    fn whoever_waits_gets_a_slot_while_each_slot_gets_four_chunks_a_second() {
        for peers in [50, 1_000] {
            let mut slots = AutoSlots::default();
            for _ in 0..60 {
                let open = slots.target().min(peers);
                let second = Second {
                    busy: 1.0,
                    sent: 5_000_000_000,
                    open,
                    waiting: peers - open,
                    full: open,
                    ..Second::default()
                };
                assert_eq!(slots.tick(&second), peers.max(START), "a reactor at its limit of 5 GB/s");
            }
        }
        let open = swarm(1_000, 1_000 * MBIT, 10_000 * MBIT).run(3);
        assert_eq!(open, 1_000, "a full link of 10 Gbit/s");
        let mut uplink = swarm(1_000, 20 * MBIT, 10 << 20);
        for _ in 0..60 {
            assert!(uplink.run(10) <= 64, "a full uplink of 10 MiB/s");
        }
    }

    #[test]
    fn sockets_that_wait_for_requests_are_no_sign_of_a_full_link() {
        let mut slots = AutoSlots::default();
        let second = |open| Second { sent: 1 << 20, open, waiting: 10_000, full: open / 4, ..Second::default() };
        let targets: Vec<u32> = (0..4).map(|_| slots.tick(&second(slots.target()))).collect();
        assert_eq!(targets, [64, 128, 256, 512]);
    }

    #[test]
    fn without_anybody_waiting_nothing_is_opened() {
        let mut slots = AutoSlots::default();
        for _ in 0..1_000 {
            assert_eq!(slots.tick(&Second { sent: 1 << 30, open: 12, full: 12, ..Second::default() }), START);
        }
    }

    #[test]
    fn a_reactor_with_more_waiting_peers_gets_more_slots() {
        assert_eq!(apportion(10, &[1, 3]), [3, 7]);
        assert_eq!(apportion(8, &[]), [0; 0]);
        assert_eq!(apportion(7, &[0, 0, 0]), [3, 2, 2]);
        assert_eq!(apportion(2, &[5, 5, 90]), [0, 0, 2]);
        assert_eq!(apportion(32, &[0, 1_000]), [1, 31], "the first peer of an idle reactor finds a slot");
        assert_eq!(
            apportion(u32::MAX, &[u32::MAX, u32::MAX]).iter().map(|&n| u64::from(n)).sum::<u64>(),
            u64::from(u32::MAX)
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_and_follow_the_interest(total in 0u32..10_000, interested in prop::collection::vec(0u32..5_000, 1..20)) {
            let shares = apportion(total, &interested);
            prop_assert_eq!(shares.iter().sum::<u32>(), total);
            for (more, less) in (0..shares.len()).flat_map(|a| (0..shares.len()).map(move |b| (a, b))) {
                prop_assert!(interested[more] <= interested[less] || shares[more] >= shares[less]);
            }
        }

        #[test]
        fn any_seconds_leave_a_sane_number_of_slots(
            seconds in prop::collection::vec((0.0f64..1.2, any::<[bool; 2]>(), any::<[u32; 4]>()), 0..200)
        ) {
            let mut slots = AutoSlots::default();
            for (busy, [limiter_exhausted, disk_exhausted], [sent, open, waiting, full]) in seconds {
                let sent = u64::from(sent) << 8;
                let second = Second { busy, limiter_exhausted, disk_exhausted, sent, open, waiting, full };
                prop_assert!(slots.tick(&second) >= FEWEST);
            }
        }
    }
}
