//! From a datagram to its answer: no socket here, so every case can be tested as bytes in, bytes out.

use std::net::{IpAddr, SocketAddr};

use super::connection_id::ConnectionIds;
use super::packet::{self, AnnounceRequest, Head, Kind, Request};
use crate::clock::Time;
use crate::ids::InfoHash;
use crate::tracker::counters::Counts;
use crate::tracker::desk::Desk;
use crate::tracker::swarm::Sample;

/// Answers datagrams; one for each thread.
pub(super) struct Clerk<'a> {
    desk: &'a Desk,
    ids: &'a ConnectionIds,
    sample: Sample,
    pub(super) counts: Counts,
}

/// A datagram and the ways it came.
#[derive(Clone, Copy)]
pub(super) struct Inbound<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) from: SocketAddr,
    /// Our address that it was sent to.
    pub(super) reached_at: IpAddr,
}

impl<'a> Clerk<'a> {
    pub(super) fn new(desk: &'a Desk, ids: &'a ConnectionIds) -> Clerk<'a> {
        Clerk { desk, ids, sample: Sample::default(), counts: Counts::default() }
    }

    /// Writes the answer to `out`, which it finds empty; it stays empty if there is none. Nobody who has not shown
    /// that it receives at its address gets more bytes than it sent.
    pub(super) fn answer(&mut self, now: Time, inbound: Inbound<'_>, out: &mut Vec<u8>) {
        let Some(head) = Head::of(inbound.bytes) else {
            self.counts.udp_dropped += 1;
            return;
        };
        let client = inbound.from.ip().to_canonical();
        match head.kind() {
            Kind::Connect => {
                self.counts.udp_connects += 1;
                packet::put_connect(out, head.transaction, self.ids.issue(now, client));
            }
            Kind::Under(id) if self.ids.accepts(now, client, id) => match packet::request(head, inbound.bytes) {
                Ok(Request::Announce(request)) => self.announce(now, inbound, head, &request, out),
                Ok(Request::Scrape(hashes)) => self.scrape(head, hashes, out),
                Err(malformed) => self.refuse(head, malformed, out),
            },
            // an announce is 98 bytes, a scrape 36: room for this text. Anything shorter is somebody else's protocol.
            Kind::Under(_) if inbound.bytes.len() >= 36 => self.refuse(head, "connection id expired", out),
            Kind::Under(_) => self.counts.udp_dropped += 1,
        }
    }

    fn announce(&mut self, now: Time, inbound: Inbound<'_>, head: Head, request: &AnnounceRequest, out: &mut Vec<u8>) {
        let source = inbound.from.ip().to_canonical();
        let peer = self.desk.peer_address(source, request.port);
        let announce = request.announce_of(peer, inbound.reached_at, source.is_ipv4());
        match self.desk.registry.announce(now, &announce, &mut self.sample) {
            Ok(answer) => {
                self.counts.udp_announces += 1;
                let peers = if source.is_ipv4() { &self.sample.v4 } else { &self.sample.v6 };
                packet::put_announce(out, head.transaction, self.desk.interval_s(), answer, peers);
            }
            Err(refusal) => self.refuse(head, refusal, out),
        }
    }

    fn scrape(&mut self, head: Head, hashes: &[u8], out: &mut Vec<u8>) {
        self.counts.udp_scrapes += 1;
        let (hashes, _) = hashes.as_chunks();
        let answers = hashes.iter().map(|hash| self.desk.registry.scrape(InfoHash(*hash)).unwrap_or_default());
        packet::put_scrape(out, head.transaction, answers);
    }

    fn refuse(&mut self, head: Head, reason: impl std::fmt::Display, out: &mut Vec<u8>) {
        self.counts.udp_errors += 1;
        packet::put_error(out, head.transaction, reason);
    }
}
