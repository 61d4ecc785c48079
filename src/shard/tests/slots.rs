//! Who is unchoked.

use super::*;

fn served(world: &World, keys: &[PeerKey]) -> Vec<PeerKey> {
    keys.iter().copied().filter(|key| world.is_served(*key)).collect()
}

/// Everybody asks, and what the shard can send in a second goes out, `bytes` of it.
fn second(world: &mut World, keys: &[PeerKey], bytes: u64, busy_per_mille: u32) {
    let mut left = bytes;
    while left > 0 {
        for key in keys {
            if world.is_served(*key) && !world.peer(*key).wants_turn() {
                let requests: Vec<_> = (0..64).map(|n| Message::Request(block(n << 17, 1 << 17))).collect();
                world.shard.received(*key, &encoded(&requests), world.now);
            }
        }
        let Some(turn) = world.shard.next_turn(world.now) else { break };
        let mut blocks = Vec::new();
        world.shard.take_blocks(&turn, 2, &mut blocks);
        let taken = blocks.iter().map(|block| u64::from(block.length)).sum();
        world.shard.sent(turn.key, taken, world.now);
        world.shard.served(turn.key, taken);
        left = left.saturating_sub(taken);
    }
    world.now = world.now + Duration::from_secs(1);
    world.shard.tick(world.now, busy_per_mille);
    world.settle();
}

#[test]
fn a_free_slot_is_given_in_the_moment_interest_is_shown() {
    let mut world = World::new(Slots::Auto);
    let key = world.join(Reserved::default());
    assert!(!world.is_served(key));
    world.say(key, &[Message::Interested]);
    assert_eq!(world.heard(key), ["Unchoke"]);
}

#[test]
fn a_slot_that_gets_free_is_given_before_the_loop_waits_again() {
    let mut world = World::new(Slots::Fixed(4));
    let keys: Vec<_> = (0..5).map(|_| world.leecher()).collect();
    assert_eq!(served(&world, &keys), keys[..4]);
    world.shard.close(keys[1], Reason::Ended);
    assert_eq!(world.shard.next_timeout(world.now), world.now, "a connection is to be taken down");
    assert!(world.shard.next_close().is_some());
    assert_eq!(world.shard.next_timeout(world.now), world.now, "a slot is to be given");
    world.shard.settle_slots(world.now);
    assert!(world.is_served(keys[4]));
    world.say(keys[0], &[Message::NotInterested]);
    assert!(!world.is_served(keys[0]), "who wants nothing holds no slot");
}

#[test]
fn the_textbook_number_holds_for_each_torrent_and_follows_a_change() {
    let mut world = World::new(Slots::Fixed(4));
    world.shard.add(TorrentId(2), torrent_of_pieces(2, 4), 2);
    let first: Vec<_> = (0..9).map(|_| world.leecher()).collect();
    let second: Vec<_> = (0..9)
        .map(|id| {
            let key = world.accept();
            world.hear(key, &handshake(Reserved::default(), 2, 700 + id));
            world.say(key, &[Message::Interested]);
            key
        })
        .collect();
    for _ in 0..90 {
        assert_eq!((served(&world, &first).len(), served(&world, &second).len()), (4, 2));
        world.pass(1);
        first.iter().chain(&second).for_each(|key| world.say(*key, &[Message::KeepAlive]));
    }
    world.shard.set_slots(FIRST, 7);
    world.settle();
    assert_eq!(served(&world, &first).len(), 7);
    world.shard.set_slots(FIRST, 3);
    (0..20).for_each(|_| world.pass(1));
    assert_eq!(served(&world, &first).len(), 3, "within two rounds");
}

#[test]
fn without_a_number_everybody_is_served() {
    let mut world = World::new(Slots::Unlimited);
    let keys: Vec<_> = (0..300).map(|_| world.leecher()).collect();
    assert_eq!(served(&world, &keys).len(), 300);
    assert_eq!(world.shard.waiting(), 0);
}

#[test]
fn slots_go_around_and_nobody_loses_one_within_a_round() {
    let mut world = World::new(Slots::Fixed(4));
    let keys: Vec<_> = (0..12).map(|_| world.leecher()).collect();
    let mut since: HashMap<PeerKey, u64> = HashMap::new();
    let mut ever = HashSet::new();
    for clock in 0..150 {
        let now = served(&world, &keys);
        assert_eq!(now.len(), 4);
        ever.extend(now.iter().copied());
        for key in &keys {
            match (now.contains(key), since.get(key)) {
                (true, None) => drop(since.insert(*key, clock)),
                (false, Some(begun)) => {
                    assert!(clock - begun >= 10, "held for {} s", clock - begun);
                    since.remove(key);
                }
                _ => {}
            }
        }
        if clock % 30 == 0 && clock > 0 {
            assert!(
                ever.len() >= 4 + usize::try_from(clock / 30).expect("small"),
                "each 30 s somebody new: {}",
                ever.len()
            );
        }
        second(&mut world, &keys, 10 << 20, 100);
    }
    assert_eq!(ever.len(), 12, "everybody had one within five terms");
}

#[test]
fn who_pauses_between_two_requests_as_a_round_ends_keeps_its_slot_and_who_never_asks_does_not() {
    for (asks, keeps) in [(true, true), (false, false)] {
        let mut world = World::with(config(Slots::Fixed(1)));
        world.shard.set_slots(FIRST, 1);
        let (holder, waiter) = (world.leecher(), world.leecher());
        world.pass(5);
        if asks {
            world.ask(holder, 1, 16_384);
            assert!(world.serve().is_some());
        }
        world.pass(5);
        assert_eq!((world.is_served(holder), world.is_served(waiter)), (keeps, !keeps), "asks: {asks}");
    }
}

#[test]
fn a_choked_peer_is_told_what_it_will_not_get() {
    for (reserved, rejects) in [(Reserved::OURS, 3), (Reserved::default(), 0)] {
        let mut world = World::new(Slots::Fixed(1));
        world.shard.set_slots(FIRST, 1);
        let holder = world.join(reserved);
        world.say(holder, &[Message::Interested]);
        let waiter = world.leecher();
        // it asked for nothing in a whole round
        world.pass(10);
        assert!(world.is_served(waiter) && !world.is_served(holder));
        assert_eq!(world.heard(holder), ["Unchoke", "Choke"]);
        world.ask(holder, 3, 16_384);
        let heard = world.heard(holder);
        assert_eq!(heard.len(), rejects);
        assert!(heard.iter().all(|text| text.starts_with("Reject")));
    }
}

#[test]
fn one_slot_is_optimistic_and_goes_on_after_thirty_seconds() {
    let mut world = World::new(Slots::Fixed(4));
    let keys: Vec<_> = (0..12).map(|_| world.leecher()).collect();
    let mut terms: Vec<(PeerKey, u32)> = Vec::new();
    for _ in 0..160 {
        let held = |key: &&PeerKey| world.shard.connections.get(**key).is_some_and(|c| c.optimistic_since.is_some());
        let holders: Vec<PeerKey> = keys.iter().filter(held).copied().collect();
        assert!(holders.len() <= 1);
        match (holders.first(), terms.last_mut()) {
            (Some(holder), Some((last, seconds))) if last == holder => *seconds += 1,
            (Some(holder), _) => terms.push((*holder, 1)),
            (None, _) => {}
        }
        second(&mut world, &keys, 10 << 20, 100);
    }
    terms.pop();
    assert!(terms.len() >= 4, "{terms:?}");
    assert!(terms.iter().all(|(_, seconds)| *seconds == 30), "{terms:?}");
}

#[test]
fn choking_rejects_the_queue_before_anything_else_is_sent() {
    let mut world = World::new(Slots::Fixed(1));
    world.shard.set_slots(FIRST, 1);
    let holder = world.join(Reserved::OURS);
    world.say(holder, &[Message::Interested]);
    world.ask(holder, 3, 16_384);
    world.heard(holder);
    world.say(holder, &[Message::NotInterested]);
    let heard = world.heard(holder);
    assert_eq!((heard[0].as_str(), heard.len()), ("Choke", 4));
    assert!(heard[1..].iter().all(|text| text.starts_with("Reject")));
    assert_eq!(world.serve(), None);
}

#[test]
fn flapping_interest_gets_nobody_past_the_line() {
    let mut world = World::new(Slots::Fixed(4));
    let keys: Vec<_> = (0..5).map(|_| world.leecher()).collect();
    let waiter = keys[4];
    // both arrive before the loop settles slots
    world.shard.received(keys[0], &encoded(&[Message::NotInterested]), world.now);
    world.shard.received(keys[0], &encoded(&[Message::Interested]), world.now);
    world.settle();
    assert!(world.is_served(waiter) && !world.is_served(keys[0]));
    // and in one read it changes nothing
    world.heard(keys[1]);
    world.say(keys[1], &[Message::NotInterested, Message::Interested]);
    assert!(world.heard(keys[1]).is_empty() && world.is_served(keys[1]));
}

#[test]
fn a_busy_reactor_serves_everybody_while_each_gets_plenty() {
    let mut world = World::new(Slots::Auto);
    let keys: Vec<_> = (0..50).map(|_| world.leecher()).collect();
    assert_eq!(served(&world, &keys).len(), 32);
    (0..3).for_each(|_| second(&mut world, &keys, 5_000_000_000, 1_000));
    assert_eq!(served(&world, &keys).len(), 50, "5 GB/s feed them all");
}

#[test]
fn a_thin_uplink_is_not_cut_among_a_thousand() {
    let mut world = World::new(Slots::Auto);
    world.shard.set_upload_limit(Some(10 << 20), world.now);
    let keys: Vec<_> = (0..1_000).map(|_| world.leecher()).collect();
    for _ in 0..60 {
        second(&mut world, &keys, u64::MAX, 50);
        assert!(world.shard.unchoked() <= 42, "{} slots of a chunk a second", world.shard.unchoked());
    }
}
