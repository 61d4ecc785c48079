//! Carries one announce or scrape to one tracker over one family: waits for its turn, looks the name up, takes the
//! numbers at the last moment, talks, and remembers what it learned about the host.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::datagram::{self, Answer};
use super::error::AnnounceError;
use super::hosts::{Host, Hosts};
use super::http::{Http, HttpConfig};
use super::reply::{self, Reply, Scrape};
use super::request::{Announce, Family, scrape_query};
use super::resolve::Resolver;
use super::trackers::{Scheme, TrackerUrl};
use super::udp::{Patience, Sessions};
use crate::ids::InfoHash;
use crate::limits;

pub(super) struct Transport {
    hosts: Hosts,
    resolver: Arc<Resolver>,
    http: Http,
    udp: Sessions,
    local: [IpAddr; 2],
    udp_patience: Duration,
}

/// How an announce is to be carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) family: Family,
    /// For the way out: time that is left in all.
    pub(super) hurry: Option<Duration>,
}

impl Transport {
    pub(super) fn new(http: HttpConfig, resolver: Resolver, udp_patience: Duration) -> Transport {
        let resolver = Arc::new(resolver);
        let device = http.device.clone();
        Transport {
            hosts: Hosts::new(),
            local: http.local,
            http: Http::new(http, Arc::clone(&resolver)),
            resolver,
            udp: Sessions::new(device),
            udp_patience,
        }
    }

    /// Announces; `announce` is called when the announce is about to leave.
    pub(super) async fn announce(
        &self,
        tracker: &TrackerUrl,
        manner: Manner,
        announce: impl FnOnce() -> Announce,
    ) -> Result<Reply, AnnounceError> {
        let host = self.hosts.host(tracker, manner.family);
        let _slot = self.hosts.enter(&host, manner.hurry.is_some()).await?;
        // boxed, so that the thousands that may wait for a slot are small
        let outcome = Box::pin(self.announce_now(tracker, manner, &host, announce)).await;
        host.note(&outcome);
        outcome
    }

    async fn announce_now(
        &self,
        tracker: &TrackerUrl,
        manner: Manner,
        host: &Host,
        announce: impl FnOnce() -> Announce,
    ) -> Result<Reply, AnnounceError> {
        let addresses = self.resolver.addresses(&tracker.host(), manner.family).await?;
        let announce = announce();
        if tracker.scheme() != Scheme::Udp {
            let body = self.http.get(tracker, tracker.http(), &announce.query(), manner.family).await?;
            return reply::parse_announce(&body);
        }
        let path = tracker.path_and_query();
        let request = |connection, transaction| datagram::announce(connection, transaction, &announce, &path);
        match self.udp(tracker, manner, host.choose(&addresses), request).await? {
            Answer::Announced(reply) => Ok(reply),
            _ => Err(AnnounceError::Malformed("another answer than was asked for".into())),
        }
    }

    /// Asks for the counts of up to `limits::SCRAPE_HASHES` torrents; one entry for each, `None` for those that the
    /// tracker does not know.
    pub(super) async fn scrape(
        &self,
        tracker: &TrackerUrl,
        family: Family,
        hashes: &[InfoHash],
    ) -> Result<Vec<Option<Scrape>>, AnnounceError> {
        let hashes = &hashes[..hashes.len().min(limits::SCRAPE_HASHES)];
        let host = self.hosts.host(tracker, family);
        let _slot = self.hosts.enter(&host, false).await?;
        let addresses = self.resolver.addresses(&tracker.host(), family).await?;
        if tracker.scheme() != Scheme::Udp {
            let url = tracker.scrape().ok_or(AnnounceError::NoScrape)?;
            let body = self.http.get(tracker, url, &scrape_query(hashes), family).await?;
            return reply::parse_scrape(&body, hashes);
        }
        let manner = Manner { family, hurry: None };
        let request = |connection, transaction| datagram::scrape(connection, transaction, hashes);
        match self.udp(tracker, manner, host.choose(&addresses), request).await? {
            // a datagram has no names: what it does not reach is unknown
            Answer::Scraped(list) => Ok((0..hashes.len()).map(|place| list.get(place).copied()).collect()),
            _ => Err(AnnounceError::Malformed("another answer than was asked for".into())),
        }
    }

    async fn udp(
        &self,
        tracker: &TrackerUrl,
        manner: Manner,
        address: IpAddr,
        request: impl Fn(u64, u32) -> Vec<u8>,
    ) -> Result<Answer, AnnounceError> {
        let local = match manner.family {
            Family::V4 => self.local[0],
            Family::V6 => self.local[1],
        };
        // a quarter, so that a lost datagram is sent again twice before the end
        let first = manner.hurry.map_or(self.udp_patience, |left| self.udp_patience.min(left / 4));
        let peer = SocketAddr::new(address, tracker.port());
        self.udp.exchange(peer, local, Patience { first }, request).await
    }

    /// Makes room for the announces of the way out.
    pub(super) fn widen(&self) {
        self.hosts.widen();
    }
}
