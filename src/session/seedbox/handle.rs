//! The handle that every front end holds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::discovery::TrackerStatus;
use crate::filter::IpFilter;
use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::session::Handover;
use crate::shard::PeerStatus;

use super::super::status::Status;
use super::moving::NOT_MOVED;
use super::order::{Added, Addition, Carried, Change, Order, Refusal, RefusalKind, Reply};
use super::place::{ask_disk, confine, new_folders};
use super::settings::Settings;
use super::view::View;

/// For a rename to be done.
const RENAME_PATIENCE: Duration = Duration::from_secs(10);

/// A seedbox, to whoever drives it. Cloning shares it.
///
/// Reading never waits for the keeper; an order waits until a view shows what it did.
#[derive(Clone)]
pub struct Seedbox {
    orders: mpsc::Sender<Order>,
    views: watch::Receiver<Arc<View>>,
}

impl Seedbox {
    pub(super) fn new(orders: mpsc::Sender<Order>, views: watch::Receiver<Arc<View>>) -> Seedbox {
        Seedbox { orders, views }
    }

    /// Everything, now.
    pub fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Tells of new views.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Adds a torrent. A file is looked into first; a magnet link and a URL are followed afterwards, and a URL that leads to nothing
    /// is told here.
    pub async fn add(&self, addition: Addition) -> Result<Added, Refusal> {
        self.ask(|reply| Order::Add(Box::new(addition), reply)).await
    }

    /// Changes torrents. A new folder has to lie in the roots. A rename is answered once it is done, or was not.
    pub async fn change(&self, torrents: Vec<TorrentId>, change: Change) -> Result<(), Refusal> {
        let change = match change {
            Change::Move { folder, files } => Change::Move { folder: self.confined(folder).await?, files },
            change => change,
        };
        for folder in self.followed(&torrents, &change) {
            self.confined(folder).await?;
        }
        let renamed = if matches!(change, Change::RenamePath { .. }) { torrents.clone() } else { Vec::new() };
        self.ask(|reply| Order::Change(torrents, change, reply)).await?;
        for torrent in renamed {
            self.renamed(torrent).await?;
        }
        Ok(())
    }

    /// Where `change` has those of `torrents` go that follow their category: a name may lead out of the roots as well.
    fn followed(&self, torrents: &[TorrentId], change: &Change) -> BTreeSet<PathBuf> {
        let view = self.view();
        let folder = |torrent: &TorrentId| {
            let choice = &view.row(*torrent)?.choice;
            match change {
                Change::Category(category) if choice.auto_managed => Some(view.settings.category_folder(category)),
                Change::AutoManaged(true) => Some(view.settings.category_folder(&choice.category)),
                _ => None,
            }
        };
        torrents.iter().filter_map(folder).collect()
    }

    /// `folder` without links and `..`, if it lies in one of the roots.
    pub async fn confined(&self, folder: PathBuf) -> Result<PathBuf, Refusal> {
        let settings = self.view().settings.clone();
        ask_disk(&folder.clone(), move || confine(&folder, &settings)).await?
    }

    /// Waits until the files of `torrent` have their new names. They do not leave their disk, so that takes no time but where it is
    /// busy.
    async fn renamed(&self, torrent: TorrentId) -> Result<(), Refusal> {
        let mut views = self.watch();
        let is_over = |view: &Arc<View>| view.row(torrent).is_none_or(|row| row.choice.moving.is_none());
        let over = tokio::time::timeout(RENAME_PATIENCE, views.wait_for(is_over)).await;
        let Ok(Ok(view)) = over else {
            return Err(Refusal::new(RefusalKind::Busy, "it takes long: look again later"));
        };
        match view.row(torrent).and_then(|row| row.message.as_deref()) {
            Some(text) if text.starts_with(NOT_MOVED) => Err(Refusal::new(RefusalKind::Conflict, text)),
            _ => Ok(()),
        }
    }

    /// Changes what holds for all: `change` gets what holds now, and again if somebody else changes something meanwhile, so that neither
    /// undoes the other. Folders stay within the roots, which stay as they are.
    pub async fn settings(&self, mut change: impl FnMut(&mut Settings)) -> Result<(), Refusal> {
        loop {
            let before = self.view().settings.clone();
            let mut settings = Settings::clone(&before);
            change(&mut settings);
            let folders = new_folders(&settings, &before)?;
            if let Some(first) = folders.first().cloned() {
                let roots = before.clone();
                let confine_all = move || folders.iter().try_for_each(|folder| confine(folder, &roots).map(drop));
                ask_disk(&first, confine_all).await??;
            }
            if self.ask(|reply| Order::Settings(Box::new(settings), Some(before), reply)).await? {
                return Ok(());
            }
        }
    }

    /// Replaces what holds for all, roots included: for the configuration, which is the owner's alone.
    pub async fn configure(&self, settings: Settings) -> Result<(), Refusal> {
        self.ask(|reply| Order::Settings(Box::new(settings), None, reply)).await.map(drop)
    }

    /// What is in the torrent file of `torrent`; refused while its metadata is not here.
    pub async fn metainfo(&self, torrent: TorrentId) -> Result<Arc<Metainfo>, Refusal> {
        self.ask(|reply| Order::Metainfo(torrent, reply)).await
    }

    /// The trackers of `torrent`, in their order.
    pub async fn trackers(&self, torrent: TorrentId) -> Result<Vec<TrackerStatus>, Refusal> {
        self.ask(|reply| Order::Trackers(torrent, reply)).await
    }

    /// The peers that `torrent` is connected to.
    pub async fn peers(&self, torrent: TorrentId) -> Result<Vec<PeerStatus>, Refusal> {
        self.ask(|reply| Order::Peers(torrent, reply)).await
    }

    /// Which pieces of `torrent` are here: a bit each, the first the highest of the first byte.
    pub async fn pieces(&self, torrent: TorrentId) -> Result<Vec<u8>, Refusal> {
        self.ask(|reply| Order::Pieces(torrent, reply)).await
    }

    /// Numbers of the engine: reactors, sending paths, disk.
    pub async fn engine(&self) -> Result<Arc<Status>, Refusal> {
        self.ask(Order::Engine).await
    }

    /// Keeps away from the addresses of `filter`, and no longer from those of an earlier one. Peers that it has are let go.
    pub async fn filter(&self, filter: Arc<IpFilter>) -> Result<(), Refusal> {
        self.ask(|reply| Order::Filter(filter, reply)).await
    }

    /// Ends in order: trackers hear `stopped`, state is on disk when this returns.
    pub async fn shutdown(&self) -> Result<(), Refusal> {
        self.ask(Order::Shutdown).await
    }

    /// Gives up the state, so that a successor may start with what this returns. Peers are served on; orders are refused until
    /// [`Seedbox::take_back`]. Refused where a successor could not go on: then nothing has changed.
    pub async fn step_back(&self) -> Result<Handover, Refusal> {
        self.ask(Order::StepBack).await
    }

    /// There is no successor: goes on as before.
    pub async fn take_back(&self) -> Result<(), Refusal> {
        self.ask(Order::TakeBack).await
    }

    /// There is a successor, to whom `carried` goes. Returns once nobody is connected any more, or at the end of `grace`.
    pub async fn see_off(&self, grace: Duration, carried: mpsc::Sender<Vec<Carried>>) -> Result<(), Refusal> {
        self.ask(|reply| Order::SeeOff(grace, carried, reply)).await
    }

    /// Counts what the process before has moved since it stepped back.
    pub async fn count(&self, carried: Vec<Carried>) -> Result<(), Refusal> {
        self.ask(|reply| Order::Count(carried, reply)).await
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
        let ended = || Refusal::new(RefusalKind::Busy, "the daemon is ending");
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}
