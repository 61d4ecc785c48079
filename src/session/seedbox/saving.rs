//! What is kept across starts.

use crate::ids::TorrentId;

use super::keeper::Keeper;

impl Keeper {
    /// Has what is known of a torrent saved.
    pub(super) fn save(&mut self, _id: TorrentId) {}

    /// Has numbers that changed saved.
    pub(super) fn save_numbers(&mut self) {}

    /// Has settings saved.
    pub(super) fn save_settings(&mut self) {}
}
