//! The scheduler's decisions at 10, 1,000 and 100,000 peers: `cargo bench --bench schedule`.
//!
//! What they have to fit in: a reactor sends a chunk in 15 to 20 microseconds, so a turn with its pacing may cost some
//! tens of nanoseconds, a have the same, and a choker round, every ten seconds, a few milliseconds.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use sower::clock::Time;
use sower::ids::{BlockRef, PeerKey, PieceIndex, TorrentId};
use sower::limits::{BLOCK, CHUNK};
use sower::schedule::picker::{Holds, Manner, Picker, Received, Shape};
use sower::schedule::{Candidate, Choker, Decisions, Occasion, Pacer, Rarity, Turns};

const PEERS: [u32; 3] = [10, 1_000, 100_000];
const PIECES: u32 = 16_384;
const NOW: Time = Time(1_000_000_000);

/// Half of them of a torrent that we download, half of one that we seed; a third holds slots.
fn candidates(count: u32) -> Vec<Candidate> {
    let mut random = Rng::with_seed(1);
    let any = |slot: u32| Candidate {
        key: PeerKey { slot, generation: 0 },
        interested: random.u8(..) > 20,
        upload_only: random.u8(..) < 20,
        unchoked: random.u8(..) < 85,
        since: Time(random.u64(900_000_000..1_000_000_000)),
        connected_at: Time(random.u64(0..900_000_000)),
        optimistic_since: None,
        downloading: random.bool(),
        snubbed: random.u8(..) < 10,
        requesting: random.bool(),
        received_rate: random.u64(..1 << 24),
        sent_rate: random.u64(..1 << 24),
        sent: random.u64(..1 << 32),
        torrent_size: 1 << 30,
    };
    (0..count).map(any).collect()
}

fn choker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choker");
    for count in PEERS {
        let candidates = candidates(count);
        let (mut choker, mut decisions, mut random) = (Choker::new(), Decisions::default(), Rng::with_seed(2));
        group.throughput(Throughput::Elements(count.into()));
        for (name, occasion) in [("round", Occasion::Round), ("between", Occasion::Between)] {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    choker.decide(occasion, NOW, count / 2, black_box(&candidates), &mut random, &mut decisions);
                    decisions.open
                });
            });
        }
    }
    group.finish();
}

/// The index of a torrent whose peers have got further or less far.
fn rarity_of(peers: u32) -> Rarity {
    // a run of one iteration, to see that all works, need not take seconds to prepare
    let once = std::env::args().any(|word| word == "--test") || std::env::args().all(|word| word != "--bench");
    let peers = if once { peers.min(100) } else { peers };
    let mut random = Rng::with_seed(3);
    let mut rarity = Rarity::new(PIECES, &mut random);
    let mut bitfield = vec![0; PIECES as usize / 8];
    for _ in 0..peers {
        let mask = random.u8(..);
        bitfield.fill_with(|| random.u8(..) & mask);
        rarity.joined(&bitfield);
    }
    rarity
}

fn rarity(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rarity");
    let mut random = Rng::with_seed(4);
    let haves: Vec<PieceIndex> = (0..4_096).map(|_| PieceIndex(random.u32(..PIECES))).collect();
    let half: Vec<u8> = (0..PIECES / 8).map(|_| random.u8(..)).collect();
    for count in PEERS {
        let mut rarity = rarity_of(count);
        group.throughput(Throughput::Elements(haves.len() as u64));
        group.bench_function(BenchmarkId::new("have", count), |bencher| {
            let act = |rarity: &mut Rarity| haves.iter().for_each(|&piece| rarity.have(piece));
            bencher.iter_batched_ref(|| rarity.clone(), act, BatchSize::LargeInput);
        });
        group.throughput(Throughput::Elements(u64::from(PIECES)));
        group.bench_function(BenchmarkId::new("join and leave with half of the pieces", count), |bencher| {
            bencher.iter(|| {
                rarity.joined(black_box(&half));
                rarity.left(black_box(&half));
            });
        });
        group.throughput(Throughput::Elements(10));
        group.bench_function(BenchmarkId::new("ten rarest even pieces", count), |bencher| {
            bencher.iter(|| rarity.rarest_first(&mut random).filter(|piece| piece.0 % 2 == 0).take(10).last());
        });
    }
    group.finish();
}

fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turns");
    for count in PEERS {
        let mut turns = Turns::new(count as usize);
        (0..count).for_each(|slot| turns.ready(slot));
        group.bench_function(BenchmarkId::new("next and spent", count), |bencher| {
            bencher.iter(|| {
                let turn = turns.next().expect("everybody waits");
                turns.spent(turn.slot, black_box(CHUNK));
            });
        });
        let mut random = Rng::with_seed(5);
        group.bench_function(BenchmarkId::new("park and ready", count), |bencher| {
            bencher.iter(|| {
                let slot = random.u32(..count);
                turns.park(slot);
                turns.ready(slot);
            });
        });
    }
    group.finish();
}

/// A download of 100,000 pieces of 256 KiB from 1,000 peers, each with the pieces that its bitfield names.
#[derive(Clone)]
struct Download {
    picker: Picker,
    bits: Vec<Vec<u8>>,
    random: Rng,
    out: Vec<BlockRef>,
    next: usize,
}

const DOWNLOADED_PIECES: u32 = 100_000;

impl Download {
    fn new(bits: Vec<Vec<u8>>) -> Download {
        let mut random = Rng::with_seed(6);
        let mut picker = Picker::new(Shape::new(CHUNK, u64::from(DOWNLOADED_PIECES) * u64::from(CHUNK)), &mut random);
        (0..4).for_each(|piece| picker.had(PieceIndex(piece)));
        for (slot, bits) in (0..).zip(&bits) {
            let key = PeerKey { slot, generation: 0 };
            picker.joined(NOW, key, Holds::Bits(bits), Manner { requests_max: 16, whole_pieces: false });
            picker.unchoked(key);
        }
        Download { picker, bits, random, out: Vec::new(), next: 0 }
    }

    /// A chunk of blocks from the next peer that has some to give: asked for, received, its pieces verified.
    fn chunk(&mut self) {
        let slot = self.next % self.bits.len();
        self.next += 1;
        let key = PeerKey { slot: u32::try_from(slot).expect("few"), generation: 0 };
        while self.out.len() < (CHUNK / BLOCK) as usize {
            let before = self.out.len();
            self.picker.ask(NOW, key, Holds::Bits(&self.bits[slot]), &mut self.random, &mut self.out);
            for block in &self.out[before..] {
                if let Received::Complete { .. } = self.picker.received(NOW, key, *block) {
                    self.picker.verified(block.piece, &[]);
                }
            }
            if self.out.len() == before {
                break;
            }
        }
        self.out.clear();
    }
}

fn picker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("picker");
    let mut random = Rng::with_seed(7);
    let bytes = DOWNLOADED_PIECES as usize / 8;
    let mut at_random = || -> Vec<u8> { (0..bytes).map(|_| random.u8(..)).collect() };
    let half: Vec<Vec<u8>> = (0..1_000).map(|_| at_random()).collect();
    // one seed; everybody else has the same second half, so what is rarest is of no use with them
    let common: Vec<u8> = (0..bytes).map(|byte| if byte < bytes / 2 { 0 } else { 0xff }).collect();
    let mut skewed = vec![common; 999];
    skewed.push(vec![0xff; bytes]);
    group.throughput(Throughput::Elements((CHUNK / BLOCK).into()));
    for (name, bits) in [("half at random", half), ("the common half", skewed)] {
        let fresh = Download::new(bits);
        let act = |download: &mut Download| (0..100).for_each(|_| download.chunk());
        group.throughput(Throughput::Elements(100 * u64::from(CHUNK / BLOCK)));
        group.bench_function(BenchmarkId::new("ask and receive 100 chunks of blocks", name), |bencher| {
            bencher.iter_batched_ref(|| fresh.clone(), act, BatchSize::LargeInput);
        });
        let key = PeerKey { slot: 5_000, generation: 0 };
        let (mut download, bits) = (fresh.clone(), fresh.bits[0].clone());
        group.throughput(Throughput::Elements(u64::from(DOWNLOADED_PIECES / 2)));
        group.bench_function(BenchmarkId::new("join and leave", name), |bencher| {
            bencher.iter(|| {
                download.picker.joined(NOW, key, Holds::Bits(&bits), Manner { requests_max: 16, whole_pieces: false });
                download.picker.left(key, Holds::Bits(&bits));
            });
        });
    }
    group.finish();
}

fn pace(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pace");
    let mut limited = Pacer::new();
    limited.set_global(NOW, Some(1 << 34));
    limited.set_torrent(NOW, TorrentId(1), Some(1 << 33));
    limited.set_peer(NOW, 7, Some(1 << 32));
    for (name, mut pacer) in [("no limit", Pacer::new()), ("three limits", limited)] {
        let mut now = NOW;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                now = now + Duration::from_micros(15);
                let bytes = pacer.available(now, TorrentId(1), 7).min(CHUNK.into());
                pacer.take(now, TorrentId(1), 7, bytes);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, choker, rarity, picker, turns, pace);
criterion_main!(benches);
