//! Small swarms drawn from a seed, with members of every bad habit, and what must be true of each of them.
//!
//! A rule that is broken is told with the seed: the same seed breaks it again.

use std::fmt;
use std::time::Duration;

use super::node::Node;
use super::plan::{Has, Manner, Member, Plan, Then};
use super::{Outcome, Swarm};
use crate::ids::PieceIndex;
use crate::lab::network::{Access, NodeId};
use crate::limits;
use crate::schedule::Periods;
use crate::schedule::picker::Order;

/// A rule that a swarm broke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// Somebody who did nothing wrong did not get the file.
    Unfinished(NodeId),
    /// Somebody served more peers than it has slots.
    Slots(NodeId),
    /// Buffers of pieces took more memory than they may.
    Memory(NodeId),
    /// Somebody was banned who sent nothing bad.
    Banned(NodeId),
    /// A piece was taken twice, or one that does not exist.
    Piece(NodeId, PieceIndex),
    /// Something was left when everybody had gone.
    Left,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Unfinished(node) => write!(f, "member {} did not get the file", node.0),
            Broken::Slots(node) => write!(f, "member {} served more peers than it has slots", node.0),
            Broken::Memory(node) => write!(f, "member {} had more pieces under way than its memory allows", node.0),
            Broken::Banned(node) => write!(f, "member {} was banned and had sent nothing bad", node.0),
            Broken::Piece(node, piece) => write!(f, "member {} took piece {} twice", node.0, piece.0),
            Broken::Left => write!(f, "something was left when everybody had gone"),
        }
    }
}

/// Virtual time after which a swarm of this size counts as stuck.
const UNTIL: Duration = Duration::from_secs(4 * 3_600);

/// The swarm of a seed. The first member has everything, stays and is honest, so that everybody can finish.
pub fn plan(seed: u64) -> Plan {
    let mut random = fastrand::Rng::with_seed(seed);
    let piece_length = limits::BLOCK * random.u32(1..5) - random.u32(..2) * random.u32(1..9_000);
    let size = u64::from(piece_length) * random.u64(1..24) - random.u64(..u64::from(piece_length));
    let mut members = vec![Member::seed(access(&mut random))];
    let count = random.usize(1..9);
    members.extend((0..count).map(|_| member(&mut random)));
    Plan {
        size,
        piece_length,
        // with fewer than this, those who get nothing could be each other's only neighbours
        neighbours: count + random.usize(..3),
        memory: u64::from(piece_length) * random.u64(..20),
        periods: Periods::default(),
        members,
        seed,
        until: UNTIL,
        cuts: random.u8(..4) == 0,
    }
}

fn access(random: &mut fastrand::Rng) -> Access {
    Access {
        up: random.u64(8..1_000) * 1024,
        down: random.u64(32..4_000) * 1024,
        delay: Duration::from_millis(random.u64(..200)),
    }
}

fn member(random: &mut fastrand::Rng) -> Member {
    let manner = match random.u8(..20) {
        0 => Manner::FreeRider,
        1 | 2 => Manner::Liar(random.u8(5..101)),
        3 => Manner::Flooder,
        4 | 5 => Manner::Breaker(random.u32(1_000..2_000_000)),
        6 => Manner::Deserter(Duration::from_millis(random.u64(1..60_000))),
        7 => Manner::Staller,
        _ => Manner::Honest,
    };
    let has = match random.u8(..8) {
        0 => Has::Part(random.u8(1..100)),
        1 => Has::Everything,
        _ if matches!(manner, Manner::Liar(_) | Manner::Staller) => Has::Everything,
        _ => Has::Nothing,
    };
    let then = match random.u8(..4) {
        0 => Then::Leave,
        1 => Then::Linger(Duration::from_millis(random.u64(..30_000))),
        _ => Then::Stay,
    };
    let order = [Order::RarestFirst, Order::RarestFirst, Order::Random, Order::Sequential][random.usize(..4)];
    Member {
        access: access(random),
        arrives: Duration::from_millis(random.u64(..20_000) * random.u64(..2)),
        has,
        seeks: true,
        then,
        slots: random.u32(1..6),
        order,
        super_seeds: has == Has::Everything && random.u8(..4) == 0,
        manner,
    }
}

/// Runs a swarm and looks whether it keeps the rules.
pub fn check(plan: &Plan) -> Result<Outcome, Broken> {
    let mut swarm = Swarm::new(plan, ()).map_err(|_| Broken::Left)?;
    let end = super::START + plan.until;
    let mut steps = 0u64;
    while swarm.unfinished > 0 && swarm.step(end) {
        steps += 1;
        // all books at every step would take most of the time
        if steps.is_multiple_of(16) {
            look(&swarm, plan)?;
        }
    }
    let outcome = swarm.outcome(end);
    fair(plan, &outcome)?;
    released(swarm, end)?;
    Ok(outcome)
}

fn look(swarm: &Swarm<'_, ()>, plan: &Plan) -> Result<(), Broken> {
    let here = swarm.nodes.iter().enumerate().filter_map(|(number, node)| Some((NodeId(number), node.as_ref()?)));
    for (id, node) in here {
        if node.shard().unchoked() > plan.members[id.0].slots as usize {
            return Err(Broken::Slots(id));
        }
        let allowed = (plan.memory / u64::from(plan.piece_length)).max(limits::BEGUN_PIECES_MIN as u64);
        if begun(node) as u64 > allowed {
            return Err(Broken::Memory(id));
        }
        if let Some(piece) = node.taken_twice {
            return Err(Broken::Piece(id, piece));
        }
    }
    Ok(())
}

fn begun(node: &Node) -> usize {
    node.shard().torrents().iter().filter_map(|torrent| torrent.download).map(|download| download.begun).sum()
}

fn fair(plan: &Plan, outcome: &Outcome) -> Result<(), Broken> {
    for (number, (member, fate)) in plan.members.iter().zip(&outcome.fates).enumerate() {
        if member.should_finish() && fate.took.is_none() {
            return Err(Broken::Unfinished(NodeId(number)));
        }
        let lies = |node: &NodeId| matches!(plan.members[node.0].manner, Manner::Liar(_) | Manner::Flooder);
        if let Some(innocent) = fate.banned.iter().find(|node| !lies(node)) {
            return Err(Broken::Banned(*innocent));
        }
    }
    Ok(())
}

/// Everybody leaves; nothing may be left.
fn released(mut swarm: Swarm<'_, ()>, end: crate::clock::Time) -> Result<(), Broken> {
    let here: Vec<usize> = (0..swarm.nodes.len()).filter(|&number| swarm.nodes[number].is_some()).collect();
    for number in here {
        swarm.leave(NodeId(number));
        let fate = &swarm.fates[number];
        if fate.connections > 0 {
            return Err(Broken::Left);
        }
    }
    let late = end + Duration::from_secs(86_400);
    // who has not come yet comes and goes
    swarm.unfinished = usize::MAX;
    swarm.closed = true;
    while swarm.step(late) {}
    let listed = swarm.tracker.totals();
    let is_empty = listed.peers_v4 == 0 && swarm.around.network.open_connections() == 0;
    if is_empty { Ok(()) } else { Err(Broken::Left) }
}
