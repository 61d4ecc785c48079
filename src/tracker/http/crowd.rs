//! How many connections each address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Counts = HashMap<IpAddr, usize>;

/// Connections by address. It never holds more addresses than there are connections.
#[derive(Clone)]
pub struct Crowd {
    most: usize,
    // wanted for moments, by tasks of one or a few threads
    counts: Arc<Mutex<Counts>>,
}

/// A connection's place in the count of its address; given back when dropped.
pub struct Seat {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// Nobody yet, and so many of each address at most.
    pub fn new(most: usize) -> Crowd {
        Crowd { most, counts: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection from `address`, unless that has as many as it may.
    pub fn enter(&self, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Seat { crowd: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.crowd.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// The address itself; of IPv6 the /64 that one customer has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gets_it_back() {
        let crowd = Crowd::new(3);
        let here = IpAddr::from([192, 0, 2, 1]);
        let seats: Vec<_> = (0..9).map_while(|_| crowd.enter(here)).collect();
        assert_eq!(seats.len(), 3);
        assert!(crowd.enter(here).is_none());
        assert!(crowd.enter(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(seats);
        assert!(crowd.enter(here).is_some());
        assert!(crowd.lock().is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        assert_eq!(network(address(1)), network(address(2)));
        assert_ne!(network(address(1)), network(IpAddr::from([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1])));
    }
}
