//! Receive buffers: one piece of memory made at the start, cut into equal buffers that wander between driver and loop.

use std::ops::Range;

/// Received bytes on loan. Read them with [`Driver::bytes`](super::Driver::bytes); give the buffer back with
/// [`Driver::release`](super::Driver::release), or the driver has one less for good.
#[derive(Debug)]
#[must_use = "a buffer that is not released is lost to the driver"]
pub struct Buffer {
    pub(super) index: u16,
    /// Bytes received; never more than a buffer holds.
    pub(super) length: u32,
}

impl Buffer {
    /// Bytes in it, at least one.
    #[expect(clippy::len_without_is_empty, reason = "an empty buffer is never handed out")]
    pub fn len(&self) -> usize {
        self.length as usize
    }
}

/// Which buffers are out with the loop. A buffer from another driver is refused here, before any memory is touched.
pub(super) struct Loans {
    out: Box<[bool]>,
}

impl Loans {
    pub(super) fn new(buffers: u16) -> Loans {
        Loans { out: vec![false; usize::from(buffers)].into() }
    }

    pub(super) fn lend(&mut self, index: u16) {
        debug_assert!(!self.out[usize::from(index)], "the kernel filled a buffer that was out");
        self.out[usize::from(index)] = true;
    }

    pub(super) fn take_back(&mut self, index: u16) {
        self.check(index);
        self.out[usize::from(index)] = false;
    }

    /// Panics unless the buffer is out: only a program that mixes two drivers' buffers gets here.
    pub(super) fn check(&self, index: u16) {
        assert!(self.out[usize::from(index)], "buffer {index} was not lent by this driver");
    }
}

/// The epoll driver's buffers. The last one given back is the next one used: it is still in the cache.
pub(super) struct Pool {
    memory: Box<[u8]>,
    buffer_bytes: usize,
    free: Vec<u16>,
    loans: Loans,
}

impl Pool {
    pub(super) fn new(buffers: u16, buffer_bytes: u32) -> Pool {
        let buffer_bytes = buffer_bytes as usize;
        let memory = vec![0; buffer_bytes * usize::from(buffers)].into();
        Pool { memory, buffer_bytes, free: (0..buffers).rev().collect(), loans: Loans::new(buffers) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// The memory that [`Pool::lend`] will hand out next.
    pub(super) fn next(&mut self) -> Option<&mut [u8]> {
        let range = self.range(*self.free.last()?);
        Some(&mut self.memory[range])
    }

    /// Hands out the buffer whose memory [`Pool::next`] gave, now holding `length` bytes.
    pub(super) fn lend(&mut self, length: usize) -> Option<Buffer> {
        let length = u32::try_from(length).ok().filter(|&length| length as usize <= self.buffer_bytes)?;
        let index = self.free.pop()?;
        self.loans.lend(index);
        Some(Buffer { index, length })
    }

    pub(super) fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.loans.check(buffer.index);
        &self.memory[self.range(buffer.index)][..buffer.len()]
    }

    pub(super) fn release(&mut self, buffer: Buffer) {
        self.loans.take_back(buffer.index);
        self.free.push(buffer.index);
    }

    fn range(&self, index: u16) -> Range<usize> {
        let start = usize::from(index) * self.buffer_bytes;
        start..start + self.buffer_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_lends_each_buffer_once_and_again_after_release() {
        let mut pool = Pool::new(2, 8);
        pool.next().expect("free")[..3].copy_from_slice(b"abc");
        let first = pool.lend(3).expect("free");
        pool.next().expect("free")[..1].copy_from_slice(b"z");
        let second = pool.lend(1).expect("free");
        assert!(pool.is_empty() && pool.next().is_none() && pool.lend(1).is_none());
        assert_eq!(pool.bytes(&first), b"abc");
        assert_eq!(pool.bytes(&second), b"z");
        pool.release(first);
        assert!(!pool.is_empty());
        assert_eq!(pool.bytes(&second), b"z");
    }

    #[test]
    #[should_panic(expected = "not lent by this driver")]
    fn a_buffer_of_another_pool_is_refused() {
        let mut owner = Pool::new(1, 8);
        let buffer = owner.lend(1).expect("free");
        let _ = Pool::new(1, 8).bytes(&buffer);
    }
}
