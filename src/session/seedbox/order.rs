//! What front ends ask for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::ids::{InfoHash, TorrentId};

use super::super::status::Status;
use super::choice::{Choice, FilePriority, LimitChoice};
use super::settings::{LimitAction, Settings};
use crate::discovery::TrackerStatus;
use crate::filter::IpFilter;
use crate::metainfo::Metainfo;
use crate::session::Handover;
use crate::shard::PeerStatus;

/// Where a torrent comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The bytes of a torrent file.
    File(Vec<u8>),
    /// A magnet link.
    Magnet(String),
    /// The address of a torrent file, http or https.
    Url(String),
}

/// A torrent to add.
#[derive(Clone, Debug)]
pub struct Addition {
    /// It.
    pub source: Source,
    /// What its owner chooses. An empty folder: that of its category, else the download folder.
    pub choice: Choice,
    /// Its content is said to be here and right: sizes are looked at, pieces are checked when they are first served.
    pub trusted: bool,
    /// Statistics that it brings along: sent, received.
    pub before: (u64, u64),
    /// When it was added, of one that was another program's; seconds since 1970.
    pub added_at: Option<i64>,
    /// Peers that are known already.
    pub peers: Vec<SocketAddr>,
}

impl Addition {
    /// One without choices.
    pub fn new(source: Source) -> Addition {
        Addition {
            source,
            choice: Choice::default(),
            trusted: false,
            before: (0, 0),
            added_at: None,
            peers: Vec::new(),
        }
    }
}

/// What became of an addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Added {
    /// Its id.
    pub id: TorrentId,
    /// Its swarm.
    pub info_hash: InfoHash,
    /// It was here before; of a public one, trackers that are new were added to it.
    pub duplicate: bool,
}

/// A change of one or more torrents.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Takes part again.
    Start {
        /// Whatever the queue says.
        forced: bool,
    },
    /// Takes part no more.
    Stop,
    /// Compares its files with its hashes.
    Verify,
    /// Announces now, as far as its trackers allow.
    Reannounce,
    /// Is gone.
    Remove {
        /// With its content.
        data: bool,
    },
    /// Has its content in another folder.
    Move {
        /// That one.
        folder: PathBuf,
        /// The files are moved; otherwise they are there already.
        files: bool,
    },
    /// Is shown by another name; `None`: by its own.
    Name(Option<String>),
    /// A file or folder of it has another name.
    RenamePath {
        /// Path below the folder, as it is now.
        from: String,
        /// Its new last component, or path below the folder.
        to: String,
    },
    /// Wants files more or less.
    Files {
        /// Which, as the torrent counts; none: all.
        indexes: Vec<u32>,
        /// How much.
        priority: FilePriority,
    },
    /// Belongs to this category; empty: to none.
    Category(String),
    /// Follows its category's folder.
    AutoManaged(bool),
    /// Has these tags more.
    AddTags(Vec<String>),
    /// Has these tags no more; none: no tags any more.
    RemoveTags(Vec<String>),
    /// Has these tags alone.
    SetTags(Vec<String>),
    /// Has other limits.
    Limits(LimitChange),
    /// Pieces in order.
    Sequential(bool),
    /// Ends of files first.
    FirstLast(bool),
    /// Pieces are shown one by one.
    SuperSeed(bool),
    /// Has other trackers.
    Trackers(TrackerChange),
    /// Has another place in the queue.
    Queue(QueueMove),
    /// Connects to these.
    AddPeers(Vec<SocketAddr>),
}

/// Limits that change; `None` stays as it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LimitChange {
    /// Bytes a second that it may send.
    pub upload: Option<Option<u64>>,
    /// Bytes a second that it may receive.
    pub download: Option<Option<u64>>,
    /// Sent for each byte.
    pub ratio: Option<LimitChoice<f64>>,
    /// Minutes of seeding.
    pub seeding: Option<LimitChoice<u32>>,
    /// Minutes without a byte sent.
    pub idle: Option<LimitChoice<u32>>,
    /// What is done with it then.
    pub action: Option<Option<LimitAction>>,
    /// Connected peers.
    pub peers: Option<Option<u32>>,
}

/// Trackers that change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrackerChange {
    /// These too, a tier each. Not of private torrents, unless their owner says so.
    Add(Vec<String>),
    /// These no more.
    Remove(Vec<String>),
    /// One in place of another.
    Replace {
        /// That one.
        from: String,
        /// This one.
        to: String,
    },
    /// These, by tier, and no others.
    Set(Vec<Vec<String>>),
}

/// A move in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueMove {
    /// First of all.
    Top,
    /// One up.
    Up,
    /// One down.
    Down,
    /// Last of all.
    Bottom,
    /// To this place, counted from 0.
    To(u32),
}

/// Why an order is not followed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What kind of reason, for protocols that have numbers for them.
    pub kind: RefusalKind,
    /// The reason, and what to do.
    pub text: String,
}

/// Kinds of refusals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// There is no such thing.
    NotFound,
    /// It cannot be understood, or may not be.
    Invalid,
    /// It does not go with what is there.
    Conflict,
    /// A path outside of the roots.
    Forbidden,
    /// Disk or network would not.
    Environment,
    /// Too much at once, or the daemon ends.
    Busy,
}

impl Refusal {
    /// One of this kind.
    pub fn new(kind: RefusalKind, text: impl Into<String>) -> Refusal {
        Refusal { kind, text: text.into() }
    }
}

/// Payload that a process moved after it had given up the state, for who has it now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Of this torrent.
    pub info_hash: InfoHash,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received and kept.
    pub received: u64,
}

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What the keeper is told. Use the methods of [`Seedbox`](super::Seedbox).
pub enum Order {
    /// Adds a torrent.
    Add(Box<Addition>, Reply<Added>),
    /// Changes torrents. Those of them that are not there are passed over, unless none is.
    Change(Vec<TorrentId>, Change, Reply<()>),
    /// Replaces all settings; if others are given, only while it is those that hold, and otherwise answers `false`.
    Settings(Box<Settings>, Option<Arc<Settings>>, Reply<bool>),
    /// What is in a torrent file, trackers as they are now.
    Metainfo(TorrentId, Reply<Arc<Metainfo>>),
    /// Trackers of a torrent.
    Trackers(TorrentId, Reply<Vec<TrackerStatus>>),
    /// Peers of a torrent.
    Peers(TorrentId, Reply<Vec<PeerStatus>>),
    /// A bit for each piece that is here, the first the highest of the first byte.
    Pieces(TorrentId, Reply<Vec<u8>>),
    /// Numbers of the engine.
    Engine(Reply<Arc<Status>>),
    /// Keeps away from other addresses than before.
    Filter(Arc<IpFilter>, Reply<()>),
    /// Gives up the state, for a successor; peers are served on.
    StepBack(Reply<Handover>),
    /// There is no successor after all.
    TakeBack(Reply<()>),
    /// There is: serves those who are connected for so long, tells what that moved, and ends.
    SeeOff(Duration, mpsc::Sender<Vec<Carried>>, Reply<()>),
    /// Counts what the process before has moved.
    Count(Vec<Carried>, Reply<()>),
    /// Ends.
    Shutdown(Reply<()>),
}
