//! How long turns of the loop take, from the end of one wait for the driver to the beginning of the next: the time that a
//! new event, and with it every other peer, may have to wait.
//!
//! A fixed table of counters, eight for each doubling, so a quantile is right to an eighth. Recording takes no lock and
//! allocates nothing; a copy leaves with every snapshot.

use std::fmt;
use std::time::Duration;

/// Counters for each doubling.
const PARTS: usize = 8;
/// Doublings above [`PARTS`] microseconds: up to 16 s.
const DOUBLINGS: usize = 21;
const COUNTERS: usize = PARTS * (DOUBLINGS + 1);

/// What a turn does, step by step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Step {
    /// Events of the driver: requests come in, sockets take more, ranges have been paged in.
    #[default]
    Events,
    /// The clock's work and the answers that are no payload.
    Control,
    /// One chunk: residency, `vmsplice`, `splice`.
    Chunk,
    /// Connections are taken down.
    Close,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Events => "events",
            Step::Control => "control",
            Step::Chunk => "chunk",
            Step::Close => "close",
        })
    }
}

/// Counts of turns by their length, and the longest step of any of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TurnTimes {
    counts: [u64; COUNTERS],
    longest_turn: Duration,
    longest_step: (Duration, Step),
}

impl Default for TurnTimes {
    fn default() -> TurnTimes {
        TurnTimes { counts: [0; COUNTERS], longest_turn: Duration::ZERO, longest_step: (Duration::ZERO, Step::Events) }
    }
}

impl TurnTimes {
    /// Counts a turn.
    pub(super) fn record_turn(&mut self, length: Duration) {
        self.counts[counter(length)] += 1;
        self.longest_turn = self.longest_turn.max(length);
    }

    /// Notes a step.
    pub(super) fn record_step(&mut self, step: Step, length: Duration) {
        if length > self.longest_step.0 {
            self.longest_step = (length, step);
        }
    }

    /// Adds another reactor's.
    pub fn add(&mut self, other: &TurnTimes) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.longest_turn = self.longest_turn.max(other.longest_turn);
        self.record_step(other.longest_step.1, other.longest_step.0);
    }

    /// Turns by their length: the time that each counter's are shorter than, and how many they are.
    pub fn counts(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.counts.iter().enumerate().map(|(counter, count)| (upper_bound(counter), *count))
    }

    /// Turns counted.
    pub fn turns(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time that `per_mille` of all turns did not exceed; at most an eighth too long.
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let wanted = (self.turns() * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(Duration::ZERO, upper_bound).min(self.longest_turn)
    }

    /// The longest turn.
    pub fn longest_turn(&self) -> Duration {
        self.longest_turn
    }

    /// The longest step of a turn, and which it was.
    pub fn longest_step(&self) -> (Duration, Step) {
        self.longest_step
    }
}

fn counter(length: Duration) -> usize {
    let micros = usize::try_from(length.as_micros()).unwrap_or(usize::MAX);
    if micros < PARTS {
        return micros;
    }
    let doubling = (micros.ilog2() - PARTS.ilog2()) as usize;
    let part = (micros >> doubling) - PARTS;
    (PARTS * (doubling + 1) + part).min(COUNTERS - 1)
}

/// The first time that counts in the next counter.
fn upper_bound(counter: usize) -> Duration {
    let next = counter + 1;
    let micros = if next < PARTS { next } else { (PARTS + next % PARTS) << (next / PARTS - 1) };
    Duration::from_micros(micros as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_an_eighth_above_the_truth() {
        for micros in (0..10_000).chain((10_000..16_000_000).step_by(9_973)) {
            let length = Duration::from_micros(micros);
            let bound = upper_bound(counter(length));
            assert!(
                bound > length && bound <= length + length / 8 + Duration::from_micros(1),
                "{length:?} in {bound:?}"
            );
        }
        assert_eq!(counter(Duration::MAX), COUNTERS - 1);
    }

    #[test]
    fn quantiles_and_the_longest_step_are_those_of_all_reactors() {
        let (mut one, mut other) = (TurnTimes::default(), TurnTimes::default());
        assert_eq!(one.quantile(990), Duration::ZERO);
        (0..98).for_each(|_| one.record_turn(Duration::from_micros(5)));
        (0..2).for_each(|_| other.record_turn(Duration::from_millis(7)));
        one.record_step(Step::Chunk, Duration::from_micros(4));
        other.record_step(Step::Control, Duration::from_millis(6));
        one.add(&other);
        assert_eq!((one.turns(), one.quantile(980)), (100, Duration::from_micros(6)));
        assert_eq!((one.quantile(990), one.longest_turn()), (Duration::from_millis(7), Duration::from_millis(7)));
        assert_eq!(one.longest_step(), (Duration::from_millis(6), Step::Control));
    }
}
