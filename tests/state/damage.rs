//! Databases that are not what they were.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use sower::ids::InfoHash;
use sower::metainfo::Metainfo;
use sower::session::seedbox::Choice;
use sower::session::state::{AllTime, Loaded, Record, Store};
use sower::storage::Identity;

use crate::scene::{block_on, flush, numbers, open, record, text, torrent};

const TORRENTS: u32 = 120;

/// What is done to a database, and its name.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

/// A record of a torrent with a file, as it was (0) or is now (1).
fn kept(number: u32, metainfo: &Metainfo, age: u64) -> Record {
    let mut kept = record(number);
    kept.info_hash = metainfo.info_hash();
    let about = Arc::make_mut(&mut kept.about);
    (about.info_hash, about.has_metadata) = (Some(kept.info_hash), true);
    kept.numbers = numbers(1_000 * age + u64::from(number));
    kept.magnet = None;
    kept
}

/// A state with a backup of some time ago, closed.
fn scene() -> (tempfile::TempDir, Vec<Metainfo>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let torrents: Vec<(Metainfo, Vec<u8>)> = (0..TORRENTS).map(torrent).collect();
    let files: Vec<(InfoHash, &[u8])> =
        torrents.iter().map(|(torrent, bytes)| (torrent.info_hash(), &bytes[..])).collect();
    store.keep_torrents(&files).expect("kept");
    let torrents: Vec<Metainfo> = torrents.into_iter().map(|(metainfo, _)| metainfo).collect();
    let put = |age| store.put(torrents.iter().zip(0..).map(|(metainfo, number)| kept(number, metainfo, age)));
    put(0);
    store.put([record(100_001), record(100_002)]);
    let identity = Identity { size: 1, modified: 2, modified_nanos: 3, inode: 4, device: 5 };
    torrents.iter().for_each(|torrent| store.keep_identities(torrent.info_hash(), &[identity; 2]));
    store.keep_all_time(&all_time(1));
    block_on(store.back_up()).expect("a backup");
    put(1);
    store.remove([record(100_002).info_hash]);
    store.keep_all_time(&all_time(2));
    store.close().expect("saved");
    (folder, torrents)
}

fn all_time(starts: u64) -> AllTime {
    AllTime { starts, ..AllTime::default() }
}

fn reopen(folder: &Path) -> (Store, Loaded) {
    let (store, loaded) = Store::open(folder).expect("a damaged state is mended");
    // what was mended is in order
    store.close().expect("closed");
    drop(store);
    let (store, again) = open(folder);
    assert_eq!(again.records.iter().map(text).collect::<Vec<_>>(), loaded.records.iter().map(text).collect::<Vec<_>>());
    assert_eq!(again.all_time, loaded.all_time);
    (store, loaded)
}

/// Every torrent is there, as it is now or as it was when the backup was made; counts those that are new.
fn check(loaded: &Loaded, torrents: &[Metainfo]) -> usize {
    let mut fresh = 0;
    for (metainfo, number) in torrents.iter().zip(0..) {
        let found = loaded.records.iter().find(|record| record.info_hash == metainfo.info_hash());
        let found = text(found.unwrap_or_else(|| panic!("torrent {number} is lost: {:?}", loaded.problems)));
        let is_new = found == text(&kept(number, metainfo, 1));
        assert!(is_new || found == text(&kept(number, metainfo, 0)), "{found}");
        fresh += usize::from(is_new);
    }
    assert!([1, 2].contains(&loaded.all_time.starts), "{:?}", loaded.all_time);
    fresh
}

#[test]
fn flipped_bits_anywhere_lose_no_torrent_and_little_news() {
    let (folder, torrents) = scene();
    let path = folder.path().join("state.sqlite");
    let original = fs::read(&path).expect("a database");
    let mut random = fastrand::Rng::with_seed(9);
    let (mut mended, mut fresh) = (0, 0);
    for _ in 0..80 {
        let copy = tempfile::tempdir().expect("a folder");
        copy_state(folder.path(), copy.path());
        let mut bytes = original.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            // the number of the form: what looks newer is refused, see below
            if !(60..64).contains(&at) {
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
        fs::write(copy.path().join("state.sqlite"), &bytes).expect("written");
        let (_store, loaded) = reopen(copy.path());
        fresh += check(&loaded, &torrents);
        mended += usize::from(!loaded.problems.is_empty());
    }
    assert!(mended > 40, "damage was done, and seen: {mended}");
    assert!(fresh > 80 * torrents.len() * 9 / 10, "most is as new as it was: {fresh}");
}

#[test]
fn a_database_cut_short_scribbled_over_emptied_or_gone_is_made_anew() {
    let (folder, torrents) = scene();
    let size = folder.path().join("state.sqlite").metadata().expect("there").len();
    let damages: [Damage<'_>; 6] = [
        ("half", &|path| {
            OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(size / 2)).expect("cut")
        }),
        ("a page", &|path| OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(4096)).expect("cut")),
        ("empty", &|path| fs::write(path, b"").expect("emptied")),
        ("text", &|path| fs::write(path, "not a database at all".repeat(1_000)).expect("written")),
        ("zeros", &|path| {
            let file = OpenOptions::new().write(true).open(path).expect("a file");
            file.write_all_at(&[0; 16_384], 8_192).expect("written");
        }),
        ("gone", &|path| fs::remove_file(path).expect("removed")),
    ];
    for (name, damage) in damages {
        let copy = tempfile::tempdir().expect("a folder");
        copy_state(folder.path(), copy.path());
        damage(&copy.path().join("state.sqlite"));
        let (store, loaded) = reopen(copy.path());
        check(&loaded, &torrents);
        let problem = &loaded.problems.first().unwrap_or_else(|| panic!("{name}: told")).text;
        assert!(problem.contains("the state was made anew with"), "{name}: {problem}");
        assert_eq!(loaded.problems.len(), 1, "{name}: {:?}", loaded.problems);
        let identities = store.identities(torrents[3].info_hash()).expect("readable");
        assert_eq!(identities.map(|files| files.len()), Some(2), "{name}: facts came along");
        let aside = fs::read_dir(copy.path()).expect("a folder").filter_map(Result::ok);
        let aside = aside.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let aside = aside.filter(|name| {
            name.starts_with("state.sqlite.damaged-") && !name.contains("-wal") && !name.contains("-shm")
        });
        assert_eq!(aside.count(), usize::from(name != "gone"), "{name}: what is left of it is kept");
    }
}

#[test]
fn without_any_database_torrents_come_from_their_files_and_run_only_where_their_content_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let [(here, here_bytes), (away, away_bytes)] = [torrent(1), torrent(2)];
    store.keep_torrent(here.info_hash(), &here_bytes).expect("kept");
    store.keep_torrent(away.info_hash(), &away_bytes).expect("kept");
    fs::write(folder.path().join("torrents").join(format!("{}.torrent", InfoHash([9; 20]))), "no torrent")
        .expect("written");
    store.put([kept(1, &here, 0), kept(2, &away, 0)]);
    store.close().expect("closed");
    drop(store);
    fs::remove_file(folder.path().join("state.sqlite")).expect("removed");
    let root = data.path().join(here.file_name());
    fs::create_dir(&root).expect("a folder");
    fs::write(root.join("a.bin"), vec![0; 40_000]).expect("written");
    fs::write(root.join("b.bin"), b"12345").expect("written");
    let (_store, loaded) = Store::open_with(folder.path(), &[data.path().to_owned()]).expect("mended");
    assert_eq!(loaded.records.len(), 2, "{:?}", loaded.problems);
    let find = |torrent: &Metainfo| {
        loaded.records.iter().find(|record| record.info_hash == torrent.info_hash()).expect("there")
    };
    let found = find(&here);
    assert_eq!((found.complete, found.trusted, found.choice.paused), (true, true, false));
    assert_eq!(*found.choice, Choice { folder: data.path().to_owned(), ..Choice::default() });
    assert_eq!((found.about.size, &*found.about.name, found.numbers.left), (40_005, "torrent 1", 0));
    let lost = find(&away);
    assert_eq!((lost.complete, lost.trusted, lost.choice.paused, lost.numbers.left), (false, false, true, 40_005));
    assert_eq!(loaded.problems.len(), 4, "one for each, and one for all: {:?}", loaded.problems);
}

#[test]
fn mending_that_was_cut_off_is_ended_by_the_next_start() {
    let (folder, torrents) = scene();
    let path = |name: &str| folder.path().join(name);
    // the new one is ready, the old one was just moved; its log is still in place
    fs::rename(path("state.sqlite"), path("state.sqlite.new")).expect("renamed");
    fs::write(path("state.sqlite-wal"), "log of the damaged one").expect("written");
    fs::write(path("state.sqlite.building"), "half of another attempt").expect("written");
    let (_store, loaded) = open(folder.path());
    assert_eq!(check(&loaded, &torrents), torrents.len());
    assert!(!path("state.sqlite.building").exists());
}

#[test]
fn generations_of_backups_are_few_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    for number in 0..5 {
        store.put([record(number)]);
        block_on(store.back_up()).expect("a backup");
    }
    flush(&store);
    let entries = fs::read_dir(folder.path().join("backup")).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<String> = entries
        .map(|entry| {
            assert_eq!(entry.metadata().expect("there").permissions().mode() & 0o777, 0o600);
            entry.file_name().into_string().expect("ASCII")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["state-3.sqlite", "state-4.sqlite", "state-5.sqlite"]);
}

fn copy_state(from: &Path, to: &Path) {
    for folder in ["", "torrents", "backup"] {
        fs::create_dir_all(to.join(folder)).expect("a folder");
        for entry in fs::read_dir(from.join(folder)).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.file_type().expect("a type").is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).expect("copied");
            }
        }
    }
}
