//! What the reactor asked a web seed for, and how requests become long ranges. Does no IO.

use std::collections::{HashSet, VecDeque};

use crate::ids::{BlockRef, FileIndex};
use crate::limits;
use crate::metainfo::Geometry;

/// Requests that wait, and answers that are refusals.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    geometry: &'a Geometry,
    interested: bool,
    /// Requests are welcome: we do not choke.
    open: bool,
    waiting: VecDeque<BlockRef>,
    refused: Vec<BlockRef>,
    /// Files that the server does not have.
    withdrawn: HashSet<FileIndex>,
}

/// Neighbouring blocks, to be fetched together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    /// First byte in the torrent.
    pub(super) start: u64,
    /// Bytes.
    pub(super) length: u64,
    /// In order.
    pub(super) blocks: VecDeque<BlockRef>,
}

/// What our own reactor never asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("a request beyond the torrent")]
    Beyond,
    #[error("too many requests")]
    Flood,
}

impl Orders<'_> {
    pub(super) fn new(geometry: &Geometry) -> Orders<'_> {
        Orders {
            geometry,
            interested: false,
            open: false,
            waiting: VecDeque::new(),
            refused: Vec::new(),
            withdrawn: HashSet::new(),
        }
    }

    pub(super) fn set_interested(&mut self, interested: bool) {
        self.interested = interested;
    }

    /// Welcomes requests from now on if the reactor has some and is choked; whether it did.
    pub(super) fn open_if_wanted(&mut self) -> bool {
        let opens = self.interested && !self.open;
        self.open |= opens;
        opens
    }

    /// Begins to choke: whatever waits is refused.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.refused.extend(self.waiting.drain(..));
    }

    /// Takes a request. One that came too late or is for what is not there is refused (BEP 6).
    pub(super) fn request(&mut self, block: BlockRef) -> Result<(), Unfit> {
        if block.length > limits::BLOCK_MAX || !self.geometry.contains(block) {
            return Err(Unfit::Beyond);
        }
        if self.refused.len() >= 2 * limits::WEB_SEED_REQUESTS {
            return Err(Unfit::Flood);
        }
        if self.open && self.waiting.len() < limits::WEB_SEED_REQUESTS && !self.is_withdrawn(block) {
            self.waiting.push_back(block);
        } else {
            self.refused.push(block);
        }
        Ok(())
    }

    fn is_withdrawn(&self, block: BlockRef) -> bool {
        self.geometry.spans(block).any(|span| self.withdrawn.contains(&span.file))
    }

    /// Drops a request that has not begun; BEP 6 has it answered all the same.
    pub(super) fn cancel(&mut self, block: BlockRef) {
        if let Some(at) = self.waiting.iter().position(|waiting| *waiting == block) {
            self.waiting.remove(at);
            self.refused.push(block);
        }
    }

    /// Lets blocks of a run wait again that were not fetched, before all others.
    pub(super) fn put_back(&mut self, blocks: VecDeque<BlockRef>) {
        blocks.into_iter().rev().for_each(|block| self.waiting.push_front(block));
    }

    /// The blocks whose refusal is to be told.
    pub(super) fn take_refused(&mut self) -> Vec<BlockRef> {
        std::mem::take(&mut self.refused)
    }

    /// The request that waits longest and those that continue it, up to [`limits::WEB_SEED_RANGE`].
    pub(super) fn next_run(&mut self) -> Option<Run> {
        let first = self.waiting.pop_front()?;
        let start = self.geometry.offset(first);
        let mut run = Run { start, length: first.length.into(), blocks: [first].into() };
        while let Some(at) = self.waiting.iter().position(|block| self.geometry.offset(*block) == start + run.length) {
            let Some(&block) = self.waiting.get(at).filter(|block| run.fits(**block)) else { break };
            self.waiting.remove(at);
            run.length += u64::from(block.length);
            run.blocks.push_back(block);
        }
        Some(run)
    }

    /// Takes back that a file is there. `None` if nothing is left; else the bitfield of what is.
    pub(super) fn withdraw(&mut self, file: FileIndex) -> Option<Vec<u8>> {
        self.withdrawn.insert(file);
        for block in std::mem::take(&mut self.waiting) {
            if self.is_withdrawn(block) { self.refused.push(block) } else { self.waiting.push_back(block) }
        }
        let left = self.bitfield();
        left.iter().any(|byte| *byte != 0).then_some(left)
    }

    fn bitfield(&self) -> Vec<u8> {
        let pieces = self.geometry.pieces();
        let mut bits = vec![0; usize::try_from(pieces.div_ceil(8)).expect("bounded by limits::PIECES")];
        for piece in 0..pieces {
            let start = u64::from(piece) * u64::from(self.geometry.nominal_piece_length());
            let length = u64::from(self.geometry.nominal_piece_length());
            let missing = self.geometry.spans_of(start, length).any(|span| self.withdrawn.contains(&span.file));
            bits[piece as usize / 8] |= u8::from(!missing) << (7 - piece % 8);
        }
        bits
    }
}

impl Run {
    fn fits(&self, block: BlockRef) -> bool {
        self.length + u64::from(block.length) <= limits::WEB_SEED_RANGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PieceIndex;
    use proptest::prelude::*;

    const BLOCK: u32 = 16 * 1024;
    const PIECE: u32 = 4 * BLOCK;

    /// The block that begins with the torrent's block `number`.
    fn block(number: u32) -> BlockRef {
        BlockRef { piece: PieceIndex(number / 4), begin: number % 4 * BLOCK, length: BLOCK }
    }

    /// Files of one piece each.
    fn geometry(files: u32) -> Geometry {
        Geometry::new(PIECE, (0..files).map(|_| (u64::from(PIECE), false))).expect("small")
    }

    fn orders(geometry: &Geometry) -> Orders<'_> {
        let mut orders = Orders::new(geometry);
        assert!(!orders.open_if_wanted());
        orders.set_interested(true);
        assert!(orders.open_if_wanted());
        orders
    }

    #[test]
    fn neighbours_are_fetched_together_across_pieces_in_whatever_order_they_were_asked_for() {
        let geometry = geometry(10);
        let mut orders = orders(&geometry);
        for number in [2, 4, 3, 20, 5, 21, 7] {
            orders.request(block(number)).expect("fits");
        }
        let runs: Vec<(u64, Vec<BlockRef>)> =
            std::iter::from_fn(|| orders.next_run()).map(|run| (run.start, run.blocks.into())).collect();
        let at = |number: u32| u64::from(number * BLOCK);
        let wanted = [(at(2), vec![2, 3, 4, 5]), (at(20), vec![20, 21]), (at(7), vec![7])];
        assert_eq!(runs, wanted.map(|(start, blocks)| (start, blocks.into_iter().map(block).collect())));
    }

    #[test]
    fn a_range_is_bounded() {
        let geometry = geometry(200);
        let mut orders = orders(&geometry);
        (0..400).for_each(|number| orders.request(block(number)).expect("fits"));
        let lengths: Vec<u64> = std::iter::from_fn(|| orders.next_run()).map(|run| run.length).collect();
        assert_eq!(lengths, [limits::WEB_SEED_RANGE, 144 * u64::from(BLOCK)]);
    }

    #[test]
    fn requests_that_cannot_be_served_are_refused() {
        let geometry = geometry(500);
        let mut orders = orders(&geometry);
        orders.close();
        orders.request(block(0)).expect("in the torrent");
        assert!(orders.open_if_wanted() && !orders.open_if_wanted());
        orders.request(block(1)).expect("in the torrent");
        orders.cancel(block(1));
        orders.cancel(block(9));
        orders.request(block(2)).expect("in the torrent");
        orders.close();
        assert_eq!(orders.take_refused(), [0, 1, 2].map(block));
        assert_eq!(orders.request(block(2_000)), Err(Unfit::Beyond));
        assert_eq!(orders.request(BlockRef { length: limits::BLOCK_MAX + 1, ..block(0) }), Err(Unfit::Beyond));
        let flood = (0..1_999).map(|number| orders.request(block(number))).find_map(Result::err);
        assert_eq!(flood, Some(Unfit::Flood));
    }

    #[test]
    fn a_run_that_failed_waits_before_the_others() {
        let geometry = geometry(10);
        let mut orders = orders(&geometry);
        [0, 1, 7].iter().for_each(|number| orders.request(block(*number)).expect("fits"));
        let run = orders.next_run().expect("two blocks");
        orders.put_back(run.blocks.clone());
        assert_eq!(orders.next_run(), Some(run.clone()));
        orders.put_back(run.blocks);
        orders.close();
        assert_eq!(orders.take_refused(), [0, 1, 7].map(block));
    }

    #[test]
    fn what_a_missing_file_is_part_of_is_taken_back() {
        let geometry = geometry(9);
        let mut orders = orders(&geometry);
        orders.request(block(3)).expect("fits");
        orders.request(block(4)).expect("fits");
        assert_eq!(orders.withdraw(FileIndex(1)), Some(vec![0b1011_1111, 0b1000_0000]));
        assert_eq!(orders.take_refused(), [block(4)]);
        orders.request(block(5)).expect("fits");
        assert_eq!(orders.take_refused(), [block(5)]);
        for file in [0, 2, 3, 4, 5, 6, 7] {
            assert!(orders.withdraw(FileIndex(file)).is_some());
        }
        assert_eq!(orders.withdraw(FileIndex(8)), None);
    }

    proptest! {
        #[test]
        fn every_request_is_answered_once(numbers in prop::collection::vec(0u32..40, 0..60), cancelled in prop::collection::vec(0u32..40, 0..20)) {
            let geometry = geometry(10);
        let mut orders = orders(&geometry);
            numbers.iter().for_each(|number| orders.request(block(*number)).expect("fits"));
            cancelled.iter().for_each(|number| orders.cancel(block(*number)));
            let mut answered = orders.take_refused();
            while let Some(run) = orders.next_run() {
                prop_assert_eq!(run.length, u64::from(BLOCK) * run.blocks.len() as u64);
                answered.extend(run.blocks);
            }
            let mut asked: Vec<BlockRef> = numbers.into_iter().map(block).collect();
            asked.sort_unstable_by_key(|block| (block.piece, block.begin));
            answered.sort_unstable_by_key(|block| (block.piece, block.begin));
            prop_assert_eq!(answered, asked);
        }
    }
}
