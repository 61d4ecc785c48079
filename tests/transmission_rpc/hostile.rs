//! Requests that nobody honest sends. Each is refused in words or means nothing; the daemon goes on, and torrents stay.

use serde_json::json;

use crate::daemon::{Daemon, PATIENCE};
use crate::process::wait_for;
use crate::torrents::Torrent;

#[test]
fn nonsense_is_refused_in_words() {
    let daemon = Daemon::start();
    let hash = daemon.add(&Torrent::single("one").file);
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let deep_arguments =
        format!(r#"{{"method":"torrent-get","arguments":{}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let bodies: [&[u8]; 12] = [
        b"",
        b"null",
        b"[]",
        b"\"torrent-remove\"",
        b"{",
        b"\xff\xfe\x00",
        br#"{"method":null}"#,
        br#"{"method":["torrent-remove"]}"#,
        br#"{"method":"torrent-remove","arguments":"all"}"#,
        br#"{"method":"TORRENT-REMOVE"}"#,
        deep.as_bytes(),
        deep_arguments.as_bytes(),
    ];
    for body in bodies {
        let answer = daemon.post(body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert!(answer["result"].as_str().is_some_and(|result| result != "success"), "{shown}: {answer}");
        assert_eq!(answer["arguments"], json!({}), "{shown}");
    }
    assert_eq!(daemon.hashes(), [hash]);
}

#[test]
fn wrong_types_and_huge_numbers_change_nothing() {
    let daemon = Daemon::start();
    let hash = daemon.add(&Torrent::folder("pack").file);
    let before = daemon.must("torrent-get", json!({ "ids": [hash], "fields": WATCHED }));
    for arguments in [
        json!({ "uploadLimit": "50", "uploadLimited": true }),
        json!({ "uploadLimit": -1, "uploadLimited": true }),
        json!({ "uploadLimit": 1.5 }),
        json!({ "uploadLimited": "yes" }),
        json!({ "seedRatioLimit": -1, "seedRatioMode": 1 }),
        json!({ "seedRatioMode": 9 }),
        json!({ "seedIdleLimit": 1e300 }),
        json!({ "peer-limit": 0 }),
        json!({ "peer-limit": u64::MAX }),
        json!({ "labels": "a" }),
        json!({ "labels": [1] }),
        json!({ "labels": ["\u{7}"] }),
        json!({ "labels": ["a".repeat(100_000)] }),
        json!({ "files-unwanted": [2] }),
        json!({ "files-unwanted": [i64::MAX] }),
        json!({ "files-unwanted": [[0]] }),
        json!({ "priority-high": ["0"] }),
        json!({ "trackerAdd": ["javascript:alert(1)"] }),
        json!({ "trackerAdd": ["http://127.0.0.1/\r\nX-Injected: 1"] }),
        json!({ "trackerRemove": [7] }),
        json!({ "trackerReplace": [0] }),
        json!({ "trackerList": format!("http://127.0.0.1/{}", "a".repeat(100_000)) }),
        json!({ "queuePosition": "first" }),
        json!({ "location": "../../etc" }),
        json!({ "location": 7 }),
        json!({ "group": "a" }),
    ] {
        let mut with_ids = arguments.clone();
        with_ids["ids"] = json!([hash]);
        let text = arguments.to_string();
        let refused = daemon.call("torrent-set", with_ids);
        assert!(refused.is_err(), "{}: {refused:?}", &text[..text.len().min(100)]);
        let after = daemon.must("torrent-get", json!({ "ids": [hash], "fields": WATCHED }));
        assert_eq!(before, after, "{}", &text[..text.len().min(100)]);
    }
}

const WATCHED: [&str; 9] = [
    "uploadLimit",
    "uploadLimited",
    "seedRatioMode",
    "seedIdleMode",
    "peer-limit",
    "labels",
    "wanted",
    "priorities",
    "trackerList",
];

#[test]
fn ids_that_mean_nothing_touch_no_torrent() {
    let daemon = Daemon::start();
    let hash = daemon.add(&Torrent::single("one").file);
    let many: Vec<u32> = (1_000..101_000).collect();
    let hashes: Vec<String> = (0..100_000).map(|number| format!("{number:040x}")).collect();
    for ids in [json!([]), json!([0, -1, 1e15, "x"]), json!(999), json!("f".repeat(40)), json!(many), json!(hashes)] {
        for method in ["torrent-remove", "torrent-stop", "torrent-verify", "queue-move-top"] {
            daemon.must(method, json!({ "ids": ids, "delete-local-data": true }));
        }
        let none = daemon.must("torrent-get", json!({ "ids": ids, "fields": ["id"] }));
        assert_eq!(none["torrents"], json!([]));
    }
    for ids in [json!({}), json!([null]), json!([[1]]), json!(true), json!([0.5])] {
        let refused = daemon.call("torrent-remove", json!({ "ids": ids }));
        assert!(refused.is_err(), "{ids}: {refused:?}");
    }
    assert_eq!(daemon.hashes(), std::slice::from_ref(&hash));
    let all: Vec<u32> = (0..100_000).collect();
    let one = daemon.must("torrent-get", json!({ "ids": all, "fields": ["hashString"] }));
    assert_eq!(one["torrents"], json!([{ "hashString": hash }]));
    let fields = vec!["name"; 200_000];
    let one = daemon.must("torrent-get", json!({ "fields": fields }));
    assert_eq!(one["torrents"], json!([{ "name": "one" }]));
}

#[test]
fn additions_that_cannot_be_are_refused() {
    let daemon = Daemon::start();
    let secret = daemon.folder.path().join("secret");
    std::fs::write(&secret, Torrent::single("secret").file).expect("written");
    std::os::unix::fs::symlink(&secret, daemon.data().join("link.torrent")).expect("linked");
    std::fs::write(daemon.data().join("inside.torrent"), Torrent::single("inside").file).expect("written");
    let good = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Torrent::single("one").file);
    for arguments in [
        json!({}),
        json!({ "filename": "" }),
        json!({ "filename": 7 }),
        json!({ "metainfo": 7 }),
        json!({ "metainfo": "!!!" }),
        json!({ "metainfo": "AAAA" }),
        json!({ "metainfo": "A".repeat(20_000_000) }),
        json!({ "metainfo": good, "download-dir": "relative" }),
        json!({ "metainfo": good, "download-dir": "/etc" }),
        json!({ "metainfo": good, "download-dir": daemon.data().join("../..") }),
        json!({ "metainfo": good, "labels": [","] }),
        json!({ "metainfo": good, "files-unwanted": [1] }),
        json!({ "filename": "magnet:?xt=urn:btih:short" }),
        json!({ "filename": "http://127.0.0.1:9/x.torrent", "cookies": "a=b" }),
        json!({ "filename": "ftp://127.0.0.1/x.torrent" }),
        json!({ "filename": "/etc/passwd" }),
        json!({ "filename": "file:///etc/passwd" }),
        json!({ "filename": secret }),
        json!({ "filename": daemon.data().join("link.torrent") }),
        json!({ "filename": daemon.data().join("../secret") }),
        json!({ "filename": "/proc/self/environ" }),
        json!({ "filename": "/dev/zero" }),
    ] {
        let text = arguments.to_string();
        let refused = daemon.call("torrent-add", arguments);
        assert!(refused.is_err(), "{}: {refused:?}", &text[..text.len().min(120)]);
    }
    assert!(daemon.hashes().is_empty());
    let inside = daemon.must("torrent-add", json!({ "filename": daemon.data().join("inside.torrent") }));
    assert_eq!(inside["torrent-added"]["name"], "inside", "a file within the roots is added");
    for arguments in
        [json!({ "path": "/" }), json!({ "path": daemon.folder.path() }), json!({ "path": "data" }), json!({})]
    {
        assert!(daemon.call("free-space", arguments.clone()).is_err(), "{arguments}");
    }
    assert!(
        daemon.call("session-set", json!({ "download-dir": "/etc" })).is_err(),
        "it would make a root of any folder"
    );
}

#[test]
fn bodies_without_end_are_cut_off_and_leave_no_memory_behind() {
    let daemon = Daemon::start();
    let before = daemon.private_kilobytes();
    let body = vec![b' '; 65 * 1024 * 1024];
    assert_eq!(daemon.send("POST", &[&daemon.basic(), &daemon.csrf()], &body).status, 413);
    assert_eq!(daemon.send("POST", &[], &body).status, 413);
    // who may not ask is told so before anything of it is read
    assert_eq!(daemon.send("POST", &[&daemon.csrf()], &body[..60_000_000]).status, 401);
    assert_eq!(daemon.send("POST", &[&daemon.basic()], &body[..60_000_000]).status, 409);
    let commas = format!(r#"{{"method":"torrent-get","arguments":{{"ids":[0{}]}}}}"#, ",0".repeat(30_000_000));
    let answer = daemon.post(commas.as_bytes());
    assert!(answer["result"].as_str().is_some_and(|result| result.contains("values at most")), "{answer}");
    // the allocator gives memory back a little later
    wait_for("memory to be given back", PATIENCE, || {
        daemon.must("session-stats", json!({}));
        (daemon.private_kilobytes() < before + 32 * 1024).then_some(())
    });
}
