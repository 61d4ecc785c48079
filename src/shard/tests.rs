//! A shard in virtual time, driven by the bytes that peers send. Whatever a test does, [`Shard::check`] recounts all books
//! after it.

mod dormant;
mod doubt;
mod ending;
mod farewell;
mod greeting;
mod http;
mod leeching;
mod limits;
mod peers;
mod random;
mod serving;
mod slots;
mod super_seed;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Stage, Wait};
use super::*;
use crate::clock::Time;
use crate::ids::{BlockRef, InfoHash, PeerId, PeerKey, PieceIndex, TorrentId};
use crate::metainfo::Geometry;
use crate::peer::{Identity, Peer, Reason, Torrent};
use crate::schedule::Slots;
use crate::wire::{self, Bounds, Handshake, Message, Reserved};

const PIECE: u32 = 16 << 20;
const PIECES: u32 = 4_096;
/// The torrent that every world serves.
const FIRST: TorrentId = TorrentId(1);
const OUR_ID: PeerId = PeerId([3; 20]);

fn torrent_of_pieces(number: u8, pieces: u32) -> Arc<Torrent> {
    let geometry = Geometry::new(PIECE, [(u64::from(pieces) * u64::from(PIECE), false)]).expect("valid");
    Arc::new(Torrent { info_hash: InfoHash([number; 20]), geometry, info: vec![b'x'; 40_000].into(), private: false })
}

fn config(slots: Slots) -> Config {
    let identity = Identity { peer_id: OUR_ID, client: "sower".to_owned(), port: 6881 };
    Config { identity: Arc::new(identity), slots, connections_max: 10_000, peer_rate: None, seed: 7 }
}

fn handshake(reserved: Reserved, torrent: u8, id: u32) -> Vec<u8> {
    let mut peer_id = [9; 20];
    peer_id[..4].copy_from_slice(&id.to_be_bytes());
    let mut bytes = Vec::new();
    Handshake { reserved, info_hash: InfoHash([torrent; 20]), peer_id: PeerId(peer_id) }.encode(&mut bytes);
    bytes
}

fn encoded(messages: &[Message<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.encode(&mut bytes));
    bytes
}

const fn block(begin: u32, length: u32) -> BlockRef {
    BlockRef { piece: PieceIndex(4_000), begin, length }
}

/// A shard, the time, and what came out of it.
struct World {
    shard: Shard,
    now: Time,
    output: HashMap<PeerKey, Vec<u8>>,
    closed: Vec<(PeerKey, Reason)>,
    came: u32,
}

impl World {
    fn new(slots: Slots) -> World {
        World::with(config(slots))
    }

    fn with(config: Config) -> World {
        let now = Time(1_000_000_000);
        let mut shard = Shard::new(config, now);
        shard.add(FIRST, torrent_of_pieces(1, PIECES), 4);
        World { shard, now, output: HashMap::new(), closed: Vec::new(), came: 0 }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, 2], u16::try_from(self.came % 60_000).expect("below")))
    }

    /// A connection that has said nothing yet.
    fn accept(&mut self) -> PeerKey {
        self.came += 1;
        self.shard.accept(self.address(), self.now).expect("there is room")
    }

    /// A peer of the first torrent with a number of its own.
    fn join(&mut self, reserved: Reserved) -> PeerKey {
        let key = self.accept();
        let bytes = handshake(reserved, 1, self.came);
        self.hear(key, &bytes);
        self.output.remove(&key);
        key
    }

    /// One that speaks nothing but BEP 3 and wants something.
    fn leecher(&mut self) -> PeerKey {
        let key = self.join(Reserved::default());
        self.say(key, &[Message::Interested]);
        key
    }

    fn hear(&mut self, key: PeerKey, bytes: &[u8]) {
        self.shard.received(key, bytes, self.now);
        self.settle();
    }

    fn say(&mut self, key: PeerKey, messages: &[Message<'_>]) {
        self.hear(key, &encoded(messages));
    }

    fn ask(&mut self, key: PeerKey, count: u32, length: u32) {
        let requests: Vec<Message<'_>> = (0..count).map(|n| Message::Request(block(n * length, length))).collect();
        self.say(key, &requests);
    }

    /// What a turn of the loop does besides sending.
    fn settle(&mut self) {
        self.shard.check();
        self.shard.release_paced(self.now);
        self.shard.settle_slots(self.now);
        self.shard.settle_http(self.now);
        self.shard.settle_held(self.now);
        while let Some(key) = self.shard.next_output() {
            self.shard.take_output(key, self.now, self.output.entry(key).or_default());
            if self.shard.connections.get(key).is_some_and(|c| matches!(c.stage, Stage::Http(_))) {
                // the socket has room for heads
                self.shard.writable(key);
            }
        }
        while let Some((key, _, reason)) = self.shard.next_close() {
            self.closed.push((key, reason));
        }
        self.shard.settle_slots(self.now);
        while let Some(key) = self.shard.next_output() {
            let mut out = Vec::new();
            self.shard.take_output(key, self.now, &mut out);
            self.output.entry(key).or_default().extend(out);
        }
        self.shard.check();
    }

    /// Seconds pass, each with its tick.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.shard.tick(self.now, 100);
            self.settle();
        }
    }

    /// The messages that `key` was sent since the last call, as text.
    fn heard(&mut self, key: PeerKey) -> Vec<String> {
        let bytes = self.output.remove(&key).unwrap_or_default();
        let mut rest = if bytes.starts_with(b"\x13Bit") { &bytes[Handshake::LENGTH..] } else { &bytes[..] };
        let bitfield = usize::try_from(PIECES / 8).expect("few");
        let mut all = Vec::new();
        while let Some((message, length)) = wire::decode(rest, Bounds { bitfield, block: 0 }).expect("we speak well") {
            all.push(match message {
                Message::Bitfield(_) => "Bitfield".to_owned(),
                Message::Extended { id, .. } => format!("Extended({id})"),
                Message::AllowedFast(_) => "AllowedFast".to_owned(),
                message => format!("{message:?}"),
            });
            rest = &rest[length..];
        }
        assert!(rest.is_empty(), "whole messages");
        all
    }

    fn reason(&self, key: PeerKey) -> Option<Reason> {
        self.closed.iter().find(|(closed, _)| *closed == key).map(|(_, reason)| *reason)
    }

    fn peer(&self, key: PeerKey) -> &Peer {
        self.shard.connections.get(key).and_then(Connection::peer).expect("a peer").1
    }

    fn is_served(&self, key: PeerKey) -> bool {
        !self.peer(key).is_choked()
    }

    /// Serves one turn whole; whose it was, and its bytes.
    fn serve(&mut self) -> Option<(PeerKey, u64)> {
        let turn = self.shard.next_turn(self.now)?;
        let mut blocks = Vec::new();
        self.shard.take_blocks(&turn, 16, &mut blocks);
        let bytes = blocks.iter().map(|block| u64::from(block.length)).sum();
        self.shard.sent(turn.key, bytes, self.now);
        self.shard.served(turn.key, bytes);
        self.shard.check();
        Some((turn.key, bytes))
    }
}

impl Shard {
    /// Recounts everything that is kept in more than one place.
    fn check(&self) {
        let all: Vec<_> = self.connections.iter().collect();
        let peers = || all.iter().filter_map(|(key, c)| c.peer().map(|(torrent, peer)| (*key, *c, torrent, peer)));
        assert_eq!(all.len(), self.connections.len());
        assert_eq!(self.greeting, all.iter().filter(|(_, c)| matches!(c.stage, Stage::Greeting(_))).count());
        assert_eq!(self.unchoked, peers().filter(|(.., peer)| !peer.is_choked()).count(), "unchoked");
        assert_eq!(self.waiting, peers().filter(|(_, c, ..)| c.waiting).count(), "waiting");
        for (_, c, _, peer) in peers() {
            let waits = peer.is_interested() && peer.is_choked();
            assert!(c.closing.is_some() || c.waiting == waits, "who waits is marked");
        }
        let ready = |c: &Connection| c.wants_turn() && c.wait == Wait::Nothing && c.closing.is_none();
        let ready = all.iter().filter(|(_, c)| ready(c)).count();
        assert_eq!(self.http_bodies, all.iter().filter(|(_, c)| c.body().is_some()).count());
        assert_eq!(self.turns.len() as usize, ready, "in turns exactly if it has requests, waits for nothing, stays");
        for (key, c) in &all {
            let waits = c.closing.is_some() || c.wait == Wait::Socket || c.peer().is_none();
            assert!(c.output.is_empty() || c.listed || waits, "{key:?} is listed");
            assert_eq!(c.listed, self.outputs.contains(key));
            assert_eq!(c.closing.is_some(), self.closes.contains(key));
            assert!(c.wait != Wait::Pace || self.paced.iter().any(|entry| entry.0.1 == *key), "it will be woken");
        }
        let gone: u64 = self.totals.closed.iter().sum();
        let came = self.totals.accepted + self.totals.dialled;
        assert!(gone + all.len() as u64 >= came, "every end has a reason");
        let waits = |id: &TorrentId, key: &PeerKey| self.waking.waiting.get(id).is_some_and(|keys| keys.contains(key));
        for (key, c) in all.iter().filter(|(_, c)| c.closing.is_none()) {
            assert!(
                c.awaits.is_none_or(|id| c.held && waits(&id, key) && !self.swarms.contains_key(&id)),
                "it will be woken"
            );
        }
        let waiting = || self.waking.waiting.iter().flat_map(|(id, keys)| keys.iter().map(move |key| (*id, *key)));
        let is_marked =
            |(id, key): (TorrentId, PeerKey)| self.connections.get(key).is_some_and(|c| c.awaits == Some(id));
        assert!(
            waiting().all(is_marked) && self.waking.waiting.values().all(|keys| !keys.is_empty()),
            "who waits is marked"
        );
        assert_eq!(self.doubts.torrents, self.swarms.values().filter(|swarm| swarm.doubt.is_some()).count());
        self.check_swarms();
    }

    fn check_swarms(&self) {
        for (id, swarm) in &self.swarms {
            let peers: Vec<_> =
                self.connections.iter().filter(|(_, c)| c.peer().is_some_and(|(of, _)| of == *id)).collect();
            let of = |c: &Connection| c.peer().map(|(_, peer)| (peer.id(), peer.is_choked()));
            assert_eq!(swarm.unchoked, peers.iter().filter(|(_, c)| of(c).is_some_and(|(_, choked)| !choked)).count());
            for (key, c) in peers.iter().filter(|(_, c)| c.closing.is_none()) {
                assert_eq!(of(c).and_then(|(id, _)| swarm.peers.get(&id)), Some(key), "a peer is listed by its id");
            }
            let known: HashSet<PeerKey> = peers.iter().map(|(key, _)| *key).collect();
            assert!(swarm.peers.values().all(|key| known.contains(key)), "who is listed is connected");
            let asked =
                swarm.doubt.iter().flat_map(|doubt| doubt.asked.values().flatten()).copied().collect::<HashSet<_>>();
            let parked = peers.iter().filter(|(_, c)| c.wait == Wait::Check);
            assert!(parked.into_iter().all(|(key, _)| asked.contains(key)), "who waits for a piece will be woken");
            let links = self.connections.iter().filter(|(_, c)| c.torrent() == Some(*id)).count();
            assert_eq!(swarm.links, links, "who is about a torrent is counted");
            assert!(!swarm.withdrawn || links > 0, "a withdrawn torrent goes with its last connection");
            for piece in [0, 1, swarm.torrent.geometry.pieces() - 1].map(PieceIndex) {
                let having =
                    peers.iter().filter(|(_, c)| c.peer().is_some_and(|(_, peer)| peer.pieces().contains(piece)));
                assert_eq!(swarm.rarity().count(piece) as usize, having.count(), "copies of {piece:?}");
            }
        }
    }
}
