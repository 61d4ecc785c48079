//! Addresses and names that are used once: seeders tell leechers apart by both.

use std::net::{IpAddr, Ipv4Addr};

use crate::ids::PeerId;

use super::plan::Plan;

/// On loopback an address for each connection: seeders limit the connections of one.
pub(super) fn source(plan: &Plan, serial: u32) -> Option<IpAddr> {
    let local = plan.target.is_ipv4() && plan.target.ip().is_loopback();
    // 127.1.0.0 and up, 2^23 of them, no host part of zeros or ones
    let host = serial % (1 << 23);
    let [_, high, middle, low] = (host / 254 * 256 + host % 254 + 1).to_be_bytes();
    local.then(|| Ipv4Addr::new(127, 1 + high, middle, low).into())
}

/// A name used once, as Azureus-style ids are: seeders tell connections apart by it.
pub(super) fn peer_id(seed: u64, serial: u32) -> PeerId {
    let mut id = *b"-LD0001-000000000000";
    let mut unique = fastrand::Rng::with_seed(seed ^ u64::from(serial));
    id[8..].fill_with(|| u8::try_from(unique.alphanumeric()).unwrap_or(b'0'));
    PeerId(id)
}
