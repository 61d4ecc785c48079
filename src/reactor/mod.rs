//! The loop that moves bytes: one thread, one driver, one shard.
//!
//! A turn of the loop: wait for events, apply them to the shard, read the mailbox, hand control bytes to sockets, serve
//! turns, take connections down. Everything that crosses threads is bounded: commands come through [`Mailbox`] (full: the
//! sender keeps the command and tries again), connections that another reactor accepted too (full: that one serves them, see
//! [`Spread`]), numbers leave as the latest [`Snapshot`] (full: the old one is replaced).

mod admission;
mod checking;
pub mod congestion;
mod download;
pub mod driver;
mod event_loop;
mod farewell;
mod mailbox;
mod options;
mod paging;
mod serving;
pub mod sockets;
mod spread;
mod start;
mod stopwatch;
#[cfg(test)]
mod tests;
mod turn_times;
mod wanted;

pub use admission::Admission;
pub use download::{Attachment, DownloadOrder, PieceSink};
pub use mailbox::{Command, Mailbox, Reply, Serving, Snapshot};
pub use paging::PagingCounters;
pub use spread::{Place, Spread};
pub use start::{Reactor, ReactorConfig, StartError, start};
pub use turn_times::{Step, TurnTimes};
pub use wanted::Wanted;
