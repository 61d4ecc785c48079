//! The tracker's computation without sockets: `cargo bench --bench tracker`.
//!
//! Swarms sizes are those that matter: most torrents have a handful of peers, few have thousands.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sower::clock::Time;
use sower::ids::{InfoHash, PeerId};
use sower::tracker::swarm::{Announce, Bounds, Event, Sample, Swarms, Want};

const BOUNDS: Bounds = Bounds { torrents: 1 << 20, peers_per_torrent: 1 << 17, peers: 1 << 22, open: true };

fn announce(torrent: u32, client: u32) -> Announce {
    let mut info_hash = [0; 20];
    info_hash[..4].copy_from_slice(&torrent.to_be_bytes());
    let peer = SocketAddr::new(Ipv4Addr::from(0x0b00_0000 + client).into(), 6881);
    Announce {
        info_hash: InfoHash(info_hash),
        peer,
        reached_at: IpAddr::V4(Ipv4Addr::LOCALHOST),
        peer_id: PeerId([7; 20]),
        key: 7,
        event: Event::Update,
        seeder: client.is_multiple_of(5),
        want: Want { v4: 50, v6: 0 },
    }
}

fn filled(torrents: u32, peers: u32, rng: &mut fastrand::Rng) -> Swarms {
    // a run of one iteration, to see that all works, need not take seconds to prepare
    let once = std::env::args().any(|word| word == "--test") || std::env::args().all(|word| word != "--bench");
    let (torrents, peers) = if once { (torrents.min(10), peers.min(100)) } else { (torrents, peers) };
    let mut swarms = Swarms::new(BOUNDS, [7; 16]);
    let mut sample = Sample::default();
    for torrent in 0..torrents {
        for client in 0..peers {
            swarms.announce(Time(0), &announce(torrent, client), rng, &mut sample).expect("an open tracker answers");
        }
    }
    swarms
}

/// A listed peer announces again and is given 50 others; torrents and peers at random.
fn announces(c: &mut Criterion) {
    let mut group = c.benchmark_group("announce");
    group.throughput(Throughput::Elements(1));
    for (torrents, peers) in [(10_000, 5), (10_000, 50), (1_000, 1_000), (10, 100_000)] {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut swarms = filled(torrents, peers, &mut rng);
        let mut sample = Sample::default();
        let name = BenchmarkId::from_parameter(format!("{torrents} torrents of {peers} peers"));
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let announce = announce(rng.u32(..torrents), rng.u32(..peers));
                let answer = swarms.announce(Time(0), &announce, &mut rng, &mut sample);
                black_box(answer.is_ok());
                black_box(&sample);
            });
        });
    }
    group.finish();
}

/// A peer comes and leaves again.
fn coming_and_going(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut swarms = filled(10_000, 50, &mut rng);
    let mut sample = Sample::default();
    c.bench_function("started and stopped", |bench| {
        bench.iter(|| {
            let started = Announce { event: Event::Started, ..announce(rng.u32(..10_000), 1_000) };
            let stopped = Announce { event: Event::Stopped, ..started };
            black_box(swarms.announce(Time(0), &started, &mut rng, &mut sample).is_ok());
            black_box(swarms.announce(Time(0), &stopped, &mut rng, &mut sample).is_ok());
        });
    });
}

/// One step of expiry over peers that are all alive.
fn expiry(c: &mut Criterion) {
    let mut swarms = filled(10_000, 50, &mut fastrand::Rng::with_seed(1));
    c.bench_function("expiry step of 8,192 peers", |bench| {
        bench.iter(|| black_box(swarms.expire(Time(1), Duration::from_secs(60), 8_192)));
    });
}

fn scrapes(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(1);
    let swarms = filled(10_000, 5, &mut rng);
    c.bench_function("scrape", |bench| {
        bench.iter(|| black_box(swarms.scrape(announce(rng.u32(..10_000), 0).info_hash)));
    });
}

criterion_group!(benches, announces, coming_and_going, expiry, scrapes);
criterion_main!(benches);
