//! Torrents that no reactor keeps anything of until somebody asks for one.

use std::sync::Arc;

use crate::ids::{InfoHash, TorrentId};
use crate::reactor::Command;

use super::Fleet;

impl Fleet {
    /// These torrents are ours. [`Fleet::take_wanted`] names those that somebody asks for. `published`: by HTTP as well.
    pub fn know(&mut self, torrents: &[(InfoHash, TorrentId)], published: bool) {
        let torrents: Arc<[_]> = torrents.into();
        self.order_all(|| Command::Know { torrents: torrents.clone(), published });
    }

    /// A torrent that is known and not served is ours no more. Whether a reactor serves it at this moment is its own affair, so whoever
    /// removes a torrent that was ever added withdraws it too.
    pub fn forget(&mut self, info_hash: InfoHash) {
        self.order_all(|| Command::Forget { info_hash });
    }

    /// Waits until a peer asks for a torrent that is known and not in memory. It borrows nothing, and nothing is lost if it is
    /// dropped.
    pub fn wanted_notified(&self) -> impl Future<Output = ()> + use<> {
        let wanted = self.wanted.clone();
        async move { wanted.notified().await }
    }

    /// The torrents that peers wait for, each once. The answer to each is [`Fleet::serve`], even if it was added before, because a
    /// reactor may have dropped it since; or [`Fleet::refuse`].
    pub fn take_wanted(&self) -> Vec<TorrentId> {
        self.wanted.take()
    }

    /// A torrent that is wanted cannot be served now: who waits for it is closed. The next to ask has it wanted again.
    pub fn refuse(&mut self, id: TorrentId) {
        self.order_all(|| Command::Refuse { id });
    }

    /// Drops what reactors keep of a torrent, each that has no connection to it. What was dropped comes by
    /// [`Fleet::take_ended`]; elsewhere it is served as before, and listed in the snapshots.
    pub fn sleep(&mut self, id: TorrentId) {
        self.order_all(|| Command::Sleep { id });
    }

    pub(super) fn order_all(&mut self, command: impl Fn() -> Command) {
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, command()));
    }
}
