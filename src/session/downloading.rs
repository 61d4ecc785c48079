//! Downloads of a session: from a torrent and a place for it to a complete copy that is seeded.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::hash::Engine;
use crate::ids::TorrentId;
use crate::limits;
use crate::metainfo::Metainfo;
use crate::peer;
use crate::reactor::{DownloadOrder, PieceSink, Serving};
use crate::schedule::picker::Priority;
use crate::shard::{self, DownloadStatus, Whole};
use crate::storage::{Arrived, CheckpointError, Disk, Intake, IntakeSetup, Target};

use super::config::SessionError;
use super::entry::{Entry, Shared, serving};
use super::known::Known;
use super::seeding::Session;
use super::web_seed::{self, WebSeed};

/// Pieces without a verdict, of all downloads together.
const INTAKE: usize = 4_096;
/// For what was written to be synced at the end. Statistics wait to be saved meanwhile.
const LAST_SYNC: Duration = Duration::from_secs(20);
/// Hashing threads: one of them keeps up with 2 GB/s and more.
const HASHERS: usize = 2;

/// A torrent to download.
pub struct Download {
    /// What it is.
    pub metainfo: Metainfo,
    /// Where it goes; its files are made.
    pub target: Arc<Target>,
    /// How much each piece is wanted; empty: all alike.
    pub priorities: Vec<Priority>,
    /// In which order pieces are begun.
    pub order: crate::schedule::picker::Order,
    /// Bytes that buffers of pieces may take.
    pub memory: u64,
    /// Peers that are known already.
    pub peers: Vec<SocketAddr>,
    /// What its target writes through; that of the first download serves all.
    pub disk: Arc<Disk>,
}

/// What the session keeps of a download.
pub(super) struct Progress {
    target: Arc<Target>,
    pub(super) known: Known,
    pub(super) latest: Option<DownloadStatus>,
    /// Bytes a second, over the last second.
    pub(super) rate: u64,
    /// Pieces here, in all.
    pub(super) had: u32,
    pub(super) pieces: u32,
    /// Everything that is wanted is here.
    pub(super) finished: bool,
    /// And it was synced, or that failed.
    pub(super) settled: bool,
    shared: Shared,
    checkpoint_at: Instant,
    web_seeds: Vec<WebSeed>,
}

/// Something that happened to a download.
pub(super) enum News {
    /// Everything that is wanted is here.
    Whole(TorrentId),
    /// And it is safe: what became of the last checkpoint.
    Safe(TorrentId, Result<(), CheckpointError>),
    /// A checkpoint failed.
    Checkpoint(TorrentId, CheckpointError),
}

/// Hands pieces of one torrent to the intake.
struct Sink {
    id: TorrentId,
    intake: Arc<Intake>,
    target: Arc<Target>,
    news: mpsc::Sender<News>,
}

impl PieceSink for Sink {
    fn take(&self, whole: Whole) -> Result<(), Whole> {
        let Whole { torrent, piece, bytes, digests } = whole;
        let arrived = Arrived { torrent, target: self.target.clone(), piece, bytes, digests };
        self.intake.give(arrived).map_err(|Arrived { torrent, piece, bytes, digests, .. }| Whole {
            torrent,
            piece,
            bytes,
            digests,
        })
    }

    fn finished(&self) {
        // there is room for one from each torrent; and the numbers say so as well
        let _ = self.news.try_send(News::Whole(self.id));
    }
}

impl Session {
    /// Begins to download, or goes on with it. A torrent that is here already stays as it is.
    pub async fn download(&mut self, download: Download) -> Result<TorrentId, SessionError> {
        let info_hash = download.metainfo.info_hash();
        if let Some(id) = self.by_hash.get(&info_hash) {
            return Ok(*id);
        }
        if self.fleet.len() != 1 {
            return Err(SessionError::ManyReactors);
        }
        let id = self.fresh_id();
        let Download { metainfo, target, priorities, order, memory, peers, disk } = download;
        let metainfo = Arc::new(metainfo);
        let content = Arc::new(target.content().clone());
        let had = target.had();
        let sink = Arc::new(Sink { id, intake: self.intake(disk)?, target: target.clone(), news: self.news.0.clone() });
        let Serving { torrent, payload, .. } = serving(&metainfo, &content);
        let pieces = torrent.geometry.pieces();
        // what was announced by its name alone goes on to be announced
        let sought = self.seeking.take().filter(|seeking| seeking.info_hash == info_hash);
        let shared = sought.as_ref().map(|seeking| seeking.shared.clone()).unwrap_or_default();
        shared.left.store(left(&torrent, &had), Ordering::Relaxed);
        let progress = Progress {
            target,
            known: Known::default(),
            latest: None,
            rate: 0,
            had: 0,
            pieces,
            finished: false,
            settled: false,
            shared: shared.clone(),
            checkpoint_at: Instant::now(),
            web_seeds: Vec::new(),
        };
        let download = shard::Download { had, priorities, memory, order };
        self.fleet.add_download(id, torrent, payload, DownloadOrder { download, sink });
        let mut entry = Entry { shared, download: Some(progress), ..Entry::new(metainfo, content, Arc::new([])) };
        let (announced, named) = match sought {
            Some(seeking) => (seeking.handle, seeking.peers),
            None => {
                let announcing = entry.metainfo().map(|metainfo| self.announce(metainfo));
                let announced = announcing.expect("it is not dormant").of(&entry.shared);
                (self.announce_first(announced).await, Vec::new())
            }
        };
        entry.announced = Some(announced);
        self.by_hash.insert(info_hash, id);
        self.torrents.insert(id, entry);
        self.learn_peers(id, peers.into_iter().chain(named));
        self.attach_web_seeds(id);
        Ok(id)
    }

    /// HTTP servers that a torrent names take part as peers do (BEP 19).
    fn attach_web_seeds(&mut self, id: TorrentId) {
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        let (Some(download), Some(body)) = (&mut entry.download, &entry.body) else { return };
        for url in web_seed::usable(&body.metainfo) {
            match self.web_seeds.start(&body.metainfo, &url, &mut self.rng) {
                Ok((seed, descriptor)) => {
                    self.fleet.attach(id, descriptor);
                    download.web_seeds.push(seed);
                }
                Err(error) => self.warnings.push(format!("web seed {url}: {error}")),
            }
        }
    }

    /// The threads that check and write pieces, started with the first download.
    fn intake(&mut self, disk: Arc<Disk>) -> Result<Arc<Intake>, SessionError> {
        if let Some(intake) = &self.intake {
            return Ok(intake.clone());
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let setup = IntakeSetup { engine: Engine::detect(), threads: cores.min(HASHERS), capacity: INTAKE };
        let mailbox = self.fleet.mailbox(0).clone();
        let answer = move |mut verdict| {
            // never full: it has room for more than may be without a verdict
            while let Err(back) = mailbox.answer(verdict) {
                verdict = back;
                std::thread::yield_now();
            }
        };
        let intake = Arc::new(Intake::start(setup, disk, answer).map_err(SessionError::Intake)?);
        self.intake = Some(intake.clone());
        Ok(intake)
    }

    /// Somebody named peers of a download: they are dialled at once.
    pub(super) fn learn_peers(&mut self, id: TorrentId, peers: impl IntoIterator<Item = SocketAddr>) {
        let Some(download) = self.torrents.get_mut(&id).and_then(|entry| entry.download.as_mut()) else { return };
        download.known.add(peers);
        self.dial_known(id);
    }

    fn dial_known(&mut self, id: TorrentId) {
        let snapshots = self.fleet.snapshots();
        let peers = snapshots.flat_map(|snapshot| &snapshot.peers).filter(|peer| peer.torrent == id);
        let connected: BTreeSet<SocketAddr> = peers.map(|peer| peer.address).collect();
        let now = self.now();
        let Some(download) = self.torrents.get_mut(&id).and_then(|entry| entry.download.as_mut()) else { return };
        let due = download.known.due(&connected, now);
        due.into_iter().for_each(|address| self.fleet.dial(id, address));
    }

    /// Waits until trackers name peers or a download gets on, and does what follows. May be dropped at any time.
    pub async fn event(&mut self) {
        tokio::select! {
            Some(found) = self.found.recv() => self.dial_found(found),
            Some(news) = self.news.1.recv() => self.take_news(news).await,
            () = self.fleet.wanted_notified() => self.take_wanted(),
        }
    }

    async fn take_news(&mut self, news: News) {
        match news {
            News::Whole(id) => {
                self.make_safe(id);
                self.finished(id).await;
            }
            News::Safe(id, result) => self.settled(id, &result),
            News::Checkpoint(id, error) => self.checkpoint_failed(id, &error),
        }
    }

    /// Everything that is wanted of a torrent is here. Syncing it takes the disk's time, and neither peers nor the user have to wait
    /// for that: what a note claims is synced before in any case, and the program does not end by itself before.
    fn make_safe(&mut self, id: TorrentId) {
        let Some(download) = self.torrents.get(&id).and_then(|entry| entry.download.as_ref()) else { return };
        let (target, news) = (download.target.clone(), self.news.0.clone());
        tokio::task::spawn_blocking(move || {
            let result = target.finish();
            let _ = news.blocking_send(News::Safe(id, result));
        });
    }

    /// Downloads that have not failed and may have bytes that a power cut would cost.
    pub fn unsettled(&self) -> usize {
        self.torrents.values().filter(|entry| entry.failure.is_none() && entry.is_unsettled()).count()
    }

    fn settled(&mut self, id: TorrentId, result: &Result<(), CheckpointError>) {
        if let Some(download) = self.torrents.get_mut(&id).and_then(|entry| entry.download.as_mut()) {
            download.settled = true;
        }
        if let Err(error) = result {
            self.checkpoint_failed(id, error);
        }
    }

    async fn finished(&mut self, id: TorrentId) {
        let Some(entry) = self.torrents.get_mut(&id).filter(|entry| entry.failure.is_none()) else { return };
        let (Some(download), Some(body)) = (&mut entry.download, &mut entry.body) else { return };
        download.finished = true;
        download.web_seeds.clear();
        if !download.target.is_complete() {
            return;
        }
        download.shared.left.store(0, Ordering::Relaxed);
        match body.content.identities() {
            Ok(identities) => body.identities = identities.into(),
            Err(fault) => return self.fail(id, fault.to_string()),
        }
        let (announced, metainfo) = (entry.announced.clone(), body.metainfo.clone());
        self.publish(id, &metainfo);
        if let Some(announced) = announced {
            announced.completed().await;
        }
    }

    /// A note that cannot be kept costs a check at the next start; bytes that may be lost end the download.
    fn checkpoint_failed(&mut self, id: TorrentId, error: &CheckpointError) {
        match error {
            CheckpointError::Note(error) => self.warnings.push(error.to_string()),
            error => self.fail(id, error.to_string()),
        }
    }

    /// Once a second: checkpoints that are due, peers to try again.
    pub(super) fn turn_downloads(&mut self) {
        let going_on = |entry: &Entry| entry.failure.is_none() && entry.is_downloading();
        // a reactor tells of each of them from its first second on
        let lively = self.lively.iter().filter(|id| self.torrents.get(id).is_some_and(going_on));
        let ids: Vec<TorrentId> = lively.copied().collect();
        for id in ids {
            self.dial_known(id);
            let Some(download) = self.torrents.get_mut(&id).and_then(|entry| entry.download.as_mut()) else { continue };
            if download.checkpoint_at.elapsed() < Duration::from_secs(limits::CHECKPOINT_SECONDS) {
                continue;
            }
            download.checkpoint_at = Instant::now();
            let (target, news) = (download.target.clone(), self.news.0.clone());
            tokio::task::spawn_blocking(move || {
                if let Err(error) = target.checkpoint() {
                    let _ = news.blocking_send(News::Checkpoint(id, error));
                }
            });
        }
    }

    /// Syncs and notes what downloads have, when nothing is written any more.
    pub(super) async fn end_downloads(&mut self) {
        // verdicts that are due are written when the intake has ended
        self.intake = None;
        let downloads = self.torrents.values().filter_map(|entry| Some((entry.download.as_ref()?, &entry.failure)));
        let unsettled = downloads.filter(|(download, _)| !download.settled);
        let targets: Vec<(Arc<Target>, bool)> =
            unsettled.map(|(download, failure)| (download.target.clone(), failure.is_none())).collect();
        // of one that has failed it is told already why
        let end = move || -> Vec<String> {
            let ends = targets.iter().filter_map(|(target, tell)| Some((target.finish().err()?, tell)));
            ends.filter(|(_, tell)| **tell).map(|(error, _)| error.to_string()).collect()
        };
        match tokio::time::timeout(LAST_SYNC, tokio::task::spawn_blocking(end)).await {
            Ok(failed) => self.warnings.extend(failed.unwrap_or_default()),
            Err(_) => self.warnings.push("a disk does not answer: the next start hashes what was written last".into()),
        }
    }
}

impl Progress {
    /// The pieces that are here, one bit each.
    pub(super) fn had_pieces(&self) -> Box<[u8]> {
        self.target.had()
    }

    pub(super) fn into_target(self) -> Arc<Target> {
        self.target
    }

    /// Takes in what the reactor says, once a second.
    pub(super) fn update(&mut self, status: &DownloadStatus, had: u32, total: u64, seconds: f64) {
        let before = self.latest.map_or(0, |latest| latest.received);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate for display"
        )]
        let rate = (status.received.saturating_sub(before) as f64 / seconds) as u64;
        (self.rate, self.had, self.latest) = (rate, had, Some(*status));
        self.shared.downloaded.store(status.received, Ordering::Relaxed);
        self.shared.left.store(total.saturating_sub(status.good), Ordering::Relaxed);
    }
}

/// Bytes of the pieces that are not among `had`.
fn left(torrent: &peer::Torrent, had: &[u8]) -> u64 {
    let is_had = |piece: u32| had.get(piece as usize / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0);
    let missing = (0..torrent.geometry.pieces()).filter(|piece| !is_had(*piece));
    missing.map(|piece| u64::from(torrent.geometry.piece_length(crate::ids::PieceIndex(piece)))).sum()
}
