//! Files that are served are compared with what they were, again and again; what has changed stops its torrent.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::ids::TorrentId;
use crate::peer::Reason;
use crate::storage::{Content, Identity};

use super::seeding::Session;

/// Turns (seconds) between two looks at them.
const CHECK_TURNS: u64 = 2;

impl Session {
    /// Compares the files of all torrents with what was verified. Files may be on a disk that hangs, so another thread
    /// looks, and nobody waits for it: what it found is taken in when it is there, and then it looks again.
    pub(super) async fn check_files(&mut self) {
        if let Some(look) = self.look.take_if(|look| look.is_finished()) {
            let faults = look.await.unwrap_or_default();
            faults.into_iter().for_each(|(id, cause)| self.fail(id, cause));
        }
        if self.look.is_none() && self.turns.is_multiple_of(CHECK_TURNS) {
            self.look = Some(self.begin_look());
        }
    }

    fn begin_look(&self) -> JoinHandle<Vec<(TorrentId, String)>> {
        // what sleeps is nobody's to be sent
        let served = self.lively.iter().filter_map(|id| Some((id, self.torrents.get(id)?)));
        let served = served.filter(|(_, entry)| entry.failure.is_none());
        let awake = served.filter_map(|(id, entry)| Some((*id, entry.body.as_ref()?)));
        let jobs: Vec<_> = awake.map(|(id, body)| (id, body.content.clone(), body.identities.clone())).collect();
        let look = move || -> Vec<(TorrentId, String)> {
            let changed = |(id, content, before): (TorrentId, Arc<Content>, Arc<[Identity]>)| {
                content.compare(&before).err().map(|fault| (id, fault.to_string()))
            };
            jobs.into_iter().filter_map(changed).collect()
        };
        tokio::task::spawn_blocking(look)
    }

    /// Stops one torrent; the others go on. The trackers hear of it with the next turn's announces.
    pub(super) fn fail(&mut self, id: TorrentId, cause: String) {
        let Some(entry) = self.torrents.get_mut(&id).filter(|entry| entry.failure.is_none()) else { return };
        entry.failure = Some(cause);
        self.failed.push(id);
        if let Some(tracker) = &self.tracker {
            tracker.remove_torrent(entry.info_hash);
        }
        if let Some(announced) = entry.announced.take() {
            tokio::spawn(announced.remove());
        }
        self.fleet.withdraw(id, Reason::TorrentFailed);
    }
}
