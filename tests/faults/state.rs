//! A state that cannot be kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::io::Errno;
use serde_json::{Value, json};

use super::broken_disk::{BrokenDisk, Mood};
use super::namespace::{Family, isolated};
use super::scene::{Manner, Memory, NOBODY, Scene, Torrent, sent};

/// Everything that is to outlive whatever happens to the state.
struct Kept {
    first: Torrent,
    late: Torrent,
}

impl Kept {
    /// Two are seeded; one is sent once.
    fn new(scene: &Scene) -> Kept {
        let kept = Kept { first: Torrent::new("first", 300_000), late: Torrent::new("late", 300_000) };
        scene.seed(&kept.first, &scene.data());
        scene.download(&kept.first);
        kept.late.write(&scene.data());
        kept
    }

    /// While nothing can be kept: all goes on, and what is changed holds.
    fn change(&self, scene: &Scene) {
        let path = format!("/api/v1/torrents/{}", self.first.hash);
        scene.order(&format!("PATCH {path}"), Some(json!({ "tags": ["while full"], "ratio_limit": 7.5 })));
        scene.download(&self.first);
        scene.until_row("both are counted", &self.first, |row| sent(row) >= 600_000);
    }

    /// After a crash, once what was changed has had the time to be kept.
    fn outlives(&self, scene: &mut Scene) {
        scene.pass(3);
        scene.kill();
        scene.start();
        self.holds(scene);
    }

    fn holds(&self, scene: &Scene) {
        let row = scene.until_is(&self.first, "seeding");
        assert_eq!((&row["tags"], &row["ratio_limit"]), (&json!(["while full"]), &json!(7.5)), "{row}");
        assert!(sent(&row) >= 600_000, "{row}");
        let totals = scene.get("/api/v1/totals");
        assert!(sent(&totals) >= 600_000, "{totals}");
    }
}

#[test]
fn a_full_disk_under_the_state_is_told_and_costs_nothing() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::prepare(Manner::default());
        let disk = Memory::new(&scene.state(), 4 << 10);
        scene.start();
        let kept = Kept::new(&scene);
        let filler = disk.fill();
        kept.change(&scene);
        scene.until_trouble(&["state cannot be saved", "No space left", "free some space", "Nothing is lost"]);
        // what has to be on disk before it is said to be there is refused, with the reason
        let reply = scene.try_add(&kept.late, &scene.data());
        assert!(reply.status >= 400 && reply.text().contains("free some space"), "{} {}", reply.status, reply.text());
        scene.order(&format!("POST /api/v1/torrents/{}/verify", kept.first.hash), None);
        scene.until_is(&kept.first, "seeding");

        fs::remove_file(&filler).expect("removed");
        scene.until_no_trouble();
        scene.add(&kept.late, &scene.data());
        scene.until_is(&kept.late, "seeding");
        kept.holds(&scene);
        kept.outlives(&mut scene);
        scene.until_is(&kept.late, "seeding");

        // killed on a full disk, and started on it: what was kept before is there
        disk.fill();
        scene.kill();
        scene.start();
        kept.holds(&scene);
        scene.until_is(&kept.late, "seeding");
        scene.download(&kept.late);
        fs::remove_file(&filler).expect("removed");
        scene.until_no_trouble();
        assert!(scene.end().success());
    });
}

#[test]
fn a_broken_disk_under_the_state_is_told_and_costs_nothing() {
    isolated(Family::V4, &[], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner::default());
        let disk = BrokenDisk::new(scene.workspace.path(), "state");
        scene.start();
        let kept = Kept::new(&scene);
        disk.set(Mood::RefusesWrites(Errno::IO));
        kept.change(&scene);
        scene.until_trouble(&["state cannot be saved", "dmesg", "Nothing is lost"]);
        let reply = scene.try_add(&kept.late, &scene.data());
        assert!(reply.status >= 400 && reply.text().contains("dmesg"), "{} {}", reply.status, reply.text());
        disk.set(Mood::Well);
        scene.until_no_trouble();
        scene.add(&kept.late, &scene.data());
        kept.holds(&scene);
        kept.outlives(&mut scene);
        scene.until_is(&kept.late, "seeding");
        // one that cannot be read is not taken for a new one
        scene.kill();
        disk.set(Mood::Refuses(Errno::IO));
        let said = scene.start_in_vain();
        assert!(said.contains("os error 5") || said.contains("Input/output"), "{said}");
        disk.set(Mood::Well);
        scene.start();
        kept.holds(&scene);
        assert!(scene.end().success());
    });
}

#[test]
fn a_state_that_may_not_be_written_is_told_and_costs_nothing() {
    isolated(Family::V4, &["setpriv"], || {
        let mut scene = Scene::prepare(Manner { nobody: true, ..Manner::default() });
        scene.start();
        let kept = Kept::new(&scene);
        scene.give(&scene.data().join("late"));
        let mode = |path: &str, mode| {
            let path = scene.state().join(path);
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
        };
        mode("torrents", 0o500);
        let reply = scene.try_add(&kept.late, &scene.data());
        let word = "let the user that runs sower write it";
        assert!(reply.status >= 400 && reply.text().contains(word), "{} {}", reply.status, reply.text());
        mode("torrents", 0o700);
        scene.add(&kept.late, &scene.data());
        kept.change(&scene);
        kept.holds(&scene);
        assert!(scene.end().success());
        // at a start nothing is put in the place of what cannot be read
        for (path, closed, open) in [("state.sqlite", 0, 0o600), ("", 0, 0o700), ("torrents", 0, 0o700)] {
            let path = scene.state().join(path);
            fs::set_permissions(&path, fs::Permissions::from_mode(closed)).expect("root may");
            let said = scene.start_in_vain();
            assert!(said.to_lowercase().contains("permission denied"), "{said}");
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("root may");
        }
        scene.start();
        kept.holds(&scene);
        scene.until_is(&kept.late, "seeding");
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(scene.state()).expect("there")), NOBODY);
    });
}

#[test]
fn a_state_whose_disk_is_unmounted_is_told_and_nothing_is_put_in_its_place() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::prepare(Manner::default());
        let behind = scene.workspace.folder("behind");
        let mount = || {
            super::process::run("mount", &["--bind", &behind.to_string_lossy(), &scene.state().to_string_lossy()]);
        };
        mount();
        let state = scene.state();
        scene.start();
        let kept = Kept::new(&scene);
        super::process::run("umount", &["--lazy", &state.to_string_lossy()]);
        kept.change(&scene);
        let reply = scene.try_add(&kept.late, &scene.data());
        assert!(reply.status >= 400, "{} {}", reply.status, reply.text());
        let empty: Vec<_> = fs::read_dir(&state).expect("there").flatten().map(|entry| entry.file_name()).collect();
        assert!(empty.is_empty(), "{empty:?}");
        super::process::run("mount", &["--bind", &behind.to_string_lossy(), &state.to_string_lossy()]);
        scene.until_no_trouble();
        scene.add(&kept.late, &scene.data());
        kept.holds(&scene);
        kept.outlives(&mut scene);
        scene.until_is(&kept.late, "seeding");
    });
}

#[test]
fn a_watched_file_that_finds_no_room_is_added_once_there_is_some() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::prepare(Manner::default());
        let watched = scene.data().join("watched");
        fs::create_dir(&watched).expect("made");
        let disk = Memory::new(&scene.state(), 4 << 10);
        scene.start();
        scene.order("PATCH /api/v1/settings", Some(json!({ "watch_folders": [watched] })));
        let torrent = Torrent::new("seen", 300_000);
        torrent.write(&scene.data());
        let filler = disk.fill();
        fs::write(watched.join("seen.torrent"), &torrent.file).expect("written");
        super::process::wait_for("it is told", super::scene::PATIENCE, || {
            scene.log().contains("it is tried again").then_some(())
        });
        assert!(watched.join("seen.torrent").exists(), "it was given up");
        fs::remove_file(filler).expect("removed");
        let is_there = |list: &Value| list["torrents"].as_array().is_some_and(|rows| !rows.is_empty());
        scene.until("it is added", "/api/v1/torrents", is_there);
        scene.until_is(&torrent, "seeding");
        super::process::wait_for("it is marked", super::scene::PATIENCE, || {
            watched.join("seen.torrent.added").exists().then_some(())
        });
    });
}
