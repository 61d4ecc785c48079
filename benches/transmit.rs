//! One core sends framed 256 KiB chunks over loopback, another discards them (MSG_TRUNC): each sending path, 1 and 50
//! connections, payload in the page cache, cubic. `cargo bench --bench transmit` takes wall-clock time; with `-- table` only
//! a table of GB for each second of the sender's processor time is printed, from seven alternating runs: that figure
//! stands on a machine that does other things too.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rustix::event::epoll;
use rustix::net::RecvFlags;
use sower::ids::{BlockRef, PieceIndex, TorrentId};
use sower::limits::{BLOCK, CHUNK};
use sower::storage::{Maps, Payload, Residency};
use sower::transmit::{Chunk, Outgoing, Progress, SendMode, Transmitter};

mod content;
mod loopback;
use content::Content;
use loopback::{MEASURED, OTHER, pin};

const MODES: [SendMode; 3] = [SendMode::Splice, SendMode::Copy, SendMode::ZeroCopy];

/// Discards what arrives on many connections.
struct Sink {
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    fn new(streams: Vec<TcpStream>) -> Sink {
        let (received, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        let thread = std::thread::spawn(move || discard(&streams, &count, &stopped));
        Sink { received, stop, thread: Some(thread) }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("joined once").join().expect("it does not panic");
    }
}

fn discard(streams: &[TcpStream], received: &AtomicU64, stop: &AtomicBool) {
    pin(OTHER);
    let ready = watch(streams, epoll::EventFlags::IN);
    // with MSG_TRUNC the kernel drops the bytes: the buffer is never written
    let mut nothing = vec![0; 1 << 20];
    let mut events: Vec<epoll::Event> = Vec::with_capacity(64);
    while !stop.load(Ordering::Relaxed) {
        events.clear();
        // it spins: a receiver that sleeps would have the sender wake it for every segment, which between two machines it
        // never does, and which in a virtual machine costs more than sending
        let none = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        let _ = epoll::wait(&ready, rustix::buffer::spare_capacity(&mut events), Some(&none));
        for event in &events {
            let stream = &streams[usize::try_from(event.data.u64()).expect("ours")];
            if let Ok((_, bytes)) = rustix::net::recv(stream, &mut *nothing, RecvFlags::TRUNC | RecvFlags::DONTWAIT) {
                received.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        }
    }
}

fn watch(streams: &[TcpStream], flags: epoll::EventFlags) -> rustix::fd::OwnedFd {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("descriptors");
    for (index, stream) in streams.iter().enumerate() {
        epoll::add(&set, stream, epoll::EventData::new_u64(index as u64), flags).expect("a socket");
    }
    set
}

/// Senders, and receivers at their other ends.
fn connections(count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let (listener, address) = loopback::listen();
    let pair = |_| {
        let ours = loopback::connect(address);
        ours.set_nonblocking(true).expect("a socket");
        let (theirs, _) = listener.accept().expect("just connected");
        (ours, theirs)
    };
    (0..count).map(pair).unzip()
}

struct Peer {
    outgoing: Outgoing,
    ready: bool,
    next: u32,
}

/// A seeder without its protocol: every connection always wants its next chunk.
struct Sender {
    transmitter: Transmitter,
    maps: Maps,
    residency: Residency,
    payload: Payload,
    pieces: u32,
    chunk: Chunk,
    streams: Vec<TcpStream>,
    peers: Vec<Peer>,
    writable: rustix::fd::OwnedFd,
    sink: Sink,
    sent: u64,
}

impl Sender {
    fn new(mode: SendMode, count: usize, content: &Content) -> Sender {
        let (streams, theirs) = connections(count);
        let pieces = content.geometry().pieces();
        let step = pieces * (CHUNK / BLOCK) / u32::try_from(count).expect("few");
        let peer = |index| Peer { outgoing: Outgoing::new(), ready: true, next: index * step };
        let writable = watch(&streams, epoll::EventFlags::OUT | epoll::EventFlags::ONESHOT);
        pin(MEASURED);
        Sender {
            transmitter: Transmitter::new(mode).expect("pipes"),
            maps: Maps::new().expect("memory"),
            residency: Residency::new(),
            payload: content.payload(),
            pieces,
            chunk: Chunk::new(),
            peers: (0..u32::try_from(count).expect("few")).map(peer).collect(),
            writable,
            streams,
            sink: Sink::new(theirs),
            sent: 0,
        }
    }

    /// Sends at least `bytes`, returns when all of what was sent has arrived.
    fn run(&mut self, bytes: u64) {
        let goal = self.sent + bytes;
        while self.sent < goal {
            let mut any = false;
            for index in 0..self.peers.len() {
                if self.peers[index].ready && self.sent < goal {
                    self.turn(index);
                    any = true;
                }
            }
            if !any {
                self.wait();
            }
        }
        while self.sink.received.load(Ordering::Relaxed) < self.sent {
            for index in 0..self.peers.len() {
                self.flush(index);
            }
            std::thread::yield_now();
        }
    }

    fn flush(&mut self, index: usize) -> bool {
        let (peer, stream) = (&mut self.peers[index], &self.streams[index]);
        let sent = self.transmitter.flush(stream.as_fd(), &mut peer.outgoing).expect("nobody closes");
        self.sent += sent.wire_bytes;
        sent.progress == Progress::Done
    }

    fn turn(&mut self, index: usize) {
        let done = self.flush(index) && self.send(index);
        if !done {
            self.peers[index].ready = false;
            let data = epoll::EventData::new_u64(index as u64);
            let flags = epoll::EventFlags::OUT | epoll::EventFlags::ONESHOT;
            epoll::modify(&self.writable, &self.streams[index], data, flags).expect("it is watched");
        }
    }

    fn send(&mut self, index: usize) -> bool {
        let peer = &mut self.peers[index];
        let blocks_each = CHUNK / BLOCK;
        for _ in 0..peer.outgoing.appetite() {
            let block = peer.next;
            peer.next = (peer.next + 1) % (self.pieces * blocks_each);
            let piece = PieceIndex(block / blocks_each);
            let block = BlockRef { piece, begin: block % blocks_each * BLOCK, length: BLOCK };
            self.chunk.push(&mut self.maps, TorrentId(0), &self.payload, block).expect("the file is there");
        }
        let mut cold = Vec::new();
        self.chunk.cold_ranges(&mut self.residency, sower::clock::Time(0), &mut cold);
        for range in cold {
            range.populate().expect("the file is there");
        }
        let stream = &self.streams[index];
        let sent = self.transmitter.send(stream.as_fd(), &mut peer.outgoing, &mut self.chunk).expect("nobody closes");
        self.sent += sent.wire_bytes;
        sent.progress == Progress::Done
    }

    fn wait(&mut self) {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(64);
        let _ = epoll::wait(&self.writable, rustix::buffer::spare_capacity(&mut events), None);
        for event in events {
            self.peers[usize::try_from(event.data.u64()).expect("ours")].ready = true;
        }
    }
}

/// Processor time of this thread. What a busy machine takes away does not count, and waiting does not either.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("not negative")
}

fn table(content: &Content, only: Option<&str>) {
    println!("{:<10} {:>11} {:>8} {:>8}  counters of the last run", "path", "connections", "best", "median");
    for connections in [1, 50] {
        let modes: Vec<_> = MODES.into_iter().filter(|mode| only.is_none_or(|only| mode.to_string() == only)).collect();
        let mut rates = vec![Vec::new(); modes.len()];
        let mut last = vec![None; modes.len()];
        for _ in 0..7 {
            for (index, &mode) in modes.iter().enumerate() {
                let mut sender = Sender::new(mode, connections, content);
                sender.run(1 << 30);
                let start = cpu_time();
                sender.run(4 << 30);
                rates[index].push((4u64 << 30) as f64 / (cpu_time() - start).as_secs_f64() / 1e9);
                last[index] = Some(sender.transmitter.counters());
            }
        }
        for (index, mode) in modes.iter().enumerate() {
            rates[index].sort_by(f64::total_cmp);
            let (best, median) = (rates[index][6], rates[index][3]);
            println!("{mode:<10} {connections:>11} {best:>8.2} {median:>8.2}  {:?}", last[index]);
        }
    }
}

fn chunks(criterion: &mut Criterion, content: &Content) {
    let mut group = criterion.benchmark_group("a 256 KiB chunk, loopback, cubic");
    group.throughput(Throughput::Bytes(u64::from(CHUNK))).measurement_time(Duration::from_secs(5));
    for mode in MODES {
        for connections in [1, 50] {
            let mut sender = Sender::new(mode, connections, content);
            group.bench_function(format!("{mode}, {connections} connections"), |bencher| {
                bencher.iter_custom(|count| {
                    let start = Instant::now();
                    sender.run(count * u64::from(CHUNK));
                    start.elapsed()
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let content = Content::new();
    let mut words = std::env::args().skip_while(|word| word != "table");
    if words.next().is_some() {
        return table(&content, words.find(|word| !word.starts_with('-')).as_deref());
    }
    let mut criterion = Criterion::default().configure_from_args();
    chunks(&mut criterion, &content);
    criterion.final_summary();
}
