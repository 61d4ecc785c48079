//! Requests as Sonarr, cross-seed, Flood and autobrr send them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::torrents::Torrent;

fn encoded(torrent: &Torrent) -> String {
    STANDARD.encode(&torrent.file)
}

#[test]
fn sonarr_adds_follows_and_removes_a_download() {
    let daemon = Daemon::start();
    let torrent = Torrent::folder("Show.S01E01");
    let folder = daemon.data().join("tv-sonarr");
    torrent.write(&folder);
    // its test of the connection: no arguments at all, and a version that it takes apart
    let config = daemon.post(br#"{"method":"session-get"}"#)["arguments"].clone();
    let version = config["version"].as_str().expect("a version").split(' ').next().expect("a number");
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().expect("a number")).collect();
    assert!(numbers >= vec![4, 0], "labels are used from 4.0 on: {version}");
    assert_eq!(config["download-dir"], json!(daemon.data()));
    for key in ["rpc-version", "seedRatioLimit", "seedRatioLimited", "idle-seeding-limit", "idle-seeding-limit-enabled"]
    {
        assert!(!config[key].is_null(), "{key}");
    }
    daemon
        .must("torrent-add", json!({ "metainfo": encoded(&torrent), "download-dir": folder, "labels": ["tv-sonarr"] }));
    let hash = torrent.hash.to_uppercase();
    daemon.must(
        "torrent-set",
        json!({
            "ids": [hash], "seedRatioLimit": 1.25, "seedRatioMode": 1, "seedIdleLimit": 600, "seedIdleMode": 1,
        }),
    );
    daemon.must("queue-move-top", json!({ "ids": [hash] }));
    daemon.until_seeding(&torrent.hash);
    let fields = json!([
        "id",
        "hashString",
        "name",
        "downloadDir",
        "totalSize",
        "leftUntilDone",
        "isFinished",
        "eta",
        "status",
        "secondsDownloading",
        "secondsSeeding",
        "errorString",
        "uploadedEver",
        "downloadedEver",
        "seedRatioLimit",
        "seedRatioMode",
        "seedIdleLimit",
        "seedIdleMode",
        "fileCount",
        "file-count",
        "labels",
    ]);
    let torrents = daemon.must("torrent-get", json!({ "fields": fields }));
    let shown = &torrents["torrents"][0];
    for (field, expected) in [
        ("hashString", json!(torrent.hash)),
        ("name", json!("Show.S01E01")),
        ("downloadDir", json!(folder)),
        ("totalSize", json!(170_000)),
        ("leftUntilDone", json!(0)),
        ("status", json!(6)),
        ("errorString", json!("")),
        ("isFinished", json!(false)),
        ("seedRatioLimit", json!(1.25)),
        ("seedRatioMode", json!(1)),
        ("seedIdleLimit", json!(600)),
        ("file-count", json!(2)),
        ("labels", json!(["tv-sonarr"])),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    // it looks for the content at this path
    assert!(folder.join(shown["name"].as_str().expect("a name")).join("a.bin").exists());
    daemon.must("torrent-set", json!({ "ids": [hash], "labels": ["tv-imported"] }));
    assert_eq!(daemon.field(&torrent.hash, "labels"), json!(["tv-imported"]));
    daemon.must("torrent-remove", json!({ "ids": [hash], "delete-local-data": false }));
    assert!(daemon.hashes().is_empty() && torrent.is_in(&folder));
}

#[test]
fn cross_seed_injects_a_torrent_beside_one_that_is_complete() {
    let daemon = Daemon::start();
    let (old, new) = (Torrent::folder("pack"), Torrent::single("extra.bin"));
    old.write(&daemon.data());
    daemon.add(&old.file);
    daemon.until_seeding(&old.hash);
    let all = daemon.must(
        "torrent-get",
        json!({
            "fields": ["hashString", "name", "files", "totalSize", "downloadDir", "labels", "trackers"],
        }),
    );
    let found = &all["torrents"][0];
    assert_eq!(found["files"][1], json!({ "bytesCompleted": 70_000, "length": 70_000, "name": "pack/sub/b.bin" }));
    assert_eq!(found["trackers"][0]["announce"], crate::torrents::TRACKER);
    let place = daemon.must("torrent-get", json!({ "fields": ["downloadDir", "percentDone"], "ids": [old.hash] }));
    assert_eq!(place["torrents"][0]["percentDone"], 1.0);
    // injected paused, because it has to be checked; it waits for the check, then starts what is complete
    new.write(&daemon.data());
    let arguments = json!({
        "download-dir": place["torrents"][0]["downloadDir"], "metainfo": encoded(&new), "paused": true, "labels": ["cross-seed"],
    });
    let added = daemon.must("torrent-add", arguments.clone());
    assert_eq!(added["torrent-added"]["hashString"], new.hash);
    daemon.until(&new.hash, "status", |status| *status == 0);
    assert_eq!(daemon.field(&new.hash, "leftUntilDone"), 0, "what is here of it is known without a start");
    daemon.must("torrent-start", json!({ "ids": [new.hash] }));
    daemon.until_seeding(&new.hash);
    let again = daemon.must("torrent-add", arguments);
    assert_eq!(again["torrent-duplicate"]["hashString"], new.hash);
    assert!(again["torrent-added"].is_null());
    // its re-check: stopped first, so that it stays stopped
    daemon.must("torrent-stop", json!({ "ids": [new.hash] }));
    daemon.must("torrent-verify", json!({ "ids": [new.hash] }));
    daemon.until(&new.hash, "status", |status| *status == 0);
    assert_eq!(daemon.field(&new.hash, "leftUntilDone"), 0);
    let gone = daemon.must("torrent-get", json!({ "fields": ["percentDone"], "ids": ["f".repeat(40)] }));
    assert_eq!(gone["torrents"], json!([]), "it takes an empty list for not found");
}

#[test]
fn a_paused_torrent_of_which_nothing_is_here_makes_no_files() {
    let daemon = Daemon::start();
    let torrent = Torrent::folder("pack");
    daemon.must("torrent-add", json!({ "metainfo": encoded(&torrent), "paused": true }));
    assert_eq!(daemon.field(&torrent.hash, "status"), 0);
    assert_eq!(daemon.field(&torrent.hash, "leftUntilDone"), 170_000);
    assert_eq!(std::fs::read_dir(daemon.data()).expect("a folder").count(), 0);
}

#[test]
fn flood_shows_and_drives_torrents_by_hash() {
    let daemon = Daemon::start();
    let torrent = Torrent::folder("pack");
    torrent.write(&daemon.data());
    // it fetches the session id with GET
    let conflict = daemon.send("GET", &[&daemon.basic()], b"");
    assert_eq!((conflict.status, conflict.header("x-transmission-session-id").is_empty()), (409, false));
    let fields = json!([
        "dht-enabled",
        "peer-port",
        "download-dir",
        "peer-port-random-on-start",
        "pex-enabled",
        "speed-limit-down",
        "speed-limit-down-enabled",
        "speed-limit-up",
        "speed-limit-up-enabled",
        "peer-limit-global",
        "peer-limit-per-torrent",
        "seed-queue-enabled",
        "seed-queue-size",
    ]);
    let session = daemon.must("session-get", json!({ "fields": fields }));
    assert_eq!(session.as_object().expect("an object").len(), 13, "what was asked for, and nothing else: {session}");
    assert!(session["peer-port"].as_u64().is_some_and(|port| port > 0));
    daemon.must("session-set", json!({ "speed-limit-up": 800, "speed-limit-up-enabled": true, "dht-enabled": false }));
    let added = daemon.must(
        "torrent-add",
        json!({
            "metainfo": encoded(&torrent), "download-dir": daemon.data(), "paused": false,
        }),
    );
    assert_eq!(added["torrent-added"]["name"], "pack");
    let ids = json!([torrent.hash]);
    daemon.must("torrent-set", json!({ "ids": ids, "labels": ["a", "b"] }));
    daemon.until_seeding(&torrent.hash);
    let names = [
        "hashString",
        "downloadDir",
        "name",
        "comment",
        "haveValid",
        "addedDate",
        "dateCreated",
        "doneDate",
        "rateDownload",
        "rateUpload",
        "downloadedEver",
        "uploadedEver",
        "eta",
        "isPrivate",
        "error",
        "errorString",
        "peersGettingFromUs",
        "peersSendingToUs",
        "status",
        "totalSize",
        "sizeWhenDone",
        "trackers",
        "labels",
        "activityDate",
    ];
    let list = daemon.must("torrent-get", json!({ "fields": names, "format": "objects" }));
    let shown = list["torrents"][0].as_object().expect("an object");
    assert_eq!(shown.len(), names.len());
    let number = |field: &str| shown[field].as_i64().unwrap_or_else(|| panic!("{field}: {}", shown[field]));
    assert_eq!((number("haveValid"), number("sizeWhenDone"), number("error")), (170_000, 170_000, 0));
    assert!(number("addedDate") > 1_700_000_000 && number("doneDate") >= number("addedDate"));
    assert_eq!(shown["isPrivate"], false);
    for method in ["torrent-stop", "torrent-start-now", "torrent-verify", "torrent-reannounce"] {
        daemon.must(method, json!({ "ids": ids }));
    }
    daemon.until_seeding(&torrent.hash);
    let moved = daemon.data().join("moved");
    daemon.must("torrent-set-location", json!({ "ids": ids, "location": moved, "move": true }));
    daemon.until(&torrent.hash, "downloadDir", |folder| *folder == json!(moved));
    daemon.must("torrent-remove", json!({ "ids": ids, "delete-local-data": true }));
    crate::process::wait_for("the files to be gone", crate::daemon::PATIENCE, || {
        torrent.is_gone_from(&moved).then_some(())
    });
    let stats = daemon.must("session-stats", json!({}));
    for key in ["activeTorrentCount", "downloadSpeed", "pausedTorrentCount", "torrentCount", "uploadSpeed"] {
        assert!(stats[key].is_u64(), "{key}");
    }
}

#[test]
fn autobrr_reads_trackers_and_sets_limits() {
    let daemon = Daemon::start();
    let torrent = Torrent::folder("pack");
    torrent.write(&daemon.data());
    let added = daemon.must("torrent-add", json!({ "metainfo": encoded(&torrent), "paused": false }));
    let id = added["torrent-added"]["id"].as_i64().expect("an id");
    assert!(id > 0);
    daemon.must(
        "torrent-set",
        json!({
            "ids": [id], "labels": ["race"], "uploadLimit": 10_000, "uploadLimited": true, "downloadLimit": 20_000,
            "downloadLimited": true, "seedRatioLimit": 3, "seedRatioMode": 1, "seedIdleLimit": 60, "seedIdleMode": 1,
        }),
    );
    daemon.until_seeding(&torrent.hash);
    // nobody is at its tracker; autobrr announces again until somebody is, then gives up and removes it
    daemon.until(&torrent.hash, "trackerStats", |stats| stats[0]["hasAnnounced"] == true);
    let torrents = daemon.must("torrent-get", json!({ "ids": [id], "fields": ["trackerStats", "status", "id"] }));
    let tracker = torrents["torrents"][0]["trackerStats"][0].as_object().expect("an object").clone();
    assert_eq!(tracker["lastAnnounceSucceeded"], false);
    assert!(tracker["lastAnnounceResult"].as_str().expect("a text").contains("refused"), "{tracker:?}");
    // a Go program fails on a field of another type
    for (field, value) in &tracker {
        let is_right = match field.as_str() {
            "announce" | "host" | "lastAnnounceResult" | "lastScrapeResult" | "scrape" | "sitename" => {
                value.is_string()
            }
            "hasAnnounced" | "hasScraped" | "isBackup" => value.is_boolean(),
            field if field.ends_with("Succeeded") || field.ends_with("TimedOut") => value.is_boolean(),
            _ => value.is_i64() || value.is_u64(),
        };
        assert!(is_right, "{field}: {value}");
    }
    assert_eq!(tracker.len(), 27, "all that there is: {tracker:?}");
    daemon.must("torrent-reannounce", json!({ "ids": [id] }));
    daemon.must("torrent-remove", json!({ "ids": [id], "delete-local-data": true }));
    assert_eq!(daemon.must("torrent-get", json!({ "fields": ["id"] }))["torrents"], json!([]));
}

#[test]
fn changes_of_the_last_minute_are_told_and_so_are_removals() {
    let daemon = Daemon::start();
    let (first, second) = (Torrent::single("first"), Torrent::single("second"));
    daemon.add(&first.file);
    daemon.add(&second.file);
    let recent = || daemon.must("torrent-get", json!({ "ids": "recently-active", "fields": ["hashString", "id"] }));
    let ids = |list: &Value| list.as_array().expect("a list").len();
    assert_eq!((ids(&recent()["torrents"]), recent()["removed"].clone()), (2, json!([])));
    let id = recent()["torrents"][0]["id"].clone();
    daemon.must("torrent-remove", json!({ "ids": [id] }));
    assert_eq!((ids(&recent()["torrents"]), recent()["removed"].clone()), (1, json!([id])));
    let all = daemon.must("torrent-get", json!({ "fields": ["id"] }));
    assert!(all["removed"].is_null(), "only who asks for changes is told");
    let table = daemon.must("torrent-get", json!({ "fields": ["name", "status"], "format": "table" }));
    assert_eq!(table["torrents"][0], json!(["name", "status"]));
    assert_eq!(table["torrents"][1][0], "second");
}
