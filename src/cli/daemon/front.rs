//! The API while it is served, and how that is interrupted and gone on with.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::Context;
use crate::api::server::{self, Doors};

/// See the module. Dropped, it leaves no socket in the file system.
pub(super) struct Front {
    context: Arc<Context>,
    doors: Doors,
    end: watch::Sender<bool>,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl Front {
    /// Serves from now on.
    pub(super) fn open(context: Arc<Context>, doors: Doors) -> io::Result<Front> {
        let mut front = Front { context, doors, end: watch::Sender::new(false), serving: None };
        front.reopen()?;
        Ok(front)
    }

    /// Serves again.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let doors = self.doors.try_clone()?;
        let (end, ending) = watch::channel(false);
        self.end = end;
        self.serving = Some(tokio::spawn(server::serve(self.context.clone(), doors, ending)));
        Ok(())
    }

    /// Takes no more connections, which wait where they come to; returns once answers under way are finished.
    pub(super) async fn close(&mut self) {
        self.end.send_replace(true);
        if let Some(serving) = self.serving.take() {
            match serving.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the API was not served"),
                Err(error) => tracing::warn!(%error, "the API ended"),
            }
        }
    }

    /// Nobody else serves it any more.
    pub(super) fn own(&mut self) {
        self.doors.own();
    }

    /// Another process serves it now.
    pub(super) fn leave(self) {
        self.doors.leave();
    }
}
