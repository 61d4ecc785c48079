//! One torrent that is announced: its trackers, what is in flight to them, what they are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::announcer::{Config, Found, Told};
use super::board::{Board, Id, Tiers};
use super::error::AnnounceError;
use super::queues::HostId;
use super::reply::Reply;
use super::request::{Announce, Family, Stats, StatsSource};
use super::schedule::{Endpoint, Job, Schedule};
use super::trackers::TrackerUrl;
use super::transport::{Manner, Transport};
use crate::clock::Time;
use crate::ids::InfoHash;

/// Kept for each of many thousands, so it is small.
pub(super) struct Torrent {
    pub(super) info_hash: InfoHash,
    pub(super) private: bool,
    /// A private torrent has changed its tracker, and nobody was told yet.
    replaces: bool,
    stats: StatsSource,
    pub(super) schedule: Schedule,
    pub(super) trackers: Box<[Tracker]>,
    pub(super) flights: Vec<Flight>,
    pub(super) wake: Option<Time>,
    /// The tracker that answered last.
    current: Option<Arc<TrackerUrl>>,
}

/// A tracker, as this torrent knows it.
#[derive(Clone)]
pub(super) struct Tracker {
    pub(super) url: Arc<TrackerUrl>,
    /// Its hosts, IPv4 and IPv6; of a family that it cannot have none.
    pub(super) hosts: [Option<HostId>; 2],
    id: Option<Arc<[u8]>>,
    /// Bytes sent and received when `started` was first tried: what it is told counts from there. Less than none if another process had
    /// told it of some.
    base: Option<(i64, i64)>,
}

/// An announce that is under way.
pub(super) struct Flight {
    pub(super) url: Arc<TrackerUrl>,
    pub(super) family: Family,
    pub(super) abort: AbortHandle,
}

/// Everything that one announce needs, whatever becomes of its torrent meanwhile.
pub(super) struct Message {
    pub(super) url: Arc<TrackerUrl>,
    pub(super) family: Family,
    stats: StatsSource,
    base: Option<(i64, i64)>,
    announce: Announce,
}

/// How an announce ended.
pub(super) struct Ended {
    pub(super) base: Option<(i64, i64)>,
    pub(super) outcome: Result<Reply, AnnounceError>,
}

impl Torrent {
    pub(super) fn new(info_hash: InfoHash, private: bool, stats: StatsSource, schedule: Schedule) -> Torrent {
        Torrent {
            info_hash,
            private,
            replaces: false,
            stats,
            schedule,
            trackers: Box::default(),
            flights: Vec::new(),
            wake: None,
            current: None,
        }
    }

    /// Other trackers from now on, with the hosts of each; what is known of those that stay is kept.
    pub(super) fn set_trackers(&mut self, tiers: &Tiers, hosts: &[[Option<HostId>; 2]]) {
        let old = std::mem::take(&mut self.trackers);
        let tracker = |(url, &hosts): (&Arc<TrackerUrl>, &[Option<HostId>; 2])| {
            let known = old.iter().find(|tracker| Arc::ptr_eq(&tracker.url, url)).cloned();
            known.map_or_else(
                || Tracker { url: url.clone(), hosts, id: None, base: None },
                |known| Tracker { hosts, ..known },
            )
        };
        self.trackers = tiers.iter().flatten().zip(hosts).map(tracker).collect();
    }

    /// The place of a tracker, if the torrent has it still.
    pub(super) fn find(&self, url: &Arc<TrackerUrl>) -> Option<usize> {
        self.trackers.iter().position(|tracker| Arc::ptr_eq(&tracker.url, url))
    }

    pub(super) fn host(&self, endpoint: Endpoint) -> Option<HostId> {
        self.trackers[endpoint.tracker].hosts[usize::from(endpoint.family == Family::V6)]
    }

    /// Whether an announce to this endpoint has left and is not answered.
    pub(super) fn is_flying(&self, endpoint: Endpoint) -> bool {
        let url = &self.trackers[endpoint.tracker].url;
        self.flights.iter().any(|flight| flight.family == endpoint.family && Arc::ptr_eq(&flight.url, url))
    }

    /// What is under way to one tracker.
    pub(super) fn take_flights(&mut self, url: &Arc<TrackerUrl>) -> Vec<Flight> {
        self.flights.extract_if(.., |flight| Arc::ptr_eq(&flight.url, url)).collect()
    }

    /// An announce is not under way any more.
    pub(super) fn landed(&mut self, url: &Arc<TrackerUrl>, family: Family) {
        self.flights.retain(|flight| flight.family != family || !Arc::ptr_eq(&flight.url, url));
        if self.flights.is_empty() {
            self.flights = Vec::new();
        }
    }

    /// What is to be said.
    pub(super) fn message(&self, job: Job, config: &Config) -> Message {
        let tracker = &self.trackers[job.endpoint.tracker];
        Message {
            url: tracker.url.clone(),
            family: job.endpoint.family,
            stats: self.stats.clone(),
            base: tracker.base,
            announce: Announce {
                info_hash: self.info_hash,
                peer_id: config.peer_id,
                key: config.key,
                port: config.port,
                event: job.event,
                stats: Stats::default(),
                tracker_id: tracker.id.clone(),
            },
        }
    }

    /// Keeps from where the numbers count that a tracker was told.
    pub(super) fn set_base(&mut self, tracker: usize, base: Option<(i64, i64)>) {
        let known = &mut self.trackers[tracker].base;
        *known = known.or(base);
    }

    /// What those of its trackers were told that know of us.
    pub(super) fn told(&self) -> Vec<Told> {
        let (now, info_hash) = ((self.stats)(), self.info_hash);
        let knows = |place: &usize| self.schedule.is_told(*place);
        let told = |tracker: &Tracker| {
            let (uploaded, downloaded) = tracker.base?;
            let (uploaded, downloaded) = (since(uploaded, now.uploaded), since(downloaded, now.downloaded));
            Some(Told { info_hash, url: tracker.url.as_str().to_owned(), uploaded, downloaded })
        };
        (0..self.trackers.len()).filter(knows).filter_map(|place| told(&self.trackers[place])).collect()
    }

    /// One of its trackers, if it is one, was told this by another process.
    pub(super) fn go_on(&mut self, told: &Told) {
        let Some(place) = self.trackers.iter().position(|tracker| tracker.url.as_str() == told.url) else { return };
        self.schedule.handle_told(place);
        self.trackers[place].base = Some((-signed(told.uploaded), -signed(told.downloaded)));
    }

    /// Keeps what a tracker said, and hands on whom it named; how many peers were lost because nobody took them.
    pub(super) fn take_reply(&mut self, tracker: usize, reply: Reply, found: &mpsc::Sender<Found>) -> u64 {
        let tracker = &mut self.trackers[tracker];
        if reply.tracker_id.is_some() {
            tracker.id = reply.tracker_id;
        }
        let before = self.current.replace(tracker.url.clone());
        self.replaces |= self.private && before.is_some_and(|before| !Arc::ptr_eq(&before, &tracker.url));
        if reply.peers.is_empty() && !self.replaces {
            return 0;
        }
        let count = u64::try_from(reply.peers.len()).unwrap_or(u64::MAX);
        match found.try_send(Found { info_hash: self.info_hash, peers: reply.peers, replaces: self.replaces }) {
            Ok(()) => {
                self.replaces = false;
                0
            }
            Err(_) => count,
        }
    }

    /// Shows when which tracker is next.
    pub(super) fn show_times(&self, id: Id, board: &Board, now: Time) {
        for (place, tracker) in self.trackers.iter().enumerate() {
            for family in Family::ALL {
                let endpoint = Endpoint { tracker: place, family };
                let (next, announcing) =
                    (self.schedule.due(endpoint, now), self.schedule.in_flight(endpoint).is_some());
                board.set_next(id, &tracker.url, family, next, announcing);
            }
        }
    }
}

impl Message {
    /// Says it. The numbers are read when its turn has come; `hurry`: the time that is left, on the way out.
    pub(super) async fn send(self, hurry: Option<Duration>, transport: Arc<Transport>) -> Ended {
        let Message { url, family, stats, mut base, mut announce } = self;
        let complete = || {
            let now = stats();
            let (uploaded, downloaded) = *base.get_or_insert((signed(now.uploaded), signed(now.downloaded)));
            announce.stats =
                Stats { uploaded: since(uploaded, now.uploaded), downloaded: since(downloaded, now.downloaded), ..now };
            announce
        };
        let outcome = transport.announce(&url, Manner { family, hurry }, complete).await;
        Ended { base, outcome }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Bytes that are `now` and were `base`.
fn since(base: i64, now: u64) -> u64 {
    now.saturating_add_signed(base.saturating_neg())
}
