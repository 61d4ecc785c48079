//! What trackers say of a torrent, as all three APIs show it: with Debian's opentracker, and with one that warns. `trackers.py` looks
//! with the real clients.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::json;

use crate::daemon::{Daemon, PATIENCE};
use crate::process::wait_for;
use crate::torrents::{TRACKER, Torrent};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transmission_rpc/trackers.py");

/// A running opentracker that serves the torrents on its list alone; killed when dropped.
struct OpenTracker {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl OpenTracker {
    fn start() -> OpenTracker {
        let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir();
        let folder = folder.expect("a folder");
        std::fs::write(folder.path().join("list"), "").expect("written");
        // it cannot be given port 0 and asked which it got
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let mut command = Command::new("opentracker");
        command.args([
            "-i",
            "127.0.0.1",
            "-P",
            &port.to_string(),
            "-p",
            &port.to_string(),
            "-u",
            "nobody",
            "-w",
            "list",
        ]);
        command.arg("-d").arg(folder.path()).current_dir(folder.path()).stderr(Stdio::null());
        let process = command.spawn().expect("it runs");
        wait_for("opentracker to listen", PATIENCE, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        OpenTracker { process, port, folder }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    /// Serves the torrent of `hash` from now on.
    fn serve(&self, hash: &str) {
        std::fs::write(self.folder.path().join("list"), format!("{hash}\n")).expect("written");
        let hang_up = Command::new("kill").args(["-s", "HUP", &self.process.id().to_string()]).status();
        assert!(hang_up.expect("kill").success());
        let is_served = || self.announce(hash, 7_001, 0).contains("interval").then_some(());
        wait_for("opentracker to serve it", PATIENCE, is_served);
    }

    /// A peer at `port` announces itself.
    fn announce(&self, hash: &str, port: u16, left: u64) -> String {
        let digits = (0..20).map(|at| format!("%{}", &hash[2 * at..2 * at + 2])).collect::<String>();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        let query =
            format!("info_hash={digits}&peer_id=-XX0001-{port:012}&port={port}&uploaded=0&downloaded=0&left={left}");
        write!(stream, "GET /announce?{query}&event=started HTTP/1.0\r\n\r\n").expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for OpenTracker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A tracker that answers everybody with a warning; where it is.
fn warning_tracker(warning: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let body = format!(
                "d8:completei4e10:incompletei3e8:intervali1800e5:peers0:15:warning message{}:{warning}e",
                warning.len()
            );
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}/announce")
}

/// Has the real clients look until they see what is expected.
fn look(daemon: &Daemon, hash: &str, expected: &serde_json::Value) {
    let output = Command::new(PYTHON)
        .args([SCRIPT, &daemon.port().to_string(), &daemon.token, hash, &expected.to_string()])
        .output()
        .expect("Python runs");
    let log = || std::fs::read_to_string(daemon.folder.path().join("daemon.log")).unwrap_or_default();
    assert!(output.status.success(), "{expected}: {}\n{}", String::from_utf8_lossy(&output.stderr), log());
}

fn transmission_remote(daemon: &Daemon) -> Output {
    let mut command = Command::new("transmission-remote");
    command.arg(format!("127.0.0.1:{}", daemon.port())).args(["--auth", &format!("sower:{}", daemon.token), "--list"]);
    command.env("LC_ALL", "C.UTF-8").output().expect("it runs")
}

fn is_marked(daemon: &Daemon) -> bool {
    let list = String::from_utf8_lossy(&transmission_remote(daemon).stdout).into_owned();
    let line = list.lines().find(|line| line.contains("heard of")).unwrap_or_else(|| panic!("not listed: {list}"));
    line.split_whitespace().next().is_some_and(|id| id.ends_with('*'))
}

fn has(what: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "{what} is missing");
        println!("SKIPPED: {what} is not there: run tests/run install");
    }
    found
}

#[test]
fn what_trackers_say_is_shown_by_every_api_and_goes_when_they_say_otherwise() {
    let runs = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !has("opentracker", Command::new("opentracker").arg("-h").output().is_ok())
        || !has("transmission-remote", Command::new("transmission-remote").arg("--version").output().is_ok())
        || !has("transmission-rpc or qbittorrent-api", runs(PYTHON, &["-c", "import transmission_rpc, qbittorrentapi"]))
    {
        return;
    }
    let (daemon, tracker) = (Daemon::start(), OpenTracker::start());
    let torrent = Torrent::folder("heard of");
    torrent.write(&daemon.data());
    let hash = &daemon.add(&torrent.file);
    daemon.must("torrent-set", json!({ "ids": [hash], "trackerList": tracker.url() }));
    daemon.until_seeding(hash);
    look(&daemon, hash, &json!({ "error": 2, "trouble": "refused", "text": "not authorized", "seeds": null }));
    assert!(is_marked(&daemon));

    // another seed, a leecher and itself
    tracker.serve(hash);
    tracker.announce(hash, 7_002, 500);
    daemon.must("torrent-reannounce", json!({ "ids": [hash] }));
    look(&daemon, hash, &json!({ "error": 0, "trouble": null, "text": "", "seeds": 2, "leechers": 1 }));
    assert!(!is_marked(&daemon));

    // nobody is there: nothing that would keep the torrent from being imported
    daemon.must("torrent-set", json!({ "ids": [hash], "trackerList": TRACKER }));
    look(
        &daemon,
        hash,
        &json!({ "error": 0, "trouble": "unreachable", "text": "refused the connection", "seeds": null }),
    );
    assert!(!is_marked(&daemon));

    let url = warning_tracker("update your client");
    daemon.must("torrent-set", json!({ "ids": [hash], "trackerList": url }));
    look(
        &daemon,
        hash,
        &json!({ "error": 1, "trouble": "warned", "text": "update your client", "seeds": 4, "leechers": 3 }),
    );
    assert!(is_marked(&daemon));
    daemon.must("torrent-stop", json!({ "ids": [hash] }));
    assert_eq!(daemon.field(hash, "error"), 0, "nobody is asked any more");
}
