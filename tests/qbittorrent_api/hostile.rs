//! Requests that nobody means well with.

use crate::daemon::{Daemon, torrent, until};
use crate::http::exchange;
use crate::torrents::Sample;

#[test]
fn strangers_learn_nothing_and_change_nothing() {
    let daemon = Daemon::new();
    let (stranger, api) = (daemon.stranger(), daemon.api());
    for path in [
        "app/version",
        "app/webapiVersion",
        "app/preferences",
        "torrents/info",
        "sync/maindata",
        "no/such",
        "torrents/add",
    ] {
        let response = stranger.get(path);
        assert_eq!((response.status, response.text()), (403, "Forbidden"), "{path}");
        assert_eq!(stranger.post(path, &[]).status, 403, "{path}");
    }
    assert_eq!(stranger.with("Cookie: SID=guessed").get("app/version").status, 403);
    assert_eq!(stranger.with("Authorization: Bearer guessed").get("app/version").status, 403);
    assert_eq!(api.get("app/version").text(), "v5.1.4");
}

#[test]
fn a_wrong_password_fails_and_many_of_them_are_not_even_looked_at() {
    let daemon = Daemon::new();
    let login = |password: &str| daemon.stranger().post("auth/login", &[("username", "sower"), ("password", password)]);
    let first = login("wrong");
    assert_eq!((first.status, first.text()), (200, "Fails."));
    assert_eq!(first.header("set-cookie"), None);
    let refused = (0..20).map(|number| login(&number.to_string())).find(|response| response.status == 403);
    let refused = refused.expect("guessing ends");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(daemon.stranger().post("auth/login", &[("username", "admin")]).status, 403, "still waiting");
}

#[test]
fn a_session_ends_with_its_logout() {
    let daemon = Daemon::new();
    let api = daemon.api();
    assert_eq!(api.get("app/version").status, 200);
    assert!(api.post("auth/logout", &[]).header("set-cookie").expect("a cookie").starts_with("SID=;"));
    assert_eq!(api.get("app/version").status, 403);
}

#[test]
fn other_web_sites_and_links_change_nothing() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::single("site.bin");
    assert_eq!(api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "a", &sample.torrent)]).text(), "Ok.");
    for header in ["Origin: http://evil.example", "Referer: http://evil.example/page", "Origin: null"] {
        let foreign = api.with(header).post("torrents/delete", &[("hashes", "all"), ("deleteFiles", "true")]);
        assert!(matches!(foreign.status, 401 | 403), "{header}: {}", foreign.status);
    }
    // a link can cause a GET
    assert_eq!(api.get("torrents/delete?hashes=all&deleteFiles=true").status, 405);
    assert_eq!(api.send("PUT", "torrents/info", "", b"").status, 405);
    assert!(torrent(&api, &sample.hash()).is_some());
}

#[test]
fn what_is_missing_unknown_or_wrong_has_its_status() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::folder("wrong");
    api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "a", &sample.torrent)]);
    let hash = sample.hash();
    for (action, fields, status) in [
        ("no/such", vec![], 404),
        ("torrents/noSuch", vec![], 404),
        ("torrents/delete", vec![("hashes", "all")], 400),
        ("torrents/recheck", vec![], 400),
        ("torrents/filePrio", vec![("hash", &*hash), ("id", "0"), ("priority", "5")], 400),
        ("torrents/filePrio", vec![("hash", &hash), ("id", "2"), ("priority", "0")], 409),
        ("torrents/filePrio", vec![("hash", &hash), ("id", "-1"), ("priority", "0")], 409),
        ("torrents/filePrio", vec![("hash", &hash), ("id", "x"), ("priority", "0")], 400),
        ("torrents/rename", vec![("hash", &hash), ("name", "  ")], 409),
        ("torrents/rename", vec![("hash", "0123"), ("name", "x")], 404),
        ("torrents/setLocation", vec![("hashes", &hash), ("location", " ")], 400),
        ("torrents/setUploadLimit", vec![("hashes", &hash), ("limit", "fast")], 400),
        ("torrents/setCategory", vec![("hashes", &hash), ("category", "nowhere")], 409),
        ("torrents/createCategory", vec![("category", "../up")], 409),
        ("torrents/createCategory", vec![("category", "")], 400),
        ("torrents/topPrio", vec![("hashes", &hash)], 409),
        ("torrents/addTrackers", vec![("hash", &hash), ("urls", "gopher://x")], 400),
        ("torrents/renameFile", vec![("hash", &hash), ("oldPath", "wrong/one.bin"), ("newPath", "../../evil")], 409),
        ("torrents/addPeers", vec![("hashes", &hash), ("peers", "nonsense")], 400),
        ("app/setPreferences", vec![("json", "{")], 400),
        ("transfer/banPeers", vec![("peers", "127.0.0.1:1")], 409),
    ] {
        let response = api.post(action, &fields);
        assert_eq!(response.status, status, "{action} {fields:?}: {}", response.text());
    }
    assert_eq!(api.get("torrents/info?sort=nonsense").status, 400);
    assert_eq!(api.get("torrents/properties?hash=zz").status, 404);
    assert_eq!(until(&api, &hash, "stoppedDL")["name"], "wrong");
}

#[test]
fn what_is_no_torrent_file_is_told_and_adds_nothing() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let good = Sample::single("cut.bin").torrent;
    for bytes in [&b""[..], b"<html>", &good[..good.len() / 2], &[b'l'; 100_000]] {
        let response = api.upload("torrents/add", &[], &[("torrents", "bad\r\nname", bytes)]);
        assert!(matches!(response.status, 400 | 415), "{}", response.text());
    }
    assert_eq!(api.post("torrents/add", &[("urls", "magnet:?xt=urn:btih:no\nnonsense")]).text(), "Fails.");
    assert_eq!(api.post("torrents/add", &[("urls", "file:///etc/passwd")]).text(), "Fails.");
    assert_eq!(api.post("torrents/add", &[]).text(), "Fails.");
    assert_eq!(api.get("torrents/count").text(), "0");
}

#[test]
fn content_stays_below_the_roots() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::single("roots.bin");
    std::os::unix::fs::symlink("/etc", daemon.folder().join("link")).expect("a link");
    let link = daemon.folder().join("link/x");
    for folder in ["/etc", "../../../etc", link.to_str().expect("text")] {
        let response = api.upload("torrents/add", &[("savepath", folder)], &[("torrents", "a", &sample.torrent)]);
        assert!(matches!(response.status, 400 | 403 | 409), "{folder}: {} {}", response.status, response.text());
    }
    assert_eq!(api.get("torrents/count").text(), "0");
    api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "a", &sample.torrent)]);
    let moved = api.post("torrents/setLocation", &[("hashes", &sample.hash()), ("location", "/etc")]);
    assert_eq!(moved.status, 403, "{}", moved.text());
    // nor is a root made of another folder first
    for (action, fields) in [
        ("torrents/createCategory", [("category", "evil"), ("savePath", "/etc")]),
        ("app/setPreferences", [("json", r#"{"save_path": "/etc"}"#), ("", "")]),
        ("app/setPreferences", [("json", r#"{"temp_path_enabled": true, "temp_path": "/etc"}"#), ("", "")]),
        ("app/setPreferences", [("json", r#"{"scan_dirs": {"/etc": 1}}"#), ("", "")]),
    ] {
        let response = api.post(action, &fields);
        assert_eq!(response.status, 403, "{action} {fields:?}: {}", response.text());
    }
    assert_eq!(api.json("torrents/categories"), serde_json::json!({}));
}

#[test]
fn broken_and_endless_forms_are_refused_and_the_daemon_goes_on() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let parts = "Content-Type: multipart/form-data; boundary=edge\r\n";
    for body in [&b""[..], b"--edge\r\n", b"--edge\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nendless"] {
        assert_eq!(api.send("POST", "torrents/add", parts, body).status, 400);
    }
    assert_eq!(
        api.send("POST", "torrents/add", "Content-Type: multipart/form-data\r\n", b"x").status,
        200,
        "no parts are named"
    );
    let many = "a=1&".repeat(100_000);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(api.send("POST", "torrents/info", form, many.as_bytes()).status, 413);
    let long = vec![b'a'; 12 * 1024 * 1024];
    assert_eq!(api.send("POST", "torrents/info", form, &long).status, 413);
    let wild = format!(
        "GET /api/v2/torrents/info?hashes=%00%FF%7C{} HTTP/1.1\r\n{}Connection: close\r\n\r\n",
        "f".repeat(4_000),
        api.headers
    );
    assert_eq!(exchange(daemon.address, wild.as_bytes()).status, 200);
    for query in
        ["limit=99999999999999999999", "offset=-9223372036854775808&limit=-1", "sort=&reverse=%F0%28", "filter=%22"]
    {
        assert_eq!(api.get(&format!("torrents/info?{query}")).status, 200, "{query}");
    }
    assert_eq!(api.get("sync/maindata?rid=-7").json()["full_update"], true);
    assert_eq!(api.get("app/version").status, 200);
}
