//! The words of the network: nodes, ends of connections, what goes over them, what happens.

use std::time::Duration;

use crate::ids::BlockRef;
use crate::wire::PIECE_HEADER;

/// How a node is connected.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Access {
    /// Bytes a second that it sends at most.
    pub up: u64,
    /// Bytes a second that it receives at most.
    pub down: u64,
    /// From it to the core, or back.
    pub delay: Duration,
}

/// A node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub usize);

/// One end of a connection. Never used again for another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct End {
    pub(super) line: u32,
    pub(super) generation: u32,
    pub(super) side: Side,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Side {
    Dialling,
    Accepting,
}

impl End {
    /// The end at the other side.
    pub fn other(self) -> End {
        let side = if self.side == Side::Dialling { Side::Accepting } else { Side::Dialling };
        End { side, ..self }
    }
}

/// What goes over a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parcel {
    /// Bytes that matter.
    Bytes(Vec<u8>),
    /// A block with the header of its message: whoever gets it knows where its bytes are.
    Block(BlockRef),
    /// The same, but its bytes are wrong.
    Bad(BlockRef),
    /// So many bytes of a plain transfer.
    Plain(u32),
}

impl Parcel {
    /// Bytes that it takes.
    pub fn length(&self) -> u64 {
        match self {
            Parcel::Bytes(bytes) => bytes.len() as u64,
            Parcel::Block(block) | Parcel::Bad(block) => u64::from(block.length) + PIECE_HEADER as u64,
            Parcel::Plain(bytes) => u64::from(*bytes),
        }
    }
}

/// What happens to a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody has opened a connection to it.
    Incoming(End, NodeId),
    /// The connection that it opens is open.
    Open(End),
    /// Something came.
    Arrived(End, Parcel),
    /// A connection that was full takes more.
    Room(End),
    /// The other end is closed.
    Closed(End),
    /// The time that it asked to be woken at.
    Timer(u64),
}
