//! One download for each row of a table that covers, for every client, every pair of values it supports.

use std::collections::BTreeSet;

use crate::content::{Content, info_of, torrent_file};
use crate::leecher::{Client, Leecher};
use crate::namespace::{Family, isolated};
use crate::process::Workspace;
use crate::seeder::{Seeder, Served};

use Client::*;
use Content::*;
use Driver::*;
use Family::*;
use Link::*;
use Sending::*;
use Tracker::*;

/// The protocol by which the client finds the seeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tracker {
    Http,
    Udp,
}

/// What the client is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Torrent,
    Magnet,
}

/// What the seeder's reactor runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Driver {
    IoUring,
    Epoll,
}

/// How blocks leave the seeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sending {
    Splice,
    Copy,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    client: Client,
    tracker: Tracker,
    family: Family,
    content: Content,
    link: Link,
    driver: Driver,
    send: Sending,
}

impl Row {
    /// The name of its test.
    fn name(&self) -> String {
        let family = if self.family == V4 { "ipv4" } else { "ipv6" };
        let Self { client, link, content, tracker, .. } = self;
        let values = format!("{client:?}_{link:?}_{content:?}_{tracker:?}_{family}").to_lowercase();
        format!("{values}_{}_{}", self.driver(), self.send())
    }

    /// Whether the client is able to; see `leecher` for the reasons.
    fn is_supported(&self) -> bool {
        let udp_by_ipv6 = self.tracker == Udp && self.family == V6;
        !udp_by_ipv6 || self.client.speaks_udp_by_ipv6()
    }

    /// Every two of its values, with the client.
    fn pairs(&self) -> BTreeSet<(Client, String, String)> {
        let Self { tracker, family, content, link, driver, send, .. } = self;
        let values = [format!("{tracker:?}"), format!("{family:?}"), format!("{content:?}"), format!("{link:?}")];
        let values: Vec<String> = values.into_iter().chain([format!("{driver:?}"), format!("{send:?}")]).collect();
        let pairs = values.iter().enumerate().flat_map(|(i, one)| values[..i].iter().map(move |two| (two, one)));
        pairs.map(|(one, two)| (self.client, one.clone(), two.clone())).collect()
    }

    fn driver(&self) -> &'static str {
        if self.driver == IoUring { "io_uring" } else { "epoll" }
    }

    fn send(&self) -> &'static str {
        if self.send == Splice { "splice" } else { "copy" }
    }

    fn download(&self) {
        let workspace = Workspace::new();
        let source = workspace.folder("source");
        let mut arguments = self.content.write(&source);
        let address = self.family.host(1).to_string();
        let options = ["--driver", self.driver(), "--send", self.send(), "--external-ip", &address];
        arguments.extend(options.map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        assert_eq!((served.driver.as_str(), served.send.as_str()), (self.driver(), self.send()));
        let link = self.link_to(&served, &workspace);
        let mut leecher = Leecher::start(self.client, workspace.path(), self.family, 2, &link);
        leecher.finish(self.content, &source);
        seeder.assert_runs();
    }

    /// A torrent file or magnet link that names this row's tracker alone, so that the client has no choice.
    fn link_to(&self, served: &Served, workspace: &Workspace) -> String {
        let scheme = if self.tracker == Http { "http://" } else { "udp://" };
        let tracker = served.trackers.iter().find(|url| url.starts_with(scheme)).expect("a tracker of that protocol");
        if self.link == Magnet {
            let tracker = percent_encoding::utf8_percent_encode(tracker, percent_encoding::NON_ALPHANUMERIC);
            return format!("magnet:?xt=urn:btih:{}&tr={tracker}", served.info_hash);
        }
        let original = std::fs::read(&served.torrent).expect("the torrent file the seeder names");
        let path = workspace.path().join("one-tracker.torrent");
        std::fs::write(&path, torrent_file(info_of(&original), Some(tracker))).expect("a torrent file");
        path.into_os_string().into_string().expect("an ASCII path")
    }
}

macro_rules! rows {
    ($($name:ident: $client:ident $tracker:ident $family:ident $content:ident $link:ident $driver:ident $send:ident,)*) => {
        const ROWS: &[Row] = &[$(Row {
            client: $client,
            tracker: $tracker,
            family: $family,
            content: $content,
            link: $link,
            driver: $driver,
            send: $send,
        }),*];
        $(#[test]
        fn $name() {
            isolated($family, $client.programs(), || {
                ROWS.iter().find(|row| row.name() == stringify!($name)).expect("a row named after its values").download();
            });
        })*
    };
}

rows! {
    transmission_torrent_single_http_ipv4_io_uring_splice: Transmission Http V4 Single Torrent IoUring Splice,
    transmission_magnet_folder_http_ipv6_io_uring_copy: Transmission Http V6 Folder Magnet IoUring Copy,
    transmission_torrent_padded_http_ipv6_epoll_copy: Transmission Http V6 Padded Torrent Epoll Copy,
    transmission_magnet_single_http_ipv6_epoll_splice: Transmission Http V6 Single Magnet Epoll Splice,
    transmission_torrent_folder_udp_ipv4_epoll_splice: Transmission Udp V4 Folder Torrent Epoll Splice,
    transmission_magnet_padded_udp_ipv4_io_uring_splice: Transmission Udp V4 Padded Magnet IoUring Splice,
    transmission_magnet_single_udp_ipv4_io_uring_copy: Transmission Udp V4 Single Magnet IoUring Copy,
    aria2_torrent_padded_http_ipv4_epoll_splice: Aria2 Http V4 Padded Torrent Epoll Splice,
    aria2_torrent_folder_http_ipv6_io_uring_copy: Aria2 Http V6 Folder Torrent IoUring Copy,
    aria2_magnet_padded_http_ipv6_io_uring_splice: Aria2 Http V6 Padded Magnet IoUring Splice,
    aria2_magnet_single_http_ipv6_epoll_copy: Aria2 Http V6 Single Magnet Epoll Copy,
    aria2_magnet_folder_udp_ipv4_epoll_splice: Aria2 Udp V4 Folder Magnet Epoll Splice,
    aria2_torrent_padded_udp_ipv4_epoll_copy: Aria2 Udp V4 Padded Torrent Epoll Copy,
    aria2_torrent_single_udp_ipv4_io_uring_splice: Aria2 Udp V4 Single Torrent IoUring Splice,
    rtorrent_magnet_single_http_ipv4_epoll_splice: Rtorrent Http V4 Single Magnet Epoll Splice,
    rtorrent_torrent_folder_http_ipv6_io_uring_splice: Rtorrent Http V6 Folder Torrent IoUring Splice,
    rtorrent_torrent_padded_http_ipv6_epoll_copy: Rtorrent Http V6 Padded Torrent Epoll Copy,
    rtorrent_magnet_single_http_ipv6_epoll_copy: Rtorrent Http V6 Single Magnet Epoll Copy,
    rtorrent_magnet_folder_udp_ipv4_epoll_copy: Rtorrent Udp V4 Folder Magnet Epoll Copy,
    rtorrent_magnet_padded_udp_ipv4_io_uring_splice: Rtorrent Udp V4 Padded Magnet IoUring Splice,
    rtorrent_torrent_single_udp_ipv4_io_uring_copy: Rtorrent Udp V4 Single Torrent IoUring Copy,
    qbittorrent_torrent_folder_http_ipv4_io_uring_copy: Qbittorrent Http V4 Folder Torrent IoUring Copy,
    qbittorrent_torrent_padded_http_ipv4_epoll_copy: Qbittorrent Http V4 Padded Torrent Epoll Copy,
    qbittorrent_torrent_padded_http_ipv6_io_uring_splice: Qbittorrent Http V6 Padded Torrent IoUring Splice,
    qbittorrent_magnet_single_http_ipv6_io_uring_copy: Qbittorrent Http V6 Single Magnet IoUring Copy,
    qbittorrent_magnet_folder_udp_ipv4_io_uring_splice: Qbittorrent Udp V4 Folder Magnet IoUring Splice,
    qbittorrent_torrent_single_udp_ipv4_epoll_splice: Qbittorrent Udp V4 Single Torrent Epoll Splice,
    qbittorrent_torrent_folder_udp_ipv6_epoll_copy: Qbittorrent Udp V6 Folder Torrent Epoll Copy,
    qbittorrent_magnet_padded_udp_ipv6_epoll_splice: Qbittorrent Udp V6 Padded Magnet Epoll Splice,
    libtorrent_torrent_folder_http_ipv4_io_uring_copy: Libtorrent Http V4 Folder Torrent IoUring Copy,
    libtorrent_magnet_padded_http_ipv4_io_uring_splice: Libtorrent Http V4 Padded Magnet IoUring Splice,
    libtorrent_torrent_padded_http_ipv6_epoll_copy: Libtorrent Http V6 Padded Torrent Epoll Copy,
    libtorrent_magnet_single_http_ipv6_io_uring_copy: Libtorrent Http V6 Single Magnet IoUring Copy,
    libtorrent_torrent_single_udp_ipv4_epoll_splice: Libtorrent Udp V4 Single Torrent Epoll Splice,
    libtorrent_magnet_folder_udp_ipv6_epoll_copy: Libtorrent Udp V6 Folder Magnet Epoll Copy,
    libtorrent_magnet_folder_udp_ipv6_io_uring_splice: Libtorrent Udp V6 Folder Magnet IoUring Splice,
    libtorrent_magnet_padded_udp_ipv6_epoll_splice: Libtorrent Udp V6 Padded Magnet Epoll Splice,
}

#[test]
fn the_table_covers_every_pair_of_values_that_each_client_supports() {
    let mut missing = Vec::new();
    for client in [Transmission, Aria2, Rtorrent, Qbittorrent, Libtorrent] {
        let supported: BTreeSet<_> = every_row(client).filter(Row::is_supported).flat_map(|row| row.pairs()).collect();
        let covered = ROWS.iter().filter(|row| row.client == client).flat_map(Row::pairs).collect();
        missing.extend(supported.difference(&covered).cloned());
    }
    assert_eq!(missing, [], "add rows for these");
}

fn every_row(client: Client) -> impl Iterator<Item = Row> {
    (0..96_u8).map(move |number| Row {
        client,
        tracker: [Http, Udp][usize::from(number % 2)],
        family: [V4, V6][usize::from(number / 2 % 2)],
        link: [Torrent, Magnet][usize::from(number / 4 % 2)],
        driver: [IoUring, Epoll][usize::from(number / 8 % 2)],
        send: [Splice, Copy][usize::from(number / 16 % 2)],
        content: [Single, Folder, Padded][usize::from(number / 32)],
    })
}
