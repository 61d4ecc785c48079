//! One connection's queue of requests, and its rules: `cargo bench --bench peer`.
//!
//! Counted in requests, at the 128 that a busy client keeps waiting and at the 2,000 that a queue holds. A chunk of 16
//! blocks goes out every 15 microseconds; a cancel searches the queue, so its worst case is the one to watch.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sower::ids::{BlockRef, InfoHash, PeerId, PieceIndex};
use sower::limits::{BLOCK, CHUNK, REQUESTS_PER_PEER};
use sower::metainfo::Geometry;
use sower::peer::{Identity, Peer, Pieces, Requests, Torrent};
use sower::wire::{Handshake, Message, Reserved, decode};

const DEPTHS: [usize; 2] = [128, REQUESTS_PER_PEER];
const CHUNK_BLOCKS: usize = (CHUNK / BLOCK) as usize;

fn block(number: usize) -> BlockRef {
    let number = u32::try_from(number).expect("few");
    BlockRef { piece: PieceIndex(number / 16), begin: number % 16 * BLOCK, length: BLOCK }
}

fn queue_of(depth: usize) -> Requests {
    let mut requests = Requests::default();
    (0..depth).for_each(|number| assert!(requests.push(block(number))));
    requests
}

fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    for depth in DEPTHS {
        let (mut requests, mut out) = (queue_of(depth), Vec::with_capacity(CHUNK_BLOCKS));
        group.throughput(Throughput::Elements(CHUNK_BLOCKS as u64));
        group.bench_function(BenchmarkId::new("take a chunk and push as much", depth), |bencher| {
            bencher.iter(|| {
                out.clear();
                requests.take(CHUNK_BLOCKS, CHUNK.into(), &mut out);
                out.iter().for_each(|block| assert!(requests.push(black_box(*block))));
            });
        });
        group.bench_function(BenchmarkId::new("take a chunk and put it back", depth), |bencher| {
            bencher.iter(|| {
                out.clear();
                requests.take(CHUNK_BLOCKS, CHUNK.into(), &mut out);
                requests.put_back(black_box(&out));
            });
        });
        cancels(&mut group, depth);
    }
    group.finish();
}

/// Empties a full queue by cancels, in three orders.
fn cancels(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, depth: usize) {
    let oldest_first: Vec<BlockRef> = (0..depth).map(block).collect();
    let newest_first: Vec<BlockRef> = oldest_first.iter().rev().copied().collect();
    let mut random = oldest_first.clone();
    fastrand::Rng::with_seed(1).shuffle(&mut random);
    group.throughput(Throughput::Elements(depth as u64));
    for (order, blocks) in [("oldest first", oldest_first), ("newest first", newest_first), ("at random", random)] {
        group.bench_function(BenchmarkId::new(format!("cancel all, {order}"), depth), |bencher| {
            let cancel = |requests: &mut Requests| blocks.iter().for_each(|block| assert!(requests.cancel(*block)));
            bencher.iter_batched_ref(|| queue_of(depth), cancel, BatchSize::SmallInput);
        });
    }
}

/// What a seed does with a receive buffer of requests before anything is sent: decode, check, queue.
fn requests(criterion: &mut Criterion) {
    let geometry = Geometry::new(CHUNK, [(1 << 30, false)]).expect("valid");
    let torrent = Torrent { info_hash: InfoHash([1; 20]), geometry, info: vec![0; 100].into(), private: false };
    let identity = Arc::new(Identity { peer_id: PeerId([2; 20]), client: "bench".to_owned(), port: 1 });
    let theirs = Handshake { reserved: Reserved::OURS, info_hash: torrent.info_hash, peer_id: PeerId([3; 20]) };
    let mut out = Vec::new();
    let mut peer = Peer::new(&theirs, IpAddr::V4(Ipv4Addr::LOCALHOST), &torrent, &Pieces::All, &identity, &mut out);
    peer.handle(Message::Interested, &torrent, &Pieces::All, &mut out).expect("a valid message");
    peer.unchoke(&mut out);
    let mut received = Vec::new();
    (0..CHUNK_BLOCKS).for_each(|number| Message::Request(block(number)).encode(&mut received));
    let (bounds, mut blocks) = (Peer::bounds(&torrent, 0), Vec::with_capacity(CHUNK_BLOCKS));

    let mut group = criterion.benchmark_group("requests");
    group.throughput(Throughput::Elements(CHUNK_BLOCKS as u64));
    group.bench_function("decode, queue and take a chunk's", |bencher| {
        bencher.iter(|| {
            let mut input = &black_box(&received)[..];
            while let Ok(Some((message, length))) = decode(input, bounds) {
                peer.handle(message, &torrent, &Pieces::All, &mut out).expect("a valid request");
                input = &input[length..];
            }
            blocks.clear();
            peer.requests().take(CHUNK_BLOCKS, CHUNK.into(), &mut blocks);
            assert_eq!(blocks.len(), CHUNK_BLOCKS);
        });
    });
    group.finish();
}

criterion_group!(benches, queue, requests);
criterion_main!(benches);
