//! What one daemon says to the next, over a socket pair that is the next one's standard input.
//!
//! ```text
//!   predecessor                         successor (--take-over)
//!      | sockets (SCM_RIGHTS), names ----->|  its configuration is right
//!      |<----------------------- prepared -|  listens
//!      | (API closed, state free) handover->|  state loaded, API served
//!      |<----------------------------- up -|
//!      | main ---------------------------->|  tells the manager that it is ready
//!      | carried, carried, ... ----------->|  counts it
//!      | (ends)                            |
//! ```
//!
//! Each message but the first is a line of JSON. The end of the stream at any moment is the end of the other one; until `up` the
//! predecessor then goes on as before. From `main` on anything that the successor says asks the predecessor to end now.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as Blocking;
use std::time::Duration;

use anyhow::Context as _;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::discovery::Told;
use crate::ids::{InfoHash, PeerId};
use crate::session::Handover;
use crate::session::seedbox::Carried;

use super::inherited::{Inherited, Sockets};

/// Sockets that are handed over at most; the kernel takes 253 in one message.
const SOCKETS: usize = 253;
/// Their names.
const NAMES_BYTES: usize = 8 * 1024;
/// For a message of few bytes that was sent before this process began.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// The successor has the sockets and may be given the rest.
    Prepared,
    /// The state is free.
    Handover(Kept),
    /// The successor serves.
    Up,
    /// It is the one that the manager knows.
    Main,
    /// Payload that the predecessor has moved since: info-hash, bytes sent, bytes received.
    Carried(Vec<(String, u64, u64)>),
    /// The predecessor is to end.
    End,
}

/// See [`Handover`].
#[derive(Serialize, Deserialize, PartialEq, Debug)]
pub(super) struct Kept {
    peer_id: [u8; 20],
    key: u32,
    /// Info-hash, URL, bytes sent, bytes received.
    told: Vec<(String, String, u64, u64)>,
}

impl From<Handover> for Kept {
    fn from(handover: Handover) -> Kept {
        let told = |told: Told| (told.info_hash.to_string(), told.url, told.uploaded, told.downloaded);
        Kept { peer_id: handover.peer_id.0, key: handover.key, told: handover.told.into_iter().map(told).collect() }
    }
}

impl From<Kept> for Handover {
    fn from(kept: Kept) -> Handover {
        let told = |(hash, url, uploaded, downloaded): (String, String, u64, u64)| {
            Some(Told { info_hash: InfoHash::from_hex(&hash)?, url, uploaded, downloaded })
        };
        Handover {
            peer_id: PeerId(kept.peer_id),
            key: kept.key,
            told: kept.told.into_iter().filter_map(told).collect(),
        }
    }
}

impl Message {
    pub(super) fn carried(carried: &[Carried]) -> Message {
        Message::Carried(carried.iter().map(|it| (it.info_hash.to_string(), it.sent, it.received)).collect())
    }
}

/// What a message of that kind says.
pub(super) fn carried(said: Vec<(String, u64, u64)>) -> Vec<Carried> {
    let one = |(hash, sent, received): (String, u64, u64)| {
        Some(Carried { info_hash: InfoHash::from_hex(&hash)?, sent, received })
    };
    said.into_iter().filter_map(one).collect()
}

/// One end, after the sockets have gone over.
pub(super) struct Line {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
    /// The beginning of a message.
    begun: Vec<u8>,
}

impl Line {
    pub(super) fn new(stream: Blocking) -> io::Result<Line> {
        stream.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(stream)?.into_split();
        Ok(Line { from: BufReader::new(from), to, begun: Vec::new() })
    }

    pub(super) async fn say(&mut self, message: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.to.write_all(&line).await
    }

    /// The next message; `None` at the end. Nothing is lost if it is dropped.
    pub(super) async fn hear(&mut self) -> io::Result<Option<Message>> {
        match self.from.read_until(b'\n', &mut self.begun).await? {
            0 => Ok(None),
            _ => Ok(Some(serde_json::from_slice(&std::mem::take(&mut self.begun))?)),
        }
    }
}

/// Sends the sockets, to a process that need not listen yet.
pub(super) fn send_sockets(stream: &Blocking, sockets: &Sockets) -> anyhow::Result<()> {
    let (names, descriptors): (Vec<_>, Vec<_>) = sockets.all().unzip();
    anyhow::ensure!(descriptors.len() <= SOCKETS, "there are more than {SOCKETS} sockets to hand over");
    let names = serde_json::to_vec(&names)?;
    anyhow::ensure!(names.len() <= NAMES_BYTES, "there are more names of sockets than fit a message");
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(stream, &[IoSlice::new(&names)], &mut rights, SendFlags::empty())
        .context("sockets cannot be handed over")?;
    Ok(())
}

/// Takes them.
pub(super) fn take_sockets(stream: &Blocking) -> anyhow::Result<Inherited> {
    stream.set_read_timeout(Some(PATIENCE)).context("standard input is no socket of another daemon")?;
    let mut names = vec![0; NAMES_BYTES];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut names)];
    let received = recvmsg(stream.as_fd(), parts, &mut rights, RecvFlags::CMSG_CLOEXEC)
        .context("no other daemon hands over its sockets")?;
    let sockets: Vec<OwnedFd> = rights
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(it) = message { Some(it) } else { None })
        .flatten()
        .collect();
    let names: Vec<String> = serde_json::from_slice(&names[..received.bytes]).context("no other daemon is there")?;
    anyhow::ensure!(names.len() == sockets.len(), "sockets of the other daemon are missing");
    Inherited::sort(names.into_iter().zip(sockets))
}
