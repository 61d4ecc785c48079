use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Time;
use crate::ids::{InfoHash, PeerId};

const ROOMY: Bounds = Bounds { torrents: 1_000, peers_per_torrent: 10_000, peers: 100_000, open: true };

fn at(seconds: u64) -> Time {
    Time(seconds * 1_000_000)
}

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn id(number: u16) -> PeerId {
    let mut id = *b"-XX0000-............";
    id[18..].copy_from_slice(&number.to_be_bytes());
    PeerId(id)
}

fn v4(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(203, 0, high, low).into(), 6881)
}

fn v6(number: u16) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number).into(), 6881)
}

fn announce(peer: SocketAddr, number: u16) -> Announce {
    Announce {
        info_hash: hash(1),
        peer,
        reached_at: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        peer_id: id(number),
        key: number,
        event: Event::Update,
        seeder: false,
        want: Want { v4: 50, v6: 50 },
    }
}

fn swarms(bounds: Bounds) -> Swarms {
    Swarms::new(bounds, *b"0123456789abcdef")
}

/// A tracker and what it needs.
struct World {
    swarms: Swarms,
    rng: fastrand::Rng,
    sample: Sample,
}

impl World {
    fn new(bounds: Bounds) -> World {
        World { swarms: swarms(bounds), rng: fastrand::Rng::with_seed(7), sample: Sample::default() }
    }

    fn send(&mut self, now: Time, announce: &Announce) -> Result<Answer, Refusal> {
        self.swarms.announce(now, announce, &mut self.rng, &mut self.sample)
    }

    fn peers(&self) -> Vec<SocketAddr> {
        let v4 = self.sample.v4.chunks(6).map(|peer| {
            let ip: [u8; 4] = peer[..4].try_into().expect("four bytes");
            SocketAddr::new(Ipv4Addr::from(ip).into(), u16::from_be_bytes([peer[4], peer[5]]))
        });
        let v6 = self.sample.v6.chunks(18).map(|peer| {
            let ip: [u8; 16] = peer[..16].try_into().expect("sixteen bytes");
            SocketAddr::new(Ipv6Addr::from(ip).into(), u16::from_be_bytes([peer[16], peer[17]]))
        });
        v4.chain(v6).collect()
    }
}

#[test]
fn a_peer_is_given_the_others_of_both_families_and_never_itself() {
    let mut world = World::new(ROOMY);
    for number in 0..5 {
        world.send(at(0), &announce(v4(number), number)).expect("an open tracker answers");
        world.send(at(0), &announce(v6(number), 100 + number)).expect("an open tracker answers");
    }
    let answer = world.send(at(0), &announce(v4(3), 3)).expect("an open tracker answers");
    assert_eq!((answer.seeders, answer.leechers, answer.downloaded), (0, 10, 0));
    let expected: BTreeSet<SocketAddr> =
        (0..5).flat_map(|number| [v4(number), v6(number)]).filter(|peer| *peer != v4(3)).collect();
    assert_eq!(world.peers().len(), 9);
    assert_eq!(BTreeSet::from_iter(world.peers()), expected);
}

#[test]
fn a_mapped_ipv4_address_is_an_ipv4_peer() {
    let mut world = World::new(ROOMY);
    let mapped = SocketAddr::new(Ipv4Addr::new(203, 0, 0, 9).to_ipv6_mapped().into(), 6881);
    world.send(at(0), &announce(mapped, 9)).expect("an open tracker answers");
    world.send(at(0), &announce(mapped, 9)).expect("an open tracker answers");
    assert!(world.peers().is_empty(), "it is not given to itself");
    world.send(at(0), &announce(v4(1), 1)).expect("an open tracker answers");
    assert_eq!(world.peers(), [v4(9)]);
}

#[test]
fn a_seeder_is_given_leechers_and_few_seeders() {
    let mut world = World::new(ROOMY);
    for number in 0..100 {
        let peer = Announce { seeder: number % 2 == 0, ..announce(v4(number), number) };
        world.send(at(0), &peer).expect("an open tracker answers");
    }
    let asker = Announce { seeder: true, want: Want { v4: 200, v6: 0 }, ..announce(v4(200), 200) };
    let answer = world.send(at(0), &asker).expect("an open tracker answers");
    assert_eq!((answer.seeders, answer.leechers), (51, 50));
    let leechers: BTreeSet<SocketAddr> = (0..100).filter(|n| n % 2 == 1).map(v4).collect();
    let given = BTreeSet::from_iter(world.peers());
    assert!(given.is_superset(&leechers));
    assert_eq!(given.len(), leechers.len() + 3);
    // leechers come first: with few places there is none for a seeder
    world.send(at(0), &Announce { want: Want { v4: 50, v6: 0 }, ..asker }).expect("an open tracker answers");
    assert_eq!(BTreeSet::from_iter(world.peers()), leechers);
}

/// aria2 1.36 knows no size before it has the metadata, and announces a magnet link with `left=0`. A tracker that gave
/// leechers alone to it kept it from ever starting.
#[test]
fn a_magnet_link_announced_as_complete_finds_the_only_seeders() {
    let mut world = World::new(ROOMY);
    world.swarms.add(hash(1), Some(own(None)));
    world.send(at(0), &Announce { seeder: true, ..announce(v4(1), 1) }).expect("answered");
    world.send(at(0), &Announce { seeder: true, ..announce(v4(2), 2) }).expect("answered");
    let ours: SocketAddr = "198.51.100.1:7000".parse().expect("an address");
    assert_eq!(world.peers(), [ours, v4(1)]);
}

#[test]
fn every_other_peer_is_picked_equally_often() {
    let mut world = World::new(ROOMY);
    let population = 41u16;
    for number in 0..=population {
        let peer = Announce { seeder: number < 10, ..announce(v4(number), number) };
        world.send(at(0), &peer).expect("an open tracker answers");
    }
    let mut picked: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    let asker = Announce { want: Want { v4: 7, v6: 0 }, ..announce(v4(20), 20) };
    let rounds = 41_000;
    for _ in 0..rounds {
        world.send(at(0), &asker).expect("an open tracker answers");
        let peers = world.peers();
        assert_eq!(BTreeSet::from_iter(&peers).len(), 7, "seven different ones");
        peers.into_iter().for_each(|peer| *picked.entry(peer).or_default() += 1);
    }
    assert_eq!(picked.len(), usize::from(population));
    assert!(!picked.contains_key(&v4(20)));
    // expected 7,000 each with a standard deviation of 76
    for (peer, times) in picked {
        assert!((6_600..7_400).contains(&times), "{peer} was picked {times} times");
    }
}

#[test]
fn every_pair_of_peers_can_be_picked_together() {
    let mut world = World::new(ROOMY);
    for number in 0..40 {
        world.send(at(0), &announce(v4(number), number)).expect("an open tracker answers");
    }
    let mut pairs = BTreeSet::new();
    let asker = Announce { want: Want { v4: 5, v6: 0 }, ..announce(v4(0), 0) };
    for _ in 0..20_000 {
        world.send(at(0), &asker).expect("an open tracker answers");
        let peers = world.peers();
        for a in &peers {
            pairs.extend(peers.iter().filter(|b| a < *b).map(|b| (*a, *b)));
        }
    }
    // 39 others; neighbours of the ring share a part of it unless its cuts fall between them
    assert_eq!(pairs.len(), 39 * 38 / 2);
}

#[test]
fn downloads_are_counted_once_each() {
    let mut world = World::new(ROOMY);
    let done = Announce { event: Event::Completed, seeder: true, ..announce(v4(1), 1) };
    world.send(at(0), &Announce { event: Event::Started, ..announce(v4(1), 1) }).expect("answered");
    assert_eq!(world.send(at(1), &done).expect("answered").downloaded, 1);
    assert_eq!(world.send(at(1), &done).expect("answered").downloaded, 1, "the datagram came twice");
    let partial = Announce { event: Event::Completed, ..announce(v4(2), 2) };
    assert_eq!(world.send(at(1), &partial).expect("answered").downloaded, 1, "it still lacks something");
    assert_eq!(world.swarms.scrape(hash(1)).expect("known").downloaded, 1);
}

#[test]
fn a_farewell_takes_out_only_the_client_that_says_it() {
    let mut world = World::new(ROOMY);
    world.send(at(0), &announce(v4(1), 1)).expect("answered");
    // the client was restarted: the same address and port, another key; then the old one's last words arrive
    world.send(at(1), &announce(v4(1), 2)).expect("answered");
    let answer = world.send(at(2), &Announce { event: Event::Stopped, ..announce(v4(1), 1) }).expect("answered");
    assert_eq!(answer.leechers, 1);
    let answer = world.send(at(3), &Announce { event: Event::Stopped, ..announce(v4(1), 2) }).expect("answered");
    assert_eq!(answer.leechers, 0);
    assert!(world.peers().is_empty(), "nobody who leaves needs peers");
}

#[test]
fn farewells_do_not_make_torrents() {
    let mut world = World::new(ROOMY);
    let answer = world.send(at(0), &Announce { event: Event::Stopped, ..announce(v4(1), 1) });
    assert_eq!(answer, Ok(Answer::default()));
    assert_eq!(world.swarms.totals().torrents, 0);
}

#[test]
fn a_closed_tracker_serves_only_what_it_was_told() {
    let mut world = World::new(Bounds { open: false, ..ROOMY });
    assert_eq!(world.send(at(0), &announce(v4(1), 1)), Err(Refusal::NotServed));
    assert!(world.swarms.add(hash(1), None));
    assert_eq!(world.send(at(0), &announce(v4(1), 1)).expect("served").leechers, 1);
    assert!(world.swarms.remove(hash(1)));
    assert_eq!(world.send(at(0), &announce(v4(1), 1)), Err(Refusal::NotServed));
    assert_eq!(world.swarms.totals().peers_v4, 0);
}

#[test]
fn a_full_swarm_answers_but_lists_nobody_else() {
    let mut world = World::new(Bounds { peers_per_torrent: 3, ..ROOMY });
    for number in 0..3 {
        assert!(!world.send(at(0), &announce(v4(number), number)).expect("answered").unlisted);
    }
    for newcomer in [v4(7), v6(7)] {
        let answer = world.send(at(0), &announce(newcomer, 7)).expect("answered");
        assert!(answer.unlisted);
        assert_eq!((answer.leechers, world.peers().len()), (3, 3));
    }
    assert!(!world.send(at(0), &announce(v4(2), 2)).expect("answered").unlisted, "who is listed stays listed");
}

#[test]
fn the_bound_of_all_peers_holds_across_torrents() {
    let mut world = World::new(Bounds { peers: 4, ..ROOMY });
    for number in 0..6u8 {
        let peer = Announce { info_hash: hash(number), ..announce(v4(1), 1) };
        assert_eq!(world.send(at(0), &peer).expect("answered").unlisted, number >= 4);
    }
    assert!(world.swarms.remove(hash(0)));
    let peer = Announce { info_hash: hash(5), ..announce(v4(1), 1) };
    assert!(!world.send(at(0), &peer).expect("answered").unlisted, "there is room again");
}

#[test]
fn a_full_table_refuses_further_torrents() {
    let mut world = World::new(Bounds { torrents: 2, ..ROOMY });
    for number in 0..4u8 {
        let answer = world.send(at(0), &Announce { info_hash: hash(number), ..announce(v4(1), 1) });
        assert_eq!(answer.is_ok(), number < 2);
    }
    assert!(!world.swarms.add(hash(9), None));
    assert!(world.swarms.add(hash(1), None), "it is known already");
}

#[test]
fn the_silent_are_forgotten_in_bounded_steps() {
    let mut world = World::new(ROOMY);
    assert!(world.swarms.add(hash(200), None));
    for number in 0..100u8 {
        let early = Announce { info_hash: hash(number), ..announce(v4(number.into()), number.into()) };
        world.send(at(0), &early).expect("answered");
        let late = Announce { info_hash: hash(number), ..announce(v6(number.into()), number.into()) };
        world.send(at(if number < 50 { 100 } else { 0 }), &late).expect("answered");
    }
    let patience = Duration::from_secs(60);
    let mut steps = 0;
    while !world.swarms.expire(at(120), patience, 10) {
        steps += 1;
    }
    assert!(steps > 10, "no step looked at everything");
    let totals = world.swarms.totals();
    assert_eq!((totals.torrents, totals.peers_v4, totals.peers_v6), (51, 0, 50), "torrents told of are kept");
    while !world.swarms.expire(at(1_000), patience, 10) {}
    assert_eq!(world.swarms.totals().torrents, 1);
    assert!(world.swarms.scrape(hash(200)).is_some());
}

fn own(external_v4: Option<Ipv4Addr>) -> OwnSeeder {
    OwnSeeder { port: 7_000, peer_id: id(999), external_v4, external_v6: None }
}

#[test]
fn our_own_seeder_comes_first_at_the_address_that_reached_us() {
    let mut world = World::new(ROOMY);
    world.swarms.add(hash(1), Some(own(None)));
    for number in 0..300 {
        world.send(at(0), &announce(v4(number), number)).expect("answered");
    }
    let reached: SocketAddr = "198.51.100.1:7000".parse().expect("an address");
    assert_eq!((world.peers()[0], world.peers().len()), (reached, 50));
    let answer = world.send(at(0), &Announce { seeder: true, ..announce(v4(7), 7) }).expect("answered");
    assert_eq!(answer.seeders, 2);
    assert!(world.peers().contains(&reached), "it may know the magnet link alone");
    let by_v6 = Announce { reached_at: Ipv6Addr::LOCALHOST.into(), ..announce(v6(1), 400) };
    world.send(at(0), &by_v6).expect("answered");
    assert!(world.peers().contains(&"[::1]:7000".parse().expect("an address")));
}

#[test]
fn our_own_seeder_is_listed_at_its_external_address() {
    let mut world = World::new(ROOMY);
    let external = Ipv4Addr::new(192, 0, 2, 77);
    let outside = SocketAddr::new(external.into(), 7_000);
    world.swarms.add(hash(1), Some(own(Some(external))));
    world.send(at(0), &announce(v4(1), 1)).expect("answered");
    assert_eq!(world.peers(), [outside]);
    // a neighbour also gets the address inside, because many routers do not let it in through the outside one
    let neighbour = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 2).into(), 6881);
    let inside = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let ask = Announce { reached_at: inside, ..announce(neighbour, 2) };
    world.send(at(0), &ask).expect("answered");
    assert_eq!(world.peers(), [outside, SocketAddr::new(inside, 7_000), v4(1)]);
    world.send(at(0), &Announce { want: Want { v4: 1, v6: 0 }, ..ask }).expect("answered");
    assert_eq!(world.peers(), [outside]);
    world.send(at(0), &Announce { want: Want { v4: 0, v6: 0 }, ..ask }).expect("answered");
    assert_eq!(world.peers(), []);
}

#[test]
fn peer_ids_come_in_the_order_of_the_addresses() {
    let mut world = World::new(ROOMY);
    world.sample.ids = Some(Vec::new());
    for number in 0..60 {
        world.send(at(0), &announce(if number % 2 == 0 { v4(number) } else { v6(number) }, number)).expect("answered");
    }
    world.send(at(0), &announce(v4(500), 500)).expect("answered");
    let ids = world.sample.ids.clone().expect("asked for");
    assert_eq!(ids.len(), 60);
    for (peer, peer_id) in world.peers().into_iter().zip(ids) {
        let number = u16::from_be_bytes([peer_id.0[18], peer_id.0[19]]);
        assert_eq!(peer, if number.is_multiple_of(2) { v4(number) } else { v6(number) });
    }
}

/// A peer as the oracle keeps it.
#[derive(Clone, Copy)]
struct Known {
    key: u16,
    seeder: bool,
    heard_s: u64,
}

/// The plainest tracker there is.
#[derive(Default)]
struct Oracle {
    torrents: BTreeMap<InfoHash, (BTreeMap<SocketAddr, Known>, u32)>,
}

impl Oracle {
    fn announce(&mut self, now_s: u64, announce: &Announce) -> (Answer, BTreeMap<SocketAddr, bool>) {
        if announce.event == Event::Stopped && !self.torrents.contains_key(&announce.info_hash) {
            return Default::default();
        }
        let (peers, downloaded) = self.torrents.entry(announce.info_hash).or_default();
        let before = peers.get(&announce.peer).copied();
        if announce.event == Event::Stopped {
            if before.is_some_and(|peer| peer.key == announce.key) {
                peers.remove(&announce.peer);
            }
        } else {
            let finished = announce.event == Event::Completed && announce.seeder;
            *downloaded += u32::from(finished && !before.is_some_and(|peer| peer.seeder));
            peers.insert(announce.peer, Known { key: announce.key, seeder: announce.seeder, heard_s: now_s });
        }
        let wanted =
            |(address, _): &(&SocketAddr, &Known)| announce.event != Event::Stopped && **address != announce.peer;
        let others = peers.iter().filter(wanted).map(|(address, peer)| (*address, peer.seeder)).collect();
        (self.scrape(announce.info_hash).unwrap_or_default(), others)
    }

    fn scrape(&self, info_hash: InfoHash) -> Option<Answer> {
        let (peers, downloaded) = self.torrents.get(&info_hash)?;
        let seeders = u32::try_from(peers.values().filter(|peer| peer.seeder).count()).expect("few");
        let leechers = u32::try_from(peers.len()).expect("few") - seeders;
        Some(Answer { seeders, leechers, downloaded: *downloaded, unlisted: false })
    }

    fn expire(&mut self, cutoff_s: u64) {
        self.torrents.values_mut().for_each(|(peers, _)| peers.retain(|_, peer| peer.heard_s >= cutoff_s));
        self.torrents.retain(|_, (peers, _)| !peers.is_empty());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Announce { torrent: u8, peer: u16, six: bool, key: u16, event: Event, seeder: bool, want: usize },
    Wait(u64),
    Expire,
    Forget(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let event = prop_oneof![
        6 => Just(Event::Update), 3 => Just(Event::Started), 3 => Just(Event::Stopped), 3 => Just(Event::Completed)
    ];
    let announce = (0u8..3, 0u16..90, any::<bool>(), 0u16..2, event, any::<bool>(), 0usize..60).prop_map(
        |(torrent, peer, six, key, event, seeder, want)| Step::Announce {
            torrent,
            peer,
            six,
            key,
            event,
            seeder,
            want,
        },
    );
    prop_oneof![60 => announce, 3 => (0u64..40).prop_map(Step::Wait), 1 => Just(Step::Expire), 1 => (0u8..3).prop_map(Step::Forget)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Swarms grow past the size where they get a table, shrink under it again, expire, vanish and come back.
    #[test]
    fn behaves_like_the_plainest_tracker(steps in prop::collection::vec(step(), 1..900), seed in any::<u64>()) {
        let mut world = World::new(ROOMY);
        world.rng = fastrand::Rng::with_seed(seed);
        let mut oracle = Oracle::default();
        let mut now_s = 1_000;
        for step in steps {
            match step {
                Step::Announce { torrent, peer, six, key, event, seeder, want } => {
                    let peer = if six { v6(peer) } else { v4(peer) };
                    let want = Want { v4: want, v6: want };
                    let announce = Announce { info_hash: hash(torrent), event, seeder, want, ..announce(peer, key) };
                    let answer = world.send(at(now_s), &announce).expect("an open tracker answers");
                    let (expected, others) = oracle.announce(now_s, &announce);
                    prop_assert_eq!(answer, expected);
                    let picked = world.peers();
                    let distinct = BTreeSet::from_iter(picked.iter().copied());
                    prop_assert_eq!(distinct.len(), picked.len());
                    prop_assert!(distinct.iter().all(|peer| others.contains_key(peer)));
                    for v4 in [true, false] {
                        let of = |complete| others.iter().filter(|(peer, is)| peer.is_ipv4() == v4 && **is == complete).count();
                        let given = |complete| picked.iter().filter(|peer| peer.is_ipv4() == v4 && others[*peer] == complete).count();
                        if seeder {
                            let leechers = of(false).min(want.v4);
                            prop_assert_eq!(given(false), leechers);
                            prop_assert_eq!(given(true), of(true).min(want.v4 - leechers).min(3));
                        } else {
                            prop_assert_eq!(given(false) + given(true), (of(false) + of(true)).min(want.v4));
                        }
                    }
                }
                Step::Wait(seconds) => now_s += seconds,
                Step::Expire => {
                    while !world.swarms.expire(at(now_s), Duration::from_secs(60), 16) {}
                    oracle.expire(now_s - 60);
                }
                Step::Forget(torrent) => {
                    let known = oracle.torrents.remove(&hash(torrent)).is_some();
                    prop_assert_eq!(world.swarms.remove(hash(torrent)), known);
                }
            }
            for torrent in 0..3 {
                prop_assert_eq!(world.swarms.scrape(hash(torrent)), oracle.scrape(hash(torrent)));
            }
            let totals = world.swarms.totals();
            let listed: usize = oracle.torrents.values().map(|(peers, _)| peers.len()).sum();
            prop_assert_eq!(totals.peers_v4 + totals.peers_v6, listed);
        }
    }
}
