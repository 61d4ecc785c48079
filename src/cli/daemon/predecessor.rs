//! A restart without a break, seen from the daemon that takes over.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;

use crate::session::Handover;
use crate::session::seedbox::Seedbox;

use super::handed::{Line, Message, carried, take_sockets};
use super::inherited::Inherited;

/// For the predecessor to free the state: it may have to note what downloads have.
const TO_STEP_BACK: Duration = Duration::from_secs(5 * 60);
/// For the predecessor to end when it is asked to, beyond what its peers get.
const TO_END: Duration = Duration::from_secs(5);

/// The daemon before this one, whose socket is standard input.
pub(super) struct Predecessor {
    line: Line,
}

/// The same while it serves its last peers.
pub(super) struct Leaving {
    reading: JoinHandle<()>,
    end: tokio::sync::oneshot::Sender<()>,
}

impl Predecessor {
    /// Takes its sockets.
    pub(super) fn meet() -> anyhow::Result<(Predecessor, Inherited)> {
        let input = std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
        let stream = UnixStream::from(input);
        let inherited = take_sockets(&stream)?;
        let line = Line::new(stream).context("standard input is no socket of another daemon")?;
        Ok((Predecessor { line }, inherited))
    }

    /// Everything that needs no state is done; returns once the state is free.
    pub(super) async fn prepared(&mut self) -> anyhow::Result<Handover> {
        self.line.say(&Message::Prepared).await.context("the daemon before has ended")?;
        match tokio::time::timeout(TO_STEP_BACK, self.line.hear()).await {
            Ok(Ok(Some(Message::Handover(kept)))) => Ok(kept.into()),
            Ok(Ok(Some(other))) => bail!("the daemon before says {other:?}: is it of another version?"),
            _ => bail!("the daemon before goes on"),
        }
    }

    /// Everything is served here; returns once the manager knows that. What the predecessor moves is counted from now on.
    pub(super) async fn up(mut self, seedbox: Seedbox) -> anyhow::Result<Leaving> {
        self.line.say(&Message::Up).await.context("the daemon before has ended")?;
        // at its end this one is the only one, whatever was said
        let main = self.line.hear().await;
        anyhow::ensure!(!matches!(main, Ok(Some(ref other)) if *other != Message::Main), "the daemon before goes on");
        let (end, mut ending) = tokio::sync::oneshot::channel();
        let reading = tokio::spawn(async move {
            let mut asked = false;
            loop {
                tokio::select! {
                    heard = self.line.hear() => match heard {
                        Ok(Some(Message::Carried(said))) => drop(seedbox.count(carried(said)).await),
                        Ok(Some(_)) => {}
                        Ok(None) | Err(_) => return,
                    },
                    _ = &mut ending, if !asked => {
                        asked = true;
                        let _ = self.line.say(&Message::End).await;
                    }
                }
            }
        });
        Ok(Leaving { reading, end })
    }
}

impl Leaving {
    /// It still serves.
    pub(super) fn is_there(&self) -> bool {
        !self.reading.is_finished()
    }

    /// Has it end, and waits until all that it has moved is counted; `grace`: what its peers get.
    pub(super) async fn end(self, grace: Duration) {
        let Leaving { reading, end } = self;
        let _ = end.send(());
        if tokio::time::timeout(grace + TO_END, reading).await.is_err() {
            tracing::warn!("the daemon before has not ended; what it still sends is not counted");
        }
    }
}
