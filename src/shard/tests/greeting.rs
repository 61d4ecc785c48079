//! How connections begin and end.

use super::*;
use crate::limits;

#[test]
fn a_handshake_and_what_follows_are_understood_however_they_are_split() {
    let mut bytes = handshake(Reserved::OURS, 1, 77);
    bytes.extend(encoded(&[Message::HaveNone, Message::Interested]));
    for cut in 0..=bytes.len() {
        let mut world = World::new(Slots::Auto);
        let key = world.accept();
        world.hear(key, &bytes[..cut]);
        world.hear(key, &bytes[cut..]);
        assert!(world.output[&key].starts_with(b"\x13BitTorrent protocol"), "cut at {cut}");
        let heard = world.heard(key);
        assert_eq!((heard[0].as_str(), heard[1].as_str()), ("Extended(0)", "HaveAll"), "cut at {cut}");
        assert_eq!(heard.last().map(String::as_str), Some("Unchoke"), "cut at {cut}");
    }
    let mut world = World::new(Slots::Auto);
    let key = world.accept();
    bytes.iter().for_each(|byte| world.hear(key, &[*byte]));
    assert!(world.is_served(key), "and byte by byte");
    assert!(world.shard.connections.get(key).is_some_and(|c| c.input.capacity() == 0), "which holds no memory later");
}

#[test]
fn wrong_first_bytes_end_a_connection_without_an_answer() {
    let mut ourselves = Vec::new();
    let reserved = Reserved::OURS;
    Handshake { reserved, info_hash: InfoHash([1; 20]), peer_id: OUR_ID }.encode(&mut ourselves);
    for (bytes, reason) in [
        (handshake(Reserved::OURS, 200, 1), Reason::UnknownTorrent),
        (ourselves, Reason::Ourselves),
        (b"GET /announce HTTP/1.1\r\n\r\n".to_vec(), Reason::Http),
        (vec![0xa7; 96], Reason::NotPlaintext),
        (b"\x13BitTorrent protocoL".to_vec(), Reason::NotPlaintext),
    ] {
        let mut world = World::new(Slots::Auto);
        let key = world.accept();
        world.hear(key, &bytes);
        assert_eq!(world.closed, [(key, reason)]);
        assert!(world.output.is_empty(), "{reason}");
        assert_eq!(world.shard.totals().closed[reason as usize], 1);
    }
}

#[test]
fn a_dialled_connection_opens_with_our_handshake_and_must_be_answered_for_the_same_torrent() {
    for (answer, reason) in [(1, None), (2, Some(Reason::WrongTorrent)), (3, Some(Reason::UnknownTorrent))] {
        let mut world = World::new(Slots::Auto);
        world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 4);
        let key = world.shard.dial(FIRST, world.address(), world.now).expect("there is room");
        assert_eq!(world.shard.next_output(), None, "nothing is sent before the socket is connected");
        world.shard.take_output(key, world.now, world.output.entry(key).or_default());
        world.shard.writable(key);
        assert_eq!(world.output[&key].len(), Handshake::LENGTH);
        world.hear(key, &handshake(Reserved::default(), answer, 5));
        assert_eq!(world.reason(key), reason);
        if reason.is_none() {
            assert_eq!(world.heard(key), ["Bitfield"], "no second handshake");
        }
    }
}

#[test]
fn a_peer_that_comes_twice_keeps_its_first_connection_while_that_is_alive() {
    let mut world = World::new(Slots::Auto);
    let connect = |world: &mut World| {
        let key = world.accept();
        world.hear(key, &handshake(Reserved::default(), 1, 500));
        key
    };
    let first = connect(&mut world);
    world.pass(29);
    let second = connect(&mut world);
    assert_eq!(world.closed, [(second, Reason::Duplicate)]);
    world.pass(1);
    let third = connect(&mut world);
    assert_eq!(world.reason(first), Some(Reason::Duplicate), "30 seconds of silence");
    assert_eq!(world.reason(third), None);
    // the end of the first connection took the third out of the list of peers
    let fourth = connect(&mut world);
    assert_eq!((world.reason(third), world.reason(fourth)), (None, Some(Reason::Duplicate)));
}

#[test]
fn a_peer_that_reconnects_in_the_moment_of_its_end_is_let_in() {
    let mut world = World::new(Slots::Auto);
    let old = world.leecher();
    let id = world.came;
    world.shard.close(old, Reason::Ended);
    let new = world.accept();
    world.hear(new, &handshake(Reserved::default(), 1, id));
    assert_eq!((world.reason(old), world.reason(new)), (Some(Reason::Ended), None));
}

#[test]
fn a_handshake_may_take_fifteen_seconds() {
    let mut world = World::new(Slots::Auto);
    let (silent, slow) = (world.accept(), world.accept());
    let bytes = handshake(Reserved::default(), 1, 5);
    world.hear(slow, &bytes[..40]);
    world.pass(14);
    assert!(world.closed.is_empty());
    world.hear(slow, &bytes[40..]);
    world.pass(1);
    assert_eq!(world.closed, [(silent, Reason::HandshakeTimeout)]);
    assert_eq!((world.shard.connections(), world.shard.greeting), (1, 0));
}

#[test]
fn a_peer_may_be_silent_for_three_minutes() {
    let mut world = World::new(Slots::Auto);
    let (silent, alive) = (world.leecher(), world.leecher());
    world.pass(179);
    world.say(alive, &[Message::KeepAlive]);
    assert!(world.closed.is_empty());
    world.pass(1);
    assert_eq!(world.closed, [(silent, Reason::Timeout)]);
    world.pass(178);
    assert_eq!(world.reason(alive), None);
}

#[test]
fn a_keep_alive_goes_out_after_a_hundred_seconds_without_a_word_of_ours() {
    let mut world = World::new(Slots::Auto);
    let key = world.leecher();
    world.heard(key);
    world.pass(50);
    world.ask(key, 1, 16_384);
    assert!(world.serve().is_some());
    world.pass(99);
    assert!(world.heard(key).is_empty());
    world.pass(1);
    assert_eq!(world.heard(key), ["KeepAlive"]);
    world.say(key, &[Message::KeepAlive]);
    world.pass(99);
    assert!(world.heard(key).is_empty());
    world.pass(1);
    assert_eq!(world.heard(key), ["KeepAlive"]);
}

#[test]
fn who_takes_nothing_for_two_minutes_is_closed_and_who_takes_a_byte_is_not() {
    let mut world = World::new(Slots::Auto);
    let (stalled, slow, full) = (world.leecher(), world.leecher(), world.leecher());
    for key in [stalled, slow] {
        world.ask(key, 1, 16_384);
        let turn = world.shard.next_turn(world.now).expect("its turn");
        world.shard.take_blocks(&turn, 16, &mut Vec::new());
        world.shard.blocked(key, 0, world.now);
    }
    // what is left over for this one are answers, not blocks
    world.shard.backed_up(full, false, world.now);
    world.pass(119);
    world.shard.backed_up(full, false, world.now);
    world.shard.sent(slow, 1, world.now);
    [stalled, slow, full].into_iter().for_each(|key| world.say(key, &[Message::KeepAlive]));
    assert!(world.closed.is_empty());
    world.pass(1);
    assert_eq!(world.closed, [(stalled, Reason::Stalled), (full, Reason::Stalled)]);
    world.pass(118);
    assert_eq!(world.reason(slow), None);
}

#[test]
fn connections_and_handshakes_are_bounded_and_refusals_are_counted() {
    let mut world = World::with(Config { connections_max: 3, ..config(Slots::Auto) });
    (0..3).for_each(|_| {
        world.join(Reserved::default());
    });
    assert_eq!(world.shard.accept(world.address(), world.now), Err(Reason::Full));
    assert_eq!(world.shard.dial(FIRST, world.address(), world.now), None);
    assert_eq!(world.shard.totals().closed[Reason::Full as usize], 1);

    let mut world = World::new(Slots::Auto);
    (0..limits::HANDSHAKES / 2).for_each(|_| {
        world.accept();
    });
    assert_eq!(world.shard.dial(FIRST, world.address(), world.now), None, "dialling leaves room for those who come");
    (0..limits::HANDSHAKES / 2).for_each(|_| {
        world.accept();
    });
    assert_eq!(world.shard.accept(world.address(), world.now), Err(Reason::FullHandshakes));
    world.pass(15);
    assert_eq!((world.shard.connections(), world.closed.len()), (0, limits::HANDSHAKES));
    world.accept();
}

#[test]
fn a_withdrawn_torrent_closes_all_its_connections_and_gets_no_new_ones() {
    let mut world = World::new(Slots::Auto);
    world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 4);
    let other = world.accept();
    world.hear(other, &handshake(Reserved::default(), 2, 900));
    let keys = [world.leecher(), world.leecher(), world.join(Reserved::OURS)];
    let dialled = world.shard.dial(FIRST, world.address(), world.now).expect("there is room");
    world.ask(keys[0], 5, 16_384);
    world.shard.withdraw(FIRST, Reason::TorrentFailed);
    world.shard.withdraw(FIRST, Reason::Stopped);
    world.settle();
    assert!(keys.iter().chain([&dialled]).all(|key| world.reason(*key) == Some(Reason::TorrentFailed)));
    assert_eq!((world.shard.connections(), world.shard.unchoked(), world.reason(other)), (1, 0, None));
    let late = world.accept();
    world.hear(late, &handshake(Reserved::default(), 1, 901));
    assert_eq!(world.reason(late), Some(Reason::UnknownTorrent));
    assert_eq!(world.shard.dial(FIRST, world.address(), world.now), None);
    // the same torrent again, by another name: the old name has no power over it
    world.shard.add(TorrentId(3), torrent_of_pieces(1, PIECES), 4);
    world.shard.withdraw(FIRST, Reason::Stopped);
    let again = world.accept();
    world.hear(again, &handshake(Reserved::default(), 1, 902));
    assert_eq!(world.reason(again), None);
}

#[test]
fn a_complete_peer_is_let_go() {
    let mut world = World::new(Slots::Auto);
    let key = world.join(Reserved::OURS);
    world.say(key, &[Message::HaveAll]);
    assert_eq!(world.reason(key), Some(Reason::Redundant));
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let mut world = World::new(Slots::Auto);
    let key = world.join(Reserved::OURS);
    let requests = encoded(&vec![Message::Request(block(0, 16_384)); 1_000]);
    let mut most = 0;
    // a choked peer: each request is answered by a reject, and no socket takes them
    while world.shard.connections.get(key).is_some_and(|c| c.closing.is_none()) {
        world.shard.received(key, &requests, world.now);
        most = most.max(world.shard.connections.get(key).map_or(0, |c| c.output.len()));
    }
    world.settle();
    assert_eq!(world.reason(key), Some(Reason::ControlFlood));
    assert!(most <= limits::CONTROL_BUFFER + 17);
}
