//! A whole reactor on loopback, from request to chunk: each sending path on each driver, 1 and 50 peers that keep 128
//! requests waiting, payload in the page cache, cubic. `cargo bench --bench reactor`; counted in bytes of payload, in
//! wall-clock time, with the reactor on one core and all peers on another.
//!
//! The peers speak the protocol until they are unchoked; from then on they drop what comes unread (MSG_TRUNC) and only
//! count it: 16 requests go out for each 16 blocks that came in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustix::net::RecvFlags;
use sower::ids::{BlockRef, InfoHash, PeerId, PieceIndex, TorrentId};
use sower::limits::{BLOCK, CHUNK};
use sower::peer::{Identity, Torrent};
use sower::reactor::driver::{DriverConfig, probe};
use sower::reactor::sockets::Options;
use sower::reactor::{Admission, Command, Reactor, ReactorConfig, Serving, Spread, Wanted, start};
use sower::schedule::Slots;
use sower::shard::Config;
use sower::transmit::SendMode;
use sower::wire::{Bounds, Handshake, Message, PIECE_HEADER, Reserved, decode};

mod content;
mod loopback;
use content::Content;
use loopback::{MEASURED, OTHER, connect, listen, pin};

const INFO_HASH: InfoHash = InfoHash([1; 20]);
const CHUNK_BLOCKS: u32 = CHUNK / BLOCK;
/// Bytes of a chunk with its blocks' headers.
const FRAMED_CHUNK: u64 = (CHUNK_BLOCKS * BLOCK) as u64 + CHUNK_BLOCKS as u64 * PIECE_HEADER as u64;
/// Chunks that each peer keeps asked for: 128 requests.
const PIPELINE: u64 = 8;

struct Seeder {
    reactor: Reactor,
    address: SocketAddr,
}

impl Seeder {
    fn new(ring: bool, send: SendMode, content: &Content) -> Seeder {
        let (listener, address) = listen();
        listener.set_nonblocking(true).expect("a socket");
        // the peers' ids are their numbers: who comes with ours is refused as ourselves
        let identity = Identity { peer_id: PeerId([255; 20]), client: "bench".to_owned(), port: address.port() };
        let shard = Config {
            identity: Arc::new(identity),
            slots: Slots::Unlimited,
            connections_max: 1_000,
            peer_rate: None,
            seed: 1,
        };
        pin(MEASURED);
        let reactor = start(ReactorConfig {
            number: 0,
            ring,
            send,
            listeners: vec![listener.into()],
            options: Options::default(),
            sizes: DriverConfig::default(),
            shard,
            admission: Arc::new(Admission::new(1_000, (1, 2))),
            spread: Spread::new(1),
            wanted: Wanted::new(),
        });
        pin(OTHER);
        let (info, geometry) = (vec![0; 100].into(), content.geometry());
        let torrent = Arc::new(Torrent { info_hash: INFO_HASH, geometry, info, private: false });
        let reactor = reactor.expect("a reactor");
        let serving = Serving::new(torrent, content.payload());
        let add = Command::Add { id: TorrentId(1), serving, slots: 0, download: None };
        assert!(reactor.mailbox().send(add).is_ok(), "the mailbox has room");
        Seeder { reactor, address }
    }
}

impl Drop for Seeder {
    fn drop(&mut self) {
        self.reactor.stop().expect("it ran until told to stop");
    }
}

/// One downloader.
struct Peer {
    stream: TcpStream,
    next: u32,
    /// Bytes asked for that have not come.
    owed: u64,
}

impl Peer {
    /// An unchoked connection; tried again while the reactor does not know the torrent yet.
    fn new(address: SocketAddr, number: u8, pieces: u32) -> Peer {
        let greeted = (0..10_000).find_map(|_| Peer::greet(connect(address), number, pieces).ok());
        Peer { stream: greeted.expect("it knows the torrent by now"), next: u32::from(number) * 61 % pieces, owed: 0 }
    }

    fn greet(mut stream: TcpStream, number: u8, pieces: u32) -> std::io::Result<TcpStream> {
        let mut bytes = Vec::new();
        let peer_id = PeerId([number; 20]);
        Handshake { reserved: Reserved::OURS, info_hash: INFO_HASH, peer_id }.encode(&mut bytes);
        Message::Interested.encode(&mut bytes);
        stream.write_all(&bytes)?;
        stream.read_exact(&mut [0; Handshake::LENGTH])?;
        let bounds = Bounds { bitfield: pieces.div_ceil(8) as usize, block: 0 };
        let mut input = Vec::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            input.extend_from_slice(&byte);
            if let Some((message, _)) = decode(&input, bounds).expect("valid messages") {
                if message == Message::Unchoke {
                    return Ok(stream);
                }
                input.clear();
            }
        }
    }

    /// Asks for its next piece, which is one chunk.
    fn ask(&mut self, pieces: u32, requests: &mut Vec<u8>) {
        requests.clear();
        for number in 0..CHUNK_BLOCKS {
            let block = BlockRef { piece: PieceIndex(self.next), begin: number * BLOCK, length: BLOCK };
            Message::Request(block).encode(requests);
        }
        self.stream.write_all(requests).expect("the reactor reads");
        self.next = (self.next + 1) % pieces;
        self.owed += FRAMED_CHUNK;
    }
}

struct Swarm {
    peers: Vec<Peer>,
    pieces: u32,
    requests: Vec<u8>,
    /// Never written: with MSG_TRUNC the kernel drops the bytes.
    nothing: Vec<u8>,
}

impl Swarm {
    fn new(seeder: &Seeder, peers: u8, pieces: u32) -> Swarm {
        let peers = (0..peers).map(|number| Peer::new(seeder.address, number, pieces)).collect();
        Swarm { peers, pieces, requests: Vec::new(), nothing: vec![0; 1 << 20] }
    }

    /// Downloads `chunks` in all, and returns when the last byte is there.
    fn run(&mut self, mut chunks: u64) {
        loop {
            let mut owed = false;
            for peer in &mut self.peers {
                while chunks > 0 && peer.owed <= (PIPELINE - 1) * FRAMED_CHUNK {
                    peer.ask(self.pieces, &mut self.requests);
                    chunks -= 1;
                }
                if peer.owed > 0 {
                    owed = true;
                    // it spins: a receiver that sleeps would have the sender wake it for every segment
                    let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
                    let received = rustix::net::recv(&peer.stream, &mut *self.nothing, flags);
                    let bytes = received.map_or(0, |(_, bytes)| bytes as u64);
                    assert!(received != Ok((0, 0)), "the reactor closed a connection");
                    peer.owed = peer.owed.checked_sub(bytes).expect("nothing comes unasked");
                }
            }
            if !owed {
                return;
            }
        }
    }
}

fn chunks(criterion: &mut Criterion) {
    let content = Content::new();
    let pieces = content.geometry().pieces();
    let mut group = criterion.benchmark_group("reactor, a chunk of 256 KiB");
    group.throughput(Throughput::Bytes(CHUNK.into())).measurement_time(Duration::from_secs(3)).sample_size(20);
    for ring in [true, false] {
        let driver = if ring { "io_uring" } else { "epoll" };
        if let (true, Err(refused)) = (ring, probe()) {
            eprintln!("without io_uring: {refused}");
            continue;
        }
        for mode in [SendMode::Splice, SendMode::Copy, SendMode::ZeroCopy] {
            for peers in [1, 50] {
                let seeder = Seeder::new(ring, mode, &content);
                let mut swarm = Swarm::new(&seeder, peers, pieces);
                group.bench_function(format!("{driver}, {mode}, {peers} peers"), |bencher| {
                    bencher.iter_custom(|count| {
                        let start = Instant::now();
                        swarm.run(count);
                        start.elapsed()
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, chunks);
criterion_main!(benches);
