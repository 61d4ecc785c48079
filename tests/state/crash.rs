//! Kills and power cuts at any moment.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use sower::session::state::Store;

use crate::child;
use crate::scene::{flush, hash, numbers, open, record, text, torrent};

/// Kills of one state, one after another.
const KILLS: usize = 25;
/// Torrents that the child adds and removes.
const TORRENTS: u32 = 40;

/// What the child does: in each step torrents come, go and count, and what it has flushed it says on standard output. Step `n` leaves
/// torrent `n % TORRENTS` with `n` bytes sent, and the one half a round ahead is gone.
fn work(folder: &Path) -> ! {
    let (store, loaded) = Store::open(folder).expect("the state opens");
    assert_eq!(loaded.problems, []);
    // the harness began a line
    println!();
    // the last step once more: it may have ended between its two halves
    let first = loaded.records.iter().map(|record| record.numbers.uploaded).max().unwrap_or(1);
    for step in first.. {
        let number = u32::try_from(step % u64::from(TORRENTS)).expect("small");
        let (metainfo, bytes) = torrent(number);
        store.keep_torrent(metainfo.info_hash(), &bytes).expect("kept");
        store.put([of_file(number, step)]);
        let ahead = (number + TORRENTS / 2) % TORRENTS;
        store.remove([torrent(ahead).0.info_hash()]);
        flush(&store);
        println!("STEP {step}");
        std::io::stdout().flush().expect("a pipe");
    }
    unreachable!("it is killed")
}

/// A record with metadata, of a torrent that has a file.
fn of_file(number: u32, uploaded: u64) -> sower::session::state::Record {
    let mut kept = record(number);
    kept.info_hash = torrent(number).0.info_hash();
    let about = std::sync::Arc::make_mut(&mut kept.about);
    (about.info_hash, about.has_metadata) = (Some(kept.info_hash), true);
    (kept.numbers, kept.magnet) = (numbers(uploaded), None);
    kept
}

#[test]
fn what_was_flushed_survives_kills_at_random_moments() {
    if let Some(folder) = child::folder() {
        work(&folder);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = fastrand::Rng::with_seed(7);
    let mut last = 0;
    for _ in 0..KILLS {
        let mut child = child::start("crash::what_was_flushed_survives_kills_at_random_moments", folder.path(), "");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let reader = std::thread::spawn(move || {
            let steps = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("STEP ")?.parse::<u64>().ok());
            steps.last()
        });
        std::thread::sleep(Duration::from_millis(random.u64(20..250)));
        child.kill().expect("killed");
        child.wait().expect("gone");
        last = reader.join().expect("no panic").unwrap_or(last).max(last);
        let (store, loaded) = open(folder.path());
        last = check(&store, &loaded.records, last);
    }
    assert!(last > 50, "the child did its work: {last} steps");
}

/// Everything up to step `last` is there; the step after it may be. Answers the last that is.
fn check(store: &Store, records: &[sower::session::state::Record], last: u64) -> u64 {
    let newest = records.iter().map(|record| record.numbers.uploaded).max().unwrap_or(0);
    assert!(newest == last || newest == last + 1, "flushed {last}, found {newest}");
    let mut files: Vec<_> = records.iter().map(|record| record.info_hash).collect();
    for step in newest.saturating_sub(u64::from(TORRENTS / 2 - 1)).max(1)..=newest {
        let number = u32::try_from(step % u64::from(TORRENTS)).expect("small");
        let found = records.iter().find(|record| record.info_hash == torrent(number).0.info_hash());
        assert_eq!(found.map(text), Some(text(&of_file(number, step))), "step {step} of {newest}");
        assert!(store.read_torrent(torrent(number).0.info_hash()).expect("readable").is_some());
    }
    assert!(records.len() <= TORRENTS as usize / 2 + 1);
    files.sort();
    let mut names: Vec<String> = fs::read_dir(store.folder().join("torrents"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    names.sort();
    // one that was written and not put yet is there beside the others
    names.retain(|name| name != &format!("{}.torrent", next(newest)));
    files.retain(|hash| *hash != next(newest));
    let expected: Vec<String> = files.iter().map(|hash| format!("{hash}.torrent")).collect();
    assert_eq!(names, expected, "files and records agree");
    newest
}

fn next(step: u64) -> sower::ids::InfoHash {
    torrent(u32::try_from((step + 1) % u64::from(TORRENTS)).expect("small")).0.info_hash()
}

/// A power cut leaves of what was not synced anything: all, a part, or pages of zeros.
#[test]
fn what_was_flushed_survives_the_loss_of_everything_that_was_not_synced() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    store.put((0..50).map(record));
    flush(&store);
    let log = folder.path().join("state.sqlite-wal");
    let synced = log.metadata().expect("a log").len();
    for turn in 1..=5u64 {
        let before = log.metadata().expect("a log").len();
        store.update_numbers((0..50).map(|number| (hash(number), numbers(turn))));
        while log.metadata().expect("a log").len() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        // the transaction may still be on its way
        std::thread::sleep(Duration::from_millis(20));
    }
    let length = log.metadata().expect("a log").len();
    assert!(length > synced);
    let mut random = fastrand::Rng::with_seed(8);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let copy = tempfile::tempdir().expect("a folder");
        fs::copy(folder.path().join("state.sqlite"), copy.path().join("state.sqlite")).expect("copied");
        let torn = copy.path().join("state.sqlite-wal");
        fs::copy(&log, &torn).expect("copied");
        tear(&torn, synced, length, &mut random);
        let (_store, loaded) = open(copy.path());
        assert_eq!(loaded.records.len(), 50);
        let uploaded = loaded.records[0].numbers.uploaded;
        assert!(uploaded <= 5);
        let whole = loaded.records.iter().zip(0..).all(|(kept, number)| {
            let mut expected = record(number);
            if uploaded > 0 {
                expected.numbers = numbers(uploaded);
            }
            text(kept) == text(&expected)
        });
        assert!(whole, "a transaction is there as a whole or not at all");
        seen.insert(uploaded);
    }
    assert!(seen.len() > 3, "cuts at different moments: {seen:?}");
}

/// Does to the bytes from `synced` on what a power cut may do.
fn tear(path: &Path, synced: u64, length: u64, random: &mut fastrand::Rng) {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    match random.u8(0..3) {
        0 => file.set_len(random.u64(synced..=length)).expect("cut short"),
        1 => {
            let at = random.u64(synced..length);
            let zeros = vec![0; usize::try_from((length - at).min(4096)).expect("small")];
            file.write_all_at(&zeros, at).expect("written");
        }
        _ => {}
    }
}
