//! What every front end is given.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::limits::API_LISTENERS;
use crate::session::seedbox::Seedbox;

use super::guard::Guard;
use super::journal::Journal;

/// Shared by all front ends.
pub struct Context {
    /// The torrents.
    pub seedbox: Seedbox,
    /// Who may come in.
    pub guard: Guard,
    /// Metrics are shown to whoever asks, without the token.
    pub open_metrics: bool,
    /// Metrics tell of each torrent, whether that was asked for or not.
    pub metrics_per_torrent: bool,
    /// The latest lines of the log.
    pub journal: Arc<Journal>,
    /// Places for clients that hear of events.
    pub(super) listeners: Arc<Semaphore>,
}

impl Context {
    /// Behind `guard`, metrics included.
    pub fn new(seedbox: Seedbox, guard: Guard) -> Context {
        Context {
            seedbox,
            guard,
            open_metrics: false,
            metrics_per_torrent: false,
            journal: Arc::default(),
            listeners: Arc::new(Semaphore::new(API_LISTENERS)),
        }
    }
}
