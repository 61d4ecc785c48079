//! What crosses into a reactor, and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::filter::IpFilter;
use crate::ids::{InfoHash, TorrentId};
use crate::limits::LAZY_CHECKS_PER_REACTOR;
use crate::metainfo::PathIndex;
use crate::peer::{Reason, Torrent};
use crate::shard::{Census, PeerStatus, TorrentStatus, Totals};
use crate::storage::{Payload, PieceCheck, Verdict};
use crate::transmit::Counters;

use super::checking::Checked;
use super::download::{Attachment, DownloadOrder, VERDICTS};
use super::driver::Waker;
use super::paging::PagingCounters;
use super::spread::{Arrival, Place};
use super::turn_times::TurnTimes;

/// Commands that wait for one reactor. It reads the box at least once a second, usually within microseconds.
const COMMANDS: usize = 4_096;
/// Connections that other reactors accepted and that wait for this one. More are not greeted in time anyway: see
/// [`HANDSHAKES`](crate::limits::HANDSHAKES).
pub(super) const ARRIVALS: usize = 1_024;
/// Last numbers of torrents that wait to be taken. Those beyond stay with the reactor, which lists them in its snapshots.
const ENDED: usize = 1_024;
/// Peers in a snapshot: what a screen can show.
pub(super) const PEERS_SHOWN: usize = 1_000;
/// Peers of one torrent that are told when they are asked for: a millisecond of the reactor's time.
pub(super) const PEERS_TOLD: usize = 4_096;

/// Where an answer goes. It is called on the reactor and neither waits nor panics.
pub type Reply<T> = Box<dyn FnOnce(T) + Send + Sync>;

/// An order to a reactor.
pub enum Command {
    /// Serve a torrent. One that is served already stays as it is.
    Add {
        /// Its name from now on.
        id: TorrentId,
        /// What it consists of.
        serving: Serving,
        /// Slots, for the fixed policy.
        slots: usize,
        /// What is to be downloaded of it; `None`: all of it is here.
        download: Option<Box<DownloadOrder>>,
    },
    /// These torrents are ours, and come by `Add` when somebody wants one.
    Know {
        /// Which, and their names from now on.
        torrents: Arc<[(InfoHash, TorrentId)]>,
        /// Their files may be asked for by HTTP.
        published: bool,
    },
    /// A torrent that is known and not served is ours no more.
    Forget {
        /// Which.
        info_hash: InfoHash,
    },
    /// Keep nothing of a torrent but that it is known, unless somebody is connected to it or it is not whole.
    Sleep {
        /// Which.
        id: TorrentId,
    },
    /// A torrent that is wanted cannot be added now: close who waits for it.
    Refuse {
        /// Which.
        id: TorrentId,
    },
    /// Tell of the peers of a torrent.
    Peers {
        /// Which.
        id: TorrentId,
        /// Where to.
        reply: Reply<Vec<PeerStatus>>,
    },
    /// Tell which pieces of a torrent are here: a bit each, the first the highest of the first byte. `None` if it is not served.
    Pieces {
        /// Which.
        id: TorrentId,
        /// Where to.
        reply: Reply<Option<Vec<u8>>>,
    },
    /// Take up a connection that was made elsewhere.
    Attach(Attachment),
    /// Serve the files of a torrent by HTTP as well.
    Publish {
        /// Which.
        id: TorrentId,
        /// Its files.
        files: Arc<PathIndex>,
    },
    /// Show a torrent's pieces one by one, to those who connect from now on (BEP 16), or all of them again.
    SuperSeed {
        /// Which.
        id: TorrentId,
        /// One by one.
        on: bool,
    },
    /// Serve a torrent no more.
    Withdraw {
        /// Which.
        id: TorrentId,
        /// What its connections are closed with.
        reason: Reason,
    },
    /// Connect to a peer.
    Dial {
        /// For which torrent.
        id: TorrentId,
        /// Where.
        address: SocketAddr,
        /// As what connection of this reactor it counts.
        place: Place,
    },
    /// Share of the fixed policy's slots.
    Slots {
        /// Of which torrent.
        id: TorrentId,
        /// How many.
        slots: usize,
    },
    /// Share of the upload limit, in bytes a second.
    UploadLimit(Option<u64>),
    /// Share of the download limit, in bytes a second.
    DownloadLimit(Option<u64>),
    /// Share of a torrent's own limits, in bytes a second.
    TorrentLimits {
        /// Which.
        id: TorrentId,
        /// Of what is sent.
        upload: Option<u64>,
        /// Of what is asked for.
        download: Option<u64>,
    },
    /// Share of the connections that a torrent may have.
    PeersMax {
        /// Which.
        id: TorrentId,
        /// How many; `None`: as many as there may be in all.
        peers: Option<usize>,
    },
    /// Share of the connections that there may be in all.
    ConnectionsMax(usize),
    /// Addresses that nobody is to be connected with from now on.
    Filter(Arc<IpFilter>),
    /// Accept no more connections; those that are there go on.
    StopListening,
    /// Accept no more connections, serve what is asked for already, and let everybody go.
    WindDown,
    /// End.
    Stop,
}

/// What a reactor is given of a torrent.
#[derive(Clone)]
pub struct Serving {
    /// What peers are told.
    pub torrent: Arc<Torrent>,
    /// Where its bytes are.
    pub payload: Payload,
    /// Its files, if they are served by HTTP as well.
    pub files: Option<Arc<PathIndex>>,
    /// Looks at its pieces before they are served, if they were taken on trust.
    pub unverified: Option<Arc<dyn PieceCheck>>,
}

impl Serving {
    /// One that is served to peers alone, and known to be right.
    pub fn new(torrent: Arc<Torrent>, payload: Payload) -> Serving {
        Serving { torrent, payload, files: None, unverified: None }
    }
}

/// A reactor's state, once a second, and once more at its end.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Numbers that only grow.
    pub totals: Totals,
    /// Its torrents.
    pub torrents: Vec<TorrentStatus>,
    /// How many torrents had ended before, by [`Mailbox::ended`].
    pub ended: u64,
    /// Some of its peers.
    pub peers: Vec<PeerStatus>,
    /// All of them, counted by why they are not being sent to.
    pub census: Census,
    /// Torrents that it had to stop, and why, until they are withdrawn.
    pub failures: Vec<(TorrentId, String)>,
    /// It has wound down: nobody is connected any more, and nobody will be.
    pub over: bool,
    /// Connections, handshakes included.
    pub connections: usize,
    /// Torrents that are known and not in memory.
    pub dormant: usize,
    /// Connections that wait for one of them.
    pub awaiting: usize,
    /// Unchoked peers.
    pub unchoked: usize,
    /// Interested peers without a slot.
    pub waiting: usize,
    /// Peers that would send us what we want.
    pub senders: usize,
    /// Part of the last second for which it did not wait, in thousandths.
    pub busy_per_mille: u32,
    /// What the sending paths did.
    pub transmit: Counters,
    /// What was read from disk before it was sent.
    pub paging: PagingCounters,
    /// How long turns of the loop took, since start.
    pub turn_times: TurnTimes,
}

/// The way in and out of one reactor.
pub struct Mailbox {
    commands: ArrayQueue<Command>,
    arrivals: ArrayQueue<Arrival>,
    verdicts: ArrayQueue<Verdict>,
    ended: ArrayQueue<TorrentStatus>,
    /// As many places as pieces may be asked for, so an answer always finds one.
    checked: ArrayQueue<Checked>,
    latest: ArrayQueue<Snapshot>,
    waker: Waker,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("commands", &self.commands.len())
            .field("arrivals", &self.arrivals.len())
            .finish()
    }
}

impl Mailbox {
    pub(super) fn new(waker: Waker) -> Mailbox {
        let (commands, arrivals) = (ArrayQueue::new(COMMANDS), ArrayQueue::new(ARRIVALS));
        let (verdicts, ended) = (ArrayQueue::new(VERDICTS), ArrayQueue::new(ENDED));
        let checked = ArrayQueue::new(LAZY_CHECKS_PER_REACTOR);
        Mailbox { commands, arrivals, verdicts, ended, checked, latest: ArrayQueue::new(1), waker }
    }

    /// Gives the reactor an order; gives it back if the box is full, which the caller answers by trying again later.
    pub fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.push(command)?;
        self.waker.wake();
        Ok(())
    }

    /// Tells the reactor what became of a piece; gives it back if too many wait, which the caller answers by trying again.
    pub fn answer(&self, verdict: Verdict) -> Result<(), Verdict> {
        self.verdicts.push(verdict)?;
        self.waker.wake();
        Ok(())
    }

    pub(super) fn next_verdict(&self) -> Option<Verdict> {
        self.verdicts.pop()
    }

    /// Tells the reactor what a piece was found to be that it had asked for.
    pub(super) fn tell_checked(&self, checked: Checked) {
        let told = self.checked.push(checked);
        debug_assert!(told.is_ok(), "no more answers than questions");
        self.waker.wake();
    }

    pub(super) fn next_checked(&self) -> Option<Checked> {
        self.checked.pop()
    }

    /// Gives the reactor a connection; gives it back if too many wait, which the caller answers by serving it.
    pub(super) fn hand_over(&self, arrival: Arrival) -> Result<(), Arrival> {
        self.arrivals.push(arrival)?;
        self.waker.wake();
        Ok(())
    }

    pub(super) fn arrival(&self) -> Option<Arrival> {
        self.arrivals.pop()
    }

    /// The newest snapshot, if there has been one since the last call.
    pub fn latest(&self) -> Option<Snapshot> {
        self.latest.pop()
    }

    /// The last numbers of the next torrent that has ended. A snapshot whose count they are within lists it no more, one that was
    /// made before may.
    pub fn ended(&self) -> Option<TorrentStatus> {
        self.ended.pop()
    }

    /// Tells of the end of a torrent; gives it back if too many wait.
    pub(super) fn tell_ended(&self, status: TorrentStatus) -> Result<(), TorrentStatus> {
        self.ended.push(status)
    }

    pub(super) fn next(&self) -> Option<Command> {
        self.commands.pop()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.latest.force_push(snapshot);
    }
}
