//! What is known of each tracker of a torrent, for display.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::error::AnnounceError;
use super::request::Family;
use super::trackers::{TrackerUrl, parse_tiers};
use crate::ids::InfoHash;

/// One tracker.
#[derive(Clone, Debug)]
pub struct TrackerStatus {
    /// Its URL.
    pub url: Arc<TrackerUrl>,
    /// Its tier, counted from 0.
    pub tier: usize,
    /// IPv4 and IPv6; a family that the URL excludes stays as it began.
    pub endpoints: [EndpointStatus; 2],
}

/// One tracker over one family.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// Family.
    pub family: Family,
    /// Whether an announce is waiting or in flight.
    pub announcing: bool,
    /// When the next one is due; `None` while announcing, and for those that are not in use.
    pub next: Option<Instant>,
    /// When the tracker last answered.
    pub answered: Option<Instant>,
    /// Failures since it did.
    pub failures: u32,
    /// Why the last announce failed; `None` if it did not.
    pub error: Option<AnnounceError>,
    /// The tracker's last message.
    pub warning: Option<String>,
    /// Peers that have everything, as the tracker last said.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Peers in its last answer.
    pub peers: usize,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
}

/// All trackers of a torrent in one line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// The one that answered last, without its secrets, if it still does.
    pub tracker: Option<Arc<str>>,
    /// What is wrong, if anything.
    pub trouble: Option<Trouble>,
    /// Peers that have everything, as the tracker says that knows most.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// When the next announce is due.
    pub next: Option<Instant>,
}

/// What is wrong with a torrent's trackers, in words for its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// None answers, and one has refused the torrent.
    Refused(Arc<str>),
    /// None answers, and not one could be asked.
    Unreachable(Arc<str>),
    /// One answers, with a warning.
    Warned(Arc<str>),
}

impl Trouble {
    /// The words.
    pub fn text(&self) -> &str {
        match self {
            Trouble::Refused(text) | Trouble::Unreachable(text) | Trouble::Warned(text) => text,
        }
    }
}

/// Something was heard of a torrent's trackers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Of which torrent.
    pub info_hash: InfoHash,
    /// What is known of them now.
    pub summary: Summary,
}

impl TrackerStatus {
    /// Of trackers that nothing is announced to for now. URLs that cannot be used are left out.
    pub fn idle(tiers: &[Vec<String>]) -> Vec<TrackerStatus> {
        let (tiers, _) = parse_tiers(tiers);
        let urls = tiers.into_iter().enumerate().flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
        urls.map(|(tier, url)| TrackerStatus::new(Arc::new(url), tier)).collect()
    }

    fn new(url: Arc<TrackerUrl>, tier: usize) -> TrackerStatus {
        TrackerStatus { url, tier, endpoints: Family::ALL.map(EndpointStatus::new) }
    }

    /// Whether the last announce over either family was answered.
    pub fn works(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.answered.is_some() && endpoint.failures == 0)
    }
}

impl EndpointStatus {
    fn new(family: Family) -> EndpointStatus {
        EndpointStatus {
            family,
            announcing: false,
            next: None,
            answered: None,
            failures: 0,
            error: None,
            warning: None,
            seeders: None,
            leechers: None,
            peers: 0,
            external_ip: None,
        }
    }
}
