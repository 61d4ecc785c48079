//! Torrents through the API: added, listed, changed, removed.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::ask;
use super::scene::{Scene, Torrent};

#[test]
fn a_torrent_is_added_shown_changed_and_removed() {
    let scene = Scene::new();
    let hash = scene.seed("one", 300_000);
    let path = format!("/api/v1/torrents/{hash}");
    let torrent = scene.get(&path);
    assert_eq!((&torrent["name"], &torrent["size"], &torrent["progress"]), (&json!("one"), &json!(300_000), &json!(1)));
    let files = scene.get(&format!("{path}/files"));
    assert_eq!(files, json!([{"index": 0, "path": "one", "size": 300_000, "have": 300_000, "priority": "normal"}]));
    let pieces = scene.get(&format!("{path}/pieces"));
    assert_eq!(
        pieces,
        json!({"pieces": 10, "piece_length": 32_768, "have": 10, "bitfield": STANDARD.encode([0xff, 0xc0])})
    );
    assert_eq!((scene.get(&format!("{path}/peers")), scene.get(&format!("{path}/trackers"))), (json!([]), json!([])));

    let patch = json!({"name": "shown", "tags": ["b", "a"], "upload_limit": 5_000, "ratio_limit": 1.5, "seeding_limit": "unlimited"});
    assert_eq!(scene.ask(&format!("PATCH {path}"), Some(patch)).status, 204);
    let torrent = scene.get(&path);
    assert_eq!(
        (&torrent["name"], &torrent["torrent_name"], &torrent["tags"]),
        (&json!("shown"), &json!("one"), &json!(["a", "b"]))
    );
    assert_eq!((&torrent["upload_limit"], &torrent["ratio_limit"]), (&json!(5_000), &json!(1.5)));
    assert_eq!((&torrent["seeding_limit"], &torrent["idle_limit"]), (&json!("unlimited"), &json!("global")));
    assert_eq!(scene.ask(&format!("PATCH {path}"), Some(json!({"name": null, "upload_limit": null}))).status, 204);
    assert_eq!((&scene.get(&path)["name"], &scene.get(&path)["upload_limit"]), (&json!("one"), &Value::Null));

    assert_eq!(scene.ask(&format!("POST {path}/stop"), None).status, 204);
    assert_eq!(scene.get(&path)["activity"], "paused");
    assert_eq!(scene.ask(&format!("POST {path}/start"), Some(json!({"forced": true}))).status, 204);
    scene.until(&path, |torrent| torrent["activity"] == "seeding" && torrent["forced"] == true);
    assert_eq!(
        scene.ask("POST /api/v1/change", Some(json!({"hashes": "all", "change": {"kind": "stop"}}))).status,
        204
    );
    assert_eq!(scene.get(&path)["activity"], "paused");

    assert_eq!(scene.ask(&format!("DELETE {path}"), None).status, 204);
    assert_eq!(scene.ask(&format!("GET {path}"), None).kind(), "not_found");
    assert!(scene.data().join("one").exists(), "the content stays");
    let hash = scene.seed("two", 50_000);
    assert_eq!(scene.ask(&format!("DELETE /api/v1/torrents/{hash}?data=true"), None).status, 204);
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        !scene.data().join("two").exists()
    });
    assert!(gone, "the content goes too");
}

#[test]
fn a_list_tells_all_and_then_only_what_changed() {
    let scene = Scene::new();
    let one = scene.seed("one", 100_000);
    let two = scene.seed("two", 110_000);
    let list = scene.get("/api/v1/torrents?fields=name,hash,paused");
    assert_eq!(
        list["torrents"],
        json!([{"name": "one", "hash": one, "paused": false}, {"name": "two", "hash": two, "paused": false}])
    );
    assert_eq!(list["totals"]["torrents"], 2);
    let delta = |since: &Value| scene.get(&format!("/api/v1/torrents?since={since}&fields=name,paused"));
    assert_eq!(scene.ask(&format!("POST /api/v1/torrents/{two}/stop"), None).status, 204);
    let changed = delta(&list["revision"]);
    assert_eq!((&changed["full"], &changed["removed"]), (&json!(false), &json!([])));
    assert!(
        changed["changed"].as_array().expect("a list").contains(&json!({"name": "two", "paused": true})),
        "{changed}"
    );
    assert_eq!(scene.ask(&format!("DELETE /api/v1/torrents/{one}"), None).status, 204);
    let removed = delta(&changed["revision"]);
    assert_eq!((&removed["removed"], &removed["full"]), (&json!([one]), &json!(false)));
    for unknown in [json!(0), json!(u64::MAX), json!(list["revision"].as_u64().expect("a number") + (1 << 33))] {
        let full = delta(&unknown);
        assert_eq!(
            (&full["full"], &full["changed"]),
            (&json!(true), &json!([{"name": "two", "paused": true}])),
            "{unknown}"
        );
    }
}

#[test]
fn an_upload_says_of_each_file_what_became_of_it() {
    let scene = Scene::new();
    let (one, two) = (Torrent::new("one", 40_000), Torrent::new("two", 50_000));
    let part = |name: &str, file: &str, bytes: &[u8]| {
        let file = if file.is_empty() { String::new() } else { format!("; filename=\"{file}\"") };
        [format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(), bytes, b"\r\n"]
            .concat()
    };
    let body = [
        part("options", "", br#"{"paused": true, "tags": ["new"]}"#),
        part("torrents", "one.torrent", &one.file),
        part("torrents", "bad.torrent", b"d4:spam4:eggse"),
        part("torrents", "two.torrent", &two.file),
        b"--line--\r\n".to_vec(),
    ]
    .concat();
    let head = format!(
        "POST /api/v1/torrents HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary=line",
        scene.token
    );
    let reply = ask(scene.address, &head, &body);
    let answer = reply.json();
    assert_eq!(
        answer["added"],
        json!([
            {"hash": one.hash, "duplicate": false, "file": "one.torrent"}, {"hash": two.hash, "duplicate": false, "file": "two.torrent"}
        ]),
        "{answer}"
    );
    assert_eq!(
        (&answer["refused"][0]["file"], &answer["refused"][0]["kind"]),
        (&json!("bad.torrent"), &json!("invalid"))
    );
    let shown = scene.get("/api/v1/torrents?fields=paused,tags");
    assert_eq!(shown["torrents"], json!([{"paused": true, "tags": ["new"]}, {"paused": true, "tags": ["new"]}]));
    let again = scene.ask("POST /api/v1/torrents", Some(json!({"torrent": STANDARD.encode(&one.file)})));
    assert_eq!(again.json()["added"][0]["duplicate"], true);
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let scene = Scene::new();
    let hash = scene.seed("one", 40_000);
    let path = format!("/api/v1/torrents/{hash}");
    let cases = [
        ("POST /api/v1/torrents", json!({}), "invalid"),
        ("POST /api/v1/torrents", json!({"magnet": "magnet:?", "url": "http://localhost/"}), "invalid"),
        ("POST /api/v1/torrents", json!({"magnet": "no link"}), "invalid"),
        ("POST /api/v1/torrents", json!({"torrent": "not base64!"}), "invalid"),
        ("POST /api/v1/torrents", json!({"torrent": STANDARD.encode("d1:ai1ee")}), "invalid"),
        ("POST /api/v1/torrents", json!([1, 2]), "invalid"),
        (&format!("PATCH {path}"), json!({"colour": "red"}), "invalid"),
        (&format!("PATCH {path}"), json!({"ratio_limit": -1}), "invalid"),
        (&format!("PATCH {path}"), json!({"folder": "/etc"}), "forbidden"),
        (&format!("POST {path}/dance"), json!({}), "invalid"),
        (&format!("POST {path}/move"), json!({}), "invalid"),
        (&format!("POST {path}/stop"), json!({"kind": "start"}), "invalid"),
        ("POST /api/v1/change", json!({"hashes": ["xyz"], "change": {"kind": "stop"}}), "invalid"),
        ("POST /api/v1/change", json!({"hashes": ["ab".repeat(20)], "change": {"kind": "stop"}}), "not_found"),
        ("GET /api/v1/torrents?fields=colour", Value::Null, "invalid"),
        ("GET /api/v1/torrents?since=yesterday", Value::Null, "invalid"),
        ("GET /api/v1/torrents/xyz", Value::Null, "invalid"),
        ("PATCH /api/v1/settings", json!({"uplaod_limit": 1}), "invalid"),
        ("PATCH /api/v1/settings", json!("all"), "invalid"),
    ];
    for (request, body, kind) in cases {
        let reply = scene.ask(request, Some(body.clone()).filter(|body| !body.is_null()));
        assert!((400..500).contains(&reply.status), "{request} {body}: {} {}", reply.status, reply.text());
        assert_eq!(reply.kind(), kind, "{request} {body}: {}", reply.text());
    }
    let text =
        format!("POST /api/v1/change HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: text/plain", scene.token);
    assert_eq!(ask(scene.address, &text, br#"{"hashes": "all", "change": {"kind": "stop"}}"#).kind(), "unsupported");
    assert_eq!(scene.get(&path)["activity"], "seeding", "nothing came of any of it");
}

#[test]
fn settings_are_read_and_changed_and_totals_and_engine_told() {
    let scene = Scene::new();
    let settings = scene.get("/api/v1/settings");
    assert_eq!(settings["download_folder"], json!(fs::canonicalize(scene.data()).expect("there")));
    let reply = scene.ask("PATCH /api/v1/settings", Some(json!({"ratio_limit": 2.0, "categories": {"films": {}}})));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        (&reply.json()["ratio_limit"], &reply.json()["categories"]),
        (&json!(2.0), &json!({"films": {"folder": null}}))
    );
    assert_eq!(scene.get("/api/v1/settings"), reply.json());
    let reply = scene.ask("PATCH /api/v1/settings", Some(json!({"ratio_limit": null, "categories": {"films": null}})));
    assert_eq!(reply.json(), settings);
    let totals = scene.get("/api/v1/totals");
    assert!(totals["port"].as_u64().is_some_and(|port| port > 0) && totals["torrents"] == 0, "{totals}");
    let engine = scene.until("/api/v1/engine", |engine| engine["reactors"][0]["busy_per_mille"].is_u64());
    assert_eq!(engine["uploaded"], 0);
}
