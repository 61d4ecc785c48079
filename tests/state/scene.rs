//! Records to keep, and the comparison of what comes back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sower::ids::InfoHash;
use sower::metainfo::{Builder, Metainfo};
use sower::session::seedbox::{About, Choice, FilePriority, LimitAction, LimitChoice, Place};
use sower::session::state::{Loaded, PersistentNumbers, Record, Store};

/// A small torrent, another one for each number, and its file.
pub(crate) fn torrent(number: u32) -> (Metainfo, Vec<u8>) {
    let name = format!("torrent {number}");
    let builder = Builder::folder(OsStr::new(&name), 16_384).file("a.bin", 40_000).file("b.bin", 5);
    let bytes = builder.hashes(vec![[7; 20]; 3]).comment(Some(format!("comment {number}"))).write().expect("a torrent");
    (Metainfo::parse(&bytes).expect("a torrent"), bytes)
}

/// A name for a torrent without a file.
pub(crate) fn hash(number: u32) -> InfoHash {
    let mut hash = [0xab; 20];
    hash[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    hash[16..].copy_from_slice(&number.to_be_bytes());
    InfoHash(hash)
}

/// A record of a torrent whose metadata is not here.
pub(crate) fn record(number: u32) -> Record {
    let info_hash = hash(number);
    let about = About { info_hash: Some(info_hash), name: format!("name {number}"), ..About::default() };
    let choice = Choice { folder: format!("/data/folder {}", number % 10).into(), ..Choice::default() };
    Record {
        info_hash,
        about: Arc::new(about),
        choice: Arc::new(choice),
        numbers: numbers(u64::from(number)),
        complete: false,
        trusted: false,
        magnet: Some(format!("magnet:?xt=urn:btih:{info_hash}").into()),
    }
}

/// A record that has something everywhere.
pub(crate) fn full_record() -> Record {
    let info_hash = hash(4_711);
    let about = About {
        info_hash: Some(info_hash),
        name: "Ünïcode \u{1f331} \"quoted\"\0".into(),
        size: 1 << 45,
        pieces: 1 << 22,
        piece_length: 1 << 24,
        files: 1 << 20,
        single_file: true,
        private: true,
        has_metadata: true,
        comment: "c".repeat(5_000),
        created_by: "sower".into(),
        created_at: Some(-1),
        trackers: vec![vec!["udp://a:1".into()], vec!["http://b/?key=1".into(), "https://c/".into()]],
    };
    let choice = Choice {
        folder: PathBuf::from(OsStr::from_bytes(b"/data/caf\xe9")),
        renamed_root: Some("other".into()),
        renamed_files: vec![(3, "x/y".into()), (4, PathBuf::from(OsStr::from_bytes(b"\xff")))],
        moving: Some(Box::new(Place {
            folder: PathBuf::from(OsStr::from_bytes(b"/to/caf\xe9")),
            renamed_root: None,
            renamed_files: vec![(1, "z".into())],
        })),
        destination: Some("/done".into()),
        name: Some("shown".into()),
        paused: true,
        forced: true,
        category: "films".into(),
        tags: ["a".into(), "b".into()].into(),
        auto_managed: true,
        upload_limit: Some(u64::MAX),
        download_limit: Some(0),
        ratio_limit: LimitChoice::At(1.5),
        seeding_limit: LimitChoice::Unlimited,
        limit_action: Some(LimitAction::Remove),
        idle_limit: LimitChoice::At(u32::MAX),
        peer_limit: Some(7),
        sequential: true,
        first_last: true,
        super_seed: true,
        files: vec![FilePriority::Skip, FilePriority::Low, FilePriority::Normal, FilePriority::High],
        trackers: Some(vec![vec!["udp://a:1".into(), "http://b/?key=1".into()], vec!["https://c/".into()]]),
    };
    let numbers = PersistentNumbers {
        wanted: 10,
        left: 11,
        have: 12,
        uploaded: 1 << 62,
        downloaded: 2,
        wasted: 3,
        added_at: -5,
        completed_at: Some(6),
        active_at: Some(7),
        seeding_seconds: 8,
        running_seconds: 9,
        queue: u32::MAX,
        counting: None,
    };
    let (about, choice) = (Arc::new(about), Arc::new(choice));
    Record { info_hash, about, choice, numbers, complete: true, trusted: true, magnet: None }
}

pub(crate) fn numbers(uploaded: u64) -> PersistentNumbers {
    PersistentNumbers { uploaded, added_at: 1_700_000_000, ..PersistentNumbers::default() }
}

/// Everything of a record as text, so that two can be compared.
pub(crate) fn text(record: &Record) -> String {
    format!("{record:?}")
}

/// Opens the state, which must be in order.
pub(crate) fn open(folder: &Path) -> (Store, Loaded) {
    let (store, loaded) = Store::open(folder).expect("the state opens");
    assert_eq!(loaded.problems, [], "nothing is wrong with it");
    (store, loaded)
}

/// Waits until everything is on disk.
pub(crate) fn flush(store: &Store) {
    block_on(store.flush()).expect("it can be saved");
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
