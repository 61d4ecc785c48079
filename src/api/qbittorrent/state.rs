//! The word for what a torrent is doing.

use crate::session::seedbox::{Activity, Row};

/// The state of `row`, in the words of version 2.11 (`stopped`, not `paused`).
pub(super) fn state(row: &Row) -> &'static str {
    let complete = row.is_complete();
    let forced = row.choice.forced;
    match row.activity {
        Activity::QueuedCheck | Activity::Checking { .. } if was_complete(row) => "checkingUP",
        Activity::QueuedCheck | Activity::Checking { .. } => "checkingDL",
        Activity::Metadata if forced => "forcedMetaDL",
        Activity::Metadata => "metaDL",
        Activity::QueuedDownload => "queuedDL",
        Activity::Downloading if forced => "forcedDL",
        Activity::Downloading if row.numbers.download_rate > 0 => "downloading",
        Activity::Downloading => "stalledDL",
        Activity::QueuedSeed => "queuedUP",
        Activity::Seeding if forced => "forcedUP",
        Activity::Seeding if row.numbers.upload_rate > 0 => "uploading",
        Activity::Seeding => "stalledUP",
        Activity::Paused if complete => "stoppedUP",
        Activity::Paused => "stoppedDL",
        Activity::Moving { .. } => "moving",
        Activity::Absent => "missingFiles",
        Activity::Failed => "error",
    }
}

/// While it is checked, what is here is not known: what it was before counts.
fn was_complete(row: &Row) -> bool {
    row.is_complete() || row.numbers.completed_at.is_some()
}

/// Groups of states that a list can be narrowed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    All,
    Downloading,
    Seeding,
    Completed,
    Stopped,
    Running,
    Active,
    Inactive,
    Stalled,
    StalledUploading,
    StalledDownloading,
    Checking,
    Moving,
    Errored,
}

impl Group {
    /// By its name of this version or, where that changed, of an older one. Unknown names stand for all, as in qBittorrent.
    pub(super) fn named(name: &str) -> Group {
        match name {
            "downloading" => Group::Downloading,
            "seeding" => Group::Seeding,
            "completed" => Group::Completed,
            "stopped" | "paused" => Group::Stopped,
            "running" | "resumed" => Group::Running,
            "active" => Group::Active,
            "inactive" => Group::Inactive,
            "stalled" => Group::Stalled,
            "stalled_uploading" => Group::StalledUploading,
            "stalled_downloading" => Group::StalledDownloading,
            "checking" => Group::Checking,
            "moving" => Group::Moving,
            "errored" => Group::Errored,
            _ => Group::All,
        }
    }

    /// Whether `row` belongs to it.
    pub(super) fn has(self, row: &Row) -> bool {
        let state = state(row);
        match self {
            Group::All => true,
            Group::Downloading => state.ends_with("DL") || state == "downloading",
            Group::Seeding => is_up(state) && state != "stoppedUP",
            Group::Completed => is_up(state),
            Group::Stopped => row.choice.paused,
            Group::Running => !row.choice.paused,
            Group::Active => is_active(state, row),
            Group::Inactive => !is_active(state, row),
            Group::Stalled => state.starts_with("stalled"),
            Group::StalledUploading => state == "stalledUP",
            Group::StalledDownloading => state == "stalledDL",
            Group::Checking => state.starts_with("checking"),
            Group::Moving => state == "moving",
            Group::Errored => matches!(state, "error" | "missingFiles"),
        }
    }
}

fn is_up(state: &str) -> bool {
    state.ends_with("UP") || state == "uploading"
}

fn is_active(state: &str, row: &Row) -> bool {
    match state {
        "metaDL" | "forcedMetaDL" | "downloading" | "forcedDL" | "uploading" | "forcedUP" | "moving" => true,
        "stalledDL" => row.numbers.upload_rate > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::qbittorrent::sample;

    fn row(activity: Activity, change: impl FnOnce(&mut Row)) -> Row {
        let mut row = sample::row(1);
        row.activity = activity;
        change(&mut row);
        row
    }

    #[test]
    fn every_activity_has_a_word_of_its_version() {
        let forced = |row: &mut Row| Arc::make_mut(&mut row.choice).forced = true;
        let partial = |row: &mut Row| (row.numbers.left, row.numbers.completed_at) = (1, None);
        let no_change = |_: &mut Row| {};
        let check = Activity::Checking { per_mille: 1 };
        assert_eq!(state(&row(check, no_change)), "checkingUP");
        assert_eq!(state(&row(check, partial)), "checkingDL");
        assert_eq!(state(&row(Activity::Paused, no_change)), "stoppedUP");
        assert_eq!(state(&row(Activity::Paused, partial)), "stoppedDL");
        assert_eq!(state(&row(Activity::Seeding, |row| row.numbers.upload_rate = 0)), "stalledUP");
        assert_eq!(state(&row(Activity::Seeding, |row| row.numbers.upload_rate = 1)), "uploading");
        assert_eq!(state(&row(Activity::Seeding, forced)), "forcedUP");
        assert_eq!(state(&row(Activity::Downloading, partial)), "stalledDL");
        assert_eq!(state(&row(Activity::Downloading, |row| row.numbers.download_rate = 1)), "downloading");
        assert_eq!(state(&row(Activity::Metadata, forced)), "forcedMetaDL");
        assert_eq!(state(&row(Activity::Absent, no_change)), "missingFiles");
        assert_eq!(state(&row(Activity::Failed, no_change)), "error");
    }

    #[test]
    fn groups_hold_the_states_that_they_are_named_for() {
        let seeding = row(Activity::Seeding, |row| row.numbers.upload_rate = 1);
        let stopped = row(Activity::Paused, |row| Arc::make_mut(&mut row.choice).paused = true);
        let absent = row(Activity::Absent, |_| {});
        let names = |row: &Row| -> Vec<&str> {
            let all =
                "downloading seeding completed stopped paused running resumed active inactive stalled errored nonsense";
            all.split(' ').filter(|name| Group::named(name).has(row)).collect()
        };
        assert_eq!(names(&seeding), ["seeding", "completed", "running", "resumed", "active", "nonsense"]);
        assert_eq!(names(&stopped), ["completed", "stopped", "paused", "inactive", "nonsense"]);
        assert_eq!(names(&absent), ["running", "resumed", "inactive", "errored", "nonsense"]);
    }
}
