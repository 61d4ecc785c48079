//! Pieces that were taken on trust, on their way to be looked at, and what they were found to be.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{PieceIndex, TorrentId};
use crate::limits::LAZY_CHECKS_PER_REACTOR;
use crate::storage::{Found, PieceCheck};

use super::driver::Driver;
use super::event_loop::EventLoop;

/// What a piece was found to be.
#[derive(Debug)]
pub(super) struct Checked {
    torrent: TorrentId,
    piece: PieceIndex,
    found: Found,
}

/// Who looks at the pieces of which torrent.
#[derive(Default)]
pub(super) struct Checking {
    pub(super) by: HashMap<TorrentId, Arc<dyn PieceCheck>>,
    /// Pieces without an answer.
    asked: usize,
}

impl<D: Driver> EventLoop<D> {
    /// Asks for the pieces that turns wait for, as far as there is room; the rest with the next turn of the loop.
    pub(super) fn ask_for_checks(&mut self) {
        while self.checking.asked < LAZY_CHECKS_PER_REACTOR {
            let Some((torrent, piece)) = self.shard.next_check() else { return };
            // a torrent that is gone has nobody who waits
            let Some(check) = self.checking.by.get(&torrent) else { continue };
            let mailbox = self.mailbox.clone();
            let answer = Box::new(move |found| mailbox.tell_checked(Checked { torrent, piece, found }));
            if check.check(piece, answer).is_err() {
                return self.shard.keep_check(torrent, piece);
            }
            self.checking.asked += 1;
        }
    }

    pub(super) fn read_checked(&mut self) {
        while let Some(Checked { torrent, piece, found }) = self.mailbox.next_checked() {
            self.checking.asked -= 1;
            match found {
                Found::Right => self.shard.piece_right(torrent, piece),
                Found::Wrong(cause) => self.fail(torrent, cause),
            }
        }
    }
}
