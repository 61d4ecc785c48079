//! One peer is asked for all of the metadata. Whatever else it says is passed over: a choke, too, is about payload only.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sha1::{Digest, Sha1};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use crate::ids::InfoHash;
use crate::limits;
use crate::peer::Identity;
use crate::wire::extension::{ExtensionHandshake, METADATA, Malformed, Metadata, MetadataMessage, Ours};
use crate::wire::{Bounds, Handshake, Message, Reserved};

use super::super::messages::{Messages, ReadError};
use super::assembly::{Assembly, Misfit};
use super::fetch::MetadataProgress;

/// Who asks, and how.
#[derive(Clone, Debug)]
pub struct Asker {
    /// What we say of ourselves.
    pub identity: Identity,
    /// Network interface to speak by.
    pub device: Option<String>,
    /// For a connection, for the two handshakes, for each piece; twenty times as much for all pieces.
    pub patience: Duration,
}

impl Asker {
    /// With the patience that peers are given for a handshake.
    pub fn new(identity: Identity, device: Option<String>) -> Asker {
        Asker { identity, device, patience: Duration::from_secs(limits::HANDSHAKE_SECONDS) }
    }
}

/// Why a peer gave no metadata.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("too slow")]
    Late,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error("it is for another torrent")]
    WrongTorrent,
    #[error("it is this program")]
    Ourselves,
    #[error("it has no metadata")]
    NoMetadata,
    #[error("it says that the metadata has {0} bytes")]
    Size(u64),
    #[error("it refuses")]
    Refused,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error("what it sent has another hash")]
    BadHash,
}

impl Fault {
    /// Whether it will never be otherwise: such a peer is not asked again.
    pub(super) fn is_final(&self) -> bool {
        use Fault::{BadHash, Malformed, Misfit, Ourselves, Size, WrongTorrent};
        matches!(self, BadHash | Malformed(_) | Misfit(_) | Ourselves | Size(_) | WrongTorrent)
    }
}

/// Asks the peer at `address`, once one of `turns` is free. What is returned has the hash `info_hash`.
pub(super) async fn ask(
    address: SocketAddr,
    info_hash: InfoHash,
    asker: &Asker,
    turns: &Semaphore,
    progress: &MetadataProgress,
) -> Result<Vec<u8>, Fault> {
    progress.tries();
    let socket = connect(address, asker).await?;
    let _connected = progress.connects();
    let greeting = greet(socket, address, info_hash, asker);
    let peer = timeout(asker.patience, greeting).await.map_err(|_| Fault::Late)??;
    // never closed
    let _turn = turns.acquire().await;
    let assembly = Assembly::new(peer.size).ok_or(Fault::Size(peer.size))?;
    progress.begins(peer.size);
    // however much it says there is: a liar must not keep its turn for long
    let transfer = timeout(asker.patience * 20, peer.transfer(assembly, asker.patience, progress));
    let bytes = transfer.await.map_err(|_| Fault::Late)??;
    verify(bytes, info_hash).await.ok_or(Fault::BadHash)
}

async fn connect(address: SocketAddr, asker: &Asker) -> Result<tokio::net::TcpStream, Fault> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(Fault::Unreachable)?;
    if let Some(device) = &asker.device {
        socket.bind_device(Some(device.as_bytes())).map_err(Fault::Unreachable)?;
    }
    let connected = timeout(asker.patience, socket.connect(address)).await.map_err(|_| Fault::Late)?;
    connected.map_err(Fault::Unreachable)
}

/// A peer that has metadata.
struct Giver {
    incoming: Messages<OwnedReadHalf>,
    outgoing: OwnedWriteHalf,
    /// Id under which it takes our requests.
    id: u8,
    /// Bytes that it says the metadata has.
    size: u64,
}

/// Both handshakes.
async fn greet(
    socket: tokio::net::TcpStream,
    address: SocketAddr,
    info_hash: InfoHash,
    asker: &Asker,
) -> Result<Giver, Fault> {
    let (incoming, mut outgoing) = socket.into_split();
    let mut incoming = Messages::new(incoming);
    let ours = &asker.identity;
    let mut hello = Vec::new();
    Handshake { reserved: Reserved::EXTENDED, info_hash, peer_id: ours.peer_id }.encode(&mut hello);
    outgoing.write_all(&hello).await?;
    let theirs = incoming.handshake().await?;
    if theirs.info_hash != info_hash {
        return Err(Fault::WrongTorrent);
    }
    if theirs.peer_id == ours.peer_id {
        return Err(Fault::Ourselves);
    }
    if !theirs.reserved.extended() {
        return Err(Fault::NoMetadata);
    }
    let said = Ours {
        client: &ours.client,
        port: ours.port,
        metadata: Metadata::Wanted,
        request_queue: 0,
        upload_only: false,
        your_address: address.ip(),
    };
    send(&mut outgoing, 0, &said.encode()).await?;
    loop {
        if let Message::Extended { id: 0, payload } = incoming.next(Bounds::of_stranger).await? {
            let said = ExtensionHandshake::decode(payload)?;
            let (id, size) = said.metadata_id.zip(said.metadata_size).ok_or(Fault::NoMetadata)?;
            return Ok(Giver { incoming, outgoing, id, size });
        }
    }
}

impl Giver {
    async fn transfer(
        mut self,
        mut assembly: Assembly,
        patience: Duration,
        progress: &MetadataProgress,
    ) -> Result<Vec<u8>, Fault> {
        let mut until = Instant::now() + patience;
        while !assembly.is_complete() {
            while let Some(piece) = assembly.next_request() {
                send(&mut self.outgoing, self.id, &MetadataMessage::Request { piece }.encode()).await?;
            }
            let message = timeout_at(until, self.incoming.next(Bounds::of_stranger)).await;
            let Message::Extended { id: METADATA, payload } = message.map_err(|_| Fault::Late)?? else { continue };
            match MetadataMessage::decode(payload)? {
                Some(MetadataMessage::Data { piece, total, data }) => {
                    assembly.take(piece, total, data)?;
                    progress.receives(data.len());
                    until = Instant::now() + patience;
                }
                Some(MetadataMessage::Reject { .. }) => return Err(Fault::Refused),
                // BEP 9: who has not all of it refuses
                Some(MetadataMessage::Request { piece }) => {
                    send(&mut self.outgoing, self.id, &MetadataMessage::Reject { piece }.encode()).await?;
                }
                None => {}
            }
        }
        Ok(assembly.into_bytes())
    }
}

async fn send(outgoing: &mut OwnedWriteHalf, id: u8, payload: &[u8]) -> io::Result<()> {
    let mut message = Vec::new();
    Message::Extended { id, payload }.encode(&mut message);
    outgoing.write_all(&message).await
}

/// Hashing the longest metadata takes a tenth of a second, so it is done where nobody waits.
async fn verify(bytes: Vec<u8>, info_hash: InfoHash) -> Option<Vec<u8>> {
    let hash = move || (Sha1::digest(&bytes)[..] == info_hash.0).then_some(bytes);
    tokio::task::spawn_blocking(hash).await.ok().flatten()
}
