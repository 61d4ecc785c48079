//! The end, in order: nothing new begins, requests that wait are served, and who waits for nothing more is let go.
//!
//! A connection that is closed while bytes of the peer are unread is reset, and what the peer has not read by then is lost with it
//! (RFC 9293, 3.10.7). So the stream is ended first and the connection read on until the peer ends its side.

use crate::clock::Time;
use crate::ids::PeerKey;
use crate::peer::Reason;

use super::connection::{Stage, Wait};
use super::world::Shard;

impl Shard {
    /// From now on nobody is asked for anything, no request is taken and no connection; [`Shard::next_partings`] names those who have
    /// got what they wait for.
    pub fn wind_down(&mut self, now: Time) {
        self.winding_down = true;
        let keys: Vec<PeerKey> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            match self.connections.get(key).map(|connection| &connection.stage) {
                Some(Stage::Greeting(_)) => self.close(key, Reason::Stopped),
                Some(Stage::Peer(..)) => self.retire(key, now),
                Some(Stage::Http(_)) | None => {}
            }
        }
    }

    /// [`Shard::wind_down`] was called.
    pub fn winds_down(&self) -> bool {
        self.winding_down
    }

    fn retire(&mut self, key: PeerKey, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Stage::Peer(torrent, peer) = &mut connection.stage else { return };
        let (was_choked, interested) = (peer.is_choked(), peer.is_interested());
        peer.retire(&mut connection.output);
        if !was_choked {
            (connection.slot_since, connection.optimistic_since) = (now, None);
            self.unchoked -= 1;
            self.totals.chokes += 1;
            if let Some(swarm) = self.swarms.get_mut(torrent) {
                swarm.unchoked -= 1;
            }
        }
        self.set_waiting(key, interested);
        self.list_output(key);
    }

    /// Connections whose stream may be ended, as far as their sockets have taken everything: they wait for nothing, and owe nothing
    /// that we asked for.
    pub fn next_partings(&mut self) -> Vec<PeerKey> {
        let (mut ready, mut told) = (Vec::new(), Vec::new());
        for (key, connection) in self.connections.iter_mut() {
            if connection.closing.is_some() || connection.parted || connection.wait != Wait::Nothing {
                continue;
            }
            match &mut connection.stage {
                Stage::Peer(torrent, peer) => {
                    let download = self.swarms.get(torrent).and_then(|swarm| swarm.download.as_ref());
                    let owes = download.is_some_and(|download| download.picker.status(key).in_flight > 0);
                    if peer.wants_turn() || owes && !peer.chokes_us() {
                        continue;
                    }
                    peer.part(&mut connection.output);
                }
                Stage::Http(client) if client.body().is_some() => continue,
                Stage::Http(_) | Stage::Greeting(_) => {}
            }
            (if connection.output.is_empty() { &mut ready } else { &mut told }).push(key);
        }
        told.into_iter().for_each(|key| self.list_output(key));
        ready
    }

    /// The stream to `key` was ended: nothing more is said to it.
    pub fn parted(&mut self, key: PeerKey) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.parted = true;
        }
    }
}
