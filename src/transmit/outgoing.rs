//! What one connection still has to send.

use crate::limits::{BLOCK, BLOCKS_PER_CHUNK};
use crate::transmit::chunk::Chunk;
use crate::transmit::pipe::Pipe;

/// The outgoing side of one connection between two sends: control messages not yet sent, and what the socket did not take
/// of the last chunk. Dropping it closes a pipe that has bytes left.
#[derive(Debug, Default)]
pub struct Outgoing {
    control: Vec<u8>,
    pub(super) leftover: Option<Box<Leftover>>,
    /// Bytes that the socket had room for when it was last asked, less what it took since.
    pub(super) room: u32,
    pub(super) zero_copy: ZeroCopy,
}

/// Whether MSG_ZEROCOPY was switched on for the socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum ZeroCopy {
    #[default]
    Untried,
    On,
    Refused,
}

/// The rest of a chunk.
#[derive(Debug, Default)]
pub(super) struct Leftover {
    pub(super) chunk: Chunk,
    pub(super) walk: Walk,
}

/// How far a chunk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The pipe that holds its next bytes.
    pub(super) pipe: Option<Pipe>,
    /// Bytes in that pipe.
    pub(super) in_pipe: usize,
    /// Bytes of the framed chunk that went into the pipe or the socket.
    pub(super) fed: usize,
}

impl Walk {
    /// Bytes of the framed chunk that the socket took.
    pub(super) fn sent(&self) -> usize {
        self.fed - self.in_pipe
    }
}

impl Outgoing {
    /// For a new connection.
    pub fn new() -> Outgoing {
        Outgoing::default()
    }

    /// Encoded messages to append to: they go before the next chunk, never inside one.
    pub fn control(&mut self) -> &mut Vec<u8> {
        &mut self.control
    }

    /// Bytes of control messages waiting; the peer's rules bound them.
    pub fn control_bytes(&self) -> usize {
        self.control.len()
    }

    /// Nothing is left to flush: a chunk may be sent.
    pub fn is_idle(&self) -> bool {
        self.leftover.is_none() && self.control.is_empty()
    }

    /// The chunk of which bytes are still to be taken from the map; `None` if a pipe holds all that is left.
    pub fn rest(&self) -> Option<&Chunk> {
        let leftover = self.leftover.as_deref()?;
        (leftover.walk.fed < leftover.chunk.wire_bytes()).then_some(&leftover.chunk)
    }

    /// Blocks of 16 KiB that the next chunk should carry, so that the socket takes it whole: 1 to 16.
    pub fn appetite(&self) -> usize {
        ((self.room / BLOCK) as usize).clamp(1, BLOCKS_PER_CHUNK)
    }

    /// The socket took that many bytes.
    pub(super) fn taken(&mut self, wire_bytes: u64) {
        let bytes = u32::try_from(wire_bytes).unwrap_or(u32::MAX);
        let charge = bytes.saturating_add(bytes.div_ceil(BLOCK).saturating_mul(BLOCK_OVERHEAD));
        self.room = self.room.saturating_sub(charge);
    }

    /// Drops the first `sent` control bytes, and the allocation with the last.
    pub(super) fn control_sent(&mut self, sent: usize) {
        if sent == self.control.len() {
            self.control = Vec::new();
        } else {
            self.control.drain(..sent);
        }
    }
}

/// What the kernel charges a socket for a block beyond its bytes, nearly: a third of a socket buffer's head.
pub(super) const BLOCK_OVERHEAD: u32 = 512;

const _: () = assert!(size_of::<Outgoing>() <= 40, "ten thousand idle connections are to stay cheap");
