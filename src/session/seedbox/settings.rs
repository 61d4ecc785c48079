//! What holds for all torrents, and may change while the daemon runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of the seedbox. Rates are bytes a second.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where content goes that nobody names a folder for.
    #[serde(with = "super::path")]
    pub download_folder: PathBuf,
    /// Where it is until it is complete; `None`: in its place from the start.
    #[serde(with = "super::path")]
    pub incomplete_folder: Option<PathBuf>,
    /// Folders that content may be in, subfolders included. The two above are always among them.
    #[serde(with = "super::path")]
    pub roots: Vec<PathBuf>,
    /// Torrent files that appear in these are added.
    #[serde(with = "super::path")]
    pub watch_folders: Vec<PathBuf>,
    /// Torrents start when they are added.
    pub start_added: bool,
    /// Everybody together.
    pub upload_limit: Option<u64>,
    /// Everybody together.
    pub download_limit: Option<u64>,
    /// In place of `upload_limit` while `alternative` holds.
    pub alternative_upload_limit: Option<u64>,
    /// In place of `download_limit` while `alternative` holds.
    pub alternative_download_limit: Option<u64>,
    /// The alternative limits hold; a schedule switches it.
    pub alternative: bool,
    /// When they hold.
    pub schedule: Option<RateSchedule>,
    /// Sent for each byte of a torrent.
    pub ratio_limit: Option<f64>,
    /// Minutes of seeding.
    pub seeding_limit: Option<u32>,
    /// Minutes of seeding without a byte sent.
    pub idle_limit: Option<u32>,
    /// What is done with a torrent that has reached one of these.
    pub limit_action: LimitAction,
    /// Downloads that run at once.
    pub downloads_max: Option<u32>,
    /// Torrents that are seeded at once.
    pub seeds_max: Option<u32>,
    /// Both together.
    pub active_max: Option<u32>,
    /// Checks that run at once.
    pub checks_max: u32,
    /// Connections in all.
    pub connections: u32,
    /// Connections of one torrent.
    pub connections_per_torrent: Option<u32>,
    /// Seconds that peers get at the end to be sent what they have asked for.
    pub stop_grace: u32,
    /// Traffic of a month.
    pub budget: Option<TrafficBudget>,
    /// Trackers beside those of public torrents.
    pub added_trackers: Vec<String>,
    /// By name.
    pub categories: BTreeMap<String, Category>,
    /// Tags that may be chosen; those that torrents have are among them.
    pub tags: BTreeSet<String>,
}

/// A named group of torrents.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Category {
    /// Where its content goes; `None`: a folder of its name in the download folder.
    #[serde(with = "super::path")]
    pub folder: Option<PathBuf>,
}

/// What is done with a torrent that was seeded enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitAction {
    /// It is paused.
    #[default]
    Pause,
    /// It is removed; its content stays.
    Remove,
    /// It is removed with its content.
    RemoveWithData,
    /// Its pieces are shown one by one.
    SuperSeed,
}

/// When the alternative limits hold, in local time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RateSchedule {
    /// Minutes after midnight.
    pub begin: u16,
    /// Minutes after midnight; before `begin`: on the next day.
    pub end: u16,
    /// Bit 0 is Sunday.
    pub days: u8,
}

/// Traffic that may be used in a month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrafficBudget {
    /// Bytes of payload, sent and received together.
    pub bytes: u64,
    /// Day of the month on which it begins anew, 1 to 28.
    pub day: u8,
    /// What is left is spread over the days that are left; otherwise it is used as it comes.
    pub paced: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new(PathBuf::new())
    }
}

impl Settings {
    /// Where content of `category` goes.
    pub fn category_folder(&self, category: &str) -> PathBuf {
        match self.categories.get(category) {
            Some(category) if category.folder.is_some() => category.folder.clone().unwrap_or_default(),
            Some(_) => self.download_folder.join(category),
            None => self.download_folder.clone(),
        }
    }

    /// Limits of a server that nobody has configured: none but those that protect it.
    pub fn new(download_folder: PathBuf) -> Settings {
        Settings {
            download_folder,
            incomplete_folder: None,
            roots: Vec::new(),
            watch_folders: Vec::new(),
            start_added: true,
            upload_limit: None,
            download_limit: None,
            alternative_upload_limit: None,
            alternative_download_limit: None,
            alternative: false,
            schedule: None,
            ratio_limit: None,
            seeding_limit: None,
            idle_limit: None,
            limit_action: LimitAction::Pause,
            downloads_max: None,
            seeds_max: None,
            active_max: None,
            checks_max: 1,
            connections: 8_192,
            connections_per_torrent: None,
            stop_grace: 5,
            budget: None,
            added_trackers: Vec::new(),
            categories: BTreeMap::new(),
            tags: BTreeSet::new(),
        }
    }
}
