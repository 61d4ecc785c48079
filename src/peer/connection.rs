//! The state machine of one connection.

use std::net::IpAddr;
use std::sync::Arc;

use crate::ids::{BlockRef, InfoHash, PeerId, PieceIndex};
use crate::limits;
use crate::metainfo::Geometry;
use crate::wire::extension::{ExtensionHandshake, METADATA, Metadata, Ours};
use crate::wire::{ALLOWED_FAST, Bounds, Handshake, Message, Reserved, WireError, allowed_fast};

use super::pieces::Pieces;
use super::reason::Reason;
use super::requests::Requests;

/// What a connection must know of its torrent.
#[derive(Debug)]
pub struct Torrent {
    /// Swarm.
    pub info_hash: InfoHash,
    /// Pieces and their lengths.
    pub geometry: Geometry,
    /// The raw `info` dictionary, for peers that come with a magnet link (BEP 9).
    pub info: Arc<[u8]>,
    /// BEP 27; its metadata is not given away.
    pub private: bool,
}

/// Who we are on the wire.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Our peer id (BEP 20).
    pub peer_id: PeerId,
    /// Client name and version.
    pub client: String,
    /// Port that we listen on; 0 if we do not.
    pub port: u16,
}

/// What the shard has to know of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Nothing.
    None,
    /// The peer wants something of us.
    Interested,
    /// It wants nothing any more.
    NotInterested,
    /// Its queue holds one more request.
    Requested,
    /// It has one more piece.
    Has(PieceIndex),
    /// It said what it has; [`Peer::take_replaced`] is what it had said before.
    HasSet,
    /// It serves us no more.
    Choked,
    /// It serves us.
    Unchoked,
    /// It will not send this block.
    Rejected(BlockRef),
    /// It said how many requests it lets wait: [`Peer::requests_max`].
    Introduced,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Peer {
    id: PeerId,
    address: IpAddr,
    pub(super) reserved: Reserved,
    /// We choke it.
    pub(super) choked: bool,
    /// It has not been told so yet.
    pub(super) owes_choke: bool,
    /// It chokes us.
    pub(super) chokes_us: bool,
    /// We told it that we want something of it.
    pub(super) wanted: bool,
    /// Requests that it lets wait, if it said so.
    pub(super) request_queue: Option<u32>,
    interested: bool,
    upload_only: bool,
    pieces: Pieces,
    complete: bool,
    /// What it said it has, before it said it anew.
    replaced: Pieces,
    pub(super) requests: Requests,
    /// Requests that have come and not been cancelled since: what bounds the work that cancels make.
    cancellable: u64,
    pub(super) metadata_id: Option<u8>,
    pub(super) metadata_sent: u32,
    client: Option<Box<str>>,
    pub(super) listens_on: Option<u16>,
    fast_set: Box<[PieceIndex]>,
    /// Bytes that may still be asked for while choked.
    pub(super) fast_allowance: u64,
}

impl Peer {
    /// The connection on which `theirs` came, while we have `had` of the torrent; appends what opens our side (everything
    /// after our handshake) to `out`.
    pub fn new(
        theirs: &Handshake,
        address: IpAddr,
        torrent: &Torrent,
        had: &Pieces,
        ours: &Identity,
        out: &mut Vec<u8>,
    ) -> Peer {
        let mut peer = Peer {
            id: theirs.peer_id,
            address,
            reserved: theirs.reserved,
            choked: true,
            owes_choke: false,
            chokes_us: true,
            wanted: false,
            request_queue: None,
            interested: false,
            upload_only: false,
            pieces: Pieces::None,
            complete: false,
            replaced: Pieces::None,
            requests: Requests::default(),
            cancellable: 0,
            metadata_id: None,
            metadata_sent: 0,
            client: None,
            listens_on: None,
            fast_set: Box::default(),
            fast_allowance: 0,
        };
        peer.introduce(torrent, *had == Pieces::All, ours, out);
        peer.open(torrent, had, out);
        peer
    }

    /// Sends our extension handshake, again if whether we want something changed (BEP 10, 21).
    pub fn introduce(&self, torrent: &Torrent, upload_only: bool, ours: &Identity, out: &mut Vec<u8>) {
        if self.reserved.extended() {
            let hello = Ours {
                client: &ours.client,
                port: ours.port,
                metadata: if torrent.private { Metadata::None } else { Metadata::Given(torrent.info.len()) },
                request_queue: limits::REQUESTS_PER_PEER,
                upload_only,
                your_address: self.address,
            };
            Message::Extended { id: 0, payload: &hello.encode() }.encode(out);
        }
    }

    fn open(&mut self, torrent: &Torrent, had: &Pieces, out: &mut Vec<u8>) {
        let pieces = torrent.geometry.pieces();
        match had {
            _ if pieces == 0 && !self.reserved.fast() => {}
            Pieces::All if self.reserved.fast() => Message::HaveAll.encode(out),
            Pieces::All => Message::Bitfield(&had.bitfield(pieces)).encode(out),
            Pieces::Some { bits, .. } => Message::Bitfield(bits).encode(out),
            Pieces::None if self.reserved.fast() => Message::HaveNone.encode(out),
            Pieces::None => {}
        }
        // BEP 6 defines the set for IPv4 alone; who has not all of it would have to refuse most of these
        if let (IpAddr::V4(address), Pieces::All, true) = (self.address, had, self.reserved.fast()) {
            self.fast_set = allowed_fast(address, torrent.info_hash, pieces, ALLOWED_FAST).into();
            self.fast_set.iter().for_each(|piece| Message::AllowedFast(*piece).encode(out));
            self.fast_allowance = self.fast_set.iter().map(|p| u64::from(torrent.geometry.piece_length(*p))).sum();
        }
    }

    /// What its messages may be as long as; `block` is 0 unless we ask for blocks.
    pub fn bounds(torrent: &Torrent, block: u32) -> Bounds {
        let size = |count: u32| usize::try_from(count).expect("u32 fits usize");
        Bounds { bitfield: size(torrent.geometry.pieces().div_ceil(8)), block: size(block) }
    }

    /// Applies one message, while we have `had` of the torrent, and appends the answer to `out`. Blocks never come here: who
    /// asked for them takes them in as they arrive.
    pub fn handle(
        &mut self,
        message: Message<'_>,
        torrent: &Torrent,
        had: &Pieces,
        out: &mut Vec<u8>,
    ) -> Result<Event, Reason> {
        let fast = if self.reserved.fast() { Ok(()) } else { Err(Reason::NotFast) };
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Unknown(_) => Ok(Event::None),
            Message::Choke => Ok(self.set_chokes_us(true)),
            Message::Unchoke => Ok(self.set_chokes_us(false)),
            Message::Interested => Ok(self.set_interested(true)),
            Message::NotInterested => Ok(self.set_interested(false)),
            Message::Have(piece) => self.have(piece, torrent),
            Message::Bitfield(bits) => {
                let pieces = Pieces::from_bitfield(bits, torrent.geometry.pieces());
                pieces.ok_or(Reason::BadBitfield).map(|pieces| self.state(pieces))
            }
            Message::HaveAll => fast.map(|()| self.state(Pieces::All)),
            Message::HaveNone => fast.map(|()| self.state(Pieces::None)),
            Message::Request(block) => self.request(block, torrent, had, out),
            Message::Cancel(block) => self.cancel(block, out),
            Message::Piece { .. } => Err(Reason::UnwantedBlock),
            Message::Reject(block) => fast.map(|()| Event::Rejected(block)),
            // the rarest piece is asked for, not what somebody suggests, and only of those who serve us
            Message::Suggest(_) | Message::AllowedFast(_) => fast.map(|()| Event::None),
            Message::Extended { id, payload } => self.extended(id, payload, torrent, out),
        }
    }

    fn set_interested(&mut self, interested: bool) -> Event {
        if self.interested == interested {
            return Event::None;
        }
        self.interested = interested;
        if interested { Event::Interested } else { Event::NotInterested }
    }

    fn have(&mut self, piece: PieceIndex, torrent: &Torrent) -> Result<Event, Reason> {
        let pieces = torrent.geometry.pieces();
        if piece.0 >= pieces {
            return Err(Reason::BadPiece);
        }
        let new = self.pieces.insert(piece, pieces);
        self.complete = self.pieces.count(pieces) == pieces;
        Ok(if new { Event::Has(piece) } else { Event::None })
    }

    /// BEP 3 has the bitfield first and once, but aria2 sends another in place of many haves.
    fn state(&mut self, pieces: Pieces) -> Event {
        self.complete = pieces == Pieces::All;
        self.replaced = std::mem::replace(&mut self.pieces, pieces);
        Event::HasSet
    }

    /// What it had said it has before the last [`Event::HasSet`].
    pub fn take_replaced(&mut self) -> Pieces {
        std::mem::replace(&mut self.replaced, Pieces::None)
    }

    fn request(
        &mut self,
        block: BlockRef,
        torrent: &Torrent,
        had: &Pieces,
        out: &mut Vec<u8>,
    ) -> Result<Event, Reason> {
        if block.length > limits::BLOCK_MAX || !torrent.geometry.contains(block) {
            return Err(Reason::BadRequest);
        }
        self.cancellable += 1;
        let here = had.contains(block.piece);
        if here && (!self.choked || self.spend_fast(block)) && self.requests.push(block) {
            return Ok(Event::Requested);
        }
        // without Fast the request is lost, as BEP 3 has it for requests that cross a choke
        self.reject(block, out);
        Ok(Event::None)
    }

    /// Whether `block` may be served although the peer is choked.
    fn spend_fast(&mut self, block: BlockRef) -> bool {
        let length = u64::from(block.length);
        let allowed = self.fast_allowance >= length && self.fast_set.contains(&block.piece);
        if allowed {
            self.fast_allowance -= length;
        }
        allowed
    }

    /// Refuses `block`, if the peer can be told (BEP 6).
    pub fn reject(&self, block: BlockRef, out: &mut Vec<u8>) {
        if self.reserved.fast() {
            Message::Reject(block).encode(out);
        }
    }

    fn cancel(&mut self, block: BlockRef, out: &mut Vec<u8>) -> Result<Event, Reason> {
        // a cancel searches the queue: an honest peer cancels a request at most once
        self.cancellable = self.cancellable.checked_sub(1).ok_or(Reason::CancelFlood)?;
        if self.requests.cancel(block) {
            self.reject(block, out);
        }
        Ok(Event::None)
    }

    fn extended(&mut self, id: u8, payload: &[u8], torrent: &Torrent, out: &mut Vec<u8>) -> Result<Event, Reason> {
        if !self.reserved.extended() {
            return Err(Reason::BadExtension);
        }
        match id {
            0 => {
                let said = ExtensionHandshake::decode(payload).map_err(|_| Reason::BadExtension)?;
                self.upload_only = said.upload_only.unwrap_or(self.upload_only);
                self.metadata_id = said.metadata_id.or(self.metadata_id);
                self.client = said.client.map(String::into_boxed_str).or(self.client.take());
                self.request_queue = said.request_queue.or(self.request_queue);
                self.listens_on = said.port.or(self.listens_on);
                return Ok(Event::Introduced);
            }
            METADATA => self.metadata(payload, torrent, out)?,
            _ => {}
        }
        Ok(Event::None)
    }

    /// Stops serving it (BEP 3); rejects what it waits for (BEP 6), but for allowed-fast pieces.
    pub fn choke(&mut self, out: &mut Vec<u8>) {
        self.choked = true;
        Message::Choke.encode(out);
        let (fast, fast_set) = (self.reserved.fast(), &self.fast_set);
        let keep = |block: BlockRef| fast && fast_set.contains(&block.piece);
        let reject = |block| {
            if fast {
                Message::Reject(block).encode(out)
            }
        };
        self.requests.retain(keep, reject);
    }

    /// Starts serving it (BEP 3).
    pub fn unchoke(&mut self, out: &mut Vec<u8>) {
        self.choked = false;
        Message::Unchoke.encode(out);
    }

    /// It said that it wants nothing, whatever it has (BEP 21).
    pub fn is_upload_only(&self) -> bool {
        self.upload_only
    }

    /// The requests that wait.
    pub fn requests(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// Whether it waits for its turn.
    pub fn wants_turn(&self) -> bool {
        !self.requests.is_empty()
    }

    /// We choke it.
    pub fn is_choked(&self) -> bool {
        self.choked
    }

    /// It wants something of us.
    pub fn is_interested(&self) -> bool {
        self.interested
    }

    /// It has everything, or wants nothing (BEP 21).
    pub fn wants_nothing(&self) -> bool {
        self.upload_only || self.complete
    }

    /// It has everything.
    pub fn has_all(&self) -> bool {
        self.complete
    }

    /// What it has.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Its id.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// What it calls itself.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }
}

impl From<WireError> for Reason {
    fn from(error: WireError) -> Reason {
        match error {
            WireError::Length { .. } | WireError::TooLong { .. } => Reason::BadLength,
            WireError::UnwantedBlock => Reason::UnwantedBlock,
        }
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
