//! Which block a leecher asks for next: whole pieces, one after the other.

use std::collections::VecDeque;

use crate::ids::PieceIndex;
use crate::metainfo::Geometry;

use super::Order;
use super::protocol::{BLOCK, Block};

/// One leecher's way through the torrent. It has no end: what was taken is asked for again in its turn.
#[derive(Debug)]
pub(super) struct Picker {
    piece: u32,
    begin: u32,
    order: Order,
    random: fastrand::Rng,
    /// Asked for and not given, because a choke came between.
    again: VecDeque<Block>,
    /// Random order does not come back to these yet: seeders drop a request for what is asked for already.
    recent: VecDeque<u32>,
}

/// Pieces that may be in flight at a time: 512 requests of 16 KiB are 32 pieces of 256 KiB.
const RECENT: usize = 40;
/// Times that another piece is drawn. A torrent of few pieces has no other.
const DRAWS: usize = 8;

impl Picker {
    /// Begins with `piece`.
    pub(super) fn new(piece: u32, order: Order, random: fastrand::Rng) -> Picker {
        Picker { piece, begin: 0, order, random, again: VecDeque::new(), recent: VecDeque::new() }
    }

    /// The next block of a torrent that has at least one piece.
    pub(super) fn next(&mut self, geometry: &Geometry) -> Block {
        if let Some(block) = self.again.pop_front() {
            return block;
        }
        let length = geometry.piece_length(PieceIndex(self.piece));
        let block = Block { piece: self.piece, begin: self.begin, length: BLOCK.min(length - self.begin) };
        self.begin += block.length;
        if self.begin == length {
            self.begin = 0;
            self.piece = match self.order {
                Order::Sequential => (self.piece + 1) % geometry.pieces(),
                Order::Random => self.draw(geometry.pieces()),
            };
        }
        block
    }

    fn draw(&mut self, pieces: u32) -> u32 {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(self.piece);
        let mut piece = self.random.u32(..pieces);
        for _ in 0..DRAWS {
            if !self.recent.contains(&piece) {
                break;
            }
            piece = self.random.u32(..pieces);
        }
        piece
    }

    /// Will ask for `block` once more, after those given back before.
    pub(super) fn give_back(&mut self, block: Block) {
        self.again.push_back(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_taken_whole_in_either_order_and_the_last_one_is_shorter() {
        let geometry = Geometry::new(40_000, [(100_000, false)]).expect("valid");
        for order in [Order::Sequential, Order::Random] {
            let mut picker = Picker::new(2, order, fastrand::Rng::with_seed(1));
            for _ in 0..20 {
                let first = picker.next(&geometry);
                let length = geometry.piece_length(PieceIndex(first.piece));
                let mut end = first.length;
                while end < length {
                    let next = picker.next(&geometry);
                    assert_eq!((next.piece, next.begin), (first.piece, end));
                    end += next.length;
                }
                assert_eq!(end, length);
            }
        }
    }

    #[test]
    fn what_was_given_back_comes_first() {
        let geometry = Geometry::new(32_768, [(65_536, false)]).expect("valid");
        let mut picker = Picker::new(0, Order::Sequential, fastrand::Rng::with_seed(1));
        let taken = [picker.next(&geometry), picker.next(&geometry)];
        taken.into_iter().for_each(|block| picker.give_back(block));
        assert_eq!([picker.next(&geometry), picker.next(&geometry)], taken);
        assert_eq!(picker.next(&geometry).piece, 1);
    }
}
