//! Disks that go, come back, and do not answer.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::broken_disk::{BrokenDisk, Mood};
use super::namespace::{Family, isolated};
use super::process::run;
use super::scene::{Manner, Scene, Torrent, message, sent};

fn mount(behind: &Path, at: &Path) {
    run("mount", &["--bind", &behind.to_string_lossy(), &at.to_string_lossy()]);
}

fn unmount(at: &Path) {
    run("umount", &["--lazy", &at.to_string_lossy()]);
}

#[test]
fn what_lies_on_a_disk_that_is_unmounted_is_waited_for_and_nothing_is_made_in_its_place() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::prepare(Manner::default());
        let (behind, disk) = (scene.workspace.folder("behind"), scene.data().join("disk"));
        fs::create_dir(&disk).expect("made");
        mount(&behind, &disk);
        scene.start();
        let [whole, part, begun] = ["whole", "part", "begun"].map(|name| Torrent::new(name, 2_000_000));
        scene.seed(&whole, &disk);
        scene.download(&whole);
        // half of this one is here, and nothing of the other
        let half: Vec<u8> = part.content[..1_000_000].iter().copied().chain(vec![0; 1_000_000]).collect();
        fs::write(disk.join("part"), half).expect("written");
        scene.add(&part, &disk);
        let row = scene.until_is(&part, "downloading");
        let left = row["left"].as_u64().expect("a number");
        scene.add(&begun, &disk);
        scene.until_is(&begun, "downloading");

        unmount(&disk);
        let is_absent = |scene: &Scene| {
            for torrent in [&whole, &part, &begun] {
                let row = scene.until_is(torrent, "absent");
                assert!(message(&row).contains("mounted?"), "{row}");
            }
            assert_eq!(scene.row(&whole)["progress"], 1);
            let now = scene.row(&part)["left"].as_u64().expect("a number");
            assert!(now.abs_diff(left) < 32 * 1024, "{now} were {left}");
            assert_eq!(fs::read_dir(&disk).expect("an empty folder").count(), 0, "something was made in its place");
        };
        is_absent(&scene);
        // those that have it do not change that
        let offers = [&part, &begun].map(|torrent| scene.offer(torrent));
        scene.order(&format!("POST /api/v1/torrents/{}/start", part.hash), None);
        scene.order(&format!("POST /api/v1/torrents/{}/verify", whole.hash), None);
        is_absent(&scene);

        mount(&behind, &disk);
        for torrent in [&whole, &part, &begun] {
            let row = scene.until_is(torrent, "seeding");
            assert!(message(&row).is_empty(), "{row}");
            assert!(fs::read(disk.join(&torrent.name)).expect("there") == torrent.content);
        }
        drop(offers);
        assert!(sent(&scene.row(&whole)) >= 2_000_000);

        // gone, and started without it
        assert!(scene.end().success());
        unmount(&disk);
        scene.start();
        for torrent in [&whole, &part, &begun] {
            assert_eq!(scene.until_is(torrent, "absent")["progress"], 1);
        }
        assert_eq!(fs::read_dir(&disk).expect("an empty folder").count(), 0);
        mount(&behind, &disk);
        scene.until_is(&whole, "seeding");
        scene.download(&whole);
    });
}

#[test]
fn a_disk_that_comes_back_by_another_number_is_not_read_all_over() {
    isolated(Family::V4, &[], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner::default());
        let disk = BrokenDisk::new(&scene.data(), "disk");
        scene.start();
        let torrent = Torrent::new("far", 2_000_000);
        scene.seed(&torrent, &disk.path);
        let number = |disk: &BrokenDisk| fs::metadata(&disk.path).expect("there").dev();
        let before = number(&disk);
        drop(disk);
        scene.until_is(&torrent, "absent");
        // takes the number, which the kernel would give out again
        let other = BrokenDisk::new(&scene.data(), "other");
        let disk = BrokenDisk::new(&scene.data(), "disk");
        assert_ne!(number(&disk), before, "{}", number(&other));
        scene.until_is(&torrent, "seeding");
        assert_eq!(disk.bytes_read(), 0, "it was hashed again");
        scene.download(&torrent);
        assert!(disk.bytes_read() > 0);
    });
}

#[test]
fn a_disk_that_does_not_answer_holds_up_nothing_but_what_is_on_it() {
    isolated(Family::V4, &[], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner::default());
        let disk = BrokenDisk::new(&scene.data(), "disk");
        scene.arguments(&["--root", &disk.path.to_string_lossy()]);
        scene.start();
        let [far, near, late, new] = ["far", "near", "late", "new"].map(|name| Torrent::new(name, 500_000));
        scene.seed(&far, &disk.path);
        scene.seed(&near, &scene.data());
        scene.download(&far);

        disk.set(Mood::Hangs);
        let asks = scene.ask_for(&far);
        // each of these has to look at the folder
        let there = disk.path.join("new");
        let orders: [(String, Value); 3] = [
            ("POST /api/v1/torrents".into(), json!({ "torrent": STANDARD.encode(&late.file), "folder": there })),
            ("PATCH /api/v1/settings".into(), json!({ "download_folder": there })),
            (format!("PATCH /api/v1/torrents/{}", near.hash), json!({ "folder": there })),
        ];
        std::thread::scope(|threads| {
            for (request, body) in orders {
                let scene = scene.requests();
                threads.spawn(move || {
                    let reply = scene.request(&request, Some(body));
                    let text = reply.text();
                    assert!(
                        reply.status >= 400 && text.contains("does not answer"),
                        "{request}: {} {text}",
                        reply.status
                    );
                });
            }
        });
        scene.until_trouble(&["a disk does not answer", "connected"]);
        // all else goes on
        scene.download(&near);
        scene.seed(&new, &scene.data());
        scene.download(&new);
        scene.order("PATCH /api/v1/settings", Some(json!({ "upload_limit": 50_000_000 })));
        drop(asks);
        // its end does not wait for it either, and neither does its start
        assert!(scene.end().success());
        scene.start();
        scene.download(&near);
        scene.until_row("it is waited for", &far, |row| row["activity"] != "seeding" && row["progress"] == 1);

        disk.set(Mood::Well);
        scene.until_no_trouble();
        let row = scene.until_is(&far, "seeding");
        assert!(sent(&row) >= 500_000, "{row}");
        scene.download(&far);
        scene.add(&late, &disk.path);
        assert!(scene.end().success());
    });
}
