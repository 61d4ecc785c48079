//! Pieces on their way to the disk, and what became of them.
//!
//! A whole piece goes to the torrent's [`PieceSink`] in the turn of the loop in which its last byte came; what the sink has no
//! room for waits here. The verdict comes back through the mailbox. Neither side waits for the other: the pieces under way are
//! bounded by the shard, so whatever waits is bounded too.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::clock::Time;
use crate::ids::TorrentId;
use crate::shard::{Download, Whole};
use crate::storage::{Outcome, Verdict};

use super::driver::Driver;
use super::event_loop::EventLoop;
use super::spread::Place;

/// Verdicts that wait for one reactor; more than pieces are under way.
pub(super) const VERDICTS: usize = 8_192;
/// Pieces without a verdict beyond which the reactor lets others run after each of its turns: what the widest engine hashes at once. Where
/// hashers share its core, it would else go on to receive until memory for pieces is used up. Elsewhere that is a system call which
/// does nothing.
const BACKLOG: usize = 16;
/// The address under which a connection is shown that has none: one end of a socket pair.
pub(super) const NOWHERE: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// Where whole pieces of one torrent go. Its methods are called on the reactor and never wait.
pub trait PieceSink: Send + Sync {
    /// Takes a piece, or gives it back if there is no room now.
    fn take(&self, whole: Whole) -> Result<(), Whole>;
    /// Everything that is wanted is here.
    fn finished(&self);
}

/// A download that a reactor is given.
pub struct DownloadOrder {
    /// What is here, what is wanted.
    pub download: Download,
    /// Where pieces go.
    pub sink: Arc<dyn PieceSink>,
}

/// A connection that was made elsewhere: one end of a socket pair.
pub struct Attachment {
    /// For which torrent.
    pub id: TorrentId,
    /// Non-blocking, closed on exec.
    pub descriptor: OwnedFd,
    /// As what connection of this reactor it counts.
    pub place: Place,
}

impl<D: Driver> EventLoop<D> {
    pub(super) fn download(&mut self, id: TorrentId, order: DownloadOrder) {
        self.sinks.insert(id, order.sink);
        self.shard.download(id, order.download);
    }

    /// Takes up a connection over which we speak first, as if we had dialled.
    pub(super) fn attach(&mut self, attachment: Attachment, now: Time) {
        if let Some(key) = self.shard.dial(attachment.id, NOWHERE, now) {
            self.adopt(key, attachment.descriptor, attachment.place);
        }
    }

    /// Hands whole pieces on, as far as there is room, and tells of torrents that are done.
    pub(super) fn hand_out_pieces(&mut self) {
        while let Some(whole) = self.waiting_whole.take().or_else(|| self.shard.next_whole()) {
            // a torrent that was withdrawn has no sink
            let Some(sink) = self.sinks.get(&whole.torrent) else { continue };
            if let Err(whole) = sink.take(whole) {
                self.waiting_whole = Some(whole);
                break;
            }
            self.unjudged += 1;
        }
        if self.unjudged > BACKLOG {
            std::thread::yield_now();
        }
        while let Some(id) = self.shard.next_finished() {
            // whoever hears of it finds numbers that are final
            self.publish(0);
            if let Some(sink) = self.sinks.get(&id) {
                sink.finished();
            }
        }
    }

    pub(super) fn read_verdicts(&mut self, now: Time) {
        while let Some(verdict) = self.mailbox.next_verdict() {
            self.unjudged = self.unjudged.saturating_sub(1);
            let Verdict { torrent, piece, buffer, digests, outcome } = verdict;
            match outcome {
                Outcome::Good => self.shard.piece_good(torrent, piece, buffer, &digests, now),
                Outcome::Bad => self.shard.piece_bad(torrent, piece, buffer, &digests, now),
                Outcome::Failed(fault) => self.fail(torrent, fault.to_string()),
            }
        }
    }
}
