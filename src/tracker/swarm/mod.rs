//! Who takes part in which torrent: the tracker's memory, without clock, socket, thread or randomness of its own.
//!
//! Announces go in with the time, answers come out as compact addresses. Everything is bounded; what happens at each
//! bound is written at [`Bounds`]. Peers are known by address and port: the address is the one the announce came from,
//! never one that a client claims (BEP 3 `ip=`), because a tracker that believes claims can be aimed at anybody.

mod announce;
mod index;
mod peers;
mod table;
#[cfg(test)]
mod tests;
mod torrent;

pub use announce::{Announce, Answer, Event, Refusal, Sample, Want};
pub use table::{Bounds, Swarms, TorrentCounts, Totals};
pub use torrent::OwnSeeder;
