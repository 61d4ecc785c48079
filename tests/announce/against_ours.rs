//! The tracker of this program, which another hand wrote from the same BEPs: both protocols, both families, one port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sower::discovery::{Announcer, Config, Family, Scrape};
use sower::tracker::{self, Tracker};

use super::{HASH, config, endpoint, found, torrent, url};

#[tokio::test]
async fn a_torrent_lives_its_whole_life_at_our_tracker_over_both_protocols_and_families() {
    let local: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    for scheme in ["http", "udp"] {
        let bound = tracker::Config { bind: local.to_vec(), open: true, ..tracker::Config::default() };
        let tracker = Tracker::start(bound).expect("a free port");
        let name = format!("{scheme}://both.example:{}/announce", tracker.port());
        let named = |port| Config { names: vec![("both.example".into(), local.to_vec())], ..config(port) };
        let (mut seed, _peers) = Announcer::start(named(5001));
        let handle = seed.add(torrent(&[&[&name]], 0)).await;
        for family in Family::ALL {
            let status = endpoint(&handle, 0, family, |status| status.answered.is_some()).await;
            assert_eq!((status.error, status.seeders.is_some()), (None, true), "{scheme} {family}");
        }

        let (mut leech, mut peers) = Announcer::start(named(5002));
        leech.add(torrent(&[&[&name]], 1_000)).await;
        let mut named_peers = Vec::new();
        while !local.iter().all(|&address| named_peers.contains(&SocketAddr::new(address, 5001))) {
            named_peers.extend(found(&mut peers).await.peers);
        }
        let counts = seed.scrape(&url(&name), &[HASH]).await.expect("it can be scraped");
        assert!(counts[0].is_some_and(|counts| counts.seeders > 0 && counts.leechers > 0), "{scheme}: {counts:?}");

        assert_eq!(leech.shutdown(Duration::from_secs(5)).await.told, 2, "{scheme}");
        let counts = seed.scrape(&url(&name), &[HASH]).await.expect("it can be scraped");
        assert!(matches!(counts[0], Some(Scrape { leechers: 0, .. })), "{scheme}: {counts:?}");
        assert_eq!(seed.shutdown(Duration::from_secs(5)).await.told, 2, "{scheme}");
        tracker.stop();
    }
}
