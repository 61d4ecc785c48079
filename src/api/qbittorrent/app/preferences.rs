//! `app/preferences`: what can be set here, by the names of qBittorrent, and what is always so.

use serde_json::{Map, Value, json};

use super::super::fields::queueing;
use super::super::limit;
use super::fixed::FIXED;
use crate::session::seedbox::{LimitAction, RateSchedule, Settings, View};

/// All of them.
pub(super) fn all(view: &View) -> Value {
    let mut all: Map<String, Value> = FIXED.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect();
    all.insert("listen_port".into(), view.totals.port.into());
    all.insert("ip_filter_enabled".into(), (view.totals.blocked_ranges > 0).into());
    for part in [places(&view.settings), rates(&view.settings), queue(&view.settings), shares(&view.settings)] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn places(settings: &Settings) -> Value {
    let watched: Map<String, Value> =
        settings.watch_folders.iter().map(|folder| (folder.to_string_lossy().into_owned(), 1.into())).collect();
    json!({
        "save_path": settings.download_folder.to_string_lossy(),
        "temp_path_enabled": settings.incomplete_folder.is_some(),
        "temp_path": settings.incomplete_folder.as_deref().map(|folder| folder.to_string_lossy()).unwrap_or_default(),
        "scan_dirs": watched,
        "add_stopped_enabled": !settings.start_added,
        "add_trackers_enabled": !settings.added_trackers.is_empty(),
        "add_trackers": settings.added_trackers.join("\n"),
    })
}

fn rates(settings: &Settings) -> Value {
    let schedule = settings.schedule.unwrap_or(NO_SCHEDULE);
    json!({
        "dl_limit": limit::rate(settings.download_limit),
        "up_limit": limit::rate(settings.upload_limit),
        "alt_dl_limit": limit::rate(settings.alternative_download_limit),
        "alt_up_limit": limit::rate(settings.alternative_upload_limit),
        "scheduler_enabled": settings.schedule.is_some(),
        "schedule_from_hour": schedule.begin / 60,
        "schedule_from_min": schedule.begin % 60,
        "schedule_to_hour": schedule.end / 60,
        "schedule_to_min": schedule.end % 60,
        "scheduler_days": number_of_days(schedule.days),
    })
}

/// What is shown, and changed, where there is none yet: every day from 8 to 20 o'clock.
pub(super) const NO_SCHEDULE: RateSchedule = RateSchedule { begin: 8 * 60, end: 20 * 60, days: EVERY_DAY };
const EVERY_DAY: u8 = 0b111_1111;
const SUNDAY: u8 = 0b000_0001;
const SATURDAY: u8 = 0b100_0000;
/// Which days a number means: all, those of work, those of rest, then Monday to Sunday.
pub(super) const DAYS: [u8; 10] = [
    EVERY_DAY,
    EVERY_DAY & !(SUNDAY | SATURDAY),
    SUNDAY | SATURDAY,
    SUNDAY << 1,
    SUNDAY << 2,
    SUNDAY << 3,
    SUNDAY << 4,
    SUNDAY << 5,
    SATURDAY,
    SUNDAY,
];

/// Days that have no number of their own are shown as every day.
fn number_of_days(days: u8) -> usize {
    DAYS.iter().position(|known| *known == days & EVERY_DAY).unwrap_or(0)
}

fn queue(settings: &Settings) -> Value {
    let number = |limit: Option<u32>| limit.map_or(-1, i64::from);
    json!({
        "queueing_enabled": queueing(settings),
        "max_active_downloads": number(settings.downloads_max),
        "max_active_uploads": number(settings.seeds_max),
        "max_active_torrents": number(settings.active_max),
        "max_active_checking_torrents": settings.checks_max,
        "max_connec": settings.connections,
        "max_connec_per_torrent": number(settings.connections_per_torrent),
    })
}

fn shares(settings: &Settings) -> Value {
    json!({
        "max_ratio_enabled": settings.ratio_limit.is_some(),
        "max_ratio": limit::ratio_or_none(settings.ratio_limit),
        "max_seeding_time_enabled": settings.seeding_limit.is_some(),
        "max_seeding_time": limit::minutes_or_none(settings.seeding_limit),
        "max_inactive_seeding_time_enabled": settings.idle_limit.is_some(),
        "max_inactive_seeding_time": limit::minutes_or_none(settings.idle_limit),
        "max_ratio_act": number_of_action(settings.limit_action),
    })
}

fn number_of_action(action: LimitAction) -> i64 {
    match action {
        LimitAction::Pause => 0,
        LimitAction::Remove => 1,
        LimitAction::SuperSeed => 2,
        LimitAction::RemoveWithData => 3,
    }
}

/// The action that a number means.
pub(super) fn action(number: i64) -> Option<LimitAction> {
    [LimitAction::Pause, LimitAction::Remove, LimitAction::SuperSeed, LimitAction::RemoveWithData]
        .into_iter()
        .find(|action| number_of_action(*action) == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::qbittorrent::sample;

    #[test]
    fn a_preference_is_either_fixed_or_not() {
        let view = sample::view(0);
        let Value::Object(all) = all(&view) else { panic!("an object") };
        let parts = [places(&view.settings), rates(&view.settings), queue(&view.settings), shares(&view.settings)];
        let set: usize = parts.iter().filter_map(Value::as_object).map(Map::len).sum();
        assert_eq!(all.len(), FIXED.len() + set + 2);
    }

    #[test]
    fn days_and_actions_have_numbers_of_their_own() {
        for (number, days) in DAYS.iter().enumerate() {
            assert_eq!(number_of_days(*days), number);
        }
        for number in 0..4 {
            assert_eq!(action(number).map(number_of_action), Some(number));
        }
        assert_eq!(action(4), None);
    }
}
