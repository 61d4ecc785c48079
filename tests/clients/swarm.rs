//! What one client alone does not show: crowds, order of arrival, several torrents, other people's trackers.

use std::time::Duration;

use crate::content::{Content, info_of, torrent_file};
use crate::leecher::{Client, Leecher};
use crate::namespace::{Family, isolated};
use crate::process::{Workspace, wait_for};
use crate::seeder::Seeder;
use crate::tracker::Tracker;

const ALL: [Client; 5] =
    [Client::Transmission, Client::Aria2, Client::Rtorrent, Client::Qbittorrent, Client::Libtorrent];

fn programs(clients: &[Client]) -> Vec<&'static str> {
    clients.iter().flat_map(|client| client.programs()).copied().collect()
}

/// One leecher of each kind, from host 2 on.
fn start_all(workspace: &Workspace, link: impl Fn(Client) -> String) -> Vec<Leecher> {
    let hosts = ALL.iter().zip(2..);
    hosts.map(|(client, host)| Leecher::start(*client, workspace.path(), Family::V4, host, &link(*client))).collect()
}

#[test]
fn five_clients_at_once_finish_each_other() {
    isolated(Family::V4, &programs(&ALL), || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let mut arguments = Content::Single.write(&source);
        // so slow that asking each other is the faster way
        arguments.extend(["--external-ip", "10.77.0.1", "--upload-limit", "2MiB"].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        let torrent = served.torrent.to_str().expect("an ASCII path").to_owned();
        let by_magnet = |client| matches!(client, Client::Qbittorrent | Client::Aria2);
        let link = |client| if by_magnet(client) { served.magnet.clone() } else { torrent.clone() };
        let mut leechers = start_all(&workspace, link);
        leechers.iter_mut().for_each(|leecher| leecher.finish(Content::Single, &source));
        seeder.interrupt();
        let (uploaded, size) = (seeder.uploaded(), served.size);
        assert!(uploaded >= size, "they have {size} bytes, of which {uploaded} are counted");
        assert!(
            uploaded < 4 * size,
            "five copies of {size} bytes took {uploaded} from the seeder: they did not exchange"
        );
    });
}

#[test]
fn clients_that_came_first_are_dialled_when_the_seeder_comes() {
    isolated(Family::V4, &[&programs(&ALL)[..], &["opentracker"]].concat(), || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let arguments = Content::Padded.write(&source);
        let info = info_of(&std::fs::read(&arguments[0]).expect("the torrent file")).to_vec();
        let tracker = Tracker::of_debian(&workspace, &info);
        let torrent = workspace.path().join("tracked.torrent");
        std::fs::write(&torrent, torrent_file(&info, Some(tracker.url()))).expect("a torrent file");
        let link = torrent.to_str().expect("an ASCII path").to_owned();
        let mut leechers = start_all(&workspace, |_| link.clone());
        // then the seeder is told of all of them, and none of them asks again for half an hour
        wait_for("five leechers are known to the tracker", Duration::from_secs(60), || {
            leechers.iter_mut().for_each(Leecher::keep_running);
            (tracker.count("incomplete") == 5).then_some(())
        });
        let mut seeder = Seeder::start(
            workspace.path(),
            [&arguments[..], &["--tracker".to_owned(), tracker.url().to_owned()]].concat(),
        );
        seeder.serving(1);
        leechers.iter_mut().for_each(|leecher| leecher.finish(Content::Padded, &source));
        assert!(seeder.interrupt().success());
    });
}

#[test]
fn two_torrents_of_one_seeder_reach_two_clients() {
    isolated(Family::V4, &programs(&[Client::Aria2, Client::Libtorrent]), || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let mut arguments = Content::Single.write(&source);
        arguments.extend(Content::Folder.write(&source));
        arguments.extend(["--external-ip", "10.77.0.1"].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(2);
        let magnet = |name: &str| &served.iter().find(|torrent| torrent.name == name).expect("its name").magnet;
        let start = |client, host, link| Leecher::start(client, workspace.path(), Family::V4, host, link);
        let mut one = start(Client::Aria2, 2, magnet("one file.bin"));
        let mut many = start(Client::Libtorrent, 3, magnet("many"));
        one.finish(Content::Single, &source);
        many.finish(Content::Folder, &source);
    });
}

#[test]
fn blocks_sent_by_zerocopy_arrive_as_they_are() {
    isolated(Family::V4, &programs(&[Client::Aria2, Client::Libtorrent]), || {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let mut arguments = Content::Padded.write(&source);
        arguments.extend(["--external-ip", "10.77.0.1", "--send", "zerocopy"].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        assert_eq!(served.send, "zerocopy");
        let start = |client, host| Leecher::start(client, workspace.path(), Family::V4, host, &served.magnet);
        let mut leechers = [start(Client::Aria2, 2), start(Client::Libtorrent, 3)];
        leechers.iter_mut().for_each(|leecher| leecher.finish(Content::Padded, &source));
        assert!(seeder.interrupt().success());
    });
}

#[test]
fn without_an_external_address_clients_still_reach_the_seeder_by_ipv4() {
    isolated(Family::V4, &programs(&[Client::Libtorrent]), || download_without_external_address(Family::V4));
}

#[test]
fn without_an_external_address_clients_still_reach_the_seeder_by_ipv6() {
    isolated(Family::V6, &programs(&[Client::Libtorrent]), || download_without_external_address(Family::V6));
}

fn download_without_external_address(family: Family) {
    let workspace = Workspace::new();
    let source = workspace.folder("source");
    let mut seeder = Seeder::start(workspace.path(), Content::Single.write(&source));
    let served = seeder.serving(1).remove(0);
    let mut leecher = Leecher::start(Client::Libtorrent, workspace.path(), family, 2, &served.magnet);
    leecher.finish(Content::Single, &source);
}
