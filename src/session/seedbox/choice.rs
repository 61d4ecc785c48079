//! What the owner chose for one torrent.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::LimitAction;

/// Choices of one torrent, kept across starts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// The folder that holds its file, or the folder of its files.
    #[serde(with = "super::path")]
    pub folder: PathBuf,
    /// Another name for what lies in `folder` than the torrent's.
    pub renamed_root: Option<String>,
    /// Files that have other paths than the torrent says, by index: below its own folder, of a single file below `folder`.
    #[serde(with = "super::path")]
    pub renamed_files: Vec<(u32, PathBuf)>,
    /// Its files are on their way to there.
    pub moving: Option<Box<Place>>,
    /// Where it goes once it is complete.
    #[serde(with = "super::path")]
    pub destination: Option<PathBuf>,
    /// A name to show in place of the torrent's.
    pub name: Option<String>,
    /// Stopped by the owner, or by a limit.
    pub paused: bool,
    /// Runs whatever the queue says.
    pub forced: bool,
    /// One of [`Settings::categories`](super::Settings::categories); empty for none.
    pub category: String,
    /// Tags, or labels.
    pub tags: BTreeSet<String>,
    /// Follows its category's folder.
    pub auto_managed: bool,
    /// Bytes a second that it may send.
    pub upload_limit: Option<u64>,
    /// Bytes a second that it may receive.
    pub download_limit: Option<u64>,
    /// Sent for each byte of it, after which it has had enough.
    pub ratio_limit: LimitChoice<f64>,
    /// Minutes of seeding, after which it has had enough.
    pub seeding_limit: LimitChoice<u32>,
    /// Minutes of seeding without a byte sent, after which it has had enough.
    pub idle_limit: LimitChoice<u32>,
    /// What is done with it then; `None`: as with all.
    pub limit_action: Option<LimitAction>,
    /// Most peers that it may be connected to.
    pub peer_limit: Option<u32>,
    /// Pieces in order.
    pub sequential: bool,
    /// Ends of files first.
    pub first_last: bool,
    /// Pieces are shown one by one (BEP 16).
    pub super_seed: bool,
    /// How much each file is wanted, padding included; empty: all alike.
    pub files: Vec<FilePriority>,
    /// Trackers in place of the torrent's, by tier.
    pub trackers: Option<Vec<Vec<String>>>,
}

/// Where content is: see [`Choice::folder`], [`Choice::renamed_root`], [`Choice::renamed_files`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The folder.
    #[serde(with = "super::path")]
    pub folder: PathBuf,
    /// Its name there.
    pub renamed_root: Option<String>,
    /// Its files' names.
    #[serde(with = "super::path")]
    pub renamed_files: Vec<(u32, PathBuf)>,
}

impl Choice {
    /// Where its content is.
    pub fn place(&self) -> Place {
        let Choice { folder, renamed_root, renamed_files, .. } = self.clone();
        Place { folder, renamed_root, renamed_files }
    }

    /// The same choices, with the content elsewhere.
    pub fn with_place(&self, place: Place) -> Choice {
        let Place { folder, renamed_root, renamed_files } = place;
        Choice { folder, renamed_root, renamed_files, ..self.clone() }
    }
}

/// A limit of one torrent.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitChoice<T> {
    /// As everywhere.
    #[default]
    Global,
    /// None.
    Unlimited,
    /// This one.
    At(T),
}

impl<T> LimitChoice<T> {
    /// What holds, where `global` holds everywhere.
    pub fn or(self, global: Option<T>) -> Option<T> {
        match self {
            LimitChoice::Global => global,
            LimitChoice::Unlimited => None,
            LimitChoice::At(limit) => Some(limit),
        }
    }
}

/// How much a file is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilePriority {
    /// Not at all.
    Skip,
    /// After all others.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before all others.
    High,
}
