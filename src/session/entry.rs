//! A torrent of the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::discovery::{self, Handle};
use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::storage::{self, Content};

use super::status::{TorrentState, TorrentView, TrackerView};

/// A torrent that is or was served.
pub(super) struct Entry {
    pub(super) metainfo: Arc<Metainfo>,
    pub(super) content: Arc<Content>,
    pub(super) identities: Arc<[storage::Identity]>,
    /// Payload bytes sent, for announces.
    pub(super) uploaded: Arc<AtomicU64>,
    pub(super) upload_rate: u64,
    pub(super) peers: usize,
    pub(super) unchoked: usize,
    pub(super) failure: Option<String>,
    pub(super) announced: Option<Handle>,
}

impl Entry {
    /// For display.
    pub(super) fn view(&self, id: TorrentId) -> TorrentView {
        let trackers = self.announced.as_ref().map(Handle::status).unwrap_or_default();
        TorrentView {
            id,
            info_hash: self.metainfo.info_hash(),
            name: self.metainfo.name().into_owned(),
            size: self.metainfo.geometry().total(),
            path: self.content.root().to_owned(),
            state: self.failure.clone().map_or(TorrentState::Seeding, TorrentState::Failed),
            uploaded: self.uploaded.load(Ordering::Relaxed),
            upload_rate: self.upload_rate,
            peers: self.peers,
            unchoked: self.unchoked,
            trackers: trackers.iter().map(tracker_view).collect(),
        }
    }
}

fn tracker_view(status: &discovery::TrackerStatus) -> TrackerView {
    let works = status.works();
    let error = status.endpoints.iter().find_map(|endpoint| endpoint.error.as_ref()).map(ToString::to_string);
    TrackerView { url: status.url.to_string(), works, error: error.filter(|_| !works) }
}
