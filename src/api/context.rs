//! What every front end is given.

use crate::session::seedbox::Seedbox;

use super::guard::Guard;

/// Shared by all front ends.
pub struct Context {
    /// The torrents.
    pub seedbox: Seedbox,
    /// Who may come in.
    pub guard: Guard,
    /// Metrics are shown to whoever asks, without the token.
    pub open_metrics: bool,
}

impl Context {
    /// Behind `guard`, metrics included.
    pub fn new(seedbox: Seedbox, guard: Guard) -> Context {
        Context { seedbox, guard, open_metrics: false }
    }
}
