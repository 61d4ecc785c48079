//! Announces by what became of them, for who watches over many.

use super::error::AnnounceError;
use super::reply::Reply;

/// Numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcomes {
    /// Answered.
    pub answered: u64,
    /// The tracker said no.
    pub refused: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// No way to the tracker: names, routes, closed ports, TLS. While a host is known to be down, its torrents' announces count as well, none
    /// of which leaves.
    pub unreachable: u64,
    /// Something else than a tracker's answer.
    pub malformed: u64,
}

impl Outcomes {
    /// Counts one. That a name has no address of one family is no failure, and not counted.
    pub(super) fn count(&mut self, outcome: &Result<Reply, AnnounceError>) {
        use AnnounceError::{Failure, Malformed, NoAddress, Redirects, Status, Timeout, TooLarge};
        let counter = match outcome {
            Ok(_) => &mut self.answered,
            Err(NoAddress { .. }) => return,
            Err(Failure { .. }) => &mut self.refused,
            Err(Timeout { .. }) => &mut self.timed_out,
            Err(Malformed(_) | Redirects | Status(_) | TooLarge) => &mut self.malformed,
            Err(_) => &mut self.unreachable,
        };
        *counter += 1;
    }

    /// All of them, by name.
    pub fn each(&self) -> [(&'static str, u64); 5] {
        [
            ("answered", self.answered),
            ("refused", self.refused),
            ("timed out", self.timed_out),
            ("unreachable", self.unreachable),
            ("malformed", self.malformed),
        ]
    }
}

/// How busy a tracker host is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostLoad {
    /// Host, port and family, as `host:port (IPv4)`.
    pub host: String,
    /// Announces that wait for their turn.
    pub waiting: usize,
    /// Announces that were sent and are not answered.
    pub in_flight: usize,
}
