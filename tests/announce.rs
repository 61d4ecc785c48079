//! Announcing, against opentracker (Debian's) where it is installed, and against small servers that do what no honest
//! tracker does. One test process per environment is needed for the TLS cases: those run this binary again.

#[path = "announce/against_opentracker.rs"]
mod against_opentracker;
#[path = "announce/against_ours.rs"]
mod against_ours;
#[path = "announce/faults.rs"]
mod faults;
#[path = "announce/manners.rs"]
mod manners;
#[path = "announce/scale.rs"]
mod scale;
#[path = "announce/servers.rs"]
mod servers;
#[path = "announce/tls.rs"]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use sower::discovery::{
    Announced, Announcer, Config, EndpointStatus, Family, Found, Handle, Reach, Stats, TrackerUrl, Trackers,
};
use sower::ids::{InfoHash, PeerId};
use tokio::sync::mpsc::Receiver;

const HASH: InfoHash = InfoHash(*b"\x01 announced torrent\xff");
/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(port: u16) -> Config {
    let mut id = *b"-SW0100-000000000000";
    id[18..].copy_from_slice(&port.to_be_bytes());
    let mut config = Config::new(PeerId(id), 0x00c0_ffee, port);
    config.http_timeout = Duration::from_secs(5);
    config.udp_timeout = Duration::from_secs(2);
    config
}

fn url(text: &str) -> TrackerUrl {
    TrackerUrl::parse(text).expect("a tracker URL")
}

/// A public torrent with these tiers, with constant numbers.
fn torrent(tiers: &[&[&str]], left: u64) -> Announced {
    let tiers = tiers.iter().map(|tier| tier.iter().map(|text| url(text)).collect()).collect();
    Announced {
        info_hash: HASH,
        trackers: Trackers::Public { tiers, added: Vec::new() },
        stats: Arc::new(move || Stats { uploaded: 0, downloaded: 0, left, peers_wanted: 50 }),
    }
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn found(peers: &mut Receiver<Found>) -> Found {
    in_time("peers", peers.recv()).await.expect("the announcer runs")
}

/// Polls until the endpoint of tracker `index` over `family` is as wished.
async fn endpoint(
    handle: &Handle,
    index: usize,
    family: Family,
    wished: impl Fn(&EndpointStatus) -> bool,
) -> EndpointStatus {
    let look = async {
        loop {
            let [v4, v6] = handle.status()[index].endpoints.clone();
            let status = if family == Family::V4 { v4 } else { v6 };
            if wished(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time("a tracker's state", look).await
}

/// What an operator reads after the first announce to `tracker` failed.
async fn error_of(config: Config, tracker: &str) -> String {
    let (announcer, _peers) = Announcer::start(config);
    let handle = announcer.add(torrent(&[&[tracker]], 0)).await;
    let family = if tracker.contains("://[") { Family::V6 } else { Family::V4 };
    let status = endpoint(&handle, 0, family, |status| status.failures > 0).await;
    assert!(status.next.is_some(), "it will be tried again");
    status.error.expect("a failure has a reason").to_string()
}

fn every_tracker(port: u16) -> Config {
    Config { reach: Reach::EveryTracker, ..config(port) }
}
