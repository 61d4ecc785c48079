//! Whose chunk goes out next: deficit round robin over the peers that have requests and a writable socket.
//!
//! Each turn adds one quantum, a chunk, to what a peer may send; what it could not use because its next block was
//! longer stays with it. So peers that ask for long blocks and peers that ask for short ones get the same bytes: two
//! peers that always have requests never differ by more than a quantum and a block (Shreedhar and Varghese, 1995).
//!
//! ```text
//!            ready                next                 spent
//!   absent ---------> queued -------------> at its turn -------> queued, at the end
//!      ^                | ^                      |
//!      | remove    park | | ready           park | remove
//!      +-- any state    v |                      v
//!                     parked (socket full, chunk cold, or its bucket empty)
//! ```
//!
//! The queue is a list threaded through a table indexed by the peer's slot: every operation is O(1) and touches at
//! most three entries of 16 bytes.

use crate::limits::{BLOCK_MAX, CHUNK};

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Absent,
    Queued,
    Taken,
    Parked,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    previous: u32,
    next: u32,
    /// Bytes the peer may still send.
    deficit: u32,
    state: State,
}

const ABSENT: Entry = Entry { previous: NONE, next: NONE, deficit: 0, state: State::Absent };

/// One peer's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// The peer's place in the reactor's table.
    pub slot: u32,
    /// Bytes of blocks it may send now: at least a chunk, so any block fits; less than a chunk and the longest block.
    pub allowance_bytes: u32,
}

/// The peers that wait for their turn.
#[derive(Debug)]
pub struct Turns {
    entries: Vec<Entry>,
    head: u32,
    tail: u32,
    queued: u32,
}

impl Turns {
    /// No peer waits; room for slots below `slots`. The table grows if a higher one comes.
    pub fn new(slots: usize) -> Turns {
        Turns { entries: vec![ABSENT; slots], head: NONE, tail: NONE, queued: 0 }
    }

    /// Number of peers that wait for their turn.
    pub fn len(&self) -> u32 {
        self.queued
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// The peer has requests and can be sent to: it waits at the end. Nothing changes if it waits or has its turn.
    pub fn ready(&mut self, slot: u32) {
        debug_assert!(slot != NONE);
        let index = slot as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, ABSENT);
        }
        if matches!(self.entries[index].state, State::Absent | State::Parked) {
            self.push(slot);
        }
    }

    /// Gives the first in line its turn. It waits no more until [`Turns::spent`] puts it at the end.
    #[expect(clippy::should_implement_trait, reason = "a queue that others change in between is no iterator")]
    pub fn next(&mut self) -> Option<Turn> {
        let slot = self.head;
        if slot == NONE {
            return None;
        }
        self.unlink(slot);
        let entry = &mut self.entries[slot as usize];
        entry.state = State::Taken;
        // never over a chunk and a block: what stays after a turn is under BLOCK_MAX
        entry.deficit += CHUNK;
        Some(Turn { slot, allowance_bytes: entry.deficit })
    }

    /// The peer sent `bytes`; if it has its turn, that ends and it waits at the end. Follow with [`Turns::park`] if
    /// its socket is full and with [`Turns::remove`] if it has no more requests. Bytes that a completion reports after
    /// the turn are counted too.
    pub fn spent(&mut self, slot: u32, bytes: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        entry.deficit = entry.deficit.saturating_sub(bytes);
        if entry.state == State::Taken {
            // a whole block's worth left over was a choice, such as an empty bucket; it must not add up
            entry.deficit = entry.deficit.min(BLOCK_MAX - 1);
            self.push(slot);
        }
    }

    /// The peer cannot be sent to for now: it leaves the line until [`Turns::ready`] and keeps less than a block of
    /// its deficit, so that a long wait earns nothing.
    pub fn park(&mut self, slot: u32) {
        let Some(state) = self.entries.get(slot as usize).map(|entry| entry.state) else { return };
        match state {
            State::Absent | State::Parked => return,
            State::Queued => self.unlink(slot),
            State::Taken => {}
        }
        let entry = &mut self.entries[slot as usize];
        entry.deficit = entry.deficit.min(BLOCK_MAX - 1);
        entry.state = State::Parked;
    }

    /// The peer has no requests, was choked or is gone: it leaves the line and its deficit is forgotten.
    pub fn remove(&mut self, slot: u32) {
        let Some(state) = self.entries.get(slot as usize).map(|entry| entry.state) else { return };
        if state == State::Queued {
            self.unlink(slot);
        }
        self.entries[slot as usize] = ABSENT;
    }

    fn push(&mut self, slot: u32) {
        let tail = self.tail;
        let entry = &mut self.entries[slot as usize];
        (entry.previous, entry.next, entry.state) = (tail, NONE, State::Queued);
        match self.entries.get_mut(tail as usize) {
            Some(last) => last.next = slot,
            None => self.head = slot,
        }
        self.tail = slot;
        self.queued += 1;
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { previous, next, .. } = self.entries[slot as usize];
        match self.entries.get_mut(previous as usize) {
            Some(entry) => entry.next = next,
            None => self.head = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(entry) => entry.previous = previous,
            None => self.tail = previous,
        }
        self.queued -= 1;
    }
}

const _: () = assert!(BLOCK_MAX <= CHUNK, "a quantum carries the longest block, so every turn sends something");
const _: () = assert!(size_of::<Entry>() == 16);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use proptest::prelude::*;

    /// Takes a turn and sends blocks of `length` for as long as they fit.
    fn send_blocks(turns: &mut Turns, length: impl Fn(u32) -> u32) -> (u32, u32) {
        let turn = turns.next().expect("somebody waits");
        let length = length(turn.slot);
        let bytes = turn.allowance_bytes / length * length;
        turns.spent(turn.slot, bytes);
        (turn.slot, bytes)
    }

    #[test]
    fn peers_take_turns_in_the_order_they_got_ready() {
        let mut turns = Turns::new(4);
        [2, 0, 3, 2].into_iter().for_each(|slot| turns.ready(slot));
        let order: Vec<u32> = (0..6).map(|_| send_blocks(&mut turns, |_| 16384).0).collect();
        assert_eq!(order, [2, 0, 3, 2, 0, 3]);
    }

    #[test]
    fn a_peer_at_its_turn_does_not_wait_twice() {
        let mut turns = Turns::new(1);
        turns.ready(0);
        assert!(turns.next().is_some());
        turns.ready(0);
        assert_eq!(turns.next(), None);
        turns.spent(0, 1);
        assert_eq!(turns.len(), 1);
    }

    #[test]
    fn a_parked_peer_gets_no_turn_and_saves_up_less_than_a_block() {
        let mut turns = Turns::new(1);
        for _ in 0..100 {
            turns.ready(0);
            let turn = turns.next().expect("it waits");
            assert!(turn.allowance_bytes < CHUNK + BLOCK_MAX);
            turns.park(0);
            assert!(turns.is_empty() && turns.next().is_none());
        }
    }

    #[test]
    fn a_peer_without_requests_forgets_its_deficit() {
        let mut turns = Turns::new(1);
        turns.ready(0);
        turns.next();
        turns.spent(0, 1);
        turns.remove(0);
        assert!(turns.is_empty());
        turns.ready(0);
        assert_eq!(turns.next(), Some(Turn { slot: 0, allowance_bytes: CHUNK }));
    }

    #[test]
    fn bytes_reported_after_the_turn_are_counted() {
        let mut turns = Turns::new(1);
        turns.ready(0);
        turns.next();
        turns.spent(0, CHUNK - 5_000);
        turns.spent(0, 5_000);
        assert_eq!(turns.next().map(|turn| turn.allowance_bytes), Some(CHUNK));
    }

    #[test]
    fn a_slot_never_seen_is_no_error() {
        let mut turns = Turns::new(0);
        turns.spent(9, 1);
        turns.park(9);
        turns.remove(9);
        turns.ready(9);
        assert_eq!(turns.next().map(|turn| turn.slot), Some(9));
    }

    proptest! {
        #[test]
        fn two_busy_peers_never_differ_by_more_than_a_quantum_and_a_block(
            lengths in prop::collection::vec(1..=BLOCK_MAX, 2..20), count in 1usize..400
        ) {
            let peers = u32::try_from(lengths.len()).expect("few");
            let mut turns = Turns::new(lengths.len());
            (0..peers).for_each(|slot| turns.ready(slot));
            let mut sent = vec![0u64; lengths.len()];
            for _ in 0..count {
                let (slot, bytes) = send_blocks(&mut turns, |slot| lengths[slot as usize]);
                prop_assert!(bytes > 0);
                sent[slot as usize] += u64::from(bytes);
                let most = sent.iter().max().expect("peers");
                let least = sent.iter().min().expect("peers");
                prop_assert!(most - least <= u64::from(CHUNK + BLOCK_MAX));
            }
        }

        #[test]
        fn the_line_agrees_with_a_plain_queue(steps in prop::collection::vec((0u32..8, 0u8..5), 0..200)) {
            let mut turns = Turns::new(2);
            let mut queue = VecDeque::new();
            let mut taken = Vec::new();
            for (slot, step) in steps {
                match step {
                    0 => {
                        turns.ready(slot);
                        if !queue.contains(&slot) && !taken.contains(&slot) {
                            queue.push_back(slot);
                        }
                    }
                    1 => {
                        let next = queue.pop_front();
                        prop_assert_eq!(turns.next().map(|turn| turn.slot), next);
                        taken.extend(next);
                    }
                    2 => {
                        turns.spent(slot, 1);
                        if taken.contains(&slot) {
                            queue.push_back(slot);
                        }
                        taken.retain(|&other| other != slot);
                    }
                    _ => {
                        if step == 3 { turns.park(slot) } else { turns.remove(slot) }
                        queue.retain(|&other| other != slot);
                        taken.retain(|&other| other != slot);
                    }
                }
                prop_assert_eq!(turns.len() as usize, queue.len());
            }
        }
    }
}
