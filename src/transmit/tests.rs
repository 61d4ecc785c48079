//! Bytes through real sockets, compared with a plain concatenation of headers and file contents.

use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Time;
use crate::ids::{BlockRef, FileIndex, PieceIndex, TorrentId};
use crate::limits::BLOCK;
use crate::metainfo::Geometry;
use crate::storage::{ColdRange, Files, Maps, Payload, Residency};
use crate::transmit::arena::HeaderArena;
use crate::transmit::pipe::PipePool;
use crate::transmit::{Chunk, Outgoing, Progress, SendError, SendMode, Sent, Transmitter};

const TORRENT: TorrentId = TorrentId(3);
const MODES: [SendMode; 3] = [SendMode::Splice, SendMode::Copy, SendMode::ZeroCopy];

struct Folder(PathBuf);

impl Files for Folder {
    fn open(&self, file: FileIndex) -> io::Result<File> {
        File::open(self.path(file))
    }
    fn path(&self, file: FileIndex) -> PathBuf {
        self.0.join(file.0.to_string())
    }
}

/// A torrent on disk and, for comparison, in memory.
struct Content {
    payload: Payload,
    bytes: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Content {
    fn new(rng: &mut fastrand::Rng, piece_length: u32, files: &[(u64, bool)]) -> Content {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut bytes = Vec::new();
        for (index, &(length, padding)) in files.iter().enumerate() {
            let mut content = vec![0; usize::try_from(length).expect("small")];
            if !padding {
                rng.fill(&mut content);
                std::fs::write(folder.path().join(index.to_string()), &content).expect("disk space");
            }
            bytes.extend_from_slice(&content);
        }
        let geometry = Arc::new(Geometry::new(piece_length, files.iter().copied()).expect("valid"));
        let payload = Payload::new(geometry, Arc::new(Folder(folder.path().to_owned())));
        Content { payload, bytes, folder }
    }

    fn random(rng: &mut fastrand::Rng) -> Content {
        let files: Vec<_> = (0..rng.usize(1..12)).map(|_| (rng.u64(0..400_000), rng.u8(0..5) == 0)).collect();
        let total: u64 = files.iter().map(|file| file.0).sum();
        let piece_length = 1 << rng.u32(15..19);
        if total == 0 { Content::random(rng) } else { Content::new(rng, piece_length, &files) }
    }

    fn file(&self, index: u32) -> PathBuf {
        Path::new(self.folder.path()).join(index.to_string())
    }

    fn random_block(&self, rng: &mut fastrand::Rng) -> BlockRef {
        let geometry = self.payload.geometry();
        let piece = PieceIndex(rng.u32(0..geometry.pieces()));
        let length = geometry.piece_length(piece);
        let begin = if rng.bool() { rng.u32(0..length) } else { rng.u32(0..length) / BLOCK * BLOCK };
        let longest = (length - begin).min(if rng.u8(0..8) == 0 { 128 * 1024 } else { BLOCK });
        BlockRef { piece, begin, length: if rng.bool() { longest } else { rng.u32(1..=longest) } }
    }

    /// The oracle: a block as it is on the wire, or its content alone.
    fn expect(&self, block: BlockRef, bare: bool, out: &mut Vec<u8>) {
        if !bare {
            out.extend_from_slice(&(block.length + 9).to_be_bytes());
            out.push(7);
            out.extend_from_slice(&block.piece.0.to_be_bytes());
            out.extend_from_slice(&block.begin.to_be_bytes());
        }
        let start = usize::try_from(self.payload.geometry().offset(block)).expect("small");
        out.extend_from_slice(&self.bytes[start..start + block.length as usize]);
    }
}

fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (theirs, _) = listener.accept().expect("just connected");
    for stream in [&ours, &theirs] {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
    }
    (ours, theirs)
}

fn transmitter(mode: SendMode, pipes: usize, slots: usize) -> Transmitter {
    Transmitter::with_pipes(mode, PipePool::with_bounds(pipes, slots)).expect("pipes and memory")
}

/// Reads what is there, at most `most` bytes.
fn read_some(socket: &mut TcpStream, most: usize, into: &mut Vec<u8>) -> usize {
    let mut buffer = vec![0; most];
    match socket.read(&mut buffer) {
        Ok(bytes) => {
            into.extend_from_slice(&buffer[..bytes]);
            bytes
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("the receiver failed: {error}"),
    }
}

/// One sender and its receiver, driven step by step.
struct Line<'a> {
    content: &'a Content,
    transmitter: Transmitter,
    maps: Maps,
    ours: TcpStream,
    theirs: TcpStream,
    outgoing: Outgoing,
    chunk: Chunk,
    /// The next chunk's blocks go without headers.
    bare: bool,
    want: Vec<u8>,
    got: Vec<u8>,
    total: Sent,
    payload: u64,
}

impl<'a> Line<'a> {
    fn new(content: &'a Content, transmitter: Transmitter) -> Line<'a> {
        let (ours, theirs) = connected();
        Line {
            content,
            transmitter,
            maps: Maps::with_bound(4).expect("memory"),
            ours,
            theirs,
            outgoing: Outgoing::new(),
            chunk: Chunk::new(),
            bare: false,
            want: Vec::new(),
            got: Vec::new(),
            total: Sent::default(),
            payload: 0,
        }
    }

    fn buffers(&self, send: usize, receive: usize) {
        socket2::SockRef::from(&self.ours).set_send_buffer_size(send).expect("a socket");
        socket2::SockRef::from(&self.theirs).set_recv_buffer_size(receive).expect("a socket");
    }

    fn begin(&mut self, bare: bool) {
        self.chunk.begin(bare);
        self.bare = bare;
    }

    fn push(&mut self, block: BlockRef) {
        self.chunk.push(&mut self.maps, TORRENT, &self.content.payload, block).expect("the file is there");
        self.content.expect(block, self.bare, &mut self.want);
        self.payload += u64::from(block.length);
    }

    fn count(&mut self, sent: Sent) -> Progress {
        self.total.payload_bytes += sent.payload_bytes;
        self.total.wire_bytes += sent.wire_bytes;
        self.total.blocks += sent.blocks;
        sent.progress
    }

    fn flush(&mut self) -> Result<Progress, SendError> {
        let sent = self.transmitter.flush(self.ours.as_fd(), &mut self.outgoing)?;
        Ok(self.count(sent))
    }

    fn send(&mut self) -> Result<Progress, SendError> {
        let sent = self.transmitter.send(self.ours.as_fd(), &mut self.outgoing, &mut self.chunk)?;
        Ok(self.count(sent))
    }

    /// Receives and flushes until everything arrived.
    fn finish(&mut self) {
        while self.got.len() < self.want.len() || !self.outgoing.is_idle() {
            self.flush().expect("the peer reads");
            read_some(&mut self.theirs, 1 << 20, &mut self.got);
        }
        assert!(self.got == self.want, "the stream differs from headers and contents");
        assert_eq!(self.total.wire_bytes, self.want.len() as u64);
        assert_eq!(self.total.payload_bytes, self.payload);
    }
}

#[test]
fn random_chunks_arrive_byte_for_byte_on_every_path() {
    for (round, mode) in MODES.into_iter().cycle().take(12).enumerate() {
        let mut rng = fastrand::Rng::with_seed(round as u64);
        let content = Content::random(&mut rng);
        let (pipes, slots) = [(64, 128), (1, 16), (0, 128)][rng.usize(0..3)];
        let mut line = Line::new(&content, transmitter(mode, pipes, slots));
        // a small receive buffer would make this a test of the kernel's probe timer
        line.buffers(rng.usize(1..200_000), rng.usize(150_000..400_000));
        let mut blocks = 0;
        for _ in 0..250 {
            while line.flush().expect("the peer reads") == Progress::Blocked {
                read_some(&mut line.theirs, rng.usize(1..100_000), &mut line.got);
            }
            line.begin(rng.bool());
            for _ in 0..rng.usize(1..=16) {
                let block = content.random_block(&mut rng);
                if line.chunk.has_room(block.length) {
                    line.push(block);
                    blocks += 1;
                }
            }
            let headers = if line.bare { 0 } else { 13 * line.chunk.len() };
            assert_eq!(line.chunk.wire_bytes(), line.chunk.payload_bytes() + headers);
            line.send().expect("the peer reads");
            if rng.u8(0..4) == 0 {
                let message = vec![rng.u8(..); rng.usize(1..40)];
                line.outgoing.control().extend_from_slice(&message);
                line.want.extend_from_slice(&message);
            }
        }
        line.finish();
        assert_eq!(line.total.blocks, blocks);
        assert_eq!(line.transmitter.open_pipes(), line.transmitter.pipes.free_pipes(), "a pipe is lost");
    }
}

/// The blocks of the first pieces in order.
fn blocks_in_order(content: &Content) -> impl Iterator<Item = BlockRef> {
    let geometry = content.payload.geometry().clone();
    (0..geometry.pieces()).map(PieceIndex).flat_map(move |piece| {
        let length = geometry.piece_length(piece);
        let starts = (0..length).step_by(BLOCK as usize);
        starts.map(move |begin| BlockRef { piece, begin, length: BLOCK.min(length - begin) })
    })
}

#[test]
fn a_file_that_shrank_is_named_and_kills_nobody() {
    for mode in MODES {
        for slots in [16, 128] {
            let mut rng = fastrand::Rng::with_seed(7);
            let content = Content::new(&mut rng, 1 << 18, &[(100_000, false), (900_000, false), (50_000, true)]);
            let mut line = Line::new(&content, transmitter(mode, 4, slots));
            for block in blocks_in_order(&content).skip(4).take(16) {
                line.push(block);
            }
            let shrunk = File::options().write(true).open(content.file(1)).expect("it is there");
            shrunk.set_len(70_000).expect("a disk");
            let mut result = line.send();
            while let Ok(progress) = result {
                assert_eq!(progress, Progress::Blocked, "bytes that do not exist were sent");
                read_some(&mut line.theirs, 1 << 20, &mut line.got);
                result = line.flush();
            }
            match result {
                Err(SendError::Truncated {
                    torrent: TORRENT,
                    file: FileIndex(1),
                    expected: 900_000,
                    found: 70_000,
                }) => {}
                other => panic!("{mode}: {other:?}"),
            }
            drop(line.outgoing);
            assert_eq!(line.transmitter.open_pipes(), line.transmitter.pipes.free_pipes(), "a pipe is lost");
        }
    }
}

#[test]
fn a_reader_that_comes_late_gets_headers_from_before_the_arena_started_over() {
    let mut rng = fastrand::Rng::with_seed(11);
    let content = Content::new(&mut rng, 1 << 18, &[(1 << 20, false)]);
    let mut line = Line::new(&content, transmitter(SendMode::Splice, 4, 128));
    // two pages: it starts over after 38 chunks
    line.transmitter.headers = HeaderArena::with_size(8192).expect("memory");
    line.buffers(8 << 20, 4 << 20);
    let mut chunks = 0;
    while chunks < 400 && line.flush().expect("the peer lives") == Progress::Done {
        for _ in 0..16 {
            let block = content.random_block(&mut rng);
            line.push(BlockRef { length: block.length.min(40), ..block });
        }
        line.send().expect("the peer lives");
        chunks += 1;
    }
    assert!(chunks > 100, "the socket took only {chunks} chunks");
    line.finish();
}

#[test]
fn a_connection_reset_in_the_middle_of_a_chunk_gives_its_pipe_back_to_the_system() {
    let mut rng = fastrand::Rng::with_seed(5);
    let content = Content::new(&mut rng, 1 << 18, &[(1 << 20, false)]);
    let mut line = Line::new(&content, transmitter(SendMode::Splice, 4, 128));
    line.buffers(1, 150_000);
    let blocks: Vec<_> = blocks_in_order(&content).take(16).collect();
    while line.outgoing.leftover.is_none() {
        for &block in &blocks {
            line.push(block);
        }
        line.send().expect("the peer lives");
    }
    assert_eq!((line.transmitter.open_pipes(), line.transmitter.pipes.free_pipes()), (1, 0));
    // unread bytes make closing a reset
    let (_, gone) = connected();
    drop(std::mem::replace(&mut line.theirs, gone));
    let error = loop {
        match line.flush() {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SendError::Peer(_)), "{error:?}");
    assert_eq!(line.transmitter.open_pipes(), 0, "the pipe is still open");
}

#[test]
fn cold_windows_are_named_once_and_are_warm_after_paging_in() {
    let mut rng = fastrand::Rng::with_seed(1);
    let content = Content::new(&mut rng, 1 << 20, &[(700_000, false), (300_000, false)]);
    let file = File::open(content.file(0)).expect("it is there");
    file.sync_all().expect("a disk");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a file");
    for mut residency in [Residency::new(), Residency::with_mincore()] {
        let mut maps = Maps::new().expect("memory");
        let mut chunk = Chunk::new();
        for begin in [0, 20_000, 600_000, 690_000, 16_384] {
            let block = BlockRef { piece: PieceIndex(0), begin, length: BLOCK };
            chunk.push(&mut maps, TORRENT, &content.payload, block).expect("the files are there");
        }
        let mut cold = Vec::new();
        chunk.cold_ranges(&mut residency, Time(0), &mut cold);
        for range in &cold {
            range.populate().expect("the disk works");
        }
        let mut keys: Vec<_> = cold.iter().map(ColdRange::key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), cold.len(), "a window came twice");
        let mut again = Vec::new();
        chunk.cold_ranges(&mut residency, Time(0), &mut again);
        assert!(again.is_empty(), "{again:?}");
    }
}

#[test]
fn a_warm_block_does_not_vouch_for_the_rest_of_its_window() {
    let mut rng = fastrand::Rng::with_seed(2);
    let content = Content::new(&mut rng, 1 << 20, &[(1 << 20, false)]);
    let file = File::open(content.file(0)).expect("it is there");
    file.sync_all().expect("a disk");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a file");
    let mut residency = Residency::new();
    let mut maps = Maps::new().expect("memory");
    let mut cold_of = |begin, now| {
        let mut chunk = Chunk::new();
        let block = BlockRef { piece: PieceIndex(0), begin, length: BLOCK };
        chunk.push(&mut maps, TORRENT, &content.payload, block).expect("the file is there");
        let mut cold = Vec::new();
        chunk.cold_ranges(&mut residency, now, &mut cold);
        cold.len()
    };
    // only the first block, without read-ahead
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).expect("a file");
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut [0; BLOCK as usize], 0).expect("a disk");
    if cold_of(BLOCK * 50, Time(0)) == 0 {
        return; // a file system without a disk beneath it has nothing cold
    }
    let long_calm = Time(3_600_000_000);
    assert_eq!([cold_of(0, long_calm), cold_of(0, long_calm)], [0, 0], "a block that was just read");
    assert_eq!(cold_of(BLOCK * 9, long_calm), 1, "nobody has read this one");
}

/// A slow reader's socket takes only so much beyond what is on its way. Were it offered more, each chunk would be left half
/// sent, and hold one of a reactor's pipes.
#[test]
fn no_more_is_offered_than_a_socket_may_hold_unsent() {
    const MOST: u32 = 128 * 1024;
    let mut rng = fastrand::Rng::with_seed(11);
    let content = Content::new(&mut rng, 1 << 20, &[(8 << 20, false)]);
    for mode in [SendMode::Splice, SendMode::Copy] {
        let mut line = Line::new(&content, transmitter(mode, 4, 64));
        socket2::SockRef::from(&line.ours).set_tcp_notsent_lowat(MOST).expect("a socket");
        line.transmitter.limit_unsent(Some(MOST));
        let (mut blocks, mut most) = (blocks_in_order(&content).peekable(), 0);
        while blocks.peek().is_some() {
            let mut progress = line.flush().expect("the peer reads");
            if progress == Progress::Done {
                let appetite = line.outgoing.appetite();
                blocks.by_ref().take(appetite).for_each(|block| line.push(block));
                progress = line.send().expect("the peer reads");
            }
            most = most.max(crate::transmit::socket::unsent(line.ours.as_fd()).expect("a socket"));
            if progress == Progress::Blocked {
                while read_some(&mut line.theirs, 1 << 20, &mut line.got) > 0 {}
            }
        }
        line.finish();
        // heads of blocks come on top
        assert!((MOST / 2..MOST + BLOCK).contains(&most), "{mode:?}: {most} unsent, and the reader was to be slow");
        assert_eq!(line.transmitter.counters().leftovers, 0, "{mode:?}");
    }
}
