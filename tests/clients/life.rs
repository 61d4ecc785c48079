//! The life of a seeder around its downloads: start again, end in order, lose data while seeding it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::content::Content;
use crate::leecher::{Client, Leecher};
use crate::namespace::{Family, isolated};
use crate::process::{Workspace, wait_for};
use crate::recorder::Recorder;
use crate::seeder::Seeder;

#[test]
fn a_second_start_does_not_hash_unchanged_data_again() {
    isolated(Family::V4, &[], || {
        let workspace = Workspace::new();
        let arguments = Content::Padded.write(&workspace.folder("source"));
        let mut first = Seeder::start(workspace.path(), &arguments);
        let served = first.serving(1).remove(0);
        assert!(!first.events("hashing").is_empty(), "nothing to compare with: the first start tells of no hashing");
        assert!(first.interrupt().success());
        let mut second = Seeder::start(workspace.path(), &arguments);
        assert_eq!(second.serving(1)[0].info_hash, served.info_hash);
        assert_eq!(second.events("hashing").len(), 0);
    });
}

#[test]
fn a_second_start_on_changed_data_says_so_and_does_not_seed_it() {
    isolated(Family::V4, &[], || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let arguments = Content::Padded.write(&source);
        let mut first = Seeder::start(workspace.path(), &arguments);
        let served = first.serving(1).remove(0);
        first.interrupt();
        let path = source.join("padded/second.bin");
        let mut bytes = std::fs::read(&path).expect("the file");
        bytes[1_000_000] ^= 1;
        std::fs::write(&path, bytes).expect("the file");
        let mut second = Seeder::start(workspace.path(), &arguments);
        wait_for("the damage is told", Duration::from_secs(30), || {
            second.ended().is_some_and(|status| !status.success()).then_some(()).or_else(|| {
                let errors = second.events("error");
                errors.iter().any(|event| event["info_hash"] == served.info_hash).then_some(())
            })
        });
        assert_eq!(second.events("seeding").len(), 0, "damaged data is not for seeding");
    });
}

#[test]
fn an_interrupt_announces_stopped_with_the_exact_count_and_ends_well() {
    isolated(Family::V4, Client::Libtorrent.programs(), || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let recorder = Recorder::start("10.77.0.7");
        let mut arguments = Content::Single.write(&source);
        arguments.extend(["--external-ip".to_owned(), "10.77.0.1".to_owned()]);
        arguments.extend(["--tracker".to_owned(), recorder.url(), "--port".to_owned(), "6881".to_owned()]);
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        wait_for("it announces", Duration::from_secs(10), || {
            recorder.field("event").contains(&"started".to_owned()).then_some(())
        });
        // the recorder tells nobody of anybody: the link itself names the peer
        let link = format!("magnet:?xt=urn:btih:{}&x.pe=10.77.0.1:6881", served.info_hash);
        let mut leecher = Leecher::start(Client::Libtorrent, workspace.path(), Family::V4, 2, &link);
        leecher.finish(Content::Single, &source);
        drop(leecher);
        assert!(seeder.interrupt().success(), "Ctrl-C is how it is meant to end");
        assert_eq!(recorder.field("event").last().map(String::as_str), Some("stopped"));
        assert_eq!(recorder.field("uploaded").last(), Some(&served.size.to_string()));
        assert_eq!(seeder.events("stopped").len(), 1);
    });
}

#[test]
fn truncated_data_stops_its_torrent_alone() {
    isolated(Family::V4, Client::Libtorrent.programs(), || {
        lose_data_while_seeding(|file| {
            File::options().write(true).open(file).expect("the file").set_len(100_000).expect("shorter")
        });
    });
}

#[test]
fn replaced_data_stops_its_torrent_alone() {
    isolated(Family::V4, Client::Libtorrent.programs(), || {
        lose_data_while_seeding(|file| {
            let other = file.with_extension("other");
            std::fs::write(&other, vec![0; std::fs::read(file).expect("the file").len()]).expect("a file");
            std::fs::rename(other, file).expect("in its place");
        });
    });
}

#[test]
fn removed_data_stops_its_torrent_alone() {
    isolated(Family::V4, Client::Libtorrent.programs(), || {
        lose_data_while_seeding(|file| std::fs::remove_file(file).expect("the file"));
    });
}

/// Two torrents, a slow download of each; one loses its data in the middle.
fn lose_data_while_seeding(lose: impl FnOnce(&Path)) {
    let workspace = Workspace::new();
    let source = workspace.folder("source");
    let mut arguments = Content::Single.write(&source);
    arguments.extend(Content::Folder.write(&source));
    arguments.extend(["--external-ip", "10.77.0.1", "--upload-limit", "4MiB"].map(str::to_owned));
    let mut seeder = Seeder::start(workspace.path(), arguments);
    let served = seeder.serving(2);
    let torrent = |name: &str| served.iter().find(|torrent| torrent.name == name).expect("its name");
    let (hurt, well) = (torrent("one file.bin"), torrent("many"));
    let start = |host, link| Leecher::start(Client::Libtorrent, workspace.path(), Family::V4, host, link);
    let (unlucky, mut lucky) = (start(2, &hurt.magnet), start(3, &well.magnet));
    seeder.wait("the torrent flows", |event| {
        let torrents = event["torrents"].as_array()?;
        let flows = |torrent: &serde_json::Value| {
            torrent["info_hash"] == hurt.info_hash && torrent["uploaded"].as_u64() > Some(0)
        };
        torrents.iter().any(flows).then_some(())
    });
    lose(&source.join("one file.bin"));
    let message = seeder.wait("an error that names the torrent", |event| {
        let named = event["event"] == "error" && event["info_hash"] == hurt.info_hash;
        named.then(|| event["message"].as_str().map(str::to_owned))?
    });
    assert!(message.contains("one file.bin"), "the file is not named: {message}");
    lucky.finish(Content::Folder, &source);
    assert!(!unlucky.is_done(), "it was to be interrupted: a slower limit is needed");
    assert!(seeder.interrupt().success());
}
