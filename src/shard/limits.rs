//! Limits that may change while peers are connected: rates in both directions, and how many connections there are.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::clock::Time;
use crate::ids::{PeerKey, TorrentId};
use crate::limits;
use crate::peer::Reason;

use super::connection::{Connection, Stage};
use super::world::Shard;

impl Shard {
    /// Limits what this shard sends to bytes a second; `None` lifts it.
    pub fn set_upload_limit(&mut self, rate: Option<u64>, now: Time) {
        self.pacer.set_global(now, rate);
        // A turn waits at most a quarter of a second for more than one block: cut to a block each, peers that ask for
        // long blocks would get as many times more as theirs are longer.
        let (least, most) = (u64::from(limits::BLOCK), u64::from(limits::BLOCK_MAX));
        self.turn_bytes = rate.map_or(least, |rate| (rate / 4).clamp(least, most));
    }

    /// Limits what this shard asks for to bytes a second; `None` lifts it.
    pub fn set_download_limit(&mut self, rate: Option<u64>, now: Time) {
        self.askers.set_global(now, rate);
    }

    /// Limits one torrent to bytes a second, sent and asked for; `None` lifts a limit. Of a torrent that is gone nothing is kept.
    pub fn set_torrent_limits(&mut self, id: TorrentId, upload: Option<u64>, download: Option<u64>, now: Time) {
        if self.serves(id) {
            self.pacer.set_torrent(now, id, upload);
            self.askers.set_torrent(now, id, download);
        }
    }

    /// A torrent is gone: so are its limits.
    pub(super) fn forget_limits(&mut self, id: TorrentId) {
        self.pacer.forget_torrent(id);
        self.askers.forget_torrent(id);
    }

    /// Bounds the peers of one torrent here. Those beyond are let go, those who trade with us last.
    pub fn set_peers_max(&mut self, id: TorrentId, peers: Option<usize>) {
        let Some(swarm) = self.swarms.get_mut(&id) else { return };
        swarm.peers_max = peers;
        let keys = swarm.peers.values().copied().collect();
        self.shed(keys, peers.unwrap_or(usize::MAX), Reason::FullTorrent);
    }

    /// Bounds the connections of this shard, likewise.
    pub fn set_connections_max(&mut self, connections: usize) {
        self.config.connections_max = connections;
        let keys = self.connections.iter().map(|(key, _)| key).collect();
        self.shed(keys, connections, Reason::Full);
    }

    /// Closes all but `most` of `keys`: who trades with us stays, and who came first.
    fn shed(&mut self, mut keys: Vec<PeerKey>, most: usize, reason: Reason) {
        if keys.len() <= most {
            return;
        }
        let rank = |connection: &Connection| (Reverse(trades(connection)), connection.opened_at);
        keys.sort_by_key(|key| self.connections.get(*key).map(rank));
        keys.drain(..most);
        keys.into_iter().for_each(|key| self.close(key, reason));
    }

    /// Ends the connections with addresses that are blocked from now on. A web seed has no address.
    pub fn close_addresses(&mut self, is_blocked: impl Fn(IpAddr) -> bool, reason: Reason) {
        let blocked = |(_, connection): &(PeerKey, &Connection)| {
            let address = connection.address.ip();
            !address.is_unspecified() && is_blocked(address)
        };
        let keys: Vec<PeerKey> = self.connections.iter().filter(blocked).map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.close(key, reason));
    }

    /// Peers that would send to us what we want: who is given a share of a limit on downloads.
    pub fn senders(&self) -> usize {
        let sends = |(_, connection): &(PeerKey, &Connection)| {
            connection.peer().is_some_and(|(_, peer)| peer.is_wanted() && !peer.chokes_us())
        };
        if self.swarms.values().all(|swarm| swarm.download.is_none()) {
            0
        } else {
            self.connections.iter().filter(sends).count()
        }
    }

    /// Puts a peer in line that could be asked for more; whether there is a line.
    pub(super) fn stands_in_line(&mut self, id: TorrentId, key: PeerKey) -> bool {
        if !self.askers.limits(id) {
            return false;
        }
        let download = self.swarms.get(&id).and_then(|swarm| swarm.download.as_ref());
        if download.is_some_and(|download| download.picker.has_room(key)) {
            self.askers.wait(id, key);
        }
        true
    }

    /// Asks those whose turn it is for as much as limits on downloads allow by now.
    pub(super) fn ask_in_line(&mut self, now: Time) {
        while let Some(grant) = self.askers.next(now) {
            let asked = self.ask_few(grant.key, grant.blocks, now);
            self.askers.asked(now, grant.torrent, self.asked.iter().map(|block| u64::from(block.length)).sum());
            if grant.blocks == Some(asked) {
                self.stands_in_line(grant.torrent, grant.key);
            }
        }
    }
}

/// Payload goes, or may go, one way or the other. A connection that serves HTTP counts as one that does.
fn trades(connection: &Connection) -> bool {
    match &connection.stage {
        Stage::Greeting(_) => false,
        Stage::Peer(_, peer) => !peer.is_choked() || peer.is_wanted() && !peer.chokes_us(),
        Stage::Http(_) => true,
    }
}
