//! Flags that say how peers are spoken to, the same for every command that speaks to them.

use std::net::IpAddr;

use crate::limits;
use crate::reactor::congestion::CongestionChoice;
use crate::reactor::driver::DriverChoice;
use crate::reactor::sockets::{Dscp, Options};
use crate::schedule::Slots;
use crate::session::{FleetConfig, connections_within};
use crate::transmit::SendMode;

use super::units::{parse_rate, parse_size};

/// See the module.
#[derive(clap::Args, Debug)]
pub(crate) struct NetworkArgs {
    /// Port for peers [default: 6881, or the next one that is free].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Address of this host that peers may connect to, and from which others are connected to; repeat for several [default: all].
    #[arg(long, value_name = "IP")]
    listen: Vec<IpAddr>,
    /// Peers served at once: `auto` as the capacity feeds, `unlimited`, or N for each torrent, one of them optimistic.
    #[arg(long, default_value = "auto", value_name = "auto|unlimited|N")]
    pub(crate) slots: Slots,
    /// Also serve the files by HTTP, on the port for peers, at /INFO-HASH/PATH; private torrents not.
    #[arg(long)]
    pub(crate) web_seed: bool,
    /// Payload bytes a second for everybody together, such as 10MB, 800KiB or 100Mbit.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) upload_limit: Option<u64>,
    /// Payload bytes a second for each peer.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) peer_limit: Option<u64>,
    /// How the kernel is driven.
    #[arg(long, default_value = "auto", value_name = "auto|io_uring|epoll")]
    driver: DriverChoice,
    /// How payload leaves: `splice` without a copy, `copy` with one, `zerocopy` for real network cards.
    #[arg(long, default_value = "auto", value_name = "auto|splice|copy|zerocopy")]
    send: SendMode,
    /// Address at which peers reach this host, one of each family at most [default: those of its interfaces].
    #[arg(long, value_name = "IP")]
    pub(crate) external_ip: Vec<IpAddr>,
    /// TCP congestion control of peer connections, such as cubic or bbr; `auto` is the system's, but cubic instead of bbr on short paths.
    #[arg(long, default_value = "auto", value_name = "auto|NAME")]
    congestion: CongestionChoice,
    /// Mark of outgoing packets to peers, such as cs1, le, af11 or a number from 0 to 63.
    #[arg(long, value_name = "NAME|N")]
    dscp: Option<Dscp>,
    /// Bytes that the kernel holds for each peer beyond what is on its way, such as 512KiB [default: the system's].
    #[arg(long, value_name = "SIZE", value_parser = parse_unsent)]
    unsent_limit: Option<u32>,
    /// Use this network interface alone: for peers, the embedded tracker and announces. Names are looked up as the system does.
    #[arg(long, value_name = "IFACE")]
    pub(crate) bind_device: Option<String>,
    /// Connections at most.
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS_BY_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Connections from one address (IPv6: one /64) at most.
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS_PER_ADDRESS)]
    connections_per_address: u16,
}

impl NetworkArgs {
    /// What they mean for so many reactors, where the process may have `descriptors` open.
    pub(crate) fn fleet(&self, reactors: usize, descriptors: u64) -> FleetConfig {
        let connections = usize::try_from(self.connections).unwrap_or(usize::MAX);
        FleetConfig {
            reactors,
            driver: self.driver,
            send: self.send,
            port: self.port,
            listen: self.listen.clone(),
            slots: self.slots,
            upload_limit: self.upload_limit,
            download_limit: None,
            peer_limit: self.peer_limit,
            connections: connections.min(connections_within(descriptors, reactors)),
            connections_per_address: self.connections_per_address,
            congestion: self.congestion.clone(),
            options: Options {
                dscp: self.dscp,
                device: self.bind_device.clone(),
                unsent_low_water_bytes: self.unsent_limit,
                ..Options::default()
            },
            listeners: Vec::new(),
            downloads: false,
        }
    }
}

fn parse_unsent(text: &str) -> Result<u32, String> {
    let bytes = parse_size(text)?;
    let least = limits::UNSENT_MIN;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes >= least)
        .ok_or_else(|| format!("give {} KiB to 4 GiB", least / 1024))
}
