//! Finding the other peers of a torrent: announcing to trackers.
//!
//! [`Announcer`] keeps every torrent announced at its trackers until it is told to stop; peers come out of a bounded
//! channel, the state of every tracker out of [`Handle::status`], and what has changed out of [`Announcer::take_changes`].
//!
//! ```text
//!  Handle ── commands ──> driver ── Job ──> queues ──> transport ──> http | udp ──> tracker
//!     ^                     │  ^          by host        │  name cache, kept connections
//!     └── board <───────────┤  └──────── Outcome ────────┘
//!                        schedule
//! ```
//!
//! [`Schedule`] decides (tiers, intervals, back-off, events) and does no IO, and neither do the queues, which hold so many
//! announces back that no tracker is stormed; `transport` and what is under it talk and decide nothing. Rules implemented: BEP 3, 7, 12, 15, 23, 24, 27, 31, 41, 48.

mod announcer;
mod board;
pub mod client;
mod datagram;
mod driver;
mod error;
mod hosts;
mod http;
mod outcomes;
mod queues;
mod reply;
mod request;
mod resolve;
mod schedule;
mod status;
mod torrent;
mod trackers;
mod transport;
mod udp;

pub use announcer::{Announced, Announcer, Config, Farewell, Found, Handle, Told};
pub use error::{AnnounceError, Retry};
pub use outcomes::{HostLoad, Outcomes};
pub use reply::{Reply, Scrape};
pub use request::{Event, Family, Stats, StatsSource};
pub use schedule::{Endpoint, Job, Reach, Schedule};
pub use status::{Change, EndpointStatus, Summary, TrackerStatus, Trouble};
pub use trackers::{BadTracker, TrackerUrl, Trackers, parse_tiers};
