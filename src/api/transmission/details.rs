//! What no view has of a torrent, asked of the seedbox when a field needs it.

use std::sync::Arc;

use crate::discovery::TrackerStatus;
use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::session::seedbox::Seedbox;
use crate::shard::PeerStatus;

use super::field::Needs;

/// Details of one torrent. What was not asked for, or is not there because the metadata is still sought, is empty.
#[derive(Default)]
pub(super) struct Details {
    /// What the torrent file says.
    pub(super) metainfo: Option<Arc<Metainfo>>,
    /// In their order.
    pub(super) trackers: Vec<TrackerStatus>,
    /// Connected ones.
    pub(super) peers: Vec<PeerStatus>,
    /// A bit for each piece, the first the highest of the first byte.
    pub(super) pieces: Vec<u8>,
}

impl Details {
    /// Asks for what is needed. A torrent that was removed meanwhile has nothing.
    pub(super) async fn ask(seedbox: Seedbox, torrent: TorrentId, needs: Needs) -> Details {
        let mut details = Details::default();
        if needs.metainfo {
            details.metainfo = seedbox.metainfo(torrent).await.ok();
        }
        if needs.trackers {
            details.trackers = seedbox.trackers(torrent).await.unwrap_or_default();
        }
        if needs.peers {
            details.peers = seedbox.peers(torrent).await.unwrap_or_default();
        }
        if needs.pieces {
            details.pieces = seedbox.pieces(torrent).await.unwrap_or_default();
        }
        details
    }

    /// This piece is here.
    pub(super) fn has_piece(&self, piece: u32) -> bool {
        let byte = usize::try_from(piece / 8).ok().and_then(|at| self.pieces.get(at));
        byte.is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
    }
}
