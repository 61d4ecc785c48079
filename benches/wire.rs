//! Messages from bytes and back: `cargo bench --bench wire`.
//!
//! Counted in messages, a block's data in bytes. What it has to fit in: 16 requests come in and one chunk of 16 blocks
//! goes out every 15 microseconds, so a message may cost some tens of nanoseconds.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sower::ids::{BlockRef, InfoHash, PeerId, PieceIndex};
use sower::limits::BLOCK;
use sower::wire::{Bounds, Handshake, Message, Reserved, decode, piece_header};

/// Bytes of one receive buffer.
const RECEIVED: usize = 4_096;
const PIECES: u32 = 16_384;
const BOUNDS: Bounds = Bounds { bitfield: PIECES as usize / 8, block: BLOCK as usize };

/// As many as one receive buffer holds.
fn buffer_of(message: impl Fn(u32) -> Message<'static>) -> (u64, Vec<u8>) {
    let (mut count, mut bytes) = (0, Vec::new());
    loop {
        let before = bytes.len();
        message(count).encode(&mut bytes);
        if bytes.len() > RECEIVED {
            bytes.truncate(before);
            return (count.into(), bytes);
        }
        count += 1;
    }
}

fn block(number: u32) -> BlockRef {
    BlockRef { piece: PieceIndex(number / 16 % PIECES), begin: number % 16 * BLOCK, length: BLOCK }
}

fn decode_all(mut input: &[u8]) -> u32 {
    let mut count = 0;
    while let Ok(Some((message, length))) = decode(input, BOUNDS) {
        black_box(message);
        input = &input[length..];
        count += 1;
    }
    count
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, (count, bytes)) in [
        ("requests", buffer_of(|number| Message::Request(block(number)))),
        ("haves", buffer_of(|number| Message::Have(PieceIndex(number)))),
    ] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(name, |bencher| bencher.iter(|| decode_all(black_box(&bytes))));
    }
    let (data, bits) = (vec![7; BLOCK as usize], vec![7; BOUNDS.bitfield]);
    for (name, message) in [
        ("a block of 16 KiB", Message::Piece { piece: PieceIndex(3), begin: 0, data: &data }),
        ("a bitfield of 16,384 pieces", Message::Bitfield(&bits)),
    ] {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| decode_all(black_box(&bytes))));
    }
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let mut out = Vec::with_capacity(2 * RECEIVED);
    group.throughput(Throughput::Elements(16));
    group.bench_function("requests", |bencher| {
        bencher.iter(|| {
            out.clear();
            (0..16).for_each(|number| Message::Request(black_box(block(number))).encode(&mut out));
        });
    });
    group.bench_function("haves", |bencher| {
        bencher.iter(|| {
            out.clear();
            (0..16).for_each(|number| Message::Have(black_box(PieceIndex(number))).encode(&mut out));
        });
    });
    group.bench_function("headers of a chunk's blocks", |bencher| {
        bencher.iter(|| {
            for number in 0..16 {
                black_box(piece_header(black_box(block(number))));
            }
        });
    });
    group.finish();
}

fn handshakes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake");
    let ours = Handshake { reserved: Reserved::OURS, info_hash: InfoHash([7; 20]), peer_id: PeerId([9; 20]) };
    let mut bytes = Vec::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode and decode", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            black_box(&ours).encode(&mut bytes);
            Handshake::decode(&bytes)
        });
    });
    group.finish();
}

criterion_group!(benches, decoding, encoding, handshakes);
criterion_main!(benches);
