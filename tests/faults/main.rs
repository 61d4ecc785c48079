//! What the machine does to a daemon: disks that are full, broken, forbidden, gone or silent, trackers that lie, clocks that jump,
//! descriptors that run out.
//!
//! Each fault is made for real, under a real daemon with real clients. Each test asks the same three things: does the API say what is
//! wrong and what to do, is everything still there, and does all go on by itself once the fault is gone.

mod broken_disk;
mod clocks;
mod data;
mod descriptors;
#[path = "../api/http.rs"]
mod http;
mod mounts;
mod moves;
#[path = "../clients/namespace.rs"]
#[allow(dead_code, reason = "one family is enough here")]
mod namespace;
#[path = "../clients/process.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod process;
mod scene;
mod state;
mod trackers;
