//! Tells programs elsewhere what happens to torrents: a POST of JSON to each URL that the owner named.
//!
//! ```text
//!   views --> Watcher: what is new since the last view
//!                |
//!                +--> queue (bounded) --> sender of one URL: signs, tries, waits, tries again
//!                '--> queue (bounded) --> ...
//! ```
//!
//! Nothing waits for a receiver: a queue that is full drops what comes, counted and told. A receiver gets its events one after the other,
//! in order. URLs hold secrets, so in the log a receiver is called by its host. Redirects are not followed, and names are looked up by
//! `outside::Outside`, so that a URL leads to this host or its network only if the owner says that it may.

mod outside;
mod send;
mod watcher;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

use reqwest::Url;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::seedbox::View;
use send::Sender;
use watcher::{Event, Watcher};

pub use outside::is_public;

/// Events that wait for one receiver: all of a big import, and hours of an ordinary day.
const QUEUE: usize = 1_000;

/// What is told, and to whom.
#[derive(Clone, Default)]
pub struct WebhookConfig {
    /// Who is told.
    pub urls: Vec<Url>,
    /// What they are told.
    pub kinds: BTreeSet<EventKind>,
    /// Signs what is told.
    pub secret: Option<Vec<u8>>,
    /// URLs may lead to this host and its network.
    pub private_targets: bool,
    /// Network interface to speak by.
    pub device: Option<String>,
}

/// Without what is secret: its URLs and what it signs with.
impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// What may happen to a torrent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// It was added.
    Added,
    /// Everything that is wanted of it is here.
    Completed,
    /// It cannot go on.
    Failed,
    /// It is gone.
    Removed,
}

impl EventKind {
    /// Its name in what is sent.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Added => "added",
            EventKind::Completed => "completed",
            EventKind::Failed => "failed",
            EventKind::Removed => "removed",
        }
    }
}

/// Running webhooks. Dropped, they tell nothing new; what waits is still sent.
#[derive(Debug)]
pub struct Webhooks(JoinHandle<()>);

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Webhooks {
    /// Tells from now on what changes in `views`. On the tokio runtime that it is called on. An error says that there can be no HTTP.
    pub fn start(config: &WebhookConfig, views: watch::Receiver<Arc<View>>) -> io::Result<Webhooks> {
        let mut queues = Vec::new();
        for url in &config.urls {
            let (queue, events) = mpsc::channel(QUEUE);
            let sender = Sender::new(url.clone(), config)?;
            queues.push(Queue { queue, receiver: sender.name(), dropped: 0 });
            tokio::spawn(sender.run(events));
        }
        Ok(Webhooks(tokio::spawn(tell(config.kinds.clone(), queues, views))))
    }
}

struct Queue {
    queue: mpsc::Sender<Arc<Event>>,
    receiver: String,
    dropped: u64,
}

impl Queue {
    fn push(&mut self, event: &Arc<Event>) {
        if self.queue.try_send(event.clone()).is_err() {
            self.dropped += 1;
            let (receiver, dropped) = (&self.receiver, self.dropped);
            tracing::warn!("webhook {receiver}: {dropped} events were dropped, because {QUEUE} wait for it already");
        }
    }
}

async fn tell(kinds: BTreeSet<EventKind>, mut queues: Vec<Queue>, mut views: watch::Receiver<Arc<View>>) {
    // a look at every view, and a memory of every row, for nobody
    if queues.is_empty() {
        return;
    }
    let mut watcher = Watcher::new(&views.borrow_and_update().clone());
    // an error: the seedbox has ended
    while views.changed().await.is_ok() {
        let view = views.borrow_and_update().clone();
        for event in watcher.look(&view).into_iter().filter(|event| kinds.contains(&event.kind)).map(Arc::new) {
            queues.iter_mut().for_each(|queue| queue.push(&event));
        }
    }
}
