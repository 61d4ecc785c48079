//! Details of one torrent, for who asks.

use std::sync::Arc;

use crate::discovery::TrackerStatus;
use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::shard::PeerStatus;

use super::keeper::{Content, Keeper, no_such};
use super::look::read_torrent;
use super::order::{Refusal, RefusalKind, Reply};

impl Keeper {
    /// The torrent file of `id`.
    pub(super) fn read_metainfo(&self, id: TorrentId) -> Result<Metainfo, Refusal> {
        let row = self.row(id).ok_or_else(no_such)?;
        if !row.about.has_metadata {
            return Err(Refusal::new(RefusalKind::Conflict, "its metadata is not here yet"));
        }
        let path = self.torrent_path(row.info_hash());
        let metainfo = read_torrent(&path, row.info_hash());
        let metainfo = metainfo.map_err(|error| Refusal::new(RefusalKind::Environment, error))?;
        Ok(self.with_trackers(row, metainfo))
    }

    /// Reads on another thread: some torrent files are large.
    pub(super) fn tell_metainfo(&mut self, id: TorrentId, reply: Reply<Arc<Metainfo>>) {
        let Some(row) = self.row(id).cloned() else { return drop(reply.send(Err(no_such()))) };
        if !row.about.has_metadata {
            let refusal = Refusal::new(RefusalKind::Conflict, "its metadata is not here yet");
            return drop(reply.send(Err(refusal)));
        }
        let path = self.torrent_path(row.info_hash());
        tokio::task::spawn_blocking(move || {
            let metainfo = read_torrent(&path, row.info_hash());
            let metainfo = metainfo.map(|metainfo| match &row.choice.trackers {
                Some(tiers) => metainfo.with_trackers(tiers.clone()),
                None => metainfo,
            });
            let answer = metainfo.map(Arc::new).map_err(|error| Refusal::new(RefusalKind::Environment, error));
            let _ = reply.send(answer);
        });
    }

    pub(super) fn tell_trackers(&mut self, id: TorrentId, reply: Reply<Vec<TrackerStatus>>) {
        let running = self.torrents.get(&id).and_then(|kept| kept.running);
        let entry = running.and_then(|running| self.session.torrents.get(&running));
        let answer = match entry.and_then(|entry| entry.announced.as_ref()) {
            Some(announced) => Ok(announced.status()),
            None => self.read_metainfo(id).map(|metainfo| TrackerStatus::idle(metainfo.trackers())),
        };
        let _ = reply.send(answer);
    }

    pub(super) fn tell_peers(&mut self, id: TorrentId, reply: Reply<Vec<PeerStatus>>) {
        let Some(kept) = self.torrents.get(&id) else { return drop(reply.send(Err(no_such()))) };
        match kept.running {
            Some(running) => {
                let peers = self.session.fleet.peers(running);
                tokio::spawn(async move { drop(reply.send(Ok(peers.await))) });
            }
            None => drop(reply.send(Ok(Vec::new()))),
        }
    }

    pub(super) fn tell_pieces(&mut self, id: TorrentId, reply: Reply<Vec<u8>>) {
        let (Some(kept), Some(row)) = (self.torrents.get(&id), self.row(id)) else {
            return drop(reply.send(Err(no_such())));
        };
        let bytes = row.about.pieces.div_ceil(8) as usize;
        let target = kept.running.and_then(|running| self.session.torrents.get(&running));
        let target = target.and_then(|entry| entry.download.as_ref());
        let pieces = match (target, kept.content.known()) {
            (Some(download), _) => download.had_pieces().to_vec(),
            (None, Content::Whole | Content::Trusted) => all(row.about.pieces),
            _ => vec![0; bytes],
        };
        let _ = reply.send(Ok(pieces));
    }
}

/// A bit for each of `pieces`.
fn all(pieces: u32) -> Vec<u8> {
    let mut bits = vec![0xff; pieces.div_ceil(8) as usize];
    if let Some(last) = bits.last_mut().filter(|_| !pieces.is_multiple_of(8)) {
        *last <<= 8 - pieces % 8;
    }
    bits
}
