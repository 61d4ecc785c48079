//! Clocks that jump. libfaketime gives the daemon a date that a file says; the clock that nobody sets goes on as it does.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::namespace::{Family, isolated};
use super::scene::{Manner, Scene, Torrent, sent};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
fn a_clock_that_jumps_forth_and_back_seeds_nothing_longer_and_loses_nothing() {
    isolated(Family::V4, &[], || {
        if !PathBuf::from(LIBRARY).exists() {
            println!("SKIPPED: there is no libfaketime");
            return;
        }
        let date = tempfile::NamedTempFile::new().expect("a file");
        let set = |by: &str| fs::write(date.path(), by).expect("written");
        set("+0");
        let environment = [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", date.path().to_str().expect("UTF-8")),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let mut scene = Scene::prepare(Manner { environment, ..Manner::default() });
        scene.start();
        // an hour of seeding, or of idling, would be the end of it
        let change = json!({ "seeding_limit": 60, "idle_limit": 60, "limit_action": "remove_with_data",
            "budget": { "bytes": 1_000_000_000, "day": 1, "paced": false } });
        scene.order("PATCH /api/v1/settings", Some(change));
        let torrent = Torrent::new("one", 300_000);
        scene.seed(&torrent, &scene.data());
        scene.download(&torrent);
        let before = scene.until_row("it is counted", &torrent, |row| sent(row) >= 300_000);
        let added_at = before["added_at"].as_i64().expect("a time");
        for (turn, by) in ["+400d", "-400d", "+0"].into_iter().enumerate() {
            set(by);
            // limits are looked at every five seconds
            scene.pass(6);
            let row = scene.until_is(&torrent, "seeding");
            let seeded = row["seeding_seconds"].as_u64().expect("a number");
            assert!(seeded < 300, "after {by}: {row}");
            assert!(turn == 0 || seeded > 0, "after {by}: {row}");
            assert_eq!(row["added_at"], added_at, "{row}");
        }
        set("+400d");
        scene.download(&torrent);
        scene.until_row("it is counted", &torrent, |row| sent(row) >= 600_000);
        let totals = scene.get("/api/v1/totals");
        assert!(totals["session_seconds"].as_u64().is_some_and(|seconds| seconds < 300), "{totals}");
        scene.pass(3);
        scene.kill();
        set("-10d");
        scene.start();
        let row = scene.until_is(&torrent, "seeding");
        assert!(sent(&row) >= 600_000 && row["seeding_seconds"].as_u64().is_some_and(|seconds| seconds < 300), "{row}");
        scene.download(&torrent);
        assert!(scene.end().success());
    });
}
