//! Moves that fail, and moves that are cut off.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::broken_disk::{BrokenDisk, Mood};
use super::namespace::{Family, isolated};
use super::process::wait_for;
use super::scene::{Manner, Memory, PATIENCE, Scene, Torrent, message};

#[test]
fn a_move_that_fails_leaves_all_where_it_was_and_is_told_until_another_is_asked_for() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::prepare(Manner::default());
        let small = Memory::new(&scene.data().join("small"), 256);
        scene.start();
        let torrent = Torrent::new("one", 1_000_000);
        scene.seed(&torrent, &scene.data());
        let path = format!("/api/v1/torrents/{}", torrent.hash);
        scene.order(&format!("PATCH {path}"), Some(json!({ "folder": small.path })));
        let is_told = |row: &serde_json::Value| message(row).starts_with("not moved") && row["activity"] == "seeding";
        let row = scene.until_row("it is told", &torrent, is_told);
        assert!(message(&row).contains("no space left"), "{row}");
        assert_eq!(fs::read_dir(&small.path).expect("there").count(), 0, "half a copy was left");
        scene.download(&torrent);
        assert!(is_told(&scene.row(&torrent)), "it is still told");
        // where there is room
        let other = scene.data().join("other");
        scene.order(&format!("PATCH {path}"), Some(json!({ "folder": other })));
        scene.until_row("it is moved", &torrent, |row| {
            row["activity"] == "seeding" && message(row).is_empty() && row["folder"] == other.to_str().expect("UTF-8")
        });
        assert!(fs::read(other.join("one")).expect("moved") == torrent.content);

        // a name behind a link that leads out
        let outside = scene.workspace.folder("outside");
        symlink(&outside, other.join("link")).expect("made");
        let reply =
            scene.request(&format!("POST {path}/rename_path"), Some(json!({ "from": "one", "to": "link/one" })));
        assert!(reply.status == 409 && reply.text().contains("not moved"), "{} {}", reply.status, reply.text());
        assert!(other.join("one").exists() && fs::read_dir(&outside).expect("there").count() == 0);
        scene.download(&torrent);
    });
}

#[test]
fn a_move_that_is_cut_off_is_gone_on_with_by_the_next_start() {
    isolated(Family::V4, &[], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner::default());
        let disk = BrokenDisk::new(&scene.data(), "disk");
        scene.start();
        let torrent = Torrent::new("one", 3_000_000);
        scene.seed(&torrent, &scene.data());
        disk.set_slow_writes(true);
        let change = json!({ "folder": disk.path });
        scene.order(&format!("PATCH /api/v1/torrents/{}", torrent.hash), Some(change));
        wait_for("a part of it is copied", PATIENCE, || {
            let copy = fs::read_dir(&disk.behind).expect("there").flatten().next()?;
            (copy.metadata().ok()?.len() > 0).then_some(())
        });
        scene.kill();
        disk.set_slow_writes(false);
        // the disk that it goes to is broken at first
        disk.set(Mood::RefusesWrites(rustix::io::Errno::IO));
        scene.start();
        let row = scene.until_is(&torrent, "failed");
        assert!(message(&row).starts_with("not moved") && message(&row).contains("dmesg"), "{row}");
        disk.set(Mood::Well);
        scene.until_row("it is moved", &torrent, |row| {
            row["activity"] == "seeding" && row["folder"] == disk.path.to_str().expect("UTF-8")
        });
        assert!(fs::read(disk.behind.join("one")).expect("moved") == torrent.content);
        assert!(!scene.data().join("one").exists());
        scene.download(&torrent);
    });
}
