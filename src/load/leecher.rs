//! One simulated leecher: connect, handshake, ask, take, and whatever its behaviour says beyond that.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::ids::PeerId;

use super::meter::Meter;
use super::picker::Picker;
use super::pieces::{Loading, Verifier};
use super::plan::{Behaviour, Plan};
use super::protocol::{self, Block};
use super::stream::{Event, Expected, Incoming, Request, Stream};
use super::{Mode, socket};

/// Microseconds after which a silent leecher says that it is alive: clients close after two minutes.
const KEEP_ALIVE: u64 = 100_000_000;
/// Microseconds for which requests may stay unanswered.
const STALL: u64 = 30_000_000;
/// Events of one connection at a time, so that the others have their turn. A block is an event where each one is looked at;
/// those whose receive buffer the kernel had once made larger then won: of 50 that check pieces, Jain's index was 0.5 with
/// 64 events, 0.79 with 16, 0.98 with 4.
const EVENTS_PER_TURN: usize = 4;

/// What all leechers of a thread use.
pub(super) struct Context<'run> {
    pub(super) plan: &'run Plan,
    pub(super) meter: Meter,
    pub(super) verifier: Verifier,
    /// Payload that is copied lands here.
    pub(super) scratch: Vec<u8>,
    /// Requests are put together here.
    pub(super) outgoing: Vec<u8>,
    /// Microseconds since the start.
    pub(super) now: u64,
    /// All are connected: requests may be sent.
    pub(super) asking: bool,
}

/// What became of a leecher's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// All is read.
    Done,
    /// There is more to read.
    More,
    /// The seeder is gone.
    Lost,
    /// It has what it came for.
    Leaves,
}

/// A connection's state.
pub(super) struct Leecher {
    socket: OwnedFd,
    peer_id: PeerId,
    active: bool,
    connected: bool,
    greeted: bool,
    ending: bool,
    unchoked: bool,
    ever_unchoked: bool,
    stream: Stream,
    requests: VecDeque<Request>,
    picker: Picker,
    loading: Loading,
    /// What the socket did not take.
    unsent: Vec<u8>,
    /// Bytes of the stream that may be read now.
    budget: usize,
    /// Blocks until it leaves.
    blocks_left: u64,
    begun: u64,
    last_sent: u64,
    last_block: u64,
    pub(super) bytes: u64,
}

impl Leecher {
    pub(super) fn new(
        socket: OwnedFd,
        active: bool,
        peer_id: PeerId,
        picker: Picker,
        context: &Context<'_>,
    ) -> Leecher {
        let plan = context.plan;
        let blocks = u64::from(plan.torrent.geometry().nominal_piece_length().div_ceil(protocol::BLOCK));
        Leecher {
            socket,
            peer_id,
            active,
            connected: false,
            greeted: false,
            ending: false,
            unchoked: false,
            ever_unchoked: false,
            stream: Stream::new(plan.mode == Mode::Verify),
            requests: VecDeque::with_capacity(if active { plan.depth } else { 0 }),
            picker,
            loading: Loading::default(),
            unsent: Vec::new(),
            budget: if matches!(plan.behaviour, Behaviour::Slow { .. }) { 0 } else { usize::MAX },
            blocks_left: match plan.behaviour {
                Behaviour::Churn { pieces } => u64::from(pieces) * blocks,
                _ => u64::MAX,
            },
            begun: context.now,
            last_sent: context.now,
            last_block: context.now,
            bytes: 0,
        }
    }

    pub(super) fn is_greeted(&self) -> bool {
        self.greeted
    }

    pub(super) fn is_unchoked(&self) -> bool {
        self.unchoked
    }

    /// The kernel says that there is something to do. `ending`: the stream has an end.
    pub(super) fn ready(&mut self, ending: bool, context: &mut Context<'_>) -> Turn {
        if !self.connected {
            if let Err(error) = self.greet(context) {
                context.meter.error(|| format!("cannot connect to {}: {error}", context.plan.target));
                return Turn::Lost;
            }
        } else if !self.unsent.is_empty() && self.flush().is_err() {
            return self.lost(context);
        }
        self.ending |= ending;
        match self.receive(context) {
            Ok(Turn::Done) if self.ending && self.stream.queued() == 0 => self.lost(context),
            Ok(turn) => turn,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Turn::Done,
            Err(_) => self.lost(context),
        }
    }

    fn greet(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        socket::connected(self.socket.as_fd())?;
        self.connected = true;
        self.begun = context.now;
        let info_hash = context.plan.torrent.info_hash();
        self.unsent.extend_from_slice(&protocol::handshake(info_hash, self.peer_id));
        if self.active {
            self.unsent.extend_from_slice(&protocol::INTERESTED);
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let sent = socket::send(self.socket.as_fd(), &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(())
    }

    fn lost(&self, context: &mut Context<'_>) -> Turn {
        context.meter.error(|| match self.greeted {
            false => "the seeder closed the connection at the handshake".into(),
            true => "the seeder closed a connection".into(),
        });
        Turn::Lost
    }

    fn receive(&mut self, context: &mut Context<'_>) -> io::Result<Turn> {
        self.stream.wake(&mut Intake::of(&self.socket, &mut self.loading, context))?;
        let plan = context.plan;
        for _ in 0..EVENTS_PER_TURN {
            let mut intake = Intake::of(&self.socket, &mut self.loading, context);
            let expected = Expected { requests: &self.requests, geometry: plan.torrent.geometry() };
            let event = match self.stream.next(&mut intake, expected, &mut self.budget) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                event => event?,
            };
            let Some(event) = event else {
                self.refill(context)?;
                return Ok(Turn::Done);
            };
            if let Some(turn) = self.happened(event, context) {
                return Ok(turn);
            }
        }
        self.refill(context)?;
        Ok(Turn::More)
    }

    fn happened(&mut self, event: Event, context: &mut Context<'_>) -> Option<Turn> {
        match event {
            Event::Blocks { first, count } => return self.arrived(first, count, context),
            Event::Handshake(hash) if hash != context.plan.torrent.info_hash() => {
                return self.broken("the seeder answered with another torrent's info-hash", context);
            }
            Event::Handshake(_) => self.greeted = true,
            Event::Unchoke => self.unchoke(context),
            Event::Choke => self.choke(context),
            Event::Reject => context.meter.rejects += 1,
            Event::Unasked => {
                context.meter.protocol_errors += 1;
                context.meter.error(|| "a block that was not asked for".into());
            }
            Event::Resynchronised => {}
            Event::Broken(what) => return self.broken(what, context),
            Event::End => return Some(self.lost(context)),
        }
        None
    }

    #[expect(clippy::unused_self, reason = "reads like the others")]
    fn broken(&self, what: &'static str, context: &mut Context<'_>) -> Option<Turn> {
        context.meter.protocol_errors += 1;
        context.meter.error(|| what.into());
        Some(Turn::Lost)
    }

    fn unchoke(&mut self, context: &mut Context<'_>) {
        if !self.ever_unchoked {
            context.meter.unchoke.saturating_record(context.now - self.begun);
        }
        (self.unchoked, self.ever_unchoked, self.last_block) = (true, true, context.now);
    }

    /// Without Fast (BEP 6) a choke drops all requests.
    fn choke(&mut self, context: &mut Context<'_>) {
        if self.ever_unchoked {
            context.meter.chokes += 1;
        }
        self.unchoked = false;
        self.requests.drain(..).for_each(|request| self.picker.give_back(request.block));
    }

    fn arrived(&mut self, first: usize, count: usize, context: &mut Context<'_>) -> Option<Turn> {
        let mut same = (0, 0);
        for request in self.requests.drain(first..first + count) {
            let length = u64::from(request.block.length);
            self.bytes += length;
            context.meter.bytes += length;
            if context.plan.mode == Mode::Verify {
                self.loading.arrived(request.block, &mut context.verifier);
            }
            // requests leave in groups: one record for each group
            let latency = context.now.saturating_sub(request.sent);
            if same.0 != latency {
                context.meter.latency.saturating_record_n(same.0, same.1);
                same = (latency, 0);
            }
            same.1 += 1;
        }
        context.meter.latency.saturating_record_n(same.0, same.1);
        self.last_block = context.now;
        self.blocks_left = self.blocks_left.saturating_sub(count as u64);
        (self.blocks_left == 0).then_some(Turn::Leaves)
    }

    /// Asks for more once a quarter of the depth is free, all of it in one call.
    fn refill(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let depth = context.plan.depth;
        let free = depth - self.requests.len().min(depth);
        if !context.asking || !self.unchoked || !self.active || !self.unsent.is_empty() || free * 4 < depth {
            return Ok(());
        }
        let still = self.blocks_left.saturating_sub(self.requests.len() as u64);
        let count = free.min(usize::try_from(still).unwrap_or(usize::MAX));
        if self.requests.is_empty() {
            // nothing was owed until now, however long that was
            self.last_block = context.now;
        }
        context.outgoing.clear();
        for _ in 0..count {
            let block = self.picker.next(context.plan.torrent.geometry());
            self.requests.push_back(Request { block, sent: context.now });
            context.outgoing.extend_from_slice(&protocol::request(block));
        }
        if count > 0 {
            let sent = socket::send(self.socket.as_fd(), &context.outgoing)?;
            self.unsent.extend_from_slice(&context.outgoing[sent..]);
            self.last_sent = context.now;
        }
        Ok(())
    }

    /// Now and then: keep-alives, and whether the seeder still answers.
    pub(super) fn tick(&mut self, context: &mut Context<'_>) -> Turn {
        if !self.greeted && context.now - self.begun > 2 * STALL {
            context.meter.error(|| "no handshake came for a minute".into());
            return Turn::Lost;
        }
        let slow = matches!(context.plan.behaviour, Behaviour::Slow { .. });
        if !slow && !self.requests.is_empty() && context.now - self.last_block > STALL {
            context.meter.protocol_errors += 1;
            context.meter.error(|| format!("{} requests unanswered for 30 s", self.requests.len()));
            return Turn::Lost;
        }
        if self.greeted && self.unsent.is_empty() && context.now - self.last_sent > KEEP_ALIVE {
            self.last_sent = context.now;
            self.unsent.extend_from_slice(&protocol::KEEP_ALIVE);
            if self.flush().is_err() {
                return self.lost(context);
            }
        }
        // a block longer than the receive buffer waits for this, and everything that a slow reader reads
        if self.stream.queued() > 0 || self.budget != usize::MAX { Turn::More } else { Turn::Done }
    }

    /// A slow reader may read `bytes` more.
    pub(super) fn allow(&mut self, bytes: usize) {
        // what was not used is not saved up for long
        self.budget = (self.budget + bytes).min(4 * bytes);
    }

    pub(super) fn close(mut self, context: &mut Context<'_>) {
        self.loading.clear(&mut context.verifier);
    }
}

/// The socket and what becomes of payload.
struct Intake<'turn> {
    socket: BorrowedFd<'turn>,
    mode: Mode,
    scratch: &'turn mut Vec<u8>,
    loading: &'turn mut Loading,
    verifier: &'turn mut Verifier,
}

impl<'turn> Intake<'turn> {
    fn of(socket: &'turn OwnedFd, loading: &'turn mut Loading, context: &'turn mut Context<'_>) -> Intake<'turn> {
        let (scratch, verifier) = (&mut context.scratch, &mut context.verifier);
        Intake { socket: socket.as_fd(), mode: context.plan.mode, scratch, loading, verifier }
    }
}

impl Incoming for Intake<'_> {
    fn queued(&mut self) -> io::Result<usize> {
        socket::queued(self.socket)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        socket::read(self.socket, into)
    }

    fn take(&mut self, block: Block, offset: u32, count: usize) -> io::Result<usize> {
        match self.mode {
            Mode::Discard => socket::discard(self.socket, count),
            Mode::Copy => {
                let room = count.min(self.scratch.len());
                socket::read(self.socket, &mut self.scratch[..room])
            }
            Mode::Verify => {
                let place = self.loading.place(block, offset, self.verifier);
                let count = count.min(place.len());
                socket::read(self.socket, &mut place[..count])
            }
        }
    }

    fn skip(&mut self, count: usize) -> io::Result<usize> {
        socket::discard(self.socket, count)
    }
}
