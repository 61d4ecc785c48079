//! What a failed accept means for the listener.

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
