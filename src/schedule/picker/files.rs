//! From the files that a user chose to the pieces that are wanted.

use super::{Priority, Shape};

/// The priority of each piece: the highest of the files that it has bytes of. `files` are length and priority of each, in the
/// order of the torrent file, padding as [`Priority::Skip`]: nobody fetches that alone.
pub fn piece_priorities(shape: &Shape, files: impl IntoIterator<Item = (u64, Priority)>) -> Vec<Priority> {
    let mut pieces = vec![Priority::Skip; shape.pieces() as usize];
    let mut start = 0u64;
    for (length, priority) in files.into_iter().filter(|(length, _)| *length > 0) {
        let end = start.saturating_add(length);
        let (first, last) = (shape.piece_at(start), shape.piece_at(end - 1));
        for piece in pieces.iter_mut().take(last.saturating_add(1)).skip(first) {
            *piece = (*piece).max(priority);
        }
        start = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_wanted_as_much_as_the_file_that_is_wanted_most() {
        let (skip, low, normal, high) = (Priority::Skip, Priority::Low, Priority::Normal, Priority::High);
        let shape = Shape::new(10, 40);
        let of = |priorities: [Priority; 4]| piece_priorities(&shape, [15, 5, 10, 10].into_iter().zip(priorities));
        assert_eq!(of([skip, high, low, skip]), [skip, high, low, skip]);
        assert_eq!(of([low, skip, skip, normal]), [low, low, skip, normal]);
        assert_eq!(piece_priorities(&shape, [(0, high), (1 << 60, low)]), [low; 4], "more than there is");
        assert_eq!(piece_priorities(&Shape::new(10, 0), [(0, high)]), []);
    }
}
