//! Ten thousand torrents.

use std::time::{Duration, Instant};

use sower::session::state::Store;

use crate::scene::{flush, open, record};

const TORRENTS: u32 = 10_000;

/// The figures are printed; asserted is what holds without optimisation and on a busy machine.
#[test]
fn ten_thousand_torrents_load_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    store.put((0..TORRENTS).map(record));
    let start = Instant::now();
    flush(&store);
    println!("written in {:?}", start.elapsed());
    let numbers = |store: &Store| {
        let start = Instant::now();
        store.update_numbers((0..TORRENTS).map(|number| (record(number).info_hash, record(number + 1).numbers)));
        println!("numbers handed over in {:?}", start.elapsed());
        flush(store);
        println!("numbers written in {:?}", start.elapsed());
    };
    numbers(&store);
    drop(store);
    let start = Instant::now();
    let (_store, loaded) = open(folder.path());
    let took = start.elapsed();
    println!(
        "opened and loaded in {took:?}, {} bytes",
        folder.path().join("state.sqlite").metadata().expect("there").len()
    );
    assert_eq!(loaded.records.len(), TORRENTS as usize);
    assert!(took < Duration::from_secs(3), "{took:?}");
}
