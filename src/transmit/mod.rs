//! Sending without copying: chunks, the header arena, pipes, the three sending paths.
//!
//! A chunk is up to sixteen blocks with their 13-byte headers, handed to the kernel by reference:
//!
//! ```text
//! header arena  H  H  H ...          mapped file  [block]   [block] ...
//!                \  \                                /        /
//!                 vmsplice  H block H block H block ...  -> pipe -> splice -> socket
//! ```
//!
//! The blocks of an HTTP answer go the same way without headers. For these, sendfile(2) was measured as well: it moves 64 KiB
//! at a time through a pipe of its own, and took 1.1 (50 connections) to 1.4 times (1) the processor time of this way.
//!
//! Where that is not to be had (no pipe free, a system call filter) the same list of addresses goes through `sendmsg`, which
//! copies once, or through `sendmsg` with MSG_ZEROCOPY for real network cards.

mod arena;
mod chunk;
mod counters;
mod mode;
mod outgoing;
mod pipe;
mod repeat;
mod socket;
mod transmitter;

#[cfg(test)]
mod tests;

pub use chunk::Chunk;
pub use counters::Counters;
pub use mode::SendMode;
pub use outgoing::Outgoing;
pub use transmitter::{Progress, SendError, Sent, Transmitter};
