//! What the engine is started with.

use std::net::{IpAddr, Ipv6Addr};

use crate::reactor::sockets::Options;
use crate::session::{FleetConfig, SessionConfig, connections_within};

use super::Config;

impl Config {
    /// The engine, in a process that may have so many descriptors open.
    pub fn session(&self, descriptors: u64) -> SessionConfig {
        SessionConfig {
            fleet: self.fleet(descriptors),
            external: self.network.external.clone(),
            tracker: self.trackers.embedded.0,
            added_trackers: self.trackers.added.iter().map(|url| url.0.clone()).collect(),
            super_seed: self.seeding.super_seed,
            web_seed: self.network.web_seed,
        }
    }

    fn fleet(&self, descriptors: u64) -> FleetConfig {
        let network = &self.network;
        // a session that downloads has one reactor
        let reactors = network.reactors.as_ref().map_or(1, |reactors| usize::try_from(reactors.0).unwrap_or(1));
        // all of this host is what the engine takes when none is named
        let all = network.listen.iter().all(|address| *address == IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let connections = usize::try_from(network.connections.0).unwrap_or(usize::MAX);
        FleetConfig {
            reactors,
            driver: network.driver,
            send: network.send,
            port: network.port.as_ref().map(|port| port.0),
            listen: if all { Vec::new() } else { network.listen.clone() },
            slots: self.limits.slots,
            upload_limit: self.limits.upload.as_ref().map(|rate| rate.0),
            download_limit: self.limits.download.as_ref().map(|rate| rate.0),
            peer_limit: self.limits.peer.as_ref().map(|rate| rate.0),
            connections: connections.min(connections_within(descriptors, reactors)),
            connections_per_address: network.connections_per_address.0,
            congestion: network.congestion.clone(),
            options: Options {
                dscp: network.dscp,
                device: network.bind_device.as_ref().map(|device| device.0.clone()),
                unsent_low_water_bytes: network.unsent_limit.as_ref().map(|limit| limit.0),
                ..Options::default()
            },
            listeners: Vec::new(),
            downloads: true,
        }
    }
}
