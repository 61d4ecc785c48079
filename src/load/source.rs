//! A source without a disk, a scheduler or a protocol worth the name: it sends ready-made piece messages as fast as the
//! kernel can, so that what it is measured with is the load's own limit.
//!
//! All messages of a small torrent lie framed in one file, in the order in which they are asked for; the first
//! request of a connection says where in it to begin, of all further ones only the number counts. So it serves
//! leechers that ask in sequence and stay, and nobody else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::sockopt;

use crate::hash::Engine;
use crate::ids::PeerId;
use crate::metainfo::{Builder, Metainfo, TorrentError};

use super::protocol::{self, BLOCK, HANDSHAKE, INTERESTED, PIECE_HEAD, REQUEST};
use super::socket;

/// Pieces of the torrent: with their heads 64 MiB, which no processor cache holds and any machine has.
const PIECES: u32 = 256;
const PIECE: u32 = 256 * 1024;
/// Bytes that one call sends.
const STEP: usize = 512 * 1024;
/// Bytes of a message.
const MESSAGE: u64 = BLOCK as u64 + PIECE_HEAD as u64;
const ALL: u64 = PIECES as u64 * (PIECE / BLOCK) as u64 * MESSAGE;
/// Sends between two looks at what came.
const SENDS: usize = 16;

/// A listening source. [`Source::run`] serves.
#[derive(Debug)]
pub struct Source {
    torrent: Metainfo,
    messages: File,
    listener: TcpListener,
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    /// Those that have something to send, and room for it as far as is known.
    ready: VecDeque<usize>,
}

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    /// Of its handshake, `interested` and first request.
    opening: Vec<u8>,
    /// Where in the file it is.
    at: u64,
    /// Bytes asked for and not sent.
    owed: u64,
    /// Half a request was read.
    odd: usize,
    writable: bool,
    queued: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system.
    #[error("cannot start the source: {0}")]
    System(#[from] io::Error),
    /// Never, with a torrent of ours.
    #[error("cannot start the source: {0}")]
    Torrent(#[from] TorrentError),
}

impl From<Errno> for SourceError {
    fn from(error: Errno) -> SourceError {
        SourceError::System(error.into())
    }
}

impl Source {
    /// Writes the messages to `file` and listens on a port of 127.0.0.1.
    pub fn new(file: &Path, congestion: Option<&str>) -> Result<Source, SourceError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        if let Some(name) = congestion {
            sockopt::set_tcp_congestion(&listener, name)?;
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let (torrent, messages) = (torrent()?, messages(file)?);
        Ok(Source { torrent, messages, listener, epoll, connections: Vec::new(), ready: VecDeque::new() })
    }

    /// What it seeds.
    pub fn torrent(&self) -> &Metainfo {
        &self.torrent
    }

    /// Where.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is set.
    pub fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
        while !stop.load(Ordering::Relaxed) {
            events.clear();
            let wait = if self.ready.is_empty() { 5_000_000 } else { 0 };
            let timeout = Timespec { tv_sec: 0, tv_nsec: wait };
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.happened(event.data.u64(), event.flags);
            }
            for _ in 0..SENDS {
                let Some(place) = self.ready.pop_front() else { break };
                self.send(place);
            }
        }
        Ok(())
    }

    fn happened(&mut self, token: u64, flags: epoll::EventFlags) {
        if token == LISTENER {
            // whoever cannot be let in now tries again, or the run says so
            let _ = self.accept();
            return;
        }
        let place = usize::try_from(token).unwrap_or(usize::MAX);
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        connection.writable |= flags.contains(epoll::EventFlags::OUT);
        let ended = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP);
        if ended || connection.receive(&self.torrent).is_err() {
            self.connections[place] = None;
            return;
        }
        self.enqueue(place);
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (stream, _) = self.listener.accept()?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let socket = OwnedFd::from(stream);
            let flags =
                epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(self.connections.len() as u64), flags)?;
            let opening = Vec::with_capacity(OPENING);
            self.connections.push(Some(Connection {
                socket,
                opening,
                at: 0,
                owed: 0,
                odd: 0,
                writable: true,
                queued: false,
            }));
        }
    }

    fn enqueue(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else { return };
        if connection.owed > 0 && connection.writable && !connection.queued {
            connection.queued = true;
            self.ready.push_back(place);
        }
    }

    fn send(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else { return };
        connection.queued = false;
        let count = connection.owed.min(ALL - connection.at).min(STEP as u64);
        let count = usize::try_from(count).unwrap_or(STEP);
        match rustix::fs::sendfile(&connection.socket, &self.messages, Some(&mut connection.at), count) {
            Ok(sent) => {
                connection.owed -= sent as u64;
                connection.at %= ALL;
            }
            Err(Errno::AGAIN) => connection.writable = false,
            Err(_) => self.connections[place] = None,
        }
        self.enqueue(place);
    }
}

const LISTENER: u64 = u64::MAX;
/// What comes before requests need no look.
const OPENING: usize = HANDSHAKE + INTERESTED.len() + REQUEST;

impl Connection {
    fn receive(&mut self, torrent: &Metainfo) -> io::Result<()> {
        let mut queued = socket::queued(self.socket.as_fd())?;
        while queued > 0 && self.opening.len() < OPENING {
            let mut bytes = [0; OPENING];
            let count = socket::read(self.socket.as_fd(), &mut bytes[..OPENING - self.opening.len()])?;
            let greeted = self.opening.len() >= HANDSHAKE;
            self.opening.extend_from_slice(&bytes[..count]);
            queued = queued.saturating_sub(count.max(1));
            if !greeted && self.opening.len() >= HANDSHAKE {
                self.greet(torrent)?;
            }
            if self.opening.len() == OPENING {
                self.begin();
            }
        }
        if queued > 0 {
            let bytes = socket::discard(self.socket.as_fd(), queued)? + self.odd;
            self.odd = bytes % REQUEST;
            self.owed += (bytes / REQUEST) as u64 * MESSAGE;
        }
        Ok(())
    }

    /// Handshake, bitfield, unchoke.
    fn greet(&self, torrent: &Metainfo) -> io::Result<()> {
        let mut bytes = protocol::handshake(torrent.info_hash(), PeerId(*b"-LD0001-source000000")).to_vec();
        let bitfield = vec![0xff; PIECES as usize / 8];
        bytes.extend_from_slice(&(PIECES / 8 + 1).to_be_bytes());
        bytes.push(5);
        bytes.extend_from_slice(&bitfield);
        bytes.extend_from_slice(&[0, 0, 0, 1, 1]);
        socket::send(self.socket.as_fd(), &bytes).map(drop)
    }

    fn begin(&mut self) {
        let request = &self.opening[HANDSHAKE + INTERESTED.len()..];
        let word =
            |at: usize| u64::from(u32::from_be_bytes([request[at], request[at + 1], request[at + 2], request[at + 3]]));
        let block = word(5) * u64::from(PIECE / BLOCK) + word(9) / u64::from(BLOCK);
        self.at = block * MESSAGE % ALL;
        self.owed = MESSAGE;
    }
}

fn torrent() -> Result<Metainfo, SourceError> {
    let hash = Engine::detect().digest_many(&[&vec![0; PIECE as usize]])[0];
    let builder = Builder::single("ready-made".as_ref(), u64::from(PIECES) * u64::from(PIECE), PIECE);
    Ok(Metainfo::parse(&builder.hashes(vec![hash; PIECES as usize]).write()?)?)
}

/// Every message, one after the other. A file and not anonymous memory: file systems keep it in larger pages, which the
/// kernel sends faster.
fn messages(file: &Path) -> io::Result<File> {
    let mut file = File::options().read(true).write(true).create_new(true).open(file)?;
    let mut piece = Vec::with_capacity(usize::try_from(MESSAGE).unwrap_or(0) * (PIECE / BLOCK) as usize);
    for index in 0..PIECES {
        piece.clear();
        for begin in (0..PIECE).step_by(BLOCK as usize) {
            piece.extend_from_slice(&(BLOCK + 9).to_be_bytes());
            piece.push(7);
            piece.extend_from_slice(&index.to_be_bytes());
            piece.extend_from_slice(&begin.to_be_bytes());
            piece.resize(piece.len() + BLOCK as usize, 0);
        }
        file.write_all(&piece)?;
    }
    Ok(file)
}
