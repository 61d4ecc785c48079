//! Which hasher hashes which pieces.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ids::PieceIndex;
use crate::metainfo::Geometry;

/// The pieces to hash, handed out in order, each once.
pub(super) struct Plan {
    pieces: Vec<PieceIndex>,
    next: AtomicUsize,
    lanes: usize,
    /// The last piece of the list is shorter than the others, and goes alone.
    odd: bool,
}

impl Plan {
    /// Groups of up to `lanes` pieces of one length.
    pub(super) fn new(pieces: Vec<PieceIndex>, geometry: &Geometry, lanes: usize) -> Plan {
        let short = |&piece: &PieceIndex| geometry.piece_length(piece) < geometry.nominal_piece_length();
        Plan { odd: pieces.last().is_some_and(short), pieces, next: AtomicUsize::new(0), lanes }
    }

    pub(super) fn groups(&self) -> usize {
        let even = self.pieces.len() - usize::from(self.odd);
        even.div_ceil(self.lanes) + usize::from(self.odd)
    }

    /// The next group; empty at the end.
    pub(super) fn take(&self) -> &[PieceIndex] {
        let group = self.next.fetch_add(1, Ordering::Relaxed);
        let even = self.pieces.len() - usize::from(self.odd);
        let start = group.saturating_mul(self.lanes);
        if start < even {
            &self.pieces[start..even.min(start + self.lanes)]
        } else if group + 1 == self.groups() {
            &self.pieces[even..]
        } else {
            &[]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(total: u64, lanes: usize) -> Vec<Vec<u32>> {
        let geometry = Geometry::new(10, [(total, false)]).expect("valid");
        let plan = Plan::new((0..geometry.pieces()).map(PieceIndex).collect(), &geometry, lanes);
        let groups: Vec<Vec<u32>> = std::iter::repeat_with(|| plan.take().iter().map(|piece| piece.0).collect())
            .take_while(|group: &Vec<u32>| !group.is_empty())
            .collect();
        assert_eq!(groups.len(), plan.groups());
        assert!(plan.take().is_empty(), "and stays empty");
        groups
    }

    #[test]
    fn a_short_last_piece_goes_alone() {
        assert_eq!(groups(55, 4), [vec![0, 1, 2, 3], vec![4], vec![5]]);
        assert_eq!(groups(45, 4), [vec![0, 1, 2, 3], vec![4]]);
        assert_eq!(groups(60, 4), [vec![0, 1, 2, 3], vec![4, 5]]);
        assert_eq!(groups(5, 4), [vec![0]]);
        assert_eq!(groups(0, 4), Vec::<Vec<u32>>::new());
    }
}
