//! What happens to a daemon between its start and its end: signals, settings that a client changed, what its manager wants to hear.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::cli::notify::{Notifier, watchdog};
use crate::cli::units::Rate;
use crate::session::seedbox::{Seedbox, Settings, View};
use crate::session::webhooks::Webhooks;

use super::config::ConfigFile;
use super::front::Front;
use super::inherited::Sockets;
use super::logs::Log;
use super::predecessor::Leaving;
use super::successor::Successor;
use super::{blocklist, hooks};

/// Between two lines of status, and two looks at what the log left out.
const ROUND: Duration = Duration::from_secs(5);

/// Signals of a daemon.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    user_2: Signal,
}

impl Signals {
    /// From now on these signals end nothing by themselves.
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event::End,
            _ = self.terminate.recv() => Event::End,
            _ = self.hang_up.recv() => Event::Reload,
            _ = self.user_2.recv() => Event::Restart,
        }
    }

    /// The next wish that it ends.
    pub(super) async fn end(&mut self) {
        while !matches!(self.next().await, Event::End) {}
    }
}

/// See the module.
pub(super) struct Life {
    pub(super) signals: Signals,
    pub(super) seedbox: Seedbox,
    pub(super) file: ConfigFile,
    pub(super) log: Log,
    pub(super) manager: Notifier,
    pub(super) webhooks: Webhooks,
    pub(super) front: Front,
    /// What a successor is given to listen on.
    pub(super) sockets: Sockets,
    /// What it is.
    pub(super) program: Option<PathBuf>,
    /// The daemon before this one, while it serves its last peers.
    pub(super) before: Option<Leaving>,
}

/// How it went on.
pub(super) enum Outcome {
    /// It is to end.
    End,
    /// Another one has taken over.
    HandedOver(Successor),
}

enum Event {
    End,
    Reload,
    Restart,
    View,
    Round,
}

impl Life {
    /// Until the first wish that it ends, or until there is a successor.
    pub(super) async fn run(&mut self) -> Outcome {
        let mut views = self.seedbox.watch();
        let mut seen = views.borrow_and_update().settings.clone();
        let mut round = every(ROUND);
        let lives = tokio::spawn(tell_that_it_lives(self.seedbox.clone()));
        self.manager.ready();
        loop {
            let event = tokio::select! {
                event = self.signals.next() => event,
                // an error: the keeper is gone, and there is nothing left to run
                changed = views.changed() => changed.map_or(Event::End, |()| Event::View),
                _ = round.tick() => Event::Round,
            };
            match event {
                Event::End => {
                    self.manager.stopping();
                    return Outcome::End;
                }
                Event::Restart => {
                    if let Some(mut successor) = self.restart().await {
                        lives.abort();
                        self.manager.hand_over(successor.process());
                        let _ = successor.becomes_main().await;
                        return Outcome::HandedOver(successor);
                    }
                }
                Event::Reload => self.reload().await,
                Event::View => self.keep_settings(&mut views, &mut seen),
                Event::Round => self.round(&views),
            }
        }
    }

    /// Has the program as it is on disk now take over. Where it cannot, everything goes on as it was.
    async fn restart(&mut self) -> Option<Successor> {
        if self.before.as_ref().is_some_and(Leaving::is_there) {
            tracing::warn!("the daemon before this one still serves peers: no restart until it has ended");
            return None;
        }
        self.manager.reloading();
        let started = Successor::start(self.program.as_ref(), &self.sockets);
        let result = async {
            let mut successor = started?;
            successor.take_over(&self.seedbox, &mut self.front).await?;
            Ok::<_, anyhow::Error>(successor)
        };
        match result.await {
            Ok(successor) => {
                tracing::info!("process {} has taken over", successor.process());
                Some(successor)
            }
            Err(error) => {
                tracing::error!("no restart, everything goes on as before: {error:#}");
                self.manager.ready();
                None
            }
        }
    }

    /// Reads the configuration again. Peers notice nothing of it.
    async fn reload(&mut self) {
        self.manager.reloading();
        match self.file.reload() {
            Ok(reload) => {
                tracing::info!("{} was read again; {reload}", self.file.path().display());
                let hooks = reload.live.iter().any(|key| key.section == "webhooks");
                self.apply(hooks).await;
            }
            Err(error) => tracing::error!("the configuration stays as it was:\n{error}"),
        }
        self.manager.ready();
    }

    async fn apply(&mut self, hooks: bool) {
        let (settings, config) = (self.file.settings(), self.file.config());
        self.log.set_level(&config.log.level);
        let filter = read_lists(&self.file).await;
        let holds = match self.seedbox.configure(settings).await {
            Ok(()) => self.seedbox.filter(filter).await,
            refused => refused,
        };
        if hooks {
            self.renew_webhooks();
        }
        if let Err(refusal) = holds {
            tracing::error!("the configuration does not hold: {refusal}");
        }
    }

    fn renew_webhooks(&mut self) {
        match hooks::start(self.file.config(), self.file.folder(), &self.seedbox) {
            Ok(webhooks) => self.webhooks = webhooks,
            Err(error) => tracing::error!("webhooks go on as they were: {error:#}"),
        }
    }

    /// Writes into the file what a client changed.
    fn keep_settings(&mut self, views: &mut watch::Receiver<Arc<View>>, seen: &mut Arc<Settings>) {
        let settings = views.borrow_and_update().settings.clone();
        if Arc::ptr_eq(&settings, seen) {
            return;
        }
        *seen = settings;
        match self.file.save_settings(seen) {
            Ok(saved) if saved.keys.is_empty() => {}
            Ok(saved) => {
                tracing::info!("{}: a client changed {}", self.file.path().display(), saved.keys.join(", "));
                for (key, by) in saved.overruled {
                    tracing::warn!("{key} is set by {by} too, which will hold again at the next start");
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    fn round(&mut self, views: &watch::Receiver<Arc<View>>) {
        self.log.tell_left_out();
        let view = views.borrow().clone();
        let (totals, torrents) = (&view.totals, view.rows.len());
        let (up, down) = (Rate(totals.upload_rate), Rate(totals.download_rate));
        let peers = totals.connections;
        self.manager.status(&format!("{torrents} torrents, {peers} connections, {up} sent, {down} received"));
    }
}

/// The lists of blocked addresses; some have a million lines.
pub(super) async fn read_lists(file: &ConfigFile) -> Arc<crate::filter::IpFilter> {
    let (config, folder) = (file.config().filter.clone(), file.folder().to_owned());
    tokio::task::spawn_blocking(move || blocklist::read(&config, &folder)).await.unwrap_or_default()
}

/// Tells the manager that the keeper answers, as often as it wants to hear that. A keeper that hangs is not excused by a thread that
/// does not.
async fn tell_that_it_lives(seedbox: Seedbox) {
    let Some(period) = watchdog() else { return };
    let Ok(manager) = Notifier::from_environment() else { return };
    let mut tick = every(period);
    loop {
        tick.tick().await;
        match seedbox.engine().await {
            Ok(_) => manager.lives(),
            Err(_) => return,
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
