//! The state of the seedbox, by its public face: what goes in comes out again, whatever happens in between; and what other programs
//! kept comes in as it was.

mod basics;
mod carry;
mod child;
mod crash;
mod damage;
mod faults;
mod foreign;
#[path = "../clients/namespace.rs"]
#[allow(dead_code, reason = "the tests with clients use the rest")]
mod namespace;
#[path = "../clients/process.rs"]
#[allow(dead_code, reason = "the tests with clients use the rest")]
mod process;
mod programs;
mod scale;
mod scene;
