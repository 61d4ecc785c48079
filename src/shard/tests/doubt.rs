//! Content that was taken on trust.

use super::*;
use crate::limits::BLOCK;

/// Blocks of two pieces, four of each.
fn ask(world: &mut World, key: PeerKey) {
    let block = |n: u32| BlockRef { piece: PieceIndex(n / 4), begin: n % 4 * BLOCK, length: BLOCK };
    let requests: Vec<Message<'_>> = (0..8).map(|n| Message::Request(block(n))).collect();
    world.say(key, &requests);
}

/// A turn as the reactor takes it: what went out.
fn serve(world: &mut World) -> Option<(PeerKey, Vec<BlockRef>)> {
    let turn = world.shard.next_turn(world.now)?;
    let mut blocks = Vec::new();
    world.shard.take_blocks(&turn, 16, &mut blocks);
    if !world.shard.wait_for_check(&turn, &mut blocks) {
        let bytes = blocks.iter().map(|block| u64::from(block.length)).sum();
        world.shard.sent(turn.key, bytes, world.now);
        world.shard.served(turn.key, bytes);
    }
    world.shard.check();
    Some((turn.key, blocks))
}

fn checks(world: &mut World) -> Vec<u32> {
    std::iter::from_fn(|| world.shard.next_check())
        .map(|(id, piece)| (id == FIRST).then_some(piece.0).expect("it"))
        .collect()
}

#[test]
fn nothing_of_a_piece_goes_out_before_it_was_looked_at_and_each_is_looked_at_once() {
    let mut world = World::new(Slots::Auto);
    world.shard.doubt(FIRST);
    let (one, two) = (world.leecher(), world.leecher());
    [one, two].into_iter().for_each(|key| ask(&mut world, key));
    let served: Vec<_> = std::iter::from_fn(|| serve(&mut world)).collect();
    assert_eq!(served, [(one, vec![]), (two, vec![])]);
    assert_eq!(checks(&mut world), [0], "for both");
    assert_eq!(world.shard.census().waiting_for(Waiting::Check), 2);
    world.shard.piece_right(FIRST, PieceIndex(0));
    for key in [one, two] {
        let (whose, blocks) = serve(&mut world).expect("in turns again");
        assert_eq!((whose, blocks.len()), (key, 4));
        assert!(blocks.iter().all(|block| block.piece == PieceIndex(0)));
    }
    assert_eq!(checks(&mut world), [1], "asked for while the one before goes out");
    world.shard.piece_right(FIRST, PieceIndex(1));
    let rest: usize = std::iter::from_fn(|| serve(&mut world)).map(|(_, blocks)| blocks.len()).sum();
    assert_eq!((rest, checks(&mut world)), (8, vec![]));
    ask(&mut world, one);
    assert_eq!((serve(&mut world).expect("a turn").1.len(), checks(&mut world)), (8, vec![]), "known from now on");
    assert_eq!(world.shard.totals().sent, 24 * u64::from(BLOCK));
}

#[test]
fn who_leaves_or_loses_its_slot_while_its_piece_is_looked_at_is_in_nobodys_way() {
    let mut world = World::new(Slots::Auto);
    world.shard.doubt(FIRST);
    let (gone, bored) = (world.leecher(), world.leecher());
    [gone, bored].into_iter().for_each(|key| ask(&mut world, key));
    while serve(&mut world).is_some() {}
    assert_eq!(checks(&mut world), [0]);
    world.shard.close(gone, Reason::Ended);
    world.say(bored, &[Message::NotInterested]);
    world.shard.piece_right(FIRST, PieceIndex(0));
    world.shard.check();
    assert!(serve(&mut world).is_none());
    world.say(bored, &[Message::Interested]);
    ask(&mut world, bored);
    assert_eq!(serve(&mut world).map(|(key, blocks)| (key, blocks.len())), Some((bored, 4)));
}

#[test]
fn a_torrent_that_ends_takes_its_doubts_along() {
    let mut world = World::new(Slots::Auto);
    world.shard.doubt(FIRST);
    let key = world.leecher();
    ask(&mut world, key);
    serve(&mut world);
    world.shard.withdraw(FIRST, Reason::TorrentFailed);
    world.settle();
    assert_eq!(world.shard.doubts.torrents, 0);
    world.shard.piece_right(FIRST, PieceIndex(0));
    world.shard.add(FIRST, torrent_of_pieces(1, PIECES), 4);
    let key = world.leecher();
    ask(&mut world, key);
    assert_eq!(serve(&mut world).map(|(_, blocks)| blocks.len()), Some(8), "it came back without any");
}
