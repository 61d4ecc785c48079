//! What is kept across starts.

use crate::ids::TorrentId;

use super::keeper::Keeper;

impl Keeper {
    /// Has what is known of a torrent saved.
    pub(super) fn save(&mut self, _id: TorrentId) {}

    /// Has a torrent forgotten.
    pub(super) fn forget(&mut self, id: TorrentId) {
        let Some(row) = self.row(id).cloned() else { return };
        let _ = std::fs::remove_file(self.torrent_path(row.info_hash()));
    }

    /// Has numbers that changed saved.
    pub(super) fn save_numbers(&mut self) {}

    /// Has settings saved.
    pub(super) fn save_settings(&mut self) {}
}
