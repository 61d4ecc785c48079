//! The session of a seeder: what it is made of, its second hand, its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::Time;
use crate::discovery::{self, Announcer, Found, Told};
use crate::ids::{InfoHash, PeerId, TorrentId};
use crate::metainfo::{Metainfo, PathIndex};
use crate::peer::{Identity, Reason};
use crate::shard::TorrentStatus;
use crate::storage::{self, Content, Intake, Target};
use crate::tracker::TrackerHandle;

use super::addresses::Reachable;
use super::announcing::{check_trackers, start_tracker};
use super::config::{SessionConfig, SessionError};
use super::dialling::Dialling;
use super::dormant::Dormant;
use super::downloading::{News, Progress};
use super::entry::{Entry, serving};
use super::fleet::Fleet;
use super::handover::Handover;
use super::identity::{CLIENT, USER_AGENT, fresh_key, fresh_peer_id};
use super::seeking::Seeking;
use super::status::Status;
use super::web_seed::{WebSeedConfig, WebSeeds};

/// Trackers get this long to hear `stopped`.
const FAREWELL: Duration = Duration::from_secs(5);
/// News of downloads that wait to be taken.
const NEWS: usize = 1_024;

/// A torrent to seed: complete and verified.
pub struct Torrent {
    /// What it is.
    pub metainfo: Metainfo,
    /// Its files.
    pub content: Content,
    /// Their state when they were verified.
    pub identities: Vec<storage::Identity>,
}

/// What the end of a session brought.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// Payload bytes sent in all.
    pub uploaded: u64,
    /// How the trackers took it.
    pub trackers: discovery::Farewell,
    /// What else went wrong.
    pub warnings: Vec<String>,
}

/// A running seeder.
pub struct Session {
    pub(super) fleet: Fleet,
    pub(super) tracker: Option<TrackerHandle>,
    pub(super) announcer: Announcer,
    pub(super) found: mpsc::Receiver<Found>,
    pub(super) torrents: BTreeMap<TorrentId, Entry>,
    pub(super) by_hash: HashMap<InfoHash, TorrentId>,
    pub(super) intake: Option<Arc<Intake>>,
    pub(super) news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    next_id: u32,
    /// Those that reactors had something to tell of at the last turn.
    present: BTreeSet<TorrentId>,
    /// And those of the turn before it.
    pub(super) lively: BTreeSet<TorrentId>,
    /// Those that have failed, until they are taken.
    pub(super) failed: Vec<TorrentId>,
    pub(super) dormant: Dormant,
    /// Files that are being compared with what they were.
    pub(super) look: Option<JoinHandle<Vec<(TorrentId, String)>>>,
    /// What is worth telling and stops nothing, until it is taken.
    pub(super) warnings: Vec<String>,
    dialling: Dialling,
    pub(super) seeking: Option<Seeking>,
    /// Where peers go that are named for torrents whose metadata is asked for.
    pub(super) asking: HashMap<InfoHash, mpsc::Sender<SocketAddr>>,
    pub(super) web_seeds: Arc<WebSeeds>,
    pub(super) rng: fastrand::Rng,
    pub(super) added_trackers: Vec<Vec<discovery::TrackerUrl>>,
    pub(super) reachable: Reachable,
    /// Files are served by HTTP as well.
    pub(super) web_seed: bool,
    super_seed: bool,
    pub(super) device: Option<String>,
    pub(super) peer_id: PeerId,
    pub(super) key: u32,
    /// What trackers had been told by the process before, until their torrents are announced.
    pub(super) told: HashMap<InfoHash, Vec<Told>>,
    /// Announces of torrents that have left and are not to be told so.
    pub(super) quiet: Vec<discovery::Handle>,
    origin: Instant,
    turned: Instant,
    pub(super) turns: u64,
    status: Arc<Status>,
}

/// What the reactors say of one torrent, together.
#[derive(Clone, Copy, Default)]
struct Sum {
    sent: u64,
    peers: usize,
    seeds: usize,
    unchoked: usize,
    senders: usize,
}

impl Sum {
    fn add(&mut self, torrent: &TorrentStatus) {
        self.sent += torrent.sent;
        self.peers += torrent.peers;
        self.seeds += torrent.seeds;
        self.unchoked += torrent.unchoked;
        self.senders += torrent.senders;
    }
}

impl Session {
    /// Opens the ports and starts the threads. Runs on the tokio runtime that it is called on.
    pub async fn start(config: SessionConfig) -> Result<Session, SessionError> {
        Session::start_after(config, None).await
    }

    /// The same, in place of another process.
    pub async fn start_after(config: SessionConfig, before: Option<Handover>) -> Result<Session, SessionError> {
        let mut rng = fastrand::Rng::new();
        let fresh = |rng: &mut _| Handover { peer_id: fresh_peer_id(rng), key: fresh_key(rng), told: Vec::new() };
        let Handover { peer_id, key, told } = before.unwrap_or_else(|| fresh(&mut rng));
        let added_trackers = check_trackers(&config.added_trackers)?;
        let identity = Identity { peer_id, client: CLIENT.to_owned(), port: 0 };
        let fleet = Fleet::start(&config.fleet, identity, &mut rng)?;
        let device = config.fleet.options.device.clone();
        let tracker =
            config.tracker.map(|choice| start_tracker(choice, &config.external, device.as_deref())).transpose()?;
        let reachable = Reachable::find(&config.external, device.as_deref());
        let announcing = discovery::Config {
            user_agent: USER_AGENT.to_owned(),
            device: device.clone(),
            ..discovery::Config::new(peer_id, key, fleet.port()).speaking_from(&config.fleet.listen)
        };
        let (announcer, found) = Announcer::start(announcing);
        Ok(Session {
            fleet,
            tracker,
            announcer,
            found,
            torrents: BTreeMap::new(),
            by_hash: HashMap::new(),
            intake: None,
            next_id: 0,
            present: BTreeSet::new(),
            lively: BTreeSet::new(),
            failed: Vec::new(),
            dormant: Dormant::default(),
            look: None,
            news: mpsc::channel(NEWS),
            warnings: Vec::new(),
            dialling: Dialling::default(),
            seeking: None,
            asking: HashMap::new(),
            web_seeds: WebSeeds::new(WebSeedConfig::new(USER_AGENT.to_owned(), device.clone())),
            rng,
            device,
            added_trackers,
            reachable,
            web_seed: config.web_seed,
            super_seed: config.super_seed,
            peer_id,
            key,
            told: by_torrent(told),
            quiet: Vec::new(),
            origin: Instant::now(),
            turned: Instant::now(),
            turns: 0,
            status: Arc::default(),
        })
    }

    /// The reactors.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Whether torrents are announced at trackers beside their own.
    pub fn adds_trackers(&self) -> bool {
        !self.added_trackers.is_empty()
    }

    /// URLs of the embedded tracker, the best first; none if it does not run.
    pub fn tracker_urls(&self) -> Vec<String> {
        self.tracker.as_ref().map_or_else(Vec::new, |tracker| self.reachable.tracker_urls(tracker.port()))
    }

    /// URLs below which the files of each public torrent are, the best first, by its info-hash; none unless that was asked
    /// for. With `INFO-HASH/` after it, one is the address of a web seed (BEP 19).
    pub fn web_seed_urls(&self) -> Vec<String> {
        if self.web_seed { self.reachable.http_urls(self.fleet.port()) } else { Vec::new() }
    }

    /// Begins to seed. Bad tracker URLs of the torrent are passed over. A torrent that is seeded already stays as it is.
    pub async fn add(&mut self, torrent: Torrent) -> Result<TorrentId, SessionError> {
        let info_hash = torrent.metainfo.info_hash();
        if let Some(id) = self.by_hash.get(&info_hash) {
            return Ok(*id);
        }
        let id = self.fresh_id();
        let (metainfo, content) = (Arc::new(torrent.metainfo), Arc::new(torrent.content));
        self.track(info_hash)?;
        self.serve(id, &metainfo, &content);
        let announced = self.announce(&metainfo);
        let mut entry = Entry::new(metainfo, content, torrent.identities.into());
        entry.announced = Some(self.announcer.add(announced.of(&entry.shared)).await);
        self.by_hash.insert(info_hash, id);
        self.torrents.insert(id, entry);
        Ok(id)
    }

    pub(super) fn fresh_id(&mut self) -> TorrentId {
        self.next_id += 1;
        TorrentId(self.next_id - 1)
    }

    /// Takes a torrent out: its peers are disconnected, its trackers hear `stopped`. Of a download the target, which its owner
    /// finishes.
    pub(super) async fn leave(&mut self, id: TorrentId) -> Option<Arc<Target>> {
        let entry = self.torrents.remove(&id)?;
        let info_hash = entry.info_hash;
        if self.by_hash.get(&info_hash) == Some(&id) {
            self.by_hash.remove(&info_hash);
        }
        if let Some(tracker) = &self.tracker {
            tracker.remove_torrent(info_hash);
        }
        if let Some(announced) = entry.announced {
            announced.remove().await;
        }
        self.fleet.forget(info_hash);
        self.fleet.withdraw(id, Reason::Stopped);
        entry.download.map(Progress::into_target)
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Downloads that are neither complete nor failed.
    pub fn unfinished(&self) -> usize {
        self.torrents.values().filter(|entry| entry.failure.is_none() && entry.is_downloading()).count()
    }

    /// What is worth telling and stops nothing, since the last call.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn serve(&mut self, id: TorrentId, metainfo: &Metainfo, content: &Arc<Content>) {
        self.fleet.serve(id, &serving(metainfo, content));
        if self.super_seed {
            self.fleet.super_seed(id, true);
        }
        self.publish(id, metainfo);
    }

    /// Serves the files of a torrent by HTTP as well, if that was asked for. What is incomplete must not come here: any file may
    /// be asked for, by anybody.
    pub(super) fn publish(&mut self, id: TorrentId, metainfo: &Metainfo) {
        if self.web_seed && !metainfo.private() {
            self.fleet.publish(id, &Arc::new(PathIndex::new(metainfo.clone())));
        }
    }

    /// The second hand: takes in numbers, dials, looks at files. Call it once a second; an error ends the session.
    pub async fn turn(&mut self) -> io::Result<()> {
        self.turns += 1;
        self.fleet.refresh()?;
        self.take_numbers();
        while let Ok(found) = self.found.try_recv() {
            self.dial_found(found);
        }
        self.turn_downloads();
        self.check_files().await;
        self.doze();
        self.status = Arc::new(self.make_status());
        Ok(())
    }

    fn take_numbers(&mut self) {
        let ended = self.take_ended();
        let seconds = self.turned.elapsed().as_secs_f64().max(0.001);
        self.turned = Instant::now();
        let mut sums: HashMap<TorrentId, Sum> = HashMap::new();
        for torrent in self.fleet.snapshots().flat_map(|snapshot| &snapshot.torrents) {
            sums.entry(torrent.id).or_default().add(torrent);
        }
        for torrent in ended.iter().chain(self.fleet.snapshots().flat_map(|snapshot| &snapshot.torrents)) {
            let Some(entry) = self.torrents.get_mut(&torrent.id) else { continue };
            entry.availability = torrent.availability;
            if let (Some(download), Some(status)) = (&mut entry.download, &torrent.download) {
                let total = entry.body.as_ref().map_or(0, |body| body.metainfo.geometry().total());
                download.update(status, torrent.had, total, seconds);
            }
        }
        // those that are in no reactor's memory have nothing new to tell, but that they have left it
        let present: BTreeSet<TorrentId> = sums.keys().copied().chain(ended.iter().map(|torrent| torrent.id)).collect();
        self.lively = self.present.union(&present).copied().collect();
        self.present = present;
        for id in &self.lively {
            let Some(entry) = self.torrents.get_mut(id) else { continue };
            let sum = sums.get(id).copied().unwrap_or_default();
            let sent = entry.sent_before + sum.sent;
            let before = entry.shared.uploaded.swap(sent, Ordering::Relaxed);
            entry.idle_seconds = if sum.peers == 0 { entry.idle_seconds.saturating_add(1) } else { 0 };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a rate for display"
            )]
            let rate = (sent.saturating_sub(before) as f64 / seconds) as u64;
            entry.upload_rate = rate;
            (entry.peers, entry.seeds, entry.unchoked, entry.senders) =
                (sum.peers, sum.seeds, sum.unchoked, sum.senders);
        }
        let failures: Vec<(TorrentId, String)> =
            self.fleet.snapshots().flat_map(|snapshot| snapshot.failures.iter().cloned()).collect();
        failures.into_iter().for_each(|(id, cause)| self.fail(id, cause));
    }

    pub(super) fn dial_found(&mut self, found: Found) {
        if self.take_sought(&found) {
            return;
        }
        let now = self.now();
        let known = self.by_hash.get(&found.info_hash).and_then(|id| Some((*id, self.torrents.get(id)?)));
        let Some((id, entry)) = known.filter(|(_, entry)| entry.failure.is_none()) else { return };
        if entry.is_downloading() {
            return self.learn_peers(id, found.peers);
        }
        let (dormant, peers) = (entry.body.is_none(), entry.peers);
        let chosen = self.dialling.choose(id, peers, found.peers, now);
        if dormant && !chosen.is_empty() {
            return self.wish(id, chosen);
        }
        chosen.into_iter().for_each(|address| self.fleet.dial(id, address));
    }

    /// Everything at the last turn.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Ends in order: connections are closed, numbers are final, trackers hear `stopped`, at most 5 s.
    pub async fn shutdown(mut self) -> Farewell {
        let trackers = self.end().await;
        let uploaded = self.torrents.values().map(|entry| entry.shared.uploaded.load(Ordering::Relaxed)).sum();
        Farewell { uploaded, trackers, warnings: self.warnings }
    }

    /// The same, for who still wants to read its numbers.
    pub(super) async fn end(&mut self) -> discovery::Farewell {
        // whatever ended a reactor has been told by `turn`
        let _ = self.fleet.stop();
        self.take_numbers();
        self.end_downloads().await;
        let trackers = self.announcer.shutdown(FAREWELL).await;
        if let Some(tracker) = self.tracker.take() {
            tracker.stop();
        }
        trackers
    }
}

fn by_torrent(all: Vec<Told>) -> HashMap<InfoHash, Vec<Told>> {
    let mut by_torrent: HashMap<InfoHash, Vec<Told>> = HashMap::new();
    all.into_iter().for_each(|told| by_torrent.entry(told.info_hash).or_default().push(told));
    by_torrent
}
