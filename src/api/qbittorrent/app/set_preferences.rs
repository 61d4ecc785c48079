//! `app/setPreferences`: all of a request is followed, or nothing of it.

use serde_json::{Map, Value};

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk};
use super::super::fields::queueing;
use super::super::labels::absolute;
use super::super::limit;
use super::fixed::FIXED;
use super::preferences::{DAYS, NO_SCHEDULE, action};
use crate::session::seedbox::Settings;

/// What qBittorrent has where queueing is switched on and nothing else is said.
const DOWNLOADS_AT_ONCE: u32 = 3;
const SEEDS_AT_ONCE: u32 = 3;
const ACTIVE_AT_ONCE: u32 = 5;

pub(super) async fn set(desk: &Desk, call: &Call) -> Outcome {
    let text = call.form.need("json")?;
    let wanted: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| Fault::invalid(format!("json: {error}")))?;
    check_fixed(&wanted)?;
    let filters = call.view.totals.blocked_ranges > 0;
    if wanted.get("ip_filter_enabled").is_some_and(|wanted| *wanted != filters) {
        return Err(Fault::conflict(
            "ip_filter_enabled: IP filter lists are set in the configuration file; nothing was changed",
        ));
    }
    let wanted = Wanted(&wanted);
    apply(&wanted, &mut Settings::clone(&call.view.settings))?;
    // once more, to what holds by now; what is wrong with it would have been so before
    let set = desk.seedbox().settings(|settings| {
        let _ = apply(&wanted, settings);
    });
    set.await?;
    Ok(Answer::Done)
}

/// Names that qBittorrent does not know are passed over by it, and here. What it knows and sower has not must be asked for as it is.
fn check_fixed(wanted: &Map<String, Value>) -> Result<(), Fault> {
    let other = FIXED.iter().filter(|(name, value)| wanted.get(*name).is_some_and(|wanted| !value.is(wanted)));
    let names: Vec<&str> = other.map(|(name, _)| *name).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(Fault::conflict(format!("sower cannot change: {}; nothing was changed", names.join(", ")))),
    }
}

fn apply(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    places(wanted, settings)?;
    rates(wanted, settings)?;
    schedule(wanted, settings)?;
    queue(wanted, settings)?;
    shares(wanted, settings)
}

fn places(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    if let Some(folder) = wanted.text("save_path")?.and_then(|folder| absolute(folder, settings)) {
        settings.download_folder = folder;
    }
    let incomplete = wanted.text("temp_path")?.map(|folder| absolute(folder, settings));
    match (wanted.truth("temp_path_enabled")?, incomplete) {
        (Some(false), _) => settings.incomplete_folder = None,
        (Some(true), Some(None)) => return Err(Fault::invalid("temp_path: give a folder")),
        (Some(true), Some(folder)) => settings.incomplete_folder = folder,
        // a client that sends everything back sends the folder that does not count, too
        (None, Some(folder)) if settings.incomplete_folder.is_some() => settings.incomplete_folder = folder,
        (Some(true), None) if settings.incomplete_folder.is_none() => {
            return Err(Fault::invalid("temp_path: give a folder"));
        }
        _ => {}
    }
    if let Some(stopped) = wanted.truth("add_stopped_enabled")? {
        settings.start_added = !stopped;
    }
    if let Some(urls) = wanted.text("add_trackers")? {
        settings.added_trackers =
            urls.lines().map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect();
    }
    if wanted.truth("add_trackers_enabled")? == Some(false) {
        settings.added_trackers.clear();
    }
    watch_folders(wanted, settings)
}

/// Content of what is found in them goes to the download folder; another folder for it cannot be said.
fn watch_folders(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    let Some(folders) = wanted.0.get("scan_dirs") else { return Ok(()) };
    let folders = folders.as_object().ok_or_else(|| wrong("scan_dirs"))?;
    if folders.values().any(|target| *target != 1) {
        return Err(Fault::conflict("scan_dirs: content goes to the save path, which is 1"));
    }
    settings.watch_folders = folders.keys().filter_map(|folder| absolute(folder, settings)).collect();
    Ok(())
}

fn rates(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    for (name, place) in [
        ("dl_limit", &mut settings.download_limit),
        ("up_limit", &mut settings.upload_limit),
        ("alt_dl_limit", &mut settings.alternative_download_limit),
        ("alt_up_limit", &mut settings.alternative_upload_limit),
    ] {
        if let Some(rate) = wanted.number(name)? {
            *place = limit::read_rate(rate);
        }
    }
    Ok(())
}

fn schedule(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    let mut schedule = settings.schedule.unwrap_or(NO_SCHEDULE);
    schedule.begin = minute(wanted, schedule.begin, "schedule_from_hour", "schedule_from_min")?;
    schedule.end = minute(wanted, schedule.end, "schedule_to_hour", "schedule_to_min")?;
    if let Some(number) = wanted.number("scheduler_days")? {
        let days = usize::try_from(number).ok().and_then(|number| DAYS.get(number));
        schedule.days = *days.ok_or_else(|| wrong("scheduler_days"))?;
    }
    let on = wanted.truth("scheduler_enabled")?.unwrap_or(settings.schedule.is_some());
    settings.schedule = on.then_some(schedule);
    Ok(())
}

/// Minutes after midnight, of which hour and minute are changed each by itself.
fn minute(wanted: &Wanted<'_>, now: u16, hour: &str, minute: &str) -> Result<u16, Fault> {
    let part = |name: &str, now: u16, end: u16| match wanted.number(name)? {
        None => Ok(now),
        Some(number) => u16::try_from(number).ok().filter(|number| *number < end).ok_or_else(|| wrong(name)),
    };
    Ok(part(hour, now / 60, 24)? * 60 + part(minute, now % 60, 60)?)
}

fn queue(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    let was_on = queueing(settings);
    let on = wanted.truth("queueing_enabled")?.unwrap_or(was_on);
    for (name, place, usual) in [
        ("max_active_downloads", &mut settings.downloads_max, DOWNLOADS_AT_ONCE),
        ("max_active_uploads", &mut settings.seeds_max, SEEDS_AT_ONCE),
        ("max_active_torrents", &mut settings.active_max, ACTIVE_AT_ONCE),
    ] {
        let said = wanted.number(name)?;
        *place = match said {
            _ if !on => None,
            Some(number) => u32::try_from(number).ok(),
            None if was_on => *place,
            None => Some(usual),
        };
    }
    if let Some(checks) = wanted.number("max_active_checking_torrents")? {
        settings.checks_max = u32::try_from(checks).unwrap_or(1).max(1);
    }
    if let Some(connections) = wanted.number("max_connec")? {
        let most = u32::try_from(crate::limits::CONNECTIONS).unwrap_or(u32::MAX);
        settings.connections = u32::try_from(connections).ok().filter(|count| *count > 0).unwrap_or(most);
    }
    if let Some(connections) = wanted.number("max_connec_per_torrent")? {
        settings.connections_per_torrent = u32::try_from(connections).ok().filter(|count| *count > 0);
    }
    Ok(())
}

fn shares(wanted: &Wanted<'_>, settings: &mut Settings) -> Result<(), Fault> {
    if let Some(ratio) = wanted.float("max_ratio")? {
        settings.ratio_limit = (ratio >= 0.0).then_some(ratio);
    }
    for (name, place) in
        [("max_seeding_time", &mut settings.seeding_limit), ("max_inactive_seeding_time", &mut settings.idle_limit)]
    {
        if let Some(minutes) = wanted.number(name)? {
            *place = u32::try_from(minutes).ok();
        }
    }
    if wanted.truth("max_ratio_enabled")? == Some(false) {
        settings.ratio_limit = None;
    }
    if wanted.truth("max_seeding_time_enabled")? == Some(false) {
        settings.seeding_limit = None;
    }
    if wanted.truth("max_inactive_seeding_time_enabled")? == Some(false) {
        settings.idle_limit = None;
    }
    if let Some(number) = wanted.number("max_ratio_act")? {
        settings.limit_action = action(number).ok_or_else(|| wrong("max_ratio_act"))?;
    }
    Ok(())
}

/// What is asked for, by name.
struct Wanted<'json>(&'json Map<String, Value>);

impl Wanted<'_> {
    fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.take(name, Value::as_str)
    }

    /// Some clients send 0 and 1.
    fn truth(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.take(name, |value| value.as_bool().or_else(|| value.as_i64().map(|number| number != 0)))
    }

    /// Some clients send numbers with a point.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and limits beyond 2^53 are none")]
    fn number(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.take(name, |value| value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)))
    }

    fn float(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.take(name, Value::as_f64)
    }

    fn take<'own, T>(&'own self, name: &str, read: impl FnOnce(&'own Value) -> Option<T>) -> Result<Option<T>, Fault> {
        self.0.get(name).map(|value| read(value).ok_or_else(|| wrong(name))).transpose()
    }
}

fn wrong(name: &str) -> Fault {
    Fault::invalid(format!("{name}: this value is not understood; nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::super::preferences;
    use super::*;
    use crate::session::seedbox::{LimitAction, RateSchedule, View};

    fn settings() -> Settings {
        Settings::new("/srv/seed".into())
    }

    fn change(settings: &mut Settings, json: &str) -> Result<(), Fault> {
        let wanted: Map<String, Value> = serde_json::from_str(json).expect("an object");
        check_fixed(&wanted)?;
        apply(&Wanted(&wanted), settings)
    }

    #[test]
    fn what_is_shown_changes_nothing_when_it_is_sent_back() {
        let mut busy = Settings {
            incomplete_folder: Some("/srv/part".into()),
            upload_limit: Some(5),
            schedule: Some(RateSchedule { begin: 61, end: 5, days: DAYS[4] }),
            ratio_limit: Some(1.5),
            idle_limit: Some(7),
            limit_action: LimitAction::SuperSeed,
            downloads_max: Some(4),
            connections_per_torrent: Some(50),
            added_trackers: vec!["udp://tracker.example:80".into()],
            watch_folders: vec!["/srv/watch".into()],
            start_added: false,
            ..settings()
        };
        for before in [settings(), busy.clone()] {
            let shown = preferences::all(&View::new(before.clone())).to_string();
            let mut after = before.clone();
            change(&mut after, &shown).expect("every value that is shown may be sent");
            assert_eq!(after, before);
        }
        change(&mut busy, "{}").expect("nothing");
    }

    #[test]
    fn switches_and_values_go_together() {
        let mut all = settings();
        change(
            &mut all,
            r#"{"max_ratio_enabled": true, "max_ratio": 2, "queueing_enabled": true, "max_active_uploads": 9}"#,
        )
        .expect("fine");
        assert_eq!((all.ratio_limit, all.seeds_max, all.downloads_max), (Some(2.0), Some(9), Some(3)));
        change(&mut all, r#"{"max_ratio_enabled": false, "queueing_enabled": false, "temp_path_enabled": true, "temp_path": "part"}"#).expect("fine");
        assert_eq!((all.ratio_limit, all.seeds_max), (None, None));
        assert_eq!(all.incomplete_folder, Some("/srv/seed/part".into()));
        change(&mut all, r#"{"scheduler_enabled": true, "schedule_from_hour": 23, "scheduler_days": 2}"#)
            .expect("fine");
        assert_eq!(all.schedule, Some(RateSchedule { begin: 23 * 60, end: 20 * 60, days: DAYS[2] }));
    }

    #[test]
    fn what_is_wrong_or_impossible_is_refused() {
        for bad in [
            r#"{"dl_limit": "fast"}"#,
            r#"{"schedule_from_hour": 24}"#,
            r#"{"scheduler_days": -1}"#,
            r#"{"max_ratio_act": 9}"#,
            r#"{"temp_path_enabled": true}"#,
            r#"{"scan_dirs": {"/srv/watch": "/elsewhere"}}"#,
            r#"{"autorun_enabled": true}"#,
            r#"{"save_path": 1}"#,
        ] {
            assert!(change(&mut settings(), bad).is_err(), "{bad}");
        }
        assert!(change(&mut settings(), r#"{"no_such_preference": 1, "autorun_enabled": false}"#).is_ok());
    }
}
