//! Bytes from peers: cut into messages, applied to the connection, and what follows for the shard.

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::limits;
use crate::peer::{Event, Peer, Reason};
use crate::wire::{self, Handshake, HandshakeError, Reserved};

use super::torrents::{count_in, count_out};
use super::world::{Shard, Stage};

impl Shard {
    /// Takes in bytes that arrived on `key`.
    pub fn received(&mut self, key: PeerKey, bytes: &[u8], now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.closing.is_some() {
            return;
        }
        connection.heard_at = now;
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
        let mut used = 0;
        if let Some(Stage::Greeting(dialled)) = self.connections.get(key).map(|connection| &connection.stage) {
            let dialled = *dialled;
            let Some(theirs) = Handshake::decode(bytes).map_err(refusal)? else { return Ok(0) };
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
        if let Some(&old) = swarm.peers.get(&theirs.peer_id) {
            self.replace(old, now)?;
        }
        let connection = self.connections.get_mut(key).ok_or(Reason::Stopped)?;
        if dialled.is_none() {
            let hello = Handshake { reserved: Reserved::OURS, info_hash: known.info_hash, peer_id: ours.peer_id };
            hello.encode(&mut connection.output);
        }
        let peer = Peer::new(theirs, connection.address.ip(), &known, &ours, &mut connection.output);
        connection.stage = Stage::Peer(torrent, Box::new(peer));
        self.greeting -= 1;
        if let Some(swarm) = self.swarms.get_mut(&torrent) {
            swarm.peers.insert(theirs.peer_id, key);
        }
        Ok(())
    }

    /// A peer has come twice. The old connection stays while it lives; a silent one gives way, because it may be the
    /// other end of a line that broke without a word.
    fn replace(&mut self, old: PeerKey, now: Time) -> Result<(), Reason> {
        let open = self.connections.get(old).filter(|connection| connection.closing.is_none());
        if open.is_some_and(|connection| now.since(connection.heard_at).as_secs() < 30) {
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
        let bounds = Peer::bounds(&swarm.torrent);
        let (mut used, was_interested) = (0, peer.is_interested());
        while let Some((message, length)) = wire::decode(&bytes[used..], bounds)? {
            used += length;
            match peer.handle(message, &swarm.torrent, &mut connection.output)? {
                Event::Requested => self.totals.requests += 1,
                Event::Has(piece) => swarm.rarity.have(piece),
                Event::HasSet => {
                    count_out(&mut swarm.rarity, &peer.take_replaced());
                    count_in(&mut swarm.rarity, peer.pieces());
                }
                Event::None | Event::Interested | Event::NotInterested => {}
            }
            if connection.output.len() > limits::CONTROL_BUFFER {
                return Err(Reason::ControlFlood);
            }
        }
        // a seed has nothing to gain from a peer that wants nothing, and it would hold a place (BEP 21)
        if peer.wants_nothing() {
            return Err(Reason::Redundant);
        }
        if peer.is_interested() != was_interested {
            self.interest_changed(key, now);
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
