//! The benchmark swarm: simulated leechers that measure a seeder, ours or any other.
//!
//! It has its own protocol code and IO path, so that a bug shared with the seeder cannot hide. What it measured is an
//! [`Outcome`]; `report` turns outcomes into a table, JSON and pictures.
//!
//! ```text
//! swarm     a run: threads, phases, the outcome
//! thread    one epoll and its leechers, without anything shared on the way
//! leecher   one connection: connect, ask, take, leave
//! stream    from bytes to events; takes whole runs of blocks unread
//! socket    the system calls
//! ```

mod identity;
mod leecher;
mod machine;
mod meter;
mod outcome;
mod phase;
mod picker;
mod pieces;
mod plan;
mod process;
mod protocol;
pub mod report;
mod socket;
mod source;
mod stream;
mod swarm;
mod thread;

pub use machine::Machine;
pub use outcome::{Limit, Mode, Order, Outcome, SeederUse, ThreadUse};
pub use plan::{Behaviour, Plan};
pub use process::{ENDED, Measuring, OwnThreads, ProcessError, Seeder};
pub use report::Report;
pub use source::{Source, SourceError};
pub use swarm::{LoadError, Progress, run};
