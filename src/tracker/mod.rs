//! The embedded tracker.

pub mod swarm;
