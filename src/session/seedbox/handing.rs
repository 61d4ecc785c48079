//! A successor takes the state over while those who are connected here are served on.
//!
//! ```text
//!   step back: downloads noted, everything saved, the state free --> take back: there is none after all, all goes on
//!                                                                `-> see off: peers served for a while, what that
//!                                                                    moved told to the successor, end
//! ```
//!
//! In between nothing is decided and nothing written here: the torrents are another process's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::Handover;
use super::super::state::{StateError, Store};
use super::keeper::{Job, Keeper, Leaving, seconds};
use super::order::{Carried, Order, Refusal, RefusalKind, Reply};
use super::row::Numbers;
use crate::ids::TorrentId;
use crate::storage::Target;

/// Times that the state is opened again before it is given up.
const TRIES: u32 = 20;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// Reactors tell once a second who is connected: somebody may have come just before they stopped listening.
const STALE: Duration = Duration::from_secs(2);

/// Bytes sent and received, by torrent, up to which somebody has counted.
type Counted = BTreeMap<TorrentId, (u64, u64)>;

/// Peers are served until then.
struct Farewell {
    since: Instant,
    until: Instant,
    carried: mpsc::Sender<Vec<Carried>>,
    reply: Reply<()>,
}

impl Keeper {
    /// Gives the state up and serves on, until everything is taken back or this process is not needed any more; whether it is not.
    pub(super) async fn stand_back(&mut self, reply: Reply<Handover>, orders: &mut mpsc::Receiver<Order>) -> bool {
        match self.give_up().await {
            Ok(handover) => {
                let _ = reply.send(Ok(handover));
                self.serve_on(orders).await
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                false
            }
        }
    }

    async fn give_up(&mut self) -> Result<Handover, Refusal> {
        let refused = |text: &str| Err(Refusal::new(RefusalKind::Conflict, text));
        if self.session.tracker.is_some() {
            return refused("the embedded tracker would forget its peers: end and start the daemon instead");
        }
        if self.torrents.values().any(|kept| matches!(kept.job, Some(Job::Moving(_) | Job::Halting))) {
            return refused("files of a torrent are being moved or closed: try again after that");
        }
        // while the state can still be kept here
        self.store.flush().await.map_err(unsaved)?;
        self.let_downloads_go().await;
        self.count();
        self.ended = true;
        self.unsaved.extend(self.torrents.keys());
        self.save_checks();
        self.save_numbers();
        let handover = self.session.hand_over().await;
        let store = self.store.clone();
        let released = tokio::task::spawn_blocking(move || store.release()).await;
        match released.unwrap_or_else(|error| Err(StateError::Unsaved(error.to_string()))) {
            Ok(()) => Ok(handover),
            Err(error) => {
                self.take_back().await?;
                Err(unsaved(error))
            }
        }
    }

    /// What downloads have is noted: two processes cannot write the same files.
    async fn let_downloads_go(&mut self) {
        let seeking = self.torrents.iter().filter(|(_, kept)| kept.seeking.is_some()).map(|(id, _)| *id);
        for id in seeking.collect::<Vec<_>>() {
            self.stop_seeking(id).await;
        }
        let writes = |id: &TorrentId| {
            let entry = self.session.torrents.get(id);
            entry.is_some_and(|entry| entry.is_downloading() || entry.is_unsettled())
        };
        let writing: Vec<(TorrentId, TorrentId)> =
            self.running.iter().filter(|(running, _)| writes(running)).map(|(running, id)| (*running, *id)).collect();
        let mut targets = Vec::new();
        for (running, id) in writing {
            self.count_one(id);
            let counted = self.session.torrents.get(&running).map(|entry| entry.shared.counted());
            let (sent, received) = counted.unwrap_or_default();
            self.leaving.insert(running, Leaving { id, sent, received });
            targets.extend(self.session.leave_quietly(running).await);
            self.running.remove(&running);
            self.torrents.get_mut(&id).into_iter().for_each(|kept| kept.running = None);
            self.show(id);
        }
        let finish = |target: Arc<Target>| target.finish().err();
        let failed = tokio::task::spawn_blocking(move || targets.into_iter().filter_map(finish).collect::<Vec<_>>());
        for error in failed.await.unwrap_or_default() {
            tracing::warn!(%error, "what a download has could not be noted");
        }
    }

    /// Serves who is connected; whether that was the end of this process.
    async fn serve_on(&mut self, orders: &mut mpsc::Receiver<Order>) -> bool {
        let (mut second, mut counted, mut farewell) = (seconds(), self.counted(), None::<Farewell>);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::TakeBack(reply)) if farewell.is_none() => {
                        let taken = self.take_back().await;
                        let gone = taken.is_err();
                        let _ = reply.send(taken);
                        return gone;
                    }
                    Some(Order::SeeOff(grace, carried, reply)) => {
                        self.session.fleet.close_listeners();
                        self.session.announcer.fall_silent();
                        let now = Instant::now();
                        farewell = Some(Farewell { since: now, until: now + grace, carried, reply });
                    }
                    // it lives, a watchdog wants to know
                    Some(Order::Engine(reply)) => drop(reply.send(Ok(self.session.status().clone()))),
                    Some(Order::Shutdown(reply)) => {
                        let _ = reply.send(Ok(()));
                        farewell.iter_mut().for_each(|farewell| farewell.until = Instant::now());
                    }
                    // without an answer: the daemon is ending
                    Some(_) => {}
                    None => return true,
                },
                () = self.session.event() => {}
                _ = second.tick() => {}
            }
            self.count_on().await;
            if let Some(mut going) = farewell.take() {
                self.session.take_wishes().into_iter().for_each(|running| self.session.refuse(running));
                let alone = self.view.totals.connections == 0 && going.since.elapsed() > STALE;
                if alone || Instant::now() >= going.until {
                    self.part(going, &counted).await;
                    return true;
                }
                self.tell(&mut going, &mut counted).await;
                farewell = Some(going);
            }
        }
    }

    async fn count_on(&mut self) {
        if let Err(error) = self.session.turn().await {
            tracing::error!(%error, "the engine failed");
        }
        self.count();
    }

    /// Lets the last go, and tells what they were sent.
    async fn part(&mut self, mut going: Farewell, counted: &Counted) {
        let grace = Duration::from_secs(self.view.settings.stop_grace.into());
        self.session.wind_down(grace).await;
        self.session.end().await;
        self.count();
        self.tell(&mut going, &mut counted.clone()).await;
        let _ = going.reply.send(Ok(()));
    }

    fn counted(&self) -> Counted {
        let bytes = |numbers: &Numbers| (numbers.uploaded, numbers.downloaded);
        self.view.rows.iter().map(|row| (row.id, bytes(&row.numbers))).collect()
    }

    /// What was moved since `counted` is somebody else's to keep.
    async fn tell(&mut self, going: &mut Farewell, counted: &mut Counted) {
        let now = self.counted();
        let carried = |row: &Arc<super::row::Row>| {
            let (before, now) = (counted.get(&row.id)?, now.get(&row.id)?);
            let (sent, received) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
            (sent > 0 || received > 0).then(|| Carried { info_hash: row.info_hash(), sent, received })
        };
        let carried: Vec<Carried> = self.view.rows.iter().filter_map(carried).collect();
        if !carried.is_empty() {
            // an error says that nobody takes it any more
            let _ = going.carried.send(carried).await;
        }
        *counted = now;
    }

    /// Opens the state again and goes on where it was left.
    async fn take_back(&mut self) -> Result<(), Refusal> {
        let folder = self.store.folder().to_owned();
        let mut tries = 1;
        let store = loop {
            match reopened(&folder).await {
                Ok(store) => break store,
                Err(error) if tries >= TRIES => {
                    tracing::error!(%error, "the state cannot be used any more: ending");
                    return Err(unsaved(error));
                }
                Err(error) => tracing::warn!(%error, "trying again"),
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        };
        (self.store, self.ended) = (store, false);
        self.session.leave_aloud().await;
        for id in self.torrents.keys().copied().collect::<Vec<_>>() {
            self.save(id);
            self.settle(id).await;
        }
        Ok(())
    }

    /// Counts what the process before has moved of a torrent.
    pub(super) fn count_carried(&mut self, carried: Carried) {
        let Carried { info_hash, sent, received } = carried;
        let id = self.view.find(info_hash).map(|row| row.id);
        let running = id.and_then(|id| self.torrents.get(&id)?.running);
        let entry = running.and_then(|running| self.session.torrents.get_mut(&running));
        match (id, entry) {
            (Some(id), Some(entry)) => {
                entry.carry(sent);
                self.count_one(id);
                self.count_beside(id, 0, received);
            }
            (Some(id), None) => self.count_beside(id, sent, received),
            (None, _) => self.add_up(sent, received),
        }
    }
}

async fn reopened(folder: &Path) -> Result<Store, StateError> {
    let path = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || Store::open(&path)).await;
    opened.unwrap_or_else(|error| Err(StateError::Unsaved(error.to_string()))).map(|(store, _)| store)
}

fn unsaved(error: StateError) -> Refusal {
    Refusal::new(RefusalKind::Environment, error.to_string())
}
