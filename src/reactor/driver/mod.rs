//! One interface to the kernel's readiness and completions, two drivers behind it.
//!
//! A driver tells what happened: somebody connected, bytes arrived, a socket takes bytes again, a cold range is in
//! memory, mail lies in the box. It never sends, never parses and never decides. The loop above it is generic over
//! [`Driver`] and cannot tell the two apart:
//!
//! | | io_uring | epoll |
//! |---|---|---|
//! | accept | multishot, one operation a listener | `accept4` until empty, bounded per wait |
//! | receive | multishot into a ring of provided buffers | `recv` into a pool, bounded per socket and wait |
//! | writable | multishot poll, edge | edge of the one registration |
//! | page in | `MADVISE` in the kernel's workers | threads of ours |
//!
//! A connection is named by a [`Token`]: a slot and its generation. A driver never reports a token after
//! [`Driver::forget`] took it, whatever the kernel still had under way, so a slot may be given away at once.
//!
//! A driver belongs to the thread that made it; only its [`Waker`] crosses threads.

mod accept;
mod buffers;
mod choice;
mod epoll;
mod interface;
mod page_in;
mod paging;
mod provided;
mod queue;
mod ring;
mod table;
#[cfg(test)]
mod tests;
mod waker;

pub use buffers::Buffer;
pub use choice::{DriverChoice, RingRefused, probe};
pub use epoll::EpollDriver;
pub use interface::{Counts, Driver, DriverConfig, Event, MemoryRange, Token};
pub use queue::TaskRun;
pub use ring::RingDriver;
pub use waker::Waker;
