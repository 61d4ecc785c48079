//! What a peer is asked for next.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, PieceIndex};

use super::link::Link;
use super::{Holds, Order, Picker, Priority};

/// Pieces that are picked at random before the rarest come first (BEP 3: so that there is soon something to trade).
const RANDOM_FIRST: u32 = 4;
/// Peers that are asked for the same block in the end game: the slowest of two is seldom slow.
const COPIES: usize = 3;
/// Blocks that a peer may owe when it is asked for what others owe too: enough to keep it busy for a round trip.
const END_GAME_DEPTH: usize = 16;
/// How long a peer has to have sent nothing before another is asked for its blocks, where what we ask for is limited: a copy
/// that comes twice is then paid for with something that did not come at all.
const PATIENCE: Duration = Duration::from_secs(5);

impl Picker {
    /// Appends what to ask of a peer now, up to the depth of its pipeline. It then counts as asked.
    pub fn ask(&mut self, now: Time, key: PeerKey, holds: Holds<'_>, random: &mut Rng, out: &mut Vec<BlockRef>) {
        self.ask_few(now, key, holds, None, random, out);
    }

    /// The same, but `most` blocks at most if that is given, and nothing twice that may still come.
    pub fn ask_few(
        &mut self,
        now: Time,
        key: PeerKey,
        holds: Holds<'_>,
        most: Option<usize>,
        random: &mut Rng,
        out: &mut Vec<BlockRef>,
    ) {
        let Some(link) = self.links.get(&key) else { return };
        let (mut room, whole_pieces) = (link.room().min(most.unwrap_or(usize::MAX)), link.manner.whole_pieces);
        while room > 0 {
            let chosen = if whole_pieces {
                self.new_piece(holds, random).or_else(|| self.open_piece(now, key, holds))
            } else {
                let unique = self.unique_piece(now, key, holds, random);
                unique.or_else(|| self.open_piece(now, key, holds)).or_else(|| self.new_piece(holds, random))
            };
            let Some(piece) = chosen else { break };
            if !self.begun.contains_key(&piece) {
                self.begin(piece);
            }
            room -= self.take(now, key, piece, room, out);
        }
        if room > 0 && self.is_end_game() {
            let patience = most.map_or(Duration::ZERO, |_| PATIENCE);
            self.ask_again(now, key, holds, (room, patience), random, out);
        }
    }

    /// The first begun piece with a free block that this peer has and may send.
    fn open_piece(&self, now: Time, key: PeerKey, holds: Holds<'_>) -> Option<u32> {
        self.open.iter().map(|(.., piece)| *piece).find(|piece| self.is_usable(*piece, now, key, holds))
    }

    fn is_usable(&self, piece: u32, now: Time, key: PeerKey, holds: Holds<'_>) -> bool {
        let suspect = || self.blame.suspects(piece, key);
        holds.has(PieceIndex(piece)) && self.begun.get(&piece).is_some_and(|begun| begun.is_for(now, key, suspect))
    }

    /// Where others download too, a seed is asked for what nobody else has, a begun piece or a new one: what others have began
    /// with others, and finished by the seed it would cost the swarm a piece that only the seed can give. (Simulated, ten
    /// downloaders and a seed: two thirds of what it sent was there already.)
    fn unique_piece(&self, now: Time, key: PeerKey, holds: Holds<'_>, random: &mut Rng) -> Option<u32> {
        let first = self.open.first().map(|(.., piece)| *piece)?;
        let is_seed = matches!(holds, Holds::All);
        if !is_seed || self.order != Order::RarestFirst || self.had_count < RANDOM_FIRST {
            return None;
        }
        let is_unique = |piece: &u32| self.rarity.told(*piece) == 0;
        let wanted_more = |piece: &u32| self.priorities[*piece as usize] >= self.priorities[first as usize];
        let mut open = self.open.iter().map(|(.., piece)| *piece).take_while(wanted_more).filter(is_unique);
        let begun = open.find(|piece| self.is_usable(*piece, now, key, holds));
        begun.or_else(|| self.new_piece(holds, random).filter(is_unique).filter(wanted_more))
    }

    fn new_piece(&self, holds: Holds<'_>, random: &mut Rng) -> Option<u32> {
        if self.begun.len() >= self.begun_max {
            return None;
        }
        let priority = |piece: u32| self.priorities[piece as usize];
        match self.order {
            Order::Sequential => {
                return self.wanted.least(holds, random, |piece| (std::cmp::Reverse(priority(piece)), piece));
            }
            Order::RarestFirst if self.had_count >= RANDOM_FIRST => {}
            _ => return self.wanted.least(holds, random, |piece| std::cmp::Reverse(priority(piece))),
        }
        let rank = |piece| (std::cmp::Reverse(priority(piece)), self.rarity.told(piece));
        self.wanted.rarest(holds, random, rank)
    }

    /// Asks for free blocks of one piece, in order. How many.
    fn take(&mut self, now: Time, key: PeerKey, piece: u32, room: usize, out: &mut Vec<BlockRef>) -> usize {
        let (Some(begun), Some(link)) = (self.begun.get_mut(&piece), self.links.get_mut(&key)) else { return room };
        let mut taken = 0;
        while let Some(number) = (taken < room).then(|| begun.take(key)).flatten() {
            let block = self.shape.block(piece, number);
            link.ask(now, block);
            out.push(block);
            taken += 1;
        }
        self.list_open(piece);
        taken
    }

    /// Every block that is wanted and that somebody has is asked for.
    pub fn is_end_game(&self) -> bool {
        let had_by_somebody = |piece: u32| self.rarity.count(PieceIndex(piece)) > 0;
        let nobody_has_all = self.rarity.complete() == 0;
        self.wanted.is_exhausted(nobody_has_all) && !self.open.iter().any(|(.., piece)| had_by_somebody(*piece))
    }

    /// Asks for what others owe that have been silent for as long as `patience`, at most `room` blocks.
    fn ask_again(
        &mut self,
        now: Time,
        key: PeerKey,
        holds: Holds<'_>,
        (room, patience): (usize, Duration),
        random: &mut Rng,
        out: &mut Vec<BlockRef>,
    ) {
        let silent = |(key, link): (&PeerKey, &Link)| (link.silence(now) >= patience).then_some(*key);
        let silent: BTreeSet<PeerKey> =
            if patience.is_zero() { BTreeSet::new() } else { self.links.iter().filter_map(silent).collect() };
        let may_wait = |first: &PeerKey| !patience.is_zero() && !silent.contains(first);
        let Some(link) = self.links.get_mut(&key) else { return };
        let mut room = room.min(END_GAME_DEPTH.saturating_sub(link.status().in_flight));
        let start = random.usize(..self.begun.len().max(1));
        let pieces = self.begun.iter().skip(start).chain(self.begun.iter().take(start));
        for (&piece, begun) in pieces {
            let skipped = self.priorities[piece as usize] == Priority::Skip;
            if skipped || !begun.is_shared() || !holds.has(PieceIndex(piece)) {
                continue;
            }
            for (number, first) in begun.asked() {
                if room == 0 {
                    return;
                }
                let others = self.also_asked.get(&(piece, number)).map_or(&[][..], Vec::as_slice);
                let busy = may_wait(&first) || others.iter().any(may_wait);
                if first == key || busy || others.contains(&key) || others.len() + 1 >= COPIES {
                    continue;
                }
                self.also_asked.entry((piece, number)).or_default().push(key);
                let block = self.shape.block(piece, number);
                link.ask(now, block);
                out.push(block);
                room -= 1;
            }
        }
    }
}
