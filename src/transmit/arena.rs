//! Where block headers live while the kernel may read them.
//!
//! A header is written once and its bytes never change again while a pipe or a socket may still refer to them. There is no
//! completion that says when that ends (an ACK does not: on loopback the receiver still reads the page), so none is waited
//! for: the arena only moves forward, and before it starts over it gives its pages back with MADV_DONTNEED. Whoever still
//! refers to an old page keeps it; the arena gets new ones.
//!
//! Unsafe: that one `madvise`. It changes the bytes below a mapping, so no reference to them may be alive; none is, since
//! `restart` has the arena to itself and only addresses are given out.
#![expect(unsafe_code, reason = "MADV_DONTNEED on our own anonymous pages")]

use std::io;

use memmap2::{Advice, MmapMut, UncheckedAdvice};

use crate::ids::BlockRef;
use crate::limits::BLOCKS_PER_CHUNK;
use crate::wire::{PIECE_HEADER, piece_header};

/// Pages are dropped 64 at a time: one `madvise` for some 1,200 chunks, and still small enough to stay in the cache.
const ARENA_BYTES: usize = 256 * 1024;
/// A batch of headers does not cross such a boundary, so that each takes one slot of a pipe.
const PAGE_MIN: usize = 4096;
const _: () = assert!(BLOCKS_PER_CHUNK * PIECE_HEADER <= PAGE_MIN);

/// Bump arena of anonymous pages.
#[derive(Debug)]
pub(super) struct HeaderArena {
    memory: MmapMut,
    next: usize,
}

impl HeaderArena {
    pub(super) fn new() -> io::Result<HeaderArena> {
        HeaderArena::with_size(ARENA_BYTES)
    }

    pub(super) fn with_size(bytes: usize) -> io::Result<HeaderArena> {
        let memory = MmapMut::map_anon(bytes)?;
        // a huge page would be pinned whole by one slow socket
        match memory.advise(Advice::NoHugePage) {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
            _ => Ok(HeaderArena { memory, next: 0 }),
        }
    }

    /// Makes room for the headers of one chunk. Addresses given out before are no longer valid afterwards, other than those
    /// that the kernel has already taken.
    pub(super) fn begin_batch(&mut self) {
        const BATCH: usize = BLOCKS_PER_CHUNK * PIECE_HEADER;
        if self.next % PAGE_MIN + BATCH > PAGE_MIN {
            self.next = self.next.next_multiple_of(PAGE_MIN);
        }
        if self.next + BATCH > self.memory.len() {
            self.restart();
        }
    }

    /// Writes the header of `block`; at most [`BLOCKS_PER_CHUNK`] in a batch.
    pub(super) fn write(&mut self, block: BlockRef) -> *const u8 {
        let header = &mut self.memory[self.next..self.next + PIECE_HEADER];
        header.copy_from_slice(&piece_header(block));
        self.next += PIECE_HEADER;
        header.as_ptr()
    }

    fn restart(&mut self) {
        // SAFETY: the pages are anonymous and ours; no reference into them is alive (see the module's doc), and zeros are
        // valid bytes.
        let dropped = unsafe { self.memory.unchecked_advise(UncheckedAdvice::DontNeed) };
        if dropped.is_err() {
            // not seen to happen; then a new mapping does the same
            self.memory = MmapMut::map_anon(self.memory.len()).expect("as large as the one that it replaces");
        }
        self.next = 0;
    }
}
