//! `sower export` and `sower import`: from one machine to another.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use sower::session::seedbox::Choice;
use sower::session::state::{AllTime, Month, Record, Store, Traffic};

use crate::scene::{numbers, open, record, text, torrent};

fn sower(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sower")).args(arguments).output().expect("sower runs")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = sower(arguments);
    let all = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(output.status.success(), "{arguments:?}: {all}");
    all
}

fn fails(arguments: &[&str]) -> String {
    let output = sower(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A complete torrent whose content is below `data`.
fn kept(store: &Store, data: &Path) -> Record {
    let (metainfo, bytes) = torrent(1);
    let root = data.join("torrent 1");
    fs::create_dir_all(&root).expect("a folder");
    fs::write(root.join("a.bin"), vec![0; 40_000]).expect("written");
    fs::write(root.join("b.bin"), b"12345").expect("written");
    store.keep_torrent(metainfo.info_hash(), &bytes).expect("kept");
    let mut kept = record(1);
    (kept.info_hash, kept.magnet, kept.complete) = (metainfo.info_hash(), None, true);
    let about = Arc::make_mut(&mut kept.about);
    (about.info_hash, about.has_metadata, about.size) = (Some(kept.info_hash), true, 40_005);
    kept.choice = Arc::new(Choice { folder: data.to_owned(), category: "c".into(), ..Choice::default() });
    kept.numbers = numbers(4_711);
    store.put([kept.clone()]);
    kept
}

#[test]
fn an_export_is_the_same_state_on_another_disk() {
    let scratch = tempfile::tempdir().expect("a folder");
    let [from, to, file] = ["from", "to", "export.jsonl"].map(|name| scratch.path().join(name));
    let [old, new] = ["old/disk", "new"].map(|name| scratch.path().join(name));
    let (store, _) = open(&from);
    let mut complete = kept(&store, &old);
    store.put([record(2)]);
    let all_time = AllTime { uploaded: 1, downloaded: 2, running_seconds: 3, starts: 4 };
    let (month, traffic) = (Month { year: 2026, month: 11 }, Traffic { sent: 5, received: 6 });
    store.keep_all_time(&all_time);
    store.keep_traffic(month, &traffic);
    store.keep("name", Some("value".into()));
    let in_use = fails(&["export", "--state", path(&from), path(&file)]);
    assert!(in_use.contains("is used by another sower"), "{in_use}");
    store.close().expect("closed");
    drop(store);
    let said = succeeds(&["export", "--state", path(&from), path(&file)]);
    assert!(said.contains("exported 2 torrents"), "{said}");
    assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600, "keys of trackers are in it");

    fs::rename(&old, &new).expect("moved");
    let map = format!("{}={}", path(&old), path(&new));
    let arguments = ["import", "--state", path(&to), path(&file), "--map", &map];
    let said = succeeds(&[&arguments[..], &["--dry-run"]].concat());
    assert!(said.starts_with("would import 2 torrents\n  1 complete, not to be hashed\n  1 links"), "{said}");
    assert!(!to.exists(), "nothing is made");
    let said = succeeds(&arguments);
    assert!(said.starts_with("imported 2 torrents\n") && said.contains("categories: c (1)"), "{said}");
    let (store, loaded) = open(&to);
    assert_eq!((loaded.all_time, loaded.traffic.get(&month)), (all_time, Some(&traffic)));
    assert_eq!(loaded.values.get("name").map(String::as_str), Some("value"));
    Arc::make_mut(&mut complete.choice).folder = new;
    let there = loaded.records.iter().find(|record| record.info_hash == complete.info_hash).expect("there");
    assert_eq!((&there.choice, there.complete, there.trusted), (&complete.choice, true, true));
    assert_eq!((there.numbers.uploaded, there.numbers.added_at), (4_711, complete.numbers.added_at));
    assert!(store.identities(there.info_hash).expect("readable").is_some());
    assert_eq!(store.read_torrent_bytes(there.info_hash).expect("readable").expect("there"), torrent(1).1);
    let link = loaded.records.iter().find(|record| record.magnet.is_some()).expect("the link");
    assert_eq!(link.choice, record(2).choice);
    store.close().expect("closed");
    drop(store);

    let said = succeeds(&arguments);
    assert!(said.starts_with("imported 0 torrents\n  2 were here already and stay as they are\n"), "{said}");
    let again = open(&to).1;
    assert_eq!(again.records.iter().map(text).collect::<Vec<_>>(), loaded.records.iter().map(text).collect::<Vec<_>>());
    assert_eq!(again.all_time, all_time, "nothing is counted twice");
}

#[test]
fn content_that_changed_since_is_checked_and_what_is_not_there_waits() {
    let scratch = tempfile::tempdir().expect("a folder");
    let [from, data, file] = ["from", "data", "export.jsonl"].map(|name| scratch.path().join(name));
    let (store, _) = open(&from);
    let complete = kept(&store, &data);
    let content = data.join("torrent 1");
    let identities = ["a.bin", "b.bin"].map(|name| {
        let file = fs::File::open(content.join(name)).expect("a file");
        sower::storage::Identity::of(&file).expect("an identity")
    });
    store.keep_identities(complete.info_hash, &identities);
    store.close().expect("closed");
    drop(store);
    succeeds(&["export", "--state", path(&from), path(&file)]);
    let import = |name: &str| {
        let said = succeeds(&["import", "--state", path(&scratch.path().join(name)), path(&file)]);
        let (_store, loaded) = open(&scratch.path().join(name));
        (said, loaded.records[0].complete, loaded.records[0].trusted)
    };
    assert!(import("same").1);
    let changed = fs::File::options().write(true).open(content.join("b.bin")).expect("a file");
    changed.set_modified(std::time::UNIX_EPOCH).expect("set");
    let (said, complete, _) = import("changed");
    assert!(said.contains("1 to be checked when they start") && said.contains("b.bin was changed since"), "{said}");
    assert!(!complete);
    fs::rename(&data, scratch.path().join("unmounted")).expect("moved");
    let (said, complete, trusted) = import("away");
    assert!(said.contains("their files are not there at present"), "{said}");
    assert!(complete && trusted, "it is complete once its disk is back");
}

#[test]
fn files_that_are_no_export_are_refused_and_bad_lines_are_told() {
    let scratch = tempfile::tempdir().expect("a folder");
    let [state, file] = ["state", "file"].map(|name| scratch.path().join(name));
    let import = ["import", "--state", path(&state), path(&file)];
    for (content, words) in [
        ("", "is no export"),
        ("{\"torrents\": []}\n", "is no export"),
        ("{\"format\":\"sower export\",\"version\":99}\n", "newer sower"),
    ] {
        fs::write(&file, content).expect("written");
        let said = fails(&import);
        assert!(said.contains(words), "{said}");
    }
    assert!(!state.exists(), "nothing was made of it");
    let magnet = record(1).magnet.expect("a link");
    let hash = record(1).info_hash;
    fs::write(
        &file,
        format!(
            "{{\"format\":\"sower export\",\"version\":1}}\nnonsense\n{{\"later\":1}}\n\
             {{\"torrent\":{{\"hash\":\"{hash}\",\"name\":\"n\",\"file\":\"!!\"}}}}\n\
             {{\"torrent\":{{\"hash\":\"{hash}\",\"magnet\":\"{magnet}\",\"choice\":{{\"folder\":\"/d\",\"unheard of\":1}}}}}}\n"
        ),
    )
    .expect("written");
    let said = fails(&import);
    assert!(said.starts_with("imported 1 torrent\n"), "{said}");
    assert!(
        said.contains("line 2 makes no sense") && said.contains("n: has neither a torrent file nor a link"),
        "{said}"
    );
    assert_eq!(open(&state).1.records[0].choice.folder, Path::new("/d"));
    let said = fails(&["export", "--state", path(&scratch.path().join("nowhere"))]);
    assert!(said.contains("is not there"), "{said}");
    assert!(!scratch.path().join("nowhere").exists());
}
