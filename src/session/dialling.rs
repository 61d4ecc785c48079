//! Which of the addresses that trackers name are dialled, and when again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Time;
use crate::ids::TorrentId;

/// An address is dialled once in this time: most that cannot be reached stay so for long, and most that can are
/// leechers that found us by themselves.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// Addresses remembered; when full, nothing more is dialled until old ones have run out.
const REMEMBERED: usize = 16_384;
/// Peers of one torrent beyond which nobody is dialled: who wants more finds us.
const ENOUGH: usize = 200;

/// What was dialled when.
#[derive(Debug, Default)]
pub(super) struct Dialling {
    dialled: HashMap<(TorrentId, SocketAddr), Time>,
}

impl Dialling {
    /// The addresses to dial now, of those named for a torrent that has `connected` peers.
    pub(super) fn choose(
        &mut self,
        torrent: TorrentId,
        connected: usize,
        named: Vec<SocketAddr>,
        now: Time,
    ) -> Vec<SocketAddr> {
        if self.dialled.len() >= REMEMBERED / 2 {
            self.dialled.retain(|_, at| now.since(*at) < AGAIN);
        }
        let room = ENOUGH.saturating_sub(connected).min(REMEMBERED.saturating_sub(self.dialled.len()));
        let mut chosen = Vec::new();
        for address in named.into_iter().filter(|address| is_dialable(*address)) {
            let before = self.dialled.get(&(torrent, address));
            if chosen.len() < room && before.is_none_or(|at| now.since(*at) >= AGAIN) {
                self.dialled.insert((torrent, address), now);
                chosen.push(address);
            }
        }
        chosen
    }
}

/// A tracker may name anything: broadcast and unspecified addresses and port 0 are nobody's.
pub(super) fn is_dialable(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("address")).collect()
    }

    #[test]
    fn an_address_is_dialled_once_in_ten_minutes() {
        let mut dialling = Dialling::default();
        let peers = named(&["192.0.2.1:6881", "[2001:db8::1]:6881"]);
        assert_eq!(dialling.choose(TorrentId(0), 0, peers.clone(), Time(0)), peers);
        assert!(dialling.choose(TorrentId(0), 0, peers.clone(), Time(0)).is_empty());
        assert_eq!(dialling.choose(TorrentId(1), 0, peers.clone(), Time(0)), peers);
        assert_eq!(dialling.choose(TorrentId(0), 0, peers.clone(), Time(0) + AGAIN), peers);
    }

    #[test]
    fn nobody_is_dialled_where_nobody_can_be_and_where_peers_are_plenty() {
        let mut dialling = Dialling::default();
        let nobody = named(&["192.0.2.1:0", "0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1"]);
        assert!(dialling.choose(TorrentId(0), 0, nobody, Time(0)).is_empty());
        assert!(dialling.choose(TorrentId(0), ENOUGH, named(&["192.0.2.1:1"]), Time(0)).is_empty());
    }
}
