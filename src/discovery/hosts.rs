//! One entry for each tracker host and family: how many announces may be in flight there, and whether it failed just
//! now. So thousands of torrents neither storm a tracker nor find out one by one that it is down.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::error::AnnounceError;
use super::request::Family;
use super::trackers::{Scheme, TrackerUrl};
use crate::limits;

/// For this long a host that failed is not tried again. Shorter than the first back-off of a torrent, so that each
/// torrent's own retry is a real one.
const COOLDOWN: Duration = Duration::from_secs(10);

/// Host, port and way of speaking; what a slot stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    scheme: Scheme,
    host: String,
    port: u16,
    family: Family,
}

impl Key {
    pub(super) fn new(url: &TrackerUrl, family: Family) -> Key {
        Key { scheme: url.scheme(), host: url.host(), port: url.port(), family }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { host, port, family, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port} ({family})") } else { write!(f, "{host}:{port} ({family})") }
    }
}

#[derive(Debug)]
pub(super) struct Host {
    slots: Semaphore,
    /// Whether announces hold a connection each, of which there are only so many in all.
    connects: bool,
    failed: Mutex<Option<(Instant, AnnounceError)>>,
    /// Which of the addresses of a name is in use, counted round; goes on when it fails.
    turn: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Hosts {
    known: Mutex<HashMap<Key, Arc<Host>>>,
    connections: Semaphore,
}

/// Leave to talk to one host.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    _host: SemaphorePermit<'a>,
    _connection: Option<SemaphorePermit<'a>>,
}

impl Hosts {
    pub(super) fn new() -> Hosts {
        Hosts { known: Mutex::default(), connections: Semaphore::new(limits::ANNOUNCE_CONNECTIONS) }
    }

    pub(super) fn host(&self, url: &TrackerUrl, family: Family) -> Arc<Host> {
        let key = Key::new(url, family);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::TRACKER_HOSTS {
            // those that nobody waits for lose at most a cooldown
            known.retain(|_, host| Arc::strong_count(host) > 1);
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Host::new(url.scheme()))))
    }

    /// Waits in turn for a place at `host`, then for a connection; in this order, so that a host that hangs takes few
    /// of them. `hurry` (on the way out) asks the host even if it failed just now.
    pub(super) async fn enter<'a>(&'a self, host: &'a Host, hurry: bool) -> Result<Slot<'a>, AnnounceError> {
        let ours = "the semaphores are never closed";
        let at_host = host.slots.acquire().await.expect(ours);
        if let Some(error) = host.failed_just_now(Instant::now()).filter(|_| !hurry) {
            return Err(error);
        }
        let connection = match host.connects {
            true => Some(self.connections.acquire().await.expect(ours)),
            false => None,
        };
        Ok(Slot { _host: at_host, _connection: connection })
    }

    /// More places at every host: on the way out there are seconds, and one announce for each torrent.
    pub(super) fn widen(&self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().for_each(|host| host.slots.add_permits(3 * limits::ANNOUNCES_PER_HTTP_HOST));
    }
}

impl Host {
    fn new(scheme: Scheme) -> Host {
        let connects = scheme != Scheme::Udp;
        let slots = if connects { limits::ANNOUNCES_PER_HTTP_HOST } else { limits::ANNOUNCES_PER_UDP_HOST };
        Host { slots: Semaphore::new(slots), connects, failed: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    /// The one of `addresses` (at least one; the resolver sees to that) to talk to over UDP.
    pub(super) fn choose(&self, addresses: &[IpAddr]) -> IpAddr {
        addresses[self.turn.load(Ordering::Relaxed) % addresses.len()]
    }

    fn failed_just_now(&self, now: Instant) -> Option<AnnounceError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|(when, _)| now.duration_since(*when) < COOLDOWN).map(|(_, error)| error.clone())
    }

    /// Remembers how an announce went, as far as it says something about the host.
    pub(super) fn note<T>(&self, outcome: &Result<T, AnnounceError>) {
        let news = self.failed_just_now(Instant::now()).is_none();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(error) if error.is_of_host() => {
                *failed = Some((Instant::now(), error.clone()));
                // many fail together, and must not turn back to where they were
                self.turn.fetch_add(usize::from(news), Ordering::Relaxed);
            }
            _ => *failed = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), AnnounceError> {
        Err(AnnounceError::Refused { peer: "h".into() })
    }

    #[tokio::test]
    async fn a_host_that_failed_is_left_alone_for_a_while() {
        let (hosts, url) = (Hosts::new(), TrackerUrl::parse("udp://h:1").expect("a URL"));
        let host = hosts.host(&url, Family::V4);
        host.note(&refused());
        assert!(hosts.enter(&host, false).await.is_err());
        assert!(hosts.enter(&host, true).await.is_ok());
        assert!(hosts.enter(&hosts.host(&url, Family::V6), false).await.is_ok(), "families fail by themselves");
        assert_eq!(host.failed_just_now(Instant::now() + COOLDOWN), None);
        host.note(&Ok(()));
        assert!(hosts.enter(&host, false).await.is_ok());
    }

    #[test]
    fn the_next_address_of_a_name_is_tried_after_a_failure_and_kept_after_an_answer() {
        let addresses: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let host = Host::new(Scheme::Udp);
        assert_eq!(host.choose(&addresses), addresses[0]);
        host.note(&refused());
        host.note(&refused());
        assert_eq!(host.choose(&addresses), addresses[1]);
        host.note(&Ok(()));
        assert_eq!(host.choose(&addresses), addresses[1]);
        assert_eq!(host.choose(&addresses[..1]), addresses[0]);
    }

    #[tokio::test]
    async fn at_most_so_many_announces_are_in_flight_to_one_host() {
        let (hosts, url) = (Hosts::new(), TrackerUrl::parse("http://h/announce").expect("a URL"));
        let host = hosts.host(&url, Family::V4);
        let mut slots = Vec::new();
        for _ in 0..limits::ANNOUNCES_PER_HTTP_HOST {
            slots.push(hosts.enter(&host, false).await.expect("a slot"));
        }
        assert!(tokio::time::timeout(Duration::ZERO, hosts.enter(&host, false)).await.is_err());
        slots.pop();
        assert!(hosts.enter(&host, false).await.is_ok());
    }

    #[test]
    fn hosts_that_nobody_talks_to_are_forgotten() {
        let hosts = Hosts::new();
        for port in 1..=u16::try_from(limits::TRACKER_HOSTS + 10).expect("fits a port") {
            hosts.host(&TrackerUrl::parse(&format!("udp://h:{port}")).expect("a URL"), Family::V4);
        }
        assert!(hosts.known.lock().expect("unpoisoned").len() <= limits::TRACKER_HOSTS);
    }
}
