//! What one send carries.

use crate::clock::Time;
use crate::ids::{BlockRef, TorrentId};
use crate::limits::{BLOCKS_PER_CHUNK, CHUNK};
use crate::storage::{ColdRange, MappedFile, Maps, Parts, Payload, PayloadError, Residency};
use crate::transmit::arena::HeaderArena;
use crate::wire::PIECE_HEADER;

/// Most address ranges that one system call takes (UIO_MAXIOV).
const RANGES_PER_CALL: usize = 1024;
/// What a slot of a pipe holds at most.
const PAGE_MIN: usize = 4096;

/// Blocks that leave together, as address ranges of maps: up to 256 KiB of payload in up to sixteen blocks. Made once and
/// used again; allocates nothing once it has been full.
#[derive(Debug, Default)]
pub struct Chunk {
    blocks: Vec<Entry>,
    parts: Parts,
    payload_bytes: usize,
    /// Blocks go without their headers.
    bare: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    block: BlockRef,
    /// End of its ranges in `parts`; they begin where those of the block before end.
    parts_end: usize,
}

/// Bytes and blocks before some position of a chunk.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Tally {
    pub(super) payload_bytes: u64,
    /// Blocks whose last byte lies before the position.
    pub(super) blocks: u32,
}

impl Chunk {
    /// An empty one.
    pub fn new() -> Chunk {
        Chunk::default()
    }

    /// Empties it for another one, whose blocks go `bare`: without their headers, as the body of an HTTP answer.
    pub fn begin(&mut self, bare: bool) {
        self.clear();
        self.bare = bare;
    }

    /// Bytes before each block.
    fn header_bytes(&self) -> usize {
        if self.bare { 0 } else { PIECE_HEADER }
    }

    /// Forgets the blocks and lets go of their maps.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.parts.clear();
        self.payload_bytes = 0;
    }

    /// Whether a block of `length` bytes still fits. The first always does.
    pub fn has_room(&self, length: u32) -> bool {
        self.blocks.is_empty()
            || (self.blocks.len() < BLOCKS_PER_CHUNK && self.payload_bytes + length as usize <= CHUNK as usize)
    }

    /// Adds a block that [`Chunk::has_room`] for. On an error the chunk is as before.
    pub fn push(
        &mut self,
        maps: &mut Maps,
        torrent: TorrentId,
        payload: &Payload,
        block: BlockRef,
    ) -> Result<(), PayloadError> {
        assert!(self.has_room(block.length), "the caller asks first");
        maps.resolve(torrent, payload, block, &mut self.parts)?;
        self.blocks.push(Entry { block, parts_end: self.parts.list().len() });
        self.payload_bytes += block.length as usize;
        Ok(())
    }

    /// No blocks.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = BlockRef> {
        self.blocks.iter().map(|entry| entry.block)
    }

    /// Bytes of the blocks.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Bytes of the blocks and their headers.
    pub fn wire_bytes(&self) -> usize {
        self.payload_bytes + self.blocks.len() * self.header_bytes()
    }

    /// Appends the windows that must be paged in before this chunk is sent; see [`Residency::cold_ranges`].
    pub fn cold_ranges(&self, residency: &mut Residency, now: Time, out: &mut Vec<ColdRange>) {
        residency.cold_ranges(&self.parts, now, out);
    }

    /// The file that lost bytes: what a send that answered EFAULT is about. If none did, the disk could not read one of them.
    pub(super) fn damaged_file(&self) -> Option<&MappedFile> {
        let is_short = |map: &MappedFile| map.file().metadata().is_ok_and(|now| now.len() < map.length());
        let files = || self.parts.files().iter().map(AsRef::as_ref);
        files().find(|map| is_short(map)).or_else(|| files().next())
    }

    /// What lies before byte `position` of the framed chunk.
    pub(super) fn tally(&self, position: usize) -> Tally {
        let mut tally = Tally::default();
        let mut rest = position;
        let header = self.header_bytes();
        for entry in &self.blocks {
            let length = entry.block.length as usize;
            if rest < header + length {
                tally.payload_bytes += rest.saturating_sub(header) as u64;
                break;
            }
            tally.payload_bytes += length as u64;
            tally.blocks += 1;
            rest -= header + length;
        }
        tally
    }

    /// Lists the framed chunk from byte `position` on in `frame`, as far as its pipe slots and the kernel's bound go.
    pub(super) fn frame(&self, position: usize, headers: &mut HeaderArena, frame: &mut Frame) {
        headers.begin_batch();
        let mut skip = position;
        let mut parts_start = 0;
        for entry in &self.blocks {
            let parts = &self.parts.list()[parts_start..entry.parts_end];
            parts_start = entry.parts_end;
            let length = self.header_bytes() + entry.block.length as usize;
            if skip >= length {
                skip -= length;
                continue;
            }
            if !self.bare && !frame.push(headers.write(entry.block), PIECE_HEADER, &mut skip) {
                return;
            }
            for part in parts {
                if !frame.push(part.address, part.length, &mut skip) {
                    return;
                }
            }
        }
    }
}

/// The address ranges of one system call.
#[derive(Debug, Default)]
pub(super) struct Frame {
    ranges: Vec<libc::iovec>,
    slots: usize,
}

impl Frame {
    /// Empties it for a call that may take `slots` pages.
    pub(super) fn restart(&mut self, slots: usize) {
        self.ranges.clear();
        self.slots = slots;
    }

    pub(super) fn ranges(&self) -> &[libc::iovec] {
        &self.ranges
    }

    /// Adds a range without its first `skip` bytes; `false` when the frame is full and may end within the range.
    fn push(&mut self, address: *const u8, length: usize, skip: &mut usize) -> bool {
        if *skip >= length {
            *skip -= length;
            return true;
        }
        let address = address.wrapping_add(*skip);
        let length = length - *skip;
        *skip = 0;
        let into_page = address.addr() % PAGE_MIN;
        let slots = (into_page + length).div_ceil(PAGE_MIN);
        if self.slots == 0 || self.ranges.len() == RANGES_PER_CALL {
            return false;
        }
        let taken = if slots <= self.slots { length } else { self.slots * PAGE_MIN - into_page };
        self.ranges.push(libc::iovec { iov_base: address.cast_mut().cast(), iov_len: taken });
        self.slots = self.slots.saturating_sub(slots);
        taken == length
    }
}
