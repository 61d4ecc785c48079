//! `sower daemon` as Transmission: driven by `transmission-remote`, by the Python package transmission-rpc, by requests as Sonarr,
//! cross-seed, Flood and autobrr send them, and by hostile ones. What happened is looked up another way: on disk, or by the other
//! client.
//!
//! What is missing on this machine is named by a line that starts with SKIPPED.

mod daemon;
mod downloads;
mod gate;
mod hostile;
#[path = "../clients/process.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod process;
mod programs;
mod python;
mod remote;
mod torrents;
mod trackers;
