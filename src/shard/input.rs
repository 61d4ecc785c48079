//! Bytes from peers: cut into messages, applied to the connection, and what follows for the shard.

use std::time::Duration;

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::limits;
use crate::peer::{Event, Peer, Pieces, Reason};
use crate::wire::{self, Handshake, HandshakeError, PIECE_HEADER, Reserved};

use super::connection::{Connection, Stage};
use super::super_seed::Shown;
use super::world::Shard;

/// Two connections between the same peers that are opened within this time were opened at once, one by each. Later ones are
/// mistakes, and a connection that works is not given up for one.
const CROSSING: Duration = Duration::from_secs(5);

impl Shard {
    /// Takes in bytes that arrived on `key`.
    pub fn received(&mut self, key: PeerKey, bytes: &[u8], now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.closing.is_some() {
            return;
        }
        connection.heard_at = now;
        if connection.held {
            return self.keep_held(key, bytes);
        }
        // the usual case: whole messages, read where they lie
        let result = if connection.input.is_empty() {
            self.consume(key, bytes, now).map(|used| self.keep(key, &bytes[used..]))
        } else {
            let mut input = std::mem::take(&mut connection.input);
            input.extend_from_slice(bytes);
            self.consume(key, &input, now).map(|used| {
                input.drain(..used);
                self.keep_vec(key, input);
            })
        };
        if let Err(reason) = result {
            self.close(key, reason);
        }
        if self.connections.get(key).is_some_and(|connection| connection.held) {
            self.hold(key);
        }
        self.go_on(key, now);
        self.list_output(key);
        self.consider(key);
    }

    fn keep(&mut self, key: PeerKey, rest: &[u8]) {
        if !rest.is_empty() {
            self.keep_vec(key, rest.to_vec());
        }
    }

    fn keep_vec(&mut self, key: PeerKey, rest: Vec<u8>) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.input = if rest.is_empty() { Vec::new() } else { rest };
        }
    }

    /// Applies the handshake and the whole messages in `bytes`; how many bytes they were.
    fn consume(&mut self, key: PeerKey, bytes: &[u8], now: Time) -> Result<usize, Reason> {
        if self.opens_http(key, bytes) {
            return self.requests(key, bytes, now);
        }
        let mut used = 0;
        if let Some(Stage::Greeting(dialled)) = self.connections.get(key).map(|connection| &connection.stage) {
            let dialled = *dialled;
            let Some(theirs) = Handshake::decode(bytes).map_err(refusal)? else { return Ok(0) };
            if let Some(id) = self.dormant(theirs.info_hash).filter(|_| dialled.is_none()) {
                self.wait_for(key, id);
                return Ok(0);
            }
            self.greet(key, dialled, &theirs, now)?;
            used = Handshake::LENGTH;
        }
        Ok(used + self.messages(key, &bytes[used..], now)?)
    }

    /// Completes a handshake: the connection becomes a peer of its torrent.
    fn greet(&mut self, key: PeerKey, dialled: Option<TorrentId>, theirs: &Handshake, now: Time) -> Result<(), Reason> {
        let (torrent, swarm) = self.torrent_of(theirs.info_hash).ok_or(Reason::UnknownTorrent)?;
        let ours = self.config.identity.clone();
        if dialled.is_some_and(|dialled| dialled != torrent) {
            return Err(Reason::WrongTorrent);
        }
        if theirs.peer_id == ours.peer_id {
            return Err(Reason::Ourselves);
        }
        let known = swarm.torrent.clone();
        let full = swarm.is_full();
        let old = swarm.peers.get(&theirs.peer_id).copied();
        let connection = self.connections.get(key).ok_or(Reason::Stopped)?;
        if swarm.download.as_ref().is_some_and(|download| download.is_banned(connection.address.ip())) {
            return Err(Reason::Banned);
        }
        if let Some(old) = old {
            // of two that were opened at once both sides keep the one that the lower id opened
            let crossed = self.connections.get(old).is_some_and(|old| old.dialled != connection.dialled);
            let preferred = crossed && connection.dialled == (ours.peer_id < theirs.peer_id);
            self.replace(old, preferred, now)?;
        } else if full {
            return Err(Reason::FullTorrent);
        }
        let connection = self.connections.get_mut(key).ok_or(Reason::Stopped)?;
        if dialled.is_none() {
            let hello = Handshake { reserved: Reserved::OURS, info_hash: known.info_hash, peer_id: ours.peer_id };
            hello.encode(&mut connection.output);
        }
        let Some(swarm) = self.swarms.get_mut(&torrent) else { return Err(Reason::UnknownTorrent) };
        let address = connection.address.ip();
        let hides = swarm.super_seed.as_ref().is_some_and(|seed| !seed.is_over());
        let had = if hides { &Pieces::None } else { &swarm.had };
        let peer = Peer::new(theirs, address, &known, had, &ours, &mut connection.output);
        swarm.joined(key, &peer, now);
        swarm.links += usize::from(dialled.is_none());
        connection.stage = Stage::Peer(torrent, Box::new(peer));
        connection.shown = hides.then(|| Box::new(Shown::nothing(now)));
        self.greeting -= 1;
        Ok(())
    }

    /// A peer has come twice. The old connection stays while it lives, unless it is as new and the other is `preferred`; a
    /// silent one gives way, because it may be the other end of a line that broke without a word.
    fn replace(&mut self, old: PeerKey, preferred: bool, now: Time) -> Result<(), Reason> {
        let open = self.connections.get(old).filter(|connection| connection.closing.is_none());
        let stays = |connection: &Connection| {
            let (age, silence) = (now.since(connection.opened_at), now.since(connection.heard_at));
            silence.as_secs() < 30 && !(preferred && age < CROSSING)
        };
        if open.is_some_and(stays) {
            return Err(Reason::Duplicate);
        }
        self.close(old, Reason::Duplicate);
        Ok(())
    }

    /// Applies the whole messages in `bytes`; how many bytes they were.
    fn messages(&mut self, key: PeerKey, bytes: &[u8], now: Time) -> Result<usize, Reason> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(bytes.len()) };
        let Stage::Peer(id, peer) = &mut connection.stage else { return Ok(0) };
        let Some(swarm) = self.swarms.get_mut(id) else { return Err(Reason::UnknownTorrent) };
        let bounds = Peer::bounds(&swarm.torrent, swarm.block_max());
        let (id, mut used, was_interested) = (*id, 0, peer.is_interested());
        self.heard.clear();
        loop {
            if connection.incoming.is_some() {
                let before = connection.received;
                let (taken, whole) = swarm.take_in(id, key, connection, &bytes[used..], now)?;
                used += taken;
                self.news.wholes.extend(whole);
                self.totals.received += connection.received - before;
                if connection.incoming.is_some() {
                    break;
                }
            }
            if let Some(block) = wire::decode_piece_header(&bytes[used..], bounds)? {
                used += PIECE_HEADER;
                connection.incoming = swarm.begin_block(key, block);
                continue;
            }
            if connection.peer().is_some_and(|(_, peer)| Shard::would_lose(peer)) && used < bytes.len() {
                connection.held = true;
                break;
            }
            let Some((message, length)) = wire::decode(&bytes[used..], bounds)? else { break };
            used += length;
            let Stage::Peer(_, peer) = &mut connection.stage else { break };
            let had = connection.shown.as_ref().map_or(&swarm.had, |shown| &shown.pieces);
            let event = peer.handle(message, &swarm.torrent, had, &mut connection.output)?;
            self.totals.requests += u64::from(event == Event::Requested);
            if let (Event::Has(piece), Some(_)) = (event, &swarm.super_seed) {
                self.heard.push(piece);
            }
            swarm.note(key, connection, event);
            if connection.output.len() > limits::CONTROL_BUFFER {
                return Err(Reason::ControlFlood);
            }
        }
        let Stage::Peer(_, peer) = &connection.stage else { return Ok(used) };
        // who wants nothing of us and has nothing for us would hold a place (BEP 21)
        if peer.wants_nothing() && swarm.wants_nothing() {
            if peer.has_all() {
                self.second_seed(id);
            }
            return Err(Reason::Redundant);
        }
        let shows = connection.shown.is_some();
        if peer.is_interested() != was_interested {
            self.interest_changed(key, now);
        }
        if !self.heard.is_empty() || shows {
            self.go_on_showing(id, key, now);
        }
        Ok(used)
    }
}

fn refusal(error: HandshakeError) -> Reason {
    match error {
        HandshakeError::Http => Reason::Http,
        HandshakeError::NotPlaintext => Reason::NotPlaintext,
    }
}
