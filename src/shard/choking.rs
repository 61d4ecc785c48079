//! Slots: who is unchoked, and when that is decided again.
//!
//! A slot that gets free is given at once; the ranking of everybody happens once a round. While no slot is missing,
//! neither needs a look at the other connections, so a swarm that fits costs nothing but its own messages.

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::schedule::{Candidate, Occasion, Periods, Second, Slots};

use super::connection::{Stage, Wait};
use super::world::Shard;

/// Slots of a torrent that is being downloaded, unless the operator names a number: the four that send to us fastest and
/// one drawn at random (BEP 3). Each is a fifth of what we send, and what we send is what we are sent for.
const TRADING_SLOTS: u32 = 5;

impl Shard {
    /// `key` has begun or ceased to want something.
    pub(super) fn interest_changed(&mut self, key: PeerKey, now: Time) {
        let Some((torrent, peer)) = self.connections.get(key).and_then(|connection| connection.peer()) else { return };
        match (peer.is_interested(), peer.is_choked()) {
            (true, true) => self.want_slot(key, torrent, now),
            (false, false) => self.choke(key, now),
            (false, true) => self.set_waiting(key, false),
            (true, false) => {}
        }
    }

    /// Gives a free slot at once, unless others wait: then the choker says whose it is, before the next turn. Who
    /// drops its interest for a moment must not get past the line.
    fn want_slot(&mut self, key: PeerKey, torrent: TorrentId, now: Time) {
        let free = self.has_free_slot(torrent);
        if free && (self.waiting == 0 || self.config.slots == Slots::Unlimited) {
            return self.unchoke(key, now);
        }
        self.set_waiting(key, true);
        self.slots_settled &= !free;
    }

    fn has_free_slot(&self, torrent: TorrentId) -> bool {
        let own = self.swarms.get(&torrent).filter(|_| self.has_own_slots(torrent));
        let taken = own.map_or(self.unchoked, |swarm| swarm.unchoked);
        taken < usize::try_from(self.slots_of(torrent)).unwrap_or(usize::MAX)
    }

    /// Whether the peers of a torrent compete with each other alone.
    fn has_own_slots(&self, torrent: TorrentId) -> bool {
        match self.config.slots {
            Slots::Fixed(_) => true,
            Slots::Auto => self.swarms.get(&torrent).is_some_and(|swarm| !swarm.wants_nothing()),
            Slots::Unlimited => false,
        }
    }

    pub(super) fn set_waiting(&mut self, key: PeerKey, waiting: bool) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let was = std::mem::replace(&mut connection.waiting, waiting);
        self.waiting = self.waiting + usize::from(waiting) - usize::from(was);
    }

    fn unchoke(&mut self, key: PeerKey, now: Time) {
        if self.winding_down {
            return self.set_waiting(key, true);
        }
        self.set_waiting(key, false);
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.closing.is_none()) else {
            return;
        };
        let Stage::Peer(torrent, peer) = &mut connection.stage else { return };
        if !peer.is_choked() {
            return;
        }
        connection.slot_since = now;
        peer.unchoke(&mut connection.output);
        self.unchoked += 1;
        self.totals.unchokes += 1;
        if let Some(swarm) = self.swarms.get_mut(torrent) {
            swarm.unchoked += 1;
        }
        self.list_output(key);
    }

    fn choke(&mut self, key: PeerKey, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Stage::Peer(torrent, peer) = &mut connection.stage else { return };
        if peer.is_choked() {
            return;
        }
        (connection.slot_since, connection.optimistic_since) = (now, None);
        peer.choke(&mut connection.output);
        let interested = peer.is_interested();
        self.unchoked -= 1;
        self.totals.chokes += 1;
        if let Some(swarm) = self.swarms.get_mut(torrent) {
            swarm.unchoked -= 1;
        }
        self.set_waiting(key, interested);
        self.slots_settled = false;
        self.list_output(key);
        self.consider(key);
    }

    /// Changes how long rounds and terms are: for experiments.
    pub fn set_periods(&mut self, periods: Periods) {
        self.choker.set_periods(periods);
    }

    /// Gives slots that got free to those who wait for one.
    pub fn settle_slots(&mut self, now: Time) {
        if !std::mem::replace(&mut self.slots_settled, true) && self.waiting > 0 {
            self.decide(Occasion::Between, now);
        }
    }

    /// Once a second: how many slots; once a round: whose.
    pub(super) fn adjust_slots(&mut self, now: Time, busy_per_mille: u32) {
        let before = self.auto.target();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let full = self.connections.iter().filter(|(_, c)| c.wait == Wait::Socket && c.peer().is_some()).count();
        let second = Second {
            busy: f64::from(busy_per_mille) / 1_000.0,
            limiter_exhausted: std::mem::take(&mut self.limited),
            disk_exhausted: false,
            sent: std::mem::take(&mut self.second_sent),
            open: count(self.unchoked),
            waiting: count(self.waiting),
            full: count(full),
        };
        self.slots_settled &= self.auto.tick(&second) <= before;
        if now.since(self.round_at) >= self.choker.round() {
            self.end_round(now);
        }
    }

    fn end_round(&mut self, now: Time) {
        let micros = u64::try_from(now.since(self.round_at).as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = |bytes: u64| u64::try_from(u128::from(bytes) * 1_000_000 / u128::from(micros)).unwrap_or(u64::MAX);
        for (_, connection) in self.connections.iter_mut() {
            connection.sent_rate = rate(connection.sent_in_round);
            connection.received_rate = rate(std::mem::take(&mut connection.received_in_round));
        }
        self.round_at = now;
        if self.config.slots != Slots::Unlimited {
            self.decide(Occasion::Round, now);
        }
        // only now: the choker asked who had made something of its slot
        self.connections.iter_mut().for_each(|(_, connection)| connection.sent_in_round = 0);
    }

    /// Asks the choker and carries out what it decides: for each torrent that has slots of its own, and for all others
    /// together.
    fn decide(&mut self, occasion: Occasion, now: Time) {
        let own = |torrent: TorrentId| self.has_own_slots(torrent).then_some(torrent);
        let mut candidates: Vec<(Option<TorrentId>, TorrentId, Candidate)> = (self.connections.iter())
            .filter_map(|(key, connection)| self.candidate(key, connection))
            .map(|(torrent, candidate)| (own(torrent), torrent, candidate))
            .collect();
        candidates.sort_by_key(|(own, ..)| *own);
        for group in candidates.chunk_by(|(a, ..), (b, ..)| a == b) {
            let slots = self.slots_of(group[0].1);
            let group: Vec<Candidate> = group.iter().map(|(.., candidate)| *candidate).collect();
            let mut decisions = std::mem::take(&mut self.decisions);
            self.choker.decide(occasion, now, slots, &group, &mut self.rng, &mut decisions);
            decisions.choke.iter().for_each(|key| self.choke(*key, now));
            decisions.unchoke.iter().for_each(|key| self.unchoke(*key, now));
            self.set_optimistic(&group, decisions.optimistic, now);
            self.decisions = decisions;
        }
        self.slots_settled = true;
    }

    fn slots_of(&self, torrent: TorrentId) -> u32 {
        match self.config.slots {
            Slots::Auto if self.has_own_slots(torrent) => TRADING_SLOTS,
            Slots::Auto => self.auto.target(),
            Slots::Unlimited => u32::MAX,
            Slots::Fixed(_) => self.swarms.get(&torrent).map_or(0, |swarm| u32::try_from(swarm.slots).unwrap_or(0)),
        }
    }

    fn set_optimistic(&mut self, group: &[Candidate], holder: Option<PeerKey>, now: Time) {
        for candidate in group {
            let Some(connection) = self.connections.get_mut(candidate.key) else { continue };
            let holds = holder == Some(candidate.key);
            connection.optimistic_since = holds.then(|| connection.optimistic_since.unwrap_or(now));
        }
    }

    fn candidate(&self, key: PeerKey, connection: &super::Connection) -> Option<(TorrentId, Candidate)> {
        let (torrent, peer) = connection.peer()?;
        if connection.closing.is_some() || (!peer.is_interested() && peer.is_choked()) {
            return None;
        }
        let swarm = self.swarms.get(&torrent)?;
        let download = swarm.download.as_ref().filter(|_| !swarm.wants_nothing());
        let candidate = Candidate {
            key,
            interested: peer.is_interested(),
            upload_only: peer.is_upload_only(),
            unchoked: !peer.is_choked(),
            since: connection.slot_since,
            connected_at: connection.opened_at,
            optimistic_since: connection.optimistic_since,
            downloading: download.is_some(),
            snubbed: download.is_some_and(|download| download.picker.status(key).snubbed),
            requesting: peer.wants_turn() || connection.sent_in_round > 0,
            received_rate: connection.received_rate,
            sent_rate: connection.sent_rate,
            sent: connection.sent,
            torrent_size: swarm.torrent.geometry.total(),
        };
        Some((torrent, candidate))
    }
}
