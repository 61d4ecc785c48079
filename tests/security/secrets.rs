//! Another user of this host, and somebody who reads logs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha1::{Digest as _, Sha1};
use sower::metainfo::Builder;

use super::http::{ask, send};
use super::scene::Scene;

/// Attack: the token is read from its file, or the socket is used, by another user.
#[test]
fn token_and_socket_are_their_owners_alone() {
    let scene = Scene::new();
    let found = |name: &str| fs::symlink_metadata(scene.state().join(name)).expect("there");
    assert_eq!(found("token").mode() & 0o777, 0o600);
    assert!(found("api.sock").file_type().is_socket());
    assert_eq!(found("api.sock").mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(scene.state().join("api.sock")).expect("it listens");
    stream.write_all(b"GET /api/v1/totals HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 200 "), "its owner needs no token there: {answer}");
}

/// Attack: state with passkeys in it is read by another user: everything below the state folder that holds torrents or state.
#[test]
fn state_is_no_business_of_others() {
    let scene = Scene::new();
    scene.seed("one", 40_000);
    let mut waiting = vec![scene.state()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("there") {
            let entry = entry.expect("read");
            let mode = entry.metadata().expect("there").mode();
            if entry.file_type().expect("known").is_dir() {
                if mode & 0o077 != 0 {
                    waiting.push(entry.path());
                }
            } else if !entry.path().ends_with("config.toml") {
                assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", entry.path().display());
            }
        }
    }
}

/// A torrent whose tracker has a passkey in its path and another in its query.
fn private_torrent() -> String {
    let tracker = "http://127.0.0.1:1/PASSKEY-IN-PATH/announce?passkey=PASSKEY-IN-QUERY";
    let content = vec![7; 40_000];
    let digests = content.chunks(32 * 1024).map(|piece| Sha1::digest(piece).into()).collect();
    let builder =
        Builder::single("private".as_ref(), 40_000, 32 * 1024).hashes(digests).trackers(vec![vec![tracker.into()]]);
    STANDARD.encode(builder.write().expect("a torrent"))
}

/// Attack: whoever gets to see a log, an error or the process list finds a password there. With everything logged that there is.
#[test]
fn no_secret_is_in_logs_errors_or_arguments() {
    let mut scene = Scene::with_environment(&[("SOWER_LOG_LEVEL", "trace")]);
    let login = format!("username=sower&password={}", scene.token);
    let head = "POST /api/v2/auth/login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let sid =
        ask(scene.address, head, login.as_bytes()).header("set-cookie").split(';').next().unwrap_or("").to_owned();
    assert!(sid.len() > 20, "{sid}");
    fs::write(scene.data().join("private"), vec![7; 40_000]).expect("written");
    let added = scene.ask("POST /api/v1/torrents", Some(json!({"torrent": private_torrent()}))).json();
    let path = format!("/api/v1/torrents/{}", added["added"][0]["hash"].as_str().expect("a hash"));
    scene.until(&format!("{path}/trackers"), |trackers| trackers[0]["endpoints"][0]["error"].is_string());
    let mut seen = Vec::new();
    seen.push(scene.get(&format!("{path}/trackers"))[0]["endpoints"].to_string());
    seen.push(scene.ask("GET /metrics?torrents=1", None).text());
    for line in ["GET /none", "POST /api/v1/change", "GET /api/v1/torrents?fields=x", "GET /api/v2/none", "BREW /"] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nCookie: {sid}\r\nConnection: close\r\n\r\n",
            scene.address, scene.token
        );
        seen.push(
            String::from_utf8_lossy(&send(scene.address, request.as_bytes()).expect("an answer").body).into_owned(),
        );
    }
    let wrong = format!("GET /api/v1/totals HTTP/1.1\r\nAuthorization: Bearer {}x", scene.token);
    seen.push(ask(scene.address, &wrong, b"").text());
    seen.push(fs::read_to_string(format!("/proc/{}/cmdline", scene.pid())).expect("it lives"));
    seen.push(fs::read_to_string(format!("/proc/{}/environ", scene.pid())).expect("it lives"));
    assert!(scene.end());
    seen.push(scene.log());
    let secrets = [scene.token.as_str(), sid.trim_start_matches("SID="), "PASSKEY-IN-PATH", "PASSKEY-IN-QUERY"];
    for text in &seen {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in: {text}");
        }
    }
}

/// Attack: the configuration, which people paste into questions, has a secret in it.
#[test]
fn the_configuration_holds_no_secret() {
    let scene = Scene::new();
    let config = fs::read_to_string(scene.state().join("config.toml")).expect("made at the start");
    assert!(!config.contains(&scene.token));
}
