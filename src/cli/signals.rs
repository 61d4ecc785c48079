//! What asks a running command to end.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, the request of a service manager, and the end of whoever started us.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// Its other end closes when that program ends, however it ends.
    input: Option<pipe::Receiver>,
}

impl StopSignals {
    /// From now on these signals end nothing by themselves.
    pub(crate) fn new(until_input_ends: bool) -> anyhow::Result<StopSignals> {
        let input = until_input_ends.then(input).transpose().context("standard input is no pipe")?;
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(StopSignals { interrupt, terminate, input })
    }

    /// Waits for the next one.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            // once is enough: what follows may go on in order
            () = end_of(self.input.as_mut()) => self.input = None,
        }
    }
}

fn input() -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)
}

async fn end_of(input: Option<&mut pipe::Receiver>) {
    let Some(input) = input else { return std::future::pending().await };
    // nothing is expected there, and nothing that comes is of any use
    while input.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
}

/// A flag that the first signal sets: a wish to end in order, what was started stopped and what was made removed.
pub(crate) fn cancelled_by_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot watch signals")?;
    let watching = Arc::clone(&cancel);
    let watch = async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        watching.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(watch))?;
    Ok(cancel)
}
