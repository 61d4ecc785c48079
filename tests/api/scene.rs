//! A real daemon in a scratch folder, and small torrents for it.
#![allow(dead_code, reason = "tests of the API and of its security need different parts")]

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sower::metainfo::{Builder, Metainfo};

use super::http::{Reply, ask, try_ask};

/// A running daemon; killed when dropped. Of its methods, each test program needs others.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    daemon: Child,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with_environment(&[])
    }

    /// With variables in its environment.
    pub(crate) fn with_environment(variables: &[(&str, &str)]) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("data")).expect("made");
        let (address, daemon) = start(&folder, variables);
        let token = fs::read_to_string(folder.path().join("state/token")).expect("made at the start").trim().to_owned();
        Scene { folder, address, token, daemon }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// Resident memory of the daemon, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it lives");
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("it is told") * 1024
    }

    /// What the daemon has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("there")
    }

    /// Tells the daemon to end and waits until it has.
    pub(crate) fn end(&mut self) -> bool {
        let pid = rustix::process::Pid::from_child(&self.daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it lives");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.daemon.try_wait().expect("ours") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// A request with the token, and JSON if there is some.
    pub(crate) fn ask(&self, request: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let head =
            format!("{request} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json", self.token);
        ask(self.address, &head, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.ask(&format!("GET {path}"), None);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// Waits until what is at `path` is as `is` says.
    pub(crate) fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let last = self.get(path);
            if is(&last) {
                return last;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{path} stayed {last}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Puts content into the data folder and adds its torrent; its hash.
    pub(crate) fn seed(&self, name: &str, length: usize) -> String {
        let torrent = Torrent::new(name, length);
        fs::write(self.data().join(name), &torrent.content).expect("written");
        let reply = self.ask("POST /api/v1/torrents", Some(json!({ "torrent": STANDARD.encode(&torrent.file) })));
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.until(&format!("/api/v1/torrents/{}", torrent.hash), |shown| shown["activity"] == "seeding");
        torrent.hash
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.log());
        }
    }
}

/// At a port that was free just now; another program may have taken it meanwhile, so more than once.
fn start(folder: &tempfile::TempDir, variables: &[(&str, &str)]) -> (SocketAddr, Child) {
    let binary = std::env::var_os("SOWER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sower").into());
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let log = fs::File::create(folder.path().join("log")).expect("made");
        let mut daemon = Command::new(&binary)
            .args(["daemon", "--port", "0", "--api", &free.to_string(), "--state"])
            .arg(folder.path().join("state"))
            .arg("--downloads")
            .arg(folder.path().join("data"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) && daemon.try_wait().expect("ours").is_none() {
            if try_ask(free, "GET /readyz HTTP/1.1", b"").is_ok_and(|reply| reply.status == 200) {
                return (free, daemon);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let _ = (daemon.kill(), daemon.wait());
    }
    let mut said = String::new();
    let _ = fs::File::open(folder.path().join("log")).and_then(|mut log| log.read_to_string(&mut said));
    panic!("the daemon does not start: {said}");
}

/// A torrent of one file.
pub(crate) struct Torrent {
    pub(crate) file: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) hash: String,
}

impl Torrent {
    pub(crate) fn new(name: &str, length: usize) -> Torrent {
        const PIECE: usize = 32 * 1024;
        let mut rng = fastrand::Rng::with_seed(length as u64);
        let content: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        let digests = content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect();
        let builder = Builder::single(name.as_ref(), length as u64, 32 * 1024).hashes(digests);
        let file = builder.write().expect("a torrent");
        let hash = Metainfo::parse(&file).expect("good").info_hash().to_string();
        Torrent { file, content, hash }
    }
}
