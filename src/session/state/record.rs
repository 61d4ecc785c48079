//! What is kept of a torrent, and of all of them together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::InfoHash;
use crate::session::seedbox::{About, Choice, Numbers};

/// A torrent as it is kept. Clones share the larger parts.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its swarm, and its key.
    pub info_hash: InfoHash,
    /// What it is, so that no .torrent file has to be read to show it.
    pub about: Arc<About>,
    /// What its owner chose.
    pub choice: Arc<Choice>,
    /// Its numbers, as far as they outlive the process.
    pub numbers: Numbers,
    /// Everything that is wanted was here.
    pub complete: bool,
    /// It was taken on trust: its pieces are to be checked when they are first served, those in [`Store::verified`] excepted.
    ///
    /// [`Store::verified`]: super::Store::verified
    pub trusted: bool,
    /// The link that it was added by, while its metadata is not here.
    pub magnet: Option<Arc<str>>,
}

/// Sums over all starts, removed torrents included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AllTime {
    /// Payload sent.
    pub uploaded: u64,
    /// Payload received and kept.
    pub downloaded: u64,
    /// Seconds that daemons ran.
    pub running_seconds: u64,
    /// Starts.
    pub starts: u64,
}

/// What went over the network within a month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

/// A month of the calendar, or of a budget that begins on another day than the first: then the one that it begins in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Month {
    /// 2026, for example.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = ();

    fn from_str(text: &str) -> Result<Month, ()> {
        let (year, month) = text.split_once('-').ok_or(())?;
        let month = Month { year: year.parse().map_err(|_| ())?, month: month.parse().map_err(|_| ())? };
        (1..=12).contains(&month.month).then_some(month).ok_or(())
    }
}
