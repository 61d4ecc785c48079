//! Super-seeding: what is shown to whom, and that a swarm gets all of it for about one copy.

use super::leeching::{Net, nothing};
use super::*;

fn shown(world: &mut World, key: PeerKey) -> Vec<u32> {
    let heard = world.heard(key);
    let piece = |text: &String| text.strip_prefix("Have(PieceIndex(")?.strip_suffix("))")?.parse().ok();
    heard.iter().filter_map(piece).collect()
}

fn world() -> World {
    let mut world = World::new(Slots::Unlimited);
    world.shard.super_seed(FIRST);
    world
}

/// A peer that has nothing, and what it is shown first.
fn leecher(world: &mut World) -> (PeerKey, Vec<u32>) {
    let key = world.accept();
    let bytes = handshake(Reserved::OURS, 1, world.came);
    world.hear(key, &bytes);
    world.say(key, &[Message::HaveNone, Message::Interested]);
    let pieces = shown(world, key);
    (key, pieces)
}

#[test]
fn a_peer_sees_nothing_but_one_piece_and_two_peers_see_two() {
    let mut world = world();
    let key = world.accept();
    world.hear(key, &handshake(Reserved::OURS, 1, 77));
    let heard = world.heard(key);
    assert!(heard.contains(&"HaveNone".to_owned()) && !heard.contains(&"HaveAll".to_owned()), "{heard:?}");
    assert_eq!(heard.iter().filter(|text| text.starts_with("Have(")).count(), 1);
    let pieces: HashSet<u32> = (0..20).map(|_| leecher(&mut world).1[0]).collect();
    assert_eq!(pieces.len(), 20, "each one is shown another piece");
}

#[test]
fn the_next_piece_comes_when_one_is_seen_at_somebody_else() {
    let mut world = world();
    let ((a, of_a), (b, of_b)) = (leecher(&mut world), leecher(&mut world));
    let (first, second) = (PieceIndex(of_a[0]), PieceIndex(of_b[0]));
    world.say(a, &[Message::Have(first)]);
    assert_eq!(
        (shown(&mut world, a), shown(&mut world, b)),
        (vec![], vec![]),
        "who merely has it has passed nothing on"
    );
    world.say(b, &[Message::Have(first)]);
    assert_eq!(shown(&mut world, a).len(), 1);
    assert_eq!(shown(&mut world, b).len(), 0, "its own piece is at nobody else");
    world.say(b, &[Message::Have(second)]);
    world.say(a, &[Message::Have(second)]);
    assert_eq!(shown(&mut world, b).len(), 1);
}

#[test]
fn a_peer_that_is_alone_gets_one_piece_after_the_other() {
    let mut world = world();
    let (key, mut pieces) = leecher(&mut world);
    for count in 1..50 {
        let last = *pieces.last().expect("shown");
        world.say(key, &[Message::Have(PieceIndex(last))]);
        pieces.extend(shown(&mut world, key));
        assert_eq!(pieces.len(), count + 1);
    }
}

#[test]
fn who_passes_nothing_on_is_shown_one_more_every_half_minute() {
    let mut world = world();
    let ((a, _), (b, _)) = (leecher(&mut world), leecher(&mut world));
    world.pass(29);
    assert_eq!(shown(&mut world, a).len(), 0);
    world.pass(32);
    assert_eq!((shown(&mut world, a).len(), shown(&mut world, b).len()), (2, 2));
}

#[test]
fn what_was_not_shown_is_refused() {
    let mut world = world();
    let (key, pieces) = leecher(&mut world);
    let block = |piece| BlockRef { piece: PieceIndex(piece), begin: 0, length: 16_384 };
    let hidden = (pieces[0] + 1) % PIECES;
    world.say(key, &[Message::Request(block(hidden)), Message::Request(block(pieces[0]))]);
    let heard = world.heard(key);
    assert!(heard.iter().any(|text| text.starts_with("Reject")), "{heard:?}");
    assert_eq!(world.serve(), Some((key, 16_384)));
}

#[test]
fn its_owner_ends_it_and_begins_it_anew_with_those_who_come_then() {
    let mut world = world();
    let (a, _) = leecher(&mut world);
    world.shard.super_seed(FIRST);
    assert!(world.shard.is_super_seeding(FIRST), "it goes on");
    world.shard.end_super_seed(FIRST);
    world.pass(6);
    assert_eq!(shown(&mut world, a).len(), PIECES as usize - 1, "all that was hidden is told");
    world.shard.super_seed(FIRST);
    assert_eq!(leecher(&mut world).1.len(), 1);
}

#[test]
fn it_is_over_when_a_second_seed_appears_and_everything_is_told() {
    let mut world = world();
    let (key, pieces) = leecher(&mut world);
    let seed = world.accept();
    world.hear(seed, &handshake(Reserved::OURS, 1, 9_999));
    world.say(seed, &[Message::HaveAll]);
    assert_eq!(world.reason(seed), Some(Reason::Redundant));
    assert!(!world.shard.is_super_seeding(FIRST));
    world.pass(6);
    let told = shown(&mut world, key);
    assert_eq!(told.len() + pieces.len(), PIECES as usize);
    let late = world.accept();
    world.hear(late, &handshake(Reserved::OURS, 1, 10_000));
    assert!(world.heard(late).contains(&"HaveAll".to_owned()));
}

#[test]
fn a_swarm_of_ten_finishes_and_the_seed_sends_little_more_than_one_copy() {
    let sent = |super_seed: bool| {
        let mut net = Net::new(40, 12);
        let seed = net.join(None, Slots::Fixed(4));
        if super_seed {
            net.nodes[seed].shard.super_seed(FIRST);
        }
        let leechers: Vec<usize> = (0..10).map(|_| net.join(Some(nothing()), Slots::Auto)).collect();
        leechers.iter().for_each(|&leecher| net.connect(leecher, seed));
        for (at, &leecher) in leechers.iter().enumerate() {
            leechers[..at].iter().for_each(|&other| net.connect(leecher, other));
        }
        net.run(600);
        assert!(leechers.iter().all(|&leecher| net.nodes[leecher].finished), "super: {super_seed}");
        net.nodes[seed].shard.totals().sent * 100 / net.torrent.geometry.total()
    };
    let (hidden, open) = (sent(true), sent(false));
    assert!(
        hidden <= 120 && hidden * 3 < open * 2,
        "super-seeding sent {hidden} % of the torrent, plain seeding {open} %"
    );
}
