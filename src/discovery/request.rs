//! What an announce says, and how it is written into a URL (BEP 3, 23).

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use crate::ids::{InfoHash, PeerId};
use crate::limits;

/// Address family of one announce. A tracker learns our address from the packet, so each family announces itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6 (BEP 7).
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// That of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// What an announce reports beside the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Still here.
    Regular,
    /// First announce.
    Started,
    /// The download just became complete; sent once, never by who was complete at the start.
    Completed,
    /// Last announce.
    Stopped,
}

/// A torrent's numbers at one moment, in bytes of payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Sent so far; the announcer subtracts what was sent before it first told a tracker `started`.
    pub uploaded: u64,
    /// Received so far; likewise.
    pub downloaded: u64,
    /// Still missing; 0 for a seed.
    pub left: u64,
    /// Addresses that are welcome. A seed wants some too: peers behind a NAT can only be reached by dialling out to
    /// those who also listen, and the other way round. 50 is usual (BEP 3); 0 once the places for connections are taken.
    pub peers_wanted: u32,
}

/// Called when an announce is about to leave, so that its numbers are of that moment. Must not block.
pub type StatsSource = Arc<dyn Fn() -> Stats + Send + Sync>;

/// One announce, complete.
#[derive(Clone, Debug)]
pub(super) struct Announce {
    pub(super) info_hash: InfoHash,
    pub(super) peer_id: PeerId,
    pub(super) key: u32,
    pub(super) port: u16,
    pub(super) event: Event,
    pub(super) stats: Stats,
    pub(super) tracker_id: Option<Arc<[u8]>>,
}

impl Announce {
    /// Peers to ask for; none on the way out.
    pub(super) fn wanted(&self) -> u32 {
        if self.event == Event::Stopped { 0 } else { self.stats.peers_wanted.min(limits::PEERS_WANTED) }
    }

    /// The query string; to be appended to the one that the announce URL has.
    pub(super) fn query(&self) -> String {
        let mut query = String::with_capacity(320);
        query.push_str("info_hash=");
        push_escaped(&mut query, &self.info_hash.0);
        query.push_str("&peer_id=");
        push_escaped(&mut query, &self.peer_id.0);
        let Stats { uploaded, downloaded, left, .. } = self.stats;
        let written = write!(
            query,
            "&port={}&uploaded={uploaded}&downloaded={downloaded}&left={left}&numwant={}&key={:08x}&compact=1&no_peer_id=1",
            self.port,
            self.wanted(),
            self.key,
        );
        debug_assert!(written.is_ok(), "a String takes everything");
        query.push_str(match self.event {
            Event::Regular => "",
            Event::Started => "&event=started",
            Event::Completed => "&event=completed",
            Event::Stopped => "&event=stopped",
        });
        if let Some(id) = &self.tracker_id {
            query.push_str("&trackerid=");
            push_escaped(&mut query, id);
        }
        query
    }
}

/// Query string of a scrape (BEP 48).
pub(super) fn scrape_query(hashes: &[InfoHash]) -> String {
    let mut query = String::new();
    for hash in hashes {
        query.push_str(if query.is_empty() { "info_hash=" } else { "&info_hash=" });
        push_escaped(&mut query, &hash.0);
    }
    query
}

/// Percent-encodes every byte but the unreserved ones of RFC 3986, section 2.3.
fn push_escaped(out: &mut String, bytes: &[u8]) {
    const UNRESERVED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    out.extend(percent_encoding::percent_encode(bytes, UNRESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(event: Event) -> Announce {
        Announce {
            info_hash: InfoHash(*b"\x00\xff &?=/aZ09-._~+%#;!"),
            peer_id: PeerId(*b"-SW0100-abcdefghijkl"),
            key: 0xab,
            port: 6881,
            event,
            stats: Stats { uploaded: u64::MAX, downloaded: 1, left: 0, peers_wanted: 9_999 },
            tracker_id: None,
        }
    }

    #[test]
    fn every_byte_of_the_hash_survives_the_url() {
        let query = announce(Event::Started).query();
        assert!(
            query.starts_with("info_hash=%00%FF%20%26%3F%3D%2FaZ09-._~%2B%25%23%3B%21&peer_id=-SW0100-abcdefghijkl&")
        );
        let url = url::Url::parse(&format!("http://h/announce?{query}")).expect("a URL");
        assert_eq!(url.query(), Some(query.as_str()));
    }

    #[test]
    fn numbers_are_exact_and_events_are_named() {
        let query = announce(Event::Started).query();
        assert!(query.contains(
            "&port=6881&uploaded=18446744073709551615&downloaded=1&left=0&numwant=200&key=000000ab&compact=1"
        ));
        assert!(query.ends_with("&event=started"));
        assert!(!announce(Event::Regular).query().contains("event"));
        assert!(announce(Event::Completed).query().ends_with("&event=completed"));
        assert!(!query.contains("supportcrypto"));
    }

    #[test]
    fn nobody_asks_for_peers_on_the_way_out() {
        assert!(announce(Event::Stopped).query().contains("&numwant=0&"));
    }

    #[test]
    fn the_tracker_gets_its_id_back() {
        let with_id = Announce { tracker_id: Some(Arc::from(&b"a b"[..])), ..announce(Event::Regular) };
        assert!(with_id.query().ends_with("&trackerid=a%20b"));
    }
}
