//! The embedded tracker: HTTP and UDP on one port number, IPv4 and IPv6, over one memory of swarms.
//!
//! ```text
//!  udp   recvmmsg -> packet -> answer \                        / pure: who takes part in what
//!                                      desk -> registry -> swarm
//!  http  hyper -> axum -> query, reply /       16 locks        \ bounded, seeded, timed by arguments
//! ```
//!
//! It runs threads of its own, one for each protocol unless told otherwise, because serving announces must neither wait
//! for nor hold up the control thread. The only things shared are the registry's shards and counters.

mod counters;
mod desk;
mod http;
mod registry;
mod service;
mod sockets;
mod stats;
pub mod swarm;
mod udp;

pub use counters::Counts;
pub use http::{Crowd, Seat, network};
pub use service::{Config, Full, StartError, Tracker, TrackerHandle};
pub use stats::{Stats, TorrentStats};
pub use swarm::OwnSeeder;
