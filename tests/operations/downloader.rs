//! A libtorrent that downloads from a daemon.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

/// Ended when dropped.
pub(crate) struct Downloader {
    child: Child,
    latest: Arc<Mutex<Value>>,
    _folder: TempDir,
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.venv/bin/python")
}

/// Whether there is a libtorrent; as root the tests require it.
pub(crate) fn is_there() -> bool {
    let found = python().is_file();
    let required = std::env::var_os("SOWER_REQUIRE_CLIENTS").is_some();
    assert!(found || !required, "the libtorrent client is missing: tests/run install");
    if !found {
        println!("SKIPPED: there is no libtorrent");
    }
    found
}

impl Downloader {
    /// Downloads from the daemon at `port`.
    pub(crate) fn start(torrent: &Path, port: u16) -> Downloader {
        let folder = tempfile::tempdir().expect("a folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations/downloader.py");
        let mut command = Command::new(python());
        command.arg(script).arg(torrent).arg(folder.path()).arg(port.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let latest = Arc::new(Mutex::new(Value::Null));
        let told = latest.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *told.lock().expect("not poisoned") = serde_json::from_str(&line).expect("JSON");
            }
        });
        Downloader { child, latest, _folder: folder }
    }

    fn latest(&self) -> Value {
        self.latest.lock().expect("not poisoned").clone()
    }

    /// Bytes of payload.
    pub(crate) fn received(&self) -> u64 {
        self.latest()["received"].as_u64().unwrap_or_default()
    }

    /// It has everything.
    pub(crate) fn is_done(&self) -> bool {
        self.latest()["done"] == true
    }

    /// How its connections ended, in its words.
    pub(crate) fn ends(&self) -> Vec<String> {
        let ends = self.latest()["ends"].as_array().cloned().unwrap_or_default();
        ends.iter().map(|end| end.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Downloader {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
