//! A torrent of which only the name is known: announced, so that trackers name peers to get the rest from (BEP 9).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use crate::discovery::{self, Found, Handle, Trackers, parse_tiers};
use crate::ids::InfoHash;
use crate::limits::KNOWN_PEERS;
use crate::metainfo::Magnet;
use crate::peer::Identity;

use super::config::SessionError;
use super::entry::Shared;
use super::identity::CLIENT;
use super::metadata::{Asker, addresses_of};
use super::seeding::Session;

/// Announced at its trackers, until the download takes that over.
pub(super) struct Seeking {
    pub(super) info_hash: InfoHash,
    pub(super) handle: Handle,
    pub(super) shared: Shared,
    /// Those that were named.
    pub(super) peers: Vec<SocketAddr>,
    named: mpsc::Sender<SocketAddr>,
}

impl Session {
    /// Looks for peers of the torrent that a magnet link names, beside those that are given; they come out of the receiver. Its
    /// download, once it is known what it is, goes on with them.
    pub async fn seek(
        &mut self,
        magnet: &Magnet,
        peers: &[SocketAddr],
    ) -> Result<mpsc::Receiver<SocketAddr>, SessionError> {
        let tiers: Vec<Vec<&String>> = magnet.trackers.iter().map(|url| vec![url]).collect();
        let (tiers, _) = parse_tiers(&tiers);
        let trackers = Trackers::Public { tiers, added: self.added_trackers.clone() };
        // how much is missing is not known; a peer with nothing left would be told of leechers alone
        let shared = Shared { left: Arc::new(AtomicU64::new(1)), ..Shared::default() };
        let info_hash = magnet.info_hash;
        let announced = discovery::Announced { info_hash, trackers, stats: shared.stats() };
        let handle = self.announcer.add(announced).await;
        let (named, receiver) = mpsc::channel(KNOWN_PEERS);
        self.seeking = Some(Seeking { info_hash, handle, shared, peers: Vec::new(), named });
        let of_link = addresses_of(&magnet.peers).await;
        self.seek_among(peers.iter().copied().chain(of_link));
        Ok(receiver)
    }

    /// Who asks peers for metadata.
    pub fn asker(&self) -> Asker {
        let identity = Identity { peer_id: self.peer_id, client: CLIENT.to_owned(), port: self.fleet.port() };
        Asker::new(identity, self.device.clone())
    }

    /// Whether `found` is about the torrent that is sought.
    pub(super) fn take_sought(&mut self, found: &Found) -> bool {
        if let Some(asking) = self.asking.get(&found.info_hash) {
            // when it is full there are enough to ask
            for peer in &found.peers {
                let _ = asking.try_send(*peer);
            }
            return true;
        }
        let sought = self.seeking.as_ref().is_some_and(|seeking| seeking.info_hash == found.info_hash);
        if sought {
            self.seek_among(found.peers.iter().copied());
        }
        sought
    }

    fn seek_among(&mut self, peers: impl IntoIterator<Item = SocketAddr>) {
        let Some(seeking) = &mut self.seeking else { return };
        let filter = self.fleet.filter();
        for peer in peers.into_iter().filter(|peer| !filter.blocks(peer.ip())) {
            if seeking.peers.len() < KNOWN_PEERS && !seeking.peers.contains(&peer) {
                seeking.peers.push(peer);
                // there is room for as many; nobody listens any more once the metadata is here
                let _ = seeking.named.try_send(peer);
            }
        }
    }
}
