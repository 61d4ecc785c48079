//! Content that cannot be read, or not be written.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::io::Errno;

use super::broken_disk::{BrokenDisk, Mood};
use super::namespace::{Family, isolated};
use super::scene::{Manner, Memory, Scene, Torrent, message, sent};

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
}

/// A folder of the daemon's user.
fn folder(scene: &Scene, name: &str) -> std::path::PathBuf {
    let folder = scene.data().join(name);
    fs::create_dir_all(&folder).expect("made");
    scene.give(&folder);
    folder
}

#[test]
fn content_that_cannot_be_read_is_told_keeps_its_progress_and_is_served_again_by_itself() {
    isolated(Family::V4, &["setpriv"], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner { nobody: true, ..Manner::default() });
        let (disk, worn_disk) = (BrokenDisk::new(&scene.data(), "disk"), BrokenDisk::new(&scene.data(), "worn-disk"));
        scene.start();
        let [fine, file, hidden, sick, worn] =
            ["fine", "file", "hidden", "sick", "worn"].map(|name| Torrent::new(name, 300_000));
        let hidden_folder = folder(&scene, "hidden");
        scene.seed(&fine, &scene.data());
        scene.seed(&file, &scene.data());
        scene.seed(&hidden, &hidden_folder);
        scene.seed(&sick, &disk.path);
        scene.seed(&worn, &worn_disk.path);
        let all = [&fine, &file, &hidden, &sick, &worn];
        all.iter().for_each(|torrent| scene.download(torrent));
        let before =
            all.map(|torrent| sent(&scene.until_row("what was sent is counted", torrent, |row| sent(row) >= 300_000)));

        allow(&scene.data().join("file"), 0);
        allow(&hidden_folder, 0);
        disk.set(Mood::Refuses(Errno::IO));
        worn_disk.set(Mood::RefusesReads(Errno::IO));
        let told = |scene: &Scene| {
            // that it cannot be read shows once somebody asks for it
            let asks = scene.ask_for(&worn);
            let expected = [
                (&file, "permission denied; make it readable"),
                (&hidden, "permission denied"),
                (&sick, "dmesg"),
                (&worn, "dmesg"),
            ];
            for (torrent, words) in expected {
                let row = scene.until_is(torrent, "failed");
                assert!(message(&row).contains(words) && message(&row).contains(&torrent.name), "{row}");
                assert_eq!(row["progress"], 1, "{row}");
            }
            drop(asks);
            // the others do not suffer
            scene.download(&fine);
        };
        told(&scene);
        // and a start while it lasts changes nothing
        scene.kill();
        scene.start();
        told(&scene);

        allow(&scene.data().join("file"), 0o600);
        allow(&hidden_folder, 0o700);
        disk.set(Mood::Well);
        worn_disk.set(Mood::Well);
        for (torrent, before) in all.into_iter().zip(before) {
            let row = scene.until_is(torrent, "seeding");
            assert!(sent(&row) >= before && message(&row).is_empty(), "{row}");
            scene.download(torrent);
        }
        assert!(scene.end().success());
    });
}

#[test]
fn a_file_that_is_cut_short_under_the_daemon_is_made_whole_again_by_others() {
    isolated(Family::V4, &[], || {
        let scene = Scene::new();
        let (cut, fine) = (Torrent::new("cut", 2_000_000), Torrent::new("fine", 300_000));
        scene.seed(&cut, &scene.data());
        scene.seed(&fine, &scene.data());
        let asks = scene.ask_for(&cut);
        scene.until_row("it is being sent", &cut, |row| sent(row) > 0);
        let file = fs::File::options().write(true).open(scene.data().join("cut")).expect("there");
        file.set_len(1_000_000).expect("cut");
        let row = scene.until_is(&cut, "downloading");
        let progress = row["progress"].as_f64().expect("a number");
        assert!(progress > 0.4 && progress < 0.6, "half of it is there: {row}");
        scene.download(&fine);
        drop(asks);
        let _offer = scene.offer(&cut);
        scene.until_is(&cut, "seeding");
        assert!(fs::read(scene.data().join("cut")).expect("there") == cut.content);
        scene.download(&cut);
    });
}

#[test]
fn a_download_that_cannot_be_written_says_why_and_goes_on_once_it_can() {
    isolated(Family::V4, &["setpriv"], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner { nobody: true, ..Manner::default() });
        let sick = BrokenDisk::new(&scene.data(), "sick");
        let small = Memory::new(&scene.data().join("small"), 3 << 10);
        scene.start();
        let forbidden = folder(&scene, "forbidden");
        allow(&forbidden, 0o500);
        let filler = small.fill();
        sick.set(Mood::RefusesWrites(Errno::IO));
        let [full, broken, denied] = ["full", "broken", "denied"].map(|name| Torrent::new(name, 1_500_000));
        let places = [(&full, &small.path), (&broken, &sick.path), (&denied, &forbidden)];
        places.iter().for_each(|(torrent, folder)| scene.add(torrent, folder));
        let offers = [&full, &broken, &denied].map(|torrent| scene.offer(torrent));
        let words = ["no space left; free some", "dmesg", "permission denied; make it writable"];
        for (torrent, words) in [&full, &broken, &denied].into_iter().zip(words) {
            let row = scene.until_is(torrent, "failed");
            assert!(message(&row).contains(words), "{row}");
        }
        scene.kill();
        scene.start();
        for (torrent, words) in [&full, &broken, &denied].into_iter().zip(words) {
            let row = scene.until_is(torrent, "failed");
            assert!(message(&row).contains(words), "{row}");
        }

        fs::remove_file(filler).expect("removed");
        sick.set(Mood::Well);
        allow(&forbidden, 0o700);
        for (torrent, folder) in places {
            let row = scene.until_is(torrent, "seeding");
            assert!(message(&row).is_empty(), "{row}");
            let there = if *folder == sick.path { sick.behind.clone() } else { folder.clone() };
            assert!(fs::read(there.join(&torrent.name)).expect("there") == torrent.content, "{}", torrent.name);
        }
        drop(offers);
        scene.download(&full);
    });
}

/// The daemon may not write these files: what is complete is never opened for that, whatever happened to a check.
#[test]
fn a_check_that_was_cut_off_is_made_again_without_a_file_opened_for_writing() {
    isolated(Family::V4, &["setpriv"], || {
        if !BrokenDisk::can_be() {
            return;
        }
        let mut scene = Scene::prepare(Manner { nobody: true, ..Manner::default() });
        let disk = BrokenDisk::new(&scene.data(), "disk");
        allow(&disk.behind, 0o755);
        scene.start();
        let torrent = Torrent::new("archive", 500_000);
        let file = torrent.write(&disk.behind);
        allow(&file, 0o644);
        scene.add(&torrent, &disk.path);
        scene.until_is(&torrent, "seeding");
        assert!(scene.end().success());
        // it looks as if it had changed, so that it is hashed, which does not come to its end
        let touched = fs::File::options().write(true).open(&file).expect("root may");
        touched.set_modified(std::time::UNIX_EPOCH).expect("touched");
        disk.set(Mood::RefusesReads(Errno::IO));
        scene.start();
        let row = scene.until_is(&torrent, "failed");
        assert!(message(&row).contains("dmesg"), "{row}");
        scene.kill();
        disk.set(Mood::Well);
        scene.start();
        let row = scene.until_is(&torrent, "seeding");
        assert!(message(&row).is_empty(), "{row}");
        scene.download(&torrent);
    });
}
