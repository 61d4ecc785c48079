//! Time that passes evenly: how long something lasted does not depend on who sets the clock meanwhile.

use std::time::Instant;

/// Seconds by which two clocks may differ and nobody has set one: reading them takes a moment, and seconds are whole.
const SLACK: u64 = 2;

/// Seconds since 1970 as the clock of the host had them at the start or when it was set last, and as time has passed since. A host
/// that sleeps counts nothing meanwhile.
pub(super) struct Steady {
    origin: Instant,
    begin: i64,
}

impl Steady {
    /// The clock of the host says `now`.
    pub(super) fn new(now: i64) -> Steady {
        Steady { origin: Instant::now(), begin: now }
    }

    /// Since the start.
    pub(super) fn seconds(&self) -> u64 {
        self.origin.elapsed().as_secs()
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.begin.saturating_add(i64::try_from(self.seconds()).unwrap_or(i64::MAX))
    }

    /// The clock of the host says `now`: by how much it was set since the last call, if it was.
    pub(super) fn follow(&mut self, now: i64) -> Option<i64> {
        let by = now.saturating_sub(self.now());
        if by.unsigned_abs() <= SLACK {
            return None;
        }
        self.begin = self.begin.saturating_add(by);
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_followed_once_and_nothing_lasts_longer_by_it() {
        let mut steady = Steady::new(1_000);
        let since = steady.now();
        assert_eq!(steady.follow(1_001), None, "two readings");
        assert_eq!(steady.follow(1_000 + 86_400), Some(86_400));
        assert_eq!(steady.follow(1_000 + 86_400), None, "told once");
        assert_eq!(steady.now() - (since + 86_400), 0, "what is moved along lasted as long as before");
        assert_eq!(steady.follow(500), Some(-86_900));
        assert_eq!(steady.now(), 500);
        assert_eq!(steady.seconds(), 0);
    }
}
