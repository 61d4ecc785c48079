//! One turn of the loop after another.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Time;
use crate::filter::IpFilter;
use crate::ids::{BlockRef, PeerKey, TorrentId};
use crate::peer::Reason;
use crate::shard::{Shard, Whole};
use crate::storage::{ColdRange, Maps, Payload, Residency};
use crate::transmit::{Chunk, Outgoing, Transmitter};

use super::admission::Admission;
use super::checking::Checking;
use super::download::{DownloadOrder, PieceSink};
use super::driver::{Driver, Event, Token};
use super::mailbox::{Command, Mailbox, PEERS_SHOWN, PEERS_TOLD, Serving, Snapshot};
use super::paging::Paging;
use super::sockets::Options;
use super::spread::{Arrival, Place, Spread};
use super::stopwatch::Stopwatch;
use super::turn_times::Step;
use super::wanted::Wanted;

/// Turns between two looks at the driver: 32 chunks take about a millisecond, the longest that a new event waits.
const TURNS: usize = 32;

/// Or once the loop's turn has lasted so long: chunks that are copied, or whose receiver works on this processor, take several
/// times as long, and the other peers' events wait.
const TURN_TIME: Duration = Duration::from_micros(500);

/// A connection's kernel side.
pub(super) struct Socket {
    pub(super) generation: u32,
    pub(super) descriptor: OwnedFd,
    pub(super) outgoing: Outgoing,
    /// What was last read in for it.
    pub(super) paged_in: Option<PagedIn>,
    /// How often the rest of its last chunk was read in again.
    pub(super) rest_tries: u8,
    /// That is under way.
    pub(super) rest_waits: bool,
    /// Counts it among this reactor's.
    _place: Place,
}

/// A chunk that was read in and is to be sent.
#[derive(Clone, Copy)]
pub(super) struct PagedIn {
    /// It begins with this block.
    pub(super) first: BlockRef,
    /// How often it was read in.
    pub(super) tries: u8,
}

/// One reactor: the driver, the shard, and what connects them.
pub(super) struct EventLoop<D: Driver> {
    pub(super) driver: D,
    pub(super) shard: Shard,
    pub(super) transmitter: Transmitter,
    pub(super) maps: Maps,
    pub(super) residency: Residency,
    pub(super) payloads: HashMap<TorrentId, Payload>,
    pub(super) sockets: Vec<Option<Socket>>,
    pub(super) paging: Paging,
    pub(super) chunk: Chunk,
    pub(super) blocks: Vec<BlockRef>,
    pub(super) ahead: Vec<BlockRef>,
    pub(super) cold: Vec<ColdRange>,
    pub(super) failures: Vec<(TorrentId, String)>,
    /// Torrents whose end the mailbox was told of.
    pub(super) ended: u64,
    /// Where pieces of downloads go.
    pub(super) sinks: HashMap<TorrentId, Arc<dyn PieceSink>>,
    /// A piece that its sink had no room for.
    pub(super) waiting_whole: Option<Whole>,
    /// Pieces that a sink has taken and that have no verdict yet.
    pub(super) unjudged: usize,
    pub(super) checking: Checking,
    pub(super) admission: Arc<Admission>,
    /// Whom it takes no connection from.
    pub(super) filter: Arc<IpFilter>,
    pub(super) spread: Arc<Spread>,
    pub(super) wanted: Arc<Wanted>,
    /// Its place in the spread.
    pub(super) number: usize,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) options: Options,
    pub(super) origin: Instant,
    pub(super) stopwatch: Stopwatch,
    pub(super) ticked: Instant,
    pub(super) stopping: bool,
    /// It has wound down.
    pub(super) over: bool,
}

impl<D: Driver> EventLoop<D> {
    /// Runs until told to stop.
    pub(super) fn run(&mut self) -> std::io::Result<()> {
        let mut events = Vec::with_capacity(1_024);
        let mut idle = true;
        while !self.stopping {
            let now = self.now();
            let timeout = if idle { self.shard.next_timeout(now).since(now) } else { Duration::ZERO };
            self.driver.wait(Some(timeout), &mut events)?;
            self.stopwatch.woke();
            let now = self.now();
            events.drain(..).for_each(|event| self.apply(event, now));
            self.hand_out_pieces();
            self.tell_wanted();
            self.stopwatch.stepped(Step::Events);
            self.shard.release_paced(now);
            self.tick(now);
            self.shard.settle_slots(now);
            self.shard.settle_http(now);
            self.hold_back(now);
            self.hand_out_control(now);
            self.stopwatch.stepped(Step::Control);
            idle = self.serve_turns(now);
            self.ask_for_checks();
            self.take_down();
            self.part();
            self.stopwatch.stepped(Step::Close);
            self.stopwatch.turned();
        }
        self.publish(0);
        Ok(())
    }

    /// Serves turns until none is left or the turn of the loop has lasted long enough; whether none is left.
    fn serve_turns(&mut self, now: Time) -> bool {
        for _ in 0..TURNS {
            if !self.serve(now) {
                return true;
            }
            self.stopwatch.stepped(Step::Chunk);
            if self.stopwatch.running() > TURN_TIME {
                return false;
            }
        }
        false
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn apply(&mut self, event: Event, now: Time) {
        match event {
            Event::Accepted { socket, address } => self.accept(socket, address, now),
            Event::Received { token, buffer } => {
                self.shard.received(token.into(), self.driver.bytes(&buffer), now);
                self.driver.release(buffer);
            }
            Event::Closed { token, error } => {
                self.shard.close(token.into(), if error.is_some() { Reason::Failed } else { Reason::Ended });
            }
            Event::Writable { token } => self.flush(token.into(), now),
            Event::PagedIn { token, result } => self.paged_in(token, &result),
            Event::Mail => self.read_mail(now),
        }
    }

    fn accept(&mut self, descriptor: OwnedFd, address: SocketAddr, now: Time) {
        if self.filter.blocks(address.ip()) {
            return self.shard.refused(Reason::Filtered);
        }
        if !self.admission.enter(address.ip()) {
            return self.shard.refused(Reason::FullAddress);
        }
        if let Some(arrival) = self.spread.settle(self.number, descriptor, address) {
            self.seat(arrival, now);
        }
    }

    fn seat(&mut self, arrival: Arrival, now: Time) {
        self.options.apply_to_accepted(&arrival.descriptor, arrival.address);
        match self.shard.accept(arrival.address, now) {
            Ok(key) => self.adopt(key, arrival.descriptor, arrival.place),
            Err(_) => self.admission.leave(arrival.address.ip()),
        }
    }

    fn dial(&mut self, id: TorrentId, address: SocketAddr, place: Place, now: Time) {
        if !self.admission.enter(address.ip()) {
            return;
        }
        let opened = self.options.connect(address);
        match opened.ok().and_then(|socket| Some((self.shard.dial(id, address, now)?, socket))) {
            Some((key, socket)) => self.adopt(key, socket, place),
            None => self.admission.leave(address.ip()),
        }
    }

    pub(super) fn adopt(&mut self, key: PeerKey, descriptor: OwnedFd, place: Place) {
        let slot = index(key);
        if slot >= self.sockets.len() {
            self.sockets.resize_with(slot + 1, || None);
        }
        if self.driver.adopt(descriptor.as_fd(), Token::from(key)).is_err() {
            self.shard.close(key, Reason::Failed);
        }
        let (generation, outgoing) = (key.generation, Outgoing::new());
        self.sockets[slot] = Some(Socket {
            generation,
            descriptor,
            outgoing,
            paged_in: None,
            rest_tries: 0,
            rest_waits: false,
            _place: place,
        });
    }

    fn read_mail(&mut self, now: Time) {
        while let Some(command) = self.mailbox.next() {
            match command {
                Command::Add { id, serving, slots, download } => self.add(id, serving, slots, download),
                Command::Know { torrents, published } => self.shard.know(&torrents, published),
                Command::Forget { info_hash } => self.shard.forget(info_hash),
                Command::Sleep { id } => self.sleep(id),
                Command::Refuse { id } => self.shard.turn_down(id),
                Command::Peers { id, reply } => reply(self.shard.peers_of(id, PEERS_TOLD, now)),
                Command::Pieces { id, reply } => reply(self.shard.pieces(id)),
                Command::Attach(attachment) => self.attach(attachment, now),
                Command::Publish { id, files } => self.shard.publish(id, files),
                Command::SuperSeed { id, on: true } => self.shard.super_seed(id),
                Command::SuperSeed { id, on: false } => self.shard.end_super_seed(id),
                Command::Withdraw { id, reason } => {
                    self.failures.retain(|(failed, _)| *failed != id);
                    self.withdraw(id, reason);
                }
                Command::Dial { id, address, place } => self.dial(id, address, place, now),
                Command::Slots { id, slots } => self.shard.set_slots(id, slots),
                Command::UploadLimit(rate) => self.shard.set_upload_limit(rate, now),
                Command::DownloadLimit(rate) => self.shard.set_download_limit(rate, now),
                Command::TorrentLimits { id, upload, download } => {
                    self.shard.set_torrent_limits(id, upload, download, now);
                }
                Command::PeersMax { id, peers } => self.shard.set_peers_max(id, peers),
                Command::ConnectionsMax(connections) => self.shard.set_connections_max(connections),
                Command::Filter(filter) => self.set_filter(filter),
                Command::StopListening => self.driver.stop_listening(),
                Command::WindDown => self.wind_down(now),
                Command::Stop => self.stopping = true,
            }
        }
        while let Some(arrival) = self.mailbox.arrival() {
            self.seat(arrival, now);
        }
        self.read_verdicts(now);
        self.read_checked();
    }

    fn add(&mut self, id: TorrentId, serving: Serving, slots: usize, download: Option<Box<DownloadOrder>>) {
        // one that failed may come back before its connections are gone
        self.take_down();
        if self.shard.add(id, serving.torrent, slots) {
            self.payloads.insert(id, serving.payload);
            if let Some(check) = serving.unverified {
                self.shard.doubt(id);
                self.checking.by.insert(id, check);
            }
            download.into_iter().for_each(|order| self.download(id, *order));
            serving.files.into_iter().for_each(|files| self.shard.publish(id, files));
        }
    }

    fn sleep(&mut self, id: TorrentId) {
        if self.shard.sleep(id) {
            self.let_go(id);
        }
    }

    /// Whom the fleet dials it has filtered already.
    fn set_filter(&mut self, filter: Arc<IpFilter>) {
        self.shard.close_addresses(|address| filter.blocks(address), Reason::Filtered);
        self.filter = filter;
    }

    fn withdraw(&mut self, id: TorrentId, reason: Reason) {
        self.shard.withdraw(id, reason);
        self.let_go(id);
    }

    /// Drops what the reactor keeps of a torrent.
    fn let_go(&mut self, id: TorrentId) {
        self.payloads.remove(&id);
        self.sinks.remove(&id);
        self.checking.by.remove(&id);
        self.paging.forget(id);
        self.maps.forget(id);
    }

    /// Stops a torrent whose data cannot be served any more; the others go on.
    pub(super) fn fail(&mut self, id: TorrentId, cause: String) {
        if self.payloads.contains_key(&id) {
            self.withdraw(id, Reason::TorrentFailed);
            self.failures.push((id, cause));
            self.publish(0);
        }
    }

    /// Stops receiving from those who ask for more than may wait, and goes on with those who may.
    fn hold_back(&mut self, now: Time) {
        self.shard.settle_held(now);
        while let Some((key, held)) = self.shard.next_hold() {
            // a connection that is gone has no socket any more
            if self.socket(key).is_none() {
                continue;
            }
            if held {
                self.driver.pause_receive(Token::from(key))
            } else {
                self.driver.resume_receive(Token::from(key))
            }
        }
    }

    fn hand_out_control(&mut self, now: Time) {
        while let Some(key) = self.shard.next_output() {
            self.flush(key, now);
        }
    }

    fn take_down(&mut self) {
        while let Some((key, address, _)) = self.shard.next_close() {
            self.admission.leave(address.ip());
            if let Some(socket) = self.sockets[index(key)].take() {
                self.driver.forget(Token::from(key), socket.descriptor);
            }
        }
    }

    fn tick(&mut self, now: Time) {
        let passed = self.ticked.elapsed();
        if passed < Duration::from_secs(1) {
            return;
        }
        let idle_per_mille = self.stopwatch.take_waited().as_micros() * 1_000 / passed.as_micros().max(1);
        let busy_per_mille = 1_000u32.saturating_sub(u32::try_from(idle_per_mille).unwrap_or(1_000));
        self.shard.tick(now, busy_per_mille);
        self.publish(busy_per_mille);
        self.ticked = Instant::now();
    }

    fn tell_wanted(&mut self) {
        while let Some(id) = self.shard.next_wanted() {
            if let Err(id) = self.wanted.tell(id) {
                return self.shard.keep_wanted(id);
            }
        }
    }

    /// Tells of torrents that are gone, as far as there is room.
    fn tell_ended(&mut self) {
        while let Some(status) = self.shard.next_ended() {
            if let Err(status) = self.mailbox.tell_ended(status) {
                return self.shard.keep_ended(status);
            }
            self.ended += 1;
        }
    }

    pub(super) fn publish(&mut self, busy_per_mille: u32) {
        self.tell_ended();
        self.mailbox.publish(Snapshot {
            totals: self.shard.totals().clone(),
            torrents: self.shard.torrents(),
            ended: self.ended,
            peers: self.shard.peers(PEERS_SHOWN, self.now()),
            census: self.shard.census(),
            failures: self.failures.clone(),
            over: self.over,
            connections: self.shard.connections(),
            dormant: self.shard.dormant_torrents(),
            awaiting: self.shard.awaiting(),
            unchoked: self.shard.unchoked(),
            waiting: self.shard.waiting(),
            senders: self.shard.senders(),
            busy_per_mille,
            transmit: self.transmitter.counters(),
            paging: self.paging.counters(),
            turn_times: self.stopwatch.times().clone(),
        });
    }

    pub(super) fn socket(&mut self, key: PeerKey) -> Option<&mut Socket> {
        self.sockets.get_mut(index(key))?.as_mut().filter(|socket| socket.generation == key.generation)
    }
}

pub(super) fn index(key: PeerKey) -> usize {
    usize::try_from(key.slot).expect("u32 fits usize")
}
