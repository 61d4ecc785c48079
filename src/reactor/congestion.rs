//! Congestion control by path.
//!
//! The system's choice is right for the paths its operator has in mind, with one exception: bbr sends by a timer where no `fq`
//! qdisc does it, which costs more than half of what a core can send. Where paths are long and lose packets it is worth any
//! price. Measured on Linux 6.18, bbr without `fq`:
//!
//! | path | cubic | bbr |
//! |---|---|---|
//! | loopback, 8 peers, GB for each second of the sender's core, which is full | 6.4 | 3.0 |
//! | a pair of virtual Ethernet interfaces, the same | 3.8 | 1.6 |
//! | 40 ms and 200 Mbit/s, 1 peer, no loss, MB/s | 24.1 | 24.1 |
//! | the same with 0.1 % of the packets lost | 1.2 | 24.1 |
//! | the same with 1 % lost | 0.4 | 23.8 |
//!
//! So with `auto`, where the system's choice is bbr, only short paths use cubic: those inside this host, where there is never a
//! qdisc, and, unless new interfaces get `fq` (`net.core.default_qdisc`), those to the networks that it is attached to.
//! Point-to-point interfaces do not count: most are tunnels to far away.
//!
//! A socket that began with bbr keeps the timer, even if it is changed later (the kernel does not take
//! `SK_PACING_NEEDED` back). Listeners therefore begin with cubic, and what comes from elsewhere is changed to bbr when it is
//! accepted: one system call for such a connection, none where the system's choice is anything else.

use std::net::IpAddr;
use std::str::FromStr;
use std::{fmt, fs, io};

use socket2::{Domain, Protocol, Socket, Type};

use super::options::Options;

/// What the operator asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CongestionChoice {
    /// The system's, but cubic instead of bbr on short paths.
    #[default]
    Auto,
    /// This one for every connection.
    Named(String),
}

impl FromStr for CongestionChoice {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<CongestionChoice, Self::Err> {
        Ok(if word == "auto" { CongestionChoice::Auto } else { CongestionChoice::Named(word.into()) })
    }
}

/// Congestion control for peers that are not near.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    name: String,
    near: Vec<Network>,
}

/// An address and how many of its first bits its network has in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32, self.prefix),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128, self.prefix),
            _ => false,
        }
    }
}

fn same(a: u128, b: u128, bits: u8, prefix: u8) -> bool {
    (a ^ b).checked_shr(bits.saturating_sub(prefix).into()).unwrap_or(0) == 0
}

impl Elsewhere {
    /// Its name for a peer at `address`; `None` if that is near.
    pub(super) fn congestion_control(&self, address: IpAddr) -> Option<&str> {
        let near = address.is_loopback() || self.near.iter().any(|network| network.contains(address));
        (!near).then_some(self.name.as_str())
    }
}

/// What a choice comes to on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Congestion {
    /// Of connections that are not near.
    pub name: String,
    /// Of near connections.
    pub near: String,
}

impl fmt::Display for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.near == self.name {
            true => self.name.fmt(f),
            false => write!(f, "{} (near: {})", self.name, self.near),
        }
    }
}

/// Sets `options` to `choice`; what that comes to.
pub fn choose(choice: &CongestionChoice, options: &mut Options) -> Congestion {
    let system = setting("ipv4/tcp_congestion_control");
    match choice {
        CongestionChoice::Named(name) => {
            options.congestion_control = Some(name.clone());
            Congestion { name: name.clone(), near: name.clone() }
        }
        CongestionChoice::Auto if system.starts_with("bbr") && may_choose(CUBIC).is_ok() => {
            options.congestion_control = Some(CUBIC.into());
            options.elsewhere = Some(Elsewhere { name: system.clone(), near: near(has_fq()) });
            Congestion { name: system, near: CUBIC.into() }
        }
        CongestionChoice::Auto => Congestion { name: system.clone(), near: system },
    }
}

/// Whether interfaces get the qdisc that sends for bbr.
fn has_fq() -> bool {
    setting("core/default_qdisc") == "fq"
}

fn setting(name: &str) -> String {
    fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default().trim().to_owned()
}

/// The addresses of this host, or with `only_own` false the networks that they are in.
fn near(only_own: bool) -> Vec<Network> {
    let network = |interface: if_addrs::Interface| {
        let (address, prefix, all) = match &interface.addr {
            if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen, 32),
            if_addrs::IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen, 128),
        };
        Network { address, prefix: if only_own || interface.is_p2p() { all } else { prefix } }
    };
    if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(network).collect()
}

const CUBIC: &str = "cubic";

/// Who is not root may choose from a list that need not hold it.
fn may_choose(name: &str) -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?.set_tcp_congestion(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_attached_networks_are_near() {
        let network = |address: &str, prefix| Network { address: address.parse().expect("address"), prefix };
        let near = vec![network("192.0.2.1", 24), network("198.51.100.1", 32), network("2001:db8:1::1", 64)];
        let elsewhere = Elsewhere { name: "bbr".into(), near };
        let of = |address: &str| elsewhere.congestion_control(address.parse().expect("address"));
        for address in ["192.0.2.200", "198.51.100.1", "127.0.0.9", "::1", "2001:db8:1::2"] {
            assert_eq!(of(address), None, "{address}");
        }
        for address in ["192.0.3.1", "198.51.100.2", "2001:db8:2::1", "::ffff:192.0.2.1"] {
            assert_eq!(of(address), Some("bbr"), "{address}");
        }
        assert!(network("10.0.0.1", 0).contains(IpAddr::from([192, 0, 2, 1])), "all of them");
        assert!(near_is_this_host());
    }

    fn near_is_this_host() -> bool {
        near(true).iter().all(|network| network.prefix == if network.address.is_ipv4() { 32 } else { 128 })
    }

    #[test]
    fn a_named_one_is_used_for_all() {
        let mut options = Options::default();
        let chosen = choose(&CongestionChoice::Named("reno".into()), &mut options);
        assert_eq!((chosen.to_string().as_str(), options.elsewhere), ("reno", None));
        assert_eq!(options.congestion_control.as_deref(), Some("reno"));
    }

    #[test]
    fn both_are_said_where_they_differ() {
        let chosen = Congestion { name: "bbr".into(), near: "cubic".into() };
        assert_eq!(chosen.to_string(), "bbr (near: cubic)");
    }
}
