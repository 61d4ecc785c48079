//! A swarm in virtual time: the program's own peers, choker, picker and tracker, over a model of a network.
//!
//! Each member is a [`crate::shard::Shard`] that is driven as a reactor drives it: bytes in, turns out, a tick each second. What it
//! does not have is a disk (pieces are compared with the truth and are there at once) and a limit of its own: the link is
//! its limit. Members find each other through [`crate::tracker::swarm`].

mod content;
mod node;
mod plan;
pub mod random;
#[cfg(test)]
mod tests;
mod watch;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::ids::InfoHash;
use crate::lab::network::{Event, Network, NodeId};
use crate::limits;
use crate::metainfo::Geometry;
use crate::peer::Torrent;
use crate::tracker::swarm::{Announce, Bounds, Event as Occasion, Sample, Swarms, Want};

use content::Content;
use node::{Node, Surroundings, address, node_at, peer_id};

pub use plan::{Has, Manner, Member, Plan, Then};
pub use watch::Watch;

const INFO_HASH: InfoHash = InfoHash([0x5e; 20]);
/// Time begins here, so that nothing is older than time.
const START: Time = Time(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
/// Seconds after which a downloader asks the tracker again, and after which one with too few connections does.
const ANNOUNCE_SECONDS: u64 = 1_800;
const LONELY_SECONDS: u64 = 60;

/// Numbers of timers.
const TICK: u64 = 0;
const ARRIVE: u64 = 1;
const LEAVE: u64 = 2;

/// Why there is no swarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing to distribute, pieces of no length, or too many of them.
    #[error("a file of this size cannot be cut into pieces of this length")]
    Pieces,
    /// Addresses have 24 bits.
    #[error("at most {} members", MEMBERS)]
    Members,
}

/// Members of one swarm.
const MEMBERS: usize = 1 << 20;

/// What became of a member.
#[derive(Clone, PartialEq, Debug)]
pub struct Fate {
    /// When it came.
    pub arrived: Duration,
    /// How long it took from then until it had everything.
    pub took: Option<Duration>,
    /// Bytes that it sent and received, messages included.
    pub bytes: (u64, u64),
    /// Pieces that were bad.
    pub bad_pieces: u32,
    /// Members that it found out to send bad data.
    pub banned: Vec<NodeId>,
    /// Connections that it had at the end.
    pub connections: usize,
}

/// What became of a swarm.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Of its members, in the order of the plan.
    pub fates: Vec<Fate>,
    /// When it ended: the last one had everything, or the time was up.
    pub ended: Duration,
    /// Everybody who should have everything has it.
    pub complete: bool,
}

/// A swarm that runs.
pub struct Swarm<'plan, W> {
    plan: &'plan Plan,
    around: Surroundings<W>,
    tracker: Swarms,
    sample: Sample,
    nodes: Vec<Option<Node>>,
    fates: Vec<Fate>,
    announced: Vec<Time>,
    unfinished: usize,
    /// Nobody comes any more.
    closed: bool,
}

impl<'plan, W: Watch> Swarm<'plan, W> {
    /// Before anybody has come.
    pub fn new(plan: &'plan Plan, watch: W) -> Result<Swarm<'plan, W>, PlanError> {
        let geometry = Geometry::new(plan.piece_length, [(plan.size, false)]).filter(|geometry| geometry.pieces() > 0);
        let geometry = geometry.ok_or(PlanError::Pieces)?;
        if plan.members.len() > MEMBERS {
            return Err(PlanError::Members);
        }
        let torrent = Torrent { info_hash: INFO_HASH, geometry: geometry.clone(), info: [].into(), private: true };
        let mut network = Network::starting_at(START);
        for member in &plan.members {
            let node = network.add(member.access);
            network.wake(node, START + member.arrives, ARRIVE);
        }
        let bounds = Bounds {
            torrents: 1,
            peers_per_torrent: limits::TRACKER_PEERS_PER_TORRENT,
            peers: limits::TRACKER_PEERS_PER_TORRENT,
            open: true,
        };
        let fate = |member: &Member| Fate {
            arrived: member.arrives,
            took: None,
            bytes: (0, 0),
            bad_pieces: 0,
            banned: Vec::new(),
            connections: 0,
        };
        Ok(Swarm {
            around: Surroundings {
                network,
                torrent: Arc::new(torrent),
                content: Content::new(geometry),
                random: fastrand::Rng::with_seed(plan.seed),
                cuts: plan.cuts,
                watch,
            },
            tracker: Swarms::new(bounds, [7; 16]),
            sample: Sample::default(),
            nodes: plan.members.iter().map(|_| None).collect(),
            fates: plan.members.iter().map(fate).collect(),
            announced: vec![START; plan.members.len()],
            unfinished: plan.members.iter().filter(|member| member.should_finish()).count(),
            closed: false,
            plan,
        })
    }

    /// Lets it run to its end.
    pub fn run(mut self) -> (Outcome, W) {
        let end = START + self.plan.until;
        while self.unfinished > 0 && self.step(end) {}
        (self.outcome(end), self.around.watch)
    }

    /// The next thing happens; `false` if nothing does before `end`.
    fn step(&mut self, end: Time) -> bool {
        let Some((id, event)) = self.around.network.next_event() else { return false };
        if self.around.network.now() > end {
            return false;
        }
        match event {
            Event::Timer(ARRIVE) if self.closed => {}
            Event::Timer(ARRIVE) => self.arrive(id),
            Event::Timer(LEAVE) => self.leave(id),
            Event::Timer(_) => self.tick(id),
            event => self.pass_on(id, event),
        }
        self.settle(id);
        true
    }

    fn pass_on(&mut self, id: NodeId, event: Event) {
        match (&mut self.nodes[id.0], event) {
            (Some(node), event) => node.handle(event, &mut self.around),
            // nobody is at home
            (None, Event::Incoming(end, _) | Event::Closed(end)) => self.around.network.close(end),
            (None, _) => {}
        }
    }

    fn settle(&mut self, id: NodeId) {
        let Some(node) = &mut self.nodes[id.0] else { return };
        if node.settle(&mut self.around) {
            self.completed(id);
        }
    }

    fn arrive(&mut self, id: NodeId) {
        let member = &self.plan.members[id.0];
        let now = self.around.network.now();
        self.nodes[id.0] = Some(Node::new(id, member, self.plan, &mut self.around));
        if let Manner::Deserter(after) = member.manner {
            self.around.network.wake(id, now + after, LEAVE);
        }
        self.around.network.wake(id, now + SECOND, TICK);
        self.announce(id, Occasion::Started);
    }

    fn tick(&mut self, id: NodeId) {
        let Some(node) = &mut self.nodes[id.0] else { return };
        let now = self.around.network.now();
        node.tick(&mut self.around);
        self.around.network.wake(id, now + SECOND, TICK);
        let is_lonely = node.connections() < self.plan.neighbours / 2;
        let patience = if is_lonely { LONELY_SECONDS } else { ANNOUNCE_SECONDS };
        let seeks = self.plan.members[id.0].seeks && !node.is_complete;
        if seeks && now.since(self.announced[id.0]).as_secs() >= patience {
            self.announce(id, Occasion::Update);
        }
    }

    /// Tells the tracker, and dials whom it names.
    fn announce(&mut self, id: NodeId, event: Occasion) {
        let Some(node) = &mut self.nodes[id.0] else { return };
        let now = self.around.network.now();
        self.announced[id.0] = now;
        let seeks = self.plan.members[id.0].seeks && !node.is_complete;
        let wanted = if seeks { self.plan.neighbours.saturating_sub(node.connections()) } else { 0 };
        let announce = Announce {
            info_hash: INFO_HASH,
            peer: address(id),
            reached_at: Ipv4Addr::new(10, 255, 255, 255).into(),
            peer_id: peer_id(id),
            key: Announce::fold_key(None, &peer_id(id)),
            event,
            seeder: node.is_complete,
            want: Want { v4: wanted, v6: 0 },
        };
        let answer = self.tracker.announce(now, &announce, &mut self.around.random, &mut self.sample);
        if answer.is_err() || event == Occasion::Stopped {
            return;
        }
        for peer in self.sample.v4.chunks_exact(6) {
            node.dial(node_at(Ipv4Addr::new(peer[0], peer[1], peer[2], peer[3])), &mut self.around);
        }
    }

    fn completed(&mut self, id: NodeId) {
        let (now, member) = (self.around.network.now(), &self.plan.members[id.0]);
        self.around.watch.finished(now, id);
        self.fates[id.0].took = Some(now.since(START + member.arrives));
        self.unfinished -= usize::from(member.should_finish());
        self.announce(id, Occasion::Completed);
        match member.then {
            Then::Leave => self.leave(id),
            Then::Linger(time) => self.around.network.wake(id, now + time, LEAVE),
            Then::Stay => {}
        }
    }

    fn leave(&mut self, id: NodeId) {
        self.announce(id, Occasion::Stopped);
        if let Some(mut node) = self.nodes[id.0].take() {
            node.leave(&mut self.around);
            note(&mut self.fates[id.0], &node);
            self.around.watch.left(self.around.network.now(), id);
        }
    }

    /// What became of everybody by now.
    fn outcome(&mut self, end: Time) -> Outcome {
        for (number, (fate, node)) in self.fates.iter_mut().zip(&self.nodes).enumerate() {
            fate.bytes = self.around.network.bytes(NodeId(number));
            if let Some(node) = node {
                note(fate, node);
            }
        }
        let ended = self.around.network.now().min(end).since(START);
        Outcome { fates: self.fates.clone(), ended, complete: self.unfinished == 0 }
    }
}

fn note(fate: &mut Fate, node: &Node) {
    fate.bad_pieces = node.bad_pieces;
    fate.banned.clone_from(&node.banned);
    fate.connections = node.connections();
}

/// Seconds since the start.
pub fn seconds(now: Time) -> f64 {
    now.since(START).as_secs_f64()
}
