//! Content that was taken on trust: no byte of a piece goes out before somebody has looked at it.
//!
//! A turn whose first block is of a piece that nobody has looked at yet ends, like one whose chunk is cold; the piece is named by
//! [`Shard::next_check`], and with [`Shard::piece_right`] all that wait for it are in turns again. Torrents without doubt are not
//! looked up at all.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{BlockRef, PeerKey, PieceIndex, TorrentId};
use crate::peer::Pieces;

use super::connection::Wait;
use super::serving::Turn;
use super::world::Shard;

/// What of one torrent is known to be right.
#[derive(Debug)]
pub(super) struct Doubt {
    right: Pieces,
    /// Pieces that are being looked at, and who waits for each.
    pub(super) asked: BTreeMap<PieceIndex, Vec<PeerKey>>,
}

/// Doubts of all torrents.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Torrents that have any.
    pub(super) torrents: usize,
    checks: VecDeque<(TorrentId, PieceIndex)>,
}

impl Shard {
    /// The content of a torrent was not looked at.
    pub fn doubt(&mut self, id: TorrentId) {
        if let Some(swarm) = self.swarms.get_mut(&id).filter(|swarm| swarm.doubt.is_none()) {
            swarm.doubt = Some(Box::new(Doubt { right: Pieces::None, asked: BTreeMap::new() }));
            self.doubts.torrents += 1;
        }
    }

    /// Cuts the blocks of a turn down to those whose pieces are known to be right. Whether none was left, which ended the turn: the
    /// connection is in turns again when its piece was looked at.
    pub fn wait_for_check(&mut self, turn: &Turn, blocks: &mut Vec<BlockRef>) -> bool {
        if self.doubts.torrents == 0 {
            return false;
        }
        let Some(doubt) = self.swarms.get_mut(&turn.torrent).and_then(|swarm| swarm.doubt.as_mut()) else {
            return false;
        };
        let Some(first) = blocks.iter().position(|block| !doubt.right.contains(block.piece)) else { return false };
        let piece = blocks[first].piece;
        let waiting = doubt.asked.entry(piece).or_insert_with(|| {
            self.doubts.checks.push_back((turn.torrent, piece));
            Vec::new()
        });
        // what is right goes out meanwhile
        if first == 0 {
            waiting.push(turn.key);
        }
        self.put_back(turn.key, &blocks[first..]);
        blocks.truncate(first);
        if let Some(connection) = self.connections.get_mut(turn.key).filter(|_| first == 0) {
            connection.wait = Wait::Check;
            self.turns.park(turn.key.slot);
        }
        first == 0
    }

    /// The next piece to look at. The answer is [`Shard::piece_right`], or the end of the torrent.
    pub fn next_check(&mut self) -> Option<(TorrentId, PieceIndex)> {
        self.doubts.checks.pop_front()
    }

    /// Takes back a piece that nobody has time to look at.
    pub fn keep_check(&mut self, id: TorrentId, piece: PieceIndex) {
        self.doubts.checks.push_front((id, piece));
    }

    /// A piece was looked at and is what the torrent says.
    pub fn piece_right(&mut self, id: TorrentId, piece: PieceIndex) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        let Some(doubt) = swarm.doubt.as_mut() else { return };
        let pieces = swarm.torrent.geometry.pieces();
        doubt.right.insert(piece, pieces);
        let waiting = doubt.asked.remove(&piece).unwrap_or_default();
        if doubt.right.count(pieces) == pieces {
            swarm.doubt = None;
            self.doubts.torrents -= 1;
        }
        waiting.into_iter().for_each(|key| self.release(key, Wait::Check));
    }
}
