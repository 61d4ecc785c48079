//! What is told of peers.

use super::*;
use crate::limits::BLOCK;

fn why(world: &World, key: PeerKey) -> Waiting {
    let address = world.shard.connections.get(key).expect("connected").address;
    let all = world.shard.peers_of(FIRST, 100, world.now);
    all.iter().find(|peer| peer.address == address).expect("listed").waiting
}

#[test]
fn why_a_peer_is_not_being_sent_to_is_told_and_counted() {
    let mut world = World::new(Slots::Fixed(1));
    world.shard.set_slots(FIRST, 1);
    let (served, choked) = (world.leecher(), world.leecher());
    let idle = world.join(Reserved::default());
    assert_eq!(
        [served, choked, idle].map(|key| why(&world, key)),
        [Waiting::Request, Waiting::Slot, Waiting::Interest]
    );
    world.ask(served, 40, BLOCK);
    assert_eq!(why(&world, served), Waiting::Nothing, "it waits for its turn, which comes");

    let mut blocks = Vec::new();
    let mut begin = |world: &mut World| {
        let turn = world.shard.next_turn(world.now).expect("requests wait");
        world.shard.take_blocks(&turn, 4, &mut blocks);
        blocks.clone()
    };
    let taken = begin(&mut world);
    world.shard.cold(served, &taken);
    assert_eq!(why(&world, served), Waiting::Disk);
    world.shard.paged_in(served);
    begin(&mut world);
    world.shard.blocked(served, 4 * u64::from(BLOCK), world.now);
    assert_eq!(why(&world, served), Waiting::Window);
    world.shard.writable(served);
    world.shard.set_upload_limit(Some(0), world.now);
    while world.serve().is_some() {}
    assert_eq!(why(&world, served), Waiting::Limit, "everybody is limited");
    world.shard.set_upload_limit(None, world.now);
    assert!(world.serve().is_some());
    assert_eq!(why(&world, served), Waiting::Nothing);

    let census = world.shard.census();
    let count = |waiting| census.waiting_for(waiting);
    assert_eq!((count(Waiting::Nothing), count(Waiting::Slot), count(Waiting::Interest)), (1, 1, 1));
    assert_eq!(Waiting::ALL.map(count).iter().sum::<usize>(), 3, "each once");
    assert_eq!(census.requests, world.peer(served).requests_waiting());
    let mut both = census;
    both.add(&census);
    assert_eq!((both.waiting_for(Waiting::Slot), both.requests), (2, 2 * census.requests));
}

#[test]
fn a_limit_of_its_own_holds_one_peer_back() {
    let mut world = World::with(Config { peer_rate: Some(1_000), ..config(Slots::Auto) });
    let key = world.leecher();
    world.ask(key, 40, BLOCK);
    while world.serve().is_some() {}
    assert_eq!(why(&world, key), Waiting::Limit);
}

#[test]
fn what_a_peer_says_of_itself_is_told() {
    let mut world = World::new(Slots::Auto);
    world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 4);
    let key = world.join(Reserved::OURS);
    let other = world.accept();
    world.hear(other, &handshake(Reserved::default(), 2, 99));
    let hello = b"d1:pi51413e11:upload_onlyi0e1:v6:cliente";
    world.say(key, &[Message::Extended { id: 0, payload: hello }, Message::HaveNone, Message::Interested]);
    world.ask(key, 3, BLOCK);
    world.pass(7);
    let all = world.shard.peers_of(FIRST, 100, world.now);
    let [told] = &all[..] else { panic!("one of this torrent: {all:?}") };
    assert_eq!((told.client.as_deref(), told.listens_on), (Some("client"), Some(51_413)));
    assert_eq!(
        (told.upload_only, told.fast, told.extended, told.http, told.complete),
        (false, true, true, false, false)
    );
    assert_eq!((told.requests, told.owed, told.connected_seconds, told.torrent), (3, 0, 7, FIRST));
    assert!(world.shard.peers_of(FIRST, 0, world.now).is_empty(), "no more than were asked for");
    assert_eq!(world.shard.pieces(TorrentId(2)), Some(vec![0b1111_0000]));
    assert_eq!(world.shard.pieces(TorrentId(3)), None);
}
