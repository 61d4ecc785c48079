//! What both servers share: swarms, clock, rules of the house.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::registry::Registry;
use super::swarm::OwnSeeder;
use crate::clock::Time;
use crate::limits;

/// One tracker, whatever protocol it is asked by.
pub(super) struct Desk {
    pub(super) registry: Registry,
    pub(super) counters: Counters,
    pub(super) interval: Duration,
    pub(super) open: bool,
    external_v4: Option<Ipv4Addr>,
    external_v6: Option<Ipv6Addr>,
    started: Instant,
}

impl Desk {
    pub(super) fn new(registry: Registry, interval: Duration, open: bool, external: &[IpAddr]) -> Desk {
        let external_v4 = external.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let external_v6 = external.iter().find_map(|address| match address {
            IpAddr::V6(address) => Some(*address),
            IpAddr::V4(_) => None,
        });
        let started = Instant::now();
        Desk { registry, counters: Counters::default(), interval, open, external_v4, external_v6, started }
    }

    /// Time since the tracker started.
    pub(super) fn now(&self) -> Time {
        Time::default() + self.started.elapsed()
    }

    /// Seconds between two announces of a client.
    pub(super) fn interval_s(&self) -> u32 {
        u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX)
    }

    /// How soon a client may come back unasked: BEP 3 leaves it to us; a minute spreads a young swarm quickly.
    pub(super) fn min_interval_s(&self) -> u32 {
        self.interval_s().min(60)
    }

    /// How long a peer may be silent: two intervals and up to a minute, so that one lost announce costs nobody a place.
    pub(super) fn patience(&self) -> Duration {
        self.interval * 2 + self.interval.min(Duration::from_secs(60))
    }

    /// Forgets the silent, over and over. Yields to requests after every step.
    pub(super) async fn expire_silent(&self) {
        // a peer is gone at the latest an eighth of its patience late
        let mut rounds = tokio::time::interval(self.patience() / 8);
        loop {
            rounds.tick().await;
            for shard in 0..limits::TRACKER_SHARDS {
                while !self.registry.expire_step(shard, self.now(), self.patience()) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Where others find the client that announced from `source` and listens on `port`. A client on this very host
    /// announces from a loopback address, which is of no use to others: it is listed at our external address.
    pub(super) fn peer_address(&self, source: IpAddr, port: u16) -> SocketAddr {
        let source = source.to_canonical();
        let external = match source {
            IpAddr::V4(_) => self.external_v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.external_v6.map(IpAddr::V6),
        };
        SocketAddr::new(external.filter(|_| source.is_loopback()).unwrap_or(source), port)
    }

    /// Fills in the external addresses that the caller left open.
    pub(super) fn complete(&self, own: OwnSeeder) -> OwnSeeder {
        OwnSeeder {
            external_v4: own.external_v4.or(self.external_v4),
            external_v6: own.external_v6.or(self.external_v6),
            ..own
        }
    }
}
