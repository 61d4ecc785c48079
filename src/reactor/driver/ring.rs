//! The driver on io_uring: every operation is armed once and goes on by itself.
//!
//! A connection has two operations in the kernel, a multishot receive and a multishot poll for writability. Each is named
//! by its kind and the connection's token; the completion without the flag for more is its last. An operation that
//! ended by itself (its buffers or the completion queue were full) is armed again at the next wait.
//!
//! What is forgotten is cancelled, and its descriptor is kept in `closing`, once for each operation that has not said its
//! last word, so that no number is used again while the kernel may still look at it.
//!
//! The one unsafe operation gives the descriptor that an accept answered with its owner. It is sound because each
//! completion is taken from the queue once, and named by us, so that it is known to be an accept's.
#![expect(unsafe_code, reason = "owns the descriptors that accepts answer with")]

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use io_uring::opcode;
use rustix::io::Errno;

use super::accept::{Listener, end_rests, rest_after, shorten};
use super::buffers::Buffer;
use super::interface::{Counts, Driver, DriverConfig, Event, MemoryRange, Token};
use super::paging::Paging;
use super::provided::{GROUP, Provided};
use super::queue::{Completion, Operation, Queue, TaskRun, UNHEARD};
use super::table::{Table, pack, pack_checked, unpack};
use super::waker::Waker;
use crate::reactor::sockets;

const RECEIVE: u8 = 1;
const WRITABLE: u8 = 2;
const ACCEPT: u8 = 3;
const WAKER: u8 = 4;
const PAGE_IN: u8 = 5;

/// Places in the completion queue; what comes beyond them costs an allocation in the kernel and ends multishots.
const COMPLETIONS: u32 = 8192;

/// Completions by io_uring_enter(2). Not to be sent to another thread: the kernel takes submissions from one only.
pub struct RingDriver {
    queue: Queue,
    completions: Vec<Completion>,
    connections: Table<Connection>,
    /// Descriptors of forgotten sockets and stopped listeners, by the operation that still refers to them.
    closing: HashMap<u64, Rc<OwnedFd>>,
    /// Operations that ended by themselves.
    ended: Vec<u64>,
    /// Connections whose receive ended for want of a buffer, in that order.
    starved: VecDeque<Token>,
    listeners: Vec<Listener>,
    /// How often listening was stopped: the generation in the names of accepts.
    listening: u32,
    buffers: Provided,
    waker: Waker,
    page_ins: Paging,
    counts: Counts,
}

struct Connection {
    socket: RawFd,
    /// The operation is in the kernel, or queued for it.
    receiving: bool,
    watching: bool,
    paused: bool,
    /// Closed in both directions: never paused from then on, for its end is to be heard.
    hung_up: bool,
    closed: bool,
}

impl Driver for RingDriver {
    fn new(config: &DriverConfig) -> io::Result<RingDriver> {
        let mut answer = RingDriver::with(config, TaskRun::Deferred);
        for mode in [TaskRun::Cooperative, TaskRun::Plain] {
            // A kernel that does not know a flag says so by EINVAL.
            match &answer {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => answer = RingDriver::with(config, mode),
                _ => break,
            }
        }
        answer
    }

    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn listen(&mut self, listener: OwnedFd) -> io::Result<()> {
        let slot = u32::try_from(self.listeners.len()).map_err(io::Error::other)?;
        let name = pack(ACCEPT, Token { slot, generation: self.listening });
        self.queue.push(&Operation::Accept(listener.as_raw_fd()), name);
        self.listeners.push(Listener::new(listener));
        Ok(())
    }

    fn stop_listening(&mut self) {
        for (slot, listener) in (0..).zip(std::mem::take(&mut self.listeners)) {
            let name = pack(ACCEPT, Token { slot, generation: self.listening });
            // A listener that rests, or is about to be armed again, has no operation in the kernel.
            if listener.rests_until.is_none() && !self.ended.contains(&name) {
                self.cancel(name);
                self.closing.insert(name, Rc::new(listener.socket));
            }
        }
        self.listening = self.listening.wrapping_add(1);
    }

    fn adopt(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let socket = socket.as_raw_fd();
        let (receive, writable) = (pack_checked(RECEIVE, token)?, pack_checked(WRITABLE, token)?);
        if self.closing.contains_key(&receive) || self.closing.contains_key(&writable) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "that generation is still being forgotten"));
        }
        let (receiving, watching, paused) = (true, true, false);
        let connection = Connection { socket, receiving, watching, paused, hung_up: false, closed: false };
        self.connections.insert(token, connection)?;
        self.queue.push(&Operation::Receive(socket, GROUP), receive);
        self.queue.push(&Operation::WatchWritable(socket), writable);
        Ok(())
    }

    fn forget(&mut self, token: Token, socket: OwnedFd) {
        let Some(connection) = self.connections.remove(token) else { return };
        debug_assert_eq!(connection.socket, socket.as_raw_fd(), "the socket that was adopted");
        let socket = Rc::new(socket);
        for (kind, under_way) in [(RECEIVE, connection.receiving), (WRITABLE, connection.watching)] {
            if under_way {
                let name = pack(kind, token);
                self.cancel(name);
                self.closing.insert(name, socket.clone());
            }
        }
    }

    fn pause_receive(&mut self, token: Token) {
        let connection = self.connections.get(token).filter(|connection| !connection.hung_up);
        let Some(connection) = connection else { return };
        let cancel = connection.receiving && !connection.paused;
        connection.paused = true;
        if cancel {
            self.cancel(pack(RECEIVE, token));
        }
    }

    fn resume_receive(&mut self, token: Token) {
        let Some(connection) = self.connections.get(token) else { return };
        connection.paused = false;
        // If the cancelled receive has not ended yet, its end arms the next one.
        self.arm(pack(RECEIVE, token));
    }

    fn page_in(&mut self, token: u64, range: MemoryRange) -> io::Result<()> {
        self.page_ins.start(&mut self.queue, token, range)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        for name in std::mem::take(&mut self.ended) {
            self.arm(name);
        }
        self.feed_starved();
        let rests_until = self.wake_listeners();
        let unfinished = !self.starved.is_empty() && self.buffers.at_home() > 0;
        let timeout = if unfinished { Some(Duration::ZERO) } else { shorten(timeout, rests_until) };
        self.queue.wait(timeout)?;
        self.collect(events);
        Ok(())
    }

    fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.buffers.bytes(buffer)
    }

    fn release(&mut self, buffer: Buffer) {
        self.buffers.release(buffer);
    }

    fn counts(&self) -> Counts {
        Counts { completions_delayed: self.queue.overflows, ..self.counts }
    }
}

impl RingDriver {
    /// A driver whose completions are posted in the given way, or the kernel's refusal.
    pub fn with(config: &DriverConfig, mode: TaskRun) -> io::Result<RingDriver> {
        RingDriver::build(config, mode, COMPLETIONS, true)
    }

    /// With `places` in the completion queue, and `madvise` to be used if the kernel has it.
    pub(super) fn build(config: &DriverConfig, mode: TaskRun, places: u32, madvise: bool) -> io::Result<RingDriver> {
        let mut queue = Queue::new(mode, places)?;
        let supported = queue.supported()?;
        let needed =
            [opcode::AcceptMulti::CODE, opcode::RecvMulti::CODE, opcode::PollAdd::CODE, opcode::AsyncCancel::CODE];
        if !needed.iter().all(|&code| supported.is_supported(code)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "an operation is missing"));
        }
        let waker = Waker::new()?;
        let page_ins = match madvise && supported.is_supported(opcode::Madvise::CODE) {
            true => Paging::by_kernel(config, PAGE_IN),
            false => Paging::by_threads(config, &waker),
        };
        let buffers = Provided::register(&queue.submitter(), config.buffers, config.buffer_bytes)?;
        queue.push(&Operation::WatchReadable(waker.as_fd().as_raw_fd()), pack(WAKER, NOBODY));
        Ok(RingDriver {
            queue,
            completions: Vec::with_capacity(COMPLETIONS as usize),
            connections: Table::with_capacity(config.connections),
            closing: HashMap::new(),
            ended: Vec::new(),
            starved: VecDeque::new(),
            listeners: Vec::new(),
            listening: 0,
            buffers,
            waker,
            page_ins,
            counts: Counts::default(),
        })
    }

    fn cancel(&mut self, name: u64) {
        self.queue.push(&Operation::Cancel(name), UNHEARD);
    }

    /// Begins an operation again, if its owner is there and still wants it.
    fn arm(&mut self, name: u64) {
        let (kind, token) = unpack(name);
        let operation = match kind {
            WAKER => Operation::WatchReadable(self.waker.as_fd().as_raw_fd()),
            ACCEPT if token.generation == self.listening => {
                let Some(listener) = self.listeners.get(token.slot as usize) else { return };
                Operation::Accept(listener.socket.as_raw_fd())
            }
            RECEIVE | WRITABLE => {
                let Some(connection) = self.connections.get(token) else { return };
                let under_way = if kind == RECEIVE { &mut connection.receiving } else { &mut connection.watching };
                if connection.closed || *under_way || kind == RECEIVE && connection.paused {
                    return;
                }
                *under_way = true;
                match kind {
                    RECEIVE => Operation::Receive(connection.socket, GROUP),
                    _ => Operation::WatchWritable(connection.socket),
                }
            }
            _ => return,
        };
        self.queue.push(&operation, name);
    }

    /// Arms as many starved receives as there are buffers to give; who waited longest goes first.
    fn feed_starved(&mut self) {
        for _ in 0..self.buffers.at_home().min(self.starved.len()) {
            let Some(token) = self.starved.pop_front() else { return };
            self.arm(pack(RECEIVE, token));
        }
    }

    fn wake_listeners(&mut self) -> Option<Instant> {
        let (queue, generation) = (&mut self.queue, self.listening);
        end_rests(&mut self.listeners, |slot, listener| {
            queue.push(&Operation::Accept(listener.socket.as_raw_fd()), pack(ACCEPT, Token { slot, generation }));
        })
    }

    fn collect(&mut self, events: &mut Vec<Event>) {
        let mut completions = std::mem::take(&mut self.completions);
        self.queue.collect(&mut completions);
        for completion in completions.drain(..) {
            self.sort(completion, events);
        }
        self.completions = completions;
    }

    fn sort(&mut self, completion: Completion, events: &mut Vec<Event>) {
        let (kind, token) = unpack(completion.name);
        if !completion.goes_on() {
            self.closing.remove(&completion.name);
        }
        match kind {
            RECEIVE => self.received(completion, token, events),
            WRITABLE => self.writable(completion, token, events),
            ACCEPT => self.accepted(completion, token, events),
            WAKER => self.woken(completion, events),
            PAGE_IN => self.page_ins.completed(completion, token.slot, events),
            _ => {}
        }
    }

    fn received(&mut self, completion: Completion, token: Token, events: &mut Vec<Event>) {
        let result = completion.result();
        let buffer = completion.buffer().map(|index| self.buffers.lend(index, result.unwrap_or(0)));
        let Some(connection) = self.connections.get(token).filter(|connection| !connection.closed) else {
            // Late bytes of somebody forgotten.
            buffer.into_iter().for_each(|buffer| self.buffers.release(buffer));
            return;
        };
        connection.receiving = completion.goes_on();
        match (result, buffer) {
            (Ok(1..), Some(buffer)) => {
                events.push(Event::Received { token, buffer });
                if !completion.goes_on() {
                    self.ended.push(completion.name);
                }
                return;
            }
            (_, buffer) => buffer.into_iter().for_each(|buffer| self.buffers.release(buffer)),
        }
        match result {
            Err(Errno::NOBUFS) => {
                self.counts.buffers_exhausted += 1;
                self.starved.push_back(token);
            }
            // By a pause, which a resume may have overtaken.
            Err(Errno::CANCELED | Errno::AGAIN | Errno::INTR) => self.ended.push(completion.name),
            end => {
                connection.closed = true;
                events.push(Event::Closed { token, error: end.err().map(io::Error::from) });
            }
        }
    }

    fn writable(&mut self, completion: Completion, token: Token, events: &mut Vec<Event>) {
        let Some(connection) = self.connections.get(token) else { return };
        connection.watching = completion.goes_on();
        if connection.closed {
            return;
        }
        let edges = completion.result().unwrap_or(0);
        // Hung up is closed in both directions: what there is to say is said by the receive.
        if edges & POLLHUP != 0 {
            connection.hung_up = true;
            if std::mem::take(&mut connection.paused) {
                self.ended.push(pack(RECEIVE, token));
            }
        } else if edges & POLLOUT != 0 {
            events.push(Event::Writable { token });
        }
        if !completion.goes_on() {
            self.ended.push(completion.name);
        }
    }

    fn accepted(&mut self, completion: Completion, token: Token, events: &mut Vec<Event>) {
        let listener = match token.generation == self.listening {
            true => self.listeners.get_mut(token.slot as usize),
            false => None,
        };
        // Made into its owner first: whatever follows, it is closed or handed on.
        let socket = completion.result().map(|number| {
            // SAFETY: the kernel made it for this process and told nobody else; this completion is seen once.
            unsafe { OwnedFd::from_raw_fd(number.cast_signed()) }
        });
        let Some(listener) = listener else { return };
        if let Err(error) = socket {
            self.counts.accept_failures += 1;
            listener.rests_until = rest_after(error);
        }
        if !completion.goes_on() && listener.rests_until.is_none() {
            self.ended.push(completion.name);
        }
        let Ok(socket) = socket else { return };
        match sockets::peer_address(&socket) {
            Ok(address) => events.push(Event::Accepted { socket, address }),
            // Gone before we looked.
            Err(_) => self.counts.accept_failures += 1,
        }
    }

    fn woken(&mut self, completion: Completion, events: &mut Vec<Event>) {
        if !completion.goes_on() {
            self.ended.push(completion.name);
        }
        if self.waker.take_mail() {
            events.push(Event::Mail);
        }
        self.page_ins.collect(events);
    }
}

impl Drop for RingDriver {
    fn drop(&mut self) {
        let mut events = Vec::new();
        self.stop_listening();
        self.queue.finish(&mut self.completions);
        // Connections accepted meanwhile are closed here.
        self.collect(&mut events);
        self.buffers.unregister(&self.queue.submitter());
    }
}

const NOBODY: Token = Token { slot: 0, generation: 0 };
const POLLOUT: u32 = libc::POLLOUT as u32;
const POLLHUP: u32 = libc::POLLHUP as u32;
