//! Begun pieces and their blocks, and the moves between missing, begun and had.

use std::time::Duration;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, PieceIndex};
use crate::limits::BLOCK;

use super::{Holds, Picker, Priority, Rarity, for_each_piece};

/// How long a piece that failed waits for a peer that had no part in it, before one that had may fetch it.
const SUSPECTS_WAIT: Duration = Duration::from_secs(10);

/// Length of a torrent and of its pieces, and how those are cut into blocks.
#[derive(Clone, Debug)]
pub struct Shape {
    piece_length: u32,
    total: u64,
}

impl Shape {
    /// Of a torrent of `total` bytes in pieces of `piece_length`, which is not 0; both from a checked torrent file.
    pub fn new(piece_length: u32, total: u64) -> Shape {
        Shape { piece_length: piece_length.max(1), total }
    }

    pub(super) fn pieces(&self) -> u32 {
        u32::try_from(self.total.div_ceil(u64::from(self.piece_length))).unwrap_or(u32::MAX)
    }

    /// The piece of a byte.
    pub(super) fn piece_at(&self, byte: u64) -> usize {
        usize::try_from(byte / u64::from(self.piece_length)).unwrap_or(usize::MAX)
    }

    fn length(&self, piece: u32) -> u32 {
        let rest = self.total.saturating_sub(u64::from(piece) * u64::from(self.piece_length));
        u32::try_from(rest).unwrap_or(u32::MAX).min(self.piece_length)
    }

    fn blocks(&self, piece: u32) -> u32 {
        self.length(piece).div_ceil(BLOCK)
    }

    pub(super) fn block(&self, piece: u32, number: u32) -> BlockRef {
        let begin = number * BLOCK;
        BlockRef { piece: PieceIndex(piece), begin, length: BLOCK.min(self.length(piece) - begin) }
    }

    /// Of a block that was asked for.
    pub(super) fn number(&self, block: BlockRef) -> u32 {
        block.begin / BLOCK
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Block {
    Free,
    Asked(PeerKey),
    Got(PeerKey),
}

/// To be fetched from one peer, so that a copy that fails again proves who sent it.
#[derive(Clone, Copy, Debug)]
struct Alone {
    owner: Option<PeerKey>,
    suspects_from: Time,
}

/// A piece some of whose blocks are asked for or here.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    blocks: Box<[Block]>,
    free: u32,
    got: u32,
    /// No block before this one is free.
    first_free: u32,
    /// Older pieces have lower ones.
    age: u64,
    alone: Option<Alone>,
}

impl Begun {
    fn new(blocks: u32, age: u64) -> Begun {
        let all = vec![Block::Free; blocks as usize].into();
        Begun { blocks: all, free: blocks, got: 0, first_free: 0, age, alone: None }
    }

    pub(super) fn has_free(&self) -> bool {
        self.free > 0
    }

    pub(super) fn is_complete(&self) -> bool {
        self.got as usize == self.blocks.len()
    }

    /// Whether blocks of it may be asked of several peers.
    pub(super) fn is_shared(&self) -> bool {
        self.alone.is_none()
    }

    /// Gives out the first free block.
    pub(super) fn take(&mut self, key: PeerKey) -> Option<u32> {
        let from = self.first_free as usize;
        let place = self.blocks[from..].iter().position(|block| *block == Block::Free)?;
        let number = self.first_free + u32::try_from(place).ok()?;
        self.blocks[number as usize] = Block::Asked(key);
        self.free -= 1;
        self.first_free = number + 1;
        if let Some(alone) = &mut self.alone {
            alone.owner = Some(key);
        }
        Some(number)
    }

    /// Blocks that somebody owes, and who was asked first.
    pub(super) fn asked(&self) -> impl Iterator<Item = (u32, PeerKey)> {
        (0u32..).zip(&self.blocks).filter_map(|(number, block)| match block {
            Block::Asked(key) => Some((number, *key)),
            _ => None,
        })
    }

    /// A block is here. Who was asked for it first.
    pub(super) fn got(&mut self, number: u32, key: PeerKey) -> Option<PeerKey> {
        let block = self.blocks.get_mut(number as usize)?;
        let Block::Asked(first) = std::mem::replace(block, Block::Got(key)) else { return None };
        self.got += 1;
        Some(first)
    }

    /// All blocks are free again. Who sent them.
    pub(super) fn restart(&mut self) -> Box<[PeerKey]> {
        let sender = |block: &Block| match block {
            Block::Got(key) => Some(*key),
            _ => None,
        };
        let senders = self.blocks.iter().filter_map(sender).collect();
        let count = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        *self = Begun::new(count, self.age);
        senders
    }

    pub(super) fn fetch_alone(&mut self, now: Time) {
        self.alone = Some(Alone { owner: None, suspects_from: now + SUSPECTS_WAIT });
    }

    /// Whether `key` may be asked for its free blocks.
    pub(super) fn is_for(&self, now: Time, key: PeerKey, suspect: impl FnOnce() -> bool) -> bool {
        match self.alone {
            None => true,
            Some(Alone { owner: Some(owner), .. }) => owner == key,
            Some(Alone { owner: None, suspects_from }) => now >= suspects_from || !suspect(),
        }
    }
}

impl Picker {
    /// A piece that is not had becomes wanted, by its priority.
    pub(super) fn enter(&mut self, piece: u32) {
        let priority = self.priorities[piece as usize];
        if priority == Priority::Skip || self.had[piece as usize] {
            return;
        }
        self.set_missing(piece, true);
        if !self.begun.contains_key(&piece) {
            self.wanted.insert(piece, priority, self.rarity.told(piece));
        }
    }

    /// A piece is not to be begun: it is had, or skipped, or just begun.
    pub(super) fn leave(&mut self, piece: u32) {
        self.wanted.remove(piece, self.priorities[piece as usize], self.rarity.told(piece));
    }

    pub(super) fn set_missing(&mut self, piece: u32, missing: bool) {
        let (byte, mask) = (&mut self.missing[piece as usize / 8], 0x80u8 >> (piece % 8));
        match (*byte & mask != 0, missing) {
            (false, true) => self.missing_count += 1,
            (true, false) => self.missing_count -= 1,
            _ => return,
        }
        *byte ^= mask;
    }

    pub(super) fn begin(&mut self, piece: u32) {
        self.leave(piece);
        self.ages += 1;
        self.begun.insert(piece, Begun::new(self.shape.blocks(piece), self.ages));
        self.list_open(piece);
    }

    pub(super) fn open_key(&self, piece: u32, begun: &Begun) -> (u8, u64, u32) {
        (Priority::High as u8 - self.priorities[piece as usize] as u8, begun.age, piece)
    }

    /// Lists a begun piece as one that has free blocks, or strikes it off.
    pub(super) fn list_open(&mut self, piece: u32) {
        let Some(begun) = self.begun.get(&piece) else { return };
        let key = self.open_key(piece, begun);
        if begun.has_free() && self.priorities[piece as usize] != Priority::Skip {
            self.open.insert(key);
        } else {
            self.open.remove(&key);
        }
    }

    /// `key` no longer owes `block`, which it does not: it is free again unless somebody else owes it too.
    pub(super) fn release(&mut self, key: PeerKey, block: BlockRef) {
        let (piece, number) = (block.piece.0, self.shape.number(block));
        let Some(begun) = self.begun.get_mut(&piece) else { return };
        let place = &mut begun.blocks[number as usize];
        let also = self.also_asked.entry((piece, number)).or_default();
        if *place == Block::Asked(key) {
            match also.pop() {
                Some(other) => *place = Block::Asked(other),
                None => {
                    *place = Block::Free;
                    begun.free += 1;
                    begun.first_free = begun.first_free.min(number);
                }
            }
        } else {
            also.retain(|other| *other != key);
        }
        if also.is_empty() {
            self.also_asked.remove(&(piece, number));
        }
        self.settle(piece);
    }

    /// A begun piece without a block asked or here is a missing one, unless one peer is to fetch it.
    pub(super) fn settle(&mut self, piece: u32) {
        let Some(begun) = self.begun.get(&piece) else { return };
        if begun.free as usize == begun.blocks.len() && begun.is_shared() {
            self.open.remove(&self.open_key(piece, begun));
            self.begun.remove(&piece);
            self.enter(piece);
        } else {
            self.list_open(piece);
        }
    }

    /// Frees the place of the begun piece that is furthest from being whole, of those that nobody is asked for.
    pub(super) fn give_up_one(&mut self) {
        let is_idle = |begun: &Begun| begun.is_shared() && !begun.is_complete() && begun.asked().next().is_none();
        let idle = self.begun.iter().filter(|(_, begun)| is_idle(begun));
        let Some(piece) = idle.min_by_key(|(_, begun)| begun.got).map(|(piece, _)| *piece) else { return };
        if let Some(begun) = self.begun.remove(&piece) {
            self.open.remove(&self.open_key(piece, &begun));
            self.enter(piece);
        }
    }

    /// `key` owes nothing any more.
    pub(super) fn release_all(&mut self, key: PeerKey) {
        let owed = self.links.get_mut(&key).map(super::Link::forget_all).unwrap_or_default();
        self.lost += owed.iter().map(|block| u64::from(block.length)).sum::<u64>();
        owed.into_iter().for_each(|block| self.release(key, block));
        self.disown(key);
    }

    /// Others may go on with pieces that `key` was to fetch alone.
    pub(super) fn disown(&mut self, key: PeerKey) {
        for alone in self.begun.values_mut().filter_map(|begun| begun.alone.as_mut()) {
            alone.owner = alone.owner.filter(|owner| *owner != key);
        }
    }

    pub(super) fn cancel(&mut self, key: PeerKey, block: BlockRef) {
        if self.links.get_mut(&key).is_some_and(|link| link.forget(block)) {
            self.cancels.push_back((key, block));
        }
    }

    pub(super) fn ban(&mut self, key: PeerKey) {
        if self.bans.contains(&key) || self.links.get(&key).is_some_and(|link| link.banned) {
            return;
        }
        self.bans.push_back(key);
        self.release_all(key);
        if let Some(link) = self.links.get_mut(&key) {
            link.banned = true;
        }
    }

    /// Changes how many have a piece, and its place in the order with it.
    pub(super) fn recount(&mut self, piece: u32, change: impl FnOnce(&mut Rarity, PieceIndex)) {
        let before = self.rarity.told(piece);
        change(&mut self.rarity, PieceIndex(piece));
        if self.wanted.contains(piece) {
            let priority = self.priorities[piece as usize];
            self.wanted.remove(piece, priority, before);
            self.wanted.insert(piece, priority, self.rarity.told(piece));
        }
    }

    pub(super) fn count_in(&mut self, holds: Holds<'_>) {
        match holds {
            Holds::All => self.rarity.joined_complete(),
            Holds::Bits(bits) => for_each_piece(bits, self.had.len(), |piece| self.recount(piece, Rarity::have)),
        }
    }

    pub(super) fn count_out(&mut self, holds: Holds<'_>) {
        match holds {
            Holds::All => self.rarity.left_complete(),
            Holds::Bits(bits) => for_each_piece(bits, self.had.len(), |piece| self.recount(piece, Rarity::lost)),
        }
    }
}

const _: () = assert!(size_of::<Block>() == 12);
