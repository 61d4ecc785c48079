//! How many connections an address has, over all reactors.
//!
//! A fixed table of counters, indexed by a keyed hash of the address: no lock, no growth. Two addresses that share a
//! counter share a limit; with 10,000 connections and 65,536 counters that refuses nobody in practice, and the key keeps
//! strangers from choosing whom they share with. An IPv6 host counts as its /64, because it owns all of it.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use siphasher::sip::SipHasher13;

const COUNTERS: usize = 1 << 16;

/// Counters of connections by address.
#[derive(Debug)]
pub struct Admission {
    counters: Box<[AtomicU16]>,
    key: (u64, u64),
    most: u16,
}

impl Admission {
    /// At most `most` connections from one address; `key` is random.
    pub fn new(most: u16, key: (u64, u64)) -> Admission {
        Admission { counters: (0..COUNTERS).map(|_| AtomicU16::new(0)).collect(), key, most }
    }

    /// Counts a connection from `address` in; `false` if it has too many.
    pub fn enter(&self, address: IpAddr) -> bool {
        let counter = self.counter(address);
        // Relaxed: a counter guards nothing but itself
        let room = |count: u16| (count < self.most).then_some(count + 1);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Counts a connection out that was counted in.
    pub fn leave(&self, address: IpAddr) {
        self.counter(address).fetch_sub(1, Ordering::Relaxed);
    }

    fn counter(&self, address: IpAddr) -> &AtomicU16 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()[..8]),
        }
        let index = usize::try_from(hasher.finish() % (COUNTERS as u64)).expect("below 65,536");
        &self.counters[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gets_it_again_after_leaving() {
        let admission = Admission::new(2, (1, 2));
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(admission.enter(a) && admission.enter(a) && !admission.enter(a));
        assert!(admission.enter(b));
        admission.leave(a);
        assert!(admission.enter(a));
    }

    #[test]
    fn an_ipv6_host_cannot_multiply_within_its_prefix() {
        let admission = Admission::new(1, (1, 2));
        assert!(admission.enter("fd77::1".parse().expect("address")));
        assert!(!admission.enter("fd77::2".parse().expect("address")));
    }
}
