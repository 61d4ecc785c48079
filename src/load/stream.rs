//! The receiving side of one connection: from bytes in a socket to what they mean, without looking at payload.
//!
//! Two calls a block (its head, its payload) cost more than the payload itself. So once the head of a block is read and
//! is the one expected, that block is taken together with all the blocks behind it that are queued in the socket as a
//! whole, in the order in which they were asked for: their lengths are known. The next head tells whether that was right:
//!
//! - it is that of the next request: all was as expected;
//! - it is another message: nothing wrong either, since only whole messages were taken;
//! - it is no message: something stood between the blocks, so the last of them ends later. The stream is searched for the
//!   head of a block ([`State::Seek`]), and the connection goes on block by block for a while;
//! - it is that of another block: the seeder answers out of order, and this connection goes on block by block for good.
//!
//! Which blocks those were that were taken unseen is not known then, only how many: a seeder with several disk threads
//! (libtorrent, qBittorrent) sends what is read first, and the very next head may be that of a request which was struck
//! long ago. Any block that the torrent has is a head therefore, and where it is not open it stands for one that is.
//!
//! Makes no system call itself: [`Incoming`] is the socket, or in the tests a list of bytes.

use std::collections::VecDeque;
use std::io;

use crate::ids::{InfoHash, PieceIndex};
use crate::metainfo::Geometry;

use super::protocol::{self, BLOCK, Block, HANDSHAKE, Head, PIECE_HEAD};

/// Blocks that are taken one by one after a message stood between them.
const CAREFUL: u32 = 64;
/// Bytes that are searched for a head: more than any one message that may stand between blocks.
const SEEK: u32 = 64 * 1024;

/// Where bytes come from.
pub(super) trait Incoming {
    /// Bytes that can be had at once.
    fn queued(&mut self) -> io::Result<usize>;
    /// Reads bytes; 0 is the end.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
    /// Takes up to `count` bytes of payload of `block` from byte `offset` of it on, perhaps those of further blocks with
    /// their heads too; 0 is the end.
    fn take(&mut self, block: Block, offset: u32, count: usize) -> io::Result<usize>;
    /// Takes up to `count` bytes that nobody wants; 0 is the end.
    fn skip(&mut self, count: usize) -> io::Result<usize>;
}

/// A request that was sent, and when (microseconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) block: Block,
    pub(super) sent: u64,
}

/// What may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// Open requests, the oldest first.
    pub(super) requests: &'a VecDeque<Request>,
    /// Of the torrent that they are for.
    pub(super) geometry: &'a Geometry,
}

impl Expected<'_> {
    /// Whether `block` is one that leechers ask for, at whatever time.
    fn has(&self, block: Block) -> bool {
        let length = self.geometry.piece_length(PieceIndex(block.piece));
        let rest = length.saturating_sub(block.begin);
        block.begin.is_multiple_of(BLOCK) && rest > 0 && block.length == BLOCK.min(rest)
    }

    /// An open request that a block of that length may have answered.
    fn of_length(&self, length: u32) -> Option<usize> {
        self.requests.iter().position(|request| request.block.length == length)
    }
}

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// The seeder's handshake.
    Handshake(InfoHash),
    Choke,
    Unchoke,
    /// `count` requests from place `first` of the queue on are answered; the receiver strikes them from it.
    Blocks {
        first: usize,
        count: usize,
    },
    /// A block that nobody asked for, or that was struck from the queue.
    Unasked,
    /// A request was refused.
    Reject,
    /// The stream was in step again after something stood between blocks.
    Resynchronised,
    /// The stream cannot be read any further.
    Broken(&'static str),
    /// The seeder closed it.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Handshake,
    Head,
    /// Payload of the request at `first`, of which (and of `more` after it) `left` bytes are to come.
    Blocks {
        first: usize,
        more: usize,
        offset: u32,
        left: usize,
    },
    Skip {
        left: usize,
    },
    /// Out of step; that many more bytes are searched.
    Seek {
        left: u32,
    },
}

/// One connection's place in its stream.
#[derive(Debug)]
pub(super) struct Stream {
    head: [u8; HANDSHAKE],
    have: usize,
    state: State,
    /// Blocks still to be taken one by one.
    careful: u32,
    /// Blocks were taken unseen since the last head that was as expected.
    unseen: bool,
    /// A keep-alive came since. Four zeros may be payload as well: no second one is believed.
    doubtful: bool,
    /// Blocks were ever taken unseen: which of them is which is then not known for sure.
    ever_unseen: bool,
    queued: usize,
}

impl Stream {
    /// At its start. `careful`: each block is to be seen.
    pub(super) fn new(careful: bool) -> Stream {
        Stream {
            head: [0; HANDSHAKE],
            have: 0,
            state: State::Handshake,
            careful: if careful { u32::MAX } else { 0 },
            unseen: false,
            doubtful: false,
            ever_unseen: false,
            queued: 0,
        }
    }

    /// To be called when there is something to read, before [`Stream::next`].
    pub(super) fn wake(&mut self, io: &mut impl Incoming) -> io::Result<()> {
        self.queued = io.queued()?;
        Ok(())
    }

    /// Bytes that were there at the last look and are not read.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The next thing that came; nothing if what was there is read.
    pub(super) fn next(
        &mut self,
        io: &mut impl Incoming,
        expected: Expected<'_>,
        budget: &mut usize,
    ) -> io::Result<Option<Event>> {
        loop {
            let step = match self.state {
                State::Handshake => self.handshake(io, budget)?,
                State::Head => self.at_boundary(io, expected, budget)?,
                State::Blocks { .. } => self.blocks(io, expected.requests, budget)?,
                State::Skip { left } => self.skip(io, left, budget)?,
                State::Seek { left } => self.seek(io, expected, left, budget)?,
            };
            match step {
                Step::Go => {}
                Step::Wait => return Ok(None),
                Step::Tell(event) => return Ok(Some(event)),
            }
        }
    }

    fn handshake(&mut self, io: &mut impl Incoming, budget: &mut usize) -> io::Result<Step> {
        if self.have < HANDSHAKE {
            return self.fill(io, HANDSHAKE, budget);
        }
        (self.have, self.state) = (0, State::Head);
        Ok(Step::Tell(protocol::answered(&self.head).map_or_else(Event::Broken, Event::Handshake)))
    }

    /// Reads on until `head` holds `want` bytes.
    fn fill(&mut self, io: &mut impl Incoming, want: usize, budget: &mut usize) -> io::Result<Step> {
        if self.queued == 0 || *budget == 0 {
            return Ok(Step::Wait);
        }
        let count = io.read(&mut self.head[self.have..want])?;
        self.have += count;
        Ok(self.account(count, budget))
    }

    fn account(&mut self, count: usize, budget: &mut usize) -> Step {
        self.queued = self.queued.saturating_sub(count);
        *budget = budget.saturating_sub(count);
        if count == 0 { Step::Tell(Event::End) } else { Step::Go }
    }

    /// Strikes the first `count` bytes, all of which were read.
    fn consume(&mut self, count: usize) {
        self.head.copy_within(count..self.have, 0);
        self.have -= count;
    }

    fn at_boundary(&mut self, io: &mut impl Incoming, expected: Expected<'_>, budget: &mut usize) -> io::Result<Step> {
        let head = protocol::head(&self.head[..self.have]);
        Ok(match head {
            Head::More => return self.fill(io, PIECE_HEAD, budget),
            Head::Piece(block) => self.piece(block, expected),
            Head::Trifle(4) if self.unseen && self.doubtful => self.out_of_step(),
            Head::Trifle(length) => {
                self.doubtful |= length == 4;
                self.short(length, None)
            }
            Head::Choke => self.short(5, Some(Event::Choke)),
            Head::Unchoke => self.short(5, Some(Event::Unchoke)),
            Head::Broken(_) | Head::Other(_) | Head::Reject(_) if self.unseen => self.out_of_step(),
            Head::Broken(what) => Step::Tell(Event::Broken(what)),
            Head::Other(length) => self.pass_over(length as usize, None),
            Head::Reject(length) => self.pass_over(length as usize, Some(Event::Reject)),
        })
    }

    fn short(&mut self, length: u32, event: Option<Event>) -> Step {
        self.consume(length as usize);
        event.map_or(Step::Go, Step::Tell)
    }

    fn pass_over(&mut self, length: usize, event: Option<Event>) -> Step {
        let here = length.min(self.have);
        self.consume(here);
        self.state = if length > here { State::Skip { left: length - here } } else { State::Head };
        event.map_or(Step::Go, Step::Tell)
    }

    fn piece(&mut self, block: Block, expected: Expected<'_>) -> Step {
        let open = expected.requests.iter().position(|request| request.block == block);
        let known = expected.has(block);
        if open.is_none() && self.unseen && !known {
            return self.out_of_step();
        }
        // out of order, and struck among blocks that were taken unseen: one of those is still to come, and open
        let struck = open.is_none() && self.ever_unseen && known;
        let other = struck.then(|| expected.of_length(block.length)).flatten();
        let Some(first) = open.or(other) else {
            return self.pass_over(PIECE_HEAD + block.length as usize, Some(Event::Unasked));
        };
        if open != Some(0) {
            self.careful = u32::MAX;
        }
        self.have = 0;
        self.unseen = false;
        self.state = State::Blocks { first, more: 0, offset: 0, left: block.length as usize };
        Step::Go
    }

    fn blocks(&mut self, io: &mut impl Incoming, requests: &VecDeque<Request>, budget: &mut usize) -> io::Result<Step> {
        let State::Blocks { first, mut more, offset, mut left } = self.state else { return Ok(Step::Go) };
        if self.queued == 0 || *budget == 0 {
            return Ok(Step::Wait);
        }
        if self.careful == 0 && more == 0 && first == 0 {
            (more, left) = whole_blocks(left, self.queued, requests);
        }
        let Some(request) = requests.get(first) else {
            return Ok(Step::Tell(Event::Broken("a block without a request")));
        };
        let count = io.take(request.block, offset, left.min(self.queued).min(*budget))?;
        let step = self.account(count, budget);
        left = left.saturating_sub(count);
        if left > 0 || count == 0 {
            // of several blocks the offset is of no use to anybody
            let offset = offset.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            self.state = State::Blocks { first, more, offset, left };
            return Ok(step);
        }
        if self.careful != u32::MAX {
            self.careful = self.careful.saturating_sub(1);
        }
        (self.unseen, self.doubtful) = (more > 0, false);
        self.ever_unseen |= self.unseen;
        self.state = State::Head;
        Ok(Step::Tell(Event::Blocks { first, count: more + 1 }))
    }

    fn skip(&mut self, io: &mut impl Incoming, left: usize, budget: &mut usize) -> io::Result<Step> {
        if self.queued == 0 || *budget == 0 {
            return Ok(Step::Wait);
        }
        let count = io.skip(left.min(self.queued).min(*budget))?;
        self.state = if count == left { State::Head } else { State::Skip { left: left - count } };
        Ok(self.account(count, budget))
    }

    fn out_of_step(&mut self) -> Step {
        self.careful = self.careful.max(CAREFUL);
        self.state = State::Seek { left: SEEK };
        Step::Go
    }

    /// Moves on byte by byte until the head of a block stands at the front. Rare: cost does not matter.
    fn seek(
        &mut self,
        io: &mut impl Incoming,
        expected: Expected<'_>,
        left: u32,
        budget: &mut usize,
    ) -> io::Result<Step> {
        if self.have < PIECE_HEAD {
            return self.fill(io, PIECE_HEAD, budget);
        }
        if let Head::Piece(block) = protocol::head(&self.head[..PIECE_HEAD])
            && expected.has(block)
        {
            (self.state, self.unseen) = (State::Head, false);
            return Ok(Step::Tell(Event::Resynchronised));
        }
        if left == 0 {
            return Ok(Step::Tell(Event::Broken("no message begins where one should")));
        }
        self.consume(1);
        self.state = State::Seek { left: left - 1 };
        Ok(Step::Go)
    }
}

enum Step {
    Go,
    Wait,
    Tell(Event),
}

/// Of `queued` bytes that begin with `left` bytes of the oldest request: how many further blocks are there as a whole, and
/// where the last of them ends.
fn whole_blocks(left: usize, queued: usize, requests: &VecDeque<Request>) -> (usize, usize) {
    let (mut more, mut end) = (0, left);
    for request in requests.iter().skip(1) {
        let next = end + PIECE_HEAD + request.block.length as usize;
        if next > queued {
            break;
        }
        (more, end) = (more + 1, next);
    }
    (more, end)
}

#[cfg(test)]
mod tests;
