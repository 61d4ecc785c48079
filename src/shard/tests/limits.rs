//! Limits that change while peers are connected, in virtual time: nothing passes but the time that somebody waits for.

use super::leeching::{Net, nothing};
use super::*;
use crate::limits::BLOCK;
use proptest::prelude::*;

const BLOCK_BYTES: u64 = BLOCK as u64;

/// Seeds, and a leecher that is connected to all of them.
fn swarm(pieces: u32, seeds: usize, seed: u64) -> (Net, usize) {
    let mut net = Net::new(pieces, seed);
    let seeds: Vec<usize> = (0..seeds).map(|_| net.join(None, Slots::Unlimited)).collect();
    let leecher = net.join(Some(nothing()), Slots::Auto);
    seeds.iter().for_each(|&seed| net.connect(leecher, seed));
    (net, leecher)
}

fn limit(net: &mut Net, leecher: usize, rate: Option<u64>) {
    let now = net.now;
    net.nodes[leecher].shard.set_download_limit(rate, now);
}

fn received(net: &Net, leecher: usize) -> u64 {
    net.nodes[leecher].shard.totals().received
}

fn assert_near(found: u64, wanted: u64) {
    let slack = BLOCK_BYTES.max(wanted / 20);
    assert!(found.abs_diff(wanted) <= slack, "{found} bytes instead of {wanted}");
}

#[test]
fn a_download_limit_holds_and_peers_send_alike() {
    for rate in [16 << 10, 100_000, 2 << 20] {
        let (mut net, leecher) = swarm(600, 8, 1);
        limit(&mut net, leecher, Some(rate));
        let turns = net.pass(Duration::from_secs(10));
        assert_near(received(&net, leecher), 10 * rate);
        // one for each second and each grant, and what follows from them; a busy loop takes millions
        assert!(turns < 2_000, "{turns} turns at {rate}");
        let sent: Vec<u64> = (0..8).map(|seed| net.nodes[seed].shard.totals().sent).collect();
        let (least, most) = (sent.iter().min().expect("eight"), sent.iter().max().expect("eight"));
        assert!(most - least <= 16 * BLOCK_BYTES, "{sent:?}");
    }
}

#[test]
fn a_limit_may_be_lowered_lifted_and_set_again_and_nothing_stalls() {
    let (mut net, leecher) = swarm(800, 3, 2);
    limit(&mut net, leecher, Some(2 << 20));
    net.pass(Duration::from_secs(5));
    limit(&mut net, leecher, Some(64 << 10));
    net.pass(Duration::from_secs(1));
    let before = received(&net, leecher);
    net.pass(Duration::from_secs(10));
    assert_near(received(&net, leecher) - before, 640 << 10);
    limit(&mut net, leecher, Some(0));
    net.pass(Duration::from_secs(1));
    let before = received(&net, leecher);
    net.pass(Duration::from_secs(10));
    assert_eq!(received(&net, leecher), before, "nothing is asked for");
    limit(&mut net, leecher, None);
    net.pass(Duration::from_secs(2));
    assert!(net.nodes[leecher].finished, "everything came at once");
}

#[test]
fn the_last_blocks_under_a_limit_are_asked_of_one_peer_each() {
    let (mut net, leecher) = swarm(8, 6, 3);
    limit(&mut net, leecher, Some(64 << 10));
    net.pass(Duration::from_secs(12));
    assert!(net.nodes[leecher].finished);
    let sent: u64 = (0..6).map(|seed| net.nodes[seed].shard.totals().sent).sum();
    assert_eq!(sent, net.torrent.geometry.total());
}

#[test]
fn a_torrent_has_a_download_limit_of_its_own() {
    let (mut net, leecher) = swarm(200, 4, 4);
    let now = net.now;
    limit(&mut net, leecher, Some(1 << 20));
    net.nodes[leecher].shard.set_torrent_limits(FIRST, None, Some(50_000), now);
    net.pass(Duration::from_secs(10));
    assert_near(received(&net, leecher), 500_000);
    let now = net.now;
    net.nodes[leecher].shard.set_torrent_limits(FIRST, None, None, now);
    let before = received(&net, leecher);
    net.pass(Duration::from_secs(5));
    assert_near(received(&net, leecher) - before, 5 << 20);
}

#[test]
fn a_peer_that_leaves_with_what_it_owes_takes_nothing_of_the_limit_with_it() {
    let (mut net, leecher) = swarm(400, 2, 5);
    // it is asked, and never sends
    let now = net.now;
    net.nodes[0].shard.set_upload_limit(Some(0), now);
    limit(&mut net, leecher, Some(200_000));
    net.pass(Duration::from_secs(4));
    net.part(leecher, 0);
    let before = received(&net, leecher);
    net.pass(Duration::from_secs(10));
    let got = received(&net, leecher) - before;
    assert!((1_900_000..=2_400_000).contains(&got), "what it owed came from the other: {got}");
}

#[test]
fn a_torrent_sends_at_its_own_limit_until_that_is_lifted() {
    let mut world = World::new(Slots::Unlimited);
    let key = world.leecher();
    let now = world.now;
    world.shard.set_torrent_limits(FIRST, Some(100_000), None, now);
    let mut sent = 0;
    for _ in 0..100 {
        world.ask(key, 20, BLOCK);
        world.settle();
        while let Some((_, bytes)) = world.serve() {
            sent += bytes;
        }
        world.now = world.now + Duration::from_millis(100);
    }
    let burst = u64::from(crate::limits::CHUNK);
    assert!(sent.abs_diff(1_000_000 + burst) <= 2 * BLOCK_BYTES, "{sent}");
    let now = world.now;
    world.shard.set_torrent_limits(FIRST, None, None, now);
    world.pass(1);
    world.ask(key, 20, BLOCK);
    let all: u64 = std::iter::from_fn(|| world.serve()).map(|(_, bytes)| bytes).sum();
    assert!(all >= 20 * BLOCK_BYTES, "{all}");
    world.shard.set_torrent_limits(FIRST, Some(1), Some(1), now);
    world.shard.withdraw(FIRST, Reason::Stopped);
    world.settle();
    world.shard.set_torrent_limits(FIRST, Some(1), Some(1), now);
    assert!(!world.shard.askers.limits(FIRST), "nothing is kept of what is gone");
    assert_eq!(world.shard.pacer.available(now, FIRST, 9), u64::MAX);
}

#[test]
fn connections_of_a_torrent_are_bounded_and_who_is_served_stays() {
    let mut world = World::new(Slots::Fixed(2));
    let served = world.leecher();
    world.now = world.now + Duration::from_secs(1);
    let idle: Vec<PeerKey> = (0..3).map(|_| world.join(Reserved::default())).collect();
    world.shard.set_peers_max(FIRST, Some(2));
    world.settle();
    assert!(world.is_served(served));
    let reasons: Vec<Option<Reason>> = idle.iter().map(|key| world.reason(*key)).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == Some(Reason::FullTorrent)).count(), 2);
    let late = world.join(Reserved::default());
    assert_eq!(world.reason(late), Some(Reason::FullTorrent));
    let (now, address) = (world.now, world.address());
    assert_eq!(world.shard.dial(FIRST, address, now), None);
    world.shard.set_peers_max(FIRST, None);
    let welcome = world.join(Reserved::default());
    assert_eq!(world.reason(welcome), None);
}

#[test]
fn connections_in_all_are_bounded_while_it_runs() {
    let mut world = World::new(Slots::Fixed(2));
    let served = world.leecher();
    for _ in 0..5 {
        world.join(Reserved::default());
    }
    world.shard.set_connections_max(1);
    world.settle();
    assert_eq!(world.shard.connections(), 1);
    assert!(world.is_served(served));
    assert_eq!(world.shard.accept(world.address(), world.now), Err(Reason::Full));
    world.shard.set_connections_max(2);
    assert!(world.shard.accept(world.address(), world.now).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn limits_hold_whatever_they_are_and_whenever_they_change(
        seeds in 1usize..12, run in 0u64..1_000, rates in prop::collection::vec(16_384u64..600_000, 1..4)
    ) {
        let (mut net, leecher) = swarm(600, seeds, run);
        for rate in rates {
            limit(&mut net, leecher, Some(rate));
            // what was asked for under the last one
            net.pass(Duration::from_secs(1));
            let before = received(&net, leecher);
            net.pass(Duration::from_secs(10));
            if !net.nodes[leecher].finished {
                assert_near(received(&net, leecher) - before, 10 * rate);
            }
        }
        limit(&mut net, leecher, None);
        net.pass(Duration::from_secs(3));
        prop_assert!(net.nodes[leecher].finished);
        let sent: u64 = (0..seeds).map(|seed| net.nodes[seed].shard.totals().sent).sum();
        // once nothing is limited the end game may ask twice
        prop_assert!(sent - net.torrent.geometry.total() <= 200 * BLOCK_BYTES);
    }
}
