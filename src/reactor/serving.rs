//! Sending: a turn becomes a chunk, a chunk goes to the socket or waits for the disk.

use std::os::fd::AsFd;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, TorrentId};
use crate::peer::Reason;
use crate::shard::Turn;
use crate::storage::{ColdRange, PayloadError};
use crate::transmit::{Progress, SendError, SendMode};

use super::driver::{Driver, MemoryRange};
use super::event_loop::{EventLoop, PagedIn};

/// Chunks of a peer's own queue that are read from disk before their turn comes.
const READ_AHEAD_BLOCKS: usize = 64;
/// Times that a chunk is read in before it is sent in any case. Pages are lost between their reading and their sending only
/// where memory is far too short; then one reactor waits for the disk rather than one peer for ever.
const PAGE_IN_TRIES: u8 = 4;

impl<D: Driver> EventLoop<D> {
    /// Serves the next turn; `false` if there is none.
    pub(super) fn serve(&mut self, now: Time) -> bool {
        let Some(turn) = self.shard.next_turn(now) else { return false };
        let key = turn.key;
        let Some(socket) = self.socket(key) else {
            self.shard.close(key, Reason::Failed);
            return true;
        };
        if !socket.outgoing.is_idle() {
            // only control bytes that did not fit can be left here
            self.shard.blocked(key, 0, now);
            return true;
        }
        let appetite = socket.outgoing.appetite();
        let mut blocks = std::mem::take(&mut self.blocks);
        self.shard.take_blocks(&turn, appetite, &mut blocks);
        if !self.shard.wait_for_check(&turn, &mut blocks) {
            self.send(&turn, &mut blocks, now);
        }
        self.blocks = blocks;
        true
    }

    fn send(&mut self, turn: &Turn, blocks: &mut Vec<BlockRef>, now: Time) {
        let key = turn.key;
        let taken = match self.fill_chunk(turn, blocks) {
            Ok(taken) => taken,
            Err(error) => return self.fail(turn.torrent, error.to_string()),
        };
        self.shard.put_back(key, &blocks[taken..]);
        if self.wait_for_disk(turn, &blocks[..taken], now) {
            return;
        }
        let Some(socket) = self.sockets[super::event_loop::index(key)].as_mut() else { return };
        socket.paged_in = None;
        match self.transmitter.send(socket.descriptor.as_fd(), &mut socket.outgoing, &mut self.chunk) {
            Ok(sent) => {
                self.shard.sent(key, sent.payload_bytes, now);
                match sent.progress {
                    Progress::Done => self.shard.served(key, sent.payload_bytes),
                    Progress::Blocked => self.shard.blocked(key, sent.payload_bytes, now),
                }
            }
            Err(error) => self.send_failed(key, error),
        }
    }

    /// Puts the addresses of `blocks` into the chunk; how many of them fit. A block strewn over too many files is
    /// rejected, once: it is no longer among `blocks`.
    fn fill_chunk(&mut self, turn: &Turn, blocks: &mut Vec<BlockRef>) -> Result<usize, PayloadError> {
        self.chunk.begin(turn.bare);
        let Some(payload) = self.payloads.get(&turn.torrent) else { return Ok(0) };
        let mut taken = 0;
        while let Some(block) = blocks.get(taken).filter(|block| self.chunk.has_room(block.length)) {
            match self.chunk.push(&mut self.maps, turn.torrent, payload, *block) {
                Err(PayloadError::Scattered(block) | PayloadError::OutOfRange(block)) => {
                    self.shard.reject(turn.key, block);
                    blocks.remove(taken);
                }
                other => other.map(|()| taken += 1)?,
            }
        }
        Ok(taken)
    }

    /// Asks for what of the chunk is cold; whether the turn ended by that. What was read in is looked at again: it may have
    /// been evicted, and the turn may carry more blocks than the one that waited.
    fn wait_for_disk(&mut self, turn: &Turn, blocks: &[BlockRef], now: Time) -> bool {
        let (key, Some(first)) = (turn.key, blocks.first().copied()) else { return false };
        let paged_in = self.socket(key).and_then(|socket| socket.paged_in);
        let tries =
            paged_in.filter(|paged_in| is_same_place(paged_in.first, first)).map_or(0, |paged_in| paged_in.tries);
        if !self.may_ask(tries) {
            return false;
        }
        // kept between turns: a warm chunk costs no allocation
        self.cold.clear();
        self.chunk.cold_ranges(&mut self.residency, now, &mut self.cold);
        if self.cold.is_empty() {
            return false;
        }
        self.shard.cold(key, blocks);
        if let Some(socket) = self.socket(key) {
            socket.paged_in = Some(PagedIn { first, tries: tries + 1 });
        }
        if self.ask_for_cold(key) {
            self.read_ahead(turn, now);
            self.start_paging();
        }
        true
    }

    /// Whether to look if something is cold that was read in `tries` times before.
    fn may_ask(&self, tries: u8) -> bool {
        tries == 0 || tries < PAGE_IN_TRIES && !self.residency.is_refused()
    }

    /// Asks for the ranges of `self.cold`, which `key` waits for. `false`: there is no room for any, and it waits for that.
    fn ask_for_cold(&mut self, key: PeerKey) -> bool {
        let asked = self.cold.drain(..).filter(|range| self.paging.ask(range.clone(), Some(key))).count();
        if asked == 0 {
            self.paging.wait_for_room(key);
        }
        asked > 0
    }

    /// Whether the rest of a chunk is to be read in before it can be flushed: between two sends of it its pages may have been
    /// evicted, and the copying path would wait for the disk in the middle of `sendmsg`.
    fn rest_waits(&mut self, key: PeerKey, now: Time) -> bool {
        let place = self.sockets.get_mut(super::event_loop::index(key)).and_then(Option::as_mut);
        let Some(socket) = place.filter(|socket| socket.generation == key.generation) else { return false };
        let Some(rest) = socket.outgoing.rest() else {
            (socket.rest_tries, socket.rest_waits) = (0, false);
            return false;
        };
        let (tries, waits) = (socket.rest_tries, socket.rest_waits);
        if waits || tries > 0 && (tries >= PAGE_IN_TRIES || self.residency.is_refused()) {
            return waits;
        }
        self.cold.clear();
        rest.cold_ranges(&mut self.residency, now, &mut self.cold);
        if self.cold.is_empty() {
            return false;
        }
        (socket.rest_tries, socket.rest_waits) = (tries + 1, true);
        if self.ask_for_cold(key) {
            self.start_paging();
        }
        true
    }

    /// Asks for what the peer will want next, so that its later chunks are warm when their turn comes.
    fn read_ahead(&mut self, turn: &Turn, now: Time) {
        let Some(payload) = self.payloads.get(&turn.torrent) else { return };
        self.shard.peek(turn.key, READ_AHEAD_BLOCKS, &mut self.ahead);
        for block in &self.ahead {
            if !self.chunk.has_room(block.length) {
                self.chunk.cold_ranges(&mut self.residency, now, &mut self.cold);
                self.chunk.clear();
            }
            if self.chunk.push(&mut self.maps, turn.torrent, payload, *block).is_err() {
                break;
            }
        }
        self.chunk.cold_ranges(&mut self.residency, now, &mut self.cold);
        self.chunk.clear();
        for range in self.cold.drain(..) {
            self.paging.ask(range, None);
        }
    }

    fn start_paging(&mut self) {
        while let Some((token, range)) = self.paging.next() {
            self.start_read(token, &range);
        }
    }

    fn start_read(&mut self, token: u64, range: &ColdRange) {
        let memory = MemoryRange { address: range.address().addr(), length: range.length() };
        if let Err(error) = self.driver.page_in(token, memory) {
            self.finish_paging(token, &Err(error));
        }
    }

    pub(super) fn paged_in(&mut self, token: u64, result: &std::io::Result<()>) {
        match (result, self.paging.under_way(token)) {
            // nothing is wrong with the file: a worker of the kernel was interrupted
            (Err(error), Some(range)) if is_passing(error) => self.start_read(token, &range),
            _ => self.finish_paging(token, result),
        }
        self.start_paging();
    }

    fn finish_paging(&mut self, token: u64, result: &std::io::Result<()>) {
        let Some((range, ready)) = self.paging.finish(token) else { return };
        if let Err(error) = result {
            let (torrent, file, _) = range.key();
            let cause = self.unreadable(torrent, file, error);
            self.fail(torrent, cause);
        }
        for key in ready {
            self.shard.paged_in(key);
            if let Some(socket) = self.socket(key).filter(|socket| socket.rest_waits) {
                socket.rest_waits = false;
                self.flush(key, self.now());
            }
        }
    }

    fn unreadable(&self, torrent: TorrentId, file: crate::ids::FileIndex, error: &std::io::Error) -> String {
        let path = self.payloads.get(&torrent).map(|payload| payload.path(file)).unwrap_or_default();
        match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::FAULT) => {
                format!(
                    "{} was truncated or its disk cannot be read: restore it, and look at the disk (`dmesg` tells more)",
                    path.display()
                )
            }
            _ => format!("cannot read {}: {error}", path.display()),
        }
    }

    /// Sends what waits for `key`: leftovers first, then control bytes. New ones stay with the shard, which bounds them,
    /// until the socket has taken the old.
    pub(super) fn flush(&mut self, key: PeerKey, now: Time) {
        if self.rest_waits(key, now) {
            return;
        }
        let Some(Some(socket)) = self.sockets.get_mut(super::event_loop::index(key)) else { return };
        if socket.generation != key.generation {
            return;
        }
        if self.transmitter.mode() == SendMode::ZeroCopy {
            self.transmitter.reap(socket.descriptor.as_fd());
        }
        let waited = socket.outgoing.control_bytes() > 0;
        if !waited {
            self.shard.take_output(key, now, socket.outgoing.control());
        }
        match self.transmitter.flush(socket.descriptor.as_fd(), &mut socket.outgoing) {
            Ok(sent) => {
                if sent.payload_bytes > 0 {
                    self.shard.sent(key, sent.payload_bytes, now);
                }
                let left = socket.outgoing.control_bytes() > 0;
                if left {
                    self.shard.backed_up(key, sent.wire_bytes > 0, now);
                } else if waited {
                    return self.flush(key, now);
                }
                if sent.progress == Progress::Done {
                    self.shard.writable(key);
                }
            }
            Err(error) => self.send_failed(key, error),
        }
    }

    fn send_failed(&mut self, key: PeerKey, error: SendError) {
        match error {
            SendError::Peer(_) | SendError::Environment(_) => self.shard.close(key, Reason::Failed),
            SendError::Truncated { torrent, file, .. } => {
                self.shard.close(key, Reason::TorrentFailed);
                let cause = self.unreadable(torrent, file, &rustix::io::Errno::FAULT.into());
                self.fail(torrent, cause);
            }
        }
    }
}

/// A cause that says nothing about the file, so that asking again is right (madvise(2)).
fn is_passing(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::INTR | Errno::AGAIN))
}

/// Whether two blocks begin with the same byte: bodies of HTTP answers are cut anew each time.
fn is_same_place(one: BlockRef, other: BlockRef) -> bool {
    (one.piece, one.begin) == (other.piece, other.begin)
}
