//! Addresses of the world, as opposed to this host and its network, which trust each other: whoever could have a program here send
//! requests to those would reach what a firewall keeps from him.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether `address` is reached over the internet. By the registries of special-purpose addresses (RFC 6890), with the IPv4 addresses
/// that IPv6 ones lead to looked at as such.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // this network; addresses shared behind a provider's translation; assignments of protocols; measurements; the future
        [0, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] | [240..=255, ..] => true,
        _ => false,
    };
    let named = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation();
    !(special || named || address.is_multicast() || address.is_broadcast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let (high, low) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        // translation to IPv4, and tunnels in it
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // of what is left, 2000::/3 alone is the internet; 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for documents
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The system's resolver without the addresses inside.
#[derive(Debug)]
pub(super) struct Outside;

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(REFUSED.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

pub(super) const REFUSED: &str =
    "it leads to this host or its network; the configuration allows that by webhooks.private-targets = true";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_is_told_from_what_is_outside_in_every_spelling() {
        #[rustfmt::skip]
        let inside = ["127.0.0.1", "0.0.0.0", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "198.18.0.1",
            "192.0.0.8", "192.0.2.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
            "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:c0a8:1::", "2001::1",
            "2001:db8::1", "fec0::1", "::127.0.0.1", "3fff::1", "100::1", "64:ff9b:1::1"];
        for address in inside {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
        #[rustfmt::skip]
        let outside = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1", "2a00:1450::1", "::ffff:1.1.1.1",
            "64:ff9b::101:101", "2001:4860::8888"];
        for address in outside {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
    }
}
