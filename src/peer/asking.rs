//! The other direction of a connection: what we want of the peer.

use crate::ids::{BlockRef, PieceIndex};
use crate::wire::Message;

use super::connection::{Event, Peer};

/// Requests that a peer lets wait which did not say how many: what clients did before BEP 10 had `reqq`.
const REQUESTS_UNLESS_TOLD: usize = 250;

impl Peer {
    /// Whether it serves us is decided by it.
    pub(super) fn set_chokes_us(&mut self, chokes_us: bool) -> Event {
        if std::mem::replace(&mut self.chokes_us, chokes_us) == chokes_us {
            return Event::None;
        }
        if chokes_us { Event::Choked } else { Event::Unchoked }
    }

    /// Tells it whether we want something of it, if that is news.
    pub fn set_wanted(&mut self, wanted: bool, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.wanted, wanted) != wanted {
            if wanted { Message::Interested.encode(out) } else { Message::NotInterested.encode(out) }
        }
    }

    /// We told it that we want something of it.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// It chokes us.
    pub fn chokes_us(&self) -> bool {
        self.chokes_us
    }

    /// It speaks the Fast extension (BEP 6).
    pub fn is_fast(&self) -> bool {
        self.reserved.fast()
    }

    /// It speaks the extension protocol (BEP 10).
    pub fn is_extended(&self) -> bool {
        self.reserved.extended()
    }

    /// The port that it says it listens on (BEP 10).
    pub fn listens_on(&self) -> Option<u16> {
        self.listens_on
    }

    /// Requests that it lets wait.
    pub fn requests_max(&self) -> usize {
        self.request_queue.map_or(REQUESTS_UNLESS_TOLD, |count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Its own requests that wait to be served.
    pub fn requests_waiting(&self) -> usize {
        self.requests.len()
    }

    /// Asks for a block.
    pub fn ask(&self, block: BlockRef, out: &mut Vec<u8>) {
        Message::Request(block).encode(out);
    }

    /// Takes back that we asked for a block.
    pub fn take_back(&self, block: BlockRef, out: &mut Vec<u8>) {
        Message::Cancel(block).encode(out);
    }

    /// Tells it that we have one more piece, unless that is of no use to it.
    pub fn tell(&self, piece: PieceIndex, out: &mut Vec<u8>) {
        if !self.pieces().contains(piece) && !self.wants_nothing() {
            Message::Have(piece).encode(out);
        }
    }
}
