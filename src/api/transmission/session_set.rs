//! `session-set`.

use std::path::PathBuf;

use serde_json::Value;

use crate::discovery::TrackerUrl;
use crate::session::seedbox::{RateSchedule, Settings};

use super::arguments::{Arguments, KILOBYTE, integer};
use super::defaults;
use super::envelope::{Fault, begin};
use super::limits::{ratio, switched};
use super::server::Server;
use super::session_get::{Session, Values};
use crate::api::json::Json;

/// What is as it is here, or is set in the configuration file. Saying what already holds is no fault: some clients send everything.
const FIXED: &[&str] = &[
    "anti-brute-force-enabled",
    "anti-brute-force-threshold",
    "blocklist-enabled",
    "blocklist-url",
    "cache-size-mb",
    "dht-enabled",
    "encryption",
    "lpd-enabled",
    "peer-port",
    "peer-port-random-on-start",
    "pex-enabled",
    "port-forwarding-enabled",
    "queue-stalled-enabled",
    "queue-stalled-minutes",
    "rename-partial-files",
    "script-torrent-added-enabled",
    "script-torrent-added-filename",
    "script-torrent-done-enabled",
    "script-torrent-done-filename",
    "script-torrent-done-seeding-enabled",
    "script-torrent-done-seeding-filename",
    "tcp-enabled",
    "trash-original-torrent-files",
    "utp-enabled",
];
/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// Answers `session-set`. Either all of it is done or nothing.
pub(super) async fn session(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let seedbox = &server.context.seedbox;
    let view = seedbox.view();
    refuse_fixed(&Session { view: &view, id: server.session_id() }, arguments)?;
    let mut new = Settings::clone(&view.settings);
    apply(arguments, &mut new)?;
    if new != *view.settings {
        // what others changed meanwhile stays; it was seen above that this goes well
        seedbox.settings(|settings| drop(apply(arguments, settings))).await?;
    }
    Ok(begin(|_| {}))
}

fn refuse_fixed(session: &Session<'_>, arguments: &Arguments) -> Result<(), Fault> {
    let mut json = Json::default();
    json.object(|json| session.write(&mut Values { json, only: Some(FIXED.iter().copied().collect()) }));
    let now: Value = serde_json::from_slice(&json.into_bytes()).unwrap_or_default();
    let differs = |name: &&&str| arguments.raw(name).is_some_and(|value| !is_same(value, &now[**name]));
    let refused: Vec<&str> = FIXED.iter().filter(differs).copied().collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Fault(format!("nothing was changed, because this cannot be changed here: {}", refused.join(", "))))
}

/// Truth values may be numbers.
fn is_same(given: &Value, now: &Value) -> bool {
    let flag = |value: &Value| value.as_bool().or_else(|| integer(value).map(|number| number != 0));
    match now {
        Value::Bool(now) => flag(given) == Some(*now),
        Value::Number(_) => integer(given) == integer(now),
        now => given == now,
    }
}

fn apply(arguments: &Arguments, settings: &mut Settings) -> Result<(), Fault> {
    apply_folders(arguments, settings)?;
    apply_rates(arguments, settings)?;
    apply_schedule(arguments, settings)?;
    apply_limits(arguments, settings)
}

fn apply_folders(arguments: &Arguments, settings: &mut Settings) -> Result<(), Fault> {
    if let Some(folder) = folder(arguments, "download-dir")? {
        settings.download_folder = folder;
    }
    let (incomplete, on) = (folder(arguments, "incomplete-dir")?, arguments.flag("incomplete-dir-enabled")?);
    if incomplete.is_some() || on.is_some() {
        let on = on.unwrap_or(settings.incomplete_folder.is_some());
        let folder = incomplete.or(settings.incomplete_folder.take());
        if on && folder.is_none() {
            return Err(Fault::new("incomplete-dir: name the folder, too"));
        }
        settings.incomplete_folder = folder.filter(|_| on);
    }
    if let Some(start) = arguments.flag("start-added-torrents")? {
        settings.start_added = start;
    }
    if let Some(trackers) = arguments.text("default-trackers")? {
        let urls = trackers.lines().map(str::trim).filter(|url| !url.is_empty());
        let urls = urls.map(|url| TrackerUrl::parse(url).map(|url| url.as_str().to_owned()));
        settings.added_trackers =
            urls.collect::<Result<_, _>>().map_err(|error| Fault(format!("default-trackers: {error}")))?;
    }
    Ok(())
}

fn folder(arguments: &Arguments, name: &str) -> Result<Option<PathBuf>, Fault> {
    match arguments.text(name)?.map(PathBuf::from) {
        Some(folder) if !folder.is_absolute() => Err(Fault(format!("{name}: give an absolute path"))),
        folder => Ok(folder),
    }
}

fn apply_rates(arguments: &Arguments, settings: &mut Settings) -> Result<(), Fault> {
    for (limit, value, switch) in [
        (&mut settings.upload_limit, "speed-limit-up", "speed-limit-up-enabled"),
        (&mut settings.download_limit, "speed-limit-down", "speed-limit-down-enabled"),
    ] {
        set(limit, arguments.rate(value)?, arguments.flag(switch)?, defaults::RATE * KILOBYTE);
    }
    for (limit, value) in [
        (&mut settings.alternative_upload_limit, "alt-speed-up"),
        (&mut settings.alternative_download_limit, "alt-speed-down"),
    ] {
        *limit = arguments.rate(value)?.or(*limit);
    }
    if let Some(alternative) = arguments.flag("alt-speed-enabled")? {
        settings.alternative = alternative;
        // what clients were told holds
        let shown = Some(defaults::ALTERNATIVE_RATE * KILOBYTE).filter(|_| alternative);
        settings.alternative_upload_limit = settings.alternative_upload_limit.or(shown);
        settings.alternative_download_limit = settings.alternative_download_limit.or(shown);
    }
    Ok(())
}

fn apply_schedule(arguments: &Arguments, settings: &mut Settings) -> Result<(), Fault> {
    let minutes = |name| match arguments.count(name)? {
        Some(minutes) if minutes >= DAY => {
            Err(Fault(format!("{name}: minutes after midnight, below {DAY}, are expected")))
        }
        minutes => Ok(minutes.and_then(|minutes| u16::try_from(minutes).ok())),
    };
    let days = match arguments.count("alt-speed-time-day")? {
        Some(days) if days > u32::from(defaults::SCHEDULE.days) => {
            return Err(Fault::new(
                "alt-speed-time-day: a bit for each day, from 1 for Sunday to 64 for Saturday, is expected",
            ));
        }
        days => days.and_then(|days| u8::try_from(days).ok()),
    };
    let old = settings.schedule.unwrap_or(defaults::SCHEDULE);
    let schedule = RateSchedule {
        begin: minutes("alt-speed-time-begin")?.unwrap_or(old.begin),
        end: minutes("alt-speed-time-end")?.unwrap_or(old.end),
        days: days.unwrap_or(old.days),
    };
    let on = arguments.flag("alt-speed-time-enabled")?.unwrap_or(settings.schedule.is_some());
    settings.schedule = on.then_some(schedule);
    Ok(())
}

fn apply_limits(arguments: &Arguments, settings: &mut Settings) -> Result<(), Fault> {
    let (value, on) = (ratio(arguments, "seedRatioLimit")?, arguments.flag("seedRatioLimited")?);
    set(&mut settings.ratio_limit, value, on, defaults::RATIO);
    for (limit, value, switch, default) in [
        (&mut settings.idle_limit, "idle-seeding-limit", "idle-seeding-limit-enabled", defaults::IDLE_MINUTES),
        (&mut settings.downloads_max, "download-queue-size", "download-queue-enabled", defaults::DOWNLOADS),
        (&mut settings.seeds_max, "seed-queue-size", "seed-queue-enabled", defaults::SEEDS),
    ] {
        set(limit, arguments.count(value)?, arguments.flag(switch)?, default);
    }
    if let Some(connections) = arguments.count("peer-limit-global")? {
        settings.connections = connections;
    }
    // without a limit of its own a torrent is shown with that of all
    let per_torrent = arguments.count("peer-limit-per-torrent")?;
    if let Some(limit) =
        per_torrent.filter(|limit| settings.connections_per_torrent.is_some() || *limit < settings.connections)
    {
        settings.connections_per_torrent = Some(limit);
    }
    Ok(())
}

fn set<T: Copy>(limit: &mut Option<T>, value: Option<T>, on: Option<bool>, default: T) {
    if let Some(new) = switched(*limit, value, on, default) {
        *limit = new;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::transmission::sample;

    fn changed(arguments: Value) -> Result<Settings, Fault> {
        let mut settings = Settings::new("/data".into());
        apply(&Arguments::new(arguments.as_object().expect("an object").clone()), &mut settings)?;
        Ok(settings)
    }

    #[test]
    fn every_setting_that_has_a_counterpart_is_followed() {
        let settings = changed(json!({
            "download-dir": "/data/new", "incomplete-dir": "/data/part", "incomplete-dir-enabled": true,
            "start-added-torrents": false, "default-trackers": "http://a.example/announce\n\nudp://b.example:80",
            "speed-limit-up": 10, "speed-limit-up-enabled": true, "speed-limit-down-enabled": true,
            "alt-speed-up": 1, "alt-speed-enabled": true,
            "alt-speed-time-enabled": true, "alt-speed-time-begin": 60, "alt-speed-time-day": 65,
            "seedRatioLimit": 1.5, "seedRatioLimited": true, "idle-seeding-limit": 7, "idle-seeding-limit-enabled": true,
            "download-queue-enabled": true, "download-queue-size": 3, "seed-queue-enabled": true,
            "peer-limit-global": 500, "peer-limit-per-torrent": 50,
        }));
        let expected = Settings {
            incomplete_folder: Some("/data/part".into()),
            start_added: false,
            added_trackers: vec!["http://a.example/announce".into(), "udp://b.example:80".into()],
            upload_limit: Some(10_000),
            download_limit: Some(100_000),
            alternative_upload_limit: Some(1_000),
            alternative_download_limit: Some(50_000),
            alternative: true,
            schedule: Some(RateSchedule { begin: 60, end: 17 * 60, days: 65 }),
            ratio_limit: Some(1.5),
            idle_limit: Some(7),
            downloads_max: Some(3),
            seeds_max: Some(10),
            connections: 500,
            connections_per_torrent: Some(50),
            ..Settings::new("/data/new".into())
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            json!({"download-dir": "data"}),
            json!({"incomplete-dir-enabled": true}),
            json!({"default-trackers": "ftp://a"}),
            json!({"speed-limit-up": -1}),
            json!({"alt-speed-time-begin": 1440}),
            json!({"alt-speed-time-day": 128}),
            json!({"seedRatioLimit": -0.5}),
            json!({"start-added-torrents": "yes"}),
        ] {
            assert!(changed(arguments.clone()).is_err(), "{arguments}");
        }
    }

    #[test]
    fn what_is_fixed_may_be_said_but_not_changed() {
        let view = sample::view(0);
        let refused = |arguments: Value| {
            let arguments = Arguments::new(arguments.as_object().expect("an object").clone());
            refuse_fixed(&Session { view: &view, id: "" }, &arguments)
        };
        assert_eq!(
            refused(json!({"dht-enabled": false, "encryption": "tolerated", "peer-port": 0, "speed-limit-up": 5})),
            Ok(())
        );
        assert_eq!(refused(json!({"utp-enabled": 0})), Ok(()));
        for arguments in [
            json!({"dht-enabled": true}),
            json!({"script-torrent-done-enabled": true}),
            json!({"script-torrent-done-filename": "/bin/sh"}),
            json!({"peer-port": 51413}),
            json!({"encryption": "required"}),
        ] {
            assert!(refused(arguments.clone()).is_err(), "{arguments}");
        }
    }
}
