//! Disks that refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sower::session::state::{Record, Store};

use crate::child;
use crate::scene::{block_on, flush, hash, numbers, open, record, text, torrent};

/// A small file system of its own, gone with it.
struct Mount {
    folder: tempfile::TempDir,
}

impl Mount {
    /// `None`, said aloud, where it may not be made.
    fn new(test: &str) -> Option<Mount> {
        let mount = Mount { folder: tempfile::tempdir().expect("a folder") };
        if mount.mount() {
            return Some(mount);
        }
        eprintln!("SKIPPED: {test}: missing: the right to mount (root)");
        None
    }

    fn mount(&self) -> bool {
        self.run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
    }

    fn remount(&self, option: &str) {
        assert!(self.run("mount", &["-o", &format!("remount,{option}")]));
    }

    fn unmount(&self) -> bool {
        self.run("umount", &["--lazy"])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        Command::new(program)
            .args(arguments)
            .arg(self.folder.path())
            .output()
            .is_ok_and(|output| output.status.success())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all space.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut size = 1 << 20;
        let mut bytes = Vec::new();
        while size > 0 {
            bytes.resize(bytes.len() + size, 0);
            if fs::write(&path, &bytes).is_err() {
                bytes.truncate(bytes.len() - size);
                size /= 2;
            }
        }
        fs::write(&path, &bytes).expect("as much as fits");
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.unmount();
    }
}

/// A record that takes some pages.
fn large(number: u32) -> Record {
    let mut record = record(number);
    Arc::make_mut(&mut record.about).comment = "c".repeat(20_000);
    record
}

/// Waits until it can be saved again, by itself.
fn recovers(store: &Store) {
    let end = Instant::now() + Duration::from_secs(20);
    while let Some(health) = store.health() {
        assert!(Instant::now() < end, "it does not recover: {health}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn refused(store: &Store, words: &[&str]) {
    let error = block_on(store.flush()).expect_err("it cannot be saved").to_string();
    let health = store.health().expect("told").to_string();
    for text in [&error, &health] {
        assert!(text.starts_with("state cannot be saved: "), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
    }
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(text).collect()
}

#[test]
fn a_full_disk_loses_nothing_and_is_written_once_there_is_space() {
    let Some(mount) = Mount::new("a_full_disk_loses_nothing_and_is_written_once_there_is_space") else { return };
    let (store, _) = open(mount.path());
    store.put([record(0), record(1)]);
    flush(&store);
    let filler = mount.fill();
    store.put((2..12).map(large));
    refused(&store, &["No space left", "free some space"]);
    // what comes meanwhile is kept, too, and read back
    for turn in 0..1_000 {
        store.update_numbers([(hash(0), numbers(turn))]);
    }
    store.remove([hash(1)]);
    store.keep_verified(hash(2), vec![1, 2, 3]);
    assert_eq!(store.verified(hash(2)).expect("readable"), Some(vec![1, 2, 3]));
    let (metainfo, mut bytes) = torrent(1);
    bytes.resize(100_000, b' ');
    let error = store.keep_torrent(metainfo.info_hash(), &bytes).expect_err("no space").to_string();
    assert!(error.contains("No space left") && error.contains("free some space"), "{error}");
    assert_eq!(fs::read_dir(mount.path().join("torrents")).expect("a folder").count(), 0, "no half of a file");
    refused(&store, &["No space left"]);
    fs::remove_file(filler).expect("removed");
    recovers(&store);
    store.close().expect("saved");
    drop(store);
    let (_store, loaded) = open(mount.path());
    let mut first = record(0);
    first.numbers = numbers(999);
    let expected: Vec<Record> = std::iter::once(first).chain((2..12).map(large)).collect();
    assert_eq!(texts(&loaded.records), texts(&expected));
}

#[test]
fn a_full_disk_at_the_end_is_told() {
    let Some(mount) = Mount::new("a_full_disk_at_the_end_is_told") else { return };
    let (store, _) = open(mount.path());
    store.put([record(0)]);
    flush(&store);
    mount.fill();
    store.put((2..12).map(large));
    let error = store.close().expect_err("not saved").to_string();
    assert!(error.contains("No space left"), "{error}");
    drop(store);
    // and what was saved before is right
    fs::remove_file(mount.path().join("filler")).expect("removed");
    let (_store, loaded) = open(mount.path());
    assert_eq!(texts(&loaded.records), texts(&[record(0)]));
}

#[test]
fn a_state_that_cannot_be_written_at_the_start_is_refused_with_the_reason() {
    let Some(mount) = Mount::new("a_state_that_cannot_be_written_at_the_start_is_refused_with_the_reason") else {
        return;
    };
    drop(open(mount.path()));
    mount.remount("ro");
    let error = Store::open(mount.path()).err().expect("read-only").to_string();
    assert!(error.contains("mount it for writing"), "{error}");
}

#[test]
fn another_file_system_in_the_place_of_ours_is_not_written_to() {
    let Some(mount) = Mount::new("another_file_system_in_the_place_of_ours_is_not_written_to") else { return };
    let (store, _) = open(mount.path());
    store.put([record(0)]);
    flush(&store);
    // pretend that an error made us close the database, as a disk that was pulled out does
    let filler = mount.fill();
    store.put([large(1), large(2)]);
    refused(&store, &["No space left"]);
    assert!(mount.unmount() && mount.mount(), "another one is in its place");
    refused(&store, &["is not mounted"]);
    assert!(!filler.exists());
    let there = fs::read_dir(mount.path()).expect("a folder").count();
    assert_eq!(there, 0, "nothing was made there");
    drop(store);
    mount.unmount();
}

/// EFBIG stands for any error of writing: SQLite tells no more of them than that there was one.
#[test]
fn an_error_of_writing_loses_nothing() {
    const NAME: &str = "faults::an_error_of_writing_loses_nothing";
    let Some(folder) = child::folder() else {
        let folder = tempfile::tempdir().expect("a folder");
        drop(open(folder.path()));
        // in blocks of 512 bytes (dash); the signal would end the child
        let status = child::start(NAME, folder.path(), "trap '' XFSZ; ulimit -S -f 400").wait().expect("waited for");
        assert!(status.success(), "{status}");
        let (_store, loaded) = open(folder.path());
        assert_eq!(texts(&loaded.records), texts(&(0..30).map(large).collect::<Vec<_>>()));
        return;
    };
    let (store, _) = open(&folder);
    store.put((0..30).map(large));
    refused(&store, &["raise `ulimit -f`"]);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let higher = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, higher).expect("raised");
    recovers(&store);
    store.close().expect("saved");
}
