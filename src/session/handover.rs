//! Another process goes on with what a session does, as the same peer: neither trackers nor other peers notice.

use crate::discovery::{Announced, Handle, Told};
use crate::ids::{PeerId, TorrentId};
use crate::storage::Target;

use super::seeding::Session;

/// What the other process has to know. The listeners it is given beside, see [`FleetConfig::listeners`](super::FleetConfig).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    /// By which peers and trackers know us.
    pub peer_id: PeerId,
    /// By which trackers know us when our address changes.
    pub key: u32,
    /// What each tracker has been told, so that it is told `started` once and no byte twice.
    pub told: Vec<Told>,
}

impl Session {
    /// What a successor has to know.
    pub(super) async fn hand_over(&self) -> Handover {
        Handover { peer_id: self.peer_id, key: self.key, told: self.announcer.told().await }
    }

    /// Announces a torrent, or goes on with what the process before had told.
    pub(super) async fn announce_first(&mut self, announced: Announced) -> Handle {
        let told = self.told.remove(&announced.info_hash).unwrap_or_default();
        self.announcer.go_on(announced, told).await
    }

    /// Takes a torrent out as [`Session::leave`] does, but trackers are told nothing; of a download the target.
    pub(super) async fn leave_quietly(&mut self, id: TorrentId) -> Option<std::sync::Arc<Target>> {
        let announced = self.torrents.get_mut(&id).and_then(|entry| entry.announced.take());
        self.quiet.extend(announced);
        self.leave(id).await
    }

    /// There is no successor after all: what was left quietly is left.
    pub(super) async fn leave_aloud(&mut self) {
        for announced in std::mem::take(&mut self.quiet) {
            announced.remove().await;
        }
    }
}
