//! Listeners, and what a failed accept means for them.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// Rest of a listener that met a lack of descriptors or memory. Long enough to cost nothing, short enough that nobody who
/// waits in the backlog gives up.
const PAUSE: Duration = Duration::from_millis(100);

/// Until when a listener rests after `error`; `None` if only that one connection was at fault (accept(2) hands
/// its network errors over), and the next may be taken at once.
pub(super) fn rest_after(error: Errno) -> Option<Instant> {
    let connection_only = [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::PROTO,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::NETUNREACH,
        Errno::NOTCONN,
    ];
    (!connection_only.contains(&error)).then(|| Instant::now() + PAUSE)
}

/// The shorter of the caller's timeout and the rest of `until`.
pub(super) fn shorten(timeout: Option<Duration>, until: Option<Instant>) -> Option<Duration> {
    let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
    match (timeout, rest) {
        (Some(timeout), Some(rest)) => Some(timeout.min(rest)),
        (timeout, rest) => timeout.or(rest),
    }
}

/// A listening socket, and whether it may be asked for connections.
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) rests_until: Option<Instant>,
}

impl Listener {
    pub(super) fn new(socket: OwnedFd) -> Listener {
        Listener { socket, rests_until: None }
    }
}

/// Has `wake` begin again with the listeners that have rested; tells when the next one will have.
pub(super) fn end_rests(listeners: &mut [Listener], mut wake: impl FnMut(u32, &Listener)) -> Option<Instant> {
    let mut next = None;
    for (index, listener) in (0..).zip(listeners) {
        match listener.rests_until {
            Some(until) if until <= Instant::now() => {
                listener.rests_until = None;
                wake(index, listener);
            }
            Some(until) => next = Some(next.map_or(until, |other: Instant| other.min(until))),
            None => {}
        }
    }
    next
}
