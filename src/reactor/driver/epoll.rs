//! The driver for kernels and containers without io_uring.
//!
//! Each socket is registered once, for edges in both directions. What an edge announced is kept in a list of readable
//! sockets, of which each gets one bounded turn per wait: whoever floods waits behind everybody else, and holds
//! few buffers at a time.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::accept::{Listener, end_rests, rest_after, shorten};
use super::buffers::{Buffer, Pool};
use super::interface::{Counts, Driver, DriverConfig, Event, MemoryRange, Token};
use super::page_in::PageIns;
use super::table::{Table, pack, unpack};
use super::waker::Waker;
use crate::reactor::sockets;

/// Answers taken from the kernel at once; what is left comes with the next wait, in turn.
const ANSWERS: usize = 1024;
/// Connections accepted from one listener per wait, so that a storm of them leaves turns to those that stand.
const ACCEPTS_PER_WAIT: usize = 64;
/// Buffers that one socket may fill per wait.
const RECEIVES_PER_WAIT: usize = 4;

const SOCKET: u8 = 0;
const LISTENER: u8 = 1;
const WAKER: u8 = 2;

/// Readiness by epoll(7), receives by recv(2).
pub struct EpollDriver {
    epoll: OwnedFd,
    answers: Vec<epoll::Event>,
    connections: Table<Connection>,
    /// Connections with `queued` set, each once; forgotten ones fall out when their turn comes.
    readable: VecDeque<Token>,
    listeners: Vec<Listener>,
    buffers: Pool,
    waker: Waker,
    page_ins: PageIns,
    counts: Counts,
}

struct Connection {
    socket: RawFd,
    /// Stands in the list of readable sockets.
    queued: bool,
    /// The end of the stream was announced: a short read is not the last one.
    ending: bool,
    paused: bool,
    /// Closed in both directions: never paused from then on, for its end is to be heard.
    hung_up: bool,
    closed: bool,
}

enum Turn {
    /// Nothing left, or nobody there.
    Over,
    /// More to read next time.
    Unfinished,
    NoBuffer,
}

impl Driver for EpollDriver {
    fn new(config: &DriverConfig) -> io::Result<EpollDriver> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let waker = Waker::new()?;
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &waker, name(WAKER, 0), edge)?;
        Ok(EpollDriver {
            epoll,
            answers: Vec::with_capacity(ANSWERS),
            connections: Table::with_capacity(config.connections),
            readable: VecDeque::new(),
            listeners: Vec::new(),
            buffers: Pool::new(config.buffers, config.buffer_bytes),
            page_ins: PageIns::new(config.page_ins, waker.clone()),
            waker,
            counts: Counts::default(),
        })
    }

    fn name(&self) -> &'static str {
        "epoll"
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn listen(&mut self, listener: OwnedFd) -> io::Result<()> {
        let index = u32::try_from(self.listeners.len()).map_err(io::Error::other)?;
        epoll::add(&self.epoll, &listener, name(LISTENER, index), epoll::EventFlags::IN)?;
        self.listeners.push(Listener::new(listener));
        Ok(())
    }

    fn stop_listening(&mut self) {
        for listener in self.listeners.drain(..) {
            // Fails only for a descriptor that was never added.
            let _ = epoll::delete(&self.epoll, &listener.socket);
        }
    }

    fn adopt(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let connection = Connection {
            socket: socket.as_raw_fd(),
            queued: false,
            ending: false,
            paused: false,
            hung_up: false,
            closed: false,
        };
        self.connections.insert(token, connection)?;
        let edges = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        let added = epoll::add(&self.epoll, socket, epoll::EventData::new_u64(pack(SOCKET, token)), edges);
        if added.is_err() {
            self.connections.remove(token);
        }
        Ok(added?)
    }

    fn forget(&mut self, token: Token, socket: OwnedFd) {
        if let Some(connection) = self.connections.remove(token) {
            debug_assert_eq!(connection.socket, socket.as_raw_fd(), "the socket that was adopted");
            // Needed although the descriptor is closed: a copy of it elsewhere would keep the registration.
            let _ = epoll::delete(&self.epoll, &socket);
        }
    }

    fn pause_receive(&mut self, token: Token) {
        if let Some(connection) = self.connections.get(token) {
            connection.paused = !connection.hung_up;
        }
    }

    fn resume_receive(&mut self, token: Token) {
        if let Some(connection) = self.connections.get(token) {
            connection.paused = false;
            // Its edges went by unused; one read tells whether there was one.
            self.queue(token);
        }
    }

    fn page_in(&mut self, token: u64, range: MemoryRange) -> io::Result<()> {
        self.page_ins.start(token, range)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let rests_until = self.wake_listeners();
        let unfinished = !self.readable.is_empty() && !self.buffers.is_empty();
        let timeout = if unfinished { Some(Duration::ZERO) } else { shorten(timeout, rests_until) };
        self.ask_kernel(timeout)?;
        let answers = std::mem::take(&mut self.answers);
        for answer in &answers {
            self.sort(*answer, events);
        }
        self.answers = answers;
        self.receive_in_turn(events);
        Ok(())
    }

    fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.buffers.bytes(buffer)
    }

    fn release(&mut self, buffer: Buffer) {
        self.buffers.release(buffer);
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

impl EpollDriver {
    fn ask_kernel(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.answers.clear();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&self.epoll, spare_capacity(&mut self.answers), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn sort(&mut self, answer: epoll::Event, events: &mut Vec<Event>) {
        let (kind, token) = unpack(answer.data.u64());
        match kind {
            LISTENER => self.accept(token.slot, events),
            WAKER => self.collect_wakes(events),
            _ => self.note_edges(token, answer.flags, events),
        }
    }

    fn collect_wakes(&mut self, events: &mut Vec<Event>) {
        if self.waker.take_mail() {
            events.push(Event::Mail);
        }
        self.page_ins.collect(events);
    }

    fn note_edges(&mut self, token: Token, edges: epoll::EventFlags, events: &mut Vec<Event>) {
        let Some(connection) = self.connections.get(token) else { return };
        let end = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        connection.ending |= edges.intersects(end);
        if edges.contains(epoll::EventFlags::HUP) {
            (connection.hung_up, connection.paused) = (true, false);
        }
        // Hung up is closed in both directions: what there is to say is said by the receive.
        if edges.contains(epoll::EventFlags::OUT) && !connection.hung_up && !connection.closed {
            events.push(Event::Writable { token });
        }
        if edges.intersects(end | epoll::EventFlags::IN) {
            self.queue(token);
        }
    }

    fn queue(&mut self, token: Token) {
        if let Some(connection) = self.connections.get(token)
            && !connection.queued
            && !connection.closed
        {
            connection.queued = true;
            self.readable.push_back(token);
        }
    }

    /// One turn for each readable socket. Where buffers run out, those left keep their places.
    fn receive_in_turn(&mut self, events: &mut Vec<Event>) {
        for _ in 0..self.readable.len() {
            let Some(token) = self.readable.pop_front() else { return };
            match self.receive(token, events) {
                Turn::Over => {
                    if let Some(connection) = self.connections.get(token) {
                        connection.queued = false;
                    }
                }
                Turn::Unfinished => self.readable.push_back(token),
                Turn::NoBuffer => {
                    self.counts.buffers_exhausted += 1;
                    self.readable.push_front(token);
                    return;
                }
            }
        }
    }

    fn receive(&mut self, token: Token, events: &mut Vec<Event>) -> Turn {
        let Some(connection) = self.connections.get(token) else { return Turn::Over };
        if connection.paused {
            return Turn::Over;
        }
        for _ in 0..RECEIVES_PER_WAIT {
            let Some(memory) = self.buffers.next() else { return Turn::NoBuffer };
            let room = memory.len();
            match sockets::receive(connection.socket, memory) {
                Ok(0) => return close(connection, token, None, events),
                Ok(length) => {
                    events.extend(self.buffers.lend(length).map(|buffer| Event::Received { token, buffer }));
                    // A short read emptied the socket, and the next bytes raise the next edge (epoll(7)).
                    if length < room && !connection.ending {
                        return Turn::Over;
                    }
                }
                Err(Errno::AGAIN) => return Turn::Over,
                Err(Errno::INTR) => {}
                Err(error) => return close(connection, token, Some(error.into()), events),
            }
        }
        Turn::Unfinished
    }

    fn accept(&mut self, index: u32, events: &mut Vec<Event>) {
        // A listener that stopped since the kernel answered is no longer there.
        let Some(listener) = self.listeners.get_mut(index as usize) else { return };
        for _ in 0..ACCEPTS_PER_WAIT {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(&listener.socket, flags) {
                Ok((socket, Some(address))) => match SocketAddr::try_from(address) {
                    Ok(address) => {
                        events.push(Event::Accepted { socket, address: sockets::without_mapping(address) });
                    }
                    Err(_) => self.counts.accept_failures += 1,
                },
                Ok((_, None)) => self.counts.accept_failures += 1,
                Err(Errno::AGAIN) => return,
                Err(error) => {
                    self.counts.accept_failures += 1;
                    if let Some(until) = rest_after(error) {
                        listener.rests_until = Some(until);
                        watch(&self.epoll, listener, index, epoll::EventFlags::empty());
                        return;
                    }
                }
            }
        }
    }

    fn wake_listeners(&mut self) -> Option<Instant> {
        let epoll = &self.epoll;
        end_rests(&mut self.listeners, |index, listener| watch(epoll, listener, index, epoll::EventFlags::IN))
    }
}

fn name(kind: u8, slot: u32) -> epoll::EventData {
    epoll::EventData::new_u64(pack(kind, Token { slot, generation: 0 }))
}

fn watch(epoll: &OwnedFd, listener: &Listener, index: u32, interest: epoll::EventFlags) {
    // The listener was added with this epoll, so changing its interest has no way to fail.
    let _ = epoll::modify(epoll, listener.socket.as_fd(), name(LISTENER, index), interest);
}

fn close(connection: &mut Connection, token: Token, error: Option<io::Error>, events: &mut Vec<Event>) -> Turn {
    connection.closed = true;
    events.push(Event::Closed { token, error });
    Turn::Over
}
