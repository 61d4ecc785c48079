//! The benchmark swarm: simulated leechers that measure a seeder, ours or any other.
//!
//! It has its own protocol code and IO path, so that a bug shared with the seeder cannot hide. What it measured is an
//! [`Outcome`]; `report` turns outcomes into a table, JSON and pictures.

mod machine;
mod outcome;
mod process;
pub mod report;

pub use machine::Machine;
pub use outcome::{Limit, Mode, Order, Outcome, SeederUse, ThreadUse};
pub use process::{ENDED, Measuring, OwnThreads, ProcessError, Seeder};
pub use report::Report;
