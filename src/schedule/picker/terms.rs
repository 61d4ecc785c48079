//! The words in which a picker is told and asked.

use crate::ids::PieceIndex;

/// What a peer has.
#[derive(Clone, Copy, Debug)]
pub enum Holds<'a> {
    /// Every piece: a seed, a web seed.
    All,
    /// One bit a piece, the first in the highest bit of the first byte (BEP 3); what is beyond the end is not had.
    Bits(&'a [u8]),
}

impl Holds<'_> {
    /// Whether `piece` is among them.
    pub fn has(self, piece: PieceIndex) -> bool {
        match self {
            Holds::All => true,
            Holds::Bits(bits) => bits.get(piece.0 as usize / 8).is_some_and(|byte| byte & (0x80 >> (piece.0 % 8)) != 0),
        }
    }
}

/// How much a piece is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// Not at all.
    Skip,
    /// After all others.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// Which missing piece is begun next, of those with the highest priority. All but the first exist to be compared with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The one that fewest peers have (BEP 3).
    #[default]
    RarestFirst,
    /// Any.
    Random,
    /// The first.
    Sequential,
}

/// What to do with a block that begins to arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It was asked of this peer alone: its bytes may go where they belong.
    Alone,
    /// Another peer owes it as well (end game): its bytes count once they are all here.
    Shared,
    /// It was not asked of this peer, or not any more.
    No,
}

/// How a peer is asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Requests that it lets wait (`reqq`, BEP 10); never more than [`crate::limits::REQUESTS_IN_FLIGHT`].
    pub requests_max: usize,
    /// It serves long ranges best (a web seed): new pieces come before begun ones.
    pub whole_pieces: bool,
}

/// What to do with a block that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// Keep it.
    Kept,
    /// Keep it; its piece is whole and to be checked. With `digests`, [`Picker::verified`](super::Picker::verified) wants the digests of its blocks.
    Complete {
        /// An earlier copy was bad, and it is not known by whom.
        digests: bool,
    },
    /// Drop it: it was not asked of this peer, or not any more (it may have crossed a cancel).
    Unwanted,
}

/// Numbers of one peer, for the choker and for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkStatus {
    /// Bytes a second that it sends.
    pub rate: u64,
    /// It has owed blocks for a minute and sent none.
    pub snubbed: bool,
    /// Blocks that it owes.
    pub in_flight: usize,
    /// Blocks that it may owe.
    pub pipeline: usize,
}
