//! The task that owns all schedules: takes commands, starts announces when they are due, hands their outcomes back.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::announcer::{Config, Farewell, Found};
use super::error::AnnounceError;
use super::reply::Reply;
use super::request::{Announce, Event, Family, Stats, StatsSource};
use super::schedule::{Endpoint, Job, Reach, Schedule, Spread};
use super::status::{EndpointStatus, TrackerStatus};
use super::trackers::TrackerUrl;
use super::transport::{Manner, Transport};
use crate::clock::Time;
use crate::ids::InfoHash;

/// What the driver is told.
pub(super) enum Command {
    Add {
        info_hash: InfoHash,
        tiers: Vec<Vec<Arc<TrackerUrl>>>,
        private: bool,
        stats: StatsSource,
        status: Arc<Mutex<Vec<TrackerStatus>>>,
        reply: oneshot::Sender<u64>,
    },
    Completed {
        id: u64,
    },
    Wish {
        id: u64,
    },
    Remove {
        id: u64,
    },
    Shutdown {
        limit: Duration,
        reply: oneshot::Sender<Farewell>,
    },
}

/// Where peers go, and outcomes are counted.
pub(super) struct Sinks {
    pub(super) found: mpsc::Sender<Found>,
    pub(super) counts: Arc<Counts>,
}

/// Announces by their outcome; peers that nobody took.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Counts {
    /// That a host has no address of one family is no failure.
    fn note(&self, outcome: &Result<Reply, AnnounceError>) {
        match outcome {
            Ok(_) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Err(AnnounceError::NoAddress { .. }) => {}
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

pub(super) struct Driver {
    config: Config,
    transport: Arc<Transport>,
    sinks: Sinks,
    torrents: HashMap<u64, Torrent>,
    next_id: u64,
    /// Each torrent once at most, with the time that it holds in `wake`.
    timers: BTreeSet<(Time, u64)>,
    spread: Spread,
    announces: JoinSet<Done>,
    /// Of torrents that were removed.
    farewells: JoinSet<bool>,
    rng: fastrand::Rng,
    origin: Instant,
}

struct Torrent {
    info_hash: InfoHash,
    private: bool,
    stats: StatsSource,
    schedule: Schedule,
    trackers: Vec<Tracker>,
    status: Arc<Mutex<Vec<TrackerStatus>>>,
    in_flight: HashMap<Endpoint, AbortHandle>,
    wake: Option<Time>,
    /// The tracker that answered last.
    current: Option<usize>,
    /// A private torrent has changed its tracker, and nobody was told yet.
    replaces: bool,
}

struct Tracker {
    url: Arc<TrackerUrl>,
    id: Option<Arc<[u8]>>,
    /// Bytes sent and received when `started` was first tried with this tracker: what it is told counts from there.
    base: Arc<OnceLock<(u64, u64)>>,
}

struct Done {
    torrent: u64,
    endpoint: Endpoint,
    outcome: Result<Reply, AnnounceError>,
}

impl Driver {
    pub(super) fn new(config: Config, transport: Arc<Transport>, sinks: Sinks) -> Driver {
        Driver {
            config,
            transport,
            sinks,
            torrents: HashMap::new(),
            next_id: 0,
            timers: BTreeSet::new(),
            spread: Spread::default(),
            announces: JoinSet::new(),
            farewells: JoinSet::new(),
            rng: fastrand::Rng::new(),
            origin: Instant::now(),
        }
    }

    /// Runs until it is told to shut down.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let wake = self.timers.first().map(|&(time, _)| self.instant(time));
            let sleep = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now));
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(Command::Shutdown { limit, reply }) => {
                        let _ = reply.send(self.shut_down(limit).await);
                        return;
                    }
                    Some(command) => self.handle(command),
                    None => return,
                },
                Some(done) = self.announces.join_next() => {
                    // an announce that was cut short has no torrent any more
                    if let Ok(done) = done {
                        self.handle_done(done);
                    }
                }
                Some(_) = self.farewells.join_next() => {}
                () = sleep, if wake.is_some() => self.wake_due(),
            }
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn instant(&self, time: Time) -> Instant {
        self.origin + Duration::from_micros(time.0)
    }

    fn handle(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Add { info_hash, tiers, private, stats, status, reply } => {
                let torrent = self.torrent(info_hash, &tiers, private, stats, status, now);
                let id = self.next_id;
                self.next_id += 1;
                self.torrents.insert(id, torrent);
                self.run_due(id);
                let _ = reply.send(id);
            }
            Command::Completed { id } => {
                if let Some(torrent) = self.torrents.get_mut(&id) {
                    torrent.schedule.handle_completed(now);
                }
                self.run_due(id);
            }
            Command::Wish { id } => {
                if let Some(torrent) = self.torrents.get_mut(&id) {
                    let trackers = &torrent.trackers;
                    let possible = |endpoint: Endpoint| trackers[endpoint.tracker].url.allows(endpoint.family);
                    torrent.schedule.handle_wish(now, possible);
                }
                self.run_due(id);
            }
            Command::Remove { id } => self.remove(id),
            Command::Shutdown { .. } => debug_assert!(false, "the loop takes this one"),
        }
    }

    fn torrent(
        &mut self,
        info_hash: InfoHash,
        tiers: &[Vec<Arc<TrackerUrl>>],
        private: bool,
        stats: StatsSource,
        status: Arc<Mutex<Vec<TrackerStatus>>>,
        now: Time,
    ) -> Torrent {
        let reach = if private { Reach::OneTracker } else { self.config.reach };
        let possible = |url: &Arc<TrackerUrl>| Family::ALL.map(|family| url.allows(family));
        let families: Vec<Vec<_>> = tiers.iter().map(|tier| tier.iter().map(possible).collect()).collect();
        let start = self.spread.place(now);
        let tracker = |url: &Arc<TrackerUrl>| Tracker { url: Arc::clone(url), id: None, base: Arc::default() };
        Torrent {
            info_hash,
            private,
            stats,
            schedule: Schedule::new(reach, &families, start, &mut self.rng),
            trackers: tiers.iter().flatten().map(tracker).collect(),
            status,
            in_flight: HashMap::new(),
            wake: None,
            current: None,
            replaces: false,
        }
    }

    fn wake_due(&mut self) {
        let now = self.now();
        while let Some(&(time, id)) = self.timers.first().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, id));
            if let Some(torrent) = self.torrents.get_mut(&id) {
                torrent.wake = None;
            }
            self.run_due(id);
        }
    }

    /// Starts what is due for one torrent, and sets its timer anew.
    fn run_due(&mut self, id: u64) {
        let now = self.now();
        let origin = self.origin;
        let Some(torrent) = self.torrents.get_mut(&id) else { return };
        while let Some(job) = torrent.schedule.poll(now) {
            let announce = torrent.announce(job, &self.config, None, &self.transport);
            let done = async move { Done { torrent: id, endpoint: job.endpoint, outcome: announce.await } };
            torrent.in_flight.insert(job.endpoint, self.announces.spawn(done));
        }
        torrent.show_times(now, origin);
        let wake = torrent.schedule.next_timeout(now);
        if let Some(old) = std::mem::replace(&mut torrent.wake, wake) {
            self.timers.remove(&(old, id));
        }
        self.timers.extend(wake.map(|time| (time, id)));
    }

    fn handle_done(&mut self, done: Done) {
        let now = self.now();
        let Done { torrent: id, endpoint, outcome } = done;
        self.sinks.counts.note(&outcome);
        let Some(torrent) = self.torrents.get_mut(&id) else { return };
        torrent.in_flight.remove(&endpoint);
        torrent.with_status(endpoint, |status| status.note(&outcome, std::time::Instant::now()));
        match outcome {
            Ok(reply) => {
                let (interval, least) = (reply.interval, reply.min_interval);
                torrent.schedule.handle_reply(endpoint, interval, least, now, &mut self.rng);
                torrent.take_reply(endpoint, reply, &self.sinks);
            }
            Err(AnnounceError::NoAddress { .. }) => torrent.schedule.handle_absent(endpoint, now),
            Err(error) => torrent.schedule.handle_failure(endpoint, error.retry(), now, &mut self.rng),
        }
        self.run_due(id);
    }

    fn remove(&mut self, id: u64) {
        let Some(torrent) = self.torrents.remove(&id) else { return };
        if let Some(wake) = torrent.wake {
            self.timers.remove(&(wake, id));
        }
        torrent.leave(REMOVAL_LIMIT, &self.config, &self.transport, &mut self.farewells);
    }

    async fn shut_down(mut self, limit: Duration) -> Farewell {
        let deadline = Instant::now() + limit;
        self.announces.abort_all();
        self.transport.widen();
        for torrent in std::mem::take(&mut self.torrents).into_values() {
            torrent.leave(limit, &self.config, &self.transport, &mut self.farewells);
        }
        let mut farewell = Farewell { told: 0, missed: self.farewells.len() };
        while let Ok(Some(told)) = tokio::time::timeout_at(deadline, self.farewells.join_next()).await {
            if told.unwrap_or(false) {
                farewell.told += 1;
                farewell.missed -= 1;
            }
        }
        farewell
    }
}

/// A removed torrent's `stopped` is tried for so long, while everything else goes on.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);

impl Torrent {
    /// The future of one announce. It reads the numbers when its turn has come.
    fn announce(
        &self,
        job: Job,
        config: &Config,
        hurry: Option<Duration>,
        transport: &Arc<Transport>,
    ) -> impl Future<Output = Result<Reply, AnnounceError>> + Send + use<> {
        let tracker = &self.trackers[job.endpoint.tracker];
        let (url, base, transport) = (Arc::clone(&tracker.url), Arc::clone(&tracker.base), Arc::clone(transport));
        let stats = Arc::clone(&self.stats);
        let mut announce = Announce {
            info_hash: self.info_hash,
            peer_id: config.peer_id,
            key: config.key,
            port: config.port,
            event: job.event,
            stats: Stats::default(),
            tracker_id: tracker.id.clone(),
        };
        let manner = Manner { family: job.endpoint.family, hurry };
        if job.event != Event::Stopped {
            self.with_status(job.endpoint, |status| status.announcing = true);
        }
        async move {
            let complete = || {
                let mut stats = stats();
                let (uploaded, downloaded) = *base.get_or_init(|| (stats.uploaded, stats.downloaded));
                stats.uploaded = stats.uploaded.saturating_sub(uploaded);
                stats.downloaded = stats.downloaded.saturating_sub(downloaded);
                announce.stats = stats;
                announce
            };
            transport.announce(&url, manner, complete).await
        }
    }

    fn take_reply(&mut self, endpoint: Endpoint, reply: Reply, sinks: &Sinks) {
        if reply.tracker_id.is_some() {
            self.trackers[endpoint.tracker].id = reply.tracker_id;
        }
        let before = self.current.replace(endpoint.tracker);
        self.replaces |= self.private && before.is_some_and(|tracker| tracker != endpoint.tracker);
        if reply.peers.is_empty() && !self.replaces {
            return;
        }
        let count = u64::try_from(reply.peers.len()).unwrap_or(u64::MAX);
        let found = Found { info_hash: self.info_hash, peers: reply.peers, replaces: self.replaces };
        match sinks.found.try_send(found) {
            Ok(()) => self.replaces = false,
            Err(_) => drop(sinks.counts.dropped.fetch_add(count, Ordering::Relaxed)),
        }
    }

    /// Cuts short what is in flight and tells the trackers `stopped`.
    fn leave(self, limit: Duration, config: &Config, transport: &Arc<Transport>, farewells: &mut JoinSet<bool>) {
        self.in_flight.values().for_each(AbortHandle::abort);
        for job in self.schedule.clone().stop() {
            let announce = self.announce(job, config, Some(limit), transport);
            farewells.spawn(async move { tokio::time::timeout(limit, announce).await.is_ok_and(|told| told.is_ok()) });
        }
    }

    fn with_status(&self, endpoint: Endpoint, change: impl FnOnce(&mut EndpointStatus)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoints = status.get_mut(endpoint.tracker).into_iter().flat_map(|tracker| &mut tracker.endpoints);
        if let Some(status) = endpoints.into_iter().find(|status| status.family == endpoint.family) {
            change(status);
        }
    }

    fn show_times(&self, now: Time, origin: Instant) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        for (tracker, status) in status.iter_mut().enumerate() {
            for endpoint in &mut status.endpoints {
                let due = self.schedule.due(Endpoint { tracker, family: endpoint.family }, now);
                endpoint.next = due.map(|time| (origin + Duration::from_micros(time.0)).into_std());
            }
        }
    }
}
