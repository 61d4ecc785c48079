//! Super-seeding (BEP 16): a first seed that sends each piece about once.
//!
//! It shows itself as a peer without anything and reveals pieces one by one, to each peer others, the rarest first. A peer gets its
//! next piece once one that it was shown is seen at somebody else: then it has passed it on, and whoever passes on gets more.
//!
//! - As many pieces are open at a peer (shown, not passed on) as it takes in within [`AHEAD`] at its rate, at least one: a
//!   fast peer does not wait for the word of others.
//! - A piece that everybody here has counts as passed on: there is nobody to pass it on to.
//! - Who has passed nothing on for [`PATIENCE`] gets one more all the same: others may have got everything elsewhere.
//! - It ends by itself when a second seed appears. What was hidden is then told, some pieces each second.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::Time;
use crate::ids::{PeerKey, PieceIndex, TorrentId};
use crate::peer::Pieces;

use super::connection::Stage;
use super::world::Shard;

/// How much of what a peer takes may be open at it.
const AHEAD: Duration = Duration::from_secs(4);
/// Pieces open at one peer, however fast it is.
const OPEN_MAX: usize = 64;
/// After which a peer is shown one more piece although it passed nothing on.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rarest pieces that are looked at for the next one to show.
const LOOKS: usize = 4_096;
/// Pieces that a peer is told of in one second when it is over: 9 KiB.
const TOLD_PER_SECOND: usize = 1_000;

/// What has been shown of one torrent.
#[derive(Debug, Default)]
pub(super) struct SuperSeed {
    /// By piece: peers that were shown it and have not passed it on.
    open: BTreeMap<u32, Vec<PeerKey>>,
    /// A second seed is here.
    over: bool,
}

/// What has been shown to one peer.
#[derive(Debug)]
pub(super) struct Shown {
    /// All of it.
    pub(super) pieces: Pieces,
    /// Those not passed on, the oldest first.
    open: VecDeque<PieceIndex>,
    at: Time,
}

impl SuperSeed {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Shown {
    pub(super) fn nothing(now: Time) -> Shown {
        Shown { pieces: Pieces::None, open: VecDeque::new(), at: now }
    }
}

impl Shard {
    /// Seeds a complete torrent by showing pieces one by one, to those who connect from now on.
    pub fn super_seed(&mut self, id: TorrentId) {
        let goes_on = self.is_super_seeding(id);
        if let Some(swarm) = self.swarms.get_mut(&id).filter(|swarm| swarm.download.is_none() && !goes_on) {
            swarm.super_seed = Some(SuperSeed::default());
        }
    }

    /// Seeds it as others do, as when a second seed appears: what was hidden is told.
    pub fn end_super_seed(&mut self, id: TorrentId) {
        self.second_seed(id);
    }

    /// Whether a torrent still is super-seeded.
    pub fn is_super_seeding(&self, id: TorrentId) -> bool {
        self.swarms.get(&id).and_then(|swarm| swarm.super_seed.as_ref()).is_some_and(|seed| !seed.over)
    }

    /// What follows from messages of `key`, of which the pieces it has now are in `self.heard`.
    pub(super) fn go_on_showing(&mut self, id: TorrentId, key: PeerKey, now: Time) {
        let mut heard = std::mem::take(&mut self.heard);
        self.passed_on(id, key, &heard, now);
        self.show(key, now);
        heard.clear();
        self.heard = heard;
    }

    /// A peer of `id` said that it has these pieces now.
    fn passed_on(&mut self, id: TorrentId, by: PeerKey, pieces: &[PieceIndex], now: Time) {
        let mut rewarded = Vec::new();
        for piece in pieces {
            let Some(swarm) = self.swarms.get_mut(&id) else { return };
            let everybody = swarm.told.count(*piece) as usize >= swarm.peers.len();
            let Some(seed) = &mut swarm.super_seed else { return };
            let Some(open) = seed.open.get_mut(&piece.0) else { continue };
            rewarded.extend(open.extract_if(.., |key| *key != by || everybody).map(|key| (key, *piece)));
            if open.is_empty() {
                seed.open.remove(&piece.0);
            }
        }
        for (key, piece) in rewarded {
            if let Some(shown) = self.connections.get_mut(key).and_then(|connection| connection.shown.as_mut()) {
                shown.open.retain(|open| *open != piece);
            }
            self.show(key, now);
        }
    }

    /// Shows `key` as many pieces as may be open at it.
    fn show(&mut self, key: PeerKey, now: Time) {
        while self.may_show(key, now) && self.show_one(key, now) {}
        self.list_output(key);
    }

    fn may_show(&self, key: PeerKey, now: Time) -> bool {
        let Some(connection) = self.connections.get(key).filter(|connection| connection.closing.is_none()) else {
            return false;
        };
        let (Some(shown), Some((id, _))) = (&connection.shown, connection.peer()) else { return false };
        if !self.is_super_seeding(id) {
            return false;
        }
        let length = self.swarms.get(&id).map_or(1, |swarm| u64::from(swarm.torrent.geometry.nominal_piece_length()));
        let ahead = connection.sent_rate.saturating_mul(AHEAD.as_secs()) / length;
        let most = usize::try_from(ahead).unwrap_or(OPEN_MAX).clamp(1, OPEN_MAX);
        shown.open.len() < most || shown.open.len() < OPEN_MAX && now.since(shown.at) >= PATIENCE
    }

    /// Shows the rarest piece that `key` knows nothing of; `false` if there is none.
    fn show_one(&mut self, key: PeerKey, now: Time) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let (Some(shown), Stage::Peer(id, peer)) = (&mut connection.shown, &connection.stage) else { return false };
        let Some(swarm) = self.swarms.get_mut(id) else { return false };
        let (told, pieces) = (&swarm.told, swarm.torrent.geometry.pieces());
        let Some(seed) = &mut swarm.super_seed else { return false };
        let open = |piece: PieceIndex| seed.open.get(&piece.0).map_or(0, Vec::len);
        let news = told.rarest_first(&mut self.rng).filter(|piece| !peer.pieces().contains(*piece));
        let news = news.filter(|piece| !shown.pieces.contains(*piece)).take(LOOKS);
        // in the order of rarity: of equals the first one that nobody else was shown
        let Some(piece) = news.min_by_key(|piece| told.count(*piece) as usize + open(*piece)) else { return false };
        seed.open.entry(piece.0).or_default().push(key);
        shown.pieces.insert(piece, pieces);
        shown.open.push_back(piece);
        shown.at = now;
        peer.tell(piece, &mut connection.output);
        true
    }

    /// A peer of `id` left, and with it what was open at it.
    pub(super) fn forget_shown(&mut self, id: TorrentId, key: PeerKey, shown: &Shown) {
        let Some(seed) = self.swarms.get_mut(&id).and_then(|swarm| swarm.super_seed.as_mut()) else { return };
        for piece in &shown.open {
            if let Some(open) = seed.open.get_mut(&piece.0) {
                open.retain(|other| *other != key);
                if open.is_empty() {
                    seed.open.remove(&piece.0);
                }
            }
        }
    }

    /// Once a second: who waits for long is shown one more piece, and when it is over what was hidden is told.
    pub(super) fn tick_super_seeds(&mut self, now: Time) {
        let seeds = self.swarms.iter().filter(|(_, swarm)| swarm.super_seed.is_some());
        let keys: Vec<PeerKey> = seeds.flat_map(|(_, swarm)| swarm.peers.values().copied()).collect();
        for key in keys {
            let over = self.connections.get(key).and_then(|connection| connection.peer());
            let over = over.is_some_and(|(id, _)| !self.is_super_seeding(id));
            if over { self.tell_hidden(key) } else { self.show(key, now) }
        }
    }

    fn tell_hidden(&mut self, key: PeerKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let (Some(shown), Stage::Peer(id, peer)) = (&mut connection.shown, &connection.stage) else { return };
        let Some(swarm) = self.swarms.get(id) else { return };
        let pieces = swarm.torrent.geometry.pieces();
        let hidden: Vec<PieceIndex> =
            (0..pieces).map(PieceIndex).filter(|piece| !shown.pieces.contains(*piece)).take(TOLD_PER_SECOND).collect();
        for piece in &hidden {
            shown.pieces.insert(*piece, pieces);
            peer.tell(*piece, &mut connection.output);
        }
        if hidden.is_empty() {
            connection.shown = None;
        }
        self.list_output(key);
    }

    /// A peer of `id` has everything: there is a second seed.
    pub(super) fn second_seed(&mut self, id: TorrentId) {
        if let Some(seed) = self.swarms.get_mut(&id).and_then(|swarm| swarm.super_seed.as_mut()) {
            (seed.over, seed.open) = (true, BTreeMap::new());
        }
    }
}
