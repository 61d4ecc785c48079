//! Finding the other peers of a torrent: announcing to trackers.
//!
//! [`Announcer`] keeps every torrent announced at its trackers until it is told to stop; peers come out of a bounded
//! channel, the state of every tracker out of [`Handle::status`].
//!
//! ```text
//!  Handle ── commands ──> driver ── Job ──> transport ──> http | udp ──> tracker
//!                           │  ^               │  per-host slots, name cache
//!              schedule ────┘  └── Outcome ────┘
//! ```
//!
//! [`Schedule`] decides (tiers, intervals, back-off, events) and does no IO; `transport` and what is under it talk and
//! decide nothing. Rules implemented: BEP 3, 7, 12, 15, 23, 24, 27, 31, 41, 48.

mod announcer;
pub mod client;
mod datagram;
mod driver;
mod error;
mod hosts;
mod http;
mod reply;
mod request;
mod resolve;
mod schedule;
mod status;
mod trackers;
mod transport;
mod udp;

pub use announcer::{Announced, Announcer, Config, Farewell, Found, Handle};
pub use error::{AnnounceError, Retry};
pub use reply::{Reply, Scrape};
pub use request::{Event, Family, Stats, StatsSource};
pub use schedule::{Endpoint, Job, Reach, Schedule, Spread};
pub use status::{EndpointStatus, TrackerStatus};
pub use trackers::{BadTracker, TrackerUrl, Trackers, parse_tiers};
