//! Where torrents are announced: at their trackers, at those that the operator added, and at the embedded one.

use std::net::IpAddr;

use crate::discovery::{self, Announced, Trackers, parse_tiers};
use crate::ids::InfoHash;
use crate::metainfo::Metainfo;
use crate::tracker::{self, OwnSeeder, Tracker, TrackerHandle};

use super::config::{SessionError, TrackerChoice};
use super::entry::Shared;
use super::seeding::Session;

/// The port of trackers by custom.
const TRACKER_PORT: u16 = 6969;

impl Session {
    /// The embedded tracker, if there is one, has this torrent.
    pub(super) fn track(&self, info_hash: InfoHash) -> Result<(), SessionError> {
        let Some(tracker) = &self.tracker else { return Ok(()) };
        let (external_v4, external_v6) = self.reachable.one_of_each();
        let own = OwnSeeder { port: self.fleet.port(), peer_id: self.peer_id, external_v4, external_v6 };
        Ok(tracker.add_torrent(info_hash, Some(own))?)
    }

    pub(super) fn announce(&self, metainfo: &Metainfo) -> Announcing {
        self.announce_at(metainfo.info_hash(), metainfo.private(), metainfo.trackers())
    }

    /// Where a torrent is announced: at its trackers, ours left out, and at those that the operator added.
    pub(super) fn announce_at(&self, info_hash: InfoHash, private: bool, tiers: &[Vec<String>]) -> Announcing {
        let ours = self.tracker_urls();
        let theirs: Vec<Vec<&String>> =
            tiers.iter().map(|tier| tier.iter().filter(|url| !ours.contains(url)).collect()).collect();
        let (tiers, _) = parse_tiers(&theirs);
        let trackers = match private {
            true => Trackers::Private { tiers },
            false => Trackers::Public { tiers, added: self.added_trackers.clone() },
        };
        Announcing { info_hash, trackers }
    }
}

/// A torrent's name and trackers.
pub(super) struct Announcing {
    info_hash: InfoHash,
    trackers: Trackers,
}

impl Announcing {
    pub(super) fn into_trackers(self) -> Trackers {
        self.trackers
    }

    pub(super) fn of(self, shared: &Shared) -> Announced {
        Announced { info_hash: self.info_hash, trackers: self.trackers, stats: shared.stats() }
    }
}

pub(super) fn check_trackers(urls: &[String]) -> Result<Vec<Vec<discovery::TrackerUrl>>, SessionError> {
    let tiers: Vec<Vec<&String>> = urls.iter().map(|url| vec![url]).collect();
    let (tiers, refused) = parse_tiers(&tiers);
    match refused.into_iter().next() {
        Some((url, cause)) => Err(SessionError::BadTracker { url, cause }),
        None => Ok(tiers),
    }
}

pub(super) fn start_tracker(
    choice: TrackerChoice,
    external: &[IpAddr],
    device: Option<&str>,
) -> Result<TrackerHandle, tracker::StartError> {
    let (external, device) = (external.to_vec(), device.map(str::to_owned));
    let config = tracker::Config { external, device, ..Default::default() };
    let start = |port| Tracker::start(tracker::Config { port, ..config.clone() });
    match choice {
        TrackerChoice::Port(port) => start(port),
        TrackerChoice::AnyPort => match start(TRACKER_PORT) {
            Err(tracker::StartError::PortInUse { .. }) => start(0),
            started => started,
        },
    }
}
