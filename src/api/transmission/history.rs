//! Which revision a view had a minute ago: what "recently-active" means.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a change counts as recent; Transmission has the same minute, and clients that ask for changes rely on it.
const RECENT: Duration = Duration::from_secs(60);
/// Views come more often than this, and clients ask less often.
const STEP: Duration = Duration::from_secs(1);

/// Revisions of the last minute, a second apart.
pub(super) struct History {
    seen: VecDeque<(Instant, u64)>,
}

impl History {
    /// Begins with what there is: nothing of it is recent.
    pub(super) fn new(now: Instant, revision: u64) -> History {
        History { seen: VecDeque::from([(now, revision)]) }
    }

    /// There is a new view.
    pub(super) fn note(&mut self, now: Instant, revision: u64) {
        let latest = self.seen.back().map(|(at, _)| *at);
        if latest.is_none_or(|at| now.saturating_duration_since(at) >= STEP) {
            self.seen.push_back((now, revision));
        }
        // one that is older than a minute stays: it says where the minute began
        while self.seen.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RECENT) {
            self.seen.pop_front();
        }
    }

    /// Changes after this revision are recent. What changed up to a second before the minute may be among them; nothing that
    /// changed within it is left out.
    pub(super) fn since(&self, now: Instant) -> u64 {
        let old = self.seen.iter().take_while(|(at, _)| now.saturating_duration_since(*at) >= RECENT).last();
        old.or(self.seen.front()).map_or(0, |(_, revision)| *revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_within_the_last_minute_is_recent_and_nothing_older() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut history = History::new(start, 10);
        assert_eq!(history.since(at(5)), 10, "nothing was seen before");
        for second in 1..=300 {
            history.note(at(second), 10 + second);
            assert!(history.seen.len() <= 62, "{}", history.seen.len());
        }
        assert_eq!(history.since(at(300)), 10 + 240);
        assert_eq!(history.since(at(1000)), 10 + 300, "a minute without a change");
    }

    #[test]
    fn views_that_come_faster_than_a_second_lose_nothing() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut history = History::new(start, 0);
        for step in 1..=1200 {
            history.note(at(step * 100), step);
            let minute_ago = (step * 100).saturating_sub(60_000) / 100;
            let since = history.since(at(step * 100));
            assert!(since <= minute_ago && minute_ago - since <= 10, "{since} of {minute_ago}");
        }
    }
}
