//! A member of a swarm: the program's own shard, and what a reactor would do for it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::ids::{BlockRef, PeerId, PeerKey, PieceIndex, TorrentId};
use crate::lab::network::{End, Event, Network, NodeId, Parcel};
use crate::limits;
use crate::peer::{Identity, Reason, Torrent};
use crate::schedule::Slots;
use crate::shard::{Config, Download, Shard, Turn, Whole};
use crate::wire::{Message, piece_header};

use super::content::Content;
use super::plan::{Has, Manner, Member, Plan};
use super::watch::Watch;

/// The one torrent.
const TORRENT: TorrentId = TorrentId(1);
const PORT: u16 = 6881;

/// What all members share.
pub(super) struct Surroundings<W> {
    pub(super) network: Network,
    pub(super) torrent: Arc<Torrent>,
    pub(super) content: Content,
    pub(super) random: fastrand::Rng,
    pub(super) cuts: bool,
    pub(super) watch: W,
}

/// A member that is here.
pub(super) struct Node {
    id: NodeId,
    manner: Manner,
    shard: Shard,
    /// Connections by both of their names.
    ends: HashMap<PeerKey, End>,
    keys: HashMap<End, PeerKey>,
    /// Bytes that connections may still carry before they break.
    endurance: HashMap<End, u64>,
    /// Who is connected, or about to be.
    known: HashMap<NodeId, u32>,
    /// Room to work in.
    scratch: Vec<u8>,
    blocks: Vec<BlockRef>,
    pub(super) is_complete: bool,
    /// Bad pieces, and members that were found out.
    pub(super) bad_pieces: u32,
    pub(super) banned: Vec<NodeId>,
    /// Pieces that are here, and one that was taken although it was.
    had: Box<[u8]>,
    pub(super) taken_twice: Option<PieceIndex>,
}

/// Where a member is.
pub(super) fn address(node: NodeId) -> SocketAddr {
    let number = u32::try_from(node.0 + 1).unwrap_or(u32::MAX) & 0x00ff_ffff;
    SocketAddr::from((Ipv4Addr::from_bits(10 << 24 | number), PORT))
}

/// Who is there.
pub(super) fn node_at(address: Ipv4Addr) -> NodeId {
    NodeId(((address.to_bits() & 0x00ff_ffff) as usize).saturating_sub(1))
}

/// What a member calls itself.
pub(super) fn peer_id(node: NodeId) -> PeerId {
    let mut id = *b"-SW0000-000000000000";
    id[12..].copy_from_slice(&(node.0 as u64).to_be_bytes());
    PeerId(id)
}

impl Node {
    pub(super) fn new<W>(id: NodeId, member: &Member, plan: &Plan, around: &mut Surroundings<W>) -> Node {
        let now = around.network.now();
        let identity = Identity { peer_id: peer_id(id), client: "sower lab".to_owned(), port: PORT };
        let gives = member.manner != Manner::FreeRider;
        // who has everything is sought by all
        let connections_max = if member.is_seed() { plan.members.len().max(1) } else { plan.neighbours.max(1) * 3 / 2 };
        let config = Config {
            identity: Arc::new(identity),
            slots: Slots::Fixed(member.slots),
            connections_max,
            peer_rate: None,
            seed: around.random.u64(..),
        };
        let mut shard = Shard::new(config, now);
        shard.add(TORRENT, around.torrent.clone(), if gives { member.slots as usize } else { 0 });
        shard.set_periods(plan.periods);
        if member.super_seeds {
            shard.super_seed(TORRENT);
        }
        let had = drawn(member.has, around.torrent.geometry.pieces(), &mut around.random);
        if !member.is_seed() {
            shard.download(
                TORRENT,
                Download { had: had.clone(), priorities: Vec::new(), memory: plan.memory, order: member.order },
            );
        }
        Node {
            id,
            manner: member.manner,
            shard,
            ends: HashMap::new(),
            keys: HashMap::new(),
            endurance: HashMap::new(),
            known: HashMap::new(),
            scratch: Vec::new(),
            blocks: Vec::new(),
            is_complete: member.is_seed(),
            bad_pieces: 0,
            banned: Vec::new(),
            had,
            taken_twice: None,
        }
    }

    pub(super) fn shard(&self) -> &Shard {
        &self.shard
    }

    pub(super) fn connections(&self) -> usize {
        self.ends.len()
    }

    /// Opens a connection to a member, unless there is one.
    pub(super) fn dial<W>(&mut self, to: NodeId, around: &mut Surroundings<W>) {
        if to == self.id || self.known.contains_key(&to) {
            return;
        }
        if let Some(key) = self.shard.dial(TORRENT, address(to), around.network.now()) {
            let end = around.network.dial(self.id, to);
            self.pair(key, end, to, around);
        }
    }

    fn pair<W>(&mut self, key: PeerKey, end: End, with: NodeId, around: &mut Surroundings<W>) {
        self.ends.insert(key, end);
        self.keys.insert(end, key);
        *self.known.entry(with).or_default() += 1;
        if let Manner::Breaker(about) = self.manner {
            self.endurance.insert(end, around.random.u64(..u64::from(about).max(1) * 2));
        }
    }

    /// Takes in what happened to it.
    pub(super) fn handle<W: Watch>(&mut self, event: Event, around: &mut Surroundings<W>) {
        let now = around.network.now();
        match event {
            Event::Incoming(end, from) => match self.shard.accept(address(from), now) {
                Ok(key) => self.pair(key, end, from, around),
                Err(_) => around.network.close(end),
            },
            Event::Open(end) => {
                if let Some(&key) = self.keys.get(&end) {
                    self.say(key, around);
                    self.shard.writable(key);
                }
            }
            Event::Arrived(end, parcel) => self.arrived(end, parcel, around),
            Event::Room(end) => {
                if let Some(&key) = self.keys.get(&end) {
                    self.shard.writable(key);
                }
            }
            Event::Closed(end) => match self.keys.get(&end) {
                Some(&key) => self.shard.close(key, Reason::Ended),
                None => around.network.close(end),
            },
            Event::Timer(_) => {}
        }
    }

    fn arrived<W: Watch>(&mut self, end: End, parcel: Parcel, around: &mut Surroundings<W>) {
        let Some(&key) = self.keys.get(&end) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        match parcel {
            Parcel::Bytes(bytes) => scratch.extend_from_slice(&bytes),
            Parcel::Block(block) => {
                scratch.extend_from_slice(&piece_header(block));
                scratch.extend_from_slice(around.content.block(block));
                let from = around.network.node(end.other());
                around.watch.block(around.network.now(), from, self.id, block.length);
            }
            Parcel::Bad(block) => {
                scratch.extend_from_slice(&piece_header(block));
                scratch.extend(around.content.block(block).iter().map(|byte| !byte));
            }
            Parcel::Plain(_) => {}
        }
        self.hear(key, &scratch, around);
        self.scratch = scratch;
    }

    fn hear<W>(&mut self, key: PeerKey, bytes: &[u8], around: &mut Surroundings<W>) {
        let now = around.network.now();
        let mut rest = bytes;
        while around.cuts && rest.len() > 1 {
            let (part, after) = rest.split_at(around.random.usize(1..rest.len()));
            self.shard.received(key, part, now);
            rest = after;
        }
        self.shard.received(key, rest, now);
    }

    /// A second has passed.
    pub(super) fn tick<W>(&mut self, around: &mut Surroundings<W>) {
        let now = around.network.now();
        self.shard.tick(now, 0);
        if self.manner == Manner::Flooder {
            self.flood(around);
        }
    }

    /// Everything that a stranger may throw at us: blocks, messages and noise that nobody asked for.
    fn flood<W>(&mut self, around: &mut Surroundings<W>) {
        let mut ends: Vec<End> = self.ends.values().copied().collect();
        ends.sort_unstable();
        for end in ends.into_iter().filter(|end| around.network.has_room(*end)).collect::<Vec<_>>() {
            let pieces = around.torrent.geometry.pieces();
            let piece = PieceIndex(around.random.u32(..pieces));
            let length = around.torrent.geometry.piece_length(piece).min(limits::BLOCK);
            let block = BlockRef { piece, begin: 0, length };
            let parcel = match around.random.u8(..4) {
                0 => Parcel::Block(block),
                1 => Parcel::Bytes(repeated(Message::Request(block), 500)),
                2 => Parcel::Bytes(repeated(Message::Cancel(block), 50)),
                _ => Parcel::Bytes(std::iter::repeat_with(|| around.random.u8(..)).take(100).collect()),
            };
            around.network.send(end, parcel);
        }
    }

    /// Does everything that there is to do now; whether everything is here since.
    pub(super) fn settle<W: Watch>(&mut self, around: &mut Surroundings<W>) -> bool {
        let now = around.network.now();
        loop {
            let mut is_idle = true;
            self.shard.release_paced(now);
            self.shard.settle_slots(now);
            while let Some(key) = self.shard.next_output() {
                self.say(key, around);
                is_idle = false;
            }
            while let Some(turn) = self.shard.next_turn(now) {
                self.serve(&turn, around);
                is_idle = false;
            }
            while let Some(whole) = self.shard.next_whole() {
                self.judge(whole, around);
                is_idle = false;
            }
            while let Some((_, address)) = self.shard.next_ban() {
                self.banned.extend(as_v4(address).map(node_at));
            }
            while let Some((key, address, _)) = self.shard.next_close() {
                self.part(key, address, around);
                is_idle = false;
            }
            if is_idle {
                break;
            }
        }
        let finished = self.shard.next_finished().is_some() && !self.is_complete;
        self.is_complete |= finished;
        finished
    }

    /// Hands control bytes to the network.
    fn say<W>(&mut self, key: PeerKey, around: &mut Surroundings<W>) {
        let mut out = Vec::new();
        self.shard.take_output(key, around.network.now(), &mut out);
        if let Some(&end) = self.ends.get(&key).filter(|_| !out.is_empty()) {
            self.send(key, end, Parcel::Bytes(out), around);
        }
    }

    fn send<W>(&mut self, key: PeerKey, end: End, parcel: Parcel, around: &mut Surroundings<W>) {
        if let Some(left) = self.endurance.get_mut(&end) {
            let length = parcel.length();
            if *left < length {
                if let (Parcel::Bytes(mut bytes), Ok(left)) = (parcel, usize::try_from(*left)) {
                    bytes.truncate(left);
                    around.network.send(end, Parcel::Bytes(bytes));
                }
                return self.shard.close(key, Reason::Failed);
            }
            *left -= length;
        }
        around.network.send(end, parcel);
    }

    /// Serves a turn: one block, for the network asks for the next when this one is under way.
    fn serve<W>(&mut self, turn: &Turn, around: &mut Surroundings<W>) {
        let (key, now) = (turn.key, around.network.now());
        let Some(&end) = self.ends.get(&key) else { return self.shard.close(key, Reason::Failed) };
        if self.manner == Manner::Staller || !around.network.has_room(end) {
            return self.shard.blocked(key, 0, now);
        }
        let mut blocks = std::mem::take(&mut self.blocks);
        self.shard.take_blocks(turn, 1, &mut blocks);
        for block in blocks.drain(..) {
            self.serve_block(key, end, block, around);
        }
        self.blocks = blocks;
        match around.network.has_room(end) {
            true => self.shard.served(key, turn.bytes.min(u64::from(limits::BLOCK))),
            false => self.shard.blocked(key, turn.bytes.min(u64::from(limits::BLOCK)), now),
        }
    }

    fn serve_block<W>(&mut self, key: PeerKey, end: End, block: BlockRef, around: &mut Surroundings<W>) {
        if self.manner == Manner::FreeRider || block.length > limits::BLOCK {
            return self.shard.reject(key, block);
        }
        let lies = matches!(self.manner, Manner::Liar(percent) if around.random.u8(..100) < percent);
        self.send(key, end, if lies { Parcel::Bad(block) } else { Parcel::Block(block) }, around);
        self.shard.sent(key, u64::from(block.length), around.network.now());
    }

    fn judge<W: Watch>(&mut self, whole: Whole, around: &mut Surroundings<W>) {
        let Whole { torrent, piece, bytes, digests } = whole;
        let now = around.network.now();
        let is_good = around.content.is_good(piece, &bytes);
        let digests: Vec<u64> = if digests || !is_good { digests_of(&bytes) } else { Vec::new() };
        if is_good {
            let (byte, bit) = (piece.0 as usize / 8, 0x80 >> (piece.0 % 8));
            let twice = self.had.get(byte).is_none_or(|bits| bits & bit != 0);
            self.taken_twice = self.taken_twice.or(twice.then_some(piece));
            if let Some(bits) = self.had.get_mut(byte) {
                *bits |= bit;
            }
            self.shard.piece_good(torrent, piece, bytes, &digests, now);
            around.watch.piece(now, self.id, piece);
        } else {
            self.bad_pieces += 1;
            self.shard.piece_bad(torrent, piece, bytes, &digests, now);
        }
    }

    /// A connection is gone.
    fn part<W>(&mut self, key: PeerKey, address: SocketAddr, around: &mut Surroundings<W>) {
        let Some(end) = self.ends.remove(&key) else { return };
        self.keys.remove(&end);
        self.endurance.remove(&end);
        around.network.close(end);
        let Some(with) = as_v4(address.ip()).map(node_at) else { return };
        if let Some(count) = self.known.get_mut(&with) {
            *count -= 1;
            if *count == 0 {
                self.known.remove(&with);
            }
        }
    }

    /// Takes leave of everybody.
    pub(super) fn leave<W: Watch>(&mut self, around: &mut Surroundings<W>) {
        self.shard.withdraw(TORRENT, Reason::Stopped);
        // those that have not said yet what they want are no torrent's
        let mut greeting: Vec<PeerKey> = self.ends.keys().copied().collect();
        greeting.sort_unstable();
        greeting.into_iter().for_each(|key| self.shard.close(key, Reason::Stopped));
        self.settle(around);
    }
}

/// A bit for each piece that is had.
fn drawn(has: Has, pieces: u32, random: &mut fastrand::Rng) -> Box<[u8]> {
    let mut bits = vec![0u8; pieces.div_ceil(8) as usize];
    if let Has::Part(percent) = has {
        for piece in (0..pieces).filter(|_| random.u8(..100) < percent) {
            bits[piece as usize / 8] |= 0x80 >> (piece % 8);
        }
    }
    bits.into()
}

fn as_v4(address: std::net::IpAddr) -> Option<Ipv4Addr> {
    match address {
        std::net::IpAddr::V4(address) => Some(address),
        std::net::IpAddr::V6(_) => None,
    }
}

fn repeated(message: Message<'_>, times: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..times).for_each(|_| message.encode(&mut bytes));
    bytes
}

/// Tells one block from another; nobody here aims at it.
fn digests_of(bytes: &[u8]) -> Vec<u64> {
    let digest = |block: &[u8]| {
        block.iter().fold(0xcbf2_9ce4_8422_2325u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    bytes.chunks(limits::BLOCK as usize).map(digest).collect()
}
