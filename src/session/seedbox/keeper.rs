//! The keeper: the one task that owns the torrents of a seedbox.
//!
//! What a torrent should do follows from what its owner chose, from what is known of its content and from the queue; whenever one of
//! these changes, [`Keeper::settle`] brings about the difference. Disks are looked at on threads of their own ([`super::look::Look`]); what they
//! found comes back as [`News`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};

use crate::ids::TorrentId;
use crate::metainfo::{Magnet, Metainfo};
use crate::storage::{Disk, LazyCheck, LazyHashers, Resume};

use super::super::Handover;
use super::super::seeding::Session;
use super::super::state::Store;
use super::enough::Enough;
use super::look::{Found, Watch};
use super::order::{Added, Addition, Order, Refusal, RefusalKind, Reply};
use super::pacing::{MonthTraffic, Rates};
use super::patrol::{Folder, Patrol, Patrolled};
use super::queue::Running;
use super::retrying::Retry;
use super::row::{Numbers, Row};
use super::seeking::Seeking;
use super::steady::Steady;
use super::view::{REMOVED, Removed, View};
use super::watching::Watching;

/// Orders that are taken in before a view is made of what they did.
const ORDERS_AT_ONCE: usize = 256;
/// News that are taken in before a view is made of them.
const NEWS_AT_ONCE: usize = 256;
/// News of threads that wait to be taken.
pub(super) const NEWS: usize = 1_024;

/// See the module.
pub(super) struct Keeper {
    pub(super) session: Session,
    pub(super) disk: Arc<Disk>,
    pub(super) resume: Resume,
    pub(super) store: Store,
    pub(super) torrents: BTreeMap<TorrentId, Kept>,
    /// By their ids in the session, which are new with each start.
    pub(super) running: HashMap<TorrentId, TorrentId>,
    /// Those that left the session before it had counted everything, by their ids there; and what it had counted.
    pub(super) leaving: HashMap<TorrentId, Leaving>,
    /// Whose numbers are not saved.
    pub(super) unsaved: BTreeSet<TorrentId>,
    pub(super) next: u32,
    /// What will be published next.
    pub(super) view: View,
    pub(super) changed: bool,
    pub(super) views: watch::Sender<Arc<View>>,
    pub(super) news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    /// Torrents whose content is to be looked at.
    pub(super) looks: VecDeque<TorrentId>,
    /// Torrents whose content is to be hashed.
    pub(super) checks: VecDeque<TorrentId>,
    pub(super) looking: usize,
    pub(super) checking: usize,
    /// What of the queue runs.
    pub(super) queue: Running,
    /// Torrents that are not there or have failed; others may be among them.
    pub(super) in_trouble: BTreeSet<TorrentId>,
    /// Torrents whose jobs are shown as they get on.
    pub(super) busy: BTreeSet<TorrentId>,
    /// Some torrents may be waiting in the queue.
    pub(super) waits: bool,
    /// What the engine was told of limits.
    pub(super) told: Rates,
    /// Traffic of the month that runs.
    pub(super) month: MonthTraffic,
    /// Downloads that have become complete and are to be elsewhere.
    pub(super) homing: Vec<TorrentId>,
    pub(super) patrol: Patrol,
    /// For content that was taken on trust; started with the first.
    pub(super) hashers: Option<LazyHashers>,
    /// Torrents that somebody asks for, and that are compared first.
    pub(super) waking: BTreeSet<TorrentId>,
    pub(super) watching: Watching,
    /// Answers that wait for the next view.
    pub(super) answers: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) clock: Steady,
    /// Seconds of earlier starts.
    pub(super) running_before: u64,
    /// Up to when it is known who was seeded enough.
    pub(super) enough: Enough,
    /// Seconds that were counted.
    pub(super) turns: u64,
    pub(super) ending: Option<Reply<()>>,
    /// Nothing runs any more, or nothing that this process saves.
    pub(super) ended: bool,
    pub(super) stepping_back: Option<Reply<Handover>>,
}

/// What the keeper knows of a torrent beside its row.
#[derive(Default)]
pub(super) struct Kept {
    /// Its id in the session, while it runs.
    pub(super) running: Option<TorrentId>,
    pub(super) content: Content,
    pub(super) job: Option<Job>,
    pub(super) retry: Retry,
    /// Why it was stopped, until a look has told whether its files are what they were.
    pub(super) suspect: Option<String>,
    /// Why its files are not where its owner wanted them, until he asks for something else.
    pub(super) notice: Option<Arc<str>>,
    /// Numbers when it was started last: the session counts from there.
    pub(super) before: Numbers,
    /// Peers that were named when it was added.
    pub(super) peers: Vec<SocketAddr>,
    /// The link, while its metadata is not here.
    pub(super) magnet: Option<Box<Magnet>>,
    pub(super) seeking: Option<Seeking>,
    /// Looks at its pieces while it is awake, if it was taken on trust.
    pub(super) check: Option<Arc<LazyCheck>>,
}

/// A torrent that left the session.
pub(super) struct Leaving {
    pub(super) id: TorrentId,
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// What is known of content.
#[derive(Clone, Default, Debug)]
pub(super) enum Content {
    /// Nothing: it was just added.
    #[default]
    New,
    /// All of it was here; what its files were is in the store.
    Whole,
    /// Some may be.
    Part,
    /// It is said to be here; pieces are hashed before they are first served.
    Trusted,
    /// Not what is in the notes: to be hashed.
    Doubtful,
    /// Its files are not there; what they were.
    Absent(Box<Content>),
    /// It cannot be used as it is, and is tried again by itself; what was known of it.
    Failed(Box<Content>),
}

/// Something that goes on with a torrent's content.
pub(super) enum Job {
    /// It waits to be looked at.
    QueuedLook,
    /// It waits to be hashed.
    QueuedCheck,
    /// It is looked at.
    Looking(Arc<Watch>),
    /// It is hashed.
    Checking(Arc<Watch>),
    /// It is moved.
    Moving(Arc<Watch>),
    /// What its download had is being noted.
    Halting,
}

/// What a thread found out.
pub(super) enum News {
    /// Content was looked at.
    Looked(TorrentId, Folder, Found),
    /// A torrent was read and may be added.
    Read(Box<super::adding::Read>),
    /// A torrent file was fetched.
    Fetched(Box<Addition>, Reply<Added>),
    /// Metadata has come, or never will.
    Sought(TorrentId, Result<Box<Metainfo>, String>),
    /// What a download had is noted, or why not.
    Halted(TorrentId, Option<String>),
    /// Sleeping torrents and folders were looked at.
    Patrolled(Patrolled),
    /// Watch folders were looked at.
    Watched(super::watching::Watched),
    /// Files were moved, or not.
    Moved(TorrentId, super::moving::Moved),
}

impl Keeper {
    /// Follows orders until it is told to end.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut second = seconds();
        let ids: Vec<TorrentId> = self.torrents.keys().copied().collect();
        for id in ids {
            self.settle(id).await;
        }
        while self.ending.is_none() {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => {
                        self.follow(order).await;
                        for _ in 0..ORDERS_AT_ONCE {
                            let Ok(order) = orders.try_recv() else { break };
                            self.follow(order).await;
                        }
                    }
                    None => break,
                },
                Some(news) = self.news.1.recv() => {
                    self.take(news).await;
                    for _ in 0..NEWS_AT_ONCE {
                        let Ok(news) = self.news.1.try_recv() else { break };
                        self.take(news).await;
                        // there are always some under way
                        self.start_looks();
                    }
                }
                () = self.session.event() => {}
                _ = second.tick() => self.turn().await,
            }
            self.wake_wished();
            self.start_looks();
            self.publish();
            if let Some(reply) = self.stepping_back.take()
                && self.stand_back(reply, &mut orders).await
            {
                return;
            }
        }
        self.end().await;
    }

    /// Makes a view of what has changed, then tells those who asked for it.
    pub(super) fn publish(&mut self) {
        if self.changed {
            self.changed = false;
            self.view.revision += 1;
            self.views.send_replace(Arc::new(self.view.clone()));
        }
        self.answers.drain(..).for_each(|answer| answer());
    }

    /// Answers once the next view is out.
    pub(super) fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, answer: Result<T, Refusal>) {
        self.answers.push(Box::new(move || drop(reply.send(answer))));
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Add(addition, reply) => self.add(*addition, reply),
            Order::Change(ids, change, reply) => {
                let result = self.change(&ids, change).await;
                self.answer(reply, result);
            }
            Order::Settings(settings, of, reply) => {
                let hold = of.is_none_or(|of| Arc::ptr_eq(&of, &self.view.settings));
                let result = if hold { self.set(*settings).map(|()| true) } else { Ok(false) };
                self.answer(reply, result);
            }
            Order::Metainfo(id, reply) => self.tell_metainfo(id, reply),
            Order::Trackers(id, reply) => self.tell_trackers(id, reply),
            Order::Peers(id, reply) => self.tell_peers(id, reply),
            Order::Pieces(id, reply) => self.tell_pieces(id, reply),
            Order::Engine(reply) => drop(reply.send(Ok(self.session.status().clone()))),
            Order::Filter(filter, reply) => {
                self.session.fleet.set_filter(&filter);
                self.view.totals.blocked_ranges = u64::try_from(filter.ranges()).unwrap_or(u64::MAX);
                self.changed = true;
                self.answer(reply, Ok(()));
            }
            Order::StepBack(reply) => self.stepping_back = Some(reply),
            Order::Count(carried, reply) => {
                carried.into_iter().for_each(|carried| self.count_carried(carried));
                self.answer(reply, Ok(()));
            }
            Order::TakeBack(_) | Order::SeeOff(..) => {}
            Order::Shutdown(reply) => self.ending = Some(reply),
        }
    }

    async fn take(&mut self, news: News) {
        match news {
            News::Looked(id, folder, found) => {
                self.patrol.know(folder);
                self.looked(id, found).await;
            }
            News::Read(read) => self.read(*read).await,
            News::Fetched(addition, reply) => self.add(*addition, reply),
            News::Sought(id, result) => self.sought(id, result).await,
            News::Patrolled(patrolled) => self.patrolled(patrolled).await,
            News::Watched(watched) => self.watched(watched),
            News::Halted(id, error) => self.halted(id, error).await,
            News::Moved(id, moved) => self.moved(id, moved).await,
        }
    }

    /// The row of `id`.
    pub(super) fn row(&self, id: TorrentId) -> Option<&Arc<Row>> {
        self.view.row(id)
    }

    /// Changes the row of `id`; it is part of the next view.
    pub(super) fn edit(&mut self, id: TorrentId, change: impl FnOnce(&mut Row)) {
        let revision = self.view.revision + 1;
        self.changed |= self.view.rows.edit(id, |row| {
            change(row);
            row.revision = revision;
        });
    }

    /// Changes of the row of `id` what goes on by itself: it is told along with other changes, never alone.
    pub(super) fn note(&mut self, id: TorrentId, change: impl FnOnce(&mut Row)) {
        self.view.rows.edit(id, change);
    }

    /// Takes a torrent out of the views.
    pub(super) fn drop_row(&mut self, id: TorrentId) {
        let Some(row) = self.view.remove(id) else { return };
        let info_hash = row.info_hash();
        let removed = Arc::make_mut(&mut self.view.removed);
        if removed.len() >= REMOVED {
            removed.pop_front();
        }
        removed.push_back(Removed { revision: self.view.revision + 1, id, info_hash, at: now() });
        self.changed = true;
    }

    /// Ends in order: whatever runs is stopped, numbers are final and on disk.
    async fn end(mut self) {
        for kept in self.torrents.values() {
            if let Some(Job::Looking(watch) | Job::Checking(watch) | Job::Moving(watch)) = &kept.job {
                watch.cancel.store(true, Ordering::Relaxed);
            }
        }
        self.session.wind_down(Duration::from_secs(self.view.settings.stop_grace.into())).await;
        self.session.end().await;
        self.count();
        self.ended = true;
        self.unsaved.extend(self.torrents.keys());
        self.save_numbers();
        let store = self.store.clone();
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        let result = match closed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal::new(RefusalKind::Environment, error.to_string())),
            Err(error) => Err(Refusal::new(RefusalKind::Environment, error.to_string())),
        };
        if let Some(reply) = self.ending.take() {
            let _ = reply.send(result);
        }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn seconds() -> Interval {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second
}

/// There is no such torrent.
pub(super) fn no_such() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "no such torrent")
}
