//! Starting a reactor: its driver and its world are made on its own thread and never leave it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam::channel;

use crate::clock::Time;
use crate::shard::{Config, Shard};
use crate::storage::{Maps, Residency};
use crate::transmit::{Chunk, SendMode, Transmitter};

use super::admission::Admission;
use super::checking::Checking;
use super::driver::{Driver, DriverConfig, EpollDriver, RingDriver};
use super::event_loop::EventLoop;
use super::mailbox::{Command, Mailbox};
use super::paging::Paging;
use super::sockets::Options;
use super::spread::Spread;
use super::stopwatch::Stopwatch;
use super::wanted::Wanted;

/// What a reactor is made of.
pub struct ReactorConfig {
    /// Its number, for the thread's name and its place in the spread.
    pub number: usize,
    /// io_uring, or epoll.
    pub ring: bool,
    /// Path that payload takes.
    pub send: SendMode,
    /// Its own listeners (SO_REUSEPORT).
    pub listeners: Vec<OwnedFd>,
    /// Options for connections.
    pub options: Options,
    /// Sizes of its driver.
    pub sizes: DriverConfig,
    /// Its world.
    pub shard: Config,
    /// Connections by address, over all reactors.
    pub admission: Arc<Admission>,
    /// Connections by reactor.
    pub spread: Arc<Spread>,
    /// Torrents that peers ask for, over all reactors.
    pub wanted: Arc<Wanted>,
}

/// Why a reactor did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a reactor: {0}")]
pub struct StartError(#[from] io::Error);

/// A running reactor.
pub struct Reactor {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// Starts a reactor and waits until it listens.
pub fn start(config: ReactorConfig) -> Result<Reactor, StartError> {
    let (ready, started) = channel::bounded(1);
    let name = format!("reactor-{}", config.number);
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        if config.ring { live::<RingDriver>(config, &ready) } else { live::<EpollDriver>(config, &ready) }
    })?;
    let mailbox = started.recv().unwrap_or_else(|_| Err(io::Error::other("the reactor ended at once")))?;
    Ok(Reactor { mailbox, thread: Some(thread) })
}

fn live<D: Driver>(config: ReactorConfig, ready: &channel::Sender<io::Result<Arc<Mailbox>>>) -> io::Result<()> {
    let mut event_loop = match make::<D>(config) {
        Ok(event_loop) => event_loop,
        Err(error) => {
            let _ = ready.send(Err(error));
            return Ok(());
        }
    };
    // nobody listens only if the starter is gone, and then the mailbox is never used
    let _ = ready.send(Ok(event_loop.mailbox.clone()));
    event_loop.run()
}

fn make<D: Driver>(config: ReactorConfig) -> io::Result<EventLoop<D>> {
    let mut driver = D::new(&config.sizes)?;
    let mailbox = Arc::new(Mailbox::new(driver.waker()));
    config.spread.join(config.number, &mailbox);
    for listener in config.listeners {
        config.options.apply(listener.as_fd())?;
        driver.listen(listener)?;
    }
    let mut transmitter = Transmitter::new(config.send)?;
    transmitter.limit_unsent(config.options.unsent_low_water_bytes);
    Ok(EventLoop {
        mailbox,
        driver,
        shard: Shard::new(config.shard, Time::default()),
        transmitter,
        maps: Maps::new()?,
        residency: Residency::new(),
        payloads: HashMap::new(),
        sockets: Vec::new(),
        paging: Paging::default(),
        chunk: Chunk::new(),
        blocks: Vec::new(),
        ahead: Vec::new(),
        cold: Vec::new(),
        failures: Vec::new(),
        ended: 0,
        sinks: HashMap::new(),
        waiting_whole: None,
        unjudged: 0,
        checking: Checking::default(),
        admission: config.admission,
        filter: Arc::default(),
        spread: config.spread,
        wanted: config.wanted,
        number: config.number,
        options: config.options,
        origin: Instant::now(),
        stopwatch: Stopwatch::new(),
        ticked: Instant::now(),
        stopping: false,
        over: false,
    })
}

impl Reactor {
    /// The way in and out.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Ends it and waits; its last snapshot is then in the mailbox. An error is what stopped it earlier.
    pub fn stop(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let mut command = Command::Stop;
        while let Err(full) = self.mailbox.send(command) {
            if thread.is_finished() {
                break;
            }
            command = full;
            std::thread::yield_now();
        }
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the reactor panicked")))
    }

    /// It has ended by itself, which only a failing kernel interface makes it do.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}
