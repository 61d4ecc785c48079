//! What is shown of a download while it goes on, at both ends.

use serde_json::{Value, json};

use crate::daemon::{Daemon, PATIENCE};
use crate::process::wait_for;
use crate::torrents::Torrent;

#[test]
fn a_magnet_link_is_followed_and_shown_until_it_is_seeded() {
    let (seeder, leecher) = (Daemon::start(), Daemon::start());
    let torrent = Torrent::folder("pack");
    torrent.write(&seeder.data());
    let hash = seeder.add(&torrent.file);
    seeder.until_seeding(&hash);
    let port = seeder.must("session-get", json!({ "fields": ["peer-port"] }))["peer-port"].clone();
    leecher.must("session-set", json!({ "speed-limit-down": 30, "speed-limit-down-enabled": true }));
    let magnet = format!("magnet:?xt=urn:btih:{hash}&dn=pack&x.pe=127.0.0.1:{port}");
    let added = leecher.must("torrent-add", json!({ "filename": magnet, "labels": ["afar"] }));
    assert_eq!(added["torrent-added"]["name"], "pack");
    leecher.until(&hash, "metadataPercentComplete", |part| *part == 1.0);
    leecher.until(&hash, "haveValid", |have| have.as_u64().is_some_and(|have| have > 0));
    let fields = [
        "status",
        "leftUntilDone",
        "percentDone",
        "eta",
        "peers",
        "peersFrom",
        "files",
        "pieces",
        "rateDownload",
        "labels",
    ];
    let shown = leecher.must("torrent-get", json!({ "ids": [hash], "fields": fields }))["torrents"][0].clone();
    let left = shown["leftUntilDone"].as_u64().expect("a number");
    assert!(shown["status"] == 4 && left > 0 && left < 170_000, "{shown}");
    assert!(shown["percentDone"].as_f64().is_some_and(|part| part > 0.0 && part < 1.0), "{shown}");
    let peer = &shown["peers"][0];
    assert_eq!((&peer["address"], &peer["port"], &peer["isIncoming"]), (&json!("127.0.0.1"), &port, &json!(false)));
    assert_eq!((&peer["isDownloadingFrom"], &peer["progress"]), (&json!(true), &json!(1.0)), "{peer}");
    assert!(peer["flagStr"].as_str().is_some_and(|flags| flags.contains('D')), "{peer}");
    assert_eq!(shown["peersFrom"]["fromTracker"], 1, "{shown}");
    let here: u64 =
        shown["files"].as_array().expect("a list").iter().filter_map(|file| file["bytesCompleted"].as_u64()).sum();
    assert!(here > 0 && here < 170_000, "{shown}");
    let other = seeder.field(&hash, "peers")[0].clone();
    assert_eq!((&other["isUploadingTo"], &other["isIncoming"]), (&json!(true), &json!(true)), "{other}");
    leecher.must("session-set", json!({ "speed-limit-down-enabled": false }));
    leecher.until_seeding(&hash);
    assert!(torrent.is_in(&leecher.data()));
    let is = |daemon: &Daemon, field: &str, expected: Value| {
        wait_for(&format!("{field} to be {expected}"), PATIENCE, || {
            (daemon.field(&hash, field) == expected).then_some(())
        });
    };
    is(&leecher, "downloadedEver", json!(170_000));
    is(&leecher, "leftUntilDone", json!(0));
    is(&leecher, "labels", json!(["afar"]));
    is(&seeder, "uploadedEver", json!(170_000));
    is(&seeder, "uploadRatio", json!(1.0));
    let stats = seeder.must("session-stats", json!({}));
    assert_eq!(stats["current-stats"]["uploadedBytes"], 170_000);
}
