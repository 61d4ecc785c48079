//! Where pieces and blocks lie in the files of a torrent.

use crate::ids::{BlockRef, FileIndex, PieceIndex};

/// Bytes of one file: what a part of a block is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// File.
    pub file: FileIndex,
    /// First byte in that file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// The file is padding (BEP 47): all zero, and not on disk.
    pub padding: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct File {
    /// First byte in the torrent.
    start: u64,
    length: u64,
    padding: bool,
}

/// The shape of a torrent's content: files one after another, cut into pieces of equal length but for the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Geometry {
    piece_length: u32,
    total: u64,
    files: Box<[File]>,
}

impl Geometry {
    /// Lays out files of the given `(length, padding)`. `None` if the piece length is 0, the sum overflows or the
    /// number of pieces exceeds [`crate::limits::PIECES`].
    pub fn new(piece_length: u32, files: impl IntoIterator<Item = (u64, bool)>) -> Option<Geometry> {
        let mut total = 0u64;
        let mut laid = Vec::new();
        for (length, padding) in files {
            laid.push(File { start: total, length, padding });
            total = total.checked_add(length)?;
        }
        let pieces = total.div_ceil(u64::from(piece_length).max(1));
        (piece_length > 0 && pieces <= u64::from(crate::limits::PIECES)).then_some(Geometry {
            piece_length,
            total,
            files: laid.into(),
        })
    }

    /// Bytes in all, padding included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Number of files, padding included.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Length of `file`, padding or not; 0 beyond the last.
    pub fn file_length(&self, file: FileIndex) -> u64 {
        self.files.get(file.0 as usize).map_or(0, |file| file.length)
    }

    /// First byte of `file` in the torrent; `None` beyond the last.
    pub fn file_start(&self, file: FileIndex) -> Option<u64> {
        self.files.get(file.0 as usize).map(|file| file.start)
    }

    /// Length of a piece but for the last.
    pub fn nominal_piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Number of pieces.
    pub fn pieces(&self) -> u32 {
        u32::try_from(self.total.div_ceil(u64::from(self.piece_length))).expect("bounded in new")
    }

    /// Length of `piece`; 0 beyond the last.
    pub fn piece_length(&self, piece: PieceIndex) -> u32 {
        let start = u64::from(piece.0) * u64::from(self.piece_length);
        let rest = self.total.saturating_sub(start);
        u32::try_from(rest).unwrap_or(u32::MAX).min(self.piece_length)
    }

    /// Whether `block` is not empty and lies in its piece.
    pub fn contains(&self, block: BlockRef) -> bool {
        let end = u64::from(block.begin) + u64::from(block.length);
        block.length > 0 && end <= u64::from(self.piece_length(block.piece))
    }

    /// First byte of `block` in the torrent.
    pub fn offset(&self, block: BlockRef) -> u64 {
        u64::from(block.piece.0) * u64::from(self.piece_length) + u64::from(block.begin)
    }

    /// The parts of files that `block` is made of, in order; nothing beyond the end.
    pub fn spans(&self, block: BlockRef) -> impl Iterator<Item = Span> {
        self.spans_of(self.offset(block), u64::from(block.length))
    }

    /// The parts of files that make up `length` bytes from byte `start` of the torrent.
    pub fn spans_of(&self, start: u64, length: u64) -> impl Iterator<Item = Span> {
        let end = start.saturating_add(length).min(self.total);
        // the last file that begins at or before `start`; empty files share a start, so step over them below
        let first = self.files.partition_point(|file| file.start + file.length <= start);
        self.files[first..]
            .iter()
            .enumerate()
            .take_while(move |(_, file)| file.start < end)
            .filter(|(_, file)| file.length > 0)
            .map(move |(index, file)| {
                let from = start.max(file.start);
                let to = end.min(file.start + file.length);
                let file_index = FileIndex(u32::try_from(first + index).expect("files are bounded"));
                Span { file: file_index, offset: from - file.start, length: to - from, padding: file.padding }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(piece: u32, begin: u32, length: u32) -> BlockRef {
        BlockRef { piece: PieceIndex(piece), begin, length }
    }

    #[test]
    fn the_last_piece_is_shorter_and_nothing_follows_it() {
        let geometry = Geometry::new(10, [(25, false)]).expect("valid");
        assert_eq!(geometry.pieces(), 3);
        assert_eq!(geometry.piece_length(PieceIndex(2)), 5);
        assert_eq!(geometry.piece_length(PieceIndex(3)), 0);
        assert!(geometry.contains(block(2, 0, 5)));
        assert!(!geometry.contains(block(2, 0, 6)));
        assert!(!geometry.contains(block(0, 0, 0)));
        assert!(!geometry.contains(block(u32::MAX, u32::MAX, u32::MAX)));
    }

    proptest! {
        #[test]
        fn spans_agree_with_a_byte_by_byte_walk(
            lengths in prop::collection::vec(0u64..20, 1..12), piece_length in 1u32..16, start in 0u64..200, length in 0u64..50
        ) {
            let geometry = Geometry::new(piece_length, lengths.iter().map(|&length| (length, false))).expect("small");
            let bytes: Vec<(usize, u64)> =
                lengths.iter().enumerate().flat_map(|(file, &length)| (0..length).map(move |at| (file, at))).collect();
            let end = (start + length).min(geometry.total());
            let want: Vec<_> = (start..end.max(start)).map(|at| bytes.get(usize::try_from(at).expect("small")).copied()).collect();
            let got: Vec<_> = geometry
                .spans_of(start, length)
                .flat_map(|span| (0..span.length).map(move |at| Some((span.file.0 as usize, span.offset + at))))
                .collect();
            prop_assert_eq!(got, want);
        }
    }
}
