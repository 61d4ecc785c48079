//! Downloading one torrent: what is wanted, what is under way, and the bytes of pieces that are not whole yet.
//!
//! Blocks are put together where they arrive: the first bytes of a block name its place in the buffer of its piece, the rest
//! follows as it comes, however the stream is cut. A block that two peers owe (end game) goes to a buffer of its own first, so
//! that the bytes of one never stand under the name of the other.
//!
//! Buffers are bounded by the pieces that the picker may begin; a whole piece leaves with its buffer, which comes back with
//! the verdict and is used again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use fastrand::Rng;

use crate::clock::Time;
use crate::ids::{BlockRef, PeerKey, PieceIndex, TorrentId};
use crate::limits::{BANNED_ADDRESSES, BEGUN_PIECES_MIN, DEPARTED_PEERS};
use crate::metainfo::Geometry;
use crate::peer::Pieces;
use crate::schedule::Picker;
use crate::schedule::picker::{Expected, Holds, Order, Priority, Received, Shape};

use super::torrents::DownloadStatus;

/// A download to begin, or to go on with.
#[derive(Clone, Debug)]
pub struct Download {
    /// Pieces that are here and good: one bit a piece, the first in the highest bit of the first byte.
    pub had: Box<[u8]>,
    /// How much each piece is wanted; empty: all alike.
    pub priorities: Vec<Priority>,
    /// Bytes that buffers of pieces may take. A few pieces are always under way, however long they are.
    pub memory: u64,
    /// Which pieces come first.
    pub order: Order,
}

/// A piece whose blocks are all here, to be checked, and written if it is good.
#[derive(PartialEq, Eq, Debug)]
pub struct Whole {
    /// Of which torrent.
    pub torrent: TorrentId,
    /// Which.
    pub piece: PieceIndex,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Digests of its blocks are needed even if it is good.
    pub digests: bool,
}

/// A block that is arriving.
#[derive(Debug)]
pub(super) struct Incoming {
    block: BlockRef,
    got: u32,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// The buffer of its piece.
    Piece,
    /// A buffer of its own.
    Aside(Vec<u8>),
    /// Nobody wants it.
    Nowhere,
}

impl Incoming {
    /// Bytes of the whole block.
    pub(super) fn length(&self) -> u64 {
        u64::from(self.block.length)
    }
}

/// What became of a block that has arrived.
#[derive(Debug)]
pub(super) enum Arrived {
    /// Bytes are missing.
    Partly,
    /// It is kept.
    Kept,
    /// It is kept, and its piece is whole.
    Whole(Whole),
    /// It was dropped.
    Dropped,
}

/// A torrent that is or was downloaded here.
#[derive(Debug)]
pub(super) struct Downloading {
    pub(super) picker: Picker,
    geometry: Geometry,
    /// Of pieces under way.
    buffers: BTreeMap<u32, Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// Peers that could be asked for more if pieces might be begun.
    held_back: BTreeSet<PeerKey>,
    banned: BTreeSet<IpAddr>,
    /// Addresses of peers that left: one may be proved bad later.
    departed: VecDeque<(PeerKey, IpAddr)>,
    /// Bytes of good pieces, those of earlier starts included.
    pub(super) good: u64,
    /// Bytes of blocks that were kept.
    pub(super) received: u64,
    /// Bytes that were dropped, or belonged to bad pieces.
    pub(super) wasted: u64,
}

impl Downloading {
    pub(super) fn new(geometry: &Geometry, download: Download, random: &mut Rng) -> Downloading {
        let (length, pieces) = (geometry.nominal_piece_length(), geometry.pieces());
        let mut picker = Picker::new(Shape::new(length, geometry.total()), random);
        picker.set_order(download.order);
        let begun_max = usize::try_from(download.memory / u64::from(length)).unwrap_or(usize::MAX);
        picker.set_begun_max(begun_max.max(BEGUN_PIECES_MIN));
        for (piece, priority) in (0..).map(PieceIndex).zip(download.priorities) {
            picker.set_priority(piece, priority);
        }
        let mut good = 0;
        for piece in (0..pieces).map(PieceIndex).filter(|piece| Holds::Bits(&download.had).has(*piece)) {
            picker.had(piece);
            good += u64::from(geometry.piece_length(piece));
        }
        Downloading {
            picker,
            geometry: geometry.clone(),
            buffers: BTreeMap::new(),
            spare: Vec::new(),
            held_back: BTreeSet::new(),
            banned: BTreeSet::new(),
            departed: VecDeque::new(),
            good,
            received: 0,
            wasted: 0,
        }
    }

    /// A block begins to arrive.
    pub(super) fn begin(&mut self, key: PeerKey, block: BlockRef) -> Incoming {
        let place = match self.picker.expects(key, block) {
            Expected::Alone => {
                self.make_buffer(block.piece);
                Place::Piece
            }
            Expected::Shared => Place::Aside(Vec::with_capacity(block.length as usize)),
            Expected::No => Place::Nowhere,
        };
        Incoming { block, got: 0, place }
    }

    fn make_buffer(&mut self, piece: PieceIndex) {
        if !self.buffers.contains_key(&piece.0) {
            let mut buffer = self.spare.pop().unwrap_or_default();
            buffer.resize(self.geometry.piece_length(piece) as usize, 0);
            self.buffers.insert(piece.0, buffer);
        }
    }

    /// Takes in what `bytes` has of a block; how many bytes those were.
    pub(super) fn take_in(&mut self, key: PeerKey, incoming: &mut Incoming, bytes: &[u8]) -> usize {
        let length = ((incoming.block.length - incoming.got) as usize).min(bytes.len());
        let bytes = &bytes[..length];
        let at = (incoming.block.begin + incoming.got) as usize;
        match &mut incoming.place {
            Place::Piece => {
                // a block that came from another meanwhile, or was taken back, is not to be written to
                let wanted = self.picker.expects(key, incoming.block) != Expected::No;
                let buffer = self.buffers.get_mut(&incoming.block.piece.0).filter(|_| wanted);
                match buffer.and_then(|buffer| buffer.get_mut(at..at + length)) {
                    Some(place) => place.copy_from_slice(bytes),
                    None => incoming.place = Place::Nowhere,
                }
            }
            Place::Aside(own) => own.extend_from_slice(bytes),
            Place::Nowhere => {}
        }
        incoming.got += u32::try_from(length).unwrap_or(u32::MAX);
        length
    }

    /// What became of the block, if it is all here.
    pub(super) fn arrived(&mut self, id: TorrentId, key: PeerKey, incoming: &Incoming, now: Time) -> Arrived {
        let block = incoming.block;
        if incoming.got < block.length {
            return Arrived::Partly;
        }
        let received = match incoming.place {
            Place::Nowhere => Received::Unwanted,
            _ => self.picker.received(now, key, block),
        };
        if received == Received::Unwanted {
            self.wasted += u64::from(block.length);
            return Arrived::Dropped;
        }
        self.received += u64::from(block.length);
        if let Place::Aside(own) = &incoming.place {
            self.make_buffer(block.piece);
            let at = block.begin as usize;
            if let Some(place) = self.buffers.get_mut(&block.piece.0).and_then(|b| b.get_mut(at..at + own.len())) {
                place.copy_from_slice(own);
            }
        }
        match (received, block.piece) {
            (Received::Complete { digests }, piece) => match self.buffers.remove(&piece.0) {
                Some(bytes) => Arrived::Whole(Whole { torrent: id, piece, bytes, digests }),
                None => Arrived::Dropped,
            },
            _ => Arrived::Kept,
        }
    }

    /// Takes back the buffer of a piece that was checked.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        // as long as any, so that the next use fills nothing with zeros
        let nominal = self.geometry.nominal_piece_length() as usize;
        if buffer.capacity() >= nominal && !self.picker.is_done() {
            buffer.resize(nominal, 0);
            self.spare.push(buffer);
        }
    }

    /// Frees the buffers of pieces that are not under way any more.
    pub(super) fn tidy(&mut self) {
        let picker = &self.picker;
        let gone = self.buffers.extract_if(.., |piece, _| !picker.is_begun(PieceIndex(*piece)));
        let gone: Vec<Vec<u8>> = gone.map(|(_, buffer)| buffer).collect();
        gone.into_iter().for_each(|buffer| self.give_back(buffer));
        if self.picker.is_done() {
            self.spare = Vec::new();
        }
    }

    /// Appends what to ask of a peer that has `pieces`, `most` blocks at most if that is given.
    pub(super) fn ask(
        &mut self,
        key: PeerKey,
        pieces: &Pieces,
        most: Option<usize>,
        now: Time,
        random: &mut Rng,
        out: &mut Vec<BlockRef>,
    ) {
        self.picker.ask_few(now, key, holds(pieces), most, random, out);
        if self.picker.is_held_back(key) {
            self.held_back.insert(key);
        }
    }

    /// Those that could be asked for more before something was freed.
    pub(super) fn take_held_back(&mut self) -> BTreeSet<PeerKey> {
        std::mem::take(&mut self.held_back)
    }

    /// A peer left.
    pub(super) fn left(&mut self, key: PeerKey, pieces: &Pieces, address: IpAddr) {
        self.picker.left(key, holds(pieces));
        self.held_back.remove(&key);
        if self.departed.len() == DEPARTED_PEERS {
            self.departed.pop_front();
        }
        self.departed.push_back((key, address));
    }

    /// Where a peer that left was.
    pub(super) fn departed(&self, key: PeerKey) -> Option<IpAddr> {
        self.departed.iter().find(|(departed, _)| *departed == key).map(|(_, address)| *address)
    }

    /// Nobody from there is taken for a peer again. A web seed has no address.
    pub(super) fn ban(&mut self, address: IpAddr) {
        if !address.is_unspecified() && self.banned.len() < BANNED_ADDRESSES {
            self.banned.insert(address);
        }
    }

    pub(super) fn is_banned(&self, address: IpAddr) -> bool {
        self.banned.contains(&address)
    }

    /// For display.
    pub(super) fn status(&self) -> DownloadStatus {
        DownloadStatus {
            good: self.good,
            received: self.received,
            wasted: self.wasted,
            missing: self.picker.missing(),
            begun: self.picker.begun(),
        }
    }

    /// Bytes of buffers.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buffers.values().chain(&self.spare).map(Vec::capacity).sum()
    }
}

/// What a peer has, in the picker's words.
pub(super) fn holds(pieces: &Pieces) -> Holds<'_> {
    match pieces {
        Pieces::None => Holds::Bits(&[]),
        Pieces::All => Holds::All,
        Pieces::Some { bits, .. } => Holds::Bits(bits),
    }
}
