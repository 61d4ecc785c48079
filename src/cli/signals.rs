//! What asks a running command to end.

use std::io;
use std::os::fd::AsFd;

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
