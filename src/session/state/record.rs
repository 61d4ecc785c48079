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
    /// Its numbers.
    pub numbers: PersistentNumbers,
    /// Everything that is wanted was here.
    pub complete: bool,
    /// It was taken on trust: its pieces are to be checked when they are first served, those in [`Store::verified`] excepted.
    ///
    /// [`Store::verified`]: super::Store::verified
    pub trusted: bool,
    /// The link that it was added by, while its metadata is not here.
    pub magnet: Option<Arc<str>>,
}

/// Numbers of a torrent that outlive the process. Bytes count payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersistentNumbers {
    /// Bytes of wanted files.
    pub wanted: u64,
    /// Bytes of wanted pieces that are not here.
    pub left: u64,
    /// Bytes of good pieces that are here.
    pub have: u64,
    /// Sent.
    pub uploaded: u64,
    /// Received and kept.
    pub downloaded: u64,
    /// Received and dropped, or found bad.
    pub wasted: u64,
    /// When it was added; seconds since 1970, as the next ones.
    pub added_at: i64,
    /// When everything wanted was here.
    pub completed_at: Option<i64>,
    /// When payload last went to or came from a peer.
    pub active_at: Option<i64>,
    /// For how long it was seeded.
    pub seeding_seconds: u64,
    /// For how long it was downloaded or seeded.
    pub running_seconds: u64,
    /// Place in the queue.
    pub queue: u32,
    /// Seconds go on being counted since these numbers were saved.
    #[serde(skip)]
    pub counting: Option<Counting>,
}

/// Since when a torrent runs whose seconds are not saved again and again: what it ran for until a crash follows from
/// [`AllTime::running_seconds`], which is one number for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counting {
    /// What [`AllTime::running_seconds`] was when the numbers were saved.
    pub since: u64,
    /// It is seeded; otherwise it is downloaded.
    pub seeding: bool,
}

impl From<&Numbers> for PersistentNumbers {
    fn from(numbers: &Numbers) -> PersistentNumbers {
        PersistentNumbers {
            wanted: numbers.wanted,
            left: numbers.left,
            have: numbers.have,
            uploaded: numbers.uploaded,
            downloaded: numbers.downloaded,
            wasted: numbers.wasted,
            added_at: numbers.added_at,
            completed_at: numbers.completed_at,
            active_at: numbers.active_at,
            seeding_seconds: numbers.seeding_seconds,
            running_seconds: numbers.running_seconds,
            queue: numbers.queue,
            counting: None,
        }
    }
}

impl PersistentNumbers {
    /// Counts the seconds up to the last sign of life of the daemon that saved these; whether there were any to count.
    pub(super) fn count_up_to(&mut self, running_seconds: u64) -> bool {
        let Some(counting) = self.counting.take() else { return false };
        let more = running_seconds.saturating_sub(counting.since);
        self.running_seconds = self.running_seconds.saturating_add(more);
        if counting.seeding {
            self.seeding_seconds = self.seeding_seconds.saturating_add(more);
        }
        true
    }

    /// The numbers of a row after a start at `now` (seconds since 1970).
    pub fn numbers(&self, now: i64) -> Numbers {
        Numbers {
            wanted: self.wanted,
            left: self.left,
            have: self.have,
            uploaded: self.uploaded,
            downloaded: self.downloaded,
            wasted: self.wasted,
            added_at: self.added_at,
            completed_at: self.completed_at,
            active_at: self.active_at,
            counted_at: now,
            seeding_seconds: self.seeding_seconds,
            running_seconds: self.running_seconds,
            queue: self.queue,
            ..Numbers::default()
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_after_the_last_save_are_counted_once() {
        let saved = |seeding| PersistentNumbers {
            seeding_seconds: 10,
            running_seconds: 100,
            counting: Some(Counting { since: 1_000, seeding }),
            ..PersistentNumbers::default()
        };
        let after = |mut numbers: PersistentNumbers, life| {
            let counted = numbers.count_up_to(life);
            assert!(!numbers.count_up_to(life + 1), "counted twice");
            (numbers.seeding_seconds, numbers.running_seconds, counted)
        };
        assert_eq!(after(saved(true), 1_060), (70, 160, true));
        assert_eq!(after(saved(false), 1_060), (10, 160, true));
        assert_eq!(after(saved(true), 900), (10, 100, true), "sums that were lost take nothing away");
        assert_eq!(after(PersistentNumbers { counting: None, ..saved(true) }, 1_060), (10, 100, false));
    }
}
