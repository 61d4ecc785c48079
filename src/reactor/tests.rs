//! A whole reactor on each driver, and a peer on a blocking socket that knows the protocol and nothing of the reactor.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::driver::{DriverConfig, probe};
use super::paging::Paging;
use super::sockets::{Family, Listening, Options, listener, local_address};
use super::*;
use crate::ids::{BlockRef, FileIndex, InfoHash, PeerId, PeerKey, PieceIndex, TorrentId};
use crate::limits::BLOCK;
use crate::metainfo::Geometry;
use crate::peer::{Identity, Reason, Torrent};
use crate::schedule::Slots;
use crate::shard::Config;
use crate::storage::{ColdRange, Files, Maps, Payload, Residency};
use crate::transmit::{Chunk, SendMode};
use crate::wire::{self, Bounds, Handshake, Message, Reserved};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: u32 = 64 * 1024;
/// No whole number of pieces, blocks or pages.
const LENGTH: u32 = 3_000_017;

struct Folder(PathBuf);

impl Files for Folder {
    fn open(&self, file: FileIndex) -> io::Result<File> {
        File::open(self.path(file))
    }
    fn path(&self, file: FileIndex) -> PathBuf {
        self.0.join(file.0.to_string())
    }
}

/// One torrent of one file.
struct Content {
    number: u8,
    bytes: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Content {
    fn new(number: u8) -> Content {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut bytes = vec![0; LENGTH as usize];
        fastrand::Rng::with_seed(number.into()).fill(&mut bytes);
        let content = Content { number, bytes, folder };
        std::fs::write(content.path(), &content.bytes).expect("disk space");
        // most of it has to be paged in first, where the file system lets go of pages
        let file = content.file();
        file.sync_all().expect("a file");
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a file");
        content
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("0")
    }

    fn file(&self) -> File {
        OpenOptions::new().write(true).open(self.path()).expect("it was written")
    }

    fn id(&self) -> TorrentId {
        TorrentId(self.number.into())
    }

    fn add(&self) -> Command {
        let geometry = || Geometry::new(PIECE, [(u64::from(LENGTH), false)]).expect("valid");
        let payload = Payload::new(Arc::new(geometry()), Arc::new(Folder(self.folder.path().to_owned())));
        let info_hash = InfoHash([self.number; 20]);
        let torrent = Torrent { info_hash, geometry: geometry(), info: vec![b'x'; 100].into(), private: false };
        Command::Add { id: self.id(), serving: Serving::new(Arc::new(torrent), payload), slots: 4, download: None }
    }

    fn blocks(&self) -> Vec<BlockRef> {
        let of =
            |at: u32| BlockRef { piece: PieceIndex(at / PIECE), begin: at % PIECE, length: BLOCK.min(LENGTH - at) };
        (0..LENGTH.div_ceil(BLOCK)).map(|number| of(number * BLOCK)).collect()
    }
}

mod checking;
mod filter;
mod spread;

fn config(ring: bool, port: u16, listeners: Vec<std::os::fd::OwnedFd>) -> ReactorConfig {
    let identity = Identity { peer_id: PeerId([3; 20]), client: "sower".to_owned(), port };
    let shard =
        Config { identity: Arc::new(identity), slots: Slots::Auto, connections_max: 10_000, peer_rate: None, seed: 1 };
    ReactorConfig {
        number: 0,
        ring,
        send: SendMode::Auto,
        listeners,
        options: Options { send_buffer_bytes: Some(128 * 1024), ..Options::default() },
        sizes: DriverConfig::default(),
        shard,
        admission: Arc::new(Admission::new(64, (1, 2))),
        spread: Spread::new(1),
        wanted: Wanted::new(),
    }
}

/// A reactor that listens on a port of loopback.
struct Seeder {
    reactor: Reactor,
    address: SocketAddr,
    spread: Arc<Spread>,
    wanted: Arc<Wanted>,
}

impl Seeder {
    fn new(ring: bool, contents: &[&Content]) -> Seeder {
        let how = Listening { port: 0, family: Family::V4, shared: false, backlog: 16 };
        let listener = listener(how).expect("a free port");
        let port = local_address(&listener).expect("bound").port();
        let config = config(ring, port, vec![listener]);
        let (spread, wanted) = (config.spread.clone(), config.wanted.clone());
        let reactor = start(config);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let seeder = Seeder { reactor: reactor.expect("a reactor"), address, spread, wanted };
        contents.iter().for_each(|content| seeder.send(content.add()));
        seeder
    }

    fn send(&self, command: Command) {
        assert!(self.reactor.mailbox().send(command).is_ok(), "the mailbox has room");
    }

    /// A connection whose handshake is done. The torrents are in the mailbox before; the loop reads it before it answers
    /// only if woken first, so a refusal is tried again.
    fn connect(&self, content: &Content) -> RawPeer {
        loop {
            let stream = TcpStream::connect(self.address).expect("it listens");
            if let Ok(peer) = RawPeer::greet(stream, content.number) {
                return peer;
            }
        }
    }

    /// The whole of `content`; if that fails, says what the reactor knows of it.
    fn download(&mut self, peer: &mut RawPeer, content: &Content) {
        let Err(error) = peer.download(&content.blocks(), &content.bytes) else { return };
        let stopped = self.reactor.stop();
        let last = self.reactor.mailbox().latest().expect("a last snapshot");
        let reasons: Vec<_> = Reason::ALL.iter().filter(|reason| last.totals.closed[**reason as usize] > 0).collect();
        panic!("{error} ({stopped:?}): closed for {reasons:?}, {:?}, {:?}", last.failures, last.transmit);
    }

    /// What is wanted, as soon as something is.
    fn wanted(&self) -> Vec<TorrentId> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let wait = async { tokio::time::timeout(PATIENCE, self.wanted.notified()).await };
        runtime.block_on(wait).expect("somebody asks");
        self.wanted.take()
    }

    fn end(mut self) -> Snapshot {
        self.reactor.stop().expect("it ran until told to stop");
        self.reactor.mailbox().latest().expect("a last snapshot")
    }
}

struct RawPeer {
    stream: TcpStream,
    input: Vec<u8>,
}

impl RawPeer {
    fn greet(mut stream: TcpStream, torrent: u8) -> io::Result<RawPeer> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut bytes = Vec::new();
        let peer_id = PeerId(std::array::from_fn(|_| fastrand::u8(..)));
        Handshake { reserved: Reserved::OURS, info_hash: InfoHash([torrent; 20]), peer_id }.encode(&mut bytes);
        stream.write_all(&bytes)?;
        let mut answer = [0; Handshake::LENGTH];
        stream.read_exact(&mut answer)?;
        let theirs = Handshake::decode(&answer).expect("a handshake").expect("a whole one");
        assert_eq!(theirs.info_hash, InfoHash([torrent; 20]));
        Ok(RawPeer { stream, input: Vec::new() })
    }

    fn say(&mut self, messages: &[Message<'_>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.encode(&mut bytes));
        self.stream.write_all(&bytes)
    }

    /// Gives the next message to `take`.
    fn hear<T>(&mut self, take: impl FnOnce(Message<'_>) -> T) -> io::Result<T> {
        let bounds = Bounds { bitfield: 6, block: BLOCK as usize };
        loop {
            if let Some((message, length)) = wire::decode(&self.input, bounds).expect("valid messages") {
                let taken = take(message);
                self.input.drain(..length);
                return Ok(taken);
            }
            let mut buffer = [0; 65_536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.input.extend_from_slice(&buffer[..length]),
                // with a timeout the kernel does not take the call up again by itself (signal(7))
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait_for_slot(&mut self) {
        self.say(&[Message::Interested]).expect("connected");
        while self.hear(|message| message != Message::Unchoke).expect("connected") {}
    }

    /// Asks for `blocks` all at once and compares what comes with `expected`.
    fn download(&mut self, blocks: &[BlockRef], expected: &[u8]) -> io::Result<()> {
        let requests: Vec<Message<'_>> = blocks.iter().map(|block| Message::Request(*block)).collect();
        self.say(&requests)?;
        let mut left = blocks.len();
        while left > 0 {
            left -= self.hear(|message| {
                let Message::Piece { piece, begin, data } = message else { return 0 };
                let start = (piece.0 * PIECE + begin) as usize;
                assert!(expected[start..].starts_with(data), "byte for byte, at {start}");
                1
            })?;
        }
        Ok(())
    }
}

/// Runs `test` on epoll and, where the kernel allows it, on io_uring.
fn on_both_drivers(test: fn(bool)) {
    eprintln!("on epoll");
    test(false);
    eprintln!("on io_uring");
    match probe() {
        Ok(()) => test(true),
        Err(refused) => eprintln!("SKIPPED on io_uring: {refused}"),
    }
}

#[test]
fn a_torrent_is_downloaded_byte_for_byte() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let mut seeder = Seeder::new(ring, &[&content]);
        let mut peers = [seeder.connect(&content), seeder.connect(&content)];
        for peer in &mut peers {
            peer.wait_for_slot();
            seeder.download(peer, &content);
        }
        let last = seeder.end();
        assert_eq!(last.totals.sent, 2 * u64::from(LENGTH));
        assert_eq!(last.torrents[0].sent, 2 * u64::from(LENGTH));
        assert!(last.failures.is_empty());
    });
}

#[test]
fn a_truncated_file_stops_its_torrent_and_no_other() {
    on_both_drivers(|ring| {
        let (broken, whole) = (Content::new(1), Content::new(2));
        let seeder = Seeder::new(ring, &[&broken, &whole]);
        let (mut victim, mut other) = (seeder.connect(&broken), seeder.connect(&whole));
        [&mut victim, &mut other].into_iter().for_each(RawPeer::wait_for_slot);
        let (first, rest) = (&broken.blocks()[..50], &broken.blocks()[50..]);
        victim.download(first, &broken.bytes).expect("connected");
        other.download(&whole.blocks()[..50], &whole.bytes).expect("connected");

        broken.file().set_len(100_000).expect("a file");
        assert!(victim.download(rest, &broken.bytes).is_err(), "its connection is closed");
        other.download(&whole.blocks()[50..], &whole.bytes).expect("the other flows on");
        let late = TcpStream::connect(seeder.address).expect("it listens");
        assert!(RawPeer::greet(late, broken.number).is_err(), "nobody new is let in");

        let last = seeder.end();
        let (id, cause) = &last.failures[0];
        assert_eq!((*id, last.failures.len()), (broken.id(), 1));
        assert!(cause.contains(&broken.path().display().to_string()), "{cause}");
        assert_eq!(last.totals.closed[Reason::TorrentFailed as usize], 1);
        assert_eq!((last.connections, last.unchoked), (1, 1));
    });
}

#[test]
fn a_peer_that_we_dial_is_greeted_and_served() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut seeder = Seeder::new(ring, &[&content]);
        let address = listener.local_addr().expect("bound");
        seeder.send(Command::Dial { id: content.id(), address, place: seeder.spread.take(0) });
        let (stream, _) = listener.accept().expect("it dials");
        let mut peer = RawPeer::greet(stream, content.number).expect("greeted");
        peer.wait_for_slot();
        seeder.download(&mut peer, &content);
        assert_eq!(seeder.end().totals.dialled, 1);
    });
}

/// It was kept for ever, and its end was told again with every snapshot.
#[test]
fn what_a_withdrawn_torrent_sent_is_told_once_and_nothing_is_kept_of_it() {
    on_both_drivers(|ring| {
        let (broken, removed) = (Content::new(1), Content::new(2));
        let mut seeder = Seeder::new(ring, &[&broken, &removed]);
        let (mut victim, mut other) = (seeder.connect(&broken), seeder.connect(&removed));
        [&mut victim, &mut other].into_iter().for_each(RawPeer::wait_for_slot);
        seeder.download(&mut other, &removed);
        broken.file().set_len(10).expect("a file");
        assert!(victim.download(&broken.blocks(), &broken.bytes).is_err(), "its connection is closed");
        for content in [&broken, &removed] {
            seeder.send(Command::Withdraw { id: content.id(), reason: Reason::Stopped });
        }
        assert!(other.hear(|_| ()).is_err(), "its connection is closed");
        let mailbox = seeder.reactor.mailbox().clone();
        let last = seeder.end();
        assert!(last.torrents.is_empty() && last.failures.is_empty(), "{:?} {:?}", last.torrents, last.failures);
        let mut ended: Vec<_> = std::iter::from_fn(|| mailbox.ended()).map(|last| (last.id, last.sent)).collect();
        ended.sort();
        assert_eq!((last.ended, ended[1]), (2, (removed.id(), u64::from(LENGTH))));
        assert_eq!(last.totals.sent, ended[0].1 + ended[1].1);
    });
}

#[test]
fn a_peer_that_asks_for_a_dormant_torrent_waits_until_it_is_added_and_it_sleeps_when_they_are_gone() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let mut seeder = Seeder::new(ring, &[]);
        let torrents = [(InfoHash([1; 20]), content.id()), (InfoHash([2; 20]), TorrentId(2))];
        seeder.send(Command::Know { torrents: torrents.into(), published: false });
        for _ in 0..2 {
            let address = seeder.address;
            let peer = std::thread::spawn(move || RawPeer::greet(TcpStream::connect(address).expect("it listens"), 1));
            assert_eq!(seeder.wanted(), [content.id()]);
            seeder.send(content.add());
            let mut peer = peer.join().expect("no panic").expect("greeted");
            peer.wait_for_slot();
            seeder.download(&mut peer, &content);
            drop(peer);
            // the end of the connection has to come in first
            let end = std::time::Instant::now() + PATIENCE;
            let mut last = None;
            while last.is_none() {
                assert!(std::time::Instant::now() < end, "it does not sleep");
                seeder.send(Command::Sleep { id: content.id() });
                std::thread::sleep(Duration::from_millis(20));
                last = seeder.reactor.mailbox().ended();
            }
            assert_eq!(last.map(|last| (last.id, last.sent)), Some((content.id(), u64::from(LENGTH))));
        }
        let refused = TcpStream::connect(seeder.address).expect("it listens");
        let refused = std::thread::spawn(move || RawPeer::greet(refused, 2));
        assert_eq!(seeder.wanted(), [TorrentId(2)]);
        seeder.send(Command::Refuse { id: TorrentId(2) });
        assert!(refused.join().expect("no panic").is_err());
        let last = seeder.end();
        assert_eq!((last.torrents.len(), last.dormant, last.awaiting, last.ended), (0, 2, 0, 2));
        assert_eq!(last.totals.closed[Reason::Absent as usize], 1);
        assert_eq!(last.totals.sent, 2 * u64::from(LENGTH));
    });
}

/// Rejects were moved to a buffer without a bound beside the socket, so this grew for as long as the peer kept writing.
#[test]
fn who_makes_us_answer_and_reads_nothing_is_closed() {
    on_both_drivers(|ring| {
        let content = Content::new(1);
        let seeder = Seeder::new(ring, &[&content]);
        let mut honest = seeder.connect(&content);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(32 * 1024).expect("a socket");
        socket.connect(&seeder.address.into()).expect("it listens");
        let mut flood = RawPeer::greet(socket.into(), content.number).expect("greeted");
        flood.stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        // choked, because it never said that it wants something
        let requests = vec![Message::Request(BlockRef { piece: PieceIndex(0), begin: 0, length: BLOCK }); 4_000];
        let closed = (0..400).any(|_| flood.say(&requests).is_err());
        assert!(closed, "27 MB of requests, none of the answers read");
        honest.wait_for_slot();
        honest.download(&content.blocks(), &content.bytes).expect("the other flows on");
        let closed = &seeder.end().totals.closed;
        assert_eq!(closed[Reason::ControlFlood as usize], 1);
    });
}

/// Ranges of a sparse file, which nobody has read.
fn ranges(id: u32, count: u32) -> Vec<ColdRange> {
    const WINDOW: u32 = crate::limits::CHUNK;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let length = u64::from(count * WINDOW);
    File::create(folder.path().join("0")).and_then(|file| file.set_len(length)).expect("a sparse file");
    let geometry = Geometry::new(WINDOW, [(length, false)]).expect("valid");
    let payload = Payload::new(Arc::new(geometry), Arc::new(Folder(folder.path().to_owned())));
    let (mut maps, mut chunk, mut out) = (Maps::new().expect("maps"), Chunk::new(), Vec::new());
    for piece in 0..count {
        let block = BlockRef { piece: PieceIndex(piece), begin: 0, length: BLOCK };
        chunk.push(&mut maps, TorrentId(id), &payload, block).expect("in the file");
        chunk.cold_ranges(&mut Residency::new(), crate::clock::Time(0), &mut out);
        chunk.clear();
    }
    assert_eq!(out.len(), count as usize, "all of a hole is cold");
    out
}

const fn key(slot: u32, generation: u32) -> PeerKey {
    PeerKey { slot, generation }
}

#[test]
fn a_peer_is_ready_when_the_last_of_its_ranges_is_there_and_a_new_owner_of_its_place_is_not() {
    let ranges = ranges(1, 2);
    let (old, new) = (key(0, 0), key(0, 1));
    let mut paging = Paging::default();
    assert!(ranges.iter().all(|range| paging.ask(range.clone(), Some(old))));
    assert!(paging.ask(ranges[1].clone(), Some(new)), "the same range for two: read once");
    let (first, second) = (paging.next().expect("queued").0, paging.next().expect("queued").0);
    assert!(paging.next().is_none());
    assert_eq!(paging.finish(first).map(|(_, ready)| ready), Some(vec![]));
    assert_eq!(paging.finish(second).map(|(_, ready)| ready), Some(vec![old, new]));
    assert!(paging.finish(second).is_none());
    assert!(paging.is_empty(), "nothing is kept of anybody");
}

#[test]
fn a_withdrawn_torrent_leaves_the_queue_and_what_is_in_flight_comes_back_to_nobody() {
    let (withdrawn, other) = (ranges(1, 100), ranges(2, 1));
    let mut paging = Paging::default();
    assert!(withdrawn.iter().all(|range| paging.ask(range.clone(), Some(key(0, 0)))));
    assert!(paging.ask(other[0].clone(), Some(key(1, 0))));
    let in_flight: Vec<u64> = std::iter::from_fn(|| paging.next()).map(|(token, _)| token).collect();
    assert_eq!(in_flight.len(), 64);
    paging.forget(TorrentId(1));
    assert!(paging.next().is_none(), "64 are under way");
    in_flight.iter().for_each(|token| drop(paging.finish(*token)));
    let (token, range) = paging.next().expect("the other torrent's");
    assert_eq!(range.key().0, TorrentId(2));
    assert_eq!(paging.finish(token).map(|(_, ready)| ready), Some(vec![key(1, 0)]));
    assert!(paging.is_empty());
}

#[test]
fn who_finds_no_room_is_woken_by_the_next_place_and_all_by_the_last() {
    let ranges = ranges(1, 64 + 4_096 + 1);
    let mut paging = Paging::default();
    let (full, beyond) = ranges.split_at(64 + 4_096);
    assert!(full.iter().all(|range| paging.ask(range.clone(), None)));
    assert!(!paging.ask(beyond[0].clone(), Some(key(0, 0))));
    (0..3).for_each(|slot| paging.wait_for_room(key(slot, 0)));
    let mut woken = Vec::new();
    while let Some((token, _)) = paging.next() {
        woken.push(paging.finish(token).expect("in flight").1.len());
    }
    assert_eq!((woken[..4].to_vec(), woken[4..].iter().sum::<usize>()), (vec![1, 1, 1, 0], 0));
    assert!(paging.ask(beyond[0].clone(), None));
    (0..3).for_each(|slot| paging.wait_for_room(key(slot, 0)));
    let (token, _) = paging.next().expect("queued");
    assert_eq!(paging.finish(token).map(|(_, ready)| ready.len()), Some(3), "no other range will wake them");
    assert!(paging.is_empty());
}

impl Paging {
    fn is_empty(&self) -> bool {
        self.books() == [0; 6]
    }
}
