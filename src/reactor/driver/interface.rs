//! What the reactor's loop sees of a driver.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::buffers::Buffer;
use super::waker::Waker;
use crate::ids::PeerKey;

/// Names a connection to the driver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// Place in the reactor's table of peers, below [`Token::SLOTS`].
    pub slot: u32,
    /// How often that place has been given away.
    pub generation: u32,
}

impl Token {
    /// Slots that a token can name: 24 of the 64 bits that the kernel carries for us.
    pub const SLOTS: u32 = 1 << 24;
}

impl From<PeerKey> for Token {
    fn from(key: PeerKey) -> Token {
        Token { slot: key.slot, generation: key.generation }
    }
}

impl From<Token> for PeerKey {
    fn from(token: Token) -> PeerKey {
        PeerKey { slot: token.slot, generation: token.generation }
    }
}

/// Something that happened since the last [`Driver::wait`].
#[derive(Debug)]
pub enum Event {
    /// A connection came in.
    Accepted {
        /// Non-blocking, closed on exec.
        socket: OwnedFd,
        /// Where it comes from; an IPv4 address mapped into IPv6 is given as IPv4.
        address: SocketAddr,
    },
    /// Bytes arrived, in the order in which they were sent.
    Received {
        /// Whose.
        token: Token,
        /// Read with [`Driver::bytes`], given back with [`Driver::release`].
        buffer: Buffer,
    },
    /// Nothing more will come for this token; it is still to be forgotten.
    Closed {
        /// Whose.
        token: Token,
        /// `None` at the end of the stream. A connect that failed ends here too.
        error: Option<io::Error>,
    },
    /// The socket takes bytes again, after a send met `EAGAIN`. A hint: it may come without need. It also comes once
    /// after [`Driver::adopt`], for a socket that was still connecting when the connection stands.
    Writable {
        /// Whose.
        token: Token,
    },
    /// A range asked for by [`Driver::page_in`] is in memory, or cannot be.
    PagedIn {
        /// As given.
        token: u64,
        /// `EFAULT`: the file ends before the range does.
        result: io::Result<()>,
    },
    /// Somebody called [`Waker::wake`]; one event stands for any number of calls.
    Mail,
}

/// Bytes of mapped memory, by number: nobody makes a reference into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryRange {
    /// First byte.
    pub address: usize,
    /// Bytes.
    pub length: usize,
}

/// Sizes a driver is made with.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// Connections to expect; more are possible, and cost an allocation.
    pub connections: usize,
    /// Bytes of one receive buffer.
    pub buffer_bytes: u32,
    /// Receive buffers; a power of two up to 2^15.
    pub buffers: u16,
    /// Page-ins under way at once.
    pub page_ins: u16,
}

impl Default for DriverConfig {
    /// For seeding: what arrives are requests of 17 bytes, of which 4 KiB hold 240; a thousand buffers are one for
    /// each connection of a busy turn, 4 MiB in all.
    fn default() -> DriverConfig {
        DriverConfig { connections: 1024, buffer_bytes: 4096, buffers: 1024, page_ins: 256 }
    }
}

impl DriverConfig {
    /// For downloading: what arrives are blocks of 16 KiB, and one completion brings four of them. Half a MiB in all, as all buffers are
    /// used in turn: what was received has to be in the processor's own cache when it is copied to its piece. With 8 MiB a GiB took a
    /// quarter more processor time, with 2 MiB a tenth. A receive that finds none goes on with the next turn.
    pub fn for_payload() -> DriverConfig {
        DriverConfig { buffer_bytes: 64 * 1024, buffers: 8, ..DriverConfig::default() }
    }
}

/// Things that went wrong without stopping anything, counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Accepts that failed; the listener paused if descriptors or memory had run out.
    pub accept_failures: u64,
    /// Times that a receive found no free buffer and had to wait for one.
    pub buffers_exhausted: u64,
    /// Times that completions came faster than they were collected and the kernel had to keep them aside.
    pub completions_delayed: u64,
}

/// The kernel, as one reactor sees it. Lives and dies on one thread.
pub trait Driver: Sized {
    /// Makes the driver and its fixed memory.
    fn new(config: &DriverConfig) -> io::Result<Self>;

    /// The word for it on screens and in metrics: `io_uring` or `epoll`.
    fn name(&self) -> &'static str;

    /// A handle by which other threads end a [`Driver::wait`].
    fn waker(&self) -> Waker;

    /// Accepts from `listener` (listening, non-blocking), as from those given before. When descriptors run out
    /// it pauses and tries again by itself.
    fn listen(&mut self, listener: OwnedFd) -> io::Result<()>;

    /// Closes all listeners.
    fn stop_listening(&mut self);

    /// Begins to receive from `socket` and to watch when it takes bytes. It may still be connecting.
    ///
    /// `socket` stays open until it comes back with [`Driver::forget`]. Fails if the slot is taken or out of range.
    fn adopt(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()>;

    /// Ends all notices for `token`, and closes `socket` as soon as no kernel operation refers to it. No later
    /// [`Driver::wait`] reports the token; the slot may be used again at once, with another generation.
    fn forget(&mut self, token: Token, socket: OwnedFd);

    /// Stops receiving, so that the kernel pushes back on the sender. What is under way may still arrive, and so does the end of
    /// who has hung up.
    fn pause_receive(&mut self, token: Token);

    /// Receives again.
    fn resume_receive(&mut self, token: Token);

    /// Brings `range` into memory and answers by [`Event::PagedIn`]. The range stays mapped until then; if it does
    /// not, the answer is an error and nothing else happens. `WouldBlock` beyond [`DriverConfig::page_ins`].
    fn page_in(&mut self, token: u64, range: MemoryRange) -> io::Result<()>;

    /// Waits until something happened or `timeout` passed, and appends what happened. Returns early, with nothing, for
    /// reasons of its own. What it appends is bounded by its queues, and nothing is acted upon while they are read.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// The bytes of a buffer that this driver handed out.
    fn bytes(&self, buffer: &Buffer) -> &[u8];

    /// Takes a buffer back.
    fn release(&mut self, buffer: Buffer);

    /// What went wrong so far.
    fn counts(&self) -> Counts;
}
