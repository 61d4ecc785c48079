//! Another user of this host, and somebody who reads logs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

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

/// Attack: the owner copied the state folder and the token can be read by everybody since. With such a one it does not start.
#[test]
fn a_token_that_others_can_read_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o660] {
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        fs::write(&token, "a-token-that-is-long-enough\n").expect("written");
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).expect("ours");
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_sower"));
        daemon.args(["daemon", "--port", "0", "--api", "127.0.0.1:0", "--state"]).arg(folder.path());
        let output = daemon.output().expect("it ends by itself");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("chmod 600"), "{mode:o}: {said}");
        assert!(!said.contains("a-token-that-is-long-enough"), "{said}");
    }
}

/// Nobody has to configure anything for the APIs to be out of reach of other hosts.
#[test]
fn by_default_the_apis_are_reached_from_this_host_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_sower"));
    daemon.args(["daemon", "--print-config", "--state"]).arg(folder.path().join("state"));
    let output = daemon.output().expect("it runs");
    let config = String::from_utf8_lossy(&output.stdout);
    let section = config.split("\n[api]\n").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a section");
    for line in ["listen = [\"127.0.0.1:9091\"]", "socket = \"api.sock\"", "metrics-open = false"] {
        assert!(section.lines().any(|found| found.starts_with(line)), "{line}: {section}");
    }

    let scene = Scene::new();
    let elsewhere: Vec<SocketAddr> = listening(scene.pid()).into_iter().filter(|at| !at.ip().is_loopback()).collect();
    let peers = u16::try_from(scene.get("/api/v1/totals")["port"].as_u64().expect("a port")).expect("a port");
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|at| at.port() == peers), "{elsewhere:?} but for peers");
}

/// Where a process listens on TCP, by proc(5).
fn listening(pid: u32) -> Vec<SocketAddr> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).expect("ours").flatten();
    let sockets: Vec<String> = links
        .filter_map(|link| {
            let target = fs::read_link(link.path()).ok()?;
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("there").lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == "0A" && sockets.iter().any(|inode| inode == words[9]) {
                found.push(address(words[1]));
            }
        }
    }
    found
}

/// `0100007F:2383`: words of four bytes in the order of the host, which is little-endian on all that sower runs on.
fn address(text: &str) -> SocketAddr {
    let (host, port) = text.split_once(':').expect("a port");
    let word = |at: usize| u32::from_str_radix(&host[at..at + 8], 16).expect("digits").to_le_bytes();
    let port = u16::from_str_radix(port, 16).expect("digits");
    match host.len() {
        8 => SocketAddr::from((word(0), port)),
        _ => {
            let bytes: Vec<u8> = (0..32).step_by(8).flat_map(word).collect();
            SocketAddr::from((<[u8; 16]>::try_from(bytes).expect("sixteen"), port))
        }
    }
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
    let magnet = format!(
        "magnet:?xt=urn:btih:{}&tr=http%3A%2F%2Fme%3APASSWORD-OF-TRACKER%40127.0.0.1%3A1%2FPASSKEY-IN-PATH%2Fannounce",
        "c".repeat(40)
    );
    seen.push(scene.ask("POST /api/v1/torrents", Some(json!({ "magnet": magnet }))).text());
    let url = "http://me:PASSWORD-OF-SITE@127.0.0.1:1/PASSKEY-IN-PATH?key=PASSKEY-IN-QUERY";
    seen.push(scene.ask("POST /api/v1/torrents", Some(json!({ "url": url }))).text());
    let wrong = format!("GET /api/v1/totals HTTP/1.1\r\nAuthorization: Bearer {}x", scene.token);
    seen.push(ask(scene.address, &wrong, b"").text());
    seen.push(fs::read_to_string(format!("/proc/{}/cmdline", scene.pid())).expect("it lives"));
    seen.push(fs::read_to_string(format!("/proc/{}/environ", scene.pid())).expect("it lives"));
    assert!(scene.end());
    seen.push(scene.log());
    let sid = sid.trim_start_matches("SID=");
    let passwords = ["PASSKEY-IN-PATH", "PASSKEY-IN-QUERY", "PASSWORD-OF-TRACKER", "PASSWORD-OF-SITE"];
    let secrets = [[scene.token.as_str(), sid].as_slice(), &passwords].concat();
    for text in &seen {
        for secret in &secrets {
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

/// Attack: a name with a line break, so that whoever reads the log sees a line that the daemon never wrote, or with what makes a terminal do
/// something.
#[test]
fn names_forge_no_lines_of_the_log() {
    let scene = Scene::new();
    let watched = scene.data().join("watched");
    fs::create_dir(&watched).expect("made");
    let reply = scene.ask("PATCH /api/v1/settings", Some(json!({ "watch_folders": [watched] })));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let name = "x\n2026-01-01T00:00:00Z ERROR forged \u{1b}[2J\u{9b}31m.torrent";
    let file = fs::File::create(watched.join(name)).expect("made");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("ours");
    let begun = std::time::Instant::now();
    while !scene.log().contains("forged") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", scene.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let log = scene.log();
    assert!(!log.lines().any(|line| line.contains("forged") && !line.contains("not added")), "{log}");
    assert!(!log.chars().any(|letter| letter.is_control() && letter != '\n'), "{log:?}");
}
