//! Pieces that are put together and hashed.

use crate::hash::Engine;
use crate::ids::PieceIndex;
use crate::metainfo::Metainfo;

use super::protocol::Block;

/// The pieces that one leecher is loading: one of them where the seeder answers in order.
#[derive(Debug, Default)]
pub(super) struct Loading {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    index: u32,
    have: u32,
    bytes: Vec<u8>,
}

/// Hashes whole pieces of all leechers of a thread, several at a time.
#[derive(Debug)]
pub(super) struct Verifier {
    torrent: Metainfo,
    engine: Engine,
    whole: Vec<Piece>,
    spare: Vec<Vec<u8>>,
    pub(super) good: u64,
    pub(super) bad: u64,
}

impl Verifier {
    pub(super) fn new(torrent: Metainfo) -> Verifier {
        Verifier { torrent, engine: Engine::detect(), whole: Vec::new(), spare: Vec::new(), good: 0, bad: 0 }
    }

    /// Hashes the pieces that wait.
    pub(super) fn finish(&mut self) {
        let pieces: Vec<&[u8]> = self.whole.iter().map(|piece| &piece.bytes[..]).collect();
        for (digest, piece) in self.engine.digest_many(&pieces).into_iter().zip(&self.whole) {
            let right = self.torrent.piece_hash(PieceIndex(piece.index)) == Some(digest);
            *if right { &mut self.good } else { &mut self.bad } += 1;
        }
        self.spare.extend(self.whole.drain(..).map(|piece| piece.bytes));
    }
}

impl Loading {
    /// Where the bytes of `block` belong from `offset` of it on.
    pub(super) fn place(&mut self, block: Block, offset: u32, verifier: &mut Verifier) -> &mut [u8] {
        let at = self.pieces.iter().position(|piece| piece.index == block.piece).unwrap_or_else(|| {
            let length = verifier.torrent.geometry().piece_length(PieceIndex(block.piece)) as usize;
            let mut bytes = verifier.spare.pop().unwrap_or_default();
            bytes.resize(length, 0);
            self.pieces.push(Piece { index: block.piece, have: 0, bytes });
            self.pieces.len() - 1
        });
        let range = (block.begin + offset) as usize..(block.begin + block.length) as usize;
        &mut self.pieces[at].bytes[range]
    }

    /// `block` is here as a whole. A piece that is whole with it goes to be hashed.
    pub(super) fn arrived(&mut self, block: Block, verifier: &mut Verifier) {
        let Some(at) = self.pieces.iter().position(|piece| piece.index == block.piece) else { return };
        self.pieces[at].have += block.length;
        if self.pieces[at].have as usize == self.pieces[at].bytes.len() {
            verifier.whole.push(self.pieces.swap_remove(at));
            if verifier.whole.len() >= verifier.engine.lanes() {
                verifier.finish();
            }
        }
    }

    /// The connection is gone.
    pub(super) fn clear(&mut self, verifier: &mut Verifier) {
        verifier.spare.extend(self.pieces.drain(..).map(|piece| piece.bytes));
    }
}
