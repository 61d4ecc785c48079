//! The downloading side of connections: interest, requests, blocks, verdicts on pieces.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, PieceIndex, TorrentId};
use crate::limits::{REJECTS_IN_A_ROW, UNWANTED_BYTES};
use crate::peer::{Event, Pieces, Reason};

use super::connection::{Connection, Stage};
use super::download::{Arrived, Download, Downloading, Whole, holds};
use super::swarm::Swarm;
use super::world::Shard;

/// What of a download came to pass and is to be told to the outside.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) wholes: VecDeque<Whole>,
    bans: Vec<(TorrentId, IpAddr)>,
    finished: Vec<TorrentId>,
}

impl Shard {
    /// Begins, or goes on with, the download of a torrent that was added.
    pub fn download(&mut self, id: TorrentId, download: Download) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        let pieces = swarm.torrent.geometry.pieces();
        swarm.had = Pieces::from_bitfield(&download.had, pieces).unwrap_or(Pieces::None);
        let downloading = Downloading::new(&swarm.torrent.geometry, download, &mut self.rng);
        if downloading.picker.is_done() {
            self.news.finished.push(id);
        }
        swarm.download = Some(Box::new(downloading));
    }

    /// The next whole piece. The answer is [`Shard::piece_good`] or [`Shard::piece_bad`].
    pub fn next_whole(&mut self) -> Option<Whole> {
        self.news.wholes.pop_front()
    }

    /// An address from which bad data came: nobody there is taken for a peer of this torrent again.
    pub fn next_ban(&mut self) -> Option<(TorrentId, IpAddr)> {
        self.news.bans.pop()
    }

    /// A torrent of which everything that is wanted is here.
    pub fn next_finished(&mut self) -> Option<TorrentId> {
        self.news.finished.pop()
    }

    /// A piece is good and can be read from disk: it is served from now on. `digests`: of its blocks, if they were asked for.
    pub fn piece_good(&mut self, id: TorrentId, piece: PieceIndex, buffer: Vec<u8>, digests: &[u64], now: Time) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        let Some(download) = swarm.download.as_mut() else { return };
        download.picker.verified(piece, digests);
        download.give_back(buffer);
        let pieces = swarm.torrent.geometry.pieces();
        if swarm.had.insert(piece, pieces) {
            download.good += u64::from(swarm.torrent.geometry.piece_length(piece));
        }
        if swarm.had.count(pieces) == pieces {
            swarm.had = Pieces::All;
        }
        let done = download.picker.is_done();
        let keys: Vec<PeerKey> = swarm.peers.values().copied().collect();
        self.tell(&keys, piece);
        self.piece_right(id, piece);
        self.after_verdict(id, now);
        if done {
            self.finish(id, &keys);
        }
    }

    /// A piece is bad; these are the digests of its blocks.
    pub fn piece_bad(&mut self, id: TorrentId, piece: PieceIndex, buffer: Vec<u8>, digests: &[u64], now: Time) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        let Some(download) = swarm.download.as_mut() else { return };
        download.wasted += u64::from(swarm.torrent.geometry.piece_length(piece));
        download.picker.failed(now, piece, digests);
        download.give_back(buffer);
        self.after_verdict(id, now);
    }

    fn tell(&mut self, keys: &[PeerKey], piece: PieceIndex) {
        for &key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if let Stage::Peer(_, peer) = &connection.stage {
                peer.tell(piece, &mut connection.output);
                self.list_output(key);
            }
        }
    }

    /// Cancels and bans that the picker came to, and requests for which there is room again.
    fn after_verdict(&mut self, id: TorrentId, now: Time) {
        self.carry_out(id, now);
        let held_back = self.swarms.get_mut(&id).and_then(|swarm| swarm.download.as_mut());
        let held_back = held_back.map(|download| download.take_held_back()).unwrap_or_default();
        held_back.into_iter().for_each(|key| self.ask(key, now));
    }

    /// Everything that is wanted is here: who has nothing to get from us either is let go, the others hear of it (BEP 21).
    fn finish(&mut self, id: TorrentId, keys: &[PeerKey]) {
        self.news.finished.push(id);
        if let Some(download) = self.swarms.get_mut(&id).and_then(|swarm| swarm.download.as_mut()) {
            download.tidy();
        }
        for &key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let (Stage::Peer(_, peer), Some(swarm)) = (&mut connection.stage, self.swarms.get(&id)) else { continue };
            if peer.wants_nothing() {
                self.close(key, Reason::Redundant);
                continue;
            }
            peer.set_wanted(false, &mut connection.output);
            peer.introduce(&swarm.torrent, true, &self.config.identity, &mut connection.output);
            self.list_output(key);
        }
        self.slots_settled = false;
    }

    /// Sends the picker's cancels, closes those it has proved bad, gives back what will not come.
    pub(super) fn carry_out(&mut self, id: TorrentId, now: Time) {
        let Some(download) = self.swarms.get_mut(&id).and_then(|swarm| swarm.download.as_mut()) else { return };
        self.askers.lost(now, id, download.picker.take_lost());
        let mut cancels: Vec<(PeerKey, BlockRef)> = Vec::new();
        while let Some(cancel) = download.picker.next_cancel() {
            cancels.push(cancel);
        }
        let mut banned = Vec::new();
        while let Some(key) = download.picker.next_ban() {
            let here = self.connections.get(key).map(|connection| connection.address.ip());
            if let Some(address) = here.or_else(|| download.departed(key)) {
                download.ban(address);
                banned.push((key, address));
            }
        }
        for (key, address) in banned {
            self.news.bans.push((id, address));
            self.close(key, Reason::Banned);
        }
        for (key, block) in cancels {
            if let Some(connection) = self.connections.get_mut(key)
                && let Stage::Peer(_, peer) = &connection.stage
            {
                peer.take_back(block, &mut connection.output);
                self.list_output(key);
            }
        }
    }

    /// What follows from bytes of `key`: cancels for others, requests to it.
    pub(super) fn go_on(&mut self, key: PeerKey, now: Time) {
        let id = self.connections.get(key).and_then(|connection| connection.peer()).map(|(id, _)| id);
        if let Some(id) = id.filter(|id| self.swarms.get(id).is_some_and(|swarm| swarm.download.is_some())) {
            self.carry_out(id, now);
            self.ask(key, now);
        }
    }

    /// Asks `key` for as much as it may owe, or puts it in line where downloads are limited.
    pub(super) fn ask(&mut self, key: PeerKey, now: Time) {
        let Some((id, peer)) = self.connections.get(key).and_then(Connection::peer) else { return };
        if peer.chokes_us() || !peer.is_wanted() || self.stands_in_line(id, key) {
            return;
        }
        self.ask_few(key, None, now);
    }

    /// Asks `key` for what it may owe, `most` blocks at most; how many those are. They are left in `asked`.
    pub(super) fn ask_few(&mut self, key: PeerKey, most: Option<usize>, now: Time) -> usize {
        self.asked.clear();
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.closing.is_none()) else {
            return 0;
        };
        let Stage::Peer(id, peer) = &mut connection.stage else { return 0 };
        let Some(download) = self.swarms.get_mut(id).and_then(|swarm| swarm.download.as_mut()) else { return 0 };
        if peer.chokes_us() || !peer.is_wanted() || self.winding_down {
            return 0;
        }
        download.ask(key, peer.pieces(), most, now, &mut self.rng, &mut self.asked);
        if !self.asked.is_empty() {
            self.asked.iter().for_each(|block| peer.ask(*block, &mut connection.output));
            self.list_output(key);
        }
        self.asked.len()
    }

    /// Once a second: rates, snubbed peers, interest, and requests for what was freed.
    pub(super) fn tick_downloads(&mut self, now: Time) {
        let downloading = |(id, swarm): (&TorrentId, &Swarm)| {
            let keys = || swarm.peers.values().copied().collect::<Vec<PeerKey>>();
            (!swarm.wants_nothing()).then(|| (*id, keys()))
        };
        let all: Vec<(TorrentId, Vec<PeerKey>)> = self.swarms.iter().filter_map(downloading).collect();
        for (id, keys) in all {
            if let Some(download) = self.swarms.get_mut(&id).and_then(|swarm| swarm.download.as_mut()) {
                download.picker.tick(now);
                download.tidy();
            }
            self.carry_out(id, now);
            for key in keys {
                self.review_interest(key);
                self.ask(key, now);
            }
        }
    }

    fn review_interest(&mut self, key: PeerKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Stage::Peer(id, peer) = &mut connection.stage else { return };
        if let Some(download) = self.swarms.get(id).and_then(|swarm| swarm.download.as_ref()) {
            peer.set_wanted(download.picker.wants_any(holds(peer.pieces())), &mut connection.output);
        }
        self.list_output(key);
    }
}

impl Swarm {
    /// Takes in what `bytes` has of the block that arrives on `connection`; how many bytes those were, and the piece that is
    /// whole by it.
    pub(super) fn take_in(
        &mut self,
        id: TorrentId,
        key: PeerKey,
        connection: &mut Connection,
        bytes: &[u8],
        now: Time,
    ) -> Result<(usize, Option<Whole>), Reason> {
        let (Some(download), Some(incoming)) = (self.download.as_mut(), connection.incoming.as_mut()) else {
            return Err(Reason::UnwantedBlock);
        };
        let taken = download.take_in(key, incoming, bytes);
        let length = incoming.length();
        let arrived = download.arrived(id, key, incoming, now);
        match &arrived {
            Arrived::Partly => return Ok((taken, None)),
            Arrived::Kept | Arrived::Whole(_) => connection.count_block(length),
            Arrived::Dropped => connection.unwanted += length,
        }
        connection.incoming = None;
        if connection.unwanted > UNWANTED_BYTES.max(connection.received / 2) {
            return Err(Reason::UnwantedBlock);
        }
        Ok((taken, if let Arrived::Whole(whole) = arrived { Some(whole) } else { None }))
    }

    /// What the picker must know of a message.
    pub(super) fn note(&mut self, key: PeerKey, connection: &mut Connection, event: Event) {
        let Stage::Peer(_, peer) = &mut connection.stage else { return };
        match event {
            Event::Has(piece) => self.has(piece),
            Event::HasSet => self.has_set(key, &peer.take_replaced(), peer.pieces()),
            _ => {}
        }
        let Some(download) = self.download.as_mut() else { return };
        match event {
            Event::Unchoked => {
                connection.rejects = 0;
                download.picker.unchoked(key);
            }
            Event::Choked => download.picker.choked(key, peer.is_fast()),
            Event::Introduced => download.picker.set_requests_max(key, peer.requests_max()),
            Event::Rejected(block) => {
                connection.rejects += 1;
                download.picker.rejected(key, block);
                if connection.rejects > REJECTS_IN_A_ROW {
                    // it refuses whatever it is asked for: until it unchokes us anew it is left alone
                    download.picker.choked(key, true);
                }
            }
            Event::Has(piece) if !peer.is_wanted() && download.picker.wants(piece) => {
                peer.set_wanted(true, &mut connection.output);
            }
            Event::HasSet => {
                peer.set_wanted(download.picker.wants_any(holds(peer.pieces())), &mut connection.output);
            }
            _ => {}
        }
    }
}
