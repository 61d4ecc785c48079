//! The task of one web seed: hears what the reactor wants, fetches it, passes it on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::ids::{BlockRef, FileIndex, PeerId};
use crate::limits;
use crate::metainfo::{Geometry, Metainfo, Span};
use crate::wire::extension::{Metadata, Ours};
use crate::wire::{Bounds, Handshake, Message, Reserved, piece_header};

use super::super::messages::{Messages, ReadError};
use super::address::Address;
use super::orders::{Orders, Run, Unfit};
use super::range::{self, Fault, Wanted};
use super::status::{Shared, WebSeedState};
use super::{WebSeedConfig, WebSeeds};

/// Failures in a row after which a server is given up: an hour and a half with the usual times.
const FAILURES: u32 = 14;
/// Missing files in a row after which the URL is taken to name something else.
const MISSING: u32 = 8;
/// Zeros of a padding file that are made at a time.
const ZEROS: u64 = limits::CHUNK as u64;

/// What a task is made of.
pub(super) struct Seed {
    pub(super) seeds: Arc<WebSeeds>,
    pub(super) metainfo: Metainfo,
    pub(super) address: Address,
    pub(super) peer_id: PeerId,
    pub(super) shared: Arc<Shared>,
}

/// Why a task ends.
#[derive(Debug, thiserror::Error)]
enum Ending {
    /// The reactor closed, for whatever reason it has.
    #[error(transparent)]
    Closed(#[from] io::Error),
    /// The reactor does not speak as it should.
    #[error("the reactor: {0}")]
    Reactor(String),
    /// The server is of no use.
    #[error("given up: {0}")]
    GivenUp(Fault),
}

/// Why a run did not come.
enum Failure {
    Ending(Ending),
    Server(FileIndex, Fault),
}

impl From<ReadError> for Ending {
    fn from(error: ReadError) -> Ending {
        match error {
            ReadError::Closed => Ending::Closed(io::ErrorKind::UnexpectedEof.into()),
            ReadError::Io(error) => Ending::Closed(error),
            other => Ending::Reactor(other.to_string()),
        }
    }
}

impl From<Unfit> for Ending {
    fn from(unfit: Unfit) -> Ending {
        Ending::Reactor(unfit.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Ending(error.into())
    }
}

/// What the two sides of a task share.
struct Desk<'a> {
    orders: Mutex<Orders<'a>>,
    changed: Notify,
}

impl<'a> Desk<'a> {
    fn with<T>(&self, act: impl FnOnce(&mut Orders<'a>) -> T) -> T {
        act(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What went wrong lately.
struct Trouble {
    failures: u32,
    missing: u32,
    /// The server is left alone until then.
    until: Instant,
}

impl Seed {
    /// Serves until the reactor closes or the server is given up.
    pub(super) async fn run(self, socket: UnixStream) {
        let Err(ending) = self.live(socket).await;
        let state = match &ending {
            Ending::Closed(_) => WebSeedState::Closed,
            Ending::Reactor(_) | Ending::GivenUp(_) => {
                self.shared.set_error(ending.to_string());
                WebSeedState::GivenUp
            }
        };
        self.shared.set_state(state);
    }

    async fn live(&self, socket: UnixStream) -> Result<Infallible, Ending> {
        let (incoming, outgoing) = socket.into_split();
        let (mut messages, mut voice) = (Messages::new(incoming), Voice::new(outgoing));
        let patience = Duration::from_secs(limits::HANDSHAKE_SECONDS);
        let greeting = timeout(patience, self.greet(&mut messages, &mut voice)).await;
        greeting.map_err(|_| Ending::Reactor("no handshake".to_owned()))??;
        let geometry = self.metainfo.geometry();
        let desk = Desk { orders: Mutex::new(Orders::new(geometry)), changed: Notify::new() };
        tokio::select! {
            ended = listen(&mut messages, geometry, &desk) => ended,
            ended = self.serve(&desk, &mut voice) => ended,
        }
    }

    async fn greet(&self, messages: &mut Messages<OwnedReadHalf>, voice: &mut Voice) -> Result<(), Ending> {
        let theirs = messages.handshake().await?;
        let info_hash = self.metainfo.info_hash();
        if theirs.info_hash != info_hash || !theirs.reserved.fast() || !theirs.reserved.extended() {
            return Err(Ending::Reactor("another handshake than a reactor's".to_owned()));
        }
        let ours = Ours {
            client: &format!("web seed {}", self.shared.host()),
            port: 0,
            metadata: Metadata::None,
            request_queue: limits::WEB_SEED_REQUESTS,
            upload_only: true,
            your_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let mut hello = Vec::new();
        Handshake { reserved: Reserved::OURS, info_hash, peer_id: self.peer_id }.encode(&mut hello);
        Message::Extended { id: 0, payload: &ours.encode() }.encode(&mut hello);
        Message::HaveAll.encode(&mut hello);
        Ok(voice.write(&hello).await?)
    }

    async fn serve(&self, desk: &Desk<'_>, voice: &mut Voice) -> Result<Infallible, Ending> {
        let mut trouble = Trouble { failures: 0, missing: 0, until: Instant::now() };
        loop {
            voice.refuse(&desk.with(Orders::take_refused)).await?;
            let waits = trouble.until > Instant::now();
            if !waits && desk.with(|orders| orders.open_if_wanted()) {
                voice.say(Message::Unchoke).await?;
            }
            let Some(run) = desk.with(Orders::next_run) else {
                self.shared.set_state(if waits { WebSeedState::BackingOff } else { WebSeedState::Idle });
                voice.wait(desk, waits.then_some(trouble.until)).await?;
                continue;
            };
            self.shared.set_state(WebSeedState::Fetching);
            let mut parcel = Parcel { blocks: run.blocks.clone(), bytes: Vec::new() };
            let carried = self.carry(&run, &mut parcel, voice).await;
            // of a run that failed; refused below if there is no hope for them
            desk.with(|orders| orders.put_back(parcel.blocks));
            match carried {
                Ok(()) => {
                    // not forgotten at once: a server that fails every other time is not asked every ten seconds
                    trouble.failures = trouble.failures.saturating_sub(1);
                    trouble.missing = 0;
                }
                Err(Failure::Ending(ending)) => return Err(ending),
                Err(Failure::Server(file, fault)) => self.suffer((file, fault), &mut trouble, desk, voice).await?,
            }
        }
    }

    /// Fetches a run and passes on each block of it as soon as it is whole.
    async fn carry(&self, run: &Run, parcel: &mut Parcel, voice: &mut Voice) -> Result<(), Failure> {
        for span in self.metainfo.geometry().spans_of(run.start, run.length) {
            if span.padding {
                self.pad(span.length, parcel, voice).await?;
            } else {
                self.fetch(span, parcel, voice).await?;
            }
        }
        Ok(())
    }

    /// BEP 47: nobody stores padding.
    async fn pad(&self, length: u64, parcel: &mut Parcel, voice: &mut Voice) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let step = usize::try_from(left.min(ZEROS)).expect("a chunk");
            left -= left.min(ZEROS);
            parcel.bytes.resize(parcel.bytes.len() + step, 0);
            parcel.deliver(voice).await?;
        }
        Ok(())
    }

    async fn fetch(&self, span: Span, parcel: &mut Parcel, voice: &mut Voice) -> Result<(), Failure> {
        let server = |fault| Failure::Server(span.file, fault);
        let config = &self.seeds.config;
        let client = self.seeds.client().await.map_err(|cause| server(Fault::Transport(cause)))?;
        let url = self.address.of_file(&self.metainfo, span.file).expect("a span lies in a file");
        let file_length = self.metainfo.geometry().file_length(span.file);
        let wanted = Wanted { url, start: span.offset, length: span.length, file_length };
        let mut body = range::open(client, wanted, config.answer).await.map_err(server)?;
        let mut more = true;
        while more {
            let until = Instant::now() + config.block;
            while more && !parcel.has_block() {
                more = body.read(&mut parcel.bytes, until).await.map_err(server)?;
            }
            self.shared.passed(parcel.deliver(voice).await?);
        }
        Ok(())
    }

    /// Takes back what is not there; leaves a server alone that fails, and gives it up in the end.
    async fn suffer(
        &self,
        (file, fault): (FileIndex, Fault),
        trouble: &mut Trouble,
        desk: &Desk<'_>,
        voice: &mut Voice,
    ) -> Result<(), Ending> {
        self.shared.set_error(fault.to_string());
        if fault.is_of_file() {
            trouble.missing += 1;
            let left = desk.with(|orders| orders.withdraw(file)).filter(|_| trouble.missing < MISSING);
            let left = left.ok_or(Ending::GivenUp(fault))?;
            return Ok(voice.say(Message::Bitfield(&left)).await?);
        }
        trouble.failures += 1;
        // BEP 19: who is only busy need not be given up
        if trouble.failures >= FAILURES && !fault.is_busy() {
            return Err(Ending::GivenUp(fault));
        }
        let wait = back_off(&self.seeds.config, trouble.failures).max(fault.retry_after().unwrap_or_default());
        trouble.until = Instant::now() + wait;
        desk.with(Orders::close);
        Ok(voice.say(Message::Choke).await?)
    }
}

/// After so many failures in a row; at least one.
fn back_off(config: &WebSeedConfig, failures: u32) -> Duration {
    let (least, most) = RangeInclusive::into_inner(config.back_off.clone());
    least.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(most)
}

/// Takes down what the reactor says.
async fn listen(
    messages: &mut Messages<OwnedReadHalf>,
    geometry: &Geometry,
    desk: &Desk<'_>,
) -> Result<Infallible, Ending> {
    let bitfield = usize::try_from(geometry.pieces().div_ceil(8)).expect("bounded by limits::PIECES");
    let bounds = Bounds { bitfield, block: 0 };
    loop {
        match messages.next(|_| bounds).await? {
            Message::Interested => desk.with(|orders| orders.set_interested(true)),
            Message::NotInterested => desk.with(|orders| orders.set_interested(false)),
            Message::Request(block) => desk.with(|orders| orders.request(block))?,
            Message::Cancel(block) => desk.with(|orders| orders.cancel(block)),
            // a seed does not care what others have
            _ => continue,
        }
        desk.changed.notify_one();
    }
}

/// Blocks that are being fetched.
struct Parcel {
    /// Not passed on yet.
    blocks: VecDeque<BlockRef>,
    /// What came of them: the rest of a chunk of HTTP, and less than a block.
    bytes: Vec<u8>,
}

impl Parcel {
    fn has_block(&self) -> bool {
        self.blocks.front().is_some_and(|block| self.bytes.len() >= length_of(*block))
    }

    /// Passes on the blocks that are whole; their bytes.
    async fn deliver(&mut self, voice: &mut Voice) -> io::Result<u64> {
        let (mut framed, mut used) = (Vec::new(), 0);
        while let Some(&block) = self.blocks.front() {
            let Some(data) = self.bytes.get(used..used + length_of(block)) else { break };
            framed.extend_from_slice(&piece_header(block));
            framed.extend_from_slice(data);
            used += data.len();
            self.blocks.pop_front();
        }
        voice.write(&framed).await?;
        self.bytes.drain(..used);
        Ok(u64::try_from(used).unwrap_or(u64::MAX))
    }
}

fn length_of(block: BlockRef) -> usize {
    usize::try_from(block.length).expect("u32 fits usize")
}

/// The outgoing half.
struct Voice {
    socket: OwnedWriteHalf,
    spoke: Instant,
}

impl Voice {
    fn new(socket: OwnedWriteHalf) -> Voice {
        Voice { socket, spoke: Instant::now() }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await?;
        self.spoke = Instant::now();
        Ok(())
    }

    async fn say(&mut self, message: Message<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.write(&bytes).await
    }

    async fn refuse(&mut self, blocks: &[BlockRef]) -> io::Result<()> {
        let mut bytes = Vec::new();
        blocks.iter().for_each(|block| Message::Reject(*block).encode(&mut bytes));
        if bytes.is_empty() { Ok(()) } else { self.write(&bytes).await }
    }

    /// Until the reactor says something, `until`, or a keep-alive is due, which is said.
    async fn wait(&mut self, desk: &Desk<'_>, until: Option<Instant>) -> io::Result<()> {
        let keep_alive = self.spoke + Duration::from_secs(limits::KEEP_ALIVE_SECONDS);
        let due = until.map_or(keep_alive, |until| until.min(keep_alive));
        tokio::select! {
            () = desk.changed.notified() => Ok(()),
            () = sleep_until(due), if due < keep_alive => Ok(()),
            () = sleep_until(keep_alive) => self.say(Message::KeepAlive).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_left_alone_ever_longer_up_to_ten_minutes() {
        let config = WebSeedConfig::new(String::new(), None);
        let waits: Vec<u64> = (1..FAILURES).map(|failures| back_off(&config, failures).as_secs()).collect();
        assert_eq!(waits[..8], [10, 20, 40, 80, 160, 320, 600, 600]);
        assert!(waits.iter().sum::<u64>() > 60 * 60);
        assert_eq!(back_off(&config, u32::MAX).as_secs(), 600);
    }
}
