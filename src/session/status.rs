//! What a front end shows.

use std::path::PathBuf;

use crate::discovery::Outcomes;
use crate::ids::{InfoHash, TorrentId};
use crate::reactor::{PagingCounters, TurnTimes};
use crate::shard::{Census, PeerStatus, Totals};
use crate::transmit::Counters;

/// What a torrent is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TorrentState {
    /// Something of it is wanted and not here; what is here is served.
    Downloading,
    /// Served.
    Seeding,
    /// Stopped: its data cannot be served.
    Failed(String),
}

/// A torrent.
#[derive(Clone, Debug)]
pub struct TorrentView {
    /// Which.
    pub id: TorrentId,
    /// Swarm.
    pub info_hash: InfoHash,
    /// Name.
    pub name: String,
    /// Bytes of content.
    pub size: u64,
    /// Folder or file that it is served from.
    pub path: PathBuf,
    /// State.
    pub state: TorrentState,
    /// Payload bytes sent since start.
    pub uploaded: u64,
    /// Bytes a second, over the last second.
    pub upload_rate: u64,
    /// Connected peers.
    pub peers: usize,
    /// Peers with a slot.
    pub unchoked: usize,
    /// Its trackers.
    pub trackers: Vec<TrackerView>,
    /// Copies of the rarest piece among the connected peers.
    pub availability: u32,
    /// Its download, if it was not complete when it was added.
    pub download: Option<DownloadView>,
}

/// How far a download has come.
#[derive(Clone, Copy, Debug)]
pub struct DownloadView {
    /// Bytes a second, over the last second.
    pub rate: u64,
    /// Payload bytes received and kept since start.
    pub received: u64,
    /// Payload bytes dropped or found bad.
    pub wasted: u64,
    /// Bytes of pieces that are here, those of earlier starts included.
    pub good: u64,
    /// Pieces here.
    pub had: u32,
    /// Pieces in all.
    pub pieces: u32,
    /// Pieces that are wanted and not here.
    pub missing: u32,
    /// Addresses of peers that are known.
    pub known: usize,
}

/// A tracker of a torrent.
#[derive(Clone, Debug)]
pub struct TrackerView {
    /// URL without secrets.
    pub url: String,
    /// It answers.
    pub works: bool,
    /// What went wrong last.
    pub error: Option<String>,
}

/// One thread that serves.
#[derive(Clone, Copy, Debug)]
pub struct ReactorView {
    /// Connections, handshakes included.
    pub connections: usize,
    /// Peers with a slot.
    pub unchoked: usize,
    /// Part of the last second for which it worked, in thousandths.
    pub busy_per_mille: u32,
    /// Payload bytes sent since start.
    pub sent: u64,
}

/// What was chosen at the start, or what the choice came to.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// Driver of the reactors.
    pub driver: &'static str,
    /// Path that payload takes.
    pub send: String,
    /// Congestion control of connections.
    pub congestion: String,
}

/// Numbers of all reactors that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// Payload bytes sent.
    pub sent: u64,
    /// Payload bytes received and kept.
    pub received: u64,
    /// Connections that came.
    pub accepted: u64,
    /// Connections that we opened.
    pub dialled: u64,
    /// Requests received.
    pub requests: u64,
    /// Unchokes sent.
    pub unchokes: u64,
    /// Chokes sent.
    pub chokes: u64,
}

impl Flow {
    pub(super) fn add(&mut self, totals: &Totals) {
        self.sent += totals.sent;
        self.received += totals.received;
        self.accepted += totals.accepted;
        self.dialled += totals.dialled;
        self.requests += totals.requests;
        self.unchokes += totals.unchokes;
        self.chokes += totals.chokes;
    }
}

/// Announces of all torrents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Announces {
    /// What became of them since the start.
    pub outcomes: Outcomes,
    /// Those that wait for their turn at a tracker, and those that are under way.
    pub load: (usize, usize),
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// How bytes go out, by name.
    pub ways: Ways,
    /// Payload bytes sent since start.
    pub uploaded: u64,
    /// Bytes a second, over the last second.
    pub upload_rate: u64,
    /// What reactors count since start.
    pub flow: Flow,
    /// What sending paths count since start.
    pub transmit: Counters,
    /// Announces to trackers.
    pub announces: Announces,
    /// Connections, handshakes included.
    pub connections: usize,
    /// Peers by why they are not being sent to.
    pub census: Census,
    /// Torrents that are known and not in memory of the reactors.
    pub dormant: usize,
    /// Peers with a slot.
    pub unchoked: usize,
    /// Peers that wait for a slot.
    pub waiting: usize,
    /// Part of the last second for which the busiest reactor worked, in thousandths.
    pub busy_per_mille: u32,
    /// What was read from disk ahead of sending.
    pub paging: PagingCounters,
    /// Bytes that the process has read from disk for whatever reason (`/proc/self/io`): hashing, programs, paging in.
    pub process_read: Option<u64>,
    /// How long turns of the reactors took.
    pub turn_times: TurnTimes,
    /// Bytes sent without a copy, and with one.
    pub spliced: u64,
    /// Bytes sent with one copy.
    pub copied: u64,
    /// Connections ended, by reason, most frequent first.
    pub closed: Vec<(&'static str, u64)>,
    /// The reactors.
    pub reactors: Vec<ReactorView>,
    /// Torrents, in the order in which they were added.
    pub torrents: Vec<TorrentView>,
    /// Some of the peers, fastest first.
    pub peers: Vec<PeerStatus>,
}

impl Status {
    /// Bytes read from disk for each byte sent; `None` before the first.
    pub fn read_amplification(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
        let ratio = self.paging.bytes as f64 / self.uploaded as f64;
        (self.uploaded > 0).then_some(ratio)
    }

    /// Whether no torrent is served any more.
    pub fn all_failed(&self) -> bool {
        !self.torrents.is_empty()
            && self.torrents.iter().all(|torrent| matches!(torrent.state, TorrentState::Failed(_)))
    }
}
