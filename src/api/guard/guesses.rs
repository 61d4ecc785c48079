//! Wrong tokens, counted by address and in all.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::denied::Denied;
use crate::limits::API_GUESSERS;

/// Different wrong tokens that cost an address nothing: people mistype.
const FREE: u32 = 5;
/// The first wait after those; each further wrong token doubles it.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// After so long without a wrong token an address is forgotten.
const MEMORY: Duration = Duration::from_hours(1);
/// Wrong tokens that are remembered of an address, so that a repeated one is not counted again.
const REMEMBERED: usize = 4;
/// Different wrong tokens from everywhere in one [`WINDOW`], after which only addresses that have shown the right one are listened
/// to: a token is not guessed from a thousand places either.
const IN_ALL: u32 = 200;
/// See [`IN_ALL`].
const WINDOW: Duration = Duration::from_secs(60);

struct Guesser {
    wrong: u32,
    last: Instant,
    /// It is not listened to before.
    until: Option<Instant>,
    /// Keyed hashes of what it tried last.
    tried: [u64; REMEMBERED],
    /// It has shown the right token.
    known: bool,
}

/// See the module. It never holds more than [`API_GUESSERS`] addresses.
#[derive(Default)]
pub(super) struct Guesses {
    addresses: HashMap<IpAddr, Guesser>,
    /// Keyed by random numbers of this process, so that what it remembers of a password is of no use elsewhere.
    hash: RandomState,
    window: Option<Instant>,
    in_window: u32,
}

impl Guesses {
    /// Whether a token from `address` is looked at.
    pub(super) fn may_guess(&self, address: IpAddr, now: Instant) -> Result<(), Denied> {
        let guesser = self.addresses.get(&address);
        if let Some(wait) =
            guesser.and_then(|guesser| guesser.until?.checked_duration_since(now)).filter(|w| !w.is_zero())
        {
            return Err(Denied::Guessing { wait });
        }
        if guesser.is_some_and(|guesser| guesser.known) || self.in_window < IN_ALL {
            return Ok(());
        }
        match self.window.and_then(|begin| (begin + WINDOW).checked_duration_since(now)) {
            Some(wait) if !wait.is_zero() => Err(Denied::Guessing { wait }),
            _ => Ok(()),
        }
    }

    /// It was right: what went before is forgiven.
    pub(super) fn right(&mut self, address: IpAddr, now: Instant) {
        let guesser = self.entry(address, now);
        (guesser.wrong, guesser.until, guesser.last, guesser.known) = (0, None, now, true);
    }

    /// It was wrong.
    pub(super) fn wrong(&mut self, address: IpAddr, user: &str, password: &[u8], now: Instant) {
        let tried = self.hash.hash_one((user, password));
        let guesser = self.entry(address, now);
        guesser.last = now;
        if guesser.tried.contains(&tried) {
            return;
        }
        guesser.tried.rotate_right(1);
        guesser.tried[0] = tried;
        guesser.wrong = guesser.wrong.saturating_add(1);
        if let Some(doublings) = guesser.wrong.checked_sub(FREE + 1) {
            guesser.until = Some(now + WAIT_MIN.saturating_mul(1 << doublings.min(20)).min(WAIT_MAX));
        }
        self.count(now);
    }

    fn count(&mut self, now: Instant) {
        if self.window.is_none_or(|begin| now.duration_since(begin) >= WINDOW) {
            (self.window, self.in_window) = (Some(now), 0);
        }
        self.in_window += 1;
    }

    /// Of a full table, the one that was quiet for longest is forgotten.
    fn entry(&mut self, address: IpAddr, now: Instant) -> &mut Guesser {
        if !self.addresses.contains_key(&address) && self.addresses.len() >= API_GUESSERS {
            self.addresses.retain(|_, guesser| now.duration_since(guesser.last) < MEMORY);
            let oldest = self.addresses.iter().min_by_key(|(_, guesser)| guesser.last).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| self.addresses.len() >= API_GUESSERS) {
                self.addresses.remove(&oldest);
            }
        }
        let fresh = || Guesser { wrong: 0, last: now, until: None, tried: [0; REMEMBERED], known: false };
        let guesser = self.addresses.entry(address).or_insert_with(fresh);
        if now.duration_since(guesser.last) >= MEMORY {
            let known = guesser.known;
            *guesser = Guesser { known, ..fresh() };
        }
        guesser
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn second(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn different_wrong_tokens_cost_ever_longer_waits_and_the_right_one_ends_them() {
        let (mut guesses, mut now) = (Guesses::default(), Instant::now());
        let mut waits = Vec::new();
        for number in 0..20u32 {
            if let Err(Denied::Guessing { wait }) = guesses.may_guess(HERE, now) {
                waits.push(wait);
                now += wait;
            }
            assert!(guesses.may_guess(HERE, now).is_ok(), "a wait ends");
            guesses.wrong(HERE, "sower", &number.to_be_bytes(), now);
        }
        assert_eq!(waits[..4], [1, 2, 4, 8].map(Duration::from_secs));
        assert_eq!(waits.last(), Some(&WAIT_MAX));
        guesses.right(HERE, now);
        assert!(guesses.may_guess(HERE, now).is_ok());
    }

    /// Sixteen programs with the right token were refused now and then: one had looked at the clock just before another one's success,
    /// which was taken for a wait of some microseconds.
    #[test]
    fn success_makes_nobody_wait_not_even_who_looked_at_the_clock_before() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        guesses.right(HERE, second(now, 1));
        assert!(guesses.may_guess(HERE, now).is_ok());
    }

    #[test]
    fn a_program_that_repeats_one_wrong_token_locks_nobody_out() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        (0..10_000).for_each(|_| guesses.wrong(HERE, "sower", b"of yesterday", now));
        assert!(guesses.may_guess(HERE, now).is_ok());
    }

    #[test]
    fn guesses_from_a_thousand_places_stop_all_but_those_who_were_right() {
        let (mut guesses, start) = (Guesses::default(), Instant::now());
        guesses.right(HERE, start);
        let stranger = |number: u32| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number));
        let heard = (0..1_000u32).filter(|&number| {
            let may = guesses.may_guess(stranger(number), start).is_ok();
            if may {
                guesses.wrong(stranger(number), "sower", &number.to_be_bytes(), start);
            }
            may
        });
        assert_eq!(heard.count(), IN_ALL as usize);
        assert!(guesses.may_guess(HERE, start).is_ok());
        assert!(guesses.may_guess(stranger(2_000), second(start, 61)).is_ok(), "it passes");
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quiet() {
        let (mut guesses, start) = (Guesses::default(), Instant::now());
        for number in 0..u32::try_from(API_GUESSERS).expect("few") + 100 {
            let now = start + Duration::from_millis(u64::from(number));
            guesses.wrong(IpAddr::from(std::net::Ipv4Addr::from(number)), "sower", b"a", now);
        }
        assert_eq!(guesses.addresses.len(), API_GUESSERS);
        let mut again = Guesses::default();
        (0..20u8).for_each(|number| again.wrong(HERE, "sower", &[number], start));
        let later = start + WAIT_MAX + MEMORY;
        again.wrong(HERE, "sower", b"typo", later);
        assert!(again.may_guess(HERE, later).is_ok(), "an hour later it begins anew");
    }
}
