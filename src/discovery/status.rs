//! What is known of each tracker of a torrent, for display.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::error::AnnounceError;
use super::reply::Reply;
use super::request::Family;
use super::trackers::{TrackerUrl, parse_tiers};

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

impl TrackerStatus {
    /// Of trackers that nothing is announced to for now. URLs that cannot be used are left out.
    pub fn idle(tiers: &[Vec<String>]) -> Vec<TrackerStatus> {
        let (tiers, _) = parse_tiers(tiers);
        let urls = tiers.into_iter().enumerate().flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
        urls.map(|(tier, url)| TrackerStatus::new(Arc::new(url), tier)).collect()
    }

    pub(super) fn new(url: Arc<TrackerUrl>, tier: usize) -> TrackerStatus {
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

    pub(super) fn note(&mut self, outcome: &Result<Reply, AnnounceError>, now: Instant) {
        self.announcing = false;
        match outcome {
            Ok(reply) => {
                self.answered = Some(now);
                self.failures = 0;
                self.error = None;
                self.warning.clone_from(&reply.warning);
                self.seeders = reply.seeders.or(self.seeders);
                self.leechers = reply.leechers.or(self.leechers);
                self.peers = reply.peers.len();
                self.external_ip = reply.external_ip.or(self.external_ip);
            }
            Err(error @ AnnounceError::NoAddress { .. }) => self.error = Some(error.clone()),
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.error = Some(error.clone());
            }
        }
    }
}
