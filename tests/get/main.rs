//! `sower get` through what happens to downloads: every way to end and to go on, kills, faults of disks, peers and people.
//!
//! What is missing on this machine (root, for the tests that mount something) is named by a line that starts with SKIPPED.

mod disks;
mod ends;
#[path = "../clients/getter.rs"]
mod getter;
mod kills;
mod peers;
mod places;
mod scene;
mod shapes;
#[path = "../clients/shared.rs"]
mod shared;

use shared::{content, namespace, process, program, seeder};
