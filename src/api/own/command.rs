//! Changes as JSON: `{"kind": "move", "folder": "/srv/done", "files": true}`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::failure::Answer;
use super::limit::{Limit, maybe, ratio};
use super::settings::LimitAction;
use crate::session::seedbox::{Change, FilePriority, LimitChange, QueueMove, TrackerChange};

/// How much a file is wanted.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Priority {
    /// Not at all.
    Skip,
    /// After all others.
    Low,
    Normal,
    /// Before all others.
    High,
}

impl From<FilePriority> for Priority {
    fn from(priority: FilePriority) -> Priority {
        match priority {
            FilePriority::Skip => Priority::Skip,
            FilePriority::Low => Priority::Low,
            FilePriority::Normal => Priority::Normal,
            FilePriority::High => Priority::High,
        }
    }
}

impl From<Priority> for FilePriority {
    fn from(priority: Priority) -> FilePriority {
        match priority {
            Priority::Skip => FilePriority::Skip,
            Priority::Low => FilePriority::Low,
            Priority::Normal => FilePriority::Normal,
            Priority::High => FilePriority::High,
        }
    }
}

/// A change of torrents. As a path (`/api/v1/torrents/{hash}/{kind}`) `kind` stands there, and the body has the rest.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    /// Takes part again.
    Start {
        /// Whatever the queue says.
        #[serde(default)]
        forced: bool,
    },
    /// Takes part no more.
    Stop {},
    /// Compares its files with its hashes.
    Verify {},
    /// Announces now, as far as its trackers allow.
    Reannounce {},
    /// Is gone.
    Remove {
        /// With its content.
        #[serde(default)]
        data: bool,
    },
    /// Has its content in another folder.
    Move {
        /// That one.
        #[schema(value_type = String)]
        folder: PathBuf,
        /// The files are moved; false: they are there already.
        #[serde(default = "yes")]
        files: bool,
    },
    /// Is shown by another name; null: by its own.
    Name { name: Option<String> },
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
        #[serde(default)]
        indexes: Vec<u32>,
        priority: Priority,
    },
    /// Belongs to this category; empty: to none.
    Category { category: String },
    /// Follows its category's folder.
    AutoManaged { on: bool },
    /// Has these tags more.
    AddTags { tags: Vec<String> },
    /// Has these tags no more; none: no tags any more.
    RemoveTags { tags: Vec<String> },
    /// Has these tags alone.
    SetTags { tags: Vec<String> },
    /// Has other limits.
    Limits(Limits),
    /// Pieces in order.
    Sequential { on: bool },
    /// Ends of files first.
    FirstLast { on: bool },
    /// Pieces are shown one by one.
    SuperSeed { on: bool },
    /// These trackers too, a tier each.
    AddTrackers { urls: Vec<String> },
    /// These trackers no more.
    RemoveTrackers { urls: Vec<String> },
    /// One tracker in place of another.
    ReplaceTracker { from: String, to: String },
    /// These trackers, by tier, and no others.
    SetTrackers { tiers: Vec<Vec<String>> },
    /// Has another place in the queue.
    Queue { to: Place },
    /// Connects to these.
    AddPeers {
        #[schema(value_type = Vec<String>)]
        peers: Vec<SocketAddr>,
    },
}

fn yes() -> bool {
    true
}

/// A place in the queue: counted from 0, or a word.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Place {
    At(u32),
    Word(PlaceWord),
}

/// A place in the queue, as seen from where the torrent is.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlaceWord {
    Top,
    Up,
    Down,
    Bottom,
}

impl From<Place> for QueueMove {
    fn from(place: Place) -> QueueMove {
        match place {
            Place::At(at) => QueueMove::To(at),
            Place::Word(PlaceWord::Top) => QueueMove::Top,
            Place::Word(PlaceWord::Up) => QueueMove::Up,
            Place::Word(PlaceWord::Down) => QueueMove::Down,
            Place::Word(PlaceWord::Bottom) => QueueMove::Bottom,
        }
    }
}

/// Limits of a torrent that change; those left out stay as they are.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    /// Bytes a second that it may send; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u64>)]
    pub(super) upload_limit: Option<Option<u64>>,
    /// Bytes a second that it may receive; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u64>)]
    pub(super) download_limit: Option<Option<u64>>,
    /// Sent for each byte of it.
    pub(super) ratio_limit: Option<Limit<f64>>,
    /// Minutes of seeding.
    pub(super) seeding_limit: Option<Limit<u32>>,
    /// Minutes of seeding without a byte sent.
    pub(super) idle_limit: Option<Limit<u32>>,
    /// What is done with it then; null: as with all.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<LimitAction>)]
    pub(super) limit_action: Option<Option<LimitAction>>,
    /// Most peers; null: no limit of its own.
    #[serde(deserialize_with = "maybe")]
    #[schema(value_type = Option<u32>)]
    pub(super) peer_limit: Option<Option<u32>>,
}

impl Limits {
    pub(super) fn change(self) -> Answer<LimitChange> {
        Ok(LimitChange {
            upload: self.upload_limit,
            download: self.download_limit,
            ratio: self.ratio_limit.map(ratio).transpose()?,
            seeding: self.seeding_limit.map(Into::into),
            idle: self.idle_limit.map(Into::into),
            action: self.limit_action.map(|action| action.map(Into::into)),
            peers: self.peer_limit,
        })
    }
}

impl Command {
    /// What the seedbox is told.
    pub(super) fn change(self) -> Answer<Change> {
        Ok(match self {
            Command::Start { forced } => Change::Start { forced },
            Command::Stop {} => Change::Stop,
            Command::Verify {} => Change::Verify,
            Command::Reannounce {} => Change::Reannounce,
            Command::Remove { data } => Change::Remove { data },
            Command::Move { folder, files } => Change::Move { folder, files },
            Command::Name { name } => Change::Name(name),
            Command::RenamePath { from, to } => Change::RenamePath { from, to },
            Command::Files { indexes, priority } => Change::Files { indexes, priority: priority.into() },
            Command::Category { category } => Change::Category(category),
            Command::AutoManaged { on } => Change::AutoManaged(on),
            Command::AddTags { tags } => Change::AddTags(tags),
            Command::RemoveTags { tags } => Change::RemoveTags(tags),
            Command::SetTags { tags } => Change::SetTags(tags),
            Command::Limits(limits) => Change::Limits(limits.change()?),
            Command::Sequential { on } => Change::Sequential(on),
            Command::FirstLast { on } => Change::FirstLast(on),
            Command::SuperSeed { on } => Change::SuperSeed(on),
            Command::AddTrackers { urls } => Change::Trackers(TrackerChange::Add(urls)),
            Command::RemoveTrackers { urls } => Change::Trackers(TrackerChange::Remove(urls)),
            Command::ReplaceTracker { from, to } => Change::Trackers(TrackerChange::Replace { from, to }),
            Command::SetTrackers { tiers } => Change::Trackers(TrackerChange::Set(tiers)),
            Command::Queue { to } => Change::Queue(to.into()),
            Command::AddPeers { peers } => Change::AddPeers(peers),
        })
    }
}
