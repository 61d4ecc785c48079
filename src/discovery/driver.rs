//! The task that owns all schedules: takes commands, starts announces when they are due and their host has room, hands their
//! outcomes back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

use super::announcer::{Config, Farewell, Found, Told};
use super::board::{Board, Id, Tiers};
use super::error::AnnounceError;
use super::hosts::Key;
use super::outcomes::HostLoad;
use super::queues::{HostId, Load, Queues};
use super::request::{Family, StatsSource};
use super::schedule::{Endpoint, Job, Reach, Schedule};
use super::torrent::{Ended, Flight, Message, Torrent};
use super::trackers::{Scheme, TrackerUrl};
use super::transport::Transport;
use crate::clock::Time;
use crate::ids::InfoHash;
use crate::limits;

/// What the driver is told.
pub(super) enum Command {
    Add { id: Id, info_hash: InfoHash, tiers: Tiers, private: bool, stats: StatsSource, told: Vec<Told> },
    SetTrackers { id: Id, tiers: Tiers },
    Completed { id: Id },
    Wish { id: Id },
    Remove { id: Id },
    Loads { reply: oneshot::Sender<Vec<HostLoad>> },
    Told { reply: oneshot::Sender<Vec<Told>> },
    Shutdown { limit: Duration, reply: oneshot::Sender<Farewell> },
}

/// Where peers go.
pub(super) struct Sinks {
    pub(super) found: mpsc::Sender<Found>,
    pub(super) dropped: Arc<AtomicU64>,
}

pub(super) struct Driver {
    config: Config,
    transport: Arc<Transport>,
    sinks: Sinks,
    board: Arc<Board>,
    torrents: HashMap<Id, Box<Torrent>>,
    /// Each torrent once at most, with the time that it holds in `wake`.
    timers: BTreeSet<(Time, Id)>,
    queues: Queues<Key, Call>,
    announces: JoinSet<Done>,
    /// Where those are that are in flight, also those that are cut short.
    hosts: HashMap<task::Id, HostId>,
    /// Partings that no tracker has taken yet, those that failed included.
    partings: usize,
    parting_limit: Duration,
    rng: fastrand::Rng,
    origin: Instant,
}

/// Something that waits for its host.
enum Call {
    Announce {
        id: Id,
        url: Arc<TrackerUrl>,
        family: Family,
    },
    /// Of a torrent, or a tracker of it, that is gone.
    Parting(Box<Message>),
}

enum Done {
    Announced { id: Id, url: Arc<TrackerUrl>, family: Family, ended: Ended },
    Parted { told: bool },
}

/// A removed torrent's `stopped` is tried for so long, while everything else goes on.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);

impl Driver {
    pub(super) fn new(
        config: Config,
        transport: Arc<Transport>,
        sinks: Sinks,
        board: Arc<Board>,
        origin: Instant,
    ) -> Driver {
        Driver {
            config,
            transport,
            sinks,
            board,
            torrents: HashMap::new(),
            timers: BTreeSet::new(),
            queues: Queues::new(),
            announces: JoinSet::new(),
            hosts: HashMap::new(),
            partings: 0,
            parting_limit: REMOVAL_LIMIT,
            rng: fastrand::Rng::new(),
            origin,
        }
    }

    /// Runs until it is told to shut down.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            self.board.set_load(self.queues.total());
            let wake = self.timers.first().map(|&(time, _)| time).into_iter().chain(self.queues.next_timeout()).min();
            let sleep = tokio::time::sleep_until(wake.map_or_else(Instant::now, |time| self.instant(time)));
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(Command::Shutdown { limit, reply }) => {
                        let _ = reply.send(self.shut_down(limit).await);
                        return;
                    }
                    Some(command) => self.handle(command),
                    None => return,
                },
                Some(done) = self.announces.join_next_with_id() => drop(self.handle_done(done)),
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
        let id = match command {
            Command::Add { id, info_hash, tiers, private, stats, told } => {
                self.add(id, info_hash, &tiers, private, stats);
                if let Some(torrent) = self.torrents.get_mut(&id) {
                    told.iter().for_each(|told| torrent.go_on(told));
                }
                id
            }
            Command::SetTrackers { id, tiers } => {
                self.set_trackers(id, &tiers);
                id
            }
            Command::Completed { id } => {
                if let Some(torrent) = self.torrents.get_mut(&id) {
                    torrent.schedule.handle_completed(now);
                }
                id
            }
            Command::Wish { id } => {
                if let Some(torrent) = self.torrents.get_mut(&id) {
                    let trackers = &torrent.trackers;
                    let possible = |endpoint: Endpoint| trackers[endpoint.tracker].url.allows(endpoint.family);
                    torrent.schedule.handle_wish(now, possible);
                }
                id
            }
            Command::Remove { id } => return self.remove(id),
            Command::Loads { reply } => return drop(reply.send(self.loads())),
            Command::Told { reply } => {
                return drop(reply.send(self.torrents.values().flat_map(|torrent| torrent.told()).collect()));
            }
            Command::Shutdown { .. } => return debug_assert!(false, "the loop takes this one"),
        };
        self.run_due(id);
    }

    fn add(&mut self, id: Id, info_hash: InfoHash, tiers: &Tiers, private: bool, stats: StatsSource) {
        let reach = if private { Reach::OneTracker } else { self.config.reach };
        let schedule = Schedule::new(reach, &families(tiers), self.now(), &mut self.rng);
        let mut torrent = Box::new(Torrent::new(info_hash, private, stats, schedule));
        torrent.set_trackers(tiers, &self.join_hosts(tiers));
        self.torrents.insert(id, torrent);
    }

    /// Joins the hosts of these trackers, IPv4 and IPv6.
    fn join_hosts(&mut self, tiers: &Tiers) -> Vec<[Option<HostId>; 2]> {
        let hosts = |url: &Arc<TrackerUrl>| {
            let udp = url.scheme() == Scheme::Udp;
            let most = if udp { limits::ANNOUNCES_PER_UDP_HOST } else { limits::ANNOUNCES_PER_HTTP_HOST };
            Family::ALL.map(|family| url.allows(family).then(|| self.queues.join(Key::new(url, family), most)))
        };
        tiers.iter().flatten().map(hosts).collect()
    }

    /// Trackers that are gone hear `stopped`, new ones are announced to, and the others notice nothing.
    fn set_trackers(&mut self, id: Id, tiers: &Tiers) {
        let Some(mut torrent) = self.torrents.remove(&id) else { return };
        let old: Vec<_> = torrent.trackers.iter().map(|tracker| (tracker.url.clone(), tracker.hosts)).collect();
        for (url, _) in &old {
            if !tiers.iter().flatten().any(|kept| Arc::ptr_eq(kept, url)) {
                self.part(&mut torrent, url);
            }
        }
        let known: Vec<Option<usize>> = tiers.iter().flatten().map(|url| torrent.find(url)).collect();
        let now = self.now();
        torrent.schedule.set_trackers(&families(tiers), &known, now, &mut self.rng);
        torrent.set_trackers(tiers, &self.join_hosts(tiers));
        old.into_iter().flat_map(|(_, hosts)| hosts).flatten().for_each(|host| self.queues.leave(host));
        self.torrents.insert(id, torrent);
    }

    /// Cuts short what is in flight to a tracker, takes back what waits for it, and has it told `stopped`.
    fn part(&mut self, torrent: &mut Torrent, url: &Arc<TrackerUrl>) {
        let Some(tracker) = torrent.find(url) else { return };
        for endpoint in Family::ALL.map(|family| Endpoint { tracker, family }) {
            if !torrent.is_flying(endpoint) {
                torrent.schedule.recall(endpoint);
            }
        }
        torrent.take_flights(url).into_iter().for_each(|flight| flight.abort.abort());
        let jobs: Vec<Job> = torrent.schedule.parting(tracker).collect();
        for job in jobs {
            if let Some(host) = torrent.host(job.endpoint) {
                self.partings += 1;
                self.queues.push_parting(host, Call::Parting(Box::new(torrent.message(job, &self.config))));
                self.pump(host);
            }
        }
    }

    fn loads(&self) -> Vec<HostLoad> {
        let busy = self.queues.loads().filter(|(_, load)| *load != Load::default());
        busy.map(|(key, load)| HostLoad { host: key.to_string(), waiting: load.waiting, in_flight: load.in_flight })
            .collect()
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
        while let Some(host) = self.queues.wake(now) {
            self.pump(host);
        }
    }

    /// Has what is due for one torrent wait for its host, and sets its timer anew.
    fn run_due(&mut self, id: Id) {
        let now = self.now();
        let Some(torrent) = self.torrents.get_mut(&id) else { return };
        let mut hosts = Vec::new();
        while let Some(job) = torrent.schedule.poll(now) {
            let Some(host) = torrent.host(job.endpoint) else { continue };
            let url = torrent.trackers[job.endpoint.tracker].url.clone();
            self.queues.push(host, Call::Announce { id, url, family: job.endpoint.family });
            hosts.push(host);
        }
        torrent.show_times(id, &self.board, now);
        let wake = torrent.schedule.next_timeout(now);
        if let Some(old) = std::mem::replace(&mut torrent.wake, wake) {
            self.timers.remove(&(old, id));
        }
        self.timers.extend(wake.map(|time| (time, id)));
        hosts.into_iter().for_each(|host| self.pump(host));
    }

    /// Lets what waits for a host leave, as far as there is room and its pace allows.
    fn pump(&mut self, host: HostId) {
        while let Some(call) = self.queues.start(host, self.now()) {
            match call {
                Call::Announce { id, url, family } if self.leave(host, id, &url, family).is_some() => {}
                Call::Announce { .. } => self.queues.unused(host),
                Call::Parting(message) => self.take_leave(host, *message),
            }
        }
    }

    /// Sends an announce off, unless its torrent, or its tracker, is gone.
    fn leave(&mut self, host: HostId, id: Id, url: &Arc<TrackerUrl>, family: Family) -> Option<()> {
        let torrent = self.torrents.get_mut(&id)?;
        let endpoint = Endpoint { tracker: torrent.find(url)?, family };
        let event = torrent.schedule.in_flight(endpoint).filter(|_| !torrent.is_flying(endpoint))?;
        let said = torrent.message(Job { endpoint, event }, &self.config).send(None, self.transport.clone());
        let from = url.clone();
        let done = async move { Done::Announced { id, url: from, family, ended: said.await } };
        let abort = self.announces.spawn(done);
        self.hosts.insert(abort.id(), host);
        torrent.flights.push(Flight { url: url.clone(), family, abort });
        Some(())
    }

    fn take_leave(&mut self, host: HostId, message: Message) {
        let limit = self.parting_limit;
        let said = message.send(Some(limit), self.transport.clone());
        let told = async move { tokio::time::timeout(limit, said).await.is_ok_and(|ended| ended.outcome.is_ok()) };
        let task = self.announces.spawn(async move { Done::Parted { told: told.await } });
        self.hosts.insert(task.id(), host);
    }

    /// Something has ended; whether it was a tracker that took a `stopped`.
    fn handle_done(&mut self, done: Result<(task::Id, Done), JoinError>) -> bool {
        let (task, done) = match done {
            Ok((task, done)) => (task, Some(done)),
            // one that was cut short
            Err(error) => (error.id(), None),
        };
        let host = self.hosts.remove(&task);
        host.into_iter().for_each(|host| self.queues.ended(host));
        let told = matches!(done, Some(Done::Parted { told: true }));
        self.partings -= usize::from(told);
        if let Some(Done::Announced { id, url, family, ended }) = done {
            self.announced(id, &url, family, ended);
        }
        host.into_iter().for_each(|host| self.pump(host));
        told
    }

    fn announced(&mut self, id: Id, url: &Arc<TrackerUrl>, family: Family, ended: Ended) {
        let now = self.now();
        let Some(torrent) = self.torrents.get_mut(&id) else { return };
        torrent.landed(url, family);
        let Some(tracker) = torrent.find(url) else { return };
        let endpoint = Endpoint { tracker, family };
        torrent.set_base(tracker, ended.base);
        self.board.note(id, url, family, &ended.outcome, now);
        match ended.outcome {
            Ok(reply) => {
                let (interval, least) = (reply.interval, reply.min_interval);
                torrent.schedule.handle_reply(endpoint, interval, least, now, &mut self.rng);
                let lost = torrent.take_reply(tracker, reply, &self.sinks.found);
                self.sinks.dropped.fetch_add(lost, Ordering::Relaxed);
            }
            Err(AnnounceError::NoAddress { .. }) => torrent.schedule.handle_absent(endpoint, now),
            Err(error) => torrent.schedule.handle_failure(endpoint, error.retry(), now, &mut self.rng),
        }
        self.run_due(id);
    }

    fn remove(&mut self, id: Id) {
        let Some(mut torrent) = self.torrents.remove(&id) else { return };
        if let Some(wake) = torrent.wake {
            self.timers.remove(&(wake, id));
        }
        self.part_all(&mut torrent);
        torrent.trackers.iter().flat_map(|tracker| tracker.hosts).flatten().for_each(|host| self.queues.leave(host));
    }

    fn part_all(&mut self, torrent: &mut Torrent) {
        let urls: Vec<_> = torrent.trackers.iter().map(|tracker| tracker.url.clone()).collect();
        urls.iter().for_each(|url| self.part(torrent, url));
    }

    async fn shut_down(mut self, limit: Duration) -> Farewell {
        let deadline = Instant::now() + limit;
        self.parting_limit = limit;
        self.board.clear();
        // what has left may have arrived, and is told `stopped` as well; the rest never was
        self.transport.widen();
        let hosts = self.queues.hurry(3 * limits::ANNOUNCES_PER_HTTP_HOST);
        for mut torrent in std::mem::take(&mut self.torrents).into_values() {
            self.part_all(&mut torrent);
        }
        hosts.into_iter().for_each(|host| self.pump(host));
        let mut told = 0;
        while let Ok(Some(done)) = tokio::time::timeout_at(deadline, self.announces.join_next_with_id()).await {
            told += usize::from(self.handle_done(done));
        }
        Farewell { told, missed: self.partings }
    }
}

fn families(tiers: &Tiers) -> Vec<Vec<[bool; 2]>> {
    let possible = |url: &Arc<TrackerUrl>| Family::ALL.map(|family| url.allows(family));
    tiers.iter().map(|tier| tier.iter().map(possible).collect()).collect()
}
