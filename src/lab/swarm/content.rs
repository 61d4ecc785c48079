//! The bytes of the file: a pattern that costs no memory, and in which no two blocks of a piece are alike.

use crate::ids::{BlockRef, PieceIndex};
use crate::limits;
use crate::metainfo::Geometry;

/// A prime, so that the pattern starts elsewhere in each block.
const PERIOD: usize = 65_521;

/// The truth about the file.
#[derive(Debug)]
pub(super) struct Content {
    geometry: Geometry,
    /// The pattern, and enough of it again for any block to lie in one piece.
    pattern: Box<[u8]>,
}

impl Content {
    /// Of a torrent.
    pub(super) fn new(geometry: Geometry) -> Content {
        let mut random = fastrand::Rng::with_seed(0);
        let mut pattern: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(PERIOD).collect();
        pattern.extend_from_within(..limits::BLOCK_MAX.min(limits::BLOCK) as usize);
        Content { geometry, pattern: pattern.into() }
    }

    /// The bytes of `length` at byte `at` of the file; `length` is at most that of a block.
    fn bytes(&self, at: u64, length: usize) -> &[u8] {
        let start = usize::try_from(at % PERIOD as u64).unwrap_or(0);
        &self.pattern[start..start + length]
    }

    /// The bytes of a block.
    pub(super) fn block(&self, block: BlockRef) -> &[u8] {
        self.bytes(self.geometry.offset(block), block.length as usize)
    }

    /// Whether these are the bytes of a piece.
    pub(super) fn is_good(&self, piece: PieceIndex, bytes: &[u8]) -> bool {
        let start = self.geometry.offset(BlockRef { piece, begin: 0, length: 1 });
        let step = limits::BLOCK as usize;
        let steps = bytes.chunks(step).zip((start..).step_by(step));
        bytes.len() == self.geometry.piece_length(piece) as usize
            && steps.into_iter().all(|(part, at)| part == self.bytes(at, part.len()))
    }
}
