//! Receive buffers that the kernel picks by itself: a ring of free ones in memory that both sides see
//! (io_uring_register_buf_ring(3)).
//!
//! A buffer is either the kernel's, which may write to it at any time, or on loan to the loop, which may read it. It
//! becomes ours with the completion that names it and the kernel's when its entry is published; [`Loans`] keeps which is
//! which. A reference to a buffer's bytes borrows `self`, and publishing needs `self` mutably, so no reference lives while
//! the kernel writes. The memory outlives the registration: the driver calls [`Provided::unregister`] before it goes, and
//! where that fails the memory is never freed.
#![expect(unsafe_code, reason = "memory shared with the kernel")]

use std::io;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use memmap2::{MmapMut, MmapRaw};

use super::buffers::{Buffer, Loans};

/// The one group of buffers of a ring.
pub(super) const GROUP: u16 = 0;

pub(super) struct Provided {
    /// `mask + 1` entries, the free buffers; page-aligned.
    entries: ManuallyDrop<MmapRaw>,
    /// `mask + 1` buffers of `buffer_bytes`.
    memory: ManuallyDrop<MmapRaw>,
    buffer_bytes: u32,
    mask: u16,
    /// Entries published since the start, wrapping: what the kernel reads as the ring's tail.
    tail: u16,
    loans: Loans,
    at_home: usize,
}

impl Provided {
    pub(super) fn register(submitter: &Submitter<'_>, buffers: u16, buffer_bytes: u32) -> io::Result<Provided> {
        if !buffers.is_power_of_two() || buffers > 1 << 15 || buffer_bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "receive buffers: a power of two up to 2^15"));
        }
        let count = usize::from(buffers);
        let entries = MmapRaw::from(MmapMut::map_anon(count * size_of::<BufRingEntry>())?);
        let memory = MmapRaw::from(MmapMut::map_anon(count * buffer_bytes as usize)?);
        let address = entries.as_mut_ptr().addr() as u64;
        // SAFETY: `entries` holds `buffers` entries, is page-aligned, and stays mapped until `unregister` succeeded.
        unsafe { submitter.register_buf_ring_with_flags(address, buffers, GROUP, 0)? };
        let mut provided = Provided {
            entries: ManuallyDrop::new(entries),
            memory: ManuallyDrop::new(memory),
            buffer_bytes,
            mask: buffers - 1,
            tail: 0,
            loans: Loans::new(buffers),
            at_home: 0,
        };
        (0..buffers).for_each(|index| provided.publish(index));
        Ok(provided)
    }

    /// Takes the buffers away from the kernel and frees them. Nothing may be lent from here on.
    pub(super) fn unregister(&mut self, submitter: &Submitter<'_>) {
        if submitter.unregister_buf_ring(GROUP).is_ok() {
            // SAFETY: dropped once, here: the driver calls this from its own drop and never touches `self` again.
            unsafe { ManuallyDrop::drop(&mut self.entries) };
            // SAFETY: as above; the kernel no longer has a buffer to write to.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        }
    }

    /// The kernel has, or is about to fill, at least this many buffers.
    pub(super) fn at_home(&self) -> usize {
        self.at_home
    }

    /// A completion named `index`: `length` bytes are in it, and it is ours.
    pub(super) fn lend(&mut self, index: u16, length: u32) -> Buffer {
        assert!(length <= self.buffer_bytes, "the kernel keeps to the length of an entry");
        self.loans.lend(index);
        self.at_home -= 1;
        Buffer { index, length }
    }

    pub(super) fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.loans.check(buffer.index);
        debug_assert!(buffer.length <= self.buffer_bytes);
        // SAFETY: a buffer that is out has a valid index, so its start lies in the mapping.
        let start = unsafe { self.memory.as_mut_ptr().add(self.offset(buffer.index)) };
        // SAFETY: `length` was checked against the buffer's size when it was lent, by this driver or, if somebody mixes them,
        // by another one: the smaller of both bounds it here. The memory is initialised (anonymous pages are zero), and the
        // kernel does not write to a buffer that is out until `release`, which needs `&mut self`.
        unsafe { std::slice::from_raw_parts(start, buffer.length.min(self.buffer_bytes) as usize) }
    }

    pub(super) fn release(&mut self, buffer: Buffer) {
        self.loans.take_back(buffer.index);
        self.publish(buffer.index);
    }

    fn offset(&self, index: u16) -> usize {
        usize::from(index) * self.buffer_bytes as usize
    }

    /// Gives the kernel a buffer that is ours.
    fn publish(&mut self, index: u16) {
        let address = self.memory.as_mut_ptr().addr() + self.offset(index);
        let entries = self.entries.as_mut_ptr().cast::<BufRingEntry>();
        // SAFETY: masked, so within the entries.
        let place = unsafe { entries.add(usize::from(self.tail & self.mask)) };
        // SAFETY: in bounds and aligned. The kernel reads no entry at or beyond the tail, and as no buffer is published
        // twice there are never more than `mask + 1` before it.
        let entry = unsafe { &mut *place };
        entry.set_addr(address as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
        self.at_home += 1;
        // SAFETY: `entries` is the ring's first entry.
        let tail = unsafe { BufRingEntry::tail(entries) };
        // SAFETY: two bytes of the mapping, aligned, and touched by both sides as an atomic only.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}
