//! The textbook's experiment: how long until everybody has the file, with a server alone and with peers.

use std::time::Duration;

use serde::Serialize;

use super::network::Access;
use super::swarm::{Member, Plan, PlanError, Swarm, Then};
use super::theory::{Setting, whole};
use super::transfer;
use crate::schedule::Periods;
use crate::schedule::picker::Order;

/// Memory of a member for pieces under way.
const MEMORY: u64 = 64 << 20;

/// The circumstances, beside rates.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Bytes of a piece.
    pub piece_length: u32,
    /// From a node to the core of the network.
    pub delay: Duration,
    /// How clients come.
    pub arrivals: Arrivals,
    /// What they do when they have everything.
    pub then: Then,
    /// Peers that each serves at once.
    pub slots: u32,
    /// Connections that each looks for.
    pub neighbours: usize,
    /// Which pieces come first.
    pub order: Order,
    /// How long rounds are.
    pub periods: Periods,
    /// Of all chance.
    pub seed: u64,
}

/// How clients come.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Arrivals {
    /// All within a moment.
    AtOnce,
    /// One after the other, at random, so many seconds apart on average.
    Poisson(f64),
}

/// What was measured for a number of clients. All times in seconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Point {
    /// Clients.
    pub n: usize,
    /// Lower bound, client-server.
    pub d_cs: f64,
    /// Lower bound, peer-to-peer.
    pub d_p2p: f64,
    /// Until the last client of a server had everything.
    pub cs: Option<f64>,
    /// Until the last peer had everything.
    pub p2p: Option<f64>,
    /// From coming to having everything, on average over the peers.
    pub p2p_mean: Option<f64>,
    /// The part of what was sent that the seed sent.
    pub seed_share: f64,
}

impl Circumstances {
    /// Those of the textbook.
    pub fn textbook(seed: u64) -> Circumstances {
        Circumstances {
            piece_length: 256 * 1024,
            delay: Duration::from_millis(20),
            arrivals: Arrivals::AtOnce,
            then: Then::Stay,
            slots: 5,
            neighbours: 40,
            order: Order::RarestFirst,
            periods: Periods::default(),
            seed,
        }
    }

    /// When so many clients come: all of a smaller number come first among a larger one.
    fn arrivals(&self, clients: usize) -> Vec<Duration> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut at = 0.0;
        let next = |_| match self.arrivals {
            Arrivals::AtOnce => Duration::from_millis(random.u64(..1_000)),
            Arrivals::Poisson(mean) => {
                at -= mean * (1.0 - random.f64()).ln();
                Duration::from_secs_f64(at.clamp(0.0, 1e9))
            }
        };
        (0..clients).map(next).collect()
    }

    /// The swarm of so many clients.
    pub fn plan(&self, setting: &Setting, clients: usize) -> Plan {
        let access = |up: f64, down: f64| Access { up: whole(up), down: whole(down), delay: self.delay };
        let server = Member { slots: self.slots, ..Member::seed(access(setting.server_up, setting.server_up)) };
        let member = |(client, arrives): (usize, Duration)| Member {
            arrives,
            then: self.then,
            slots: self.slots,
            order: self.order,
            ..Member::leecher(access(setting.up_of(client), setting.down_of(client)))
        };
        let members = self.arrivals(clients).into_iter().enumerate().map(member);
        Plan {
            size: whole(setting.file),
            piece_length: self.piece_length,
            members: std::iter::once(server).chain(members).collect(),
            memory: MEMORY,
            neighbours: self.neighbours,
            periods: self.periods,
            seed: self.seed,
            until: Duration::from_secs(365 * 86_400),
            cuts: false,
        }
    }
}

/// Measures for one number of clients, and puts the bounds beside it.
pub fn measure(setting: &Setting, circumstances: &Circumstances, clients: usize) -> Result<Point, PlanError> {
    let plan = circumstances.plan(setting, clients);
    let bounds = (setting.client_server(clients).time, setting.peer_to_peer(clients).time);
    let (outcome, ()) = Swarm::new(&plan, ())?.run();
    let took: Option<Vec<f64>> = outcome.fates.iter().skip(1).map(|fate| Some(fate.took?.as_secs_f64())).collect();
    let mean = took.as_ref().filter(|took| !took.is_empty()).map(|took| took.iter().sum::<f64>() / took.len() as f64);
    let sent = |fates: &[super::swarm::Fate]| fates.iter().map(|fate| fate.bytes.0).sum::<u64>() as f64;
    Ok(Point {
        n: clients,
        d_cs: bounds.0,
        d_p2p: bounds.1,
        cs: alone(&plan),
        p2p: outcome.complete.then_some(outcome.ended.as_secs_f64()),
        p2p_mean: mean,
        seed_share: sent(&outcome.fates[..1]) / sent(&outcome.fates).max(1.0),
    })
}

/// The same clients and a server without a swarm.
fn alone(plan: &Plan) -> Option<f64> {
    let (server, clients) = plan.members.split_first()?;
    let clients: Vec<(Access, Duration)> = clients.iter().map(|client| (client.access, client.arrives)).collect();
    let took = transfer::client_server(plan.size, server.access, &clients);
    took.into_iter().try_fold(0.0, |last: f64, took| Some(last.max(took?.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's rates for a file of 32 MiB that a client uploads in an hour.
    fn setting() -> Setting {
        let (file, up) = (32.0 * 1024.0 * 1024.0, 32.0 * 1024.0 * 1024.0 / 3_600.0);
        Setting { file, server_up: 10.0 * up, up: vec![up], down: vec![10.0 * up] }
    }

    fn circumstances(seed: u64) -> Circumstances {
        Circumstances { piece_length: 64 * 1024, ..Circumstances::textbook(seed) }
    }

    #[test]
    fn thirty_peers_stay_within_a_quarter_of_their_bound_and_a_server_within_a_twentieth() {
        let point = measure(&setting(), &circumstances(1), 30).expect("it can be planned");
        let (cs, p2p) = (point.cs.expect("complete"), point.p2p.expect("complete"));
        assert!(p2p >= point.d_p2p && p2p <= 1.25 * point.d_p2p, "{} of the bound", p2p / point.d_p2p);
        assert!(cs >= point.d_cs && cs <= 1.05 * point.d_cs, "{} of the bound", cs / point.d_cs);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let (setting, few) = (Setting { file: 4.0 * 1024.0 * 1024.0, ..setting() }, 8);
        let text = |seed| {
            let point = measure(&setting, &circumstances(seed), few).expect("it can be planned");
            serde_json::to_string(&point).expect("plain numbers")
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn for_nobody_nothing_takes_any_time() {
        let point = measure(&setting(), &circumstances(1), 0).expect("it can be planned");
        assert_eq!((point.d_cs, point.d_p2p, point.cs, point.p2p), (0.0, 0.0, Some(0.0), Some(0.0)));
    }
}
