//! Connection ids of the UDP protocol (BEP 15), without memory.
//!
//! An id proves that its sender receives what is sent to its address, so that nobody can announce for others or aim our
//! answers at them. It is a keyed hash over the address and the current span of 64 seconds; its lowest bit tells which
//! of the last two spans it is from, so a check is one hash. An id holds for 64 to 128 seconds: BEP 15 lets a client
//! use one for a minute and asks trackers to take it for two.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::clock::Time;

const SPAN_US: u64 = 64_000_000;

/// Issues and checks connection ids.
pub(super) struct ConnectionIds {
    hasher: SipHasher13,
}

impl ConnectionIds {
    /// `key` is secret and random.
    pub(super) fn new(key: [u8; 16]) -> ConnectionIds {
        ConnectionIds { hasher: SipHasher13::new_with_key(&key) }
    }

    /// The id for a client. The port plays no part: some clients use one id from several sockets.
    pub(super) fn issue(&self, now: Time, client: IpAddr) -> u64 {
        self.of_span(now.0 / SPAN_US, client)
    }

    /// Whether `id` was issued to this client in this span or the one before.
    pub(super) fn accepts(&self, now: Time, client: IpAddr, id: u64) -> bool {
        let span = now.0 / SPAN_US;
        let span = if span & 1 == id & 1 { Some(span) } else { span.checked_sub(1) };
        span.is_some_and(|span| self.of_span(span, client) == id)
    }

    fn of_span(&self, span: u64, client: IpAddr) -> u64 {
        let mut input = [0; 25];
        input[..8].copy_from_slice(&span.to_le_bytes());
        match client {
            IpAddr::V4(address) => input[8..12].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => {
                input[8..24].copy_from_slice(&address.octets());
                input[24] = 6;
            }
        }
        let used = if client.is_ipv4() { 12 } else { 25 };
        self.hasher.hash(&input[..used]) & !1 | span & 1
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_holds_for_a_minute_and_not_for_three() {
        let ids = ConnectionIds::new([7; 16]);
        for client in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            for start_s in 0..200 {
                let issued_at = Time(start_s * 1_000_000);
                let id = ids.issue(issued_at, client);
                let after = |seconds| ids.accepts(issued_at + Duration::from_secs(seconds), client, id);
                assert!(after(0) && after(30) && after(60), "issued at {start_s} s");
                assert!(!after(128) && !after(192) && !after(256), "issued at {start_s} s");
            }
        }
    }

    #[test]
    fn an_id_is_good_for_its_address_and_key_only() {
        let ids = ConnectionIds::new([7; 16]);
        let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let now = Time(500_000_000);
        let id = ids.issue(now, client);
        assert!(ids.accepts(now, client, id));
        assert!(!ids.accepts(now, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), id));
        assert!(!ids.accepts(now, IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()), id));
        assert!(!ConnectionIds::new([8; 16]).accepts(now, client, id));
        for bit in 0..64 {
            assert!(!ids.accepts(now, client, id ^ 1 << bit), "bit {bit}");
        }
        assert!(!ids.accepts(Time(0), client, 1), "there was no span before the first");
    }
}
