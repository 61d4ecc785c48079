//! All reactors as one: orders go to each, numbers come back summed.

mod asking;
mod dormant;
mod farewell;
mod limits;
mod listening;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::clock::Time;
use crate::filter::IpFilter;
use crate::ids::TorrentId;
use crate::metainfo::PathIndex;
use crate::peer::{Identity, Reason, Torrent};
use crate::reactor::congestion::{self, Congestion, CongestionChoice};
use crate::reactor::driver::{DriverChoice, DriverConfig, RingRefused, probe};
use crate::reactor::sockets::{ListenError, Options};
use crate::reactor::{Admission, Attachment, Command, DownloadOrder, Mailbox};
use crate::reactor::{Reactor, ReactorConfig, Serving, Snapshot, Spread, StartError, Wanted};
use crate::schedule::{ShardSlots, SlotShares, Slots};
use crate::shard::{Config, TorrentStatus};
use crate::storage::Payload;
use crate::transmit::{SendMode, Transmitter};

pub use listening::listen;

use limits::Limits;

/// How reactors are run.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// How many.
    pub reactors: usize,
    /// Which driver.
    pub driver: DriverChoice,
    /// Which path payload takes.
    pub send: SendMode,
    /// Port; `None` takes 6881, or the next one that is free.
    pub port: Option<u16>,
    /// Addresses of this host that peers may connect to, and from which others are; empty, or `::` without an IPv4 address: all.
    pub listen: Vec<IpAddr>,
    /// Sockets that listen already, in place of `port` and `listen`: see [`listen`].
    pub listeners: Vec<Arc<OwnedFd>>,
    /// Policy for slots.
    pub slots: Slots,
    /// Bytes of payload a second for everybody together.
    pub upload_limit: Option<u64>,
    /// Bytes of payload a second from everybody together.
    pub download_limit: Option<u64>,
    /// Bytes of payload a second for each peer.
    pub peer_limit: Option<u64>,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: u16,
    /// Congestion control of connections.
    pub congestion: CongestionChoice,
    /// Further options of connections.
    pub options: Options,
    /// Torrents may be downloaded.
    pub downloads: bool,
}

/// Why reactors do not run.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// No listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A reactor failed to start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The chosen driver cannot be used here.
    #[error("io_uring cannot be used here ({0}): use --driver auto or --driver epoll")]
    NoRing(#[from] RingRefused),
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The running reactors.
pub struct Fleet {
    reactors: Vec<Reactor>,
    latest: Vec<Option<Snapshot>>,
    /// Ended torrents that each reactor told of, up to its latest snapshot.
    told: Vec<u64>,
    /// Of these, what has not been taken.
    ended: Vec<TorrentStatus>,
    /// Orders that a full mailbox did not take, in order, by reactor.
    pending: Vec<VecDeque<Command>>,
    port: u16,
    driver: &'static str,
    send: SendMode,
    congestion: Congestion,
    slots: Slots,
    /// Of the fixed policy.
    shares: HashMap<TorrentId, SlotShares>,
    limits: Limits,
    filter: Arc<IpFilter>,
    spread: Arc<Spread>,
    wanted: Arc<Wanted>,
    origin: Instant,
}

impl Fleet {
    /// Opens the port and starts the reactors.
    pub fn start(config: &FleetConfig, identity: Identity, rng: &mut fastrand::Rng) -> Result<Fleet, FleetError> {
        let ring = match config.driver {
            DriverChoice::Auto => probe().is_ok(),
            DriverChoice::IoUring => probe().map(|()| true)?,
            DriverChoice::Epoll => false,
        };
        let mut options = config.options.clone();
        let congestion = congestion::choose(&config.congestion, &mut options);
        options.sources = config.listen.iter().filter(|address| !address.is_unspecified()).copied().collect();
        let listeners = listening::of_each_reactor(config)?;
        // what `auto` comes to on this machine
        let send = Transmitter::new(config.send)?.mode();
        let port = listening::port_of(&listeners[0][0])?;
        let identity = Arc::new(Identity { port, ..identity });
        let admission = Arc::new(Admission::new(config.connections_per_address, (rng.u64(..), rng.u64(..))));
        let (spread, wanted) = (Spread::new(listeners.len()), Wanted::new());
        let mut reactors = Vec::new();
        for (number, listeners) in listeners.into_iter().enumerate() {
            reactors.push(crate::reactor::start(ReactorConfig {
                number,
                ring,
                send,
                listeners,
                options: options.clone(),
                sizes: if config.downloads { DriverConfig::for_payload() } else { DriverConfig::default() },
                admission: admission.clone(),
                spread: spread.clone(),
                wanted: wanted.clone(),
                shard: Config {
                    identity: identity.clone(),
                    slots: config.slots,
                    connections_max: config.connections.div_ceil(config.reactors),
                    peer_rate: config.peer_limit,
                    seed: rng.u64(..),
                },
            })?);
        }
        let count = reactors.len();
        let mut fleet = Fleet {
            reactors,
            latest: vec![None; count],
            told: vec![0; count],
            ended: Vec::new(),
            pending: (0..count).map(|_| VecDeque::new()).collect(),
            port,
            driver: if ring { "io_uring" } else { "epoll" },
            send,
            congestion,
            slots: config.slots,
            shares: HashMap::new(),
            limits: Limits::default(),
            filter: Arc::default(),
            spread,
            wanted,
            origin: Instant::now(),
        };
        fleet.set_upload_limit(config.upload_limit);
        fleet.set_download_limit(config.download_limit);
        Ok(fleet)
    }

    /// Port that peers connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Name of the driver in use.
    pub fn driver(&self) -> &'static str {
        self.driver
    }

    /// Path that payload takes; not `auto`.
    pub fn send(&self) -> SendMode {
        self.send
    }

    /// Congestion control of connections; not `auto`.
    pub fn congestion(&self) -> &Congestion {
        &self.congestion
    }

    /// How many reactors run.
    pub fn len(&self) -> usize {
        self.reactors.len()
    }

    /// None runs.
    pub fn is_empty(&self) -> bool {
        self.reactors.is_empty()
    }

    /// Serves a torrent to peers.
    pub fn add(&mut self, id: TorrentId, torrent: &Arc<Torrent>, payload: &Payload) {
        self.serve(id, &Serving::new(torrent.clone(), payload.clone()));
    }

    /// Serves a torrent. One that is served already stays as it is.
    pub fn serve(&mut self, id: TorrentId, serving: &Serving) {
        let slots = if let Slots::Fixed(slots) = self.slots { slots } else { 0 };
        let shares = SlotShares::new(slots, self.reactors.len(), self.now());
        let granted = shares.granted().to_vec();
        self.shares.insert(id, shares);
        for (reactor, slots) in granted.into_iter().enumerate() {
            let slots = usize::try_from(slots).unwrap_or(usize::MAX);
            self.order(reactor, Command::Add { id, serving: serving.clone(), slots, download: None });
        }
        self.repeat_limits(id);
    }

    /// Downloads a torrent. All its peers have to be on one reactor, which is why there may be only one.
    pub fn add_download(&mut self, id: TorrentId, torrent: Arc<Torrent>, payload: Payload, order: DownloadOrder) {
        assert_eq!(self.reactors.len(), 1, "a session that downloads has one reactor");
        let slots = if let Slots::Fixed(slots) = self.slots { usize::try_from(slots).unwrap_or(usize::MAX) } else { 0 };
        let (serving, download) = (Serving::new(torrent, payload), Some(Box::new(order)));
        self.order(0, Command::Add { id, serving, slots, download });
        self.repeat_limits(id);
    }

    /// Has a torrent's reactor take up one end of a socket pair, at whose other end a peer speaks.
    pub fn attach(&mut self, id: TorrentId, descriptor: OwnedFd) {
        let place = self.spread.take(0);
        self.order(place.reactor(), Command::Attach(Attachment { id, descriptor, place }));
    }

    /// The way into a reactor.
    pub fn mailbox(&self, reactor: usize) -> &Arc<Mailbox> {
        self.reactors[reactor].mailbox()
    }

    /// Serves the files of a torrent by HTTP as well, from when all of it is here.
    pub fn publish(&mut self, id: TorrentId, files: &Arc<PathIndex>) {
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, Command::Publish { id, files: files.clone() }));
    }

    /// Shows a torrent's pieces one by one to those who connect from now on, or all of them again. What one reactor shows another does
    /// not know, so there should be one.
    pub fn super_seed(&mut self, id: TorrentId, on: bool) {
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, Command::SuperSeed { id, on }));
    }

    /// Serves a torrent no more.
    pub fn withdraw(&mut self, id: TorrentId, reason: Reason) {
        self.shares.remove(&id);
        self.forget_limits(id);
        (0..self.reactors.len()).for_each(|reactor| self.order(reactor, Command::Withdraw { id, reason }));
    }

    /// Connects to a peer, from the reactor that has fewest, unless the filter blocks its address.
    pub fn dial(&mut self, id: TorrentId, address: SocketAddr) {
        if self.filter.blocks(address.ip()) {
            return;
        }
        let place = self.spread.take(0);
        self.order(place.reactor(), Command::Dial { id, address, place });
    }

    /// Accepts no more connections: the beginning of a graceful end. Peers that are connected are served on. Who comes to a listener
    /// that was handed in waits there for whoever accepts next.
    pub fn close_listeners(&mut self) {
        self.order_all(|| Command::StopListening);
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn order(&mut self, reactor: usize, command: Command) {
        self.pending[reactor].push_back(command);
        self.deliver(reactor);
    }

    fn deliver(&mut self, reactor: usize) {
        let mailbox: &Arc<Mailbox> = self.reactors[reactor].mailbox();
        while let Some(command) = self.pending[reactor].pop_front() {
            if let Err(command) = mailbox.send(command) {
                self.pending[reactor].push_front(command);
                return;
            }
        }
    }

    /// Takes in what the reactors published, hands out what waits, divides limits anew. Once a second. An error means
    /// that a reactor has ended by itself.
    pub fn refresh(&mut self) -> io::Result<()> {
        for reactor in 0..self.reactors.len() {
            self.deliver(reactor);
            if self.reactors[reactor].is_finished() {
                self.reactors[reactor].stop()?;
                return Err(io::Error::other("a reactor ended"));
            }
        }
        self.collect();
        if self.reactors.len() > 1 {
            self.share_slots();
            self.share_limits();
        }
        Ok(())
    }

    fn collect(&mut self) {
        for ((reactor, latest), told) in self.reactors.iter().zip(&mut self.latest).zip(&mut self.told) {
            let Some(snapshot) = reactor.mailbox().latest() else { continue };
            // just those that this snapshot lists no more, so that both together are the numbers of one moment
            while *told < snapshot.ended {
                let Some(status) = reactor.mailbox().ended() else { break };
                self.ended.push(status);
                *told += 1;
            }
            *latest = Some(snapshot);
        }
    }

    /// The last numbers of torrents that a reactor keeps nothing of any more, since the last call. What one sent is in no snapshot
    /// from now on: it is to be added to what is known.
    pub fn take_ended(&mut self) -> Vec<TorrentStatus> {
        std::mem::take(&mut self.ended)
    }

    /// The latest snapshot of each reactor that has published one.
    pub fn snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.latest.iter().flatten()
    }

    /// Slots of the fixed policy are a torrent's, whichever reactors its peers came to.
    fn share_slots(&mut self) {
        let Slots::Fixed(_) = self.slots else { return };
        let mut said: HashMap<TorrentId, Vec<ShardSlots>> = HashMap::new();
        for torrent in self.snapshots().flat_map(|snapshot| &snapshot.torrents) {
            said.entry(torrent.id).or_default().push(shard_slots(torrent));
        }
        let (now, mut orders) = (self.now(), Vec::new());
        for (id, said) in said {
            // a reactor that has not told of the torrent yet may have given all of its first share
            let Some(shares) = self.shares.get_mut(&id).filter(|_| said.len() == self.reactors.len()) else { continue };
            let before = shares.granted().to_vec();
            shares.divide(&said, now);
            let changed = (0..).zip(before).zip(shares.granted()).filter(|((_, before), granted)| before != *granted);
            orders.extend(changed.map(|((reactor, _), &slots)| (reactor, id, slots)));
        }
        for (reactor, id, slots) in orders {
            self.order(reactor, Command::Slots { id, slots: usize::try_from(slots).unwrap_or(usize::MAX) });
        }
    }

    /// Ends all reactors; afterwards the snapshots are final, exact to the byte.
    pub fn stop(&mut self) -> io::Result<()> {
        let ended: Vec<io::Result<()>> = self.reactors.iter_mut().map(Reactor::stop).collect();
        self.collect();
        ended.into_iter().collect()
    }
}

fn shard_slots(torrent: &TorrentStatus) -> ShardSlots {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    ShardSlots { interested: count(torrent.interested), slots: count(torrent.slots), unchoked: count(torrent.unchoked) }
}
