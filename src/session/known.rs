//! The addresses of a download's peers: whom to connect to, and when again.
//!
//! A seeder may wait for leechers to come; a leecher may not. Every address that somebody names is tried, and tried again, at
//! first soon and then ever later, unless it is connected: once that ends it begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Time;
use crate::limits::KNOWN_PEERS;

use super::dialling::is_dialable;

/// Between the first two tries of an address; doubles with each. Transmission refuses whoever comes back before it has seen the end of
/// his last connection, half a second later: whoever has just fetched metadata, or was started again, is such a one.
const AGAIN_FIRST: Duration = Duration::from_secs(2);
const AGAIN_MAX: Duration = Duration::from_secs(10 * 60);
/// Connections that are opened in one second.
const AT_ONCE: usize = 40;
/// Peers of one torrent beyond which no more are dialled.
const ENOUGH: usize = 100;

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    count: u32,
    next: Time,
}

/// What is known of one torrent's peers.
#[derive(Debug, Default)]
pub(super) struct Known {
    addresses: BTreeMap<SocketAddr, Tries>,
}

impl Known {
    /// Somebody named these. Beyond [`KNOWN_PEERS`] they are passed over: there are enough to try.
    pub(super) fn add(&mut self, named: impl IntoIterator<Item = SocketAddr>) {
        for address in named.into_iter().filter(|address| is_dialable(*address)) {
            if self.addresses.len() >= KNOWN_PEERS {
                return;
            }
            self.addresses.entry(address).or_default();
        }
    }

    /// Whom to dial now, while these are `connected`.
    pub(super) fn due(&mut self, connected: &BTreeSet<SocketAddr>, now: Time) -> Vec<SocketAddr> {
        let room = ENOUGH.saturating_sub(connected.len()).min(AT_ONCE);
        let mut due = Vec::new();
        for (address, tries) in &mut self.addresses {
            if connected.contains(address) {
                tries.count = 0;
            } else if tries.next <= now {
                due.push((address, tries));
            }
        }
        // those that were never tried are not to wait for those that never answer
        due.sort_by_key(|(_, tries)| tries.count);
        let due = due.into_iter().take(room).map(|(address, tries)| {
            tries.next = now + AGAIN_FIRST.saturating_mul(1 << tries.count.min(9)).min(AGAIN_MAX);
            tries.count += 1;
            *address
        });
        due.collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.addresses.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tried_again_and_again_ever_later_unless_it_is_connected() {
        let (a, b): (SocketAddr, SocketAddr) =
            ("192.0.2.1:1".parse().expect("valid"), "192.0.2.2:1".parse().expect("valid"));
        let (mut known, none) = (Known::default(), BTreeSet::new());
        known.add([a, b, "0.0.0.0:1".parse().expect("valid")]);
        assert_eq!((known.due(&none, Time(0)), known.len()), (vec![a, b], 2));
        let at = |seconds: u64| Time(seconds * 1_000_000);
        assert_eq!(known.due(&none, at(1)), []);
        let connected = BTreeSet::from([b]);
        assert_eq!(known.due(&connected, at(2)), [a]);
        assert_eq!(known.due(&none, at(5)), [b], "it was connected");
        assert_eq!(known.due(&none, at(6)), [a]);
        assert_eq!(known.due(&none, at(7)), [b], "as if it were new");
        let tries: usize = (8..100_000).map(|second| known.due(&connected, at(second)).len()).sum();
        assert!((160..180).contains(&tries), "every ten minutes in the end: {tries}");
    }

    #[test]
    fn those_that_never_answer_hold_up_nobody() {
        let (mut known, none) = (Known::default(), BTreeSet::new());
        known.add((1..200u16).map(|port| SocketAddr::from(([192, 0, 2, 1], port))));
        let tried: BTreeSet<SocketAddr> =
            (0..5).flat_map(|second| known.due(&none, Time(second * 1_000_000))).collect();
        assert_eq!(tried.len(), 199);
    }

    #[test]
    fn no_more_are_kept_and_dialled_than_make_sense() {
        let mut known = Known::default();
        let all: Vec<SocketAddr> = (1..3_000u16).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        known.add(all.clone());
        assert_eq!(known.len(), KNOWN_PEERS);
        assert_eq!(known.due(&BTreeSet::new(), Time(0)).len(), AT_ONCE);
        let connected: BTreeSet<SocketAddr> = all[2_000..2_000 + ENOUGH - 3].iter().copied().collect();
        assert_eq!(known.due(&connected, Time(0)).len(), 3);
    }
}
