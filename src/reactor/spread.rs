//! Which reactor serves a connection: the one that has fewest.
//!
//! The kernel spreads connections over the listeners of a port by a hash of their addresses, so of two peers both may
//! come to the same reactor, and of ten eight. Whoever accepts one therefore counts it in where there are fewest
//! (itself, if it is one of those) and hands it over there. Counting is by compare-and-swap on the smallest count, so
//! however many accept at once, counts differ by one at most as long as nobody leaves. Those who leave are made up for
//! by those who come; a connection that stands is never moved.
//!
//! A hand-over costs a place in a queue and at most one wake-up, once in the life of a connection, nothing afterwards. If the
//! queue is full, the other reactor is behind with its work, and the connection stays where it was accepted.
//!
//! A [`Place`] is counted as long as it exists, wherever it is: in a queue, in an order to dial, beside a socket.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::mailbox::Mailbox;

/// How many connections each reactor has, and the way to it.
#[derive(Debug)]
pub struct Spread {
    seats: Box<[Seat]>,
}

#[derive(Debug, Default)]
struct Seat {
    connections: AtomicUsize,
    /// Not there until the reactor runs.
    mailbox: OnceLock<Weak<Mailbox>>,
}

/// One connection of one reactor, counted until it is dropped.
#[derive(Debug)]
pub struct Place {
    spread: Arc<Spread>,
    reactor: usize,
}

/// An accepted connection on its way to its reactor.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) descriptor: OwnedFd,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
}

impl Spread {
    /// For so many reactors.
    pub fn new(reactors: usize) -> Arc<Spread> {
        Arc::new(Spread { seats: (0..reactors).map(|_| Seat::default()).collect() })
    }

    /// Counts a connection in where there are fewest; `near`, if that is as good as any.
    pub fn take(self: &Arc<Self>, near: usize) -> Place {
        loop {
            let (reactor, count) = self.least(near);
            let connections = &self.seats[reactor].connections;
            // Relaxed: the counters guard nothing but themselves
            if connections.compare_exchange(count, count + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Place { spread: self.clone(), reactor };
            }
        }
    }

    /// Connections of each reactor.
    pub fn counts(&self) -> Vec<usize> {
        self.seats.iter().map(|seat| seat.connections.load(Ordering::Relaxed)).collect()
    }

    fn least(&self, near: usize) -> (usize, usize) {
        let counts = self.seats.iter().map(|seat| seat.connections.load(Ordering::Relaxed)).enumerate();
        counts.min_by_key(|(reactor, count)| (*count, *reactor != near)).expect("there is a reactor")
    }

    /// A reactor begins to take connections from others.
    pub(super) fn join(&self, reactor: usize, mailbox: &Arc<Mailbox>) {
        // a reactor starts once
        let _ = self.seats[reactor].mailbox.set(Arc::downgrade(mailbox));
    }

    /// Sends a connection that `here` accepted to where it belongs, or gives it back to be served here.
    pub(super) fn settle(self: &Arc<Self>, here: usize, descriptor: OwnedFd, address: SocketAddr) -> Option<Arrival> {
        let arrival = Arrival { descriptor, address, place: self.take(here) };
        let there = arrival.place.reactor;
        if there == here {
            return Some(arrival);
        }
        let refused = match self.seats[there].mailbox.get().and_then(Weak::upgrade) {
            Some(mailbox) => mailbox.hand_over(arrival).err()?,
            None => arrival,
        };
        Some(Arrival { place: self.take_at(here), ..refused })
    }

    fn take_at(self: &Arc<Self>, reactor: usize) -> Place {
        self.seats[reactor].connections.fetch_add(1, Ordering::Relaxed);
        Place { spread: self.clone(), reactor }
    }
}

impl Place {
    /// Whose connection it is.
    pub fn reactor(&self) -> usize {
        self.reactor
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.spread.seats[self.reactor].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(spread: &Spread) -> usize {
        let counts = spread.counts();
        counts.iter().max().expect("reactors") - counts.iter().min().expect("reactors")
    }

    #[test]
    fn counts_differ_by_one_however_uneven_the_kernel_spreads() {
        for reactors in [1, 2, 4, 7] {
            let spread = Spread::new(reactors);
            let places: Vec<Place> = (0..1_000)
                .map(|_| {
                    let place = spread.take(0);
                    assert!(difference(&spread) <= 1, "{:?}", spread.counts());
                    place
                })
                .collect();
            assert_eq!(spread.counts().iter().sum::<usize>(), 1_000);
            drop(places);
            assert_eq!(spread.counts(), vec![0; reactors]);
        }
    }

    #[test]
    fn a_connection_stays_where_it_was_accepted_if_that_is_as_good() {
        let spread = Spread::new(3);
        assert_eq!(spread.take(2).reactor(), 2);
        let _held = spread.take(2);
        assert_ne!(spread.take(2).reactor(), 2);
    }

    #[test]
    fn threads_that_accept_at_once_do_not_all_choose_the_same() {
        let spread = Spread::new(4);
        let threads: Vec<_> = (0..4)
            .map(|near| {
                let spread = spread.clone();
                std::thread::spawn(move || (0..1_000).map(|_| spread.take(near)).collect::<Vec<Place>>())
            })
            .collect();
        let held: Vec<Vec<Place>> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(spread.counts(), [1_000; 4]);
        drop(held);
    }

    #[test]
    fn who_comes_makes_up_for_who_left() {
        let spread = Spread::new(2);
        let mut places: Vec<Place> = (0..100).map(|_| spread.take(1)).collect();
        places.retain(|place| place.reactor() == 0);
        assert_eq!(spread.counts(), [50, 0]);
        places.extend((0..50).map(|_| spread.take(0)));
        assert_eq!(spread.counts(), [50, 50]);
    }
}
