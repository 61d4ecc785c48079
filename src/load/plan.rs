//! What a run is to do.

use std::net::SocketAddr;
use std::time::Duration;

use crate::metainfo::Metainfo;

use super::{Mode, Order};

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name in the report.
    pub scenario: String,
    /// The seeder.
    pub target: SocketAddr,
    /// What it seeds.
    pub torrent: Metainfo,
    /// Leechers connected at once.
    pub peers: usize,
    /// Those of them that ask for data; the others are connected and silent.
    pub active: usize,
    /// Requests in flight of each.
    pub depth: usize,
    /// What becomes of the payload.
    pub mode: Mode,
    /// Order of the pieces.
    pub order: Order,
    /// How the active ones behave.
    pub behaviour: Behaviour,
    /// Before the measured time, with all leechers at work.
    pub warm_up: Duration,
    /// The measured time at most.
    pub duration: Duration,
    /// Payload after which it ends before that.
    pub bytes: Option<u64>,
    /// Threads of the load.
    pub threads: usize,
    /// Processors that these are pinned to, one each, in turn; none: they are not pinned.
    pub cpus: Vec<usize>,
    /// Whether threads that have nothing to do spin for a while before they sleep.
    pub spin: bool,
    /// Congestion control of the leechers' sockets.
    pub congestion: Option<String>,
    /// Processes of the seeder, for what it uses; may be none.
    pub seeder: Vec<i32>,
    /// Source of all randomness.
    pub seed: u64,
}

/// How leechers behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Behaviour {
    /// Each takes what it can get, for as long as the run lasts.
    #[default]
    Steady,
    /// Each leaves after that many pieces, and a new one comes in its place.
    Churn {
        /// Pieces that each takes.
        pieces: u32,
    },
    /// Each reads that many bytes a second and no more, with a small receive buffer.
    Slow {
        /// Bytes a second.
        rate: u64,
    },
}

impl Plan {
    /// A leecher may wait that long for its connection and handshake: slow clients accept a few hundred a second.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(15) + Duration::from_millis(4) * u32::try_from(self.peers).unwrap_or(u32::MAX)
    }
}
