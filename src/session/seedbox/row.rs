//! One torrent as front ends see it. Immutable: a change makes a new row, so that whoever reads an old one is not disturbed.

use std::path::PathBuf;
use std::sync::Arc;

use crate::discovery::Trouble;
use crate::ids::{InfoHash, TorrentId};

use super::choice::Choice;

/// A torrent at one moment.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name in this process; never used again for another one.
    pub id: TorrentId,
    /// [`View::revision`](super::View::revision) of the view in which it last changed. When it is announced next is told along with
    /// other changes and is none by itself: of ten thousand torrents that are well, each would change every half hour.
    pub revision: u64,
    /// What it is.
    pub about: Arc<About>,
    /// What its owner chose.
    pub choice: Arc<Choice>,
    /// What it is doing.
    pub activity: Activity,
    /// Why it is absent or failed, with the remedy; else what is worth telling.
    pub message: Option<Arc<str>>,
    /// URL of the tracker that answered last, without its secrets; empty if none has.
    pub tracker: Arc<str>,
    /// What is wrong with its trackers, if anything, while it is announced.
    pub trouble: Option<Trouble>,
    /// Its numbers.
    pub numbers: Numbers,
}

/// What never changes once it is known. Of a magnet link whose metadata is still sought, most is zero.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its swarm.
    pub info_hash: Option<InfoHash>,
    /// The name in the torrent file, or in the magnet link.
    pub name: String,
    /// Bytes of content, padding left out.
    pub size: u64,
    /// Pieces.
    pub pieces: u32,
    /// Bytes of a piece but the last.
    pub piece_length: u32,
    /// Files, padding left out.
    pub files: u32,
    /// The content is one file, not a folder.
    pub single_file: bool,
    /// BEP 27.
    pub private: bool,
    /// The metadata is here.
    pub has_metadata: bool,
    /// Comment in the torrent file.
    pub comment: String,
    /// What made the torrent file.
    pub created_by: String,
    /// When; seconds since 1970.
    pub created_at: Option<i64>,
    /// Announce URLs in the torrent file or the magnet link, by tier.
    pub trackers: Vec<Vec<String>>,
}

/// What a torrent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activity {
    /// Waits until another check is over.
    QueuedCheck,
    /// Its files are compared with its hashes.
    Checking {
        /// How far.
        per_mille: u16,
    },
    /// Its metadata is asked of peers (BEP 9).
    Metadata,
    /// Waits for others' downloads, as the queue's limit says.
    QueuedDownload,
    /// Something is wanted and not here; what is here is served.
    Downloading,
    /// Waits for others to stop seeding, as the queue's limit says.
    QueuedSeed,
    /// Everything that is wanted is here, and served.
    Seeding,
    /// Its owner, or a limit, stopped it.
    Paused,
    /// Its files are on their way to another folder.
    Moving {
        /// How far.
        per_mille: u16,
    },
    /// Its files are not there: a disk that is not mounted. Tried again by itself; nothing is downloaded over.
    Absent,
    /// It cannot go on; the message says why.
    Failed,
}

/// Numbers of a torrent. Bytes count payload.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Numbers {
    /// Bytes of wanted files.
    pub wanted: u64,
    /// Bytes of wanted pieces that are not here.
    pub left: u64,
    /// Bytes of good pieces that are here.
    pub have: u64,
    /// Sent, all starts together.
    pub uploaded: u64,
    /// Received and kept, all starts together.
    pub downloaded: u64,
    /// Received and dropped, or found bad, all starts together.
    pub wasted: u64,
    /// Sent since the daemon started.
    pub session_uploaded: u64,
    /// Received and kept since the daemon started.
    pub session_downloaded: u64,
    /// Received and dropped, or found bad, since the daemon started.
    pub session_wasted: u64,
    /// Bytes a second, over the last second.
    pub upload_rate: u64,
    /// Bytes a second, over the last second.
    pub download_rate: u64,
    /// Connected peers.
    pub peers: u32,
    /// Of these, those that have everything.
    pub seeds: u32,
    /// Peers that we may send to.
    pub unchoked: u32,
    /// Peers that send to us.
    pub senders: u32,
    /// Seeds in the swarm, as trackers say.
    pub swarm_seeds: Option<u32>,
    /// Others in the swarm, as trackers say.
    pub swarm_leechers: Option<u32>,
    /// Copies of the rarest piece among the connected peers, in thousandths.
    pub availability_per_mille: u32,
    /// When it was added; seconds since 1970, as the next ones.
    pub added_at: i64,
    /// When it was started last, by this daemon.
    pub started_at: Option<i64>,
    /// When it is announced next; goes on by itself, see [`Row::revision`].
    pub announce_at: Option<i64>,
    /// When everything wanted was here.
    pub completed_at: Option<i64>,
    /// When payload last went to or came from a peer.
    pub active_at: Option<i64>,
    /// When `seeding_seconds` and `running_seconds` were counted; they go on since then where the torrent runs.
    pub counted_at: i64,
    /// For how long it was seeded.
    pub seeding_seconds: u64,
    /// For how long it was downloaded or seeded.
    pub running_seconds: u64,
    /// Place in the queue, counted from 0.
    pub queue: u32,
}

impl Row {
    /// Its swarm.
    pub fn info_hash(&self) -> InfoHash {
        self.about.info_hash.unwrap_or(InfoHash([0; 20]))
    }

    /// The name that is shown: the owner's, else the torrent's.
    pub fn name(&self) -> &str {
        self.choice.name.as_deref().unwrap_or(&self.about.name)
    }

    /// Its announce URLs by tier: the owner's, else the torrent's.
    pub fn trackers(&self) -> &[Vec<String>] {
        self.choice.trackers.as_deref().unwrap_or(&self.about.trackers)
    }

    /// Where its content is or goes: the file, or the folder of its files.
    pub fn content_path(&self) -> PathBuf {
        self.choice.folder.join(self.choice.renamed_root.as_deref().unwrap_or(&self.about.name))
    }

    /// Nothing that is wanted is missing.
    pub fn is_complete(&self) -> bool {
        self.about.has_metadata && self.numbers.left == 0
    }

    /// What of the wanted is here, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    pub fn progress(&self) -> f64 {
        match (self.about.has_metadata, self.numbers.wanted) {
            (false, _) => 0.0,
            (true, 0) => 1.0,
            (true, wanted) => (wanted.saturating_sub(self.numbers.left)) as f64 / wanted as f64,
        }
    }

    /// Sent for each byte received, or of the content if nothing was received; `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    pub fn ratio(&self) -> Option<f64> {
        let of = if self.numbers.downloaded > 0 { self.numbers.downloaded } else { self.numbers.have };
        (of > 0).then(|| self.numbers.uploaded as f64 / of as f64)
    }

    /// Payload goes or came within the last second.
    pub fn is_active(&self) -> bool {
        self.numbers.upload_rate > 0 || self.numbers.download_rate > 0
    }

    /// Takes part in its swarm, or would if its files were there.
    pub fn runs(&self) -> bool {
        matches!(self.activity, Activity::Metadata | Activity::Downloading | Activity::Seeding)
    }

    /// For how long it was seeded, at `now` (seconds since 1970).
    pub fn seeding_seconds(&self, now: i64) -> u64 {
        let since = if self.activity == Activity::Seeding { now.saturating_sub(self.numbers.counted_at) } else { 0 };
        self.numbers.seeding_seconds.saturating_add(u64::try_from(since).unwrap_or(0))
    }

    /// For how long it was downloaded or seeded, at `now` (seconds since 1970).
    pub fn running_seconds(&self, now: i64) -> u64 {
        let since = if self.runs() { now.saturating_sub(self.numbers.counted_at) } else { 0 };
        self.numbers.running_seconds.saturating_add(u64::try_from(since).unwrap_or(0))
    }
}
