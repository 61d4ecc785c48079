//! Sessions: callers who showed the token once and are known by a cookie since.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

use super::secret;
use crate::limits::API_SESSIONS;

/// Without a request for so long, a session ends. A page that is open asks all the time.
const IDLE: Duration = Duration::from_hours(24);
/// Then it ends in any case.
const AGE: Duration = Duration::from_hours(30 * 24);

/// Tells one session from all others of this process; never used again. For what a front end remembers of each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionKey(pub u64);

struct Session {
    key: SessionKey,
    sid: String,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.used) > IDLE || now.duration_since(self.opened) > AGE
    }
}

/// All of them. When there are too many, the one that was not used for longest makes room.
#[derive(Default)]
pub(super) struct Sessions {
    open: Vec<Session>,
    opened: u64,
}

impl Sessions {
    pub(super) fn open(&mut self, now: Instant) -> String {
        self.open.retain(|session| !session.is_over(now));
        if self.open.len() >= API_SESSIONS
            && let Some(at) = (0..self.open.len()).min_by_key(|&at| self.open[at].used)
        {
            self.open.swap_remove(at);
        }
        self.opened += 1;
        let sid = secret::fresh();
        self.open.push(Session { key: SessionKey(self.opened), sid: sid.clone(), opened: now, used: now });
        sid
    }

    /// Compares with all of them, so that the time says nothing: a few microseconds.
    pub(super) fn key(&mut self, sid: &str, now: Instant) -> Option<SessionKey> {
        let mut found = None;
        for session in &mut self.open {
            if bool::from(session.sid.as_bytes().ct_eq(sid.as_bytes())) && !session.is_over(now) {
                session.used = now;
                found = Some(session.key);
            }
        }
        found
    }

    pub(super) fn close(&mut self, sid: &str) {
        self.open.retain(|session| !bool::from(session.sid.as_bytes().ct_eq(sid.as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_its_age() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let sid = sessions.open(start);
        let mut now = start;
        while now + IDLE / 2 < start + AGE {
            now += IDLE / 2;
            assert!(sessions.key(&sid, now).is_some());
        }
        assert!(sessions.key(&sid, now + IDLE / 2 + IDLE / 2).is_none(), "too old, though it was used");
        let other = sessions.open(start);
        assert!(sessions.key(&other, start + IDLE + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn the_one_not_used_for_longest_makes_room() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let second = |seconds: usize| start + Duration::from_secs(seconds as u64);
        let sids: Vec<String> = (0..API_SESSIONS).map(|at| sessions.open(second(at))).collect();
        let first = sessions.key(&sids[0], second(API_SESSIONS));
        let late = sessions.open(second(API_SESSIONS + 1));
        assert_eq!(sessions.open.len(), API_SESSIONS);
        assert!(sessions.key(&sids[1], second(API_SESSIONS + 1)).is_none(), "it made room");
        assert_eq!(sessions.key(&sids[0], second(API_SESSIONS + 1)), first, "used since");
        assert_ne!(sessions.key(&late, second(API_SESSIONS + 1)), first, "keys are not used again");
        sessions.close(&late);
        assert!(sessions.key(&late, second(API_SESSIONS + 1)).is_none());
    }
}
