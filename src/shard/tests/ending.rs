//! Torrents that go: nothing is kept of them, and nothing that they sent is forgotten.

use super::*;

#[test]
fn a_withdrawn_torrent_goes_at_once_or_with_its_last_connection_and_tells_what_it_sent() {
    let mut world = World::new(Slots::Auto);
    world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 4);
    world.shard.withdraw(TorrentId(2), Reason::Stopped);
    assert_eq!(world.shard.next_ended().map(|last| (last.id, last.sent)), Some((TorrentId(2), 0)), "nobody was there");

    let (leecher, dialled) = (world.leecher(), world.shard.dial(FIRST, world.address(), world.now));
    let greeting = world.accept();
    world.ask(leecher, 2, 16_384);
    world.serve().expect("requests wait");
    world.shard.withdraw(FIRST, Reason::Stopped);
    assert!(world.shard.next_ended().is_none() && world.shard.torrents()[0].id == FIRST, "two are to be taken down");
    assert!(!world.shard.add(FIRST, torrent_of_pieces(1, PIECES), 4), "and until then it is in the way");
    world.settle();
    assert_eq!([Some(leecher), dialled], [Some(world.closed[0].0), Some(world.closed[1].0)]);
    assert_eq!(world.shard.torrents()[0].sent, 32_768, "listed until its end is told");
    assert_eq!(world.shard.next_ended().map(|last| (last.id, last.sent, last.peers)), Some((FIRST, 32_768, 0)));
    assert!(world.shard.torrents().is_empty() && world.shard.next_ended().is_none());
    assert_eq!((world.shard.unchoked(), world.shard.waiting()), (0, 0));

    world.hear(greeting, &handshake(Reserved::OURS, 1, 7));
    assert_eq!(world.reason(greeting), Some(Reason::UnknownTorrent));
    assert!(world.shard.add(FIRST, torrent_of_pieces(1, PIECES), 4), "it may come back");
    let leecher = world.leecher();
    world.ask(leecher, 1, 16_384);
    world.serve().expect("a request waits");
    assert_eq!(world.shard.torrents()[0].sent, 16_384, "and counts anew");
}
