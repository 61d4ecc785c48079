//! Several rounds of the same run, made one row: median with minimum and maximum.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::{Limit, Mode, Order, Outcome};

/// What the rounds of one run had in the middle, and how far they lay apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spread<Number> {
    /// Of an even number of rounds the mean of the two in the middle.
    pub median: Number,
    /// The lowest.
    pub min: Number,
    /// The highest.
    pub max: Number,
}

/// Percentiles of the time from a request to the last byte of its block, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: Spread<u64>,
    /// 99 of 100 were faster.
    pub p99: Spread<u64>,
    /// 999 of 1,000 were faster.
    pub p99_9: Spread<u64>,
}

/// All rounds of one run. What was not measured (no process of the seeder known, nothing received) is left out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// What was done.
    pub scenario: String,
    /// Leechers connected at once.
    pub peers: usize,
    /// Those of them that asked for data.
    pub active_peers: usize,
    /// Requests in flight of each.
    pub depth: usize,
    /// What became of the payload.
    pub mode: Mode,
    /// Order of the pieces.
    pub order: Order,
    /// How many rounds there were.
    pub rounds: usize,
    /// Whose figure this is: the load's if it held back any round.
    pub limit: Limit,
    /// Payload received.
    pub bytes_per_second: Spread<u64>,
    /// Payload for each second of the seeder's processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_cpu_second: Option<Spread<u64>>,
    /// Median time from the handshake to the first unchoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchoke_p50_us: Option<Spread<u64>>,
    /// Time of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<Latency>,
    /// Jain's index of the bytes of the active leechers; where nothing was received there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Spread<f64>>,
    /// Memory of the seeder's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_bytes: Option<Spread<u64>>,
    /// Files that the seeder had mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_bytes: Option<Spread<u64>>,
    /// Read from disk by the seeder, all rounds together; as are the following.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    /// Payload received.
    pub bytes: u64,
    /// Chokes after the first unchoke.
    pub chokes: u64,
    /// Requests rejected.
    pub rejects: u64,
    /// Connects that failed, and connections that the seeder ended.
    pub disconnects: u64,
    /// Messages that break the protocol.
    pub protocol_errors: u64,
    /// The first error, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// Pieces whose SHA-1 was right.
    pub pieces_verified: u64,
    /// Pieces whose SHA-1 was wrong.
    pub pieces_bad: u64,
}

/// One row for each run, in the order in which they first appear.
pub(super) fn summaries(outcomes: &[Outcome]) -> Vec<Summary> {
    groups(outcomes).iter().map(|rounds| Summary::of(rounds)).collect()
}

/// The rounds of each run together.
pub(super) fn groups(outcomes: &[Outcome]) -> Vec<Vec<&Outcome>> {
    let mut groups: Vec<Vec<&Outcome>> = Vec::new();
    for outcome in outcomes {
        match groups.iter_mut().find(|group| is_same_run(group[0], outcome)) {
            Some(group) => group.push(outcome),
            None => groups.push(vec![outcome]),
        }
    }
    groups
}

fn is_same_run(a: &Outcome, b: &Outcome) -> bool {
    let what = |outcome: &Outcome| (outcome.peers, outcome.active, outcome.depth, outcome.mode, outcome.order);
    a.scenario == b.scenario && what(a) == what(b)
}

impl Summary {
    fn of(rounds: &[&Outcome]) -> Summary {
        let first = rounds[0];
        let total = |count: fn(&Outcome) -> u64| rounds.iter().fold(0, |sum: u64, run| sum.saturating_add(count(run)));
        let latency = |quantile: f64| spread(rounds, |run| percentile(&run.latency, quantile));
        let latency_us = latency(0.5).zip(latency(0.99)).zip(latency(0.999));
        let has_seeder = rounds.iter().any(|run| run.seeder.is_some());
        Summary {
            scenario: first.scenario.clone(),
            peers: first.peers,
            active_peers: first.active,
            depth: first.depth,
            mode: first.mode,
            order: first.order,
            rounds: rounds.len(),
            limit: worst(rounds.iter().map(|run| run.limit())),
            bytes_per_second: Spread::of(rounds.iter().map(|run| bytes_per_second(run)).collect()),
            bytes_per_cpu_second: spread(rounds, bytes_per_cpu_second),
            unchoke_p50_us: spread(rounds, |run| percentile(&run.unchoke, 0.5)),
            latency_us: latency_us.map(|((p50, p99), p99_9)| Latency { p50, p99, p99_9 }),
            fairness: spread(rounds, |run| (run.bytes > 0).then(|| fairness(run))),
            private_bytes: spread(rounds, |run| run.seeder.as_ref().map(|seeder| seeder.private_bytes)),
            mapped_bytes: spread(rounds, |run| run.seeder.as_ref().map(|seeder| seeder.mapped_bytes)),
            disk_read_bytes: has_seeder.then(|| total(|run| run.seeder.as_ref().map_or(0, |seeder| seeder.read_bytes))),
            bytes: total(|run| run.bytes),
            chokes: total(|run| run.chokes),
            rejects: total(|run| run.rejects),
            disconnects: total(|run| run.disconnects),
            protocol_errors: total(|run| run.protocol_errors),
            first_error: rounds.iter().find_map(|run| run.first_error.clone()),
            pieces_verified: total(|run| run.pieces_verified),
            pieces_bad: total(|run| run.pieces_bad),
        }
    }

    /// Errors of any kind.
    pub fn errors(&self) -> u64 {
        self.protocol_errors.saturating_add(self.disconnects)
    }
}

/// Whole bytes a second; none where no time passed.
pub(super) fn bytes_per_second(run: &Outcome) -> u64 {
    rate(run.bytes, run.window).unwrap_or(0)
}

pub(super) fn bytes_per_cpu_second(run: &Outcome) -> Option<u64> {
    rate(run.bytes, run.seeder.as_ref()?.threads.iter().map(|thread| thread.cpu).sum())
}

/// What one full core of the load would take.
pub(super) fn bytes_per_load_cpu_second(run: &Outcome) -> Option<u64> {
    rate(run.bytes, run.load_threads.iter().map(|thread| thread.cpu).sum())
}

/// Six digits: what lies beyond them is rounding of floats.
pub(super) fn fairness(run: &Outcome) -> f64 {
    (run.fairness() * 1e6).round() / 1e6
}

fn rate(bytes: u64, time: Duration) -> Option<u64> {
    let rate = (u128::from(bytes) * 1_000_000_000).checked_div(time.as_nanos())?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// None of an empty histogram: zero would be a fine figure.
pub(super) fn percentile(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile))
}

fn worst(limits: impl Iterator<Item = Limit>) -> Limit {
    let limits: Vec<Limit> = limits.collect();
    let by_gravity = [Limit::Load, Limit::Elsewhere, Limit::Seeder];
    by_gravity.into_iter().find(|limit| limits.contains(limit)).unwrap_or(Limit::Elsewhere)
}

/// Over the rounds that have the figure.
pub(super) fn spread<Number: Middle>(
    rounds: &[&Outcome],
    figure: impl Fn(&Outcome) -> Option<Number>,
) -> Option<Spread<Number>> {
    let values: Vec<Number> = rounds.iter().filter_map(|run| figure(run)).collect();
    (!values.is_empty()).then(|| Spread::of(values))
}

/// A number with a mean.
pub trait Middle: Copy + PartialOrd {
    /// Of two.
    fn middle(a: Self, b: Self) -> Self;
}

impl Middle for u64 {
    fn middle(a: u64, b: u64) -> u64 {
        a.midpoint(b)
    }
}

impl Middle for f64 {
    fn middle(a: f64, b: f64) -> f64 {
        a.midpoint(b)
    }
}

impl<Number: Middle> Spread<Number> {
    /// Of at least one value.
    fn of(mut values: Vec<Number>) -> Spread<Number> {
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let (min, max) = (values[0], values[values.len() - 1]);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => Number::middle(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Spread { median, min, max }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{outcome, seeder};
    use super::*;

    #[test]
    fn rounds_become_a_median_between_their_extremes() {
        assert_eq!(Spread::of(vec![9_u64, 1, 4]), Spread { median: 4, min: 1, max: 9 });
        assert_eq!(Spread::of(vec![9_u64, 1, 4, 6]), Spread { median: 5, min: 1, max: 9 });
        assert_eq!(Spread::of(vec![u64::MAX, u64::MAX]).median, u64::MAX);
        assert_eq!(Spread::of(vec![0.5]), Spread { median: 0.5, min: 0.5, max: 0.5 });
    }

    #[test]
    fn only_rounds_of_the_same_run_are_put_together() {
        let deeper = Outcome { depth: 500, ..outcome("50 peers", 50) };
        let runs = [outcome("1 peer", 1), outcome("50 peers", 50), deeper, outcome("1 peer", 1)];
        let rounds: Vec<usize> = summaries(&runs).iter().map(|summary| summary.rounds).collect();
        assert_eq!(rounds, [2, 1, 1]);
        assert!(summaries(&[]).is_empty());
    }

    #[test]
    fn what_was_not_measured_is_none_and_not_zero() {
        let empty = Outcome { bytes: 0, window: Duration::ZERO, ..outcome("none", 0) };
        let summary = &summaries(&[Outcome { bytes_of_peers: Vec::new(), ..empty }])[0];
        assert_eq!(summary.bytes_per_second.max, 0);
        assert!(summary.bytes_per_cpu_second.is_none() && summary.fairness.is_none());
        assert!(summary.latency_us.is_none() && summary.unchoke_p50_us.is_none() && summary.private_bytes.is_none());
    }

    #[test]
    fn figures_are_those_of_the_outcome() {
        let mut run = outcome("50 peers", 50);
        run.seeder = Some(seeder(0.8));
        let summary = &summaries(std::slice::from_ref(&run))[0];
        assert!((summary.bytes_per_second.median as f64 - run.rate()).abs() < 1.0);
        let exact = run.bytes_per_cpu_second().expect("the seeder worked");
        assert!(summary.bytes_per_cpu_second.is_some_and(|spread| (spread.median as f64 - exact).abs() < 1.0));
    }

    #[test]
    fn one_round_held_back_by_the_load_takes_the_figure_away() {
        assert_eq!(worst([Limit::Seeder, Limit::Load, Limit::Elsewhere].into_iter()), Limit::Load);
        assert_eq!(worst([Limit::Seeder, Limit::Elsewhere].into_iter()), Limit::Elsewhere);
        assert_eq!(worst([Limit::Seeder].into_iter()), Limit::Seeder);
    }
}
