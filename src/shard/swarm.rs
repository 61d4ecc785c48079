//! What a shard keeps of one torrent: its peers, what is known of its pieces, and its download if there is one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerId, PeerKey, PieceIndex, TorrentId};
use crate::limits::BLOCK;
use crate::metainfo::PathIndex;
use crate::peer::{Peer, Pieces, Torrent};
use crate::schedule::Rarity;
use crate::schedule::picker::Manner;

use super::doubt::Doubt;
use super::download::{Downloading, Incoming, holds};
use super::super_seed::SuperSeed;
use super::torrents::{Counts, TorrentStatus};

/// A torrent and its connections.
#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) torrent: Arc<Torrent>,
    /// In the order of their ids, so that a run can be repeated.
    pub(super) peers: BTreeMap<PeerId, PeerKey>,
    /// If its content was taken on trust.
    pub(super) doubt: Option<Box<Doubt>>,
    /// What is here and can be read.
    pub(super) had: Pieces,
    /// Of a torrent that was added complete; else the picker counts.
    pub(super) told: Rarity,
    pub(super) download: Option<Box<Downloading>>,
    /// If it is or was super-seeded.
    pub(super) super_seed: Option<SuperSeed>,
    /// Its files, if they are served by HTTP.
    pub(super) files: Option<Arc<PathIndex>>,
    pub(super) unchoked: usize,
    /// Slots that it may have; used by the fixed policy alone.
    pub(super) slots: usize,
    /// Peers that it may have.
    pub(super) peers_max: Option<usize>,
    pub(super) sent: u64,
    /// Connections that are about it, greetings that we opened and HTTP bodies included.
    pub(super) links: usize,
    /// It goes with its last connection.
    pub(super) withdrawn: bool,
}

impl Swarm {
    /// A complete torrent that nobody is connected to.
    pub(super) fn new(torrent: Arc<Torrent>, slots: usize, random: &mut Rng) -> Swarm {
        let told = Rarity::new(torrent.geometry.pieces(), random);
        Swarm {
            torrent,
            peers: BTreeMap::new(),
            doubt: None,
            had: Pieces::All,
            told,
            download: None,
            super_seed: None,
            files: None,
            unchoked: 0,
            slots,
            peers_max: None,
            sent: 0,
            links: 0,
            withdrawn: false,
        }
    }

    /// A peer has come that has said nothing yet.
    pub(super) fn joined(&mut self, key: PeerKey, peer: &Peer, now: Time) {
        self.peers.insert(peer.id(), key);
        if let Some(download) = &mut self.download {
            let manner = Manner { requests_max: peer.requests_max(), whole_pieces: false };
            download.picker.joined(now, key, holds(peer.pieces()), manner);
        }
    }

    /// A peer is gone that had these pieces.
    pub(super) fn left(&mut self, key: PeerKey, pieces: &Pieces, address: IpAddr) {
        match &mut self.download {
            Some(download) => download.left(key, pieces, address),
            None => count_out(&mut self.told, pieces),
        }
    }

    /// A peer has one more piece.
    pub(super) fn has(&mut self, piece: PieceIndex) {
        match &mut self.download {
            Some(download) => download.picker.have(piece),
            None => self.told.have(piece),
        }
    }

    /// A peer said anew what it has.
    pub(super) fn has_set(&mut self, key: PeerKey, before: &Pieces, after: &Pieces) {
        match &mut self.download {
            Some(download) => download.picker.replaced(key, holds(before), holds(after)),
            None => {
                count_out(&mut self.told, before);
                count_in(&mut self.told, after);
            }
        }
    }

    /// How many connected peers have each piece.
    pub(super) fn rarity(&self) -> &Rarity {
        self.download.as_ref().map_or(&self.told, |download| download.picker.rarity())
    }

    /// Copies of the rarest piece. The rarest stands first in the index, so this costs nothing to speak of.
    pub(super) fn availability(&self) -> u32 {
        if self.peers.is_empty() {
            return 0;
        }
        let rarest = self.rarity().rarest_first(&mut fastrand::Rng::with_seed(0)).next();
        rarest.map_or(0, |piece| self.rarity().count(piece))
    }

    /// For display.
    pub(super) fn status(&self, id: TorrentId, counts: Counts) -> TorrentStatus {
        TorrentStatus {
            id,
            sent: self.sent,
            peers: self.peers.len(),
            seeds: counts.seeds,
            interested: counts.interested,
            unchoked: self.unchoked,
            senders: counts.senders,
            slots: self.slots,
            availability: self.availability(),
            super_seeding: self.super_seed.as_ref().is_some_and(|seed| !seed.is_over()),
            had: self.had.count(self.torrent.geometry.pieces()),
            download: self.download.as_ref().map(|download| download.status()),
        }
    }

    /// It has as many peers as it may.
    pub(super) fn is_full(&self) -> bool {
        self.peers_max.is_some_and(|most| self.peers.len() >= most)
    }

    /// Nothing is wanted of anybody.
    pub(super) fn wants_nothing(&self) -> bool {
        self.download.as_ref().is_none_or(|download| download.picker.is_done())
    }

    /// Every byte that may be asked for is here.
    pub(super) fn is_whole(&self) -> bool {
        let pieces = self.torrent.geometry.pieces();
        self.had.count(pieces) == pieces
    }

    /// Longest block that may come: what was asked for may still arrive after the last piece is here.
    pub(super) fn block_max(&self) -> u32 {
        if self.download.is_some() { BLOCK } else { 0 }
    }

    /// A block begins to arrive.
    pub(super) fn begin_block(&mut self, key: PeerKey, block: BlockRef) -> Option<Box<Incoming>> {
        self.download.as_mut().map(|download| Box::new(download.begin(key, block)))
    }
}

/// Counts a peer's pieces into the index.
fn count_in(rarity: &mut Rarity, pieces: &Pieces) {
    match pieces {
        Pieces::None => {}
        Pieces::All => rarity.joined_complete(),
        Pieces::Some { bits, .. } => rarity.joined(bits),
    }
}

/// Counts a peer's pieces out of the index.
fn count_out(rarity: &mut Rarity, pieces: &Pieces) {
    match pieces {
        Pieces::None => {}
        Pieces::All => rarity.left_complete(),
        Pieces::Some { bits, .. } => rarity.left(bits),
    }
}
