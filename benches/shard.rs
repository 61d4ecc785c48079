//! What torrents cost a reactor that nobody asks for: `cargo bench --bench shard`.
//!
//! Once a second a reactor ticks and tells everything there is to tell. Both are to take some tens of microseconds, however many
//! torrents sleep: what only a few thousand live ones may cost is visible in the last line of each group.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sower::clock::Time;
use sower::ids::{InfoHash, PeerId, TorrentId};
use sower::metainfo::Geometry;
use sower::peer::{Identity, Torrent};
use sower::schedule::Slots;
use sower::shard::{Config, Shard};
use sower::wire::{Handshake, Message, Reserved};

/// Torrents that sleep, that are served, and peers of these.
const WORLDS: [(u32, u32, u32); 4] = [(0, 100, 1_000), (10_000, 100, 1_000), (100_000, 100, 1_000), (0, 10_000, 1_000)];
/// What a snapshot has room for.
const PEERS_SHOWN: usize = 1_000;
const START: Time = Time(1_000_000_000);

fn info_hash(number: u32) -> InfoHash {
    let mut hash = [7; 20];
    hash[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    InfoHash(hash)
}

/// A gigabyte in 1,024 pieces.
fn torrent(number: u32) -> Arc<Torrent> {
    let geometry = Geometry::new(1 << 20, [(1 << 30, false)]).expect("valid");
    Arc::new(Torrent { info_hash: info_hash(number), geometry, info: vec![0; 20_600].into(), private: false })
}

fn shard(dormant: u32, live: u32, peers: u32) -> Shard {
    let identity = Identity { peer_id: PeerId([3; 20]), client: "sower".to_owned(), port: 6881 };
    let (slots, connections_max) = (Slots::Auto, 100_000);
    let config = Config { identity: Arc::new(identity), slots, connections_max, peer_rate: None, seed: 1 };
    let mut shard = Shard::new(config, START);
    let known: Vec<(InfoHash, TorrentId)> = (live..live + dormant).map(|n| (info_hash(n), TorrentId(n))).collect();
    shard.know(&known, false);
    (0..live).for_each(|number| assert!(shard.add(TorrentId(number), torrent(number), 4)));
    for number in 0..peers {
        let [_, b, c, d] = number.to_be_bytes();
        let key = shard.accept(SocketAddr::from(([10, b, c, d], 6881)), START).expect("there is room");
        let mut peer_id = [1; 20];
        peer_id[..4].copy_from_slice(&number.to_be_bytes());
        let (info_hash, peer_id, mut said) = (info_hash(number % live), PeerId(peer_id), Vec::new());
        Handshake { reserved: Reserved::OURS, info_hash, peer_id }.encode(&mut said);
        [Message::HaveNone, Message::Interested].iter().for_each(|message| message.encode(&mut said));
        shard.received(key, &said, START);
        hand_out(&mut shard);
    }
    shard
}

fn hand_out(shard: &mut Shard) {
    while let Some(key) = shard.next_output() {
        shard.take_output(key, START, &mut Vec::new());
    }
}

fn each_second(criterion: &mut Criterion) {
    for (dormant, live, peers) in WORLDS {
        let (mut shard, mut now) = (shard(dormant, live, peers), START);
        let name = format!("{dormant} asleep, {live} served, {peers} peers");
        criterion.bench_function(&format!("tell/{name}"), |bencher| {
            bencher.iter(|| black_box((shard.torrents(), shard.peers(PEERS_SHOWN, now), shard.census())));
        });
        criterion.bench_function(&format!("tick/{name}"), |bencher| {
            bencher.iter(|| {
                now = now + Duration::from_secs(1);
                shard.tick(now, 100);
                hand_out(&mut shard);
            });
        });
    }
}

fn sleep_and_wake(criterion: &mut Criterion) {
    let mut shard = shard(10_000, 100, 0);
    let torrent = torrent(5_000);
    criterion.bench_function("a torrent wakes and sleeps", |bencher| {
        bencher.iter(|| {
            assert!(shard.add(TorrentId(5_000), torrent.clone(), 4) && shard.sleep(TorrentId(5_000)));
            shard.next_ended()
        });
    });
}

criterion_group!(benches, each_second, sleep_and_wake);
criterion_main!(benches);
