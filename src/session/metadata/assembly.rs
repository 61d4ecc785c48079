//! Metadata that comes in pieces from one peer: what to ask for, what may come, where it goes. Does no IO.

use crate::limits;

/// Requests that wait at one peer: as many as any seeder answers that bounds what waits for a peer, our own among them
/// ([`limits::CONTROL_BUFFER`]). Over a round trip of 100 ms that is still more than a megabyte a second.
const WINDOW: u32 = 8;

const _: () = assert!(WINDOW as usize * limits::METADATA_PIECE <= limits::CONTROL_BUFFER / 2);

/// Metadata that is being put together.
pub(super) struct Assembly {
    size: usize,
    /// Grows with what comes: a size that was made up costs nothing.
    bytes: Vec<u8>,
    /// Pieces asked for: all before this one.
    asked: u32,
    came: Vec<bool>,
    missing: u32,
}

/// What an honest peer does not send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Misfit {
    /// It says another size than before.
    #[error("the size of its metadata changes")]
    Size,
    /// Nobody asked for it, or it came before.
    #[error("metadata piece {0} was not asked for")]
    Unasked(u32),
    /// Not as long as a piece is.
    #[error("metadata piece {piece} has {length} bytes")]
    Length {
        /// Which.
        piece: u32,
        /// Its bytes.
        length: usize,
    },
}

impl Assembly {
    /// For metadata of `size` bytes; `None` if no torrent has so much, or none.
    pub(super) fn new(size: u64) -> Option<Assembly> {
        let size = usize::try_from(size).ok().filter(|size| (1..=limits::TORRENT_FILE).contains(size))?;
        let pieces = size.div_ceil(limits::METADATA_PIECE);
        let missing = u32::try_from(pieces).ok()?;
        Some(Assembly { size, bytes: Vec::new(), asked: 0, came: vec![false; pieces], missing })
    }

    /// The next piece to ask for; `None` while enough are on their way, and after the last.
    pub(super) fn next_request(&mut self) -> Option<u32> {
        let pieces = u32::try_from(self.came.len()).ok()?;
        let waiting = self.asked.saturating_sub(pieces - self.missing);
        let piece = self.asked;
        if piece == pieces || waiting >= WINDOW {
            return None;
        }
        self.asked += 1;
        Some(piece)
    }

    /// Takes a piece that came.
    pub(super) fn take(&mut self, piece: u32, size: u32, data: &[u8]) -> Result<(), Misfit> {
        if usize::try_from(size) != Ok(self.size) {
            return Err(Misfit::Size);
        }
        let index = usize::try_from(piece).map_err(|_| Misfit::Unasked(piece))?;
        if piece >= self.asked || self.came.get(index) != Some(&false) {
            return Err(Misfit::Unasked(piece));
        }
        let start = index * limits::METADATA_PIECE;
        let end = self.size.min(start + limits::METADATA_PIECE);
        if data.len() != end - start {
            return Err(Misfit::Length { piece, length: data.len() });
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(data);
        self.came[index] = true;
        self.missing -= 1;
        Ok(())
    }

    /// Whether all of it came.
    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// What came; all of it once it is complete.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: usize = limits::METADATA_PIECE;

    fn pieces_of(bytes: &[u8]) -> Vec<(u32, &[u8])> {
        (0..).zip(bytes.chunks(PIECE)).collect()
    }

    #[test]
    fn sizes_that_no_torrent_has_are_refused_before_anything_is_allocated() {
        for size in [0, limits::TORRENT_FILE as u64 + 1, u64::from(u32::MAX), u64::MAX] {
            assert!(Assembly::new(size).is_none(), "{size}");
        }
        let largest = Assembly::new(limits::TORRENT_FILE as u64).expect("allowed");
        assert_eq!(largest.bytes.capacity(), 0);
    }

    #[test]
    fn pieces_that_lie_are_refused() {
        let mut assembly = Assembly::new(PIECE as u64 + 5).expect("fine");
        assert_eq!(assembly.take(0, 16_389, &[0; PIECE]), Err(Misfit::Unasked(0)));
        assert_eq!(
            (assembly.next_request(), assembly.next_request(), assembly.next_request()),
            (Some(0), Some(1), None)
        );
        assert_eq!(assembly.take(0, 16_388, &[0; PIECE]), Err(Misfit::Size));
        assert_eq!(assembly.take(2, 16_389, &[0; 5]), Err(Misfit::Unasked(2)));
        assert_eq!(assembly.take(u32::MAX, 16_389, &[0; 5]), Err(Misfit::Unasked(u32::MAX)));
        assert_eq!(assembly.take(1, 16_389, &[0; 6]), Err(Misfit::Length { piece: 1, length: 6 }));
        assert_eq!(assembly.take(1, 16_389, &[0; 5]), Ok(()));
        assert_eq!(assembly.take(1, 16_389, &[0; 5]), Err(Misfit::Unasked(1)));
        assert!(!assembly.is_complete());
    }

    #[test]
    fn no_more_is_asked_for_than_a_window() {
        let mut assembly = Assembly::new(100 * PIECE as u64).expect("fine");
        let first: Vec<u32> = std::iter::from_fn(|| assembly.next_request()).collect();
        assert_eq!(first, (0..WINDOW).collect::<Vec<_>>());
        assembly.take(7, 100 * 16_384, &[0; PIECE]).expect("asked for");
        assert_eq!((assembly.next_request(), assembly.next_request()), (Some(WINDOW), None));
        assert!(assembly.bytes.len() <= 8 * PIECE, "only what came takes memory");
    }

    proptest! {
        #[test]
        fn what_comes_in_any_order_is_put_together_and_nothing_makes_it_panic(
            size in 1usize..3 * PIECE, order: u64, noise in prop::collection::vec((any::<u32>(), any::<u32>(), 0usize..PIECE + 2), 0..20)
        ) {
            let whole: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("small")).collect();
            let mut assembly = Assembly::new(size as u64).expect("fine");
            while assembly.next_request().is_some() {}
            let mut pieces = pieces_of(&whole);
            fastrand::Rng::with_seed(order).shuffle(&mut pieces);
            let total = u32::try_from(size).expect("small");
            for (piece, data) in pieces {
                for (piece, total, length) in &noise {
                    prop_assume!(*total as usize != size);
                    prop_assert!(assembly.take(*piece, *total, &vec![0; *length]).is_err());
                }
                prop_assert_eq!(assembly.take(piece, total, data), Ok(()));
            }
            prop_assert!(assembly.is_complete());
            prop_assert_eq!(assembly.into_bytes(), whole);
        }
    }
}
