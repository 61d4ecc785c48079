//! What is kept, without anything going wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sower::session::state::{AllTime, Month, StateError, Store, Traffic};
use sower::storage::Identity;

use crate::scene::{flush, full_record, hash, numbers, open, record, text, torrent};

#[test]
fn everything_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = [record(3), full_record(), record(1)];
    let (store, loaded) = open(folder.path());
    assert!(loaded.records.is_empty());
    // the file of one that has metadata
    store.keep_torrent(records[1].info_hash, b"d").expect("kept");
    store.put(records.clone());
    let all_time = AllTime { uploaded: 1, downloaded: 2, running_seconds: 3, starts: 4 };
    let (month, traffic) = (Month { year: 2026, month: 11 }, Traffic { sent: 5, received: 6 });
    store.keep_all_time(&all_time);
    store.keep_traffic(month, &traffic);
    store.keep("a name", Some("a value".into()));
    store.keep("another", Some("value".into()));
    store.keep("another", None);
    store.close().expect("saved");
    drop(store);

    let (store, loaded) = open(folder.path());
    assert_eq!(loaded.records.iter().map(text).collect::<Vec<_>>(), records.iter().map(text).collect::<Vec<_>>());
    assert_eq!(loaded.all_time, all_time);
    assert_eq!(loaded.traffic.into_iter().collect::<Vec<_>>(), [(month, traffic)]);
    assert_eq!(loaded.values.into_iter().collect::<Vec<_>>(), [("a name".to_owned(), "a value".to_owned())]);
    drop(store);
}

#[test]
fn numbers_removals_and_replacements_do_what_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    store.put([record(1), record(2), record(3)]);
    flush(&store);
    store.update_numbers([(hash(1), numbers(111)), (hash(3), numbers(333)), (hash(9), numbers(999))]);
    store.remove([hash(2), hash(3)]);
    store.update_numbers([(hash(3), numbers(334))]);
    let mut again = record(2);
    again.complete = true;
    store.put([again.clone()]);
    drop(store);
    let (_store, loaded) = open(folder.path());
    let mut first = record(1);
    first.numbers = numbers(111);
    assert_eq!(loaded.records.iter().map(text).collect::<Vec<_>>(), [text(&first), text(&again)]);
}

#[test]
fn facts_are_read_on_demand_written_or_not_and_go_with_their_torrent() {
    let folder = tempfile::tempdir().expect("a folder");
    let identity = Identity { size: 1, modified: 2, modified_nanos: 3, inode: 4, device: 5 };
    let (store, _) = open(folder.path());
    store.put([record(1)]);
    store.keep_identities(hash(1), &[identity, identity]);
    store.keep_verified(hash(1), vec![0xf0, 0x80]);
    let check = |store: &Store| {
        assert_eq!(store.identities(hash(1)).expect("readable"), Some(vec![identity, identity]));
        assert_eq!(store.verified(hash(1)).expect("readable"), Some(vec![0xf0, 0x80]));
        assert_eq!(store.identities(hash(2)).expect("readable"), None);
    };
    check(&store);
    flush(&store);
    check(&store);
    drop(store);
    let (store, _) = open(folder.path());
    check(&store);
    store.keep_verified(hash(1), Vec::new());
    assert_eq!(store.verified(hash(1)).expect("readable"), None);
    store.remove([hash(1)]);
    store.put([record(1)]);
    assert_eq!(store.identities(hash(1)).expect("readable"), None, "of another torrent of the same name");
    flush(&store);
    assert_eq!(store.identities(hash(1)).expect("readable"), None);
}

#[test]
fn torrent_files_are_whole_private_and_go_with_their_torrent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let (metainfo, bytes) = torrent(1);
    let hash = metainfo.info_hash();
    assert!(store.read_torrent(hash).expect("readable").is_none());
    store.keep_torrent(hash, &bytes).expect("kept");
    assert_eq!(fs::read(store.torrent_path(hash)).expect("a file"), bytes);
    assert_eq!(store.read_torrent(hash).expect("readable").expect("there").info_hash(), hash);
    for path in [store.torrent_path(hash), folder.path().join("state.sqlite"), folder.path().join("state.sqlite-wal")] {
        let mode = path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}: keys of trackers are in it", path.display());
    }
    fs::write(store.torrent_path(hash), torrent(2).1).expect("written");
    let error = store.read_torrent(hash).expect_err("another torrent");
    assert!(error.to_string().contains("it is another torrent"), "{error}");
    let mut kept = record(1);
    kept.info_hash = hash;
    store.put([kept]);
    store.remove([hash]);
    flush(&store);
    assert!(!store.torrent_path(hash).exists());
    assert_eq!(fs::read_dir(folder.path().join("torrents")).expect("a folder").count(), 0);
}

#[test]
fn a_torrent_that_is_added_again_while_its_removal_is_written_keeps_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let (metainfo, bytes) = torrent(1);
    let hash = metainfo.info_hash();
    let mut kept = record(1);
    kept.info_hash = hash;
    for _ in 0..200 {
        store.remove([hash]);
        store.keep_torrent(hash, &bytes).expect("kept");
        store.put([kept.clone()]);
        assert!(store.torrent_path(hash).exists());
    }
    flush(&store);
    assert!(store.torrent_path(hash).exists());
}

#[test]
fn two_processes_never_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let other = store.clone();
    drop(store);
    let error = Store::open(folder.path()).err().expect("in use");
    assert!(matches!(error, StateError::InUse { process: Some(id), .. } if id == std::process::id()), "{error:?}");
    assert!(error.to_string().contains("end that one, or choose another folder"), "{error}");
    drop(other);
    open(folder.path());
}

#[test]
fn a_newer_state_and_another_programs_database_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.sqlite");
    let (store, _) = open(folder.path());
    store.put([record(1)]);
    drop(store);
    let change =
        |sql: &str| rusqlite::Connection::open(&path).expect("a database").execute_batch(sql).expect("changed");
    change("PRAGMA user_version = 99");
    let before = fs::read(&path).expect("a file");
    let error = Store::open(folder.path()).err().expect("newer");
    assert!(matches!(error, StateError::Newer { found: 99, .. }), "{error:?}");
    assert_eq!(fs::read(&path).expect("a file"), before);
    change("PRAGMA user_version = 1; PRAGMA application_id = 5");
    let error = Store::open(folder.path()).err().expect("another program's");
    assert!(matches!(error, StateError::Foreign(_)), "{error:?}");
}

#[test]
fn a_ratio_that_json_cannot_say_is_no_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = open(folder.path());
    let mut endless = record(1);
    let choice = std::sync::Arc::make_mut(&mut endless.choice);
    choice.ratio_limit = sower::session::seedbox::LimitChoice::At(f64::INFINITY);
    store.put([endless]);
    drop(store);
    let (_store, loaded) = open(folder.path());
    assert_eq!(loaded.records[0].choice.ratio_limit, sower::session::seedbox::LimitChoice::Unlimited);
}
