//! The tracker in numbers.

use serde::Serialize;

use super::counters::Counts;
use super::desk::Desk;

/// The tracker at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether every torrent is served.
    pub open: bool,
    /// Torrents known.
    pub torrents: usize,
    /// IPv4 peers listed in all torrents.
    pub peers_v4: usize,
    /// IPv6 peers listed in all torrents.
    pub peers_v6: usize,
    /// Bytes of memory that torrents and peers take.
    pub bytes: usize,
    /// What was asked and answered since the start.
    pub counts: Counts,
    /// Torrents with most peers, as many as were asked for.
    pub largest: Vec<TorrentStats>,
}

/// One torrent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TorrentStats {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// Peers that have everything, our own seeder included.
    pub seeders: u32,
    /// Peers that download.
    pub leechers: u32,
    /// Downloads finished since the start.
    pub downloaded: u32,
}

impl Stats {
    /// Totals, and up to `largest` torrents.
    pub(super) fn of(desk: &Desk, largest: usize) -> Stats {
        let totals = desk.registry.totals();
        let torrents = if largest == 0 { Vec::new() } else { desk.registry.some_torrents(largest) };
        let largest = torrents.into_iter().map(|torrent| TorrentStats {
            info_hash: torrent.info_hash.to_string(),
            seeders: torrent.counts.seeders,
            leechers: torrent.counts.leechers,
            downloaded: torrent.counts.downloaded,
        });
        Stats {
            uptime_s: desk.now().0 / 1_000_000,
            open: desk.open,
            torrents: totals.torrents,
            peers_v4: totals.peers_v4,
            peers_v6: totals.peers_v6,
            bytes: totals.bytes,
            counts: desk.counters.read(),
            largest: largest.collect(),
        }
    }
}
