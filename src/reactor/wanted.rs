//! Torrents that somebody asks for and that are not in memory: how all reactors tell the control thread, at once.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use tokio::sync::Notify;

use crate::ids::TorrentId;

/// Torrents that wait to be looked up. More stay with the reactors, and each is there once, so what waits there is bounded by their
/// handshakes.
const WANTED: usize = 1_024;

/// The way from the reactors to whoever adds torrents. Peers wait at its other end, so it rings at once.
#[derive(Debug)]
pub struct Wanted {
    torrents: ArrayQueue<TorrentId>,
    /// It is told without a lock as long as nobody waits, and rarely: once for each torrent that is woken.
    bell: Notify,
}

impl Wanted {
    /// Nothing is wanted.
    pub fn new() -> Arc<Wanted> {
        Arc::new(Wanted { torrents: ArrayQueue::new(WANTED), bell: Notify::new() })
    }

    /// Somebody wants this torrent; gives it back if too many wait, which the caller answers by telling it later.
    pub(super) fn tell(&self, id: TorrentId) -> Result<(), TorrentId> {
        self.torrents.push(id)?;
        self.bell.notify_one();
        Ok(())
    }

    /// Everything that is wanted now, each once.
    pub fn take(&self) -> Vec<TorrentId> {
        let mut all: Vec<TorrentId> = std::iter::from_fn(|| self.torrents.pop()).take(WANTED).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Waits until something is wanted.
    pub async fn notified(&self) {
        self.bell.notified().await;
    }
}
