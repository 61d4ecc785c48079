//! Tit for tat: who trades with whom, and what comes of it.
//!
//! Downloaders with different upload rates, some of which may upload nothing at all, and one seed. It has to bring new pieces
//! faster than one of them downloads: otherwise everybody soon has all that there is, nobody wants anything of another,
//! and slots are no prize.

use std::time::Duration;

use serde::Serialize;

use super::network::{Access, NodeId};
use super::swarm::{Manner, Member, Plan, PlanError, Swarm, Watch, seconds};
use crate::clock::Time;
use crate::schedule::Periods;

/// A market.
#[derive(Clone, Debug)]
pub struct Market {
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Upload rate of the seed.
    pub seed_up: u64,
    /// Upload rates of downloaders.
    pub up: Vec<u64>,
    /// How many more upload nothing.
    pub free_riders: usize,
    /// Peers that each serves at once.
    pub slots: u32,
    /// How long rounds are.
    pub periods: Periods,
    /// Of all chance.
    pub seed: u64,
}

/// What became of a downloader.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Trader {
    /// Its upload rate, bytes a second; 0 for one who uploads nothing.
    pub up: u64,
    /// Seconds until it had everything.
    pub took: Option<f64>,
    /// Bytes that came from the seed.
    pub from_seed: u64,
    /// How fast those are from whom it got its bytes, the seed left out: their upload rate on average over the bytes,
    /// against what it would be if everybody gave to all alike.
    pub partners: f64,
}

/// What became of the market.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Trades {
    /// The downloaders, in order of their rates as given, free riders last.
    pub traders: Vec<Trader>,
    /// Bytes from each (row) to each (column) of them, in equal parts of the time until the first had everything.
    pub parts: Vec<Vec<Vec<u64>>>,
}

/// Parts of the time that are shown: how it begins, and what it comes to.
pub const PARTS: usize = 3;
/// Downloads are no limit.
const DOWN_FACTOR: u64 = 20;
const UNTIL: Duration = Duration::from_secs(30 * 86_400);
const MEMORY: u64 = 64 << 20;

impl Market {
    /// Fifteen downloaders in three classes of upload rate, each class large enough to keep to itself, one more who uploads
    /// nothing, and a file that takes some minutes.
    pub fn usual(seed: u64) -> Market {
        let rate = |kib: u64| kib * 1024;
        let up = [rate(200); 5].into_iter().chain([rate(100); 5]).chain([rate(50); 5]).collect();
        Market {
            size: 64 << 20,
            piece_length: 128 * 1024,
            seed_up: rate(400),
            up,
            free_riders: 1,
            slots: 5,
            periods: Periods::default(),
            seed,
        }
    }

    fn plan(&self) -> Plan {
        let fastest = self.up.iter().copied().max().unwrap_or(0).max(self.seed_up);
        let access = |up: u64| Access { up, down: fastest * DOWN_FACTOR, delay: Duration::from_millis(20) };
        let member = |up: u64| Member { slots: self.slots, ..Member::leecher(access(up)) };
        let riders = (0..self.free_riders).map(|_| Member { manner: Manner::FreeRider, ..member(fastest) });
        let seed = Member { slots: self.slots, ..Member::seed(access(self.seed_up)) };
        let members: Vec<Member> =
            std::iter::once(seed).chain(self.up.iter().map(|&up| member(up))).chain(riders).collect();
        Plan {
            size: self.size,
            piece_length: self.piece_length,
            neighbours: members.len(),
            members,
            memory: MEMORY,
            periods: self.periods,
            seed: self.seed,
            until: UNTIL,
            cuts: false,
        }
    }

    /// Lets them trade.
    pub fn run(&self) -> Result<Trades, PlanError> {
        let plan = self.plan();
        let (outcome, ledger) = Swarm::new(&plan, Ledger::default())?.run();
        let up = |member: usize| if member > self.up.len() { 0 } else { self.up[member - 1] };
        let trader = |number: usize| {
            let from = |sender: usize| ledger.total(sender, number);
            let others = (1..plan.members.len()).filter(|&other| other != number);
            let average = |weight: &dyn Fn(usize) -> f64| {
                let weighed = others.clone().map(|other| (weight(other), up(other) as f64));
                let (sum, all) = weighed.fold((0.0, 0.0), |(sum, all), (w, up)| (sum + w * up, all + w));
                if all > 0.0 { sum / all } else { 0.0 }
            };
            let by_chance = average(&|other| up(other) as f64);
            Trader {
                up: up(number),
                took: outcome.fates[number].took.map(|took| took.as_secs_f64()),
                from_seed: from(0),
                partners: if by_chance > 0.0 { average(&|other| from(other) as f64) / by_chance } else { 0.0 },
            }
        };
        let traders: Vec<Trader> = (1..plan.members.len()).map(trader).collect();
        let first = traders.iter().filter_map(|trader| trader.took).fold(f64::INFINITY, f64::min);
        Ok(Trades { parts: ledger.parts(first, traders.len()), traders })
    }
}

/// Every block that changed hands.
#[derive(Default)]
struct Ledger {
    blocks: Vec<(f64, usize, usize, u32)>,
}

impl Watch for Ledger {
    fn block(&mut self, now: Time, from: NodeId, to: NodeId, bytes: u32) {
        self.blocks.push((seconds(now), from.0, to.0, bytes));
    }
}

impl Ledger {
    fn total(&self, from: usize, to: usize) -> u64 {
        let between = self.blocks.iter().filter(|block| (block.1, block.2) == (from, to));
        between.map(|block| u64::from(block.3)).sum()
    }

    /// Bytes between downloaders, who are members from 1 on, in parts of the time until `end`.
    fn parts(&self, end: f64, traders: usize) -> Vec<Vec<Vec<u64>>> {
        let mut parts = vec![vec![vec![0; traders]; traders]; PARTS];
        for &(at, from, to, bytes) in self.blocks.iter().filter(|block| block.0 < end && block.1 > 0) {
            let part = (1..PARTS).filter(|part| at >= end * *part as f64 / PARTS as f64).count();
            parts[part][from - 1][to - 1] += u64::from(bytes);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::swarm::Has;

    /// The usual market at half the rates, over in some thirty rounds.
    fn small(seed: u64) -> Market {
        let usual = Market::usual(seed);
        let up = usual.up.iter().map(|up| up / 2).collect();
        Market { size: 24 << 20, piece_length: 64 * 1024, up, seed_up: usual.seed_up / 2, ..usual }
    }

    #[test]
    fn who_uploads_faster_finds_better_partners_and_is_done_sooner() {
        let (mut took, mut partners) = ([0.0; 3], [0.0; 3]);
        for seed in 0..3 {
            let trades = small(seed).run().expect("it can be planned");
            for (number, trader) in trades.traders.iter().take(15).enumerate() {
                took[number / 5] += trader.took.expect("finished");
                partners[number / 5] += trader.partners / 15.0;
            }
        }
        assert!(took[0] < took[1] && took[1] < took[2], "fast, middle, slow took {took:?}");
        assert!(partners[0] > partners[1] && partners[1] > partners[2], "partners of fast, middle, slow: {partners:?}");
    }

    #[test]
    fn who_uploads_nothing_is_the_slowest_of_ten() {
        // some forty rounds: what a round or two give is luck
        let market = |seed| Market {
            size: 16 << 20,
            piece_length: 32 * 1024,
            up: vec![32 * 1024; 9],
            seed_up: 96 * 1024,
            ..Market::usual(seed)
        };
        let is_slowest = |seed: u64| {
            let trades = market(seed).run().expect("it can be planned");
            let (rider, others) = trades.traders.split_last().expect("ten");
            let last = others.iter().filter_map(|trader| trader.took).fold(0.0, f64::max);
            rider.took.expect("it gets there") > last
        };
        let half = |seeds: std::ops::Range<u64>| seeds.filter(|&seed| is_slowest(seed)).count();
        let count = std::thread::scope(|scope| {
            let other = scope.spawn(|| half(50..100));
            half(0..50) + other.join().expect("no panic")
        });
        assert!(count >= 95, "slowest of ten in {count} of 100 seeds");
    }

    /// Bytes from the hub to each, by rounds.
    struct Gifts(Vec<[u64; 11]>);

    impl Watch for Gifts {
        fn block(&mut self, now: Time, from: NodeId, to: NodeId, bytes: u32) {
            if from.0 == 0 {
                let round = usize::try_from(crate::lab::theory::whole((seconds(now) / 10.0).floor())).expect("few");
                self.0.resize(self.0.len().max(round + 1), [0; 11]);
                self.0[round][to.0] += u64::from(bytes);
            }
        }
    }

    /// A hub that has half of the pieces, and ten who have another half and know nobody else; four of them are fast.
    fn star(seed: u64) -> Plan {
        let access = |kib: u64| Access { up: kib * 1024, down: 10 << 20, delay: Duration::from_millis(20) };
        let half = |kib: u64| Member { has: Has::Part(50), slots: 5, ..Member::leecher(access(kib)) };
        let around = (0..10).map(|number| Member { seeks: false, ..half(if number < 4 { 120 } else { 12 }) });
        let hub = Member { arrives: Duration::from_secs(1), ..half(60) };
        Plan {
            size: 96 << 20,
            members: std::iter::once(hub).chain(around).collect(),
            neighbours: 12,
            until: Duration::from_secs(52),
            seed,
            ..Market::usual(seed).plan()
        }
    }

    #[test]
    fn the_four_best_partners_are_found_within_three_rounds() {
        for seed in 0..10 {
            let plan = star(seed);
            let (_, Gifts(rounds)) = Swarm::new(&plan, Gifts(Vec::new())).expect("it can be planned").run();
            // it came in the first round; three later what it gives goes to the best four, and to one drawn at random
            let round = &rounds[4];
            let mut ranked: Vec<usize> = (1..11).collect();
            ranked.sort_by_key(|&number| std::cmp::Reverse(round[number]));
            let served = ranked.iter().filter(|&&number| round[number] > 0).count();
            let best = (1..5).filter(|number| round[*number] > 0).count();
            assert!(best == 4 && served <= 6, "seed {seed}: {rounds:?}");
        }
    }
}
