//! Where the time of a reactor goes: one look at the clock between two steps.

use std::time::{Duration, Instant};

use super::turn_times::{Step, TurnTimes};

/// Measures the turn that runs.
#[derive(Debug)]
pub(super) struct Stopwatch {
    woke: Instant,
    last: Instant,
    waited: Duration,
    times: TurnTimes,
}

impl Stopwatch {
    /// One that begins as a wait does.
    pub(super) fn new() -> Stopwatch {
        let now = Instant::now();
        Stopwatch { woke: now, last: now, waited: Duration::ZERO, times: TurnTimes::default() }
    }

    /// A wait is over.
    pub(super) fn woke(&mut self) {
        let now = Instant::now();
        self.waited += now - self.last;
        (self.woke, self.last) = (now, now);
    }

    /// A step is over.
    pub(super) fn stepped(&mut self, step: Step) {
        let now = Instant::now();
        self.times.record_step(step, now - self.last);
        self.last = now;
    }

    /// The turn is over; what follows is a wait.
    pub(super) fn turned(&mut self) {
        self.times.record_turn(self.last - self.woke);
    }

    /// For how long this turn has run, as of the last step.
    pub(super) fn running(&self) -> Duration {
        self.last - self.woke
    }

    /// Time spent in waits since this was last asked.
    pub(super) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    pub(super) fn times(&self) -> &TurnTimes {
        &self.times
    }
}
