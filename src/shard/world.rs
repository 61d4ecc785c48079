//! The shard and its connections: how they come and go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::ids::{BlockRef, InfoHash, PeerKey, PieceIndex, TorrentId};
use crate::limits;
use crate::peer::{Identity, Reason};
use crate::schedule::{Askers, AutoSlots, Choker, Decisions, Pacer, Slots, Turns};
use crate::wire::{Handshake, Reserved};

use super::connection::{Connection, Stage, Wait};
use super::dormant::Waking;
use super::doubt::Doubts;
use super::leeching::News;
use super::swarm::Swarm;
use super::table::Table;
use super::torrents::TorrentStatus;

/// What a shard is told at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are.
    pub identity: Arc<Identity>,
    /// Policy for slots.
    pub slots: Slots,
    /// Connections at most.
    pub connections_max: usize,
    /// Bytes of payload a second for each peer; `None` for no limit.
    pub peer_rate: Option<u64>,
    /// Seed of all random choices.
    pub seed: u64,
}

/// Numbers that only grow, of one shard.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Payload bytes sent.
    pub sent: u64,
    /// Payload bytes received and kept.
    pub received: u64,
    /// Connections that came.
    pub accepted: u64,
    /// Connections that we opened.
    pub dialled: u64,
    /// Requests received.
    pub requests: u64,
    /// Unchokes sent.
    pub unchokes: u64,
    /// Chokes sent.
    pub chokes: u64,
    /// Ends, by [`Reason`].
    pub closed: Box<[u64]>,
}

/// One reactor's world.
#[derive(Debug)]
pub struct Shard {
    pub(super) config: Config,
    pub(super) rng: fastrand::Rng,
    pub(super) swarms: BTreeMap<TorrentId, Swarm>,
    /// All that are ours, those that are not in memory too.
    pub(super) by_hash: HashMap<InfoHash, TorrentId>,
    pub(super) waking: Waking,
    pub(super) doubts: Doubts,
    /// Last numbers of torrents that are gone, not told yet.
    pub(super) ended: VecDeque<TorrentStatus>,
    pub(super) connections: Table<Connection>,
    pub(super) greeting: usize,
    pub(super) turns: Turns,
    pub(super) choker: Choker,
    pub(super) decisions: Decisions,
    pub(super) auto: AutoSlots,
    pub(super) unchoked: usize,
    pub(super) waiting: usize,
    pub(super) slots_settled: bool,
    pub(super) pacer: Pacer,
    /// Limits on what is asked for.
    pub(super) askers: Askers,
    /// Bytes that the global limit must allow before a turn begins.
    pub(super) turn_bytes: u64,
    /// The global limit held a turn back since the last tick.
    pub(super) limited: bool,
    /// It holds turns back just now.
    pub(super) held_back: bool,
    pub(super) paced: BinaryHeap<Reverse<(Time, PeerKey)>>,
    pub(super) outputs: VecDeque<PeerKey>,
    pub(super) closes: VecDeque<PeerKey>,
    /// Connections that are not read for now, and those to tell of.
    pub(super) held: Vec<PeerKey>,
    pub(super) holds: VecDeque<(PeerKey, bool)>,
    /// HTTP is answered: files are published.
    pub(super) http: bool,
    /// HTTP connections whose last answer is in the socket.
    pub(super) http_due: VecDeque<PeerKey>,
    /// HTTP connections that are being sent a file.
    pub(super) http_bodies: usize,
    pub(super) ticked_at: Time,
    pub(super) round_at: Time,
    pub(super) second_sent: u64,
    pub(super) news: News,
    /// Room to work in.
    pub(super) asked: Vec<BlockRef>,
    /// Nothing new begins.
    pub(super) winding_down: bool,
    /// Pieces that a peer of a super-seeded torrent just said it has.
    pub(super) heard: Vec<PieceIndex>,
    pub(super) totals: Totals,
}

impl Shard {
    /// An empty one.
    pub fn new(config: Config, now: Time) -> Shard {
        Shard {
            rng: fastrand::Rng::with_seed(config.seed),
            swarms: BTreeMap::new(),
            by_hash: HashMap::new(),
            waking: Waking::default(),
            doubts: Doubts::default(),
            ended: VecDeque::new(),
            connections: Table::default(),
            greeting: 0,
            turns: Turns::new(0),
            choker: Choker::new(),
            decisions: Decisions::default(),
            auto: AutoSlots::default(),
            unchoked: 0,
            waiting: 0,
            slots_settled: true,
            pacer: Pacer::new(),
            askers: Askers::default(),
            turn_bytes: u64::from(limits::BLOCK),
            limited: false,
            held_back: false,
            paced: BinaryHeap::new(),
            outputs: VecDeque::new(),
            closes: VecDeque::new(),
            held: Vec::new(),
            holds: VecDeque::new(),
            http: false,
            http_due: VecDeque::new(),
            http_bodies: 0,
            ticked_at: now,
            round_at: now,
            second_sent: 0,
            news: News::default(),
            asked: Vec::new(),
            winding_down: false,
            heard: Vec::new(),
            totals: Totals {
                sent: 0,
                received: 0,
                accepted: 0,
                dialled: 0,
                requests: 0,
                unchokes: 0,
                chokes: 0,
                closed: vec![0; Reason::ALL.len()].into(),
            },
            config,
        }
    }

    /// Takes in a connection from `address`, or says why not.
    pub fn accept(&mut self, address: SocketAddr, now: Time) -> Result<PeerKey, Reason> {
        let refusal = if self.winding_down {
            Some(Reason::Stopped)
        } else if self.connections.len() >= self.config.connections_max {
            Some(Reason::Full)
        } else if self.greeting >= limits::HANDSHAKES {
            Some(Reason::FullHandshakes)
        } else {
            None
        };
        if let Some(reason) = refusal {
            self.refused(reason);
            return Err(reason);
        }
        self.totals.accepted += 1;
        Ok(self.insert(address, Stage::Greeting(None), now))
    }

    /// Opens a connection to a peer of `torrent`: our handshake waits for the socket. `None` if the torrent is gone or
    /// there is no room.
    pub fn dial(&mut self, torrent: TorrentId, address: SocketAddr, now: Time) -> Option<PeerKey> {
        let swarm = self.swarms.get(&torrent).filter(|swarm| !swarm.is_full())?;
        let info_hash = swarm.torrent.info_hash;
        if !self.serves(torrent) || self.winding_down {
            return None;
        }
        if self.connections.len() >= self.config.connections_max || self.greeting >= limits::HANDSHAKES / 2 {
            return None;
        }
        self.totals.dialled += 1;
        let key = self.insert(address, Stage::Greeting(Some(torrent)), now);
        self.link(torrent);
        let hello = Handshake { reserved: Reserved::OURS, info_hash, peer_id: self.config.identity.peer_id };
        let connection = self.connections.get_mut(key)?;
        hello.encode(&mut connection.output);
        // the socket is not connected yet; its first writability sends the handshake
        connection.wait = Wait::Socket;
        connection.blocked_at = now;
        Some(key)
    }

    fn insert(&mut self, address: SocketAddr, stage: Stage, now: Time) -> PeerKey {
        self.greeting += 1;
        let key = self.connections.insert(Connection {
            address,
            dialled: matches!(stage, Stage::Greeting(Some(_))),
            stage,
            input: Vec::new(),
            shown: None,
            incoming: None,
            held: false,
            awaits: None,
            output: Vec::new(),
            listed: false,
            wait: Wait::Nothing,
            waiting: false,
            closing: None,
            parted: false,
            opened_at: now,
            heard_at: now,
            spoke_at: now,
            slot_since: now,
            optimistic_since: None,
            blocked_at: now,
            sent: 0,
            sent_in_round: 0,
            sent_rate: 0,
            received: 0,
            received_in_round: 0,
            received_rate: 0,
            unwanted: 0,
            rejects: 0,
        });
        // lifted first: a new rate alone would keep the debts of who had this place before
        self.pacer.set_peer(now, key.slot, None);
        self.pacer.set_peer(now, key.slot, self.config.peer_rate);
        key
    }

    /// Counts a connection that never came to be.
    pub fn refused(&mut self, reason: Reason) {
        self.totals.closed[reason as usize] += 1;
    }

    /// Ends a connection: it does nothing more, and [`Shard::next_close`] names it. The first reason counts.
    pub fn close(&mut self, key: PeerKey, reason: Reason) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.closing.is_none() {
            connection.closing = Some(reason);
            self.turns.remove(key.slot);
            self.closes.push_back(key);
        }
    }

    /// The next connection to take down: its record is gone when this returns.
    pub fn next_close(&mut self) -> Option<(PeerKey, SocketAddr, Reason)> {
        let key = self.closes.pop_front()?;
        let connection = self.connections.remove(key)?;
        let reason = connection.closing?;
        self.totals.closed[reason as usize] += 1;
        match &connection.stage {
            Stage::Greeting(_) => self.greeting -= 1,
            Stage::Peer(torrent, peer) => self.leave(key, *torrent, peer, &connection),
            Stage::Http(client) => self.leave_http(client),
        }
        connection.awaits.into_iter().for_each(|id| self.stop_waiting(key, id));
        connection.torrent().into_iter().for_each(|id| self.unlink(id));
        Some((key, connection.address, reason))
    }

    /// The next connection with control bytes for its socket.
    pub fn next_output(&mut self) -> Option<PeerKey> {
        while let Some(key) = self.outputs.pop_front() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.listed = false;
                if connection.closing.is_none() {
                    return Some(key);
                }
            }
        }
        None
    }

    /// Moves the control bytes of `key` to `out`.
    pub fn take_output(&mut self, key: PeerKey, now: Time, out: &mut Vec<u8>) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| !connection.output.is_empty()) else {
            return;
        };
        connection.spoke_at = now;
        if out.is_empty() {
            std::mem::swap(out, &mut connection.output);
        } else {
            out.append(&mut connection.output);
        }
        connection.output = Vec::new();
    }

    /// Puts `key` on the list of connections with control bytes, if it has any and is not on it.
    pub(super) fn list_output(&mut self, key: PeerKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.parted {
            connection.output = Vec::new();
        } else if !connection.output.is_empty() && !connection.listed {
            connection.listed = true;
            self.outputs.push_back(key);
        }
    }

    /// Once a second: timeouts, keep-alives, rates, slots. `busy` is the part of the last second, in thousandths, for
    /// which the reactor was not waiting.
    pub fn tick(&mut self, now: Time, busy_per_mille: u32) {
        self.check_connections(now);
        self.tick_downloads(now);
        self.tick_super_seeds(now);
        self.adjust_slots(now, busy_per_mille);
        self.ticked_at = now;
    }

    fn check_connections(&mut self, now: Time) {
        let over = |since: Time, seconds: u64| now.since(since) >= Duration::from_secs(seconds);
        let (mut late, mut silent) = (Vec::new(), Vec::new());
        for (key, connection) in self.connections.iter_mut() {
            if let Stage::Peer(_, peer) = &mut connection.stage {
                peer.requests().rest();
            }
            let reason = match &connection.stage {
                Stage::Greeting(_) if over(connection.opened_at, limits::HANDSHAKE_SECONDS) => Reason::HandshakeTimeout,
                Stage::Greeting(_) | Stage::Peer(..) if over(connection.heard_at, limits::SILENCE_SECONDS) => {
                    Reason::Timeout
                }
                _ if connection.wait == Wait::Socket && over(connection.blocked_at, limits::STALL_SECONDS) => {
                    Reason::Stalled
                }
                Stage::Peer(..) if over(connection.spoke_at, limits::KEEP_ALIVE_SECONDS) => {
                    silent.push(key);
                    continue;
                }
                Stage::Http(client) => match client.overdue(now) {
                    Some(reason) => reason,
                    None => continue,
                },
                _ => continue,
            };
            late.push((key, reason));
        }
        late.into_iter().for_each(|(key, reason)| self.close(key, reason));
        for key in silent {
            if let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.output.is_empty()) {
                crate::wire::Message::KeepAlive.encode(&mut connection.output);
            }
            self.list_output(key);
        }
    }

    /// When [`Shard::tick`], a paced peer, a global limit or somebody to be asked is due next; `now` while something waits to be handed out.
    pub fn next_timeout(&mut self, now: Time) -> Time {
        let unsettled = !self.slots_settled && self.waiting > 0;
        if unsettled || !self.outputs.is_empty() || !self.closes.is_empty() || !self.http_due.is_empty() {
            return now;
        }
        let mut due = self.ticked_at + Duration::from_secs(1);
        if let Some(Reverse((paced, _))) = self.paced.peek() {
            due = due.min(*paced);
        }
        if !self.turns.is_empty() {
            due = due.min(self.pacer.global_ready(now, self.turn_bytes));
        }
        self.askers.next_ready(now).map_or(due, |asking| due.min(asking))
    }

    /// Numbers that only grow.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Connections, handshakes under way included.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Who may be sent payload: unchoked peers, and HTTP connections that are being sent a file.
    pub fn unchoked(&self) -> usize {
        self.unchoked + self.http_bodies
    }

    /// Interested peers that wait for a slot.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}
