//! What the reactor is to a web seed, in a hundred lines.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use sower::ids::{BlockRef, PeerId};
use sower::session::web_seed::{WebSeed, WebSeeds};
use sower::wire::extension::ExtensionHandshake;
use sower::wire::{Bounds, Handshake, Message, Reserved, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::content::Content;

pub(crate) const BLOCK: u32 = 16 * 1024;
/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Reactor<'a> {
    socket: UnixStream,
    content: &'a Content,
    buffer: Vec<u8>,
}

/// What the web seed said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Choke,
    Unchoke,
    HaveAll,
    Bitfield(Vec<u8>),
    Piece(BlockRef, Vec<u8>),
    Reject(BlockRef),
    Hello(ExtensionHandshake),
    End,
}

impl<'a> Reactor<'a> {
    pub(crate) fn new(socket: OwnedFd, content: &'a Content) -> Reactor<'a> {
        let socket = std::os::unix::net::UnixStream::from(socket);
        Reactor { socket: UnixStream::from_std(socket).expect("a non-blocking socket"), content, buffer: Vec::new() }
    }

    /// A web seed of `url` that has unchoked us.
    pub(crate) async fn greeted(seeds: &Arc<WebSeeds>, content: &'a Content, url: &str) -> (WebSeed, Reactor<'a>) {
        let started = seeds.start(&content.metainfo, url, &mut fastrand::Rng::with_seed(3));
        let (seed, socket) = started.expect("a web seed");
        let mut reactor = Reactor::new(socket, content);
        reactor.greet().await;
        while reactor.buffer.len() < Handshake::LENGTH {
            assert!(reactor.fill().await, "it hung up");
        }
        let theirs = Handshake::decode(&reactor.buffer).expect("a handshake").expect("all of it");
        assert_eq!(theirs.info_hash, content.metainfo.info_hash());
        assert!(theirs.peer_id.0.starts_with(b"-WS0000-") && theirs.reserved.fast());
        reactor.buffer.drain(..Handshake::LENGTH);
        let Said::Hello(hello) = reactor.hear().await else { panic!("no extension handshake") };
        assert!(hello.client.expect("a name").starts_with("web seed 127.0.0.1"));
        assert_eq!((hello.request_queue, hello.upload_only), (Some(500), Some(true)));
        assert_eq!(reactor.hear().await, Said::HaveAll);
        assert_eq!(reactor.hear().await, Said::Unchoke);
        (seed, reactor)
    }

    /// Says what reactors say first.
    pub(crate) async fn greet(&mut self) {
        let info_hash = self.content.metainfo.info_hash();
        let mut bytes = Vec::new();
        Handshake { reserved: Reserved::OURS, info_hash, peer_id: PeerId([1; 20]) }.encode(&mut bytes);
        Message::Extended { id: 0, payload: b"d1:v6:sowere" }.encode(&mut bytes);
        Message::HaveNone.encode(&mut bytes);
        Message::Interested.encode(&mut bytes);
        self.write(&bytes).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        let written = timeout(PATIENCE, self.socket.write_all(bytes)).await;
        written.expect("the web seed reads").expect("the web seed lives");
    }

    /// Whether more came.
    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.buffer)).await;
        // what a web seed had no time to read makes its end an error
        read.expect("the web seed speaks").is_ok_and(|length| length > 0)
    }

    pub(crate) async fn hear(&mut self) -> Said {
        let pieces = self.content.metainfo.geometry().pieces();
        let bounds = Bounds { bitfield: pieces.div_ceil(8) as usize, block: BLOCK as usize };
        loop {
            if let Some((message, length)) = decode(&self.buffer, bounds).expect("a valid message") {
                let said = said(message);
                self.buffer.drain(..length);
                return said;
            }
            if !self.fill().await {
                return Said::End;
            }
        }
    }

    /// Asks for blocks.
    pub(crate) async fn ask(&mut self, blocks: &[BlockRef]) {
        let mut bytes = Vec::new();
        blocks.iter().for_each(|block| Message::Request(*block).encode(&mut bytes));
        self.write(&bytes).await;
    }

    pub(crate) async fn cancel(&mut self, block: BlockRef) {
        let mut bytes = Vec::new();
        Message::Cancel(block).encode(&mut bytes);
        self.write(&bytes).await;
    }

    /// All of `blocks`, of which some 400 are asked for at a time, put together.
    pub(crate) async fn download(&mut self, blocks: Vec<BlockRef>) -> Vec<u8> {
        let mut whole = vec![0; self.content.bytes.len()];
        let (mut asked, mut came) = (0, 0);
        while came < blocks.len() {
            if asked - came <= 350 {
                let until = blocks.len().min(came + 400);
                self.ask(&blocks[asked..until]).await;
                asked = until;
            }
            match self.hear().await {
                Said::Piece(block, data) => {
                    assert_eq!(block.length as usize, data.len());
                    whole[self.content.place(block)].copy_from_slice(&data);
                    came += 1;
                }
                other => panic!("{other:?} instead of a block"),
            }
        }
        whole
    }
}

fn said(message: Message<'_>) -> Said {
    match message {
        Message::Choke => Said::Choke,
        Message::Unchoke => Said::Unchoke,
        Message::HaveAll => Said::HaveAll,
        Message::Bitfield(bits) => Said::Bitfield(bits.to_vec()),
        Message::Piece { piece, begin, data } => {
            let length = u32::try_from(data.len()).expect("a block");
            Said::Piece(BlockRef { piece, begin, length }, data.to_vec())
        }
        Message::Reject(block) => Said::Reject(block),
        Message::Extended { id: 0, payload } => Said::Hello(ExtensionHandshake::decode(payload).expect("valid")),
        other => panic!("{other:?} from a web seed"),
    }
}
