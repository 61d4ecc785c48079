//! When which tracker of one torrent is told what. Pure: time, randomness and outcomes come in, [`Job`]s go out.
//!
//! An *endpoint* is one tracker over one address family; each has a clock and a back-off of its own, so one family that
//! fails does not fail the tracker. A *tier* (BEP 12) is walked from its front: the first tracker that works, is untried
//! or whose back-off is over is the one in use; who answers moves to the front.
//!
//! ```text
//!            reply                      failure
//!  Untried ─────────> Live ───────────────────────> Failing (back-off) ──> tried again
//!     │  no address of this family                    │ tracker said "never"
//!     └───────────────────────> Absent (looked up     └────> Never
//!                               again later)
//! ```

use std::time::Duration;

use super::error::Retry;
use super::request::{Event, Family};
use crate::clock::Time;
use crate::limits;

/// Which trackers of a torrent are used at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// One in all: the strict reading of BEP 12. Private torrents always do this (BEP 27).
    OneTracker,
    /// One of each tier. The default: trackers within a tier stand for each other, but tiers in use are lists
    /// of unrelated trackers with swarms of their own, and a seed wants to be found in all of them.
    #[default]
    EachTier,
    /// Every one.
    EveryTracker,
}

/// One tracker over one family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// Place of the tracker, counted over all tiers as they were given.
    pub tracker: usize,
    /// Family.
    pub family: Family,
}

/// An announce to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// To whom.
    pub endpoint: Endpoint,
    /// What to say.
    pub event: Event,
}

/// The announce times of one torrent. After each call, [`Schedule::poll`] until `None`, then sleep until
/// [`Schedule::next_timeout`].
///
/// A seedbox has one for each of its torrents, so it is kept small: with one tracker, 110 bytes in all.
#[derive(Clone, Debug)]
pub struct Schedule {
    reach: Reach,
    /// Trackers, preferred first within each tier, tier after tier.
    order: Box<[u16]>,
    /// Where each tier ends in `order`.
    ends: Box<[u16]>,
    trackers: Box<[[State; 2]]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Untried,
    Live,
    Failing,
    Absent,
    Never,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    next: Time,
    /// End of the tracker's `min interval`.
    earliest: Time,
    failures: u8,
    in_flight: Option<Event>,
    told_started: bool,
    owes_completed: bool,
}

const BACKOFF_FIRST: Duration = Duration::from_secs(30);
const BACKOFF_MAX: Duration = Duration::from_secs(60 * 60);
/// Names gain and lose addresses rarely, and the look-up is cached.
const ABSENT_RECHECK: Duration = Duration::from_secs(30 * 60);

impl Schedule {
    /// `tiers` says for each tracker of each tier which families it can have at all. The order within a tier is
    /// shuffled (BEP 12). Nothing is announced before `start`.
    pub fn new(reach: Reach, tiers: &[Vec<[bool; 2]>], start: Time, rng: &mut fastrand::Rng) -> Schedule {
        let mut schedule = Schedule { reach, order: Box::default(), ends: Box::default(), trackers: Box::default() };
        schedule.set_trackers(tiers, &[], start, rng);
        schedule
    }

    /// Other trackers from now on. `known` says for each, in order, which of the old ones it is: those go on as they were. Nothing is
    /// announced to the others before `start`. Who is not among them any more has to be told by [`Schedule::parting`] before.
    pub fn set_trackers(
        &mut self,
        tiers: &[Vec<[bool; 2]>],
        known: &[Option<usize>],
        start: Time,
        rng: &mut fastrand::Rng,
    ) {
        let new = |possible: bool| State {
            phase: if possible { Phase::Untried } else { Phase::Never },
            next: start,
            earliest: start,
            failures: 0,
            in_flight: None,
            told_started: false,
            owes_completed: false,
        };
        let known = known.iter().copied().chain(std::iter::repeat(None));
        let state = |(possible, known): (&[bool; 2], Option<usize>)| {
            known.map_or_else(|| possible.map(new), |known| self.trackers[known])
        };
        let trackers: Box<[[State; 2]]> = tiers.iter().flatten().zip(known).map(state).collect();
        let works = |tracker: &u16| trackers[usize::from(*tracker)].iter().any(|state| state.phase == Phase::Live);
        let (mut order, mut ends) = (Vec::new(), Vec::new());
        for tier in tiers {
            let first = order.len();
            order.extend((first..first + tier.len()).map(|place| u16::try_from(place).unwrap_or(u16::MAX)));
            rng.shuffle(&mut order[first..]);
            // one that works is not left for one that is not known
            order[first..].sort_by_key(|tracker| !works(tracker));
            ends.push(u16::try_from(order.len()).unwrap_or(u16::MAX));
        }
        (self.order, self.ends, self.trackers) = (order.into(), ends.into(), trackers);
    }

    /// The next announce that is due, if any. It counts as in flight until its outcome is handled.
    pub fn poll(&mut self, now: Time) -> Option<Job> {
        let endpoint = self.in_use(now).flat_map(endpoints_of).find(|&endpoint| {
            let state = self.state(endpoint);
            state.in_flight.is_none() && state.phase != Phase::Never && state.next <= now
        })?;
        let state = self.state_mut(endpoint);
        let event = match state {
            State { told_started: false, .. } => Event::Started,
            State { owes_completed: true, .. } => Event::Completed,
            _ => Event::Regular,
        };
        state.in_flight = Some(event);
        Some(Job { endpoint, event })
    }

    /// When [`Schedule::poll`] will have something again, unless an outcome comes first.
    pub fn next_timeout(&self, now: Time) -> Option<Time> {
        let used = self.in_use(now).flat_map(endpoints_of).map(|endpoint| self.state(endpoint));
        // trackers that are passed over come back into use when their back-off ends
        let waiting = self.passed_over(now).filter_map(|tracker| self.retry_at(tracker));
        let due = used.filter(|state| state.in_flight.is_none() && state.phase != Phase::Never).map(|state| state.next);
        due.chain(waiting).min()
    }

    /// The tracker answered. `interval` and `min_interval` are its own words; they are bounded here.
    pub fn handle_reply(
        &mut self,
        endpoint: Endpoint,
        interval: Duration,
        min_interval: Option<Duration>,
        now: Time,
        rng: &mut fastrand::Rng,
    ) {
        let least = min_interval.map_or(Duration::ZERO, sane);
        let wait = sane(interval).max(least);
        let state = self.state_mut(endpoint);
        match state.in_flight.take() {
            Some(Event::Started) => state.told_started = true,
            Some(Event::Completed) => state.owes_completed = false,
            _ => {}
        }
        state.phase = Phase::Live;
        state.failures = 0;
        state.earliest = now + least;
        // never early; a little late, so that torrents which started together drift apart
        state.next = if state.owes_completed { now } else { now + wait + wait.mul_f64(rng.f64() / 20.0) };
        self.promote(endpoint.tracker);
    }

    /// The announce failed.
    pub fn handle_failure(&mut self, endpoint: Endpoint, retry: Retry, now: Time, rng: &mut fastrand::Rng) {
        let state = self.state_mut(endpoint);
        state.in_flight = None;
        state.failures = state.failures.saturating_add(1);
        state.phase = if retry == Retry::Never { Phase::Never } else { Phase::Failing };
        let asked = if let Retry::After(wait) = retry { sane(wait) } else { Duration::ZERO };
        state.next = now + backoff(state.failures.into(), rng).max(asked);
    }

    /// The tracker has no address of that family. Not a failure.
    pub fn handle_absent(&mut self, endpoint: Endpoint, now: Time) {
        let state = self.state_mut(endpoint);
        state.in_flight = None;
        state.phase = Phase::Absent;
        state.next = now + ABSENT_RECHECK;
    }

    /// The download became complete: everyone who was told `started` before is told so, at once. Not to be called for
    /// torrents that were complete from the start (BEP 3).
    pub fn handle_completed(&mut self, now: Time) {
        for state in self.trackers.iter_mut().flatten() {
            state.owes_completed = state.told_started || state.in_flight == Some(Event::Started);
            if state.phase == Phase::Live {
                state.next = now;
            }
        }
    }

    /// Another process has told this tracker `started` in our name.
    pub fn handle_told(&mut self, tracker: usize) {
        self.trackers[tracker].iter_mut().for_each(|state| state.told_started = true);
    }

    /// Whether a tracker knows of us, over either family.
    pub fn is_told(&self, tracker: usize) -> bool {
        self.trackers[tracker].iter().any(|state| state.told_started)
    }

    /// The operator wants an announce now. A `min interval` is still respected, back-off and "never" are not.
    pub fn handle_wish(&mut self, now: Time, possible: impl Fn(Endpoint) -> bool) {
        for tracker in 0..self.trackers.len() {
            for endpoint in endpoints_of(tracker) {
                let state = self.state_mut(endpoint);
                if state.phase == Phase::Never && possible(endpoint) {
                    state.phase = Phase::Failing;
                }
                state.next = state.next.min(now.max(state.earliest));
            }
        }
    }

    /// An announce that was given out and has not left: it is as if it had not been asked for.
    pub fn recall(&mut self, endpoint: Endpoint) {
        self.state_mut(endpoint).in_flight = None;
    }

    /// What is in flight to an endpoint.
    pub fn in_flight(&self, endpoint: Endpoint) -> Option<Event> {
        self.state(endpoint).in_flight
    }

    /// Ends the schedule: who has to be told `stopped`. Those whose `started` is in flight may have it already.
    pub fn stop(self) -> Vec<Job> {
        (0..self.trackers.len()).flat_map(|tracker| self.parting(tracker)).collect()
    }

    /// What has to be told to a tracker that is left.
    pub fn parting(&self, tracker: usize) -> impl Iterator<Item = Job> {
        let told = |endpoint: &Endpoint| {
            let state = self.state(*endpoint);
            state.told_started || state.in_flight.is_some()
        };
        endpoints_of(tracker).filter(told).map(|endpoint| Job { endpoint, event: Event::Stopped })
    }

    /// When this endpoint is next due; `None` while it is in flight, not in use or given up.
    pub fn due(&self, endpoint: Endpoint, now: Time) -> Option<Time> {
        let state = self.state(endpoint);
        let waits = state.in_flight.is_none() && state.phase != Phase::Never;
        let reachable = state.phase == Phase::Failing || self.in_use(now).any(|tracker| tracker == endpoint.tracker);
        (waits && reachable).then_some(state.next)
    }

    fn state(&self, endpoint: Endpoint) -> &State {
        &self.trackers[endpoint.tracker][index(endpoint.family)]
    }

    fn state_mut(&mut self, endpoint: Endpoint) -> &mut State {
        &mut self.trackers[endpoint.tracker][index(endpoint.family)]
    }

    fn tier(&self, number: usize) -> &[u16] {
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.order[usize::from(from)..usize::from(self.ends[number])]
    }

    /// Lists of which one tracker each is used.
    fn groups(&self) -> impl Iterator<Item = &[u16]> {
        let count = match self.reach {
            Reach::OneTracker => usize::from(!self.order.is_empty()),
            Reach::EachTier => self.ends.len(),
            Reach::EveryTracker => self.order.len(),
        };
        (0..count).map(|number| match self.reach {
            Reach::OneTracker => &self.order[..],
            Reach::EachTier => self.tier(number),
            Reach::EveryTracker => &self.order[number..=number],
        })
    }

    fn in_use(&self, now: Time) -> impl Iterator<Item = usize> {
        self.groups().filter_map(move |group| {
            group.iter().map(|&tracker| tracker.into()).find(|&tracker| self.usable(tracker, now))
        })
    }

    /// Trackers that stand before the one in use and wait for their back-off.
    fn passed_over(&self, now: Time) -> impl Iterator<Item = usize> {
        self.groups().flat_map(move |group| {
            group.iter().map(|&tracker| tracker.into()).take_while(move |&tracker| !self.usable(tracker, now))
        })
    }

    fn usable(&self, tracker: usize, now: Time) -> bool {
        let works = |state: &State| state.in_flight.is_some() || matches!(state.phase, Phase::Live | Phase::Untried);
        self.trackers[tracker].iter().any(works) || self.retry_at(tracker).is_some_and(|time| time <= now)
    }

    fn retry_at(&self, tracker: usize) -> Option<Time> {
        // an absent family alone is no reason to come back: the name would have to gain an address
        let failing = self.trackers[tracker].iter().filter(|state| state.phase == Phase::Failing);
        failing.map(|state| state.next).min()
    }

    fn promote(&mut self, tracker: usize) {
        let Some(place) = self.order.iter().position(|&other| usize::from(other) == tracker) else { return };
        let ends = self.ends.iter().map(|&end| usize::from(end));
        let first = ends.take_while(|&end| end <= place).last().unwrap_or(0);
        self.order[first..=place].rotate_right(1);
    }
}

fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

fn endpoints_of(tracker: usize) -> impl Iterator<Item = Endpoint> {
    Family::ALL.into_iter().map(move |family| Endpoint { tracker, family })
}

/// A time that a tracker named, within bounds.
fn sane(wait: Duration) -> Duration {
    wait.clamp(
        Duration::from_secs(limits::ANNOUNCE_INTERVAL_SECONDS_MIN),
        Duration::from_secs(limits::ANNOUNCE_INTERVAL_SECONDS_MAX),
    )
}

/// Doubles with each failure; a quarter up or down, so that those who failed together do not come back together.
fn backoff(failures: u32, rng: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (BACKOFF_FIRST * 2u32.pow(doublings)).min(BACKOFF_MAX).mul_f64(0.75 + rng.f64() / 2.0)
}

#[cfg(test)]
mod tests;
