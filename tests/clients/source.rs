//! `sower get` downloads from each client alone, byte for byte right: by a torrent file and by a magnet link, from a peer named by
//! hand and from one that a tracker names, on both drivers.

use std::path::Path;

use crate::content::{Content, info_hash, info_of, torrent_file};
use crate::getter::Getter;
use crate::leecher::{Client, Leecher, port};
use crate::namespace::{Family, isolated};
use crate::process::{Workspace, run, wait_for};
use crate::program::sower;
use crate::seeder::Seeder;
use crate::tracker::Tracker;

/// One download.
struct Way {
    name: &'static str,
    magnet: bool,
    driver: &'static str,
    by_tracker: bool,
}

/// Two for each kind of content, so that any two values of anything meet.
fn ways(content: Content) -> [Way; 2] {
    let way = |magnet, driver, by_tracker| Way {
        name: if magnet { "by-magnet" } else { "by-torrent" },
        magnet,
        driver,
        by_tracker,
    };
    match content {
        Content::Single => [way(false, "io_uring", false), way(true, "epoll", true)],
        Content::Folder => [way(false, "epoll", true), way(true, "io_uring", false)],
        Content::Padded => [way(false, "epoll", false), way(true, "io_uring", true)],
    }
}

/// Where the data comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Sower,
    Other(Client),
}

/// Ends with the test.
enum Running {
    Sower(Seeder),
    Other(Leecher),
}

impl Source {
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Sower => &[],
            Self::Other(client) => client.programs(),
        }
    }

    /// Starts it as host 2.
    fn start(self, workspace: &Path, family: Family, torrent: &str, content: Content) -> Running {
        match self {
            Self::Sower => {
                let data = workspace.join("source");
                let address = family.host(2).to_string();
                let arguments = [torrent, "--data", data.to_str().expect("an ASCII path"), "--external-ip", &address];
                Running::Sower(Seeder::start(workspace, arguments.into_iter().chain(["--port", "20002"])))
            }
            Self::Other(client) => Running::Other(Leecher::seed(client, workspace, family, 2, torrent, content)),
        }
    }
}

impl Running {
    fn assert_runs(&mut self) {
        match self {
            Self::Sower(seeder) => seeder.assert_runs(),
            Self::Other(client) => client.keep_running(),
        }
    }
}

/// Both downloads of this content, one after the other, from that client.
fn download(source: Source, family: Family, content: Content) {
    let workspace = Workspace::new();
    let folder = workspace.folder("source");
    let info = info_of_content(content, &folder);
    let tracker = Tracker::of_sower(&workspace, family, &info);
    let torrent = workspace.path().join("the.torrent");
    std::fs::write(&torrent, torrent_file(&info, Some(tracker.url()))).expect("a torrent file");
    let torrent = torrent.to_str().expect("an ASCII path");
    let mut seed = source.start(workspace.path(), family, torrent, content);
    wait_for("the tracker knows a seed", std::time::Duration::from_secs(60), || {
        seed.assert_runs();
        (tracker.count("complete") == 1).then_some(())
    });
    for way in ways(content) {
        let magnet = magnet(&info, &tracker);
        let link = if way.magnet { &magnet } else { torrent };
        let peer = std::net::SocketAddr::new(family.host(2), port(2)).to_string();
        let address = family.host(3).to_string();
        let arguments = [link, "--driver", way.driver, "--external-ip", &address, "--then", "exit"];
        let by_hand = ["--no-tracker", "--peer", &peer];
        let by_hand = by_hand.iter().filter(|_| !way.by_tracker);
        let mut getter = Getter::start(workspace.path(), way.name, arguments.iter().chain(by_hand));
        let complete = getter.finish(content, &folder);
        assert!(getter.end().success(), "{}", way.name);
        assert_eq!(complete["received"], sizes(&info), "{}: nothing came twice", way.name);
    }
}

/// Writes the content; the info dictionary of its torrent.
fn info_of_content(content: Content, folder: &Path) -> Vec<u8> {
    let path = content.write(folder).remove(0);
    if content == Content::Padded {
        return info_of(&std::fs::read(path).expect("the torrent file")).to_vec();
    }
    let torrent = folder.with_extension("torrent");
    let program = sower().get_program().to_str().expect("an ASCII path").to_owned();
    run(&program, &["create", &path, "--output", torrent.to_str().expect("an ASCII path")]);
    info_of(&std::fs::read(torrent).expect("the torrent file")).to_vec()
}

fn magnet(info: &[u8], tracker: &Tracker) -> String {
    let hash: String = info_hash(&torrent_file(info, None)).iter().map(|byte| format!("{byte:02x}")).collect();
    let url = percent_encoding::utf8_percent_encode(tracker.url(), percent_encoding::NON_ALPHANUMERIC);
    format!("magnet:?xt=urn:btih:{hash}&tr={url}")
}

/// Bytes of all pieces.
fn sizes(info: &[u8]) -> u64 {
    sower::metainfo::Metainfo::parse(&torrent_file(info, None)).expect("a torrent").geometry().total()
}

macro_rules! downloads {
    ($($name:ident: $source:expr, $family:ident, $content:ident;)*) => {
        $(#[test]
        fn $name() {
            isolated(Family::$family, $source.programs(), || download($source, Family::$family, Content::$content));
        })*
    };
}

downloads! {
    a_file_comes_from_sower: Source::Sower, V4, Single;
    a_folder_comes_from_sower: Source::Sower, V6, Folder;
    padded_files_come_from_sower: Source::Sower, V4, Padded;
    a_file_comes_from_transmission: Source::Other(Client::Transmission), V4, Single;
    a_folder_comes_from_transmission: Source::Other(Client::Transmission), V6, Folder;
    padded_files_come_from_transmission: Source::Other(Client::Transmission), V4, Padded;
    a_file_comes_from_aria2: Source::Other(Client::Aria2), V4, Single;
    a_folder_comes_from_aria2: Source::Other(Client::Aria2), V4, Folder;
    padded_files_come_from_aria2: Source::Other(Client::Aria2), V6, Padded;
    a_file_comes_from_rtorrent: Source::Other(Client::Rtorrent), V4, Single;
    a_folder_comes_from_rtorrent: Source::Other(Client::Rtorrent), V4, Folder;
    padded_files_come_from_rtorrent: Source::Other(Client::Rtorrent), V4, Padded;
    a_file_comes_from_qbittorrent: Source::Other(Client::Qbittorrent), V6, Single;
    a_folder_comes_from_qbittorrent: Source::Other(Client::Qbittorrent), V4, Folder;
    padded_files_come_from_qbittorrent: Source::Other(Client::Qbittorrent), V4, Padded;
    a_file_comes_from_libtorrent: Source::Other(Client::Libtorrent), V4, Single;
    a_folder_comes_from_libtorrent: Source::Other(Client::Libtorrent), V4, Folder;
    padded_files_come_from_libtorrent: Source::Other(Client::Libtorrent), V6, Padded;
}
