//! A connection that speaks HTTP in place of the peer protocol: what it is being sent, and what it is waited for.
//!
//! An answer's body is a cursor over bytes of the torrent, cut into blocks when a turn asks for some: so it goes the way of
//! every block (turns, pace, cold ranges, chunks), and a file of a terabyte waits in forty bytes.

use std::ops::Range;
use std::time::Duration;

use crate::clock::Time;
use crate::ids::{BlockRef, PieceIndex, TorrentId};
use crate::limits::{BLOCK, BLOCK_MAX, HANDSHAKE_SECONDS, HTTP_IDLE_SECONDS};
use crate::metainfo::Geometry;

use super::Reason;

/// The bytes of an answer that are still to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    torrent: TorrentId,
    /// Of all pieces but the last.
    piece_length: u64,
    /// Bytes of the torrent.
    rest: Range<u64>,
    /// In all.
    length: u64,
}

impl Body {
    /// These bytes of a torrent; they lie within it.
    pub fn new(torrent: TorrentId, geometry: &Geometry, bytes: Range<u64>) -> Body {
        debug_assert!(bytes.end <= geometry.total());
        let piece_length = geometry.nominal_piece_length().into();
        Body { torrent, piece_length, length: bytes.end.saturating_sub(bytes.start), rest: bytes }
    }

    /// Of which torrent.
    pub fn torrent(&self) -> TorrentId {
        self.torrent
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes taken, in thousandths of all.
    pub fn progress_per_mille(&self) -> u32 {
        let taken = self.length - self.rest.end.saturating_sub(self.rest.start);
        let part = u128::from(taken) * 1_000 / u128::from(self.length.max(1));
        u32::try_from(part).unwrap_or(1_000)
    }

    /// Bytes that the next turn sends at least.
    pub fn first_length(&self) -> u64 {
        self.block(self.rest.start, BLOCK.into()).map_or(0, |block| block.length.into())
    }

    /// Moves the next `bytes` to `out`, as blocks that each lie in one piece.
    pub fn take(&mut self, bytes: u64, out: &mut Vec<BlockRef>) {
        self.rest.start = self.cut(bytes, out);
    }

    /// Appends the next `bytes` to `out`; they stay.
    pub fn peek(&self, bytes: u64, out: &mut Vec<BlockRef>) {
        self.cut(bytes, out);
    }

    /// Goes back to the first of blocks that were taken last.
    pub fn put_back(&mut self, blocks: &[BlockRef]) {
        if let Some(first) = blocks.first() {
            self.rest.start = u64::from(first.piece.0) * self.piece_length + u64::from(first.begin);
        }
    }

    /// Cuts `bytes` into blocks; where they end.
    fn cut(&self, bytes: u64, out: &mut Vec<BlockRef>) -> u64 {
        let end = self.rest.end.min(self.rest.start.saturating_add(bytes));
        let mut at = self.rest.start;
        while let Some(block) = self.block(at, end.saturating_sub(at)) {
            at += u64::from(block.length);
            out.push(block);
        }
        at
    }

    /// The block at byte `at` of the torrent: up to `most` bytes of one piece.
    fn block(&self, at: u64, most: u64) -> Option<BlockRef> {
        let (piece, begin) = (at / self.piece_length, at % self.piece_length);
        let left = self.rest.end.saturating_sub(at).min(self.piece_length - begin);
        let length = u32::try_from(left.min(most).min(BLOCK_MAX.into())).ok().filter(|length| *length > 0)?;
        let piece = PieceIndex(u32::try_from(piece).ok()?);
        Some(BlockRef { piece, begin: u32::try_from(begin).ok()?, length })
    }
}

/// One client.
#[derive(Debug)]
pub struct HttpClient {
    body: Option<Body>,
    ending: Option<Reason>,
    /// Part of a request is there.
    begun: bool,
    /// When the last answer was made or sent, or the first byte of a request came.
    since: Time,
}

impl HttpClient {
    /// One that has just come.
    pub fn new(now: Time) -> HttpClient {
        HttpClient { body: None, ending: None, begun: false, since: now }
    }

    /// What it is being sent.
    pub fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// What it is being sent.
    pub fn body_mut(&mut self) -> Option<&mut Body> {
        self.body.as_mut()
    }

    /// An answer was made. With a reason it is the last: the connection ends once it is sent.
    pub fn answered(&mut self, body: Option<Body>, ending: Option<Reason>, now: Time) {
        (self.body, self.ending, self.since) = (body, ending, now);
        self.begun = false;
    }

    /// The last byte of the body went; whether there was one.
    pub fn body_sent(&mut self, now: Time) -> bool {
        self.since = now;
        self.body.take().is_some()
    }

    /// Why the connection ends when everything is sent; `None` if it stays.
    pub fn ending(&self) -> Option<Reason> {
        self.ending
    }

    /// Another request may be answered.
    pub fn is_free(&self) -> bool {
        self.body.is_none() && self.ending.is_none()
    }

    /// Whether `part` of a request is there that will take more to be whole.
    pub fn waits_for_rest(&mut self, part: bool, now: Time) {
        if part && !self.begun {
            self.since = now;
        }
        self.begun = part;
    }

    /// Why it is not waited for any longer. Slow reading is not looked at here.
    pub fn overdue(&self, now: Time) -> Option<Reason> {
        let (seconds, reason) = match self.begun {
            true => (HANDSHAKE_SECONDS, Reason::HandshakeTimeout),
            false => (HTTP_IDLE_SECONDS, Reason::Timeout),
        };
        let over = now.since(self.since) >= Duration::from_secs(seconds);
        (self.body.is_none() && over).then_some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_body_is_cut_into_all_its_bytes_in_order_however_turns_take_them_and_put_them_back(
            piece_length in 1u32..400_000,
            length in 1u64..2_000_000,
            from in 0u64..2_000_000,
            turns in prop::collection::vec((1u64..600_000, 0usize..4), 1..60),
        ) {
            let geometry = Geometry::new(piece_length, [(length, false)]).expect("valid");
            let start = from.min(length);
            let mut body = Body::new(TorrentId(0), &geometry, start..length);
            let mut at = start;
            let whole = (BLOCK_MAX.into(), 0);
            for (bytes, back) in turns.into_iter().chain(std::iter::repeat(whole)) {
                let mut blocks = Vec::new();
                body.peek(bytes, &mut blocks);
                let peeked = std::mem::take(&mut blocks);
                let first = body.first_length();
                body.take(bytes, &mut blocks);
                prop_assert_eq!(&peeked, &blocks);
                prop_assert!(blocks.iter().map(|block| u64::from(block.length)).sum::<u64>() <= bytes);
                prop_assert_eq!(blocks.is_empty(), first == 0);
                let kept = blocks.len().saturating_sub(back);
                body.put_back(&blocks[kept..]);
                for block in &blocks[..kept] {
                    prop_assert!(geometry.contains(*block) && block.length <= BLOCK_MAX);
                    prop_assert_eq!(geometry.offset(*block), at);
                    at += u64::from(block.length);
                }
                if body.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(at, length);
        }
    }

    #[test]
    fn a_client_is_given_fifteen_seconds_for_a_head_and_sixty_between_requests() {
        let mut client = HttpClient::new(Time(0));
        let at = |seconds: u64| Time(seconds * 1_000_000);
        assert_eq!((client.overdue(at(59)), client.overdue(at(60))), (None, Some(Reason::Timeout)));
        client.waits_for_rest(true, at(50));
        client.waits_for_rest(true, at(60));
        assert_eq!((client.overdue(at(64)), client.overdue(at(65))), (None, Some(Reason::HandshakeTimeout)));
        let geometry = Geometry::new(1, [(9, false)]).expect("valid");
        client.answered(Some(Body::new(TorrentId(0), &geometry, 0..9)), None, at(64));
        assert_eq!(client.overdue(at(9_999)), None, "what takes long is reading");
        assert!(client.body_sent(at(9_999)));
        assert_eq!(client.overdue(at(9_999 + 60)), Some(Reason::Timeout));
    }
}
