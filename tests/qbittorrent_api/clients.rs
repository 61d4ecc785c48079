//! Requests as clients send them: Sonarr, cross-seed, Flood, autobrr, qbit_manage.

use std::fs;

use serde_json::{Value, json};

use crate::daemon::{Daemon, torrent, until, wait_for};
use crate::torrents::Sample;

/// What C# can read as a `long`.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

#[test]
fn sonarr_probes_logs_in_adds_and_imports() {
    let daemon = Daemon::new();
    // 404 would mean that there is no such API
    assert_eq!(daemon.stranger().get("app/webapiVersion").status, 403);
    let api = daemon.api();
    let version: Vec<u32> =
        api.get("app/webapiVersion").text().split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(version >= vec![2, 11, 0] && version < vec![2, 14, 0], "{version:?}");
    let preferences = api.json("app/preferences");
    for name in [
        "max_ratio_enabled",
        "max_seeding_time_enabled",
        "max_inactive_seeding_time_enabled",
        "queueing_enabled",
        "dht",
    ] {
        assert!(preferences[name].is_boolean(), "{name}");
    }
    for name in ["max_seeding_time", "max_inactive_seeding_time", "max_ratio_act"] {
        assert!(is_whole(&preferences[name]), "{name}");
    }
    assert!(preferences["max_ratio"].is_number());
    assert_eq!(preferences["save_path"], json!(daemon.downloads()));
    assert_eq!(api.json("torrents/categories"), json!({}));
    api.order("torrents/createCategory", &[("category", "tv-sonarr")]);
    assert_eq!(api.json("torrents/categories"), json!({"tv-sonarr": {"name": "tv-sonarr", "savePath": ""}}));

    let sample = Sample::folder("Show.S01");
    let fields = [("category", "tv-sonarr"), ("contentLayout", "Original"), ("paused", "true"), ("stopped", "true")];
    let added = api.upload("torrents/add", &fields, &[("torrents", "Show.torrent", &sample.torrent)]);
    assert_eq!(added.text(), "Ok.");
    let hash = sample.hash();
    let limits =
        [("hashes", &*hash), ("ratioLimit", "1.5"), ("seedingTimeLimit", "90"), ("inactiveSeedingTimeLimit", "-2")];
    api.order("torrents/setShareLimits", &limits);
    assert_eq!(api.post("torrents/topPrio", &[("hashes", &hash)]).status, 409, "which Sonarr allows");
    api.order("torrents/addTags", &[("hashes", &hash), ("tags", "sonarr")]);
    sample.write(&daemon.downloads().join("tv-sonarr"));
    api.order("torrents/recheck", &[("hashes", &hash)]);
    api.order("torrents/setForceStart", &[("hashes", &hash), ("value", "true")]);

    let row = until(&api, &hash, "forcedUP");
    for name in ["size", "eta", "seeding_time", "seeding_time_limit", "inactive_seeding_time_limit", "last_activity"] {
        assert!(is_whole(&row[name]), "{name}: {}", row[name]);
    }
    let content = daemon.downloads().join("tv-sonarr/Show.S01");
    assert_eq!(
        (&row["content_path"], &row["progress"], &row["category"]),
        (&json!(content), &json!(1.0), &json!("tv-sonarr"))
    );
    assert_eq!((&row["ratio_limit"], &row["seeding_time_limit"]), (&json!(1.5), &json!(90)));
    let listed = api.json("torrents/info?category=tv-sonarr");
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    let properties = api.json(&format!("torrents/properties?hash={hash}"));
    assert_eq!(properties["save_path"], json!(daemon.downloads().join("tv-sonarr")));
    let files = api.json(&format!("torrents/files?hash={hash}"));
    assert_eq!(files[1]["name"], "Show.S01/sub/two.bin");
    // imported: it goes with its data
    api.order("torrents/setCategory", &[("hashes", &hash), ("category", "")]);
    api.order("torrents/delete", &[("hashes", &hash), ("deleteFiles", "true")]);
    assert_eq!(torrent(&api, &hash), None);
    wait_for("the data to go", || (!content.exists()).then_some(()));
}

#[test]
fn sonarr_with_a_key_needs_no_login() {
    let daemon = Daemon::new();
    let bearer = daemon.stranger().with(&format!("Authorization: Bearer {}", daemon.token()));
    assert_eq!(bearer.get("app/version").text(), "v5.1.4");
    let first = bearer.json("sync/maindata");
    let next = bearer.json(&format!("sync/maindata?rid={}", first["rid"]));
    assert_eq!((&first["full_update"], &next["full_update"]), (&json!(true), &Value::Null));
}

#[test]
fn cross_seed_injects_beside_what_is_there() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::single("Film.2020.mkv");
    let folder = daemon.downloads().join("links");
    fs::create_dir_all(&folder).expect("made");
    sample.write(&folder);
    let build: Value = api.json("app/buildInfo");
    assert!(build["libtorrent"].is_string());
    api.order("torrents/createTags", &[("tags", "cross-seed")]);
    api.order("torrents/createCategory", &[("category", "films.cross-seed"), ("savePath", "")]);
    api.order(
        "torrents/editCategory",
        &[("category", "films.cross-seed"), ("savePath", folder.to_str().expect("text"))],
    );
    assert_eq!(api.json("torrents/categories")["films.cross-seed"]["savePath"], json!(folder));
    let fields = [
        ("tags", "cross-seed"),
        ("category", "films.cross-seed"),
        ("autoTMM", "true"),
        ("paused", "false"),
        ("stopped", "false"),
        ("skip_checking", "true"),
        ("contentLayout", "Original"),
    ];
    assert_eq!(
        api.upload("torrents/add", &fields, &[("torrents", "Film.cross-seed.torrent", &sample.torrent)]).text(),
        "Ok."
    );
    let hash = sample.hash();
    let row = until(&api, &hash, "stalledUP");
    assert_eq!((&row["save_path"], &row["auto_tmm"]), (&json!(folder), &json!(true)));
    assert_eq!((&row["amount_left"], &row["total_size"]), (&json!(0), &json!(sample.size())));
    // the verbs of both versions
    for (stop, start) in [("pause", "resume"), ("stop", "start")] {
        api.order(&format!("torrents/{stop}"), &[("hashes", &hash)]);
        until(&api, &hash, "stoppedUP");
        api.order(&format!("torrents/{start}"), &[("hashes", &hash)]);
        until(&api, &hash, "stalledUP");
    }
    // a second time it is there already
    assert_eq!(api.upload("torrents/add", &fields, &[("torrents", "again", &sample.torrent)]).text(), "Fails.");
    let trackers = api.json(&format!("torrents/trackers?hash={hash}"));
    let urls: Vec<&str> = trackers.as_array().expect("a list").iter().filter_map(|one| one["url"].as_str()).collect();
    assert_eq!(urls, ["** [DHT] **", "** [PeX] **", "** [LSD] **", "http://127.0.0.1:9/announce"]);
}

#[test]
fn flood_shows_and_changes_everything() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::folder("flood");
    sample.write(&daemon.downloads());
    let fields = [("paused", "false"), ("root_folder", "true"), ("sequentialDownload", "true"), ("tags", "one,two")];
    api.upload("torrents/add", &fields, &[("torrents", "flood.torrent", &sample.torrent)]);
    let hash = sample.hash();
    until(&api, &hash, "stalledUP");
    let info = api.json("torrents/info");
    assert_eq!((&info[0]["seq_dl"], &info[0]["tags"]), (&json!(true), &json!("one, two")));
    api.order("torrents/toggleSequentialDownload", &[("hashes", &hash)]);
    api.order("torrents/setSuperSeeding", &[("hashes", &hash), ("value", "true")]);
    api.order("torrents/removeTags", &[("hashes", &hash), ("tags", "one")]);
    api.order("torrents/addTrackers", &[("hash", &hash), ("urls", "http://127.0.0.1:9/b\n\nudp://127.0.0.1:9")]);
    let edit = [("hash", &*hash), ("origUrl", "http://127.0.0.1:9/b"), ("newUrl", "http://127.0.0.1:9/c")];
    api.order("torrents/editTracker", &edit);
    assert_eq!(api.post("torrents/editTracker", &edit).status, 409, "the old one is gone");
    api.order(
        "torrents/removeTrackers",
        &[("hash", &hash), ("urls", "udp://127.0.0.1:9|http%3A%2F%2F127.0.0.1%3A9%2Fannounce")],
    );
    let row = until(&api, &hash, "stalledUP");
    assert_eq!((&row["seq_dl"], &row["super_seeding"], &row["tags"]), (&json!(false), &json!(true), &json!("two")));
    assert_eq!(row["trackers_count"], 1);
    assert_eq!(api.json(&format!("torrents/trackers?hash={hash}"))[3]["url"], "http://127.0.0.1:9/c");
    let data = api.json("sync/maindata");
    assert_eq!(data["trackers"], json!({"http://127.0.0.1:9/c": [hash]}));
    let peers = api.json(&format!("sync/torrentPeers?hash={hash}"));
    assert_eq!((&peers["full_update"], &peers["peers"]), (&json!(true), &json!({})));
    assert!(is_whole(&api.json("transfer/info")["up_info_speed"]));
    let settings = json!({"save_path": daemon.downloads(), "dl_limit": 1024, "max_connec": 100, "dht": false});
    api.order("app/setPreferences", &[("json", &settings.to_string())]);
    assert_eq!(api.get("transfer/downloadLimit").text(), "1024");
    assert_eq!(api.json("app/preferences")["max_connec"], 100);
    let refused = api.post("app/setPreferences", &[("json", r#"{"dht": true, "dl_limit": 7}"#)]);
    assert_eq!((refused.status, api.get("transfer/downloadLimit").text()), (409, "1024"), "all or nothing");
}

#[test]
fn autobrr_asks_what_is_active_and_queues() {
    let daemon = Daemon::new();
    let api = daemon.api();
    api.order(
        "app/setPreferences",
        &[("json", r#"{"queueing_enabled": true, "max_active_uploads": -1, "max_active_downloads": -1}"#)],
    );
    let samples = ["a.bin", "b.bin", "c.bin"].map(Sample::single);
    for sample in &samples {
        api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "x.torrent", &sample.torrent)]);
    }
    assert_eq!(api.json("torrents/info?filter=active"), json!([]));
    let order = || {
        let sorted = api.json("torrents/info?sort=priority");
        let names =
            sorted.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>().concat()
    };
    assert_eq!(order(), "a.binb.binc.bin");
    api.order("torrents/topPrio", &[("hashes", &samples[2].hash())]);
    assert_eq!(order(), "c.bina.binb.bin");
    api.order("torrents/bottomPrio", &[("hashes", &format!("{}|{}", samples[2].hash(), samples[0].hash()))]);
    assert_eq!(order(), "b.binc.bina.bin");
    api.order("torrents/increasePrio", &[("hashes", &samples[0].hash())]);
    api.order("torrents/decreasePrio", &[("hashes", &samples[1].hash())]);
    assert_eq!(order(), "a.binb.binc.bin");
    api.order("torrents/reannounce", &[("hashes", "all")]);
}

#[test]
fn qbit_manage_labels_limits_exports_and_removes_without_data() {
    let mut daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::folder("manage");
    sample.write(&daemon.downloads());
    api.upload("torrents/add", &[("rename", "shown")], &[("torrents", "m.torrent", &sample.torrent)]);
    let hash = sample.hash();
    until(&api, &hash, "stalledUP");
    api.order("torrents/setUploadLimit", &[("hashes", &hash), ("limit", "123456")]);
    api.order("torrents/setDownloadLimit", &[("hashes", &hash), ("limit", "-1")]);
    assert_eq!(api.json(&format!("torrents/uploadLimit?hashes={hash}")), json!({ &*hash: 123_456 }));
    assert_eq!(api.post("torrents/downloadLimit", &[("hashes", &hash)]).json(), json!({ &*hash: 0 }));
    api.order("torrents/createTags", &[("tags", "a,b")]);
    api.order("torrents/setTags", &[("hashes", &hash), ("tags", "b,c")]);
    api.order("torrents/deleteTags", &[("tags", "b")]);
    assert_eq!(api.json("torrents/tags"), json!(["a", "c"]));
    let exported = api.get(&format!("torrents/export?hash={hash}"));
    assert_eq!(exported.header("content-type"), Some("application/x-bittorrent"));
    let read = sower::metainfo::Metainfo::parse(&exported.body).expect("a torrent");
    assert_eq!(read.info_hash().to_string(), hash);
    let states = api.json(&format!("torrents/pieceStates?hash={hash}"));
    let hashes = api.json(&format!("torrents/pieceHashes?hash={hash}"));
    assert_eq!(states, json!(vec![2; read.geometry().pieces() as usize]));
    assert_eq!(hashes.as_array().map(Vec::len), Some(read.geometry().pieces() as usize));
    // what was chosen is on the disk
    daemon.restart();
    let api = daemon.api();
    let row = until(&api, &hash, "stalledUP");
    assert_eq!((&row["name"], &row["tags"], &row["up_limit"]), (&json!("shown"), &json!("c"), &json!(123_456)));
    api.order("torrents/delete", &[("hashes", &hash), ("deleteFiles", "false")]);
    assert_eq!(torrent(&api, &hash), None);
    assert!(sample.is_in(&daemon.downloads()));
}

#[test]
fn content_is_laid_out_as_asked() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let (single, folder) = (Sample::single("one.mkv"), Sample::folder("many"));
    single.write(&daemon.downloads().join("one"));
    api.upload("torrents/add", &[("contentLayout", "Subfolder")], &[("torrents", "x", &single.torrent)]);
    let row = until(&api, &single.hash(), "stalledUP");
    assert_eq!(row["content_path"], json!(daemon.downloads().join("one/one.mkv")));
    assert_eq!(row["root_path"], json!(daemon.downloads().join("one")));
    let flat = daemon.downloads().join("flat");
    folder.write(&daemon.downloads());
    fs::rename(daemon.downloads().join("many"), &flat).expect("renamed");
    let fields = [("contentLayout", "NoSubfolder"), ("savepath", "flat")];
    api.upload("torrents/add", &fields, &[("torrents", "x", &folder.torrent)]);
    let row = until(&api, &folder.hash(), "stalledUP");
    assert_eq!((&row["content_path"], &row["root_path"]), (&json!(flat), &json!("")));
    assert_eq!(api.json(&format!("torrents/files?hash={}", folder.hash()))[0]["name"], "one.bin");
}
