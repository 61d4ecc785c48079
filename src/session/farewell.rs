//! Peers get what they have asked for before the session ends.
//!
//! Trackers hear `stopped` after that, with the last byte in their numbers (BEP 3), also where a service manager starts the daemon again at
//! once: that cannot be known here, and an address that nobody answers at would be given to others for half an hour. A restart without
//! a `stopped` is a [`Handover`](super::Handover).

use std::time::{Duration, Instant};

use super::seeding::Session;

/// Between two looks at how far the reactors are.
const LOOK: Duration = Duration::from_millis(10);

impl Session {
    /// Lets everybody go in order, at most for `grace`; those who are there then are cut off by what follows.
    pub(super) async fn wind_down(&mut self, grace: Duration) {
        if grace.is_zero() {
            return;
        }
        let end = Instant::now() + grace;
        self.fleet.wind_down();
        while !self.fleet.is_over() && Instant::now() < end {
            tokio::time::sleep(LOOK).await;
        }
    }
}
