//! The front: start announcing, add torrents, look at their trackers, leave in order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::board::{Board, Id};
use super::driver::{Command, Driver, Sinks};
use super::error::AnnounceError;
use super::http::HttpConfig;
use super::outcomes::{HostLoad, Outcomes};
use super::reply::Scrape;
use super::request::{Family, StatsSource};
use super::resolve::Resolver;
use super::schedule::Reach;
use super::status::{Change, Summary, TrackerStatus};
use super::trackers::{TrackerUrl, Trackers};
use super::transport::Transport;
use crate::ids::{InfoHash, PeerId};
use crate::limits;

/// What all torrents have in common.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ours, the same for the whole process.
    pub peer_id: PeerId,
    /// By which a tracker knows us again when our address changes (BEP 7); the same for the whole process.
    pub key: u32,
    /// Where peers reach us.
    pub port: u16,
    /// What HTTP trackers see.
    pub user_agent: String,
    /// Which trackers of a public torrent are used at a time.
    pub reach: Reach,
    /// IPv4 address to speak from.
    pub local_v4: Ipv4Addr,
    /// IPv6 address to speak from.
    pub local_v6: Ipv6Addr,
    /// Network interface to speak by.
    pub device: Option<String>,
    /// For one HTTP announce in all.
    pub http_timeout: Duration,
    /// For the first UDP datagram; doubles with each of the three tries (BEP 15 says 15 s).
    pub udp_timeout: Duration,
    /// Tracker hosts whose addresses are given here and not looked up.
    pub names: Vec<(String, Vec<IpAddr>)>,
}

impl Config {
    /// The usual values, for a peer that listens at `port`.
    pub fn new(peer_id: PeerId, key: u32, port: u16) -> Config {
        Config {
            peer_id,
            key,
            port,
            user_agent: concat!("sower/", env!("CARGO_PKG_VERSION")).into(),
            reach: Reach::default(),
            local_v4: Ipv4Addr::UNSPECIFIED,
            local_v6: Ipv6Addr::UNSPECIFIED,
            device: None,
            http_timeout: Duration::from_secs(30),
            udp_timeout: Duration::from_secs(15),
            names: Vec::new(),
        }
    }

    /// From the first of each family of these addresses, at which peers reach us: a tracker takes the sender of an announce for that. One
    /// of loopback is left out, which reaches no other host.
    pub fn speaking_from(mut self, addresses: &[IpAddr]) -> Config {
        for &address in addresses.iter().rev().filter(|address| !address.is_loopback()) {
            match address {
                IpAddr::V4(v4) => self.local_v4 = v4,
                IpAddr::V6(v6) => self.local_v6 = v6,
            }
        }
        self
    }
}

/// A torrent to be announced.
#[derive(Clone)]
pub struct Announced {
    /// Its name.
    pub info_hash: InfoHash,
    /// Where.
    pub trackers: Trackers,
    /// Asked for the numbers just before each announce.
    pub stats: StatsSource,
}

/// What a tracker has been told of a torrent since `started`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The tracker.
    pub url: String,
    /// Bytes sent, up to now: what it is told next if nothing more is sent.
    pub uploaded: u64,
    /// Bytes received.
    pub downloaded: u64,
}

/// Peers that a tracker named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Of this torrent.
    pub info_hash: InfoHash,
    /// Their addresses.
    pub peers: Vec<SocketAddr>,
    /// Set when a private torrent has moved to another of its trackers: peers that the old one named must be
    /// disconnected (BEP 27).
    pub replaces: bool,
}

/// How the last announces went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Farewell {
    /// Trackers (by torrent and family) that took the `stopped`.
    pub told: usize,
    /// Those that did not, or not in time.
    pub missed: usize,
}

/// Announces torrents, on the tokio runtime that it was started on. Dropped without [`Announcer::shutdown`], it ends
/// without a word.
pub struct Announcer {
    commands: mpsc::Sender<Command>,
    transport: Arc<Transport>,
    board: Arc<Board>,
    dropped: Arc<AtomicU64>,
    driver: JoinHandle<()>,
}

/// One torrent that is being announced. Dropping it changes nothing.
#[derive(Clone)]
pub struct Handle {
    id: Id,
    commands: mpsc::Sender<Command>,
    board: Arc<Board>,
}

/// Commands that may wait for the driver, which takes them between two announces; senders wait beyond.
const COMMANDS: usize = 1_024;

impl Announcer {
    /// Starts; the receiver yields the peers that trackers name. When it is full, further answers are dropped and
    /// counted: the next announce brings others.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(config: Config) -> (Announcer, mpsc::Receiver<Found>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (found, receiver) = mpsc::channel(limits::FOUND_QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let http = HttpConfig {
            user_agent: config.user_agent.clone(),
            local: [IpAddr::V4(config.local_v4), IpAddr::V6(config.local_v6)],
            device: config.device.clone(),
            patience: config.http_timeout,
        };
        let transport = Arc::new(Transport::new(http, Resolver::new(&config.names), config.udp_timeout));
        let sinks = Sinks { found, dropped: Arc::clone(&dropped) };
        let origin = Instant::now();
        let board = Arc::new(Board::new(origin.into_std()));
        let driver = Driver::new(config, Arc::clone(&transport), sinks, Arc::clone(&board), origin);
        let driver = tokio::spawn(driver.run(inbox));
        (Announcer { commands, transport, board, dropped, driver }, receiver)
    }

    /// Begins to announce a torrent, without waiting for anything but a full queue of orders. The first announce follows when its
    /// trackers' turn has come: of many torrents that are added at once, each host hears 50 a second.
    pub async fn add(&self, torrent: Announced) -> Handle {
        self.go_on(torrent, Vec::new()).await
    }

    /// The same for a torrent that another process has announced as the same peer: who was told of it hears no second `started`, and
    /// numbers that go on from those.
    pub async fn go_on(&self, torrent: Announced, told: Vec<Told>) -> Handle {
        let private = torrent.trackers.is_private();
        let (id, tiers) = self.board.insert(torrent.info_hash, torrent.trackers.into_tiers());
        let add = Command::Add { id, info_hash: torrent.info_hash, tiers, private, stats: torrent.stats, told };
        // a driver that has ended takes no torrents; the handle then does nothing
        let _ = self.commands.send(add).await;
        Handle { id, commands: self.commands.clone(), board: Arc::clone(&self.board) }
    }

    /// The torrents of whose trackers something was heard since the last call, each once. It costs as much as there is to tell.
    pub fn take_changes(&self) -> Vec<Change> {
        self.board.take_changes()
    }

    /// What became of all announces, `stopped` not counted.
    pub fn outcomes(&self) -> Outcomes {
        self.board.outcomes()
    }

    /// Announces that wait for their turn, and those that are under way.
    pub fn load(&self) -> (usize, usize) {
        self.board.load()
    }

    /// How busy the tracker hosts are, those with nothing to do left out.
    pub async fn loads(&self) -> Vec<HostLoad> {
        let (reply, loads) = oneshot::channel();
        let _ = self.commands.send(Command::Loads { reply }).await;
        loads.await.unwrap_or_default()
    }

    /// What all trackers have been told that know of us, for who announces as the same peer from now on.
    pub async fn told(&self) -> Vec<Told> {
        let (reply, told) = oneshot::channel();
        let _ = self.commands.send(Command::Told { reply }).await;
        told.await.unwrap_or_default()
    }

    /// Announces nothing any more, without a word to anybody: another process goes on as the same peer.
    pub fn fall_silent(&self) {
        self.driver.abort();
    }

    /// Asks a tracker how many peers torrents have; over IPv4 if it has such an address, else IPv6. At most
    /// `limits::SCRAPE_HASHES` are asked for.
    pub async fn scrape(
        &self,
        tracker: &TrackerUrl,
        hashes: &[InfoHash],
    ) -> Result<Vec<Option<Scrape>>, AnnounceError> {
        match self.transport.scrape(tracker, Family::V4, hashes).await {
            Err(AnnounceError::NoAddress { .. }) => self.transport.scrape(tracker, Family::V6, hashes).await,
            other => other,
        }
    }

    /// Peers that were dropped because nobody took them in time.
    pub fn peers_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Tells every tracker `stopped`, waits for their answers at most for `limit`, and ends.
    pub async fn shutdown(&mut self, limit: Duration) -> Farewell {
        let (reply, farewell) = oneshot::channel();
        let command = Command::Shutdown { limit, reply };
        let leave = async {
            self.commands.send(command).await.ok()?;
            farewell.await.ok()
        };
        // the driver keeps the limit by itself; this one holds even if it cannot
        let farewell = tokio::time::timeout(limit + Duration::from_millis(250), leave).await;
        self.driver.abort();
        // nothing is left to wait for the second time
        if !self.driver.is_finished() {
            let _ = (&mut self.driver).await;
        }
        farewell.ok().flatten().unwrap_or_default()
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Handle {
    /// The download became complete: tells the trackers, once. Not for torrents that were complete when added.
    pub async fn completed(&self) {
        let _ = self.commands.send(Command::Completed { id: self.id }).await;
    }

    /// Announces now, as far as the trackers' `min interval` allows.
    pub async fn announce_now(&self) {
        let _ = self.commands.send(Command::Wish { id: self.id }).await;
    }

    /// Tells the trackers `stopped` (once, without waiting) and forgets the torrent.
    pub async fn remove(self) {
        self.board.remove(self.id);
        let _ = self.commands.send(Command::Remove { id: self.id }).await;
    }

    /// Announces to other trackers from now on. Those that it is no more announced to hear `stopped`, new ones `started`, and those that
    /// stay notice nothing. A torrent stays private, or public, as it was added.
    pub async fn set_trackers(&self, trackers: Trackers) {
        if let Some(tiers) = self.board.replace(self.id, trackers.into_tiers()) {
            let _ = self.commands.send(Command::SetTrackers { id: self.id, tiers }).await;
        }
    }

    /// The trackers, in the order of the torrent file; none once the torrent was removed.
    pub fn status(&self) -> Vec<TrackerStatus> {
        self.board.status(self.id)
    }

    /// The same in short.
    pub fn summary(&self) -> Summary {
        self.board.summary_of(self.id).unwrap_or_default()
    }
}
