//! A torrent of the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::discovery::{self, Handle, Stats, StatsSource};
use crate::ids::{InfoHash, TorrentId};
use crate::metainfo::Metainfo;
use crate::peer;
use crate::reactor::Serving;
use crate::storage::{self, Content, Payload, PieceCheck};

use super::downloading::Progress;
use super::status::{DownloadView, TorrentState, TorrentView, TrackerView};

/// Bytes of one torrent, as trackers are told of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// Payload sent.
    pub(super) uploaded: Arc<AtomicU64>,
    /// Payload received.
    pub(super) downloaded: Arc<AtomicU64>,
    /// Not here yet.
    pub(super) left: Arc<AtomicU64>,
}

impl Shared {
    /// Sent and received.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.uploaded.load(Ordering::Relaxed), self.downloaded.load(Ordering::Relaxed))
    }

    /// What an announce says, at the moment when it is made.
    pub(super) fn stats(&self) -> StatsSource {
        let shared = self.clone();
        Arc::new(move || Stats {
            uploaded: shared.uploaded.load(Ordering::Relaxed),
            downloaded: shared.downloaded.load(Ordering::Relaxed),
            left: shared.left.load(Ordering::Relaxed),
            // seeders dial too, for the sake of leechers that cannot be reached from everywhere
            peers_wanted: 50,
        })
    }
}

/// What reactors are given of a torrent, served to peers alone.
pub(super) fn serving(metainfo: &Metainfo, content: &Arc<Content>) -> Serving {
    let geometry = metainfo.geometry().clone();
    let payload = Payload::new(Arc::new(geometry.clone()), content.clone());
    let torrent = peer::Torrent {
        info_hash: metainfo.info_hash(),
        geometry,
        info: metainfo.info_bytes().clone(),
        private: metainfo.private(),
    };
    Serving::new(Arc::new(torrent), payload)
}

/// What is in memory of a torrent while it is of use.
pub(super) struct Body {
    pub(super) metainfo: Arc<Metainfo>,
    pub(super) content: Arc<Content>,
    pub(super) identities: Arc<[storage::Identity]>,
    /// Looks at pieces before they are served, of content that was taken on trust.
    pub(super) check: Option<Arc<dyn PieceCheck>>,
}

/// A torrent that is or was served.
pub(super) struct Entry {
    pub(super) info_hash: InfoHash,
    /// `None` while nobody has asked for it: it is announced, and known to the reactors by its hash alone.
    pub(super) body: Option<Body>,
    /// Seconds for which it has had no peer.
    pub(super) idle_seconds: u32,
    /// It was told to sleep, and has not been served again since.
    pub(super) dozing: bool,
    pub(super) shared: Shared,
    /// Sent by reactors that keep nothing of it any more.
    pub(super) sent_before: u64,
    pub(super) upload_rate: u64,
    pub(super) peers: usize,
    /// Of these, those that have everything.
    pub(super) seeds: usize,
    pub(super) unchoked: usize,
    /// Peers that send to us.
    pub(super) senders: usize,
    pub(super) failure: Option<String>,
    pub(super) announced: Option<Handle>,
    /// If it was not complete when it was added.
    pub(super) download: Option<Progress>,
    /// Copies of the rarest piece among the connected peers.
    pub(super) availability: u32,
}

impl Entry {
    /// A torrent that is neither served nor announced yet.
    pub(super) fn new(metainfo: Arc<Metainfo>, content: Arc<Content>, identities: Arc<[storage::Identity]>) -> Entry {
        let info_hash = metainfo.info_hash();
        Entry { body: Some(Body { metainfo, content, identities, check: None }), ..Entry::dormant(info_hash) }
    }

    /// A torrent that is known by its name alone.
    pub(super) fn dormant(info_hash: InfoHash) -> Entry {
        Entry {
            info_hash,
            body: None,
            idle_seconds: 0,
            dozing: false,
            shared: Shared::default(),
            sent_before: 0,
            upload_rate: 0,
            peers: 0,
            seeds: 0,
            unchoked: 0,
            senders: 0,
            failure: None,
            announced: None,
            download: None,
            availability: 0,
        }
    }

    /// The process before has sent so many bytes more.
    pub(super) fn carry(&mut self, sent: u64) {
        self.sent_before += sent;
        self.shared.uploaded.fetch_add(sent, Ordering::Relaxed);
    }

    /// The torrent, unless it is dormant.
    pub(super) fn metainfo(&self) -> Option<&Arc<Metainfo>> {
        self.body.as_ref().map(|body| &body.metainfo)
    }

    /// Something is wanted and not here.
    pub(super) fn is_downloading(&self) -> bool {
        self.download.as_ref().is_some_and(|download| !download.finished)
    }

    /// Something of it was written and is not known to be on disk.
    pub(super) fn is_unsettled(&self) -> bool {
        self.download.as_ref().is_some_and(|download| !download.settled)
    }

    fn state(&self) -> TorrentState {
        match &self.failure {
            Some(cause) => TorrentState::Failed(cause.clone()),
            None if self.is_downloading() => TorrentState::Downloading,
            None => TorrentState::Seeding,
        }
    }

    /// For display.
    pub(super) fn view(&self, id: TorrentId) -> TorrentView {
        let trackers = self.announced.as_ref().map(Handle::status).unwrap_or_default();
        TorrentView {
            id,
            info_hash: self.info_hash,
            name: self.metainfo().map(|metainfo| metainfo.name().into_owned()).unwrap_or_default(),
            size: self.metainfo().map_or(0, |metainfo| metainfo.geometry().total()),
            path: self.body.as_ref().map(|body| body.content.root().to_owned()).unwrap_or_default(),
            state: self.state(),
            uploaded: self.shared.uploaded.load(Ordering::Relaxed),
            upload_rate: self.upload_rate,
            peers: self.peers,
            unchoked: self.unchoked,
            trackers: trackers.iter().map(tracker_view).collect(),
            availability: self.availability,
            download: self.download.as_ref().map(download_view),
        }
    }
}

fn download_view(download: &Progress) -> DownloadView {
    let latest = download.latest.as_ref();
    DownloadView {
        rate: download.rate,
        received: latest.map_or(0, |latest| latest.received),
        wasted: latest.map_or(0, |latest| latest.wasted),
        good: latest.map_or(0, |latest| latest.good),
        had: download.had,
        pieces: download.pieces,
        missing: latest.map_or(download.pieces, |latest| latest.missing),
        known: download.known.len(),
    }
}

fn tracker_view(status: &discovery::TrackerStatus) -> TrackerView {
    let works = status.works();
    let error = status.endpoints.iter().find_map(|endpoint| endpoint.error.as_ref()).map(ToString::to_string);
    TrackerView { url: status.url.to_string(), works, error: error.filter(|_| !works) }
}
