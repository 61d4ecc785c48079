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
        let read_in = (0..windows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(MappedFile { torrent, index, map, file, read_in })
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
        self.read_in[window / 64].load(Ordering::Relaxed) >> (window % 64) & 1 == 1
    }

    pub(super) fn set_read_in(&self, window: usize, known: bool) {
        let bit = 1 << (window % 64);
        if known {
            self.read_in[window / 64].fetch_or(bit, Ordering::Relaxed);
        } else {
            self.read_in[window / 64].fetch_and(!bit, Ordering::Relaxed);
        }
    }
}
