//! A peer of bare bytes: it can say anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

pub(crate) const PIECE: u32 = 256 * 1024;
pub(crate) const BLOCK: u32 = 16 * 1024;
/// Extension protocol and Fast.
pub(crate) const MODERN: [u8; 8] = [0, 0, 0, 0, 0, 0x10, 0, 0x04];
/// Neither.
pub(crate) const PLAIN: [u8; 8] = [0; 8];
/// No answer takes so long; the timeout of handshakes is tested with a longer one.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CHOKE: u8 = 0;
pub(crate) const UNCHOKE: u8 = 1;
pub(crate) const INTERESTED: u8 = 2;
pub(crate) const NOT_INTERESTED: u8 = 3;
pub(crate) const HAVE: u8 = 4;
pub(crate) const BITFIELD: u8 = 5;
pub(crate) const REQUEST: u8 = 6;
pub(crate) const DATA: u8 = 7;
pub(crate) const CANCEL: u8 = 8;
pub(crate) const PORT: u8 = 9;
pub(crate) const SUGGEST: u8 = 13;
pub(crate) const HAVE_ALL: u8 = 14;
pub(crate) const HAVE_NONE: u8 = 15;
pub(crate) const REJECT: u8 = 16;
pub(crate) const ALLOWED_FAST: u8 = 17;
pub(crate) const EXTENDED: u8 = 20;

/// The seeder under attack and what it serves.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) seeder: SocketAddr,
    pub(crate) info_hash: [u8; 20],
    /// the info dictionary
    pub(crate) info: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// piece, offset, length
pub(crate) type Block = (u32, u32, u32);

impl Target {
    pub(crate) fn pieces(&self) -> u32 {
        u32::try_from(self.data.len().div_ceil(PIECE as usize)).expect("a small torrent")
    }

    /// Bytes of the last piece.
    pub(crate) fn tail(&self) -> u32 {
        u32::try_from((self.data.len() - 1) % PIECE as usize + 1).expect("at most a piece")
    }

    /// A bitfield of the right size with these bits in every byte.
    pub(crate) fn bits(&self, byte: u8) -> Vec<u8> {
        vec![byte; self.pieces().div_ceil(8) as usize]
    }

    /// The bytes of a block that lies within the data.
    pub(crate) fn bytes(&self, (piece, offset, length): Block) -> &[u8] {
        let start = piece as usize * PIECE as usize + offset as usize;
        &self.data[start..start + length as usize]
    }

    /// Connects from 127.0.0.`host`, and says nothing yet.
    fn dial(&self, host: u8) -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
        socket.connect(&self.seeder.into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    }

    /// Connected from 127.0.0.`host`, and silent.
    pub(crate) fn silent(&self, host: u8) -> Peer {
        Peer { stream: self.dial(host).expect("the seeder listens"), allowed_fast: Vec::new() }
    }

    /// Connected from one of many addresses, so that no limit for one address is met by chance.
    pub(crate) fn bare(&self) -> Peer {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        self.silent(100 + u8::try_from(number).expect("below a hundred"))
    }

    /// The 68 bytes with a peer id that no other connection has.
    pub(crate) fn handshake(&self, reserved: [u8; 8]) -> Vec<u8> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = format!("-XX0000-{:012}", NEXT.fetch_add(1, Ordering::Relaxed));
        [b"\x13BitTorrent protocol", &reserved[..], &self.info_hash, id.as_bytes()].concat()
    }

    /// Shook hands.
    pub(crate) fn greeted(&self, reserved: [u8; 8]) -> Peer {
        let mut peer = self.bare();
        peer.send(&self.handshake(reserved));
        peer.read_handshake(self);
        peer
    }

    /// Shook hands and may ask.
    pub(crate) fn unchoked(&self, reserved: [u8; 8]) -> Peer {
        let mut peer = self.greeted(reserved);
        peer.become_unchoked();
        peer
    }
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// pieces that the seeder allowed while it chokes
    pub(crate) allowed_fast: Vec<u32>,
}

pub(crate) fn message(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(1 + body.len()).expect("a short message");
    [&length.to_be_bytes()[..], &[id], body].concat()
}

pub(crate) fn block_message(id: u8, (piece, offset, length): Block) -> Vec<u8> {
    message(id, &[piece, offset, length].map(u32::to_be_bytes).concat())
}

pub(crate) fn extended(id: u8, payload: &str) -> Vec<u8> {
    message(EXTENDED, &[&[id], payload.as_bytes()].concat())
}

/// Whether an error is the other side's way of hanging up.
fn hung_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof | ErrorKind::ConnectionAborted
    )
}

impl Peer {
    /// Sends; a connection that the seeder closed meanwhile is no error here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            assert!(hung_up(error.kind()), "sending: {error}");
        }
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if hung_up(error.kind()) => None,
            Err(error) => panic!("no answer and no end: {error}"),
        }
    }

    /// Reads the seeder's handshake; answers its peer id.
    pub(crate) fn read_handshake(&mut self, target: &Target) -> [u8; 20] {
        let mut bytes = [0; 68];
        self.read_exact(&mut bytes).expect("a handshake in answer to a handshake");
        assert_eq!(&bytes[..20], b"\x13BitTorrent protocol");
        assert_eq!(bytes[28..48], target.info_hash);
        bytes[48..].try_into().expect("twenty bytes")
    }

    /// Whether anything comes before the end.
    pub(crate) fn is_answered(&mut self) -> bool {
        self.read_exact(&mut [0]).is_some()
    }

    /// The next message, its kind and body; `None` at the end of the connection. Keep-alives are passed over.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut length = [0; 4];
            self.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            assert!(length <= 1 << 20, "the seeder says a message of {length} bytes");
            if length == 0 {
                continue;
            }
            let mut bytes = vec![0; length];
            self.read_exact(&mut bytes)?;
            let body = bytes.split_off(1);
            if bytes[0] == ALLOWED_FAST {
                self.allowed_fast.push(u32::from_be_bytes(body[..4].try_into().expect("four bytes")));
            }
            return Some((bytes[0], body));
        }
    }

    /// The next message of that kind; others are passed over.
    pub(crate) fn read_kind(&mut self, kind: u8) -> Option<Vec<u8>> {
        loop {
            let (id, body) = self.read()?;
            if id == kind {
                return Some(body);
            }
        }
    }

    pub(crate) fn become_unchoked(&mut self) {
        self.send(&message(INTERESTED, &[]));
        self.read_kind(UNCHOKE).expect("unchoked: there are slots for all");
    }

    /// Says that nothing more will come, unless the seeder ended the connection already.
    pub(crate) fn hang_up(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads whatever comes until the seeder hangs up.
    pub(crate) fn assert_ended(&mut self) {
        while self.is_answered() {}
    }

    /// Reads messages until the seeder hangs up.
    pub(crate) fn assert_closed(&mut self) {
        while self.read().is_some() {}
    }

    /// Asks for a block in the middle and compares it.
    pub(crate) fn assert_served(&mut self, target: &Target) {
        let block = (2, BLOCK, BLOCK);
        self.send(&block_message(REQUEST, block));
        let body = self.read_kind(DATA).expect("data, not the end of the connection");
        assert_data(target, block, &body);
    }

    /// Becomes unchoked if it is not, and is served: what happened before did no harm.
    pub(crate) fn assert_welcome(&mut self, target: &Target) {
        self.become_unchoked();
        self.assert_served(target);
    }
}

/// Holds the body of a piece message against the block that was asked for.
pub(crate) fn assert_data(target: &Target, block: Block, body: &[u8]) {
    assert_eq!(
        body[..8],
        [block.0.to_be_bytes(), block.1.to_be_bytes()].concat(),
        "another block than the one asked for"
    );
    assert!(body[8..] == *target.bytes(block), "wrong bytes in {block:?}");
}
