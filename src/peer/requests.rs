//! The requests that wait for one peer: bounded, in the order of arrival, free of cost while empty.

use std::collections::VecDeque;

use crate::ids::BlockRef;
use crate::limits;

/// A queue of at most [`limits::REQUESTS_PER_PEER`] requests.
#[derive(Default, Debug)]
pub struct Requests {
    queue: VecDeque<BlockRef>,
}

impl Requests {
    /// Appends `block`; `false` if the queue is full.
    pub fn push(&mut self, block: BlockRef) -> bool {
        let room = self.queue.len() < limits::REQUESTS_PER_PEER;
        if room {
            self.queue.push_back(block);
        }
        room
    }

    /// Removes the newest request for `block`; `false` if there is none.
    pub fn cancel(&mut self, block: BlockRef) -> bool {
        let place = self.queue.iter().rposition(|queued| *queued == block);
        place.is_some_and(|place| self.queue.remove(place).is_some())
    }

    /// Moves requests from the front to `out` while they are at most `blocks` in number and `bytes` long; always at
    /// least one if there is one, so that a block longer than the allowance gets through.
    pub fn take(&mut self, blocks: usize, bytes: u64, out: &mut Vec<BlockRef>) {
        let mut taken = 0;
        while out.len() < blocks.max(1) {
            let Some(next) = self.queue.front() else { break };
            taken += u64::from(next.length);
            if taken > bytes && !out.is_empty() {
                break;
            }
            out.extend(self.queue.pop_front());
        }
    }

    /// Puts requests that [`Requests::take`] gave out back to the front, in their order.
    pub fn put_back(&mut self, blocks: &[BlockRef]) {
        blocks.iter().rev().for_each(|block| self.queue.push_front(*block));
    }

    /// Drops those that `keep` refuses and calls `dropped` for each.
    pub fn retain(&mut self, keep: impl Fn(BlockRef) -> bool, mut dropped: impl FnMut(BlockRef)) {
        self.queue.retain(|block| {
            let keep = keep(*block);
            if !keep {
                dropped(*block);
            }
            keep
        });
    }

    /// Gives the memory of an empty queue back: an idle peer holds none.
    pub fn rest(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Requests that it has memory for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Requests waiting.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All, the next one first.
    pub fn iter(&self) -> impl Iterator<Item = BlockRef> {
        self.queue.iter().copied()
    }

    /// The next one.
    pub fn first(&self) -> Option<BlockRef> {
        self.queue.front().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PieceIndex;

    fn block(begin: u32, length: u32) -> BlockRef {
        BlockRef { piece: PieceIndex(0), begin, length }
    }

    #[test]
    fn the_queue_takes_2000_requests_and_not_one_more() {
        let mut requests = Requests::default();
        assert!((0..2_000).all(|begin| requests.push(block(begin, 1))));
        assert!(!requests.push(block(0, 1)));
        assert_eq!(requests.len(), 2_000);
    }

    #[test]
    fn a_turn_is_bounded_by_blocks_and_by_bytes_but_never_empty() {
        let mut requests = Requests::default();
        (0..5).for_each(|begin| assert!(requests.push(block(begin, 100))));
        let mut out = Vec::new();
        requests.take(16, 250, &mut out);
        assert_eq!(out, [block(0, 100), block(1, 100)]);
        requests.put_back(&out);
        out.clear();
        requests.take(3, 1_000, &mut out);
        assert_eq!(out, [block(0, 100), block(1, 100), block(2, 100)]);
        out.clear();
        requests.take(16, 1, &mut out);
        assert_eq!(out, [block(3, 100)], "a block longer than the allowance still goes");
    }

    #[test]
    fn a_cancel_removes_one_request_and_only_that() {
        let mut requests = Requests::default();
        [1, 2, 1].iter().for_each(|&begin| assert!(requests.push(block(begin, 9))));
        assert!(requests.cancel(block(1, 9)));
        assert_eq!((requests.len(), requests.first()), (2, Some(block(1, 9))));
        assert!(!requests.cancel(block(7, 9)));
    }
}
