//! Which pieces somebody has. Seeds and newcomers, the common cases, cost no memory.

use crate::ids::PieceIndex;

/// A set of pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pieces {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// Some: bits as on the wire (BEP 3), and how many are set.
    Some {
        /// First piece in the highest bit of the first byte.
        bits: Box<[u8]>,
        /// Set bits.
        count: u32,
    },
}

impl Pieces {
    /// Reads a bitfield of `pieces` bits; `None` if its length is wrong or a spare bit is set.
    pub fn from_bitfield(bits: &[u8], pieces: u32) -> Option<Pieces> {
        let spare = bits.len().checked_mul(8)?.checked_sub(usize::try_from(pieces).ok()?)?;
        let spare_clear = spare == 0 || bits.last().is_some_and(|last| last & ((1u8 << (spare % 8)) - 1) == 0);
        if spare > 7 || !spare_clear {
            return None;
        }
        let count = bits.iter().map(|byte| byte.count_ones()).sum();
        Some(match count {
            0 => Pieces::None,
            count if count == pieces => Pieces::All,
            count => Pieces::Some { bits: bits.into(), count },
        })
    }

    /// Whether `piece` is in the set. `piece` is below the number of pieces.
    pub fn contains(&self, piece: PieceIndex) -> bool {
        match self {
            Pieces::None => false,
            Pieces::All => true,
            Pieces::Some { bits, .. } => {
                let (byte, mask) = place(piece);
                bits.get(byte).is_some_and(|bits| bits & mask != 0)
            }
        }
    }

    /// Adds `piece`, which the caller has checked to be one of `pieces`; whether it is new. A set that gets complete
    /// this way stays `Some`, so that a rarity index takes out what it counted in.
    pub fn insert(&mut self, piece: PieceIndex, pieces: u32) -> bool {
        if let Pieces::None = self {
            let bytes = usize::try_from(pieces.div_ceil(8)).expect("bounded by limits::PIECES");
            *self = Pieces::Some { bits: vec![0; bytes].into(), count: 0 };
        }
        let Pieces::Some { bits, count } = self else { return false };
        let (byte, mask) = place(piece);
        let Some(bits) = bits.get_mut(byte).filter(|bits| **bits & mask == 0) else { return false };
        *bits |= mask;
        *count += 1;
        true
    }

    /// The set as bits on the wire (BEP 3), of `pieces` pieces.
    pub fn bitfield(&self, pieces: u32) -> Vec<u8> {
        let bytes = usize::try_from(pieces.div_ceil(8)).expect("bounded by limits::PIECES");
        match self {
            Pieces::None => vec![0; bytes],
            Pieces::All => full_bitfield(bytes, pieces),
            Pieces::Some { bits, .. } => bits.to_vec(),
        }
    }

    /// How many of `pieces` are in the set.
    pub fn count(&self, pieces: u32) -> u32 {
        match self {
            Pieces::None => 0,
            Pieces::All => pieces,
            Pieces::Some { count, .. } => *count,
        }
    }
}

fn full_bitfield(bytes: usize, pieces: u32) -> Vec<u8> {
    let mut bits = vec![0xff; bytes];
    if let Some(last) = bits.last_mut().filter(|_| !pieces.is_multiple_of(8)) {
        *last = 0xff << (8 - pieces % 8);
    }
    bits
}

fn place(piece: PieceIndex) -> (usize, u8) {
    let index = usize::try_from(piece.0).expect("u32 fits usize");
    (index / 8, 0x80 >> (index % 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn spare_bits_and_wrong_lengths_are_refused() {
        assert_eq!(Pieces::from_bitfield(&[0b1110_0000], 3), Some(Pieces::All));
        assert_eq!(Pieces::from_bitfield(&[0b1111_0000], 3), None);
        assert_eq!(Pieces::from_bitfield(&[0xff, 0], 3), None);
        assert_eq!(Pieces::from_bitfield(&[], 3), None);
        assert_eq!(Pieces::from_bitfield(&[0], 8), Some(Pieces::None));
        assert_eq!((Pieces::All.bitfield(8), Pieces::All.bitfield(9)), (vec![0xff], vec![0xff, 0x80]));
        assert_eq!(Pieces::None.bitfield(9), [0, 0]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(pieces in 1u32..40, inserts in prop::collection::vec(0u32..40, 0..80)) {
            let (mut ours, mut plain) = (Pieces::None, BTreeSet::new());
            for piece in inserts.into_iter().filter(|&piece| piece < pieces) {
                prop_assert_eq!(ours.insert(PieceIndex(piece), pieces), plain.insert(piece));
                prop_assert_eq!(ours.count(pieces) as usize, plain.len());
                prop_assert!((0..pieces).all(|p| ours.contains(PieceIndex(p)) == plain.contains(&p)));
            }
            let read = Pieces::from_bitfield(&ours.bitfield(pieces), pieces).expect("as on the wire");
            prop_assert!((0..pieces).all(|p| read.contains(PieceIndex(p)) == plain.contains(&p)));
            prop_assert_eq!(ours.count(pieces) == pieces, plain.len() == pieces as usize);
        }
    }
}
