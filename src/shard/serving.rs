//! Turns: whose blocks go next, and what became of them.

use std::cmp::Reverse;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, TorrentId};
use crate::limits;
use crate::peer::{Body, Reason};

use super::connection::{Stage, Wait};
use super::world::Shard;

/// A turn: `key` may be sent blocks of `torrent`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Whose.
    pub key: PeerKey,
    /// Of which torrent.
    pub torrent: TorrentId,
    /// Bytes of payload at most.
    pub bytes: u64,
    /// Blocks go without their headers: it is the body of an HTTP answer.
    pub bare: bool,
}

impl Shard {
    /// The next connection to serve. The caller takes its blocks and ends the turn with exactly one of
    /// [`Shard::served`], [`Shard::blocked`], [`Shard::cold`], [`Shard::wait_for_check`] and [`Shard::close`].
    pub fn next_turn(&mut self, now: Time) -> Option<Turn> {
        while !self.turns.is_empty() {
            if self.pacer.global_ready(now, self.turn_bytes) > now {
                // everybody keeps their place in the order until there is something to give
                (self.limited, self.held_back) = (true, true);
                return None;
            }
            self.held_back = false;
            let turn = self.turns.next()?;
            let Some(key) = self.connections.key(turn.slot) else { continue };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let Some(torrent) = connection.torrent() else { continue };
            let (first, bare) = match &mut connection.stage {
                Stage::Greeting(_) => continue,
                Stage::Peer(_, peer) => (peer.requests().first().map_or(0, |block| u64::from(block.length)), false),
                Stage::Http(client) => (client.body().map_or(0, Body::first_length), true),
            };
            let due = self.pacer.next_ready(now, torrent, key.slot, first.min(u64::from(limits::BLOCK)));
            if due > now {
                connection.wait = Wait::Pace;
                self.turns.park(key.slot);
                self.paced.push(Reverse((due, key)));
                continue;
            }
            connection.wait = Wait::Serving;
            let bytes = self.pacer.available(now, torrent, key.slot).min(u64::from(turn.allowance_bytes)).max(first);
            return Some(Turn { key, torrent, bytes, bare });
        }
        None
    }

    /// Moves the blocks of `turn` to `blocks`, at most `most` of them, or as many bytes as that many usual ones have.
    pub fn take_blocks(&mut self, turn: &Turn, most: usize, blocks: &mut Vec<BlockRef>) {
        blocks.clear();
        match self.connections.get_mut(turn.key).map(|connection| &mut connection.stage) {
            Some(Stage::Peer(_, peer)) => peer.requests().take(most, turn.bytes, blocks),
            Some(Stage::Http(client)) => {
                let bytes = turn.bytes.min(usual_bytes(most));
                client.body_mut().into_iter().for_each(|body| body.take(bytes, blocks));
            }
            Some(Stage::Greeting(_)) | None => {}
        }
    }

    /// Puts blocks that a turn took and cannot carry back to the front.
    pub fn put_back(&mut self, key: PeerKey, blocks: &[BlockRef]) {
        match self.connections.get_mut(key).map(|connection| &mut connection.stage) {
            Some(Stage::Peer(_, peer)) => peer.requests().put_back(blocks),
            Some(Stage::Http(client)) => client.body_mut().into_iter().for_each(|body| body.put_back(blocks)),
            Some(Stage::Greeting(_)) | None => {}
        }
    }

    /// The next `most` blocks that `key` waits for, or as many bytes as that many usual ones have.
    pub fn peek(&mut self, key: PeerKey, most: usize, blocks: &mut Vec<BlockRef>) {
        blocks.clear();
        match self.connections.get_mut(key).map(|connection| &mut connection.stage) {
            Some(Stage::Peer(_, peer)) => blocks.extend(peer.requests().iter().take(most)),
            Some(Stage::Http(client)) => {
                client.body().into_iter().for_each(|body| body.peek(usual_bytes(most), blocks));
            }
            Some(Stage::Greeting(_)) | None => {}
        }
    }

    /// Refuses one block that a turn took.
    pub fn reject(&mut self, key: PeerKey, block: BlockRef) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        match &mut connection.stage {
            Stage::Peer(_, peer) => peer.reject(block, &mut connection.output),
            // the length of a body has been promised
            Stage::Http(_) => return self.close(key, Reason::TorrentFailed),
            Stage::Greeting(_) => {}
        }
        self.list_output(key);
    }

    /// The socket of `key` took `bytes` of payload.
    pub fn sent(&mut self, key: PeerKey, bytes: u64, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.sent += bytes;
        connection.sent_in_round += bytes;
        connection.spoke_at = now;
        connection.blocked_at = now;
        if let Some(torrent) = connection.torrent() {
            self.pacer.take(now, torrent, key.slot, bytes);
            if let Some(swarm) = self.swarms.get_mut(&torrent) {
                swarm.sent += bytes;
            }
        }
        self.totals.sent += bytes;
        self.second_sent += bytes;
    }

    /// The turn of `key` ended with all its blocks in the socket.
    pub fn served(&mut self, key: PeerKey, bytes: u64) {
        if self.connections.get(key).is_none() {
            return;
        }
        self.turns.spent(key.slot, u32::try_from(bytes).unwrap_or(u32::MAX));
        self.release(key, Wait::Serving);
        self.http_moved(key);
    }

    /// The socket of `key` takes no more; [`Shard::writable`] is due when everything that was left is in it.
    pub fn blocked(&mut self, key: PeerKey, bytes: u64, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.blocked_at = now;
        connection.wait = Wait::Socket;
        self.turns.spent(key.slot, u32::try_from(bytes).unwrap_or(u32::MAX));
        self.turns.park(key.slot);
    }

    /// Control bytes of `key` are left over; `moved`: the socket took some of them. So a peer that reads nothing is found
    /// to be stalled although it is not being served.
    pub fn backed_up(&mut self, key: PeerKey, moved: bool, now: Time) {
        match self.connections.get_mut(key) {
            Some(connection) if connection.wait == Wait::Nothing => self.blocked(key, 0, now),
            Some(connection) if moved => connection.blocked_at = now,
            _ => {}
        }
    }

    /// The socket of `key` takes bytes again.
    pub fn writable(&mut self, key: PeerKey) {
        self.release(key, Wait::Socket);
        self.http_moved(key);
    }

    /// `blocks` of `key` have to be read from disk first; [`Shard::paged_in`] is due when they are there.
    pub fn cold(&mut self, key: PeerKey, blocks: &[BlockRef]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.wait = Wait::Disk;
        self.turns.park(key.slot);
        self.put_back(key, blocks);
    }

    /// What `key` waited for is in memory.
    pub fn paged_in(&mut self, key: PeerKey) {
        self.release(key, Wait::Disk);
    }

    /// Lets peers whose own limit allows the next block back into turns, and asks those whose turn it is under a limit on
    /// downloads.
    pub fn release_paced(&mut self, now: Time) {
        self.ask_in_line(now);
        while let Some(Reverse((due, key))) = self.paced.peek().copied() {
            if due > now {
                return;
            }
            self.paced.pop();
            self.release(key, Wait::Pace);
        }
    }

    /// Ends a wait, if it is the one that `key` is in.
    pub(super) fn release(&mut self, key: PeerKey, wait: Wait) {
        if let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.wait == wait) {
            connection.wait = Wait::Nothing;
            self.consider(key);
        }
    }

    /// Puts `key` in turns or takes it out, as the invariant of this module asks.
    pub(super) fn consider(&mut self, key: PeerKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let wants = connection.wants_turn();
        if wants && connection.wait == Wait::Nothing && connection.closing.is_none() {
            self.turns.ready(key.slot);
        } else if !wants {
            self.turns.remove(key.slot);
        }
    }
}

/// Bytes of `blocks` blocks of the usual length.
fn usual_bytes(blocks: usize) -> u64 {
    u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(limits::BLOCK.into())
}
