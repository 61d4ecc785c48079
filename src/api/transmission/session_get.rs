//! `session-get` and `session-stats`.

use std::collections::HashSet;

use serde::Serialize;

use crate::session::seedbox::{Activity, Settings, View};

use super::arguments::{Arguments, KILOBYTE};
use super::defaults;
use super::envelope::{Fault, begin};
use super::server::Server;
use crate::api::json::Json;

/// The Transmission that has this protocol; clients read what they may ask for from it.
const VERSION: &str = "4.0.6 (sower)";
const RPC_VERSION: u32 = 17;
const RPC_VERSION_MINIMUM: u32 = 14;
const RPC_VERSION_SEMVER: &str = "5.3.0";

/// Answers `session-get`.
pub(super) async fn session(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let only = arguments.texts("fields")?.map(|names| names.into_iter().collect());
    let view = server.context.seedbox.view();
    let session = Session { view: &view, id: server.session_id() };
    Ok(begin(|json| session.write(&mut Values { json, only })))
}

/// What is told of the session.
pub(super) struct Session<'a> {
    pub(super) view: &'a View,
    pub(super) id: &'a str,
}

/// Values by name, those that were asked for.
pub(super) struct Values<'a> {
    pub(super) json: &'a mut Json,
    pub(super) only: Option<HashSet<&'a str>>,
}

impl Values<'_> {
    fn set(&mut self, name: &str, value: impl Serialize) {
        if self.only.as_ref().is_none_or(|only| only.contains(name)) {
            self.json.pair(name, value);
        }
    }

    /// A limit with its switch.
    fn limit<T: Serialize>(&mut self, [value, switch]: [&str; 2], limit: Option<T>, default: T) {
        self.set(switch, limit.is_some());
        self.set(value, limit.unwrap_or(default));
    }
}

impl Session<'_> {
    pub(super) fn write(&self, values: &mut Values<'_>) {
        self.write_versions(values);
        self.write_folders(values);
        self.write_rates(values);
        self.write_limits(values);
        self.write_network(values);
        write_absent(values);
        write_units(values);
    }

    fn settings(&self) -> &Settings {
        &self.view.settings
    }

    fn write_versions(&self, values: &mut Values<'_>) {
        values.set("version", VERSION);
        values.set("rpc-version", RPC_VERSION);
        values.set("rpc-version-minimum", RPC_VERSION_MINIMUM);
        values.set("rpc-version-semver", RPC_VERSION_SEMVER);
        values.set("session-id", self.id);
    }

    fn write_folders(&self, values: &mut Values<'_>) {
        let settings = self.settings();
        let incomplete = settings.incomplete_folder.as_ref();
        values.set("download-dir", settings.download_folder.to_string_lossy());
        values.set(
            "download-dir-free-space",
            self.view.totals.free.map_or(-1, |free| i64::try_from(free).unwrap_or(i64::MAX)),
        );
        values.set("incomplete-dir", incomplete.unwrap_or(&settings.download_folder).to_string_lossy());
        values.set("incomplete-dir-enabled", incomplete.is_some());
        values.set("start-added-torrents", settings.start_added);
        values.set("default-trackers", settings.added_trackers.join("\n\n"));
    }

    fn write_rates(&self, values: &mut Values<'_>) {
        let settings = self.settings();
        let rate = |limit: Option<u64>| limit.map(|limit| limit / KILOBYTE);
        values.limit(["speed-limit-up", "speed-limit-up-enabled"], rate(settings.upload_limit), defaults::RATE);
        values.limit(["speed-limit-down", "speed-limit-down-enabled"], rate(settings.download_limit), defaults::RATE);
        let alternative = |limit| rate(limit).unwrap_or(defaults::ALTERNATIVE_RATE);
        values.set("alt-speed-up", alternative(settings.alternative_upload_limit));
        values.set("alt-speed-down", alternative(settings.alternative_download_limit));
        values.set("alt-speed-enabled", settings.alternative);
        let schedule = settings.schedule.unwrap_or(defaults::SCHEDULE);
        values.set("alt-speed-time-enabled", settings.schedule.is_some());
        values.set("alt-speed-time-begin", schedule.begin);
        values.set("alt-speed-time-end", schedule.end);
        values.set("alt-speed-time-day", schedule.days);
    }

    fn write_limits(&self, values: &mut Values<'_>) {
        let settings = self.settings();
        values.limit(["seedRatioLimit", "seedRatioLimited"], settings.ratio_limit, defaults::RATIO);
        values.limit(["idle-seeding-limit", "idle-seeding-limit-enabled"], settings.idle_limit, defaults::IDLE_MINUTES);
        values.limit(["download-queue-size", "download-queue-enabled"], settings.downloads_max, defaults::DOWNLOADS);
        values.limit(["seed-queue-size", "seed-queue-enabled"], settings.seeds_max, defaults::SEEDS);
        values.set("peer-limit-global", settings.connections);
        values.set("peer-limit-per-torrent", settings.connections_per_torrent.unwrap_or(settings.connections));
    }

    fn write_network(&self, values: &mut Values<'_>) {
        values.set("peer-port", self.view.totals.port);
        values.set("peer-port-random-on-start", false);
        values.set("port-forwarding-enabled", false);
        values.set("tcp-enabled", true);
        values.set("utp-enabled", false);
        values.set("dht-enabled", false);
        values.set("pex-enabled", false);
        values.set("lpd-enabled", false);
        values.set("encryption", "tolerated");
        values.set("blocklist-enabled", self.view.totals.blocked_ranges > 0);
        values.set("blocklist-size", self.view.totals.blocked_ranges);
        values.set("anti-brute-force-enabled", true);
        values.set("anti-brute-force-threshold", 5);
    }
}

/// What Transmission has and sower has not.
fn write_absent(values: &mut Values<'_>) {
    values.set("blocklist-url", "");
    values.set("cache-size-mb", 0);
    values.set("config-dir", "");
    values.set("queue-stalled-enabled", false);
    values.set("queue-stalled-minutes", 0);
    values.set("rename-partial-files", false);
    values.set("script-torrent-added-enabled", false);
    values.set("script-torrent-added-filename", "");
    values.set("script-torrent-done-enabled", false);
    values.set("script-torrent-done-filename", "");
    values.set("script-torrent-done-seeding-enabled", false);
    values.set("script-torrent-done-seeding-filename", "");
    values.set("trash-original-torrent-files", false);
}

/// How clients are to write numbers.
fn write_units(values: &mut Values<'_>) {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Units {
        speed_units: [&'static str; 4],
        speed_bytes: u32,
        size_units: [&'static str; 4],
        size_bytes: u32,
        memory_units: [&'static str; 4],
        memory_bytes: u32,
    }
    values.set(
        "units",
        Units {
            speed_units: ["kB/s", "MB/s", "GB/s", "TB/s"],
            speed_bytes: 1000,
            size_units: ["kB", "MB", "GB", "TB"],
            size_bytes: 1000,
            memory_units: ["KiB", "MiB", "GiB", "TiB"],
            memory_bytes: 1024,
        },
    );
}

/// Answers `session-stats`.
pub(super) fn stats(view: &View) -> Json {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Sums {
        uploaded_bytes: u64,
        downloaded_bytes: u64,
        files_added: usize,
        seconds_active: u64,
        session_count: u64,
    }
    let totals = &view.totals;
    let paused = view.rows.iter().filter(|row| row.activity == Activity::Paused).count();
    let files_added = view.rows.len();
    begin(|json| {
        json.pair("activeTorrentCount", files_added - paused);
        json.pair("pausedTorrentCount", paused);
        json.pair("torrentCount", files_added);
        json.pair("uploadSpeed", totals.upload_rate);
        json.pair("downloadSpeed", totals.download_rate);
        let (uploaded_bytes, downloaded_bytes) = (totals.uploaded, totals.downloaded);
        let (seconds_active, session_count) = (totals.running_seconds, totals.starts);
        json.pair(
            "cumulative-stats",
            Sums { uploaded_bytes, downloaded_bytes, files_added, seconds_active, session_count },
        );
        let (uploaded_bytes, downloaded_bytes) = (totals.session_uploaded, totals.session_downloaded);
        let (seconds_active, session_count) = (totals.session_seconds, 1);
        json.pair(
            "current-stats",
            Sums { uploaded_bytes, downloaded_bytes, files_added, seconds_active, session_count },
        );
    })
}
