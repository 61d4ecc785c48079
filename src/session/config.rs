//! How a session is set up, and why it may not be.

use std::net::IpAddr;

use crate::discovery;
use crate::tracker;

use super::fleet::{FleetConfig, FleetError};

/// How a session runs.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its reactors.
    pub fleet: FleetConfig,
    /// Where peers reach us; empty: the addresses of this host.
    pub external: Vec<IpAddr>,
    /// Runs a tracker of its own.
    pub tracker: Option<TrackerChoice>,
    /// Trackers beside those of the torrents; private torrents do not use them.
    pub added_trackers: Vec<String>,
    /// Shows pieces of complete torrents one by one until there is a second seed (BEP 16).
    pub super_seed: bool,
    /// Serves files by HTTP on the port for peers, but for those of private torrents (BEP 19).
    pub web_seed: bool,
}

/// The embedded tracker's port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrackerChoice {
    /// 6969, or another that is free.
    AnyPort,
    /// This one.
    Port(u16),
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The reactors.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The embedded tracker.
    #[error(transparent)]
    Tracker(#[from] tracker::StartError),
    /// A tracker URL that cannot be used.
    #[error("tracker {url}: {cause}")]
    BadTracker {
        /// As it was given.
        url: String,
        /// Why.
        cause: discovery::BadTracker,
    },
    /// No threads to check and write pieces.
    #[error("cannot start to check pieces: {0}")]
    Intake(std::io::Error),
    /// All peers of a download have to be on one reactor.
    #[error(
        "downloads need one reactor: set network.reactors = 1 and start again; what is complete is seeded by any number"
    )]
    ManyReactors,
    /// The embedded tracker is full.
    #[error(transparent)]
    Full(#[from] tracker::Full),
}
