//! Back-pressure on peers that ask for more than may wait.
//!
//! A request beyond [`REQUESTS_PER_PEER`] is rejected where the peer speaks Fast. Without Fast there is no word for that, and a
//! request that is dropped in silence is waited for without end: rTorrent, which sizes its queue by the rate that it gets, stood
//! still after a GB or so. So what such a peer says beyond is not read until half of its queue is served: first its bytes wait
//! here, then in the kernel, then with the peer. A connection that waits for its torrent (`dormant.rs`) is not read either.

use crate::clock::Time;
use crate::ids::PeerKey;
use crate::limits::REQUESTS_PER_PEER;
use crate::peer::{Peer, Reason};

use super::world::Shard;

impl Shard {
    /// A connection whose bytes are not to be received for now (`true`), or again.
    pub fn next_hold(&mut self) -> Option<(PeerKey, bool)> {
        self.holds.pop_front()
    }

    /// Whether the next request of `peer` would be lost.
    pub(super) fn would_lose(peer: &Peer) -> bool {
        !peer.is_fast() && peer.requests_waiting() >= REQUESTS_PER_PEER
    }

    /// Reads no more of `key` for now.
    pub(super) fn hold(&mut self, key: PeerKey) {
        self.held.push(key);
        self.holds.push_back((key, true));
    }

    /// Keeps bytes of a held connection that were under way when receiving stopped.
    pub(super) fn keep_held(&mut self, key: PeerKey, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.input.len() + bytes.len() > Shard::held_max(connection.awaits) {
            return self.close(key, Reason::RequestFlood);
        }
        connection.input.extend_from_slice(bytes);
    }

    /// Reads on where queues have become short. Once in each turn of the loop.
    pub fn settle_held(&mut self, now: Time) {
        for key in std::mem::take(&mut self.held) {
            let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.closing.is_none())
            else {
                continue;
            };
            // that nothing is heard is our doing
            connection.heard_at = now;
            let asks = connection.peer().is_some_and(|(_, peer)| peer.requests_waiting() > REQUESTS_PER_PEER / 2);
            if asks || connection.awaits.is_some() {
                self.held.push(key);
                continue;
            }
            connection.held = false;
            self.holds.push_back((key, false));
            self.received(key, &[], now);
        }
    }
}
