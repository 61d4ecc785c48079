//! The part of the configuration that may change while the daemon runs, and how the file would have it.

use std::path::{Path, PathBuf};

use toml_edit::{Array, Value as Toml};

use crate::session::seedbox::{Category, Settings, TrafficBudget};

use super::Config;
use super::value::{Count, Place, Rate};
use super::words::{Word, schedule_text};

impl Config {
    /// What holds for all torrents. `folder` is the state folder, from which relative paths begin.
    pub fn settings(&self, folder: &Path) -> Settings {
        let places = |places: &[Place]| places.iter().map(|place| place.below(folder)).collect::<Vec<PathBuf>>();
        let rate = |rate: &Option<Rate>| rate.as_ref().map(|rate| rate.0);
        let count = |count: &Option<Count>| count.as_ref().map(|count| count.0);
        let category = |place: &Option<Place>| Category { folder: place.as_ref().map(|place| place.below(folder)) };
        Settings {
            download_folder: self.folders.download.below(folder),
            incomplete_folder: self.folders.incomplete.as_ref().map(|place| place.below(folder)),
            roots: places(&self.folders.roots),
            watch_folders: places(&self.folders.watch),
            start_added: self.queue.start_added,
            upload_limit: rate(&self.limits.upload),
            download_limit: rate(&self.limits.download),
            alternative_upload_limit: rate(&self.limits.alternative_upload),
            alternative_download_limit: rate(&self.limits.alternative_download),
            alternative: self.limits.alternative,
            schedule: self.limits.schedule,
            ratio_limit: self.seeding.ratio.as_ref().map(|ratio| ratio.0),
            seeding_limit: self.seeding.time.as_ref().map(|time| time.0),
            idle_limit: self.seeding.idle.as_ref().map(|idle| idle.0),
            limit_action: self.seeding.action,
            downloads_max: count(&self.queue.downloads),
            seeds_max: count(&self.queue.seeds),
            active_max: count(&self.queue.active),
            checks_max: self.queue.checks.0,
            connections: self.network.connections.0,
            connections_per_torrent: count(&self.network.connections_per_torrent),
            stop_grace: self.network.stop_grace.0,
            budget: self.traffic_budget(),
            added_trackers: self.trackers.added.iter().map(|url| url.0.clone()).collect(),
            categories: self.categories.iter().map(|(name, place)| (name.clone(), category(place))).collect(),
            tags: self.tags.names.iter().map(|name| name.0.clone()).collect(),
        }
    }

    fn traffic_budget(&self) -> Option<TrafficBudget> {
        let bytes = self.budget.month.as_ref()?.0;
        Some(TrafficBudget { bytes, day: self.budget.day.0, paced: self.budget.paced })
    }
}

/// Section and key, and the value that the file would have.
pub(super) type Entry = ((&'static str, &'static str), Toml);

/// Settings as the file would have them; categories, which are tables, are not among them.
pub(super) fn entries(settings: &Settings) -> Vec<Entry> {
    let mut entries = vec![
        (("folders", "download"), path(&settings.download_folder)),
        (("folders", "incomplete"), settings.incomplete_folder.as_deref().map_or("".into(), path)),
        (("folders", "roots"), settings.roots.iter().map(|folder| path(folder)).collect::<Array>().into()),
        (("folders", "watch"), settings.watch_folders.iter().map(|folder| path(folder)).collect::<Array>().into()),
        (("seeding", "ratio"), settings.ratio_limit.map_or_else(unlimited, Toml::from)),
        (("seeding", "time"), settings.seeding_limit.map_or_else(unlimited, minutes)),
        (("seeding", "idle"), settings.idle_limit.map_or_else(unlimited, minutes)),
        (("seeding", "action"), settings.limit_action.word().into()),
        (("queue", "start-added"), settings.start_added.into()),
        (("queue", "downloads"), settings.downloads_max.map_or_else(unlimited, number)),
        (("queue", "seeds"), settings.seeds_max.map_or_else(unlimited, number)),
        (("queue", "active"), settings.active_max.map_or_else(unlimited, number)),
        (("queue", "checks"), number(settings.checks_max)),
        (("network", "connections"), number(settings.connections)),
        (("network", "connections-per-torrent"), settings.connections_per_torrent.map_or_else(unlimited, number)),
        (("trackers", "added"), settings.added_trackers.iter().collect::<Array>().into()),
        (("tags", "names"), settings.tags.iter().collect::<Array>().into()),
    ];
    entries.extend(limit_entries(settings));
    entries.extend(budget_entries(settings.budget));
    entries
}

fn limit_entries(settings: &Settings) -> Vec<Entry> {
    let rate = |limit: Option<u64>| limit.map_or_else(unlimited, rate);
    let mut entries = vec![
        (("limits", "upload"), rate(settings.upload_limit)),
        (("limits", "download"), rate(settings.download_limit)),
        (("limits", "alternative-upload"), rate(settings.alternative_upload_limit)),
        (("limits", "alternative-download"), rate(settings.alternative_download_limit)),
        (
            ("limits", "schedule"),
            settings.schedule.as_ref().map_or("never".into(), |schedule| schedule_text(schedule).into()),
        ),
    ];
    // a schedule switches it twice a day, which is not worth a line of the file each time
    if settings.schedule.is_none() {
        entries.push((("limits", "alternative"), settings.alternative.into()));
    }
    entries
}

/// Without a budget its other keys stay as they are.
fn budget_entries(budget: Option<TrafficBudget>) -> Vec<Entry> {
    let Some(TrafficBudget { bytes, day, paced }) = budget else { return vec![(("budget", "month"), unlimited())] };
    vec![
        (("budget", "month"), size(bytes).into()),
        (("budget", "day"), i64::from(day).into()),
        (("budget", "paced"), paced.into()),
    ]
}

fn unlimited() -> Toml {
    "unlimited".into()
}

fn number(number: u32) -> Toml {
    i64::from(number).into()
}

/// Paths come from this file or from JSON: they are text.
fn path(path: &Path) -> Toml {
    path.to_string_lossy().as_ref().into()
}

fn rate(rate: u64) -> Toml {
    format!("{}/s", size(rate)).into()
}

/// In the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |(power, _): &&(u32, &str)| bytes > 0 && bytes.trailing_zeros() >= *power;
    match units.iter().find(fits) {
        Some((power, unit)) => format!("{} {unit}", bytes >> power),
        None => format!("{bytes} B"),
    }
}

fn minutes(minutes: u32) -> Toml {
    match minutes {
        1.. if minutes.is_multiple_of(24 * 60) => format!("{}d", minutes / (24 * 60)).into(),
        1.. if minutes.is_multiple_of(60) => format!("{}h", minutes / 60).into(),
        _ => format!("{minutes}m").into(),
    }
}
