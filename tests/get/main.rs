//! `sower get` through what happens to downloads: every way to end and to go on, kills, faults of disks, peers and people.
//!
//! What is missing on this machine (root, for the tests that mount something) is named by a line that starts with SKIPPED.

#[path = "../clients/content.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod content;
mod disks;
mod ends;
#[path = "../clients/getter.rs"]
mod getter;
mod kills;
#[path = "../clients/namespace.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod namespace;
mod peers;
mod places;
#[path = "../clients/process.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod process;
#[path = "../clients/program.rs"]
mod program;
mod scene;
#[path = "../clients/seeder.rs"]
#[allow(dead_code, reason = "the client tests use the rest")]
mod seeder;
mod shapes;
