//! Copies of pieces over time: why the rarest come first.
//!
//! A seed that is not much faster than its downloaders, who come at once. Until each piece has a second copy the swarm
//! would lose the file with its seed.

use std::time::Duration;

use serde::Serialize;

use super::network::{Access, NodeId};
use super::swarm::{Member, Plan, PlanError, Swarm, Watch, seconds};
use crate::clock::Time;
use crate::ids::PieceIndex;
use crate::schedule::Periods;
use crate::schedule::picker::Order;

/// Who downloads what.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Upload rates of the seed and of a downloader.
    pub up: (u64, u64),
    /// Downloaders.
    pub downloaders: usize,
    /// Peers that each serves at once.
    pub slots: u32,
    /// Of all chance.
    pub seed: u64,
}

/// How copies came to be.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Copies {
    /// Seconds until the last piece had a second copy.
    pub second_copy: Option<f64>,
    /// Copies of the file that the seed had sent by then.
    pub seed_sent: Option<f64>,
    /// Seconds until everybody had everything.
    pub everybody: Option<f64>,
    /// Seconds; copies of the rarest piece then; copies of a piece on average, the seed's included.
    pub over_time: Vec<(f64, u32, f64)>,
}

const UNTIL: Duration = Duration::from_secs(30 * 86_400);
const MEMORY: u64 = 64 << 20;
/// Points over time that are kept.
const POINTS: f64 = 120.0;

impl Crowd {
    /// Twenty downloaders, and a seed twice as fast as one of them.
    pub fn usual(seed: u64) -> Crowd {
        let up = (200 * 1024, 100 * 1024);
        Crowd { size: 64 << 20, piece_length: 256 * 1024, up, downloaders: 20, slots: 5, seed }
    }

    /// Lets them download in an order of pieces, from a seed that shows them all or one by one.
    pub fn run(&self, order: Order, super_seeds: bool) -> Result<Copies, PlanError> {
        let access = |up: u64| Access { up, down: self.up.0 * 10, delay: Duration::from_millis(20) };
        let mut members = vec![Member { slots: self.slots, super_seeds, ..Member::seed(access(self.up.0)) }];
        let downloader = Member { slots: self.slots, order, ..Member::leecher(access(self.up.1)) };
        members.resize(self.downloaders + 1, downloader);
        let plan = Plan {
            size: self.size,
            piece_length: self.piece_length,
            neighbours: members.len(),
            members,
            memory: MEMORY,
            periods: Periods::default(),
            seed: self.seed,
            until: UNTIL,
            cuts: false,
        };
        let pieces = self.size.div_ceil(u64::from(self.piece_length).max(1));
        // what each of these says is about as much of the whole as a pixel
        let step = self.size as f64 / self.up.1.max(1) as f64 / POINTS;
        let copies = vec![1; usize::try_from(pieces).map_err(|_| PlanError::Pieces)?];
        let count = Count { copies, step, sent: 0, second_copy: None, over_time: Vec::new() };
        let (outcome, count) = Swarm::new(&plan, count)?.run();
        Ok(Copies {
            second_copy: count.second_copy.map(|(at, _)| at),
            seed_sent: count.second_copy.map(|(_, sent)| sent as f64 / self.size as f64),
            everybody: outcome.complete.then_some(outcome.ended.as_secs_f64()),
            over_time: count.over_time,
        })
    }
}

struct Count {
    copies: Vec<u32>,
    step: f64,
    /// Bytes that the seed has sent.
    sent: u64,
    /// When the last piece had its second copy, and what the seed had sent by then.
    second_copy: Option<(f64, u64)>,
    over_time: Vec<(f64, u32, f64)>,
}

impl Watch for Count {
    fn block(&mut self, _: Time, from: NodeId, _: NodeId, bytes: u32) {
        if from == NodeId(0) {
            self.sent += u64::from(bytes);
        }
    }

    fn piece(&mut self, now: Time, _: NodeId, piece: PieceIndex) {
        let Some(copies) = self.copies.get_mut(piece.0 as usize) else { return };
        *copies += 1;
        let at = seconds(now);
        let least = self.copies.iter().copied().min().unwrap_or(0);
        if least > 1 && self.second_copy.is_none() {
            self.second_copy = Some((at, self.sent));
        }
        if self.over_time.last().is_none_or(|last| at >= last.0 + self.step || least > last.1) {
            let all: u64 = self.copies.iter().copied().map(u64::from).sum();
            self.over_time.push((at, least, all as f64 / self.copies.len() as f64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_rarest_first_the_last_piece_has_its_second_copy_soonest() {
        let times = |order: Order| -> Vec<f64> {
            let crowd = |seed| Crowd { size: 8 << 20, piece_length: 128 * 1024, downloaders: 10, ..Crowd::usual(seed) };
            let run = |seed| crowd(seed).run(order, false).expect("it can be planned");
            (0..5).map(|seed| run(seed).second_copy.expect("everybody finishes")).collect()
        };
        let (rarest, random, sequential) = (times(Order::RarestFirst), times(Order::Random), times(Order::Sequential));
        let beats = |others: &[f64]| rarest.iter().zip(others).all(|(rarest, other)| rarest < other);
        assert!(beats(&random), "rarest first {rarest:?}, random {random:?}");
        assert!(beats(&sequential), "rarest first {rarest:?}, sequential {sequential:?}");
    }

    #[test]
    fn a_super_seed_sends_hardly_more_than_one_copy_until_all_is_out() {
        let crowd = Crowd { size: 8 << 20, piece_length: 64 * 1024, downloaders: 10, ..Crowd::usual(1) };
        let sent = |super_seeds| {
            let copies = crowd.run(Order::RarestFirst, super_seeds).expect("it can be planned");
            copies.seed_sent.expect("everybody finishes")
        };
        let (plain, shown) = (sent(false), sent(true));
        assert!(shown < 1.1 && shown < plain, "copies sent: plain {plain}, one by one {shown}");
    }
}
