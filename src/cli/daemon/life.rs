//! What happens to a daemon between its start and its end: signals, and settings that a client changed.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::session::seedbox::{Seedbox, Settings, View};

use super::config::ConfigFile;

/// Signals of a daemon.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on these signals end nothing by themselves.
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event::End,
            _ = self.terminate.recv() => Event::End,
            _ = self.hang_up.recv() => Event::Reload,
        }
    }
}

/// See the module.
pub(super) struct Life {
    signals: Signals,
    seedbox: Seedbox,
    views: watch::Receiver<Arc<View>>,
    file: ConfigFile,
    /// Settings that were looked at last.
    seen: Arc<Settings>,
}

enum Event {
    End,
    Reload,
    View,
}

impl Life {
    pub(super) fn new(signals: Signals, seedbox: Seedbox, file: ConfigFile) -> Life {
        let (views, seen) = (seedbox.watch(), seedbox.view().settings.clone());
        Life { signals, seedbox, views, file, seen }
    }

    /// Until the first wish that it ends.
    pub(super) async fn run(&mut self) {
        loop {
            match self.event().await {
                Event::End => return,
                Event::Reload => self.reload().await,
                Event::View => self.keep_settings(),
            }
        }
    }

    /// A second wish is for an end at once.
    pub(super) async fn at_once(&mut self) {
        while !matches!(self.signals.next().await, Event::End) {}
    }

    async fn event(&mut self) -> Event {
        tokio::select! {
            event = self.signals.next() => event,
            changed = self.views.changed() => match changed {
                Ok(()) => Event::View,
                // the keeper is gone: there is nothing left to run
                Err(_) => Event::End,
            },
        }
    }

    /// Reads the configuration again. Peers notice nothing of it.
    async fn reload(&mut self) {
        match self.file.reload() {
            Ok(reload) => tracing::info!("{} was read again; {reload}", self.file.path().display()),
            Err(error) => return tracing::error!("the configuration stays as it was:\n{error}"),
        }
        let settings = self.file.settings();
        if let Err(refusal) = self.seedbox.configure(settings).await {
            tracing::error!("the configuration does not hold: {refusal}");
        }
    }

    /// Writes into the file what a client changed.
    fn keep_settings(&mut self) {
        let settings = self.views.borrow_and_update().settings.clone();
        if Arc::ptr_eq(&settings, &self.seen) {
            return;
        }
        self.seen = settings;
        match self.file.save_settings(&self.seen) {
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
}
