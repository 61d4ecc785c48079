//! `transmission-remote` (Debian: transmission-cli).

use std::process::{Command, Output};

use serde_json::json;

use crate::daemon::{Daemon, PATIENCE};
use crate::process::wait_for;
use crate::torrents::{TRACKER, Torrent};

/// The program, and the daemon that it drives.
struct Remote(Daemon);

impl Remote {
    /// `None` where the program is not installed.
    fn start() -> Option<Remote> {
        if Command::new("transmission-remote").arg("--version").output().is_ok() {
            return Some(Remote(Daemon::start()));
        }
        assert!(std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "transmission-remote is missing");
        println!("SKIPPED: transmission-remote is not installed (Debian: transmission-cli)");
        None
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("transmission-remote");
        command.arg(format!("127.0.0.1:{}", self.0.port())).args(["--auth", &format!("sower:{}", self.0.token)]);
        command.env("LC_ALL", "C.UTF-8").args(arguments).output().expect("it runs")
    }

    /// What it prints when all goes well.
    fn prints(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Has it do something.
    fn does(&self, arguments: &[&str]) {
        let text = self.prints(arguments);
        assert!(text.contains("responded: \"success\""), "{arguments:?}: {text}");
    }

    fn until_prints(&self, arguments: &[&str], what: &str) {
        wait_for(what, PATIENCE, || self.prints(arguments).contains(what).then_some(()));
    }

    /// Adds a torrent from a file; its hash.
    fn add<'a>(&self, torrent: &'a Torrent, further: &[&str]) -> &'a str {
        let path = self.0.folder.path().join(format!("{}.torrent", torrent.hash));
        std::fs::write(&path, &torrent.file).expect("written");
        self.does(&[&["--add", path.to_str().expect("an ASCII path")], further].concat());
        &torrent.hash
    }
}

#[test]
fn torrents_are_added_from_files_and_magnet_links_and_twice_is_no_fault() {
    let Some(remote) = Remote::start() else { return };
    let torrent = Torrent::folder("pack");
    torrent.write(&remote.0.data());
    let hash = remote.add(&torrent, &[]);
    remote.0.until_seeding(hash);
    remote.add(&torrent, &[]);
    let magnet = "0123456789abcdef0123456789abcdef01234567";
    remote.does(&["--add", &format!("magnet:?xt=urn:btih:{magnet}&dn=from+afar")]);
    let mut hashes = remote.0.hashes();
    hashes.sort();
    let mut expected = [hash.to_owned(), magnet.to_owned()];
    expected.sort();
    assert_eq!(hashes, expected);
    let list = remote.prints(&["--list"]);
    assert!(list.contains("pack") && list.contains("from afar") && list.contains("100%"), "{list}");
}

#[test]
fn lists_files_trackers_pieces_and_details_are_shown() {
    let Some(remote) = Remote::start() else { return };
    let torrent = Torrent::folder("pack");
    torrent.write(&remote.0.data());
    let hash = remote.add(&torrent, &["--labels", "linux,iso"]);
    remote.0.until_seeding(hash);
    let shows = |argument: &str, expected: &[&str]| {
        let text = remote.prints(&["--torrent", hash, argument]);
        expected.iter().for_each(|part| assert!(text.contains(part), "{argument}: {part:?} is not in:\n{text}"));
    };
    shows("--info-files", &["pack (2 files)", "pack/a.bin", "pack/sub/b.bin", "100% Normal   Yes"]);
    shows("--info-trackers", &["Tracker 0: 127.0.0.1:9", "Active in tier 0"]);
    shows("--info-pieces", &["111111"]);
    shows("--info-peers", &["Address"]);
    let data = remote.0.data();
    let location = format!("Location: {}", data.display());
    shows("--info", &["Name: pack", hash, "Percent Done: 100%", "Total size: 170.0 kB", "Piece Count: 6", &location]);
    let session = remote.prints(&["--session-info"]);
    assert!(session.contains("Daemon version: 4.0.6 (sower)") && session.contains("RPC version: 17"), "{session}");
    assert!(session.contains("Upload speed limit: Unlimited"), "{session}");
    assert!(remote.prints(&["--session-stats"]).contains("CURRENT SESSION"));
}

#[test]
fn torrents_are_stopped_started_verified_and_labelled() {
    let Some(remote) = Remote::start() else { return };
    let torrent = Torrent::single("one.bin");
    torrent.write(&remote.0.data());
    let hash = remote.add(&torrent, &[]);
    remote.0.until_seeding(hash);
    let of = ["--torrent", hash];
    let does = |arguments: &[&str]| remote.does(&[&of, arguments].concat());
    does(&["--stop"]);
    assert_eq!(remote.0.field(hash, "status"), 0);
    assert!(remote.prints(&["--list"]).contains("Stopped"));
    // what is broken while it is stopped is found
    std::fs::write(remote.0.data().join("one.bin"), vec![0; 150_000]).expect("written");
    does(&["--verify"]);
    remote.0.until(hash, "haveValid", |have| *have == 0);
    remote.0.until(hash, "leftUntilDone", |left| *left == 150_000);
    torrent.write(&remote.0.data());
    does(&["--verify"]);
    does(&["--start"]);
    remote.0.until_seeding(hash);
    does(&["--labels", "linux, iso"]);
    assert_eq!(remote.0.field(hash, "labels"), json!(["iso", "linux"]));
    does(&["--reannounce"]);
    assert!(torrent.is_in(&remote.0.data()));
}

#[test]
fn limits_trackers_and_wishes_for_files_are_kept() {
    let Some(remote) = Remote::start() else { return };
    let torrent = Torrent::folder("pack");
    let hash = remote.add(&torrent, &["--stop"]);
    let does = |arguments: &[&str]| remote.does(&[&["--torrent", hash], arguments].concat());
    let is = |field: &str, expected: serde_json::Value| assert_eq!(remote.0.field(hash, field), expected, "{field}");
    is("status", json!(0));
    does(&["--uplimit", "50", "--downlimit", "60", "--seedratio", "2.5", "--peers", "33"]);
    is("uploadLimit", json!(50));
    is("uploadLimited", json!(true));
    is("downloadLimit", json!(60));
    is("seedRatioLimit", json!(2.5));
    is("seedRatioMode", json!(1));
    is("peer-limit", json!(33));
    does(&["--no-uplimit", "--no-seedratio"]);
    is("uploadLimited", json!(false));
    is("seedRatioMode", json!(2));
    does(&["--tracker-add", "http://127.0.0.1:10/announce"]);
    is("trackerList", json!(format!("{TRACKER}\n\nhttp://127.0.0.1:10/announce")));
    does(&["--tracker-remove", "0"]);
    is("trackerList", json!("http://127.0.0.1:10/announce"));
    does(&["--no-get", "1", "--priority-high", "0"]);
    is("wanted", json!([1, 0]));
    is("priorities", json!([1, 0]));
    is("sizeWhenDone", json!(100_000));
    does(&["--get", "all"]);
    is("wanted", json!([1, 1]));
}

#[test]
fn limits_of_all_are_kept() {
    let Some(remote) = Remote::start() else { return };
    remote.does(&[
        "--uplimit",
        "500",
        "--global-seedratio",
        "3",
        "--alt-speed-uplimit",
        "5",
        "--alt-speed",
        "--no-start-paused",
    ]);
    let session = remote.0.must("session-get", json!({}));
    assert_eq!((&session["speed-limit-up"], &session["speed-limit-up-enabled"]), (&json!(500), &json!(true)));
    assert_eq!((&session["seedRatioLimit"], &session["seedRatioLimited"]), (&json!(3.0), &json!(true)));
    assert_eq!((&session["alt-speed-up"], &session["alt-speed-enabled"]), (&json!(5), &json!(true)));
    remote.does(&["--no-uplimit", "--no-alt-speed"]);
    assert!(remote.prints(&["--session-info"]).contains("Upload speed limit: Unlimited"));
    let script = remote.run(&["--torrent-done-script", "/bin/true"]);
    assert!(
        !script.status.success() && String::from_utf8_lossy(&script.stdout).contains("script-torrent-done"),
        "{script:?}"
    );
}

#[test]
fn content_is_moved_and_found_again() {
    let Some(remote) = Remote::start() else { return };
    let torrent = Torrent::folder("pack");
    torrent.write(&remote.0.data());
    let hash = remote.add(&torrent, &[]);
    remote.0.until_seeding(hash);
    let elsewhere = remote.0.data().join("elsewhere");
    let text = elsewhere.to_str().expect("an ASCII path");
    remote.does(&["--torrent", hash, "--move", text]);
    remote.0.until(hash, "downloadDir", |folder| folder == text);
    remote.0.until_seeding(hash);
    assert!(torrent.is_in(&elsewhere) && torrent.is_gone_from(&remote.0.data()));
    let third = remote.0.data().join("third");
    std::fs::rename(&elsewhere, &third).expect("moved by hand");
    remote.does(&["--torrent", hash, "--find", third.to_str().expect("an ASCII path")]);
    remote.0.until_seeding(hash);
    assert!(torrent.is_in(&third));
    let outside = remote.run(&["--torrent", hash, "--move", "/etc"]);
    assert!(!outside.status.success() && String::from_utf8_lossy(&outside.stdout).contains("outside"), "{outside:?}");
}

#[test]
fn torrents_are_removed_without_and_with_their_data() {
    let Some(remote) = Remote::start() else { return };
    let (kept, deleted) = (Torrent::folder("kept"), Torrent::folder("deleted"));
    for torrent in [&kept, &deleted] {
        torrent.write(&remote.0.data());
        remote.add(torrent, &[]);
        remote.0.until_seeding(&torrent.hash);
    }
    remote.does(&["--torrent", &kept.hash, "--remove"]);
    assert_eq!(remote.0.hashes(), std::slice::from_ref(&deleted.hash));
    remote.does(&["--torrent", &deleted.hash, "--remove-and-delete"]);
    assert!(remote.0.hashes().is_empty());
    wait_for("the files to be gone", PATIENCE, || deleted.is_gone_from(&remote.0.data()).then_some(()));
    assert!(kept.is_in(&remote.0.data()), "its files stay");
    remote.until_prints(&["--list"], "Sum:");
}
