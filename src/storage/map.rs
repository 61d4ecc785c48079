//! One payload file, mapped for sending.
//!
//! The mapping is handed to the kernel by address (`vmsplice`, `sendmsg`, `madvise`) and is never read by this program:
//! no Rust reference into it exists, so a file that somebody truncates makes a system call answer EFAULT and can neither
//! raise SIGBUS nor break the rules of references. All of this is safe code: an address is only a number until a system
//! call takes it.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};

use crate::ids::{FileIndex, TorrentId};
use crate::storage::WINDOW;

/// A read-only mapping of one file of one torrent, and the open file beneath it.
#[derive(Debug)]
pub struct MappedFile {
    torrent: TorrentId,
    index: FileIndex,
    map: MmapRaw,
    file: File,
    /// One bit a window: `mincore` has once found all its pages read in (see [`crate::storage::Residency`]).
    read_in: Box<[AtomicU64]>,
    /// One bit a window: found warm in `recent_second`.
    recent: Box<[AtomicU64]>,
    recent_second: AtomicU64,
}

impl MappedFile {
    /// Maps the first `length` bytes of `file`. The caller has seen that the file has them; should it lose them later,
    /// what touches the missing pages answers EFAULT.
    pub fn new(torrent: TorrentId, index: FileIndex, file: File, length: u64) -> io::Result<MappedFile> {
        let size = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let map = MmapOptions::new().len(size).map_raw_read_only(&file)?;
        // read-ahead is ours (see residency): a fault must not drag in neighbours that nobody asked for
        map.advise(Advice::Random)?;
        let windows = size.div_ceil(WINDOW);
        let bits = || (0..windows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (read_in, recent) = (bits(), bits());
        Ok(MappedFile { torrent, index, map, file, read_in, recent, recent_second: AtomicU64::new(0) })
    }

    /// Torrent that the file belongs to.
    pub fn torrent(&self) -> TorrentId {
        self.torrent
    }

    /// Its index there.
    pub fn index(&self) -> FileIndex {
        self.index
    }

    /// Bytes mapped, which is the length that the torrent gives the file.
    pub fn length(&self) -> u64 {
        self.map.len() as u64
    }

    /// The open file; for asking about it (fstat, cachestat), not for reading.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Address of byte `offset`. Never to be turned into a reference.
    pub fn address(&self, offset: u64) -> *const u8 {
        debug_assert!(offset <= self.length(), "an address beyond the map");
        self.map.as_ptr().wrapping_add(usize::try_from(offset).expect("within the map"))
    }

    /// Pages in `length` bytes from `offset` (MADV_POPULATE_READ): blocks for the disk, maps the pages.
    pub(super) fn populate(&self, offset: usize, length: usize) -> io::Result<()> {
        self.map.advise_range(Advice::PopulateRead, offset, length)
    }

    pub(super) fn is_read_in(&self, window: usize) -> bool {
        is_set(&self.read_in, window)
    }

    pub(super) fn set_read_in(&self, window: usize, known: bool) {
        let bit = 1 << (window % 64);
        if known {
            self.read_in[window / 64].fetch_or(bit, Ordering::Relaxed);
        } else {
            self.read_in[window / 64].fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether [`MappedFile::set_recent`] was called for `window` within the same second.
    pub(super) fn is_recent(&self, window: usize, second: u64) -> bool {
        self.recent_second.load(Ordering::Relaxed) == second && is_set(&self.recent, window)
    }

    /// Notes that `window` is warm in `second`, and forgets what was noted in another.
    pub(super) fn set_recent(&self, window: usize, second: u64) {
        if self.recent_second.swap(second, Ordering::Relaxed) != second {
            self.recent.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        self.recent[window / 64].fetch_or(1 << (window % 64), Ordering::Relaxed);
    }
}

fn is_set(bits: &[AtomicU64], window: usize) -> bool {
    bits[window / 64].load(Ordering::Relaxed) >> (window % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_warm_in_one_second_is_forgotten_in_the_next() {
        let file = tempfile::tempfile().expect("a scratch file");
        file.set_len(WINDOW as u64 * 130).expect("space");
        let map = MappedFile::new(TorrentId(1), FileIndex(0), file, WINDOW as u64 * 130).expect("mapped");
        map.set_recent(3, 7);
        map.set_recent(129, 7);
        assert!(map.is_recent(3, 7) && map.is_recent(129, 7) && !map.is_recent(4, 7));
        assert!(!map.is_recent(3, 8), "asked about in another second");
        map.set_recent(4, 8);
        assert!(map.is_recent(4, 8) && !map.is_recent(3, 8) && !map.is_recent(129, 8));
    }
}
