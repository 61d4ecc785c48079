//! A restart without a break, seen from the daemon that steps back: the next one is started from the program on disk, which may be a newer
//! one, and only when it serves does this one let go.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;

use crate::session::Handover;
use crate::session::seedbox::Seedbox;

use super::front::Front;
use super::handed::{Line, Message, send_sockets};
use super::inherited::Sockets;
use super::life::Signals;

/// For the successor to read its configuration and to open its sockets.
const TO_PREPARE: Duration = Duration::from_secs(60);
/// For it to check and load the state.
const TO_LOAD: Duration = Duration::from_secs(5 * 60);
/// For one that has failed to end.
const TO_END: Duration = Duration::from_secs(2);
/// Tells of payload that may wait to be handed on.
const TELLS: usize = 4;

/// The next daemon. Dropped before it is the main one, it is ended.
pub(super) struct Successor {
    child: Child,
    line: Line,
    is_main: bool,
}

/// The program that was started, by the path that it had then: on disk there may be another one meanwhile.
pub(super) fn program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

impl Successor {
    /// Starts it, and gives it the sockets.
    pub(super) fn start(program: Option<&PathBuf>, sockets: &Sockets) -> anyhow::Result<Successor> {
        if std::process::id() == 1 {
            bail!("this is the first process of its container, which ends with it");
        }
        let program = program.context("where the program is was not known at the start")?;
        let (ours, theirs) = UnixStream::pair().context("no socket pair")?;
        send_sockets(&ours, sockets)?;
        let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--take-over");
        let mut command = Command::new(program);
        command.args(arguments).arg("--take-over").stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        // these are by process number, or said by descriptors that it does not have
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        let child = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        let line = Line::new(ours).context("no socket pair")?;
        Ok(Successor { child, line, is_main: false })
    }

    /// Its number.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Hands everything over. On an error everything here is as it was before.
    pub(super) async fn take_over(&mut self, seedbox: &Seedbox, front: &mut Front) -> anyhow::Result<()> {
        if let Err(error) = self.hear(&Message::Prepared, TO_PREPARE).await {
            self.end().await;
            return Err(error);
        }
        front.close().await;
        let error = match seedbox.step_back().await {
            Ok(handover) => {
                let Err(error) = self.go_on(handover).await else { return Ok(()) };
                self.end().await;
                seedbox.take_back().await?;
                error
            }
            Err(refusal) => refusal.into(),
        };
        front.reopen().context("the API cannot be served again")?;
        Err(error)
    }

    async fn go_on(&mut self, handover: Handover) -> anyhow::Result<()> {
        self.line.say(&Message::Handover(handover.into())).await.context("it has ended")?;
        self.hear(&Message::Up, TO_LOAD).await
    }

    async fn hear(&mut self, wanted: &Message, patience: Duration) -> anyhow::Result<()> {
        match tokio::time::timeout(patience, self.line.hear()).await {
            Ok(Ok(Some(heard))) if heard == *wanted => Ok(()),
            Ok(Ok(Some(heard))) => bail!("the new daemon says {heard:?}: is it of another version?"),
            Ok(_) => bail!("the new daemon ended; it has said why"),
            Err(_) => bail!("the new daemon is not ready after {} s", patience.as_secs()),
        }
    }

    /// The manager knows it from now on.
    pub(super) async fn becomes_main(&mut self) -> anyhow::Result<()> {
        self.is_main = true;
        Ok(self.line.say(&Message::Main).await?)
    }

    /// Serves those who are connected for `grace`, and tells the successor what that moves. A signal, or a word of the successor's, ends it
    /// sooner, a second signal at once: then `false`.
    pub(super) async fn see_off(mut self, seedbox: &Seedbox, grace: Duration, signals: &mut Signals) -> bool {
        let (carried, mut told) = mpsc::channel(TELLS);
        let mut served = std::pin::pin!(seedbox.see_off(grace, carried));
        let mut ending = false;
        loop {
            tokio::select! {
                Some(carried) = told.recv() => self.tell(&carried).await,
                _ = &mut served => break,
                _ = self.line.hear(), if !ending => {
                    ending = true;
                    hurry(seedbox);
                }
                () = signals.end() => {
                    if std::mem::replace(&mut ending, true) {
                        return false;
                    }
                    hurry(seedbox);
                }
            }
        }
        while let Ok(carried) = told.try_recv() {
            self.tell(&carried).await;
        }
        true
    }

    /// Of one that has ended nobody counts any more.
    async fn tell(&mut self, carried: &[crate::session::seedbox::Carried]) {
        let _ = self.line.say(&Message::carried(carried)).await;
    }

    /// Lets it say why it ends, or ends it: it has let go of the state then.
    async fn end(&mut self) {
        let end = Instant::now() + TO_END;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Nobody is waited for any more. The answer comes with the end, and is not waited for either.
fn hurry(seedbox: &Seedbox) {
    let seedbox = seedbox.clone();
    tokio::spawn(async move { drop(seedbox.shutdown().await) });
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_main {
            let _ = (self.child.kill(), self.child.wait());
        }
    }
}
