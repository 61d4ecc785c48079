//! The Python package transmission-rpc, driven by `drive.py`; what it did is looked up here.

use std::path::Path;
use std::process::Command;

use crate::daemon::{Daemon, PATIENCE};
use crate::process::wait_for;
use crate::torrents::Torrent;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transmission_rpc/drive.py");

#[test]
fn transmission_rpc_drives_torrents_through_their_lives() {
    let has_package = Command::new(PYTHON).args(["-c", "import transmission_rpc"]).output();
    if !has_package.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "transmission-rpc is missing");
        return println!("SKIPPED: transmission-rpc is not there: run tests/run install");
    }
    let daemon = Daemon::start();
    let (first, second) = (Torrent::folder("first"), Torrent::folder("second"));
    for torrent in [&first, &second] {
        torrent.write(&daemon.data());
        std::fs::write(daemon.folder.path().join(format!("{}.torrent", torrent.hash)), &torrent.file).expect("written");
    }
    let output = Command::new(PYTHON)
        .arg(SCRIPT)
        .args([&daemon.port().to_string(), &daemon.token, &first.hash, &second.hash])
        .arg(daemon.data())
        .current_dir(daemon.folder.path())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(daemon.hashes().is_empty(), "all of them were removed");
    assert!(first.is_in(&daemon.data().join("moved")), "it was moved, and removed without its data");
    wait_for("the files to be gone", PATIENCE, || second.is_gone_from(&daemon.data()).then_some(()));
    assert!(Path::new(&daemon.data()).is_dir());
}
