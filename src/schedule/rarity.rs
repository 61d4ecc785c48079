//! Which piece is rarest: how many peers of one torrent have each piece, kept in order at all times.
//!
//! Pieces stand in one array sorted by count, and `starts` says where each count begins. A have moves its piece to the
//! edge of its count and moves the edge: O(1), no sorting ever. A peer that has everything raises an offset, O(1) too,
//! whatever the number of pieces.
//!
//! ```text
//!   order    7 2 9 | 0 4 | 1 3 8 | 5 6        a have for 0: swap with 4, move the edge
//!   count    1 1 1 | 2 2 | 3 3 3 | 5 5  ->    ... | 4 | 0 1 3 8 | ...
//!   starts   1:0     2:3   3:5  4:8 5:8
//! ```
//!
//! Memory: 10 bytes a piece and 4 a count, so 40 MiB for the largest torrent allowed. The same order serves what is
//! requested while downloading, what a super-seed reveals, which waiting chunk goes first, and what is read ahead.

use fastrand::Rng;

use crate::ids::PieceIndex;

/// How many peers have each piece.
#[derive(Clone, Debug)]
pub struct Rarity {
    /// By piece: peers that told of it one by one. At `u16::MAX` it stays for good: the true count is lost.
    counts: Box<[u16]>,
    /// Pieces by ascending count.
    order: Box<[u32]>,
    /// By piece: its place in `order`.
    places: Box<[u32]>,
    /// By count: the first place in `order` with that count or a higher one; one entry beyond the highest count.
    starts: Vec<u32>,
    /// Peers that have every piece.
    complete: u32,
}

impl Rarity {
    /// A torrent of which nobody has told anything. `random` orders the pieces for the ties.
    pub fn new(pieces: u32, random: &mut Rng) -> Rarity {
        let mut order: Box<[u32]> = (0..pieces).collect();
        random.shuffle(&mut order);
        let mut places = vec![0; order.len()].into_boxed_slice();
        for (place, &piece) in (0..pieces).zip(&order) {
            places[piece as usize] = place;
        }
        Rarity { counts: vec![0; order.len()].into(), order, places, starts: vec![0, pieces], complete: 0 }
    }

    /// Number of peers that have `piece`, as far as they told us; 0 for one that does not exist.
    pub fn count(&self, piece: PieceIndex) -> u32 {
        self.counts.get(piece.0 as usize).map_or(0, |&count| u32::from(count) + self.complete)
    }

    /// Peers that told of `piece` one by one: its place in the order. 0 for one that does not exist.
    pub(super) fn told(&self, piece: u32) -> u16 {
        self.counts.get(piece as usize).copied().unwrap_or(0)
    }

    /// Peers that have every piece.
    pub(super) fn complete(&self) -> u32 {
        self.complete
    }

    /// A peer told that it has one more piece.
    pub fn have(&mut self, piece: PieceIndex) {
        if (piece.0 as usize) < self.counts.len() {
            self.increment(piece.0);
        }
    }

    /// A peer that had told of this piece does not have it any more.
    pub(super) fn lost(&mut self, piece: PieceIndex) {
        if (piece.0 as usize) < self.counts.len() {
            self.decrement(piece.0);
        }
    }

    /// A peer told what it has: one bit a piece, the highest bit of the first byte for piece 0 (BEP 3). Bits beyond
    /// the last piece are ignored.
    pub fn joined(&mut self, bitfield: &[u8]) {
        for_each_piece(bitfield, self.counts.len(), |piece| self.increment(piece));
    }

    /// A peer that had these pieces is gone. What counts is what it told: pieces that came by [`Rarity::have`] are in
    /// the bitfield as well, one that came by [`Rarity::joined_complete`] leaves by [`Rarity::left_complete`].
    pub fn left(&mut self, bitfield: &[u8]) {
        for_each_piece(bitfield, self.counts.len(), |piece| self.decrement(piece));
    }

    /// A peer has every piece.
    pub fn joined_complete(&mut self) {
        self.complete = self.complete.saturating_add(1);
    }

    /// A peer that came with every piece is gone.
    pub fn left_complete(&mut self) {
        self.complete = self.complete.saturating_sub(1);
    }

    /// All pieces, those that fewest peers have first; among equals from a random one on. Filter it by what is wanted.
    pub fn rarest_first<'rarity>(&'rarity self, random: &'rarity mut Rng) -> impl Iterator<Item = PieceIndex> {
        // from class to class by what the first piece beyond has: counts that no piece has are never looked at
        let mut place = 0;
        let classes = std::iter::from_fn(move || {
            let count = self.counts[*self.order.get(place)? as usize];
            let end = self.starts[usize::from(count) + 1] as usize;
            let class = &self.order[place..end];
            place = end;
            Some(class)
        });
        classes.flat_map(|class| {
            let (before, from) = class.split_at(random.usize(..class.len()));
            from.iter().chain(before).map(|&piece| PieceIndex(piece))
        })
    }

    /// The rarest of a few pieces, such as the next of each waiting peer; the first of equals.
    pub fn rarest_of(&self, pieces: impl IntoIterator<Item = PieceIndex>) -> Option<PieceIndex> {
        pieces.into_iter().min_by_key(|&piece| self.count(piece))
    }

    fn increment(&mut self, piece: u32) {
        let count = self.counts[piece as usize];
        if count == u16::MAX {
            return;
        }
        let edge = usize::from(count) + 1;
        self.starts[edge] -= 1;
        self.swap_into(self.starts[edge], piece);
        if edge + 1 == self.starts.len() {
            self.starts.push(self.order_len());
        }
        self.counts[piece as usize] = count + 1;
    }

    fn decrement(&mut self, piece: u32) {
        let count = self.counts[piece as usize];
        if count == 0 || count == u16::MAX {
            return;
        }
        let edge = usize::from(count);
        self.swap_into(self.starts[edge], piece);
        self.starts[edge] += 1;
        self.counts[piece as usize] = count - 1;
    }

    fn swap_into(&mut self, place: u32, piece: u32) {
        let other = self.order[place as usize];
        let old = self.places[piece as usize];
        self.order.swap(place as usize, old as usize);
        self.places[piece as usize] = place;
        self.places[other as usize] = old;
    }

    fn order_len(&self) -> u32 {
        u32::try_from(self.order.len()).expect("made from a u32")
    }
}

/// Calls `act` for each set bit below `pieces`; a byte without any costs one comparison.
pub(super) fn for_each_piece(bitfield: &[u8], pieces: usize, mut act: impl FnMut(u32)) {
    for (first, &byte) in (0u32..).step_by(8).zip(bitfield) {
        let mut bits = byte;
        while bits != 0 {
            let bit = bits.leading_zeros();
            bits &= !(0x80 >> bit);
            if ((first + bit) as usize) < pieces {
                act(first + bit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    fn pieces(rarity: &Rarity, seed: u64) -> Vec<u32> {
        rarity.rarest_first(&mut Rng::with_seed(seed)).map(|piece| piece.0).collect()
    }

    #[test]
    fn the_rarest_piece_comes_first() {
        let mut rarity = Rarity::new(3, &mut Rng::with_seed(1));
        [0, 0, 2].into_iter().for_each(|piece| rarity.have(PieceIndex(piece)));
        assert_eq!(pieces(&rarity, 1), [1, 2, 0]);
        assert_eq!(rarity.rarest_of([PieceIndex(0), PieceIndex(2)]), Some(PieceIndex(2)));
        assert_eq!(rarity.rarest_of([]), None);
    }

    #[test]
    fn ties_are_broken_at_random() {
        let rarity = Rarity::new(8, &mut Rng::with_seed(1));
        let mut firsts = [0u32; 8];
        for seed in 0..8_000 {
            firsts[pieces(&rarity, seed)[0] as usize] += 1;
        }
        assert!(firsts.iter().all(|&count| (800..1_200).contains(&count)), "{firsts:?}");
    }

    #[test]
    fn a_peer_with_everything_changes_counts_and_not_the_order() {
        let mut rarity = Rarity::new(3, &mut Rng::with_seed(1));
        rarity.have(PieceIndex(1));
        let before = pieces(&rarity, 4);
        rarity.joined_complete();
        assert_eq!((rarity.count(PieceIndex(0)), rarity.count(PieceIndex(1))), (1, 2));
        assert_eq!(pieces(&rarity, 4), before);
        rarity.left_complete();
        rarity.left_complete();
        assert_eq!(rarity.count(PieceIndex(0)), 0);
    }

    #[test]
    fn a_piece_or_bit_beyond_the_last_is_ignored() {
        let mut rarity = Rarity::new(3, &mut Rng::with_seed(1));
        rarity.have(PieceIndex(3));
        rarity.have(PieceIndex(u32::MAX));
        rarity.joined(&[0xff; 40]);
        assert_eq!((rarity.count(PieceIndex(2)), rarity.count(PieceIndex(3))), (1, 0));
        assert_eq!(pieces(&Rarity::new(0, &mut Rng::with_seed(1)), 1), [0; 0]);
    }

    #[test]
    fn a_count_at_its_limit_stays_and_one_at_zero_too() {
        let mut rarity = Rarity::new(2, &mut Rng::with_seed(1));
        rarity.left(&[0b1100_0000]);
        (0..70_000).for_each(|_| rarity.have(PieceIndex(0)));
        assert_eq!(rarity.count(PieceIndex(0)), u32::from(u16::MAX));
        rarity.left(&[0b1100_0000]);
        assert_eq!((rarity.count(PieceIndex(0)), rarity.count(PieceIndex(1))), (u32::from(u16::MAX), 0));
        assert_eq!(pieces(&rarity, 1), [1, 0]);
    }

    proptest! {
        #[test]
        fn counts_and_order_agree_with_a_list_of_peers(
            count in 1u32..40, steps in prop::collection::vec((0u8..5, any::<[u8; 5]>(), any::<u32>()), 0..80), seed: u64
        ) {
            let mut rarity = Rarity::new(count, &mut Rng::with_seed(seed));
            let mut peers: Vec<Option<[u8; 5]>> = Vec::new(); // none: has everything
            let has = |field: &[u8; 5], piece: u32| field[piece as usize / 8] & (0x80 >> (piece % 8)) != 0;
            for (step, bitfield, number) in steps {
                let chosen = number as usize % peers.len().max(1);
                let piece = number % count;
                match (step, peers.get_mut(chosen)) {
                    (0, _) => { rarity.joined(&bitfield); peers.push(Some(bitfield)); }
                    (1, _) => { rarity.joined_complete(); peers.push(None); }
                    (2, Some(_)) => match peers.swap_remove(chosen) {
                        Some(field) => rarity.left(&field),
                        None => rarity.left_complete(),
                    },
                    (_, Some(Some(field))) if !has(field, piece) => {
                        rarity.have(PieceIndex(piece));
                        field[piece as usize / 8] |= 0x80 >> (piece % 8);
                    }
                    _ => {}
                }
                let slow = |piece: u32| peers.iter().filter(|peer| peer.is_none_or(|field| has(&field, piece))).count();
                for piece in 0..count {
                    prop_assert_eq!(rarity.count(PieceIndex(piece)) as usize, slow(piece));
                }
                let order = pieces(&rarity, seed);
                prop_assert!(order.is_sorted_by_key(|&piece| slow(piece)));
                let mut all = order;
                all.sort_unstable();
                prop_assert!(all.into_iter().eq(0..count));
            }
        }
    }
}
