//! Starting and stopping a tracker: its threads and the handle that the program holds.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::{Semaphore, watch};

use super::desk::Desk;
use super::http::HttpServer;
use super::registry::{Registry, key};
use super::sockets::{self, Bound};
use super::stats::Stats;
use super::swarm::OwnSeeder;
use super::udp::{UdpServer, prepare};
use crate::ids::InfoHash;
use crate::limits;

/// How a tracker is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on; none: all of IPv4 and IPv6.
    pub bind: Vec<IpAddr>,
    /// Network interface to be reached by.
    pub device: Option<String>,
    /// TCP and UDP port; 0 picks one that is free for both.
    pub port: u16,
    /// Serve every torrent that somebody announces.
    pub open: bool,
    /// Time between two announces of a client, at least a second.
    pub interval: Duration,
    /// Addresses that the outside world reaches this host at, at most one of each family: there our own seeder, and
    /// clients that announce from a loopback address, are listed.
    pub external: Vec<IpAddr>,
    /// Threads that serve HTTP.
    pub http_threads: usize,
    /// Threads that serve UDP.
    pub udp_threads: usize,
}

impl Default for Config {
    /// A closed tracker on a free port of all addresses.
    fn default() -> Config {
        Config {
            bind: Vec::new(),
            device: None,
            port: 0,
            open: false,
            // half the usual half hour: a peer that went without a word is handed out half as long
            interval: Duration::from_secs(15 * 60),
            external: Vec::new(),
            http_threads: 1,
            udp_threads: 1,
        }
    }
}

/// Why a tracker does not start. All of it is the environment's fault; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody listens there.
    #[error(
        "port {port} is in use (TCP or UDP): choose another one with --port (of the embedded tracker: --tracker-port), or see who has it with `ss -tulpn`"
    )]
    PortInUse {
        /// Which.
        port: u16,
    },
    /// Ports below 1024 need a privilege.
    #[error("port {port} needs a privilege: choose one from 1024 up, or give the program CAP_NET_BIND_SERVICE")]
    PortForbidden {
        /// Which.
        port: u16,
    },
    /// Not an address of this host.
    #[error("this host has none of the addresses to listen on ({0:?}): see `ip address`")]
    AddressNotHere(Vec<IpAddr>),
    /// Anything else.
    #[error("the tracker cannot be started")]
    Io(#[from] io::Error),
}

/// Full: the bound is `limits::TRACKER_TORRENTS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the tracker serves as many torrents as it may")]
pub struct Full;

/// A tracker. There is nothing to it but starting one.
#[derive(Debug)]
pub struct Tracker;

/// A running tracker. Dropping it stops the tracker, without waiting for its threads.
pub struct TrackerHandle {
    desk: Arc<Desk>,
    port: u16,
    stop_udp: Arc<OwnedFd>,
    stop_http: watch::Sender<bool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Tracker {
    /// Binds the port and starts threads of its own: it works with and without a runtime around it, and neither waits
    /// for the other. When this returns, the port is open.
    pub fn start(config: Config) -> Result<TrackerHandle, StartError> {
        let (http, udp) = (config.http_threads.max(1), config.udp_threads.max(1));
        let bound = sockets::bind(&config.bind, config.device.as_deref(), config.port, http, udp)
            .map_err(|error| explain(error, &config))?;
        let mut rng = fastrand::Rng::new();
        let registry = Registry::new(config.open, &mut rng);
        let desk = Desk::new(registry, config.interval.max(Duration::from_secs(1)), config.open, &config.external);
        let (stop_http, _) = watch::channel(false);
        let mut handle = TrackerHandle {
            desk: Arc::new(desk),
            port: bound.port,
            stop_udp: Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(io::Error::from)?),
            stop_http,
            threads: Vec::new(),
        };
        handle.start_threads(bound, key(&mut rng))?;
        Ok(handle)
    }
}

fn explain(error: io::Error, config: &Config) -> StartError {
    match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { port: config.port },
        io::ErrorKind::PermissionDenied => StartError::PortForbidden { port: config.port },
        io::ErrorKind::AddrNotAvailable => StartError::AddressNotHere(config.bind.clone()),
        _ => StartError::Io(error),
    }
}

impl TrackerHandle {
    fn start_threads(&mut self, bound: Bound, key: [u8; 16]) -> io::Result<()> {
        for sockets in bound.datagrams {
            let sockets = sockets.into_iter().map(prepare).collect::<io::Result<_>>()?;
            // one key for all threads: the next datagram of a client may reach another one
            let server = UdpServer { desk: self.desk.clone(), key, sockets, stop: self.stop_udp.clone() };
            self.threads.push(thread::Builder::new().name("tracker-udp".into()).spawn(|| server.run())?);
        }
        let places = Arc::new(Semaphore::new(limits::TRACKER_CONNECTIONS));
        for (at, listeners) in bound.listeners.into_iter().enumerate() {
            let (desk, places, stop) = (self.desk.clone(), places.clone(), self.stop_http.subscribe());
            let server = HttpServer { desk, listeners, places, stop, expires: at == 0 };
            self.threads.push(thread::Builder::new().name("tracker-http".into()).spawn(|| server.run())?);
        }
        Ok(())
    }

    /// TCP and UDP port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves a torrent from now on. `own` is our own seeder of it, listed first for everybody who downloads; external
    /// addresses that it does not name come from [`Config::external`].
    pub fn add_torrent(&self, info_hash: InfoHash, own: Option<OwnSeeder>) -> Result<(), Full> {
        let own = own.map(|own| self.desk.complete(own));
        if self.desk.registry.add(info_hash, own) { Ok(()) } else { Err(Full) }
    }

    /// Stops serving a torrent and forgets its peers. False if it was not served.
    pub fn remove_torrent(&self, info_hash: InfoHash) -> bool {
        self.desk.registry.remove(info_hash)
    }

    /// Totals, and the `largest` torrents with most peers.
    pub fn stats(&self, largest: usize) -> Stats {
        Stats::of(&self.desk, largest)
    }

    /// Closes the port and ends the threads.
    pub fn stop(mut self) {
        self.tell_to_stop();
        for thread in self.threads.drain(..) {
            // a thread that failed has nothing left to stop
            let _ = thread.join();
        }
    }

    fn tell_to_stop(&self) {
        self.stop_http.send_replace(true);
        // an eventfd at its maximum would be readable already
        let _ = rustix::io::write(&*self.stop_udp, &1u64.to_le_bytes());
    }
}

impl Drop for TrackerHandle {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}
