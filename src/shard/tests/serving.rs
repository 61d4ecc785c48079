//! Whose blocks go when.

use super::*;
use crate::limits;
use crate::limits::REQUESTS_PER_PEER;

const CHUNK: u64 = limits::CHUNK as u64;

fn queued(world: &mut World, key: PeerKey) -> usize {
    match world.shard.connections.get_mut(key).map(|connection| &mut connection.stage) {
        Some(Stage::Peer(_, peer)) => peer.requests().len(),
        _ => 0,
    }
}

/// Keeps every queue filled with blocks of the lengths given, for as long as `go` has not ended.
fn sent_while(world: &mut World, wanted: &[(PeerKey, u32)], mut go: impl FnMut(&mut World) -> bool) -> Vec<u64> {
    let mut sent = vec![0; wanted.len()];
    loop {
        for &(key, length) in wanted {
            if queued(world, key) > 16 {
                continue;
            }
            world.ask(key, 32, length);
        }
        match world.serve() {
            Some((key, bytes)) => {
                let at = wanted.iter().position(|(wants, _)| *wants == key).expect("one of them");
                sent[at] += bytes;
            }
            None => {
                world.now = world.shard.next_timeout(world.now);
                if world.now.since(world.shard.ticked_at) >= Duration::from_secs(1) {
                    world.shard.tick(world.now, 100);
                }
                world.settle();
            }
        }
        if !go(world) {
            return sent;
        }
    }
}

fn spread(sent: &[u64]) -> u64 {
    sent.iter().max().expect("peers") - sent.iter().min().expect("peers")
}

#[test]
fn equal_peers_get_the_same_bytes_but_for_a_chunk() {
    let mut world = World::new(Slots::Unlimited);
    let wanted: Vec<_> = (0..7).map(|_| (world.leecher(), 16_384)).collect();
    for turns in [7, 40, 333] {
        let mut left = turns;
        let sent = sent_while(&mut world, &wanted, |_| {
            left -= 1;
            left > 0
        });
        assert!(spread(&sent) <= CHUNK, "{sent:?}");
    }
}

#[test]
fn peers_that_ask_for_long_blocks_get_no_more_than_those_that_ask_for_short_ones() {
    let mut world = World::new(Slots::Unlimited);
    let wanted = [16_384, 131_072, 100_000, 65_536].map(|length| (world.leecher(), length));
    let mut left = 2_000;
    let sent = sent_while(&mut world, &wanted, |_| {
        left -= 1;
        left > 0
    });
    assert!(spread(&sent) <= CHUNK + 131_072, "{sent:?}");
}

#[test]
fn an_upload_limit_is_exact_and_cuts_everybody_alike() {
    for rate in [600_000, 1 << 20, 50_000_000] {
        let mut world = World::new(Slots::Unlimited);
        world.shard.set_upload_limit(Some(rate), world.now);
        let wanted: Vec<_> = [16_384, 131_072, 16_384, 65_536, 16_384].map(|length| (world.leecher(), length)).into();
        let end = world.now + Duration::from_secs(60);
        let sent = sent_while(&mut world, &wanted, |world| world.now < end);
        let total: u64 = sent.iter().sum();
        let burst = CHUNK.max(rate / 20);
        assert!((rate * 60..=rate * 60 + burst + 131_072).contains(&total), "{total} bytes at {rate}");
        assert!(spread(&sent) <= CHUNK + 131_072, "{sent:?} at {rate}");
    }
}

#[test]
fn under_a_limit_of_a_few_blocks_a_second_nobody_starves() {
    let mut world = World::new(Slots::Unlimited);
    world.shard.set_upload_limit(Some(100_000), world.now);
    let wanted: Vec<_> = (0..20).map(|_| (world.leecher(), 16_384)).collect();
    let end = world.now + Duration::from_secs(60);
    let sent = sent_while(&mut world, &wanted, |world| world.now < end);
    assert!(sent.iter().all(|bytes| *bytes >= 200_000), "{sent:?}");
    world.shard.set_upload_limit(None, world.now);
    assert!(world.serve().is_some_and(|(_, bytes)| bytes > 16_384), "a lifted limit is lifted at once");
}

#[test]
fn a_limit_for_each_peer_holds_each_of_them() {
    let mut world = World::with(Config { peer_rate: Some(200_000), ..config(Slots::Unlimited) });
    let wanted: Vec<_> = (0..4).map(|_| (world.leecher(), 16_384)).collect();
    let end = world.now + Duration::from_secs(60);
    let sent = sent_while(&mut world, &wanted, |world| world.now < end);
    for bytes in sent {
        assert!((12_000_000 - 16_384..=12_000_000 + CHUNK + 16_384).contains(&bytes), "{bytes}");
    }
}

#[test]
fn a_new_owner_of_a_place_inherits_no_debt() {
    let mut world = World::with(Config { peer_rate: Some(1_000), ..config(Slots::Unlimited) });
    let first = world.leecher();
    world.ask(first, 32, 16_384);
    while world.serve().is_some() {}
    world.shard.close(first, Reason::Ended);
    world.settle();
    let second = world.leecher();
    assert_eq!(second.slot, first.slot);
    world.ask(second, 1, 16_384);
    assert_eq!(world.serve(), Some((second, 16_384)));
}

#[test]
fn who_waits_for_disk_or_socket_has_no_turn_until_that_is_over() {
    let mut world = World::new(Slots::Auto);
    let key = world.leecher();
    world.ask(key, 20, 16_384);
    let mut blocks = Vec::new();

    let turn = world.shard.next_turn(world.now).expect("its turn");
    world.shard.take_blocks(&turn, 16, &mut blocks);
    world.shard.cold(key, &blocks);
    world.shard.check();
    world.shard.writable(key);
    assert_eq!(world.shard.next_turn(world.now), None, "the disk is not the socket");
    world.shard.paged_in(key);
    world.shard.check();

    let turn = world.shard.next_turn(world.now).expect("its turn again");
    let mut again = Vec::new();
    world.shard.take_blocks(&turn, 16, &mut again);
    assert_eq!(again, blocks, "the same blocks in their order");
    world.shard.sent(key, 20_000, world.now);
    world.shard.blocked(key, 20_000, world.now);
    world.shard.check();
    world.shard.paged_in(key);
    assert_eq!(world.shard.next_turn(world.now), None);
    world.shard.writable(key);
    assert_eq!(world.serve(), Some((key, 4 * 16_384)));
    assert_eq!(world.serve(), None, "nothing is left to send");
}

#[test]
fn cancelled_blocks_are_not_sent_and_more_cancels_than_requests_end_it() {
    let mut world = World::new(Slots::Auto);
    let key = world.leecher();
    world.ask(key, 2, 16_384);
    world.say(key, &[Message::Cancel(block(0, 16_384))]);
    assert_eq!(world.serve(), Some((key, 16_384)));
    world.say(key, &[Message::Cancel(block(0, 16_384)), Message::Cancel(block(0, 16_384))]);
    assert_eq!(world.reason(key), Some(Reason::CancelFlood));
}

#[test]
fn late_completions_of_a_former_owner_move_nobody() {
    let mut world = World::new(Slots::Auto);
    let old = world.leecher();
    world.shard.close(old, Reason::Ended);
    world.settle();
    let new = world.leecher();
    assert_eq!(new.slot, old.slot);
    world.ask(new, 1, 16_384);
    world.shard.blocked(old, 5, world.now);
    world.shard.cold(old, &[block(0, 1)]);
    world.shard.served(old, 5);
    world.shard.backed_up(old, true, world.now);
    world.shard.paged_in(old);
    world.shard.writable(old);
    world.shard.sent(old, 5, world.now);
    world.shard.close(old, Reason::Failed);
    world.shard.check();
    assert_eq!(world.serve(), Some((new, 16_384)));
}

#[test]
fn an_idle_peer_gives_the_memory_of_its_queue_back() {
    let mut world = World::new(Slots::Auto);
    let key = world.leecher();
    world.ask(key, 32, 16_384);
    while world.serve().is_some() {}
    world.pass(1);
    let connection = world.shard.connections.get_mut(key).expect("connected");
    let Stage::Peer(_, peer) = &mut connection.stage else { panic!("a peer") };
    assert_eq!(peer.requests().capacity(), 0);
}

/// rTorrent sizes its queue by the rate that it gets, without bound, and speaks no Fast: over loopback it asked for more than may
/// wait, what was beyond was dropped, and it stood still at 96 % of a GiB.
#[test]
fn a_peer_without_fast_that_asks_for_more_than_may_wait_is_read_on_when_half_is_served_and_loses_nothing() {
    let mut world = World::new(Slots::Unlimited);
    let key = world.leecher();
    let most = u32::try_from(REQUESTS_PER_PEER).expect("few");
    world.ask(key, 5 * most, 1);
    assert_eq!(world.shard.next_hold(), Some((key, true)));
    assert_eq!(world.shard.next_hold(), None);
    world.say(key, &[Message::Request(block(9 * most, 1))]);
    let (mut served, mut released) = (0, 0);
    while let Some((_, bytes)) = world.serve() {
        served += bytes;
        assert!(world.peer(key).requests_waiting() <= REQUESTS_PER_PEER);
        world.settle();
        released += std::iter::from_fn(|| world.shard.next_hold()).filter(|(_, held)| !held).count();
    }
    assert_eq!((served, world.reason(key)), (u64::from(5 * most + 1), None));
    assert!((4..=8).contains(&released), "{released}");
}

#[test]
fn who_goes_on_to_send_although_nobody_reads_is_closed() {
    let mut world = World::new(Slots::Unlimited);
    let key = world.leecher();
    let requests: Vec<Message<'_>> = (0..40_000).map(|n| Message::Request(block(n, 1))).collect();
    let bytes = encoded(&requests);
    (0..8).for_each(|_| world.hear(key, &bytes));
    assert_eq!(world.reason(key), Some(Reason::RequestFlood));
}
