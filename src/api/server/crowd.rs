//! How many connections each address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::guard::network;
use crate::limits::API_CONNECTIONS_PER_ADDRESS;

/// Connections by address (IPv6: /64). It never holds more addresses than there are connections.
#[derive(Clone, Default)]
pub(super) struct Crowd {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place in the count of its address; given back when dropped.
pub(super) struct Seat {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection from `address`, unless that has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= API_CONNECTIONS_PER_ADDRESS {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gets_it_back() {
        let crowd = Crowd::default();
        let here = IpAddr::from([192, 0, 2, 1]);
        let seats: Vec<_> = (0..API_CONNECTIONS_PER_ADDRESS).map_while(|_| crowd.enter(here)).collect();
        assert_eq!(seats.len(), API_CONNECTIONS_PER_ADDRESS);
        assert!(crowd.enter(here).is_none());
        assert!(crowd.enter(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(seats);
        assert!(crowd.enter(here).is_some());
        assert!(crowd.lock().is_empty(), "nobody is remembered who is gone");
    }
}
