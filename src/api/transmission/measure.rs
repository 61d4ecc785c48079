//! What a row means in the numbers of the protocol: states, times left, limits reached.

use std::time::Instant;

use crate::session::seedbox::{Activity, LimitChoice, Row, Settings, Trouble};

/// What holds while an answer is written.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Seconds since 1970.
    pub(super) now: i64,
    /// The same on the clock that trackers' times are told by.
    pub(super) instant: Instant,
    /// For all torrents.
    pub(super) settings: &'a Settings,
}

/// Not to be told, because there is nothing to wait for.
const NOT_AVAILABLE: i64 = -1;
/// Not to be told yet.
const UNKNOWN: i64 = -2;

/// `status`: 0 stopped, 1 and 2 checking, 3 and 4 downloading, 5 and 6 seeding, each waiting first. Files on their way count as
/// being checked, so that nobody takes them for complete and copies half of them.
pub(super) fn status(activity: Activity) -> u8 {
    match activity {
        Activity::Paused | Activity::Absent | Activity::Failed => 0,
        Activity::QueuedCheck => 1,
        Activity::Checking { .. } | Activity::Moving { .. } => 2,
        Activity::QueuedDownload => 3,
        Activity::Metadata | Activity::Downloading => 4,
        Activity::QueuedSeed => 5,
        Activity::Seeding => 6,
    }
}

/// `error`: 0 none, 1 a tracker warns, 2 a tracker has refused it, 3 one of this machine. With it goes the message; that of a torrent
/// that is well would make importers refuse it. So, as in Transmission, a tracker that cannot be reached is no error of the torrent:
/// `trackerStats` tells of it.
pub(super) fn error(row: &Row) -> (u8, &str) {
    match (row.activity, &row.trouble) {
        (Activity::Absent, _) => (3, row.message.as_deref().unwrap_or("its files are not there")),
        (Activity::Failed, _) => (3, row.message.as_deref().unwrap_or("it cannot go on")),
        (_, Some(Trouble::Refused(text))) => (2, text),
        (_, Some(Trouble::Warned(text))) => (1, text),
        (_, Some(Trouble::Unreachable(_)) | None) => (0, ""),
    }
}

/// `recheckProgress`, from 0 to 1.
pub(super) fn recheck_progress(activity: Activity) -> f64 {
    match activity {
        Activity::Checking { per_mille } | Activity::Moving { per_mille } => f64::from(per_mille.min(1000)) / 1000.0,
        _ => 0.0,
    }
}

/// Bytes of what is missing that connected peers have.
pub(super) fn desired_available(row: &Row) -> u64 {
    let left = row.numbers.left;
    if row.numbers.seeds > 0 || row.numbers.availability_per_mille >= 1000 {
        return left;
    }
    (u128::from(left) * u128::from(row.numbers.availability_per_mille) / 1000).try_into().unwrap_or(left)
}

/// `eta`: seconds until a download is complete, or until a seeded torrent has had enough by its ratio.
pub(super) fn eta(row: &Row, settings: &Settings) -> i64 {
    match row.activity {
        Activity::Downloading if desired_available(row) < row.numbers.left => NOT_AVAILABLE,
        Activity::Downloading => seconds(row.numbers.left, row.numbers.download_rate),
        Activity::Seeding => match row.choice.ratio_limit.or(settings.ratio_limit) {
            Some(limit) => seconds(until_ratio(row, limit), row.numbers.upload_rate),
            None => NOT_AVAILABLE,
        },
        _ => NOT_AVAILABLE,
    }
}

/// `etaIdle`: seconds until a seeded torrent that nobody asks for has had enough.
pub(super) fn eta_idle(row: &Row, moment: &Moment<'_>) -> i64 {
    match (row.activity, row.choice.idle_limit.or(moment.settings.idle_limit)) {
        (Activity::Seeding, Some(minutes)) if !row.is_active() => {
            (i64::from(minutes) * 60).saturating_sub(idle_seconds(row, moment.now)).max(0)
        }
        _ => NOT_AVAILABLE,
    }
}

/// `isFinished`: stopped after it was seeded enough.
pub(super) fn is_finished(row: &Row, moment: &Moment<'_>) -> bool {
    if row.activity != Activity::Paused || !row.is_complete() {
        return false;
    }
    let (choice, settings) = (&row.choice, moment.settings);
    let minutes = |limit: u32| u64::from(limit) * 60;
    let ratio = choice.ratio_limit.or(settings.ratio_limit);
    let seeding = choice.seeding_limit.or(settings.seeding_limit);
    let idle = choice.idle_limit.or(settings.idle_limit);
    ratio.is_some_and(|limit| row.ratio().is_some_and(|ratio| ratio >= limit))
        || seeding.is_some_and(|limit| row.seeding_seconds(moment.now) >= minutes(limit))
        || idle.is_some_and(|limit| {
            row.numbers.seeding_seconds >= minutes(limit) && idle_seconds(row, moment.now) >= i64::from(limit) * 60
        })
}

/// `seedRatioMode` and `seedIdleMode`: 0 as everywhere, 1 its own, 2 none.
pub(super) fn mode<T>(limit: LimitChoice<T>) -> u8 {
    match limit {
        LimitChoice::Global => 0,
        LimitChoice::At(_) => 1,
        LimitChoice::Unlimited => 2,
    }
}

/// A part of a whole, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
pub(super) fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

fn seconds(bytes: u64, rate: u64) -> i64 {
    match (bytes, rate) {
        (0, _) => 0,
        (_, 0) => UNKNOWN,
        (bytes, rate) => i64::try_from(bytes.div_ceil(rate)).unwrap_or(i64::MAX),
    }
}

/// Bytes to send until the ratio is `limit`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an estimate")]
fn until_ratio(row: &Row, limit: f64) -> u64 {
    let of = if row.numbers.downloaded > 0 { row.numbers.downloaded } else { row.numbers.have };
    ((of as f64 * limit) as u64).saturating_sub(row.numbers.uploaded)
}

fn idle_seconds(row: &Row, now: i64) -> i64 {
    let since = row.numbers.active_at.or(row.numbers.completed_at).unwrap_or(row.numbers.added_at);
    now.saturating_sub(since).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::transmission::sample;

    impl<'a> Moment<'a> {
        pub(in crate::api::transmission) fn at(now: i64, settings: &'a Settings) -> Moment<'a> {
            Moment { now, instant: Instant::now(), settings }
        }
    }

    fn row(change: impl FnOnce(&mut Row)) -> Row {
        let mut row = sample::row(0);
        change(&mut row);
        row
    }

    fn limited(ratio: Option<f64>, idle: Option<u32>) -> Settings {
        Settings { ratio_limit: ratio, idle_limit: idle, ..Settings::new("/data".into()) }
    }

    #[test]
    fn the_time_left_of_a_download_is_told_where_peers_have_what_is_missing() {
        let download = |left, rate, seeds, available| {
            let row = row(|row| {
                row.activity = Activity::Downloading;
                row.numbers.left = left;
                row.numbers.download_rate = rate;
                row.numbers.seeds = seeds;
                row.numbers.availability_per_mille = available;
            });
            eta(&row, &limited(None, None))
        };
        assert_eq!(download(1000, 100, 1, 0), 10);
        assert_eq!(download(1001, 100, 0, 1500), 11);
        assert_eq!(download(1000, 0, 1, 1000), UNKNOWN);
        assert_eq!(download(1000, 100, 0, 500), NOT_AVAILABLE);
        assert_eq!(download(u64::MAX, 1, 0, 1000), i64::MAX);
    }

    #[test]
    fn the_time_left_of_a_seeded_torrent_is_that_to_its_ratio() {
        let seeded = row(|row| {
            row.numbers.downloaded = 1000;
            row.numbers.uploaded = 500;
            row.numbers.upload_rate = 100;
        });
        assert_eq!(eta(&seeded, &limited(None, None)), NOT_AVAILABLE, "clients show this one as done");
        assert_eq!(eta(&seeded, &limited(Some(2.0), None)), 15);
        assert_eq!(eta(&seeded, &limited(Some(0.5), None)), 0);
        let idle = row(|row| row.numbers.have = 1000);
        assert_eq!(eta(&idle, &limited(Some(2.0), None)), UNKNOWN);
    }

    #[test]
    fn a_torrent_is_finished_when_it_was_stopped_and_seeded_enough() {
        let finished = |settings: &Settings, change: fn(&mut Row)| {
            let row = row(|row| {
                row.activity = Activity::Paused;
                row.numbers.left = 0;
                row.numbers.downloaded = 100;
                row.numbers.uploaded = 200;
                row.numbers.seeding_seconds = 3600;
                row.numbers.active_at = Some(1_000);
                change(row);
            });
            is_finished(&row, &Moment::at(10_000, settings))
        };
        assert!(!finished(&limited(None, None), |_| {}));
        assert!(finished(&limited(Some(2.0), None), |_| {}));
        assert!(!finished(&limited(Some(2.5), None), |_| {}));
        assert!(!finished(&limited(Some(2.0), None), |row| row.numbers.left = 1));
        assert!(!finished(&limited(Some(2.0), None), |row| row.activity = Activity::Seeding));
        assert!(finished(&limited(None, Some(30)), |_| {}));
        assert!(!finished(&limited(None, Some(200)), |_| {}));
    }

    #[test]
    fn messages_of_torrents_that_are_well_are_no_errors() {
        let told = |activity| {
            let row = row(|row| {
                row.activity = activity;
                row.message = Some("mount /data".into());
            });
            let (code, text) = error(&row);
            (code, text.to_owned())
        };
        assert_eq!(told(Activity::Absent), (3, "mount /data".into()));
        assert_eq!(told(Activity::Failed), (3, "mount /data".into()));
        assert_eq!(told(Activity::Seeding), (0, String::new()));
    }

    #[test]
    fn what_a_tracker_says_against_a_torrent_is_told_after_what_stops_it_here() {
        let told = |activity, trouble: fn(std::sync::Arc<str>) -> Trouble| {
            let row = row(|row| (row.activity, row.trouble) = (activity, Some(trouble("unregistered".into()))));
            let (code, text) = error(&row);
            (code, text.to_owned())
        };
        assert_eq!(told(Activity::Seeding, Trouble::Refused), (2, "unregistered".into()));
        assert_eq!(told(Activity::Downloading, Trouble::Warned), (1, "unregistered".into()));
        assert_eq!(told(Activity::Seeding, Trouble::Unreachable), (0, String::new()), "it may be imported");
        assert_eq!(told(Activity::Failed, Trouble::Refused).0, 3);
    }
}
