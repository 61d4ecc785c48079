//! Single rules, each part against a slow oracle, and swarms of pickers in virtual time.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::limits::{BLOCK, REQUESTS_IN_FLIGHT};
use crate::metainfo::Geometry;

mod swarm;

const MANNER: Manner = Manner { requests_max: 500, whole_pieces: false };
const START: Time = Time(1_000_000);

fn key(slot: u32) -> PeerKey {
    PeerKey { slot, generation: 0 }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A torrent whose pieces have so many blocks, the last one half a block less.
fn geometry(pieces: u32, blocks: u32) -> Geometry {
    let total = u64::from(pieces) * u64::from(blocks) * u64::from(BLOCK) - u64::from(BLOCK / 2);
    Geometry::new(blocks * BLOCK, [(total, false)]).expect("valid")
}

fn shape(pieces: u32, blocks: u32) -> Shape {
    Shape::new(blocks * BLOCK, geometry(pieces, blocks).total())
}

struct Test {
    picker: Picker,
    random: Rng,
    now: Time,
}

impl Test {
    fn new(pieces: u32, blocks: u32) -> Test {
        let mut random = Rng::with_seed(7);
        Test { picker: Picker::new(shape(pieces, blocks), &mut random), random, now: START }
    }

    /// A seed that serves us and lets so many requests wait.
    fn seed(&mut self, slot: u32, requests_max: usize) {
        self.picker.joined(self.now, key(slot), Holds::All, Manner { requests_max, ..MANNER });
        self.picker.unchoked(key(slot));
    }

    fn ask_of(&mut self, slot: u32, holds: Holds<'_>) -> Vec<BlockRef> {
        let mut out = Vec::new();
        self.picker.ask(self.now, key(slot), holds, &mut self.random, &mut out);
        out
    }

    fn ask(&mut self, slot: u32) -> Vec<BlockRef> {
        self.ask_of(slot, Holds::All)
    }

    fn receive(&mut self, slot: u32, block: BlockRef) -> Received {
        self.picker.received(self.now, key(slot), block)
    }

    /// Fetches everything that is left from one peer, all of it good.
    fn fetch(&mut self, slot: u32) -> BTreeSet<BlockRef> {
        let mut fetched = BTreeSet::new();
        loop {
            let asked = self.ask(slot);
            if asked.is_empty() {
                return fetched;
            }
            for block in asked {
                assert!(fetched.insert(block), "asked twice: {block:?}");
                if self.receive(slot, block) != Received::Kept {
                    self.picker.verified(block.piece, &[]);
                }
            }
        }
    }

    fn pieces_of(blocks: &[BlockRef]) -> Vec<u32> {
        let mut pieces: Vec<u32> = blocks.iter().map(|block| block.piece.0).collect();
        pieces.dedup();
        pieces
    }
}

#[test]
fn every_block_is_fetched_once_and_the_last_one_is_shorter() {
    let mut test = Test::new(5, 3);
    test.seed(0, 500);
    let fetched = test.fetch(0);
    assert_eq!(fetched.len(), 15);
    assert_eq!(fetched.iter().map(|block| u64::from(block.length)).sum::<u64>(), geometry(5, 3).total());
    assert!(test.picker.is_done() && !test.picker.wants_any(Holds::All) && test.picker.begun() == 0);
}

#[test]
fn a_peer_that_chokes_us_or_is_unknown_is_asked_nothing() {
    let mut test = Test::new(5, 3);
    test.picker.joined(START, key(0), Holds::All, MANNER);
    assert!(test.ask(0).is_empty() && test.ask(9).is_empty());
}

#[test]
fn begun_pieces_come_before_new_ones() {
    let mut test = Test::new(50, 4);
    test.seed(0, 2);
    test.seed(1, 500);
    let begun = test.ask(0)[0].piece.0;
    assert_eq!(Test::pieces_of(&test.ask(1))[0], begun, "the other two blocks of it");
}

#[test]
fn a_web_seed_begins_pieces_of_its_own() {
    let mut test = Test::new(50, 4);
    test.seed(0, 2);
    test.picker.joined(START, key(1), Holds::All, Manner { whole_pieces: true, ..MANNER });
    test.picker.unchoked(key(1));
    let begun = test.ask(0)[0].piece.0;
    let asked = test.ask(1);
    assert!(asked.iter().all(|block| block.piece.0 != begun));
    assert_eq!(Test::pieces_of(&asked).len(), 2, "eight blocks are two whole pieces");
}

#[test]
fn the_first_pieces_are_random_and_the_rest_rarest_first() {
    let mut test = Test::new(64, 1);
    test.seed(0, 1);
    for piece in 0..64 {
        (0..piece % 16).for_each(|_| test.picker.have(PieceIndex(piece)));
    }
    let mut counts = Vec::new();
    for _ in 0..64 {
        let block = test.ask(0)[0];
        counts.push(block.piece.0 % 16);
        test.receive(0, block);
        test.picker.verified(block.piece, &[]);
    }
    assert!(counts[4..].is_sorted(), "{counts:?}");
    assert!(!counts[..4].is_sorted() || counts[3] > 0, "four at random: {counts:?}");
}

#[test]
fn other_orders_begin_the_first_piece_or_any() {
    let begun = |order: Order, seed: u64| {
        let mut test = Test::new(64, 1);
        test.random = Rng::with_seed(seed);
        test.picker.set_order(order);
        (0..8).for_each(|piece| test.picker.had(PieceIndex(piece)));
        test.seed(1, 3);
        Test::pieces_of(&test.ask(1))
    };
    assert_eq!(begun(Order::Sequential, 1), [8, 9, 10]);
    let mut first: Vec<u32> = (0..40).map(|seed| begun(Order::Random, seed)[0]).collect();
    first.sort_unstable();
    first.dedup();
    assert!(first.len() > 20, "{first:?}");
}

#[test]
fn no_more_pieces_are_begun_than_there_is_room_for_and_an_idle_peer_gets_another_ones_place() {
    let mut test = Test::new(10, 2);
    test.picker.set_begun_max(2);
    test.seed(1, 500);
    let asked = test.ask(1);
    assert_eq!((asked.len(), test.picker.begun()), (4, 2));
    test.receive(1, asked[0]);
    // the seed leaves; another peer has none of the begun pieces, and would wait for ever
    test.picker.left(key(1), Holds::All);
    let begun = Test::pieces_of(&asked);
    let bits: Vec<u8> = (0..2u32)
        .map(|byte| (0..8).filter(|bit| !begun.contains(&(byte * 8 + bit))).map(|bit| 0x80u8 >> bit).sum())
        .collect();
    test.picker.joined(test.now, key(2), Holds::Bits(&bits), MANNER);
    test.picker.unchoked(key(2));
    let room = test.ask_of(2, Holds::Bits(&bits)).len();
    assert_eq!((room, test.picker.begun()), (2, 2), "the piece of which nothing came was freed when the seed left");
    let other = begun.iter().copied().find(|piece| test.picker.is_begun(PieceIndex(*piece))).expect("one block came");
    test.picker.left(key(2), Holds::Bits(&bits));
    test.picker.joined(test.now, key(3), Holds::Bits(&bits), MANNER);
    test.picker.unchoked(key(3));
    test.picker.set_begun_max(1);
    assert_eq!(test.ask_of(3, Holds::Bits(&bits)), []);
    test.picker.tick(test.now + seconds(1));
    assert!(!test.picker.is_begun(PieceIndex(other)));
    assert_eq!(test.ask_of(3, Holds::Bits(&bits)).len(), 2);
}

#[test]
fn a_block_is_expected_of_whoever_owes_it() {
    let mut test = Test::new(1, 2);
    test.seed(1, 500);
    let asked = test.ask(1);
    assert_eq!(test.picker.expects(key(1), asked[0]), Expected::Alone);
    test.seed(2, 500);
    assert_eq!(test.picker.expects(key(2), asked[0]), Expected::No);
    assert_eq!(test.ask(2).len(), 2, "end game");
    assert_eq!(test.picker.expects(key(1), asked[0]), Expected::Shared);
    test.receive(2, asked[0]);
    assert_eq!(test.picker.expects(key(1), asked[0]), Expected::No);
}

#[test]
fn priorities_come_before_rarity_and_what_is_skipped_is_not_wanted() {
    let mut test = Test::new(8, 1);
    test.seed(0, 1);
    let order = [(3, Priority::High), (1, Priority::Low), (2, Priority::Skip)];
    order.iter().for_each(|(piece, priority)| test.picker.set_priority(PieceIndex(*piece), *priority));
    (0..9).for_each(|_| test.picker.have(PieceIndex(3)));
    let fetched: Vec<u32> = std::iter::from_fn(|| {
        let block = *test.ask(0).first()?;
        test.receive(0, block);
        test.picker.verified(block.piece, &[]);
        Some(block.piece.0)
    })
    .collect();
    assert_eq!((fetched[0], fetched[6], fetched.len()), (3, 1, 7));
    assert!(test.picker.is_done() && !test.picker.wants_any(Holds::Bits(&[0xff])));
    test.picker.set_priority(PieceIndex(2), Priority::Normal);
    assert!(test.picker.wants_any(Holds::Bits(&[0x20])) && !test.picker.wants_any(Holds::Bits(&[0xdf])));
    assert_eq!(test.ask(0)[0].piece.0, 2);
}

#[test]
fn a_begun_piece_that_is_skipped_keeps_what_comes_and_asks_for_no_more() {
    let mut test = Test::new(1, 4);
    test.seed(0, 2);
    let asked = test.ask(0);
    test.picker.set_priority(PieceIndex(0), Priority::Skip);
    assert_eq!(test.receive(0, asked[0]), Received::Kept);
    assert!(test.ask(0).is_empty());
    test.picker.set_priority(PieceIndex(0), Priority::High);
    assert_eq!(test.ask(0).len(), 1);
}

#[test]
fn in_the_end_game_the_slower_one_gets_a_cancel() {
    let mut test = Test::new(1, 4);
    test.seed(0, 500);
    test.seed(1, 500);
    let asked = test.ask(0);
    assert!(asked.len() == 4 && test.picker.is_end_game());
    let again = test.ask(1);
    assert_eq!(again.len(), 4);
    assert!(test.ask(1).is_empty(), "each peer is asked once");
    assert_eq!(test.receive(1, asked[2]), Received::Kept);
    assert_eq!(test.picker.next_cancel(), Some((key(0), asked[2])));
    assert_eq!(test.receive(0, asked[2]), Received::Unwanted, "it crossed the cancel");
    assert_eq!(test.receive(0, asked[0]), Received::Kept);
    assert_eq!(test.picker.next_cancel(), Some((key(1), asked[0])));
    assert_eq!(test.picker.next_cancel(), None);
}

#[test]
fn a_block_that_three_owe_is_asked_of_no_fourth() {
    let mut test = Test::new(1, 1);
    (0..4).for_each(|slot| test.seed(slot, 500));
    let asked: Vec<usize> = (0..4).map(|slot| test.ask(slot).len()).collect();
    assert_eq!(asked, [1, 1, 1, 0]);
    test.picker.left(key(0), Holds::All);
    assert_eq!(test.ask(3).len(), 1);
}

#[test]
fn blocks_of_a_peer_that_chokes_rejects_or_leaves_are_asked_of_others() {
    let mut test = Test::new(1, 4);
    (0..3).for_each(|slot| test.seed(slot, 500));
    let asked = test.ask(0);
    test.picker.choked(key(0), true);
    assert_eq!(test.picker.status(key(0)).in_flight, 4, "one with Fast rejects each");
    asked.iter().for_each(|block| test.picker.rejected(key(0), *block));
    assert_eq!(test.ask(1).len(), 4);
    test.picker.choked(key(1), false);
    assert_eq!(test.ask(2).len(), 4);
    test.picker.left(key(2), Holds::All);
    assert_eq!(test.picker.begun(), 0, "nothing of the piece is here or under way");
}

#[test]
fn a_peer_that_owes_for_a_minute_and_sends_nothing_is_snubbed() {
    let mut test = Test::new(40, 4);
    test.seed(0, 500);
    let asked = test.ask(0);
    for _ in 0..59 {
        test.now = test.now + seconds(1);
        test.picker.tick(test.now);
    }
    assert!(!test.picker.status(key(0)).snubbed);
    test.now = test.now + seconds(1);
    test.picker.tick(test.now);
    assert!(test.picker.status(key(0)).snubbed);
    let cancelled: Vec<BlockRef> = std::iter::from_fn(|| test.picker.next_cancel()).map(|(_, block)| block).collect();
    assert_eq!(cancelled, asked);
    let probe = test.ask(0);
    assert_eq!(probe.len(), 1, "one block tells whether it lives");
    test.receive(0, probe[0]);
    assert!(!test.picker.status(key(0)).snubbed);
}

/// A peer that sends `rate` blocks a second after `delay_ms`, for some seconds.
fn pipeline_after(rate: u64, delay_ms: u64, requests_max: usize) -> usize {
    let mut test = Test::new(4_096, 16);
    test.seed(0, requests_max);
    let mut line: VecDeque<(Time, BlockRef)> = VecDeque::new();
    let mut free_at = START;
    for milli in 0..20_000 {
        test.now = START + Duration::from_millis(milli);
        while line.front().is_some_and(|(at, _)| *at <= test.now) {
            let (_, block) = line.pop_front().expect("seen");
            if test.receive(0, block) != Received::Kept {
                test.picker.verified(block.piece, &[]);
            }
        }
        for block in test.ask(0) {
            free_at = free_at.max(test.now) + Duration::from_micros(1_000_000 / rate);
            line.push_back((free_at + Duration::from_millis(delay_ms), block));
        }
        if milli % 1_000 == 999 {
            test.picker.tick(test.now);
        }
    }
    test.picker.status(key(0)).pipeline
}

#[test]
fn the_pipeline_holds_a_second_and_two_round_trips() {
    let near = |got: usize, want: usize| assert!(got.abs_diff(want) <= want / 4 + 2, "{got} blocks, not {want}");
    near(pipeline_after(100, 100, 500), 120);
    near(pipeline_after(4, 20, 500), 5);
    near(pipeline_after(1, 2_000, 500), 3);
    assert_eq!(pipeline_after(5_000, 1, 500), REQUESTS_IN_FLIGHT);
    assert_eq!(pipeline_after(5_000, 1, 64), 64);
}

#[test]
fn a_bad_piece_of_one_peer_proves_it_bad() {
    let mut test = Test::new(2, 2);
    test.seed(0, 500);
    let asked = test.ask(0);
    asked[..2].iter().for_each(|block| assert_ne!(test.receive(0, *block), Received::Unwanted));
    test.picker.failed(START, asked[0].piece, &[1, 2]);
    assert_eq!((test.picker.next_ban(), test.picker.next_ban()), (Some(key(0)), None));
    assert!(test.ask(0).is_empty());
    test.seed(1, 500);
    assert_eq!(test.fetch(1).len(), 4, "it can be fetched from somebody else, and what the other owed too");
}

#[test]
fn a_bad_piece_of_several_is_fetched_from_another_one_whose_copy_tells_who_lied() {
    let mut test = Test::new(1, 2);
    test.seed(0, 1);
    test.seed(1, 1);
    let (first, second) = (test.ask(0)[0], test.ask(1)[0]);
    assert_eq!(test.receive(0, first), Received::Kept);
    assert_eq!(test.receive(1, second), Received::Complete { digests: false });
    test.picker.failed(test.now, first.piece, &[10, 66]);
    assert_eq!(test.picker.next_ban(), None, "nothing is proved");
    assert!(test.ask(0).is_empty() && test.ask(1).is_empty(), "both are suspects");
    test.seed(2, 500);
    let again = test.ask(2);
    assert_eq!(again.len(), 2);
    test.receive(2, again[0]);
    assert_eq!(test.receive(2, again[1]), Received::Complete { digests: true });
    test.picker.verified(first.piece, &[10, 20]);
    assert_eq!((test.picker.next_ban(), test.picker.next_ban()), (Some(key(1)), None));
}

#[test]
fn where_only_suspects_are_left_one_of_them_fetches_the_piece_alone() {
    let mut test = Test::new(1, 2);
    test.seed(0, 1);
    test.seed(1, 1);
    let (first, second) = (test.ask(0)[0], test.ask(1)[0]);
    test.receive(0, first);
    test.receive(1, second);
    test.picker.failed(test.now, first.piece, &[10, 66]);
    test.now = test.now + seconds(10);
    for block in [first, second] {
        assert_eq!(test.ask(1), [block]);
        assert!(test.ask(0).is_empty(), "not even in the end game");
        test.receive(1, block);
    }
    test.picker.failed(test.now, first.piece, &[10, 66]);
    assert_eq!(test.picker.next_ban(), Some(key(1)));
    assert_eq!(test.fetch(0).len(), 2, "it is free for all again");
}

#[test]
fn a_piece_that_came_another_way_is_cancelled() {
    let mut test = Test::new(1, 2);
    test.seed(0, 500);
    let asked = test.ask(0);
    test.picker.had(PieceIndex(0));
    assert_eq!(std::iter::from_fn(|| test.picker.next_cancel()).count(), 2);
    assert_eq!(test.receive(0, asked[0]), Received::Unwanted);
    assert!(test.picker.is_done() && test.ask(0).is_empty());
}

#[test]
fn what_does_not_exist_is_ignored() {
    let mut test = Test::new(1, 1);
    let far = BlockRef { piece: PieceIndex(9), begin: 7, length: 1 };
    test.seed(0, 500);
    test.picker.have(far.piece);
    test.picker.had(far.piece);
    test.picker.failed(START, far.piece, &[]);
    test.picker.set_priority(far.piece, Priority::High);
    test.picker.rejected(key(0), far);
    assert_eq!(test.receive(0, far), Received::Unwanted);
    assert_eq!(test.fetch(0).len(), 1);
}

proptest! {
    #[test]
    fn the_choice_among_wanted_pieces_agrees_with_a_look_at_all(
        pieces in prop::collection::vec((0u8..4, 0u16..6, any::<bool>()), 1..200), bits: [u8; 25], seed: u64
    ) {
        let count = u32::try_from(pieces.len()).expect("few");
        let priorities = [Priority::Skip, Priority::Low, Priority::Normal, Priority::High];
        let mut wanted = Wanted::new(count);
        for (piece, (priority, told, stays)) in (0..).zip(&pieces) {
            if *priority > 0 {
                wanted.insert(piece, priorities[usize::from(*priority)], *told);
                if !stays {
                    wanted.remove(piece, priorities[usize::from(*priority)], *told);
                }
            }
        }
        let rank = |piece: u32| {
            let (priority, told, _) = pieces[piece as usize];
            (std::cmp::Reverse(priority), told)
        };
        let mut random = Rng::with_seed(seed);
        for holds in [Holds::All, Holds::Bits(&bits), Holds::Bits(&bits[..3])] {
            let is_in = |piece: &u32| {
                let (priority, _, stays) = pieces[*piece as usize];
                priority > 0 && stays && holds.has(PieceIndex(*piece))
            };
            let slow = (0..count).filter(is_in).map(rank).min();
            prop_assert_eq!(wanted.rarest(holds, &mut random, rank).map(rank), slow);
            let least = wanted.least(holds, &mut random, rank);
            prop_assert!(least.is_none_or(|piece| is_in(&piece)));
            prop_assert_eq!(least.map(rank), slow);
        }
    }
}
