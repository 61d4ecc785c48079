//! The slots of `--slots N` among shards: a torrent's N, whichever shards its peers came to.
//!
//! Each shard serves its share by itself. What is divided here, once a second, keeps three promises:
//!
//! - **Never more than N are open.** A shard that loses slots gives them back at the end of its round, since nobody who just
//!   got one loses it; until it says that it has, nobody else is given them.
//! - **None is idle while somebody waits.** Where fewer than N are interested, each shard has as many slots as
//!   interested peers, and the rest stands ready for who comes next. Only a slot that stands ready is in a shard where nobody
//!   wants it, until the next second.
//! - **Nobody is left out.** Where more are interested, shares follow their number. The fraction of a slot that
//!   a shard is owed adds up from [`TERM`] to [`TERM`], so with one slot and two shards each has it half of the time.

use std::time::Duration;

use crate::clock::Time;

/// How long an undivided slot stays with a shard: three rounds, as the optimistic slot (BEP 3).
const TERM: Duration = Duration::from_secs(30);
/// Credits are counted in this part of a slot.
const WHOLE: u64 = 1 << 20;

/// What a shard last said of a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShardSlots {
    /// Peers that want something.
    pub interested: u32,
    /// Slots that it may give.
    pub slots: u32,
    /// Slots that are taken.
    pub unchoked: u32,
}

/// One torrent's slots.
#[derive(Clone, Debug)]
pub struct SlotShares {
    total: u32,
    granted: Vec<u32>,
    /// What each shard is owed of slots that cannot be divided.
    credit: Vec<i64>,
    term_since: Time,
}

impl SlotShares {
    /// Divides `total` slots alike among `shards` that have nobody yet.
    pub fn new(total: u32, shards: usize, now: Time) -> SlotShares {
        let mut shares = SlotShares { total, granted: Vec::new(), credit: vec![0; shards], term_since: now };
        shares.granted = shares.wanted(&vec![0; shards]);
        shares
    }

    /// What each shard may give.
    pub fn granted(&self) -> &[u32] {
        &self.granted
    }

    /// Divides anew after what the shards, all of them, said last.
    pub fn divide(&mut self, said: &[ShardSlots], now: Time) {
        let interested: Vec<u32> = said.iter().map(|shard| shard.interested).collect();
        let wanted = self.wanted(&interested);
        if now.since(self.term_since) >= TERM {
            self.term_since = now;
            self.settle_credit(&interested, &wanted);
        }
        // a shard that was told a smaller number may not have read it yet: until it says so, it holds the larger one
        let before = self.granted.iter().zip(said);
        let held = before.map(|(granted, shard)| u64::from((*granted).max(shard.slots).max(shard.unchoked)));
        let mut free = u64::from(self.total).saturating_sub(held.sum());
        for (granted, wanted) in self.granted.iter_mut().zip(&wanted) {
            let more = u64::from(wanted.saturating_sub(*granted)).min(free);
            free -= more;
            *granted = (*granted).min(*wanted) + u32::try_from(more).unwrap_or(0);
        }
    }

    /// What each should have.
    fn wanted(&self, interested: &[u32]) -> Vec<u32> {
        let sum: u64 = interested.iter().map(|&count| u64::from(count)).sum();
        let total = u64::from(self.total);
        if sum <= total {
            // enough for all: the rest alike, so that who comes next finds one wherever it comes
            let (each, left) = ((total - sum) / self.shards(), (total - sum) % self.shards());
            let spare = |shard: u64| each + u64::from(shard < left);
            let share =
                |(shard, count): (u64, &u32)| u32::try_from(u64::from(*count) + spare(shard)).unwrap_or(u32::MAX);
            return (0..).zip(interested).map(share).collect();
        }
        let mut shares: Vec<u32> = interested.iter().map(|&count| self.quota(count, sum).0).collect();
        let left = self.total - shares.iter().sum::<u32>().min(self.total);
        let mut by_credit: Vec<usize> = (0..shares.len()).filter(|&shard| shares[shard] < interested[shard]).collect();
        by_credit.sort_by_key(|&shard| std::cmp::Reverse(self.credit[shard] + self.quota(interested[shard], sum).1));
        by_credit.into_iter().take(left as usize).for_each(|shard| shares[shard] += 1);
        shares
    }

    /// Whole slots that are due to `count` peers of `sum`, and the rest in parts of [`WHOLE`].
    fn quota(&self, count: u32, sum: u64) -> (u32, i64) {
        let due = u64::from(self.total) * u64::from(count);
        let rest = u128::from(due % sum) * u128::from(WHOLE) / u128::from(sum);
        (u32::try_from(due / sum).unwrap_or(u32::MAX), i64::try_from(rest).unwrap_or(0))
    }

    /// Who had less than was due in the term that ends is owed that in the next.
    fn settle_credit(&mut self, interested: &[u32], wanted: &[u32]) {
        let sum: u64 = interested.iter().map(|&count| u64::from(count)).sum();
        if sum <= u64::from(self.total) {
            return self.credit.fill(0);
        }
        let whole = i64::try_from(WHOLE).unwrap_or(i64::MAX);
        for (shard, credit) in self.credit.iter_mut().enumerate() {
            let due = u128::from(self.total) * u128::from(interested[shard]) * u128::from(WHOLE) / u128::from(sum);
            let had = i64::from(wanted[shard]) * whole;
            // who left is owed nothing
            let owed = if interested[shard] == 0 { 0 } else { *credit + i64::try_from(due).unwrap_or(0) - had };
            *credit = owed.clamp(-2 * whole, 2 * whole);
        }
    }

    fn shards(&self) -> u64 {
        u64::try_from(self.credit.len()).unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert, proptest};

    /// Shards that read an order a second late, close slots at the end of a round only, and open them at once.
    struct World {
        shares: SlotShares,
        said: Vec<ShardSlots>,
        orders: Vec<u32>,
        second: u64,
        /// Seconds for which each shard's slots were taken.
        served: Vec<u64>,
    }

    impl World {
        fn new(total: u32, shards: usize) -> World {
            let shares = SlotShares::new(total, shards, Time(0));
            let orders = shares.granted().to_vec();
            let said = orders.iter().map(|&slots| ShardSlots { slots, ..ShardSlots::default() }).collect();
            World { shares, said, orders, second: 0, served: vec![0; shards] }
        }

        fn run(&mut self, seconds: u64, interested: &[u32]) {
            for _ in 0..seconds {
                self.second += 1;
                for (shard, said) in self.said.iter_mut().enumerate() {
                    said.interested = interested[shard];
                    said.slots = self.orders[shard];
                    said.unchoked = said.unchoked.min(said.interested);
                    if self.second.is_multiple_of(10) {
                        said.unchoked = said.unchoked.min(said.slots);
                    }
                    said.unchoked = said.unchoked.max(said.interested.min(said.slots));
                    self.served[shard] += u64::from(said.unchoked);
                }
                let open: u32 = self.said.iter().map(|said| said.unchoked).sum();
                assert!(open <= self.shares.total, "{open} are open of {}: {:?}", self.shares.total, self.said);
                self.orders = self.shares.granted().to_vec();
                self.shares.divide(&self.said, Time(self.second * 1_000_000));
            }
        }

        fn open(&self) -> Vec<u32> {
            self.said.iter().map(|said| said.unchoked).collect()
        }
    }

    #[test]
    fn slots_go_to_where_peers_want_them() {
        let mut world = World::new(4, 2);
        world.run(25, &[4, 0]);
        assert_eq!(world.open(), [4, 0], "none is kept back from who waits");
        world.run(25, &[4, 4]);
        assert_eq!(world.open(), [2, 2]);
        world.run(25, &[1, 9]);
        assert_eq!(world.open().iter().sum::<u32>(), 4);
        world.run(25, &[1, 0]);
        assert!(world.shares.granted()[1] > 0, "who comes next finds one");
    }

    #[test]
    fn with_fewer_slots_than_shards_each_shard_has_its_time() {
        let mut world = World::new(4, 8);
        world.run(3_600, &[1; 8]);
        let served = &world.served;
        assert!(served.iter().all(|&seconds| (1_400..=1_900).contains(&seconds)), "{served:?} of 1,800 each");
    }

    #[test]
    fn a_single_peer_beside_a_crowd_is_not_left_out() {
        let mut world = World::new(4, 2);
        world.run(20_000, &[1, 99]);
        let share = world.served[0];
        assert!((400..=1_300).contains(&share), "{share} seconds of 800 that are its share");
    }

    proptest! {
        #[test]
        fn never_more_are_open_than_there_are(
            total in 1u32..20,
            seconds in prop::collection::vec((prop::array::uniform4(0u32..12), 1u64..40), 1..40)
        ) {
            let mut world = World::new(total, 4);
            for (interested, length) in seconds {
                world.run(length, &interested);
                prop_assert!(world.shares.granted().iter().sum::<u32>() <= total);
            }
        }
    }
}
