//! A running daemon in a scratch folder.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::Api;

/// A `sower daemon`; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
}

/// Polls until `ready` has an answer.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

impl Daemon {
    pub(crate) fn new() -> Daemon {
        let folder = tempfile::tempdir().expect("a folder");
        let (child, address) = start(folder.path());
        Daemon { child, folder, address }
    }

    /// Everything of it lies below.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn downloads(&self) -> PathBuf {
        self.folder().join("downloads")
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.folder().join("state/token")).expect("a token").trim().to_owned()
    }

    /// Its API, for who has not said who they are.
    pub(crate) fn stranger(&self) -> Api {
        Api::new(self.address)
    }

    /// Its API after a login.
    pub(crate) fn api(&self) -> Api {
        self.stranger().login("sower", &self.token())
    }

    /// Waits until it ended, in order.
    pub(crate) fn ends(&mut self) {
        let status = wait_for("the end of the daemon", || self.child.try_wait().expect("waiting"));
        assert!(status.success(), "{status}");
    }

    /// Ends it in order and starts it again.
    pub(crate) fn restart(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().expect("kill").success());
        assert!(self.child.wait().expect("ended").success());
        (self.child, self.address) = start(self.folder.path());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder().join("log")).unwrap_or_default();
            eprintln!("the daemon said: {log}");
        }
    }
}

fn start(folder: &Path) -> (Child, SocketAddr) {
    let log = fs::File::create(folder.join("log")).expect("a log");
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.arg("daemon").args(["--port", "0", "--api", &address.to_string()]);
    command.arg("--state").arg(folder.join("state")).arg("--downloads").arg(folder.join("downloads"));
    command.arg("--root").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().expect("the daemon");
    wait_for("the daemon to listen", || {
        assert_eq!(child.try_wait().expect("waiting"), None, "{:?}", fs::read_to_string(folder.join("log")));
        TcpStream::connect(address).ok()
    });
    (child, address)
}

/// The torrent of `hash`, as the list has it.
pub(crate) fn torrent(api: &Api, hash: &str) -> Option<Value> {
    api.json(&format!("torrents/info?hashes={hash}")).as_array().expect("a list").first().cloned()
}

/// Waits until the torrent of `hash` is in one of `states`, with bars between.
pub(crate) fn until(api: &Api, hash: &str, states: &str) -> Value {
    let mut last = Value::Null;
    wait_for(states, || {
        last = torrent(api, hash).unwrap_or(Value::Null);
        let state = last["state"].as_str().unwrap_or("gone");
        states.split('|').any(|wanted| wanted == state).then(|| last.clone())
    })
}
