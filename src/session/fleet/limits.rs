//! Limits of the whole fleet, divided among its reactors by where they are of use, anew every second. And who is no peer at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::filter::IpFilter;
use crate::ids::TorrentId;
use crate::reactor::{Command, Snapshot};
use crate::schedule::apportion;

use super::Fleet;

/// Bytes a second that shares are counted in: fine enough for the lowest limit, and 1 TB/s is still a number of 32 bits.
const UNIT: u64 = 256;

/// Bytes a second in both directions; `None`: no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Rates {
    upload: Option<u64>,
    download: Option<u64>,
}

/// What is limited, and what each reactor was told of it last.
#[derive(Debug, Default)]
pub(super) struct Limits {
    all: Rates,
    told: Vec<Rates>,
    /// Those with a limit.
    torrents: BTreeMap<TorrentId, (Rates, Vec<Rates>)>,
    /// Connections of those for which they are bounded.
    peers: BTreeMap<TorrentId, usize>,
}

impl Fleet {
    /// Limits what is sent to all peers together to bytes a second; `None` lifts it.
    pub fn set_upload_limit(&mut self, rate: Option<u64>) {
        self.limits.all.upload = rate;
        self.share_limits();
    }

    /// Limits what is received from all peers together to bytes a second, by asking for no more; `None` lifts it.
    pub fn set_download_limit(&mut self, rate: Option<u64>) {
        self.limits.all.download = rate;
        self.share_limits();
    }

    /// Limits one torrent to bytes a second in each direction; `None` lifts a limit. It is forgotten with the torrent.
    pub fn set_torrent_limits(&mut self, id: TorrentId, upload: Option<u64>, download: Option<u64>) {
        let rates = Rates { upload, download };
        if rates == Rates::default() {
            if self.limits.torrents.remove(&id).is_some() {
                let lift = || Command::TorrentLimits { id, upload: None, download: None };
                (0..self.reactors.len()).for_each(|reactor| self.order(reactor, lift()));
            }
            return;
        }
        self.limits.torrents.entry(id).or_default().0 = rates;
        self.share_limits();
    }

    /// Bounds the connections of one torrent. Those beyond are ended, those that are of use last.
    pub fn set_peers_max(&mut self, id: TorrentId, peers: Option<usize>) {
        match peers {
            Some(peers) => drop(self.limits.peers.insert(id, peers)),
            None => drop(self.limits.peers.remove(&id)),
        }
        self.order_peers_max(id, peers);
    }

    fn order_peers_max(&mut self, id: TorrentId, peers: Option<usize>) {
        let peers = peers.map(|peers| peers.div_ceil(self.reactors.len()));
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, Command::PeersMax { id, peers }));
    }

    /// Bounds the connections in all, likewise.
    pub fn set_connections_max(&mut self, connections: usize) {
        let reactors = self.reactors.len();
        let share = connections.div_ceil(reactors);
        (0..reactors).for_each(|reactor| self.order(reactor, Command::ConnectionsMax(share)));
    }

    /// Connects with none of these addresses from now on: connections with them end, and neither side opens another. What is refused is
    /// counted as [`Reason::Filtered`](crate::peer::Reason::Filtered).
    pub fn set_filter(&mut self, filter: &Arc<IpFilter>) {
        self.filter = filter.clone();
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, Command::Filter(filter.clone())));
    }

    /// The addresses that nobody is connected with.
    pub fn filter(&self) -> &Arc<IpFilter> {
        &self.filter
    }

    /// A torrent is gone.
    pub(super) fn forget_limits(&mut self, id: TorrentId) {
        self.limits.torrents.remove(&id);
        self.limits.peers.remove(&id);
    }

    /// A torrent is served from now on: reactors keep no limits of those that they do not serve.
    pub(super) fn repeat_limits(&mut self, id: TorrentId) {
        if let Some(peers) = self.limits.peers.get(&id) {
            self.order_peers_max(id, Some(*peers));
        }
        if let Some((_, told)) = self.limits.torrents.get_mut(&id) {
            told.clear();
            self.share_limits();
        }
    }

    /// Tells each reactor its share of every limit, if that is news.
    pub(super) fn share_limits(&mut self) {
        let mut orders = Vec::new();
        let Fleet { limits, latest, .. } = self;
        let weights = |of: fn(&Snapshot) -> usize| weights(latest, of);
        let shares = divide(limits.all, &weights(|s| s.unchoked), &weights(|s| s.senders));
        limits.told.resize(shares.len(), Rates::default());
        for (reactor, (told, share)) in limits.told.iter_mut().zip(shares).enumerate() {
            if told.upload != share.upload {
                orders.push((reactor, Command::UploadLimit(share.upload)));
            }
            if told.download != share.download {
                orders.push((reactor, Command::DownloadLimit(share.download)));
            }
            *told = share;
        }
        for (&id, (rates, told)) in &mut limits.torrents {
            let shares = divide_torrent(id, *rates, latest);
            told.resize(shares.len(), Rates::default());
            for (reactor, (told, share)) in
                told.iter_mut().zip(shares).enumerate().filter(|(_, (told, share))| **told != *share)
            {
                let Rates { upload, download } = share;
                orders.push((reactor, Command::TorrentLimits { id, upload, download }));
                *told = share;
            }
        }
        orders.into_iter().for_each(|(reactor, order)| self.order(reactor, order));
    }
}

fn divide_torrent(id: TorrentId, rates: Rates, latest: &[Option<Snapshot>]) -> Vec<Rates> {
    let status = |snapshot: &Snapshot| snapshot.torrents.binary_search_by_key(&id, |torrent| torrent.id).ok();
    let count = |of: fn(&crate::shard::TorrentStatus) -> usize| {
        weights(latest, |snapshot| status(snapshot).map_or(0, |at| of(&snapshot.torrents[at])))
    };
    divide(rates, &count(|torrent| torrent.unchoked), &count(|torrent| torrent.peers))
}

fn weights(latest: &[Option<Snapshot>], of: impl Fn(&Snapshot) -> usize) -> Vec<u32> {
    let weight = |snapshot: &Snapshot| u32::try_from(of(snapshot)).unwrap_or(u32::MAX);
    latest.iter().map(|latest| latest.as_ref().map_or(0, weight)).collect()
}

/// The share of each reactor, by peers that are sent to and peers that send.
fn divide(rates: Rates, unchoked: &[u32], senders: &[u32]) -> Vec<Rates> {
    let of = |rate: Option<u64>, weights: &[u32]| match (rate, weights.len()) {
        (None, count) => vec![None; count],
        (Some(rate), 1) => vec![Some(rate)],
        (Some(rate), _) => {
            let units = u32::try_from(rate / UNIT).unwrap_or(u32::MAX);
            apportion(units, weights).into_iter().map(|share| Some(u64::from(share) * UNIT)).collect()
        }
    };
    let both = of(rates.upload, unchoked).into_iter().zip(of(rates.download, senders));
    both.map(|(upload, download)| Rates { upload, download }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_goes_to_where_it_is_of_use_and_adds_up() {
        let rates = Rates { upload: Some(1_000_000), download: Some(64 << 10) };
        let shares = divide(rates, &[3, 1, 0], &[0, 0, 0]);
        let sum = |of: fn(&Rates) -> Option<u64>| shares.iter().filter_map(of).sum::<u64>();
        assert_eq!(sum(|rates| rates.upload), 1_000_000 / UNIT * UNIT);
        assert_eq!(sum(|rates| rates.download), 64 << 10);
        let upload: Vec<u64> = shares.iter().filter_map(|rates| rates.upload).collect();
        assert!(upload[0] > 2 * upload[1] && upload[1] > 100 * upload[2] && upload[2] > 0, "{upload:?}");
    }

    #[test]
    fn one_reactor_has_all_of_it_to_the_byte_and_no_limit_is_none_anywhere() {
        let rates = Rates { upload: Some(1_001), download: None };
        assert_eq!(divide(rates, &[7], &[0]), [rates]);
        assert_eq!(divide(Rates::default(), &[1, 2], &[0, 0]), [Rates::default(); 2]);
    }
}
