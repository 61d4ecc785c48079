//! Ten thousand torrents.

use std::time::{Duration, Instant};

use sower::metainfo::Metainfo;
use sower::session::state::{Record, Store};
use sower::storage::Identity;

use crate::scene::{flush, numbers, open, record, torrent};

/// `SOWER_TEST_TORRENTS` has another number of them measured.
fn torrents() -> u32 {
    std::env::var("SOWER_TEST_TORRENTS").map_or(10_000, |text| text.parse().expect("a number"))
}

/// A torrent with a file, as a seedbox has them.
fn kept(number: u32, metainfo: &Metainfo) -> Record {
    let mut kept = record(number);
    kept.info_hash = metainfo.info_hash();
    let about = std::sync::Arc::make_mut(&mut kept.about);
    (about.info_hash, about.has_metadata) = (Some(kept.info_hash), true);
    about.trackers = vec![vec!["https://tracker.example/0123456789abcdef0123456789abcdef/announce".into()]];
    (kept.magnet, kept.complete) = (None, true);
    kept
}

/// The figures are printed; asserted is what holds without optimisation and on a busy machine.
#[test]
fn ten_thousand_torrents_load_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let torrents: Vec<(Metainfo, Vec<u8>)> = (0..torrents()).map(torrent).collect();
    let files: Vec<_> = torrents.iter().map(|(metainfo, bytes)| (metainfo.info_hash(), &bytes[..])).collect();
    timed("torrent files written", || store.keep_torrents(&files).expect("kept"));
    timed("records written", || {
        store.put(torrents.iter().zip(0..).map(|((metainfo, _), number)| kept(number, metainfo)));
        flush(&store);
    });
    let file =
        |inode| Identity { size: 1 << 30, modified: 1_790_000_000, modified_nanos: 123_456_789, inode, device: 64_769 };
    for (hash, _) in &files {
        store.keep_identities(*hash, &[1, 2, 3, 4, 5].map(file));
    }
    timed("what files are written", || flush(&store));
    let update = |store: &Store| store.update_numbers(files.iter().map(|(hash, _)| (*hash, numbers(7))));
    timed("numbers of all handed over", || update(&store));
    timed("and written", || flush(&store));
    store.close().expect("closed");
    drop(store);
    let start = cpu();
    let (_store, loaded) = timed("opened, checked and loaded", || open(folder.path()));
    let size = folder.path().join("state.sqlite").metadata().expect("there").len();
    println!("{:>12} bytes of database", size);
    assert_eq!(loaded.records.len(), torrents.len());
    let limit = Duration::from_millis(300) * u32::try_from(torrents.len()).expect("small") / 1_000;
    let took = cpu() - start;
    println!("{took:>12.1?} of that on a core");
    assert!(took < limit, "{took:?}");
}

/// What this thread has computed: of a start all, so that a busy machine does not count.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = work();
    println!("{:>12.1?} {what}", start.elapsed());
    answer
}
