//! Everything at one moment, for reading.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::ids::{InfoHash, TorrentId};

use super::row::Row;
use super::rows::Rows;
use super::settings::Settings;

/// Removed torrents that views remember.
pub(super) const REMOVED: usize = 10_000;

/// All torrents at one moment. Views share the rows that are the same, so keeping an old one costs little: see [`Rows`].
#[derive(Clone, Debug)]
pub struct View {
    /// Counts up with every change.
    pub revision: u64,
    /// In the order of their ids.
    pub rows: Rows,
    names: Arc<Names>,
    /// The latest removals, oldest first.
    pub removed: Arc<VecDeque<Removed>>,
    /// What holds for all.
    pub settings: Arc<Settings>,
    /// Sums.
    pub totals: Totals,
    /// What its owner has to mend, if there is anything: the state cannot be saved.
    pub trouble: Option<Arc<str>>,
}

/// Torrents by their swarm. In parts that views share, of which a new torrent costs one.
#[derive(Clone, Debug, Default)]
struct Names {
    parts: Vec<Arc<HashMap<InfoHash, TorrentId>>>,
}

impl Names {
    const PARTS: usize = 64;

    fn find(&self, info_hash: InfoHash) -> Option<TorrentId> {
        self.parts.get(Names::part_of(info_hash))?.get(&info_hash).copied()
    }

    fn insert(&mut self, info_hash: InfoHash, id: TorrentId) {
        self.part(info_hash).insert(info_hash, id);
    }

    fn remove(&mut self, info_hash: InfoHash) {
        self.part(info_hash).remove(&info_hash);
    }

    fn part(&mut self, info_hash: InfoHash) -> &mut HashMap<InfoHash, TorrentId> {
        self.parts.resize_with(Names::PARTS, Arc::default);
        Arc::make_mut(&mut self.parts[Names::part_of(info_hash)])
    }

    /// Hashes are spread evenly, whichever byte one looks at.
    fn part_of(info_hash: InfoHash) -> usize {
        usize::from(info_hash.0[0]) % Names::PARTS
    }
}

/// A torrent that is gone.
#[derive(Clone, Copy, Debug)]
pub struct Removed {
    /// The view from which on it is.
    pub revision: u64,
    /// Which.
    pub id: TorrentId,
    /// Which.
    pub info_hash: InfoHash,
    /// When; seconds since 1970.
    pub at: i64,
}

/// Numbers of all torrents together. Bytes count payload.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Totals {
    /// Bytes a second, over the last second.
    pub upload_rate: u64,
    /// Bytes a second, over the last second.
    pub download_rate: u64,
    /// Sent since the start.
    pub session_uploaded: u64,
    /// Received since the start.
    pub session_downloaded: u64,
    /// Received and dropped, or found bad, since the start.
    pub session_wasted: u64,
    /// Sent, all starts and removed torrents included.
    pub uploaded: u64,
    /// Received, all starts and removed torrents included.
    pub downloaded: u64,
    /// Seconds since the start.
    pub session_seconds: u64,
    /// Seconds, all starts together.
    pub running_seconds: u64,
    /// Starts, this one included.
    pub starts: u64,
    /// Connections, handshakes included.
    pub connections: u32,
    /// Bytes free in the download folder; `None` if it cannot be told.
    pub free: Option<u64>,
    /// Port for peers.
    pub port: u16,
    /// Ranges of addresses that are kept away.
    pub blocked_ranges: u64,
}

impl View {
    /// Nothing yet.
    pub fn new(settings: Settings) -> View {
        View {
            revision: 0,
            rows: Rows::default(),
            names: Arc::default(),
            removed: Arc::default(),
            settings: Arc::new(settings),
            totals: Totals::default(),
            trouble: None,
        }
    }

    /// This view with these torrents, which are in the order of their ids.
    pub fn with_rows(self, revision: u64, rows: impl IntoIterator<Item = Arc<Row>>) -> View {
        let mut view = View { revision, rows: Rows::default(), names: Arc::default(), ..self };
        rows.into_iter().for_each(|row| view.insert(row));
        view
    }

    /// Adds a torrent, whose id is greater than those of the others.
    pub fn insert(&mut self, row: Arc<Row>) {
        if let Some(info_hash) = row.about.info_hash {
            Arc::make_mut(&mut self.names).insert(info_hash, row.id);
        }
        self.rows.push(row);
    }

    /// Takes a torrent out, and says nothing of it to anybody: see [`View::removed`].
    pub fn remove(&mut self, id: TorrentId) -> Option<Arc<Row>> {
        let row = self.rows.remove(id)?;
        if let Some(info_hash) = row.about.info_hash.filter(|info_hash| self.names.find(*info_hash) == Some(id)) {
            Arc::make_mut(&mut self.names).remove(info_hash);
        }
        Some(row)
    }

    /// The torrent of this id.
    pub fn row(&self, id: TorrentId) -> Option<&Arc<Row>> {
        self.rows.find(id)
    }

    /// The torrent of this swarm.
    pub fn find(&self, info_hash: InfoHash) -> Option<&Arc<Row>> {
        self.row(self.names.find(info_hash)?)
    }

    /// Torrents that were added or changed after the view of this revision.
    pub fn changed_since(&self, revision: u64) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.changed_since(revision)
    }

    /// Torrents that were removed after the view of this revision; `None` if some of them are forgotten, so that everything has to be
    /// told anew.
    pub fn removed_since(&self, revision: u64) -> Option<impl Iterator<Item = &Removed>> {
        let oldest = self.removed.front().map_or(0, |removed| removed.revision);
        let known = self.removed.len() < REMOVED || oldest <= revision;
        known.then(|| self.removed.iter().filter(move |removed| removed.revision > revision))
    }
}
