//! The three sending paths behind one interface; one for each reactor.

use std::io;
use std::os::fd::BorrowedFd;

use crate::ids::{FileIndex, TorrentId};
use crate::limits::{BLOCK, CHUNK};
use crate::transmit::arena::HeaderArena;
use crate::transmit::chunk::{Chunk, Frame};
use crate::transmit::counters::Counters;
use crate::transmit::outgoing::{BLOCK_OVERHEAD, Leftover, Outgoing, Walk, ZeroCopy};
use crate::transmit::pipe::{Pipe, PipePool};
use crate::transmit::repeat::unless_blocked;
use crate::transmit::{SendMode, socket};

/// Whether the socket took all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Progress {
    /// All of it.
    #[default]
    Done,
    /// What it could. The kernel will say when it takes more (an edge of `EPOLLOUT`); then [`Transmitter::flush`].
    Blocked,
}

/// What a call handed to the socket, exact to the byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Whether more is left.
    pub progress: Progress,
    /// Bytes of blocks, without headers.
    pub payload_bytes: u64,
    /// All bytes.
    pub wire_bytes: u64,
    /// Blocks whose last byte went.
    pub blocks: u32,
}

/// Why a connection must be closed. After each of these the framing may be broken in the middle of a block: nothing may be
/// sent on it any more, and its [`Outgoing`] is to be dropped (a pipe with bytes left is gone already).
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection is dead.
    #[error("connection lost: {0}")]
    Peer(io::Error),
    /// EFAULT: the file lost bytes after it was mapped, or, if `found` is not less than `expected`, the disk could not read it.
    #[error("file {} of torrent {} has {found} readable bytes where the torrent has {expected}", file.0, torrent.0)]
    Truncated {
        /// Whose.
        torrent: TorrentId,
        /// Which file.
        file: FileIndex,
        /// Bytes by the torrent.
        expected: u64,
        /// Bytes that it has now.
        found: u64,
    },
    /// The machine ran out of something.
    #[error("cannot send: {0}")]
    Environment(io::Error),
}

/// Sends chunks and control messages to sockets, all of which are non-blocking (O_NONBLOCK: `splice` heeds nothing else).
///
/// No send raises SIGPIPE as long as the process ignores that signal, which every Rust program does from its start: `sendmsg`
/// is told so, but `splice` to a dead socket would raise it.
#[derive(Debug)]
pub struct Transmitter {
    mode: SendMode,
    unsent_most: Option<u32>,
    pub(super) headers: HeaderArena,
    frame: Frame,
    pub(super) pipes: PipePool,
    /// Boxes for leftovers, so that a partial send allocates only until enough have been seen.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    spare: Vec<Box<Leftover>>,
    counters: Counters,
}

/// Empty boxes kept; more are freed.
const SPARE_LEFTOVERS: usize = 64;

impl Transmitter {
    /// Sets up arena and pipes. `Auto` becomes `Splice` or `Copy` here: see [`Transmitter::mode`].
    pub fn new(mode: SendMode) -> io::Result<Transmitter> {
        Transmitter::with_pipes(mode, PipePool::new())
    }

    pub(super) fn with_pipes(mode: SendMode, pipes: PipePool) -> io::Result<Transmitter> {
        let mut transmitter = Transmitter {
            mode,
            unsent_most: None,
            headers: HeaderArena::new()?,
            frame: Frame::default(),
            pipes,
            spare: Vec::new(),
            counters: Counters::default(),
        };
        if mode == SendMode::Auto {
            transmitter.mode = if transmitter.can_splice() { SendMode::Splice } else { SendMode::Copy };
        }
        Ok(transmitter)
    }

    /// For sockets that take no more than that many bytes beyond what is on its way (TCP_NOTSENT_LOWAT): offers them no more.
    pub fn limit_unsent(&mut self, bytes: Option<u32>) {
        self.unsent_most = bytes;
    }

    /// How payload leaves; not `Auto`.
    pub fn mode(&self) -> SendMode {
        self.mode
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Pipes open, those that hold leftovers included.
    pub fn open_pipes(&self) -> usize {
        self.pipes.open_pipes()
    }

    /// Sends what `outgoing` has: first the rest of the last chunk, then control messages. Also learns how much the socket
    /// would take, for [`Outgoing::appetite`]: with nothing to send that is all it does, so call it before each chunk.
    pub fn flush(&mut self, socket: BorrowedFd<'_>, outgoing: &mut Outgoing) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        if let Some(mut leftover) = outgoing.leftover.take() {
            sent = self.advance(socket, outgoing, &leftover.chunk, &mut leftover.walk)?;
            if sent.progress == Progress::Blocked {
                outgoing.leftover = Some(leftover);
                return Ok(sent);
            }
            leftover.chunk.clear();
            if self.spare.len() < SPARE_LEFTOVERS {
                self.spare.push(leftover);
            }
        }
        let control = self.send_control(socket, outgoing)?;
        sent.wire_bytes += control.wire_bytes;
        sent.progress = control.progress;
        if sent.progress == Progress::Done && outgoing.room < BLOCK {
            sent.progress = self.look_for_room(socket, outgoing);
        }
        Ok(sent)
    }

    /// Sends a chunk after [`Transmitter::flush`] was `Done`. What the socket does not take stays in `outgoing`; `chunk` is empty
    /// afterwards in either case.
    pub fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        outgoing: &mut Outgoing,
        chunk: &mut Chunk,
    ) -> Result<Sent, SendError> {
        assert!(outgoing.is_idle(), "flush comes first: control bytes and leftovers go before a chunk");
        let mut walk = Walk::default();
        self.counters.chunks += 1;
        let mut sent = self.advance(socket, outgoing, chunk, &mut walk)?;
        if sent.progress == Progress::Blocked {
            self.counters.leftovers += 1;
            let mut leftover = self.spare.pop().unwrap_or_default();
            std::mem::swap(&mut leftover.chunk, chunk);
            leftover.walk = walk;
            outgoing.leftover = Some(leftover);
        } else if outgoing.room < CHUNK + CHUNK / 4 {
            sent.progress = self.look_for_room(socket, outgoing);
        }
        chunk.clear();
        Ok(sent)
    }

    /// Takes completions of MSG_ZEROCOPY off the socket's error queue. Nothing waits for them (headers are written once and
    /// files are not written), but as long as they lie there they count against the socket's memory and wake its reactor.
    pub fn reap(&mut self, socket: BorrowedFd<'_>) {
        while let Some(completions) = socket::take_completions(socket) {
            self.counters.zero_copy_completed += completions.sends;
            self.counters.zero_copy_copied += completions.copied;
        }
    }

    /// Sends the rest of `chunk` from where `walk` stands.
    fn advance(
        &mut self,
        socket: BorrowedFd<'_>,
        outgoing: &mut Outgoing,
        chunk: &Chunk,
        walk: &mut Walk,
    ) -> Result<Sent, SendError> {
        let before = walk.sent();
        let progress = self.try_advance(socket, outgoing, chunk, walk).map_err(|error| classify(error, chunk))?;
        let (from, to) = (chunk.tally(before), chunk.tally(walk.sent()));
        let wire_bytes = (walk.sent() - before) as u64;
        match progress {
            Progress::Blocked => outgoing.room = 0,
            Progress::Done => outgoing.taken(wire_bytes),
        }
        Ok(Sent {
            progress,
            payload_bytes: to.payload_bytes - from.payload_bytes,
            wire_bytes,
            blocks: to.blocks - from.blocks,
        })
    }

    fn try_advance(
        &mut self,
        socket: BorrowedFd<'_>,
        outgoing: &mut Outgoing,
        chunk: &Chunk,
        walk: &mut Walk,
    ) -> io::Result<Progress> {
        if walk.pipe.is_none() && walk.fed < chunk.wire_bytes() && self.mode == SendMode::Splice {
            walk.pipe = self.pipes.take();
            self.counters.pool_misses += u64::from(walk.pipe.is_none());
        }
        if walk.pipe.is_none() {
            return self.copy(socket, outgoing, chunk, walk);
        }
        let progress = self.splice(socket, chunk, walk);
        // after an error a pipe that is empty is as good as new; one that is not goes with `walk`
        if walk.in_pipe == 0
            && let Some(pipe) = walk.pipe.take()
        {
            self.pipes.give_back(pipe);
        }
        progress
    }

    fn splice(&mut self, socket: BorrowedFd<'_>, chunk: &Chunk, walk: &mut Walk) -> io::Result<Progress> {
        let pipe = walk.pipe.as_ref().expect("the caller took one");
        loop {
            if walk.in_pipe == 0 {
                if walk.fed == chunk.wire_bytes() {
                    return Ok(Progress::Done);
                }
                self.frame.restart(pipe.slots());
                chunk.frame(walk.fed, &mut self.headers, &mut self.frame);
                self.counters.system_calls += 1;
                // less than asked for means a page that is gone: the next turn of the loop gets the error
                walk.in_pipe = fill(pipe, &self.frame)?;
                walk.fed += walk.in_pipe;
            }
            self.counters.system_calls += 1;
            let Some(moved) = unless_blocked(|| pipe.drain(socket, walk.in_pipe))? else {
                return Ok(Progress::Blocked);
            };
            walk.in_pipe -= moved;
            self.counters.spliced_bytes += moved as u64;
        }
    }

    fn copy(
        &mut self,
        socket: BorrowedFd<'_>,
        outgoing: &mut Outgoing,
        chunk: &Chunk,
        walk: &mut Walk,
    ) -> io::Result<Progress> {
        while walk.fed < chunk.wire_bytes() {
            self.frame.restart(usize::MAX);
            chunk.frame(walk.fed, &mut self.headers, &mut self.frame);
            let Some(sent) = unless_blocked(|| self.send_frame(socket, outgoing))? else {
                return Ok(Progress::Blocked);
            };
            walk.fed += sent;
        }
        Ok(Progress::Done)
    }

    /// One `sendmsg` of the frame, without a copy where that is asked for and to be had.
    fn send_frame(&mut self, socket: BorrowedFd<'_>, outgoing: &mut Outgoing) -> io::Result<usize> {
        if self.mode == SendMode::ZeroCopy && self.has_zero_copy(socket, outgoing) {
            self.reap(socket);
            self.counters.system_calls += 1;
            match socket::send(socket, self.frame.ranges(), libc::MSG_ZEROCOPY) {
                // out of locked memory or of room for completions: this one is copied
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                sent => {
                    self.counters.zero_copy_bytes += *sent.as_ref().unwrap_or(&0) as u64;
                    return sent;
                }
            }
        }
        self.counters.system_calls += 1;
        let sent = socket::send(socket, self.frame.ranges(), 0)?;
        self.counters.copied_bytes += sent as u64;
        Ok(sent)
    }

    fn has_zero_copy(&mut self, socket: BorrowedFd<'_>, outgoing: &mut Outgoing) -> bool {
        if outgoing.zero_copy == ZeroCopy::Untried {
            self.counters.system_calls += 1;
            let allowed = socket::allow_zero_copy(socket).is_ok();
            outgoing.zero_copy = if allowed { ZeroCopy::On } else { ZeroCopy::Refused };
        }
        outgoing.zero_copy == ZeroCopy::On
    }

    fn send_control(&mut self, socket: BorrowedFd<'_>, outgoing: &mut Outgoing) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        while outgoing.control_bytes() > 0 {
            let control = outgoing.control();
            let range = libc::iovec { iov_base: control.as_mut_ptr().cast(), iov_len: control.len() };
            self.counters.system_calls += 1;
            match unless_blocked(|| socket::send(socket, &[range], 0)).map_err(of_socket)? {
                Some(bytes) => {
                    outgoing.control_sent(bytes);
                    sent.wire_bytes += bytes as u64;
                }
                None => {
                    sent.progress = Progress::Blocked;
                    break;
                }
            }
        }
        outgoing.taken(sent.wire_bytes);
        self.counters.control_bytes += sent.wire_bytes;
        Ok(sent)
    }

    /// Asks the socket for its room. `Blocked` when the next block would not fit and the kernel has been asked to say when it
    /// will: `poll` does that (it sets SOCK_NOSPACE), as a send that meets EAGAIN would, but without a leftover. Merely knowing
    /// that there is no room would wait for an edge that never comes.
    fn look_for_room(&mut self, socket: BorrowedFd<'_>, outgoing: &mut Outgoing) -> Progress {
        self.counters.system_calls += 1;
        outgoing.room = socket::room(socket).unwrap_or(CHUNK);
        if let Some(most) = self.unsent_most {
            self.counters.system_calls += 1;
            outgoing.room = outgoing.room.min(most.saturating_sub(socket::unsent(socket).unwrap_or(0)));
        }
        if outgoing.room >= BLOCK + BLOCK_OVERHEAD {
            return Progress::Done;
        }
        self.counters.system_calls += 1;
        if socket::is_writable(socket) { Progress::Done } else { Progress::Blocked }
    }

    /// Whether `vmsplice` is allowed here: some containers' filters refuse it.
    fn can_splice(&mut self) -> bool {
        let Some(pipe) = self.pipes.take() else { return false };
        self.headers.begin_batch();
        let block = crate::ids::BlockRef { piece: crate::ids::PieceIndex(0), begin: 0, length: 0 };
        let probe = libc::iovec { iov_base: self.headers.write(block).cast_mut().cast(), iov_len: 1 };
        pipe.fill(&[probe]).is_ok()
    }
}

/// Puts the frame into an empty pipe, which never has to wait for room.
fn fill(pipe: &Pipe, frame: &Frame) -> io::Result<usize> {
    unless_blocked(|| pipe.fill(frame.ranges()))?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

fn of_socket(error: io::Error) -> SendError {
    match error.raw_os_error() {
        Some(libc::ENOMEM | libc::ENOBUFS | libc::EMFILE | libc::ENFILE) => SendError::Environment(error),
        _ => SendError::Peer(error),
    }
}

fn classify(error: io::Error, chunk: &Chunk) -> SendError {
    match chunk.damaged_file() {
        Some(map) if error.raw_os_error() == Some(libc::EFAULT) => SendError::Truncated {
            torrent: map.torrent(),
            file: map.index(),
            expected: map.length(),
            found: map.file().metadata().map_or(0, |now| now.len()),
        },
        _ => of_socket(error),
    }
}
