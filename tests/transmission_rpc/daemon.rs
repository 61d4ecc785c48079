//! A daemon in a scratch folder, and plain requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::process::{Process, wait_for};

/// For anything to happen on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `sower daemon`; killed when dropped.
pub(crate) struct Daemon {
    process: Process,
    address: SocketAddr,
    session_id: String,
    pub(crate) token: String,
    pub(crate) folder: tempfile::TempDir,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Daemon {
    pub(crate) fn start() -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        // a port that was free may be taken by another test a moment later
        let (process, address) = (0..5).find_map(|_| try_start(folder.path())).expect("a free port");
        let token = std::fs::read_to_string(folder.path().join("state/token")).expect("a token");
        let mut daemon = Daemon { process, address, session_id: String::new(), token: token.trim().to_owned(), folder };
        daemon.session_id = daemon.send("POST", &[&daemon.basic()], b"{}").header("x-transmission-session-id");
        daemon
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where content goes.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A header that proves who asks.
    pub(crate) fn basic(&self) -> String {
        format!("Authorization: Basic {}", STANDARD.encode(format!("sower:{}", self.token)))
    }

    /// The header that a page of another site cannot know.
    pub(crate) fn csrf(&self) -> String {
        format!("X-Transmission-Session-Id: {}", self.session_id)
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, method: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.process_runs();
        let mut stream = TcpStream::connect(self.address).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut head =
            format!("{method} /transmission/rpc HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).expect("the daemon reads");
        // one that refuses does not read on
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&answer)
    }

    /// Posts a body of its owner.
    pub(crate) fn post(&self, body: &[u8]) -> Value {
        let answer = self.send("POST", &[&self.basic(), &self.csrf(), "Content-Type: application/json"], body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Calls a method.
    pub(crate) fn call(&self, method: &str, arguments: Value) -> Result<Value, String> {
        let answer = self.post(json!({ "method": method, "arguments": arguments }).to_string().as_bytes());
        match answer["result"].as_str() {
            Some("success") => Ok(answer["arguments"].clone()),
            result => Err(result.expect("a result").to_owned()),
        }
    }

    /// Calls a method that must go well.
    pub(crate) fn must(&self, method: &str, arguments: Value) -> Value {
        self.call(method, arguments.clone()).unwrap_or_else(|error| panic!("{method} {arguments}: {error}"))
    }

    /// A field of a torrent.
    pub(crate) fn field(&self, hash: &str, field: &str) -> Value {
        let torrents = self.must("torrent-get", json!({ "ids": [hash], "fields": [field] }));
        torrents["torrents"][0][field].clone()
    }

    /// Waits until a field of a torrent is as `is` says.
    pub(crate) fn until(&self, hash: &str, field: &str, is: impl Fn(&Value) -> bool) {
        wait_for(&format!("{field} of {hash}"), PATIENCE, || is(&self.field(hash, field)).then_some(()));
    }

    pub(crate) fn until_seeding(&self, hash: &str) {
        self.until(hash, "status", |status| *status == 6);
    }

    /// Adds a torrent file; its hash.
    pub(crate) fn add(&self, torrent: &[u8]) -> String {
        let added = self.must("torrent-add", json!({ "metainfo": STANDARD.encode(torrent) }));
        added["torrent-added"]["hashString"].as_str().expect("a hash").to_owned()
    }

    /// Hashes of all torrents.
    pub(crate) fn hashes(&self) -> Vec<String> {
        let torrents = self.must("torrent-get", json!({ "fields": ["hashString"] }));
        let torrents = torrents["torrents"].as_array().expect("a list").clone();
        torrents.iter().map(|torrent| torrent["hashString"].as_str().expect("a hash").to_owned()).collect()
    }

    /// Kilobytes of memory that belong to it alone.
    pub(crate) fn private_kilobytes(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id())).expect("it runs");
        let line = |name: &str| rollup.lines().find_map(|line| line.strip_prefix(name)).expect("a line").to_owned();
        let kilobytes = |name: &str| line(name).trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes("Private_Clean:") + kilobytes("Private_Dirty:")
    }

    /// Waits for it to end by itself.
    pub(crate) fn ends(&mut self) {
        let status = wait_for("the daemon to end", PATIENCE, || self.process.ended());
        assert!(status.success(), "{status}");
    }

    fn process_runs(&self) {
        assert!(Path::new(&format!("/proc/{}", self.process.id())).exists(), "the daemon ended");
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    }
}

/// Starts it and waits until it says where it listens; `None` if it ends before.
fn try_start(folder: &Path) -> Option<(Process, SocketAddr)> {
    let address = free_address();
    let program = std::env::var_os("SOWER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sower").into());
    let mut command = Command::new(program);
    command.args(["daemon", "--api", &address.to_string(), "--listen", "127.0.0.1", "--port", "0", "--state"]);
    command.arg(folder.join("state")).arg("--downloads").arg(folder.join("data"));
    let mut process = Process::start(command, "daemon", folder, false);
    let listens = wait_for("the daemon to listen", PATIENCE, || {
        let log = std::fs::read_to_string(folder.join("daemon.log")).unwrap_or_default();
        let says = log.contains(&address.to_string()) && TcpStream::connect(address).is_ok();
        match process.ended() {
            Some(_) => Some(false),
            None => says.then_some(true),
        }
    });
    listens.then_some((process, address))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
