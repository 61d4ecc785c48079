//! Whole pieces on their way to disk: hashed, and written if they are good.
//!
//! ```text
//!   give --channel--> hasher: all that wait, in lanes --good--> written --> answer: Good
//!                           \--bad--> answer: Bad         \--error--> answer: Failed
//! ```
//!
//! A hasher takes as many pieces as wait just now, up to the lanes of the CPU, and never waits for more to come: with few
//! pieces they are answered at once, with many they are hashed many at a time. What is good it writes itself, while its processor
//! still has the bytes in its own cache. Buffers go round: the one that a piece came in is the one
//! that is written from, and it comes back with the verdict, whatever that is. So memory is bounded by the buffers of the senders,
//! and the channel has room for all of them: whoever has no more than [`IntakeSetup::capacity`] pieces without a verdict is never
//! refused. Hashers wait for the disk when it cannot keep up; nobody waits for a hasher.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{self, Receiver, Sender, TrySendError};
use siphasher::sip::SipHasher13;

use crate::hash::{Digest, Engine};
use crate::ids::{PieceIndex, TorrentId};
use crate::limits;

use super::{Disk, FileFault, Target};

/// A whole piece.
pub struct Arrived {
    /// Its torrent; comes back with the verdict.
    pub torrent: TorrentId,
    /// Where it is to go.
    pub target: Arc<Target>,
    /// Which one.
    pub piece: PieceIndex,
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// The digests of its blocks are wanted even if it is good.
    pub digests: bool,
}

/// What became of a piece.
pub struct Verdict {
    /// Its torrent.
    pub torrent: TorrentId,
    /// Which one.
    pub piece: PieceIndex,
    /// The buffer that it came in, bytes and all.
    pub buffer: Vec<u8>,
    /// What became of it.
    pub outcome: Outcome,
    /// A keyed hash of each block of 16 KiB, of a bad piece and where they were asked for: the same for the same bytes, as long
    /// as this program runs.
    pub digests: Vec<u64>,
}

/// What became of a piece.
#[derive(Debug)]
pub enum Outcome {
    /// It is right, and written.
    Good,
    /// It is not what the torrent says.
    Bad,
    /// It is right, and could not be written, or not all of it.
    Failed(FileFault),
}

/// How to hash.
#[derive(Clone, Copy, Debug)]
pub struct IntakeSetup {
    /// What computes SHA-1.
    pub engine: Engine,
    /// How many threads hash, at least one.
    pub threads: usize,
    /// How many pieces may be without a verdict.
    pub capacity: usize,
}

/// The hashers. Dropping it waits until all that was given has its verdict, so nothing is being written any more.
pub struct Intake {
    given: Option<Sender<Arrived>>,
    threads: Vec<JoinHandle<()>>,
}

/// What the hashers share.
struct Work {
    engine: Engine,
    disk: Arc<Disk>,
    digests: SipHasher13,
    answer: Box<dyn Fn(Verdict) + Send + Sync>,
}

impl Intake {
    /// Starts hashers. `answer` is called on their threads; it must neither wait nor panic.
    pub fn start(
        setup: IntakeSetup,
        disk: Arc<Disk>,
        answer: impl Fn(Verdict) + Send + Sync + 'static,
    ) -> io::Result<Intake> {
        let digests = SipHasher13::new_with_keys(fastrand::u64(..), fastrand::u64(..));
        let work = Arc::new(Work { engine: setup.engine, disk, digests, answer: Box::new(answer) });
        let (given, pieces) = channel::bounded(setup.capacity.max(1));
        let start_one = |index| {
            let (work, pieces) = (Arc::clone(&work), pieces.clone());
            thread::Builder::new().name(format!("intake-{index}")).spawn(move || work.serve(&pieces))
        };
        let threads = (0..setup.threads.max(1)).map(start_one).collect::<io::Result<_>>()?;
        Ok(Intake { given: Some(given), threads })
    }

    /// Takes a piece, or gives it back if [`IntakeSetup::capacity`] pieces wait already. Never blocks.
    pub fn give(&self, arrived: Arrived) -> Result<(), Arrived> {
        match self.given.as_ref().expect("there until dropped").try_send(arrived) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(arrived) | TrySendError::Disconnected(arrived)) => Err(arrived),
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.given = None;
        for thread in self.threads.drain(..) {
            // a panic there was reported by the thread itself
            let _ = thread.join();
        }
    }
}

impl Work {
    fn serve(&self, pieces: &Receiver<Arrived>) {
        let mut waiting = Vec::with_capacity(self.engine.lanes());
        while let Ok(first) = pieces.recv() {
            waiting.push(first);
            waiting.extend(pieces.try_iter().take(self.engine.lanes() - 1));
            let bytes: Vec<&[u8]> = waiting.iter().map(|arrived| &arrived.bytes[..]).collect();
            let digests = self.engine.digest_many(&bytes);
            for (arrived, digest) in waiting.drain(..).zip(digests) {
                self.judge(arrived, digest);
            }
        }
    }

    fn judge(&self, arrived: Arrived, digest: Digest) {
        let Arrived { torrent, target, piece, bytes, digests } = arrived;
        let good = target.torrent().piece_hash(piece) == Some(digest);
        let digests = if digests || !good { self.block_digests(&bytes) } else { Vec::new() };
        let outcome = if good { self.keep(&target, piece, &bytes) } else { Outcome::Bad };
        (self.answer)(Verdict { torrent, piece, buffer: bytes, outcome, digests });
    }

    /// Writes a piece that is right.
    fn keep(&self, target: &Target, piece: PieceIndex, bytes: &[u8]) -> Outcome {
        target.writing();
        let parts = match target.parts(piece) {
            Ok(parts) => parts,
            Err(fault) => return Outcome::Failed(fault),
        };
        match self.disk.write(bytes, &parts) {
            Ok(()) => {
                target.written(piece);
                Outcome::Good
            }
            Err((part, error)) => Outcome::Failed(target.part_fault(piece, part, error)),
        }
    }

    fn block_digests(&self, bytes: &[u8]) -> Vec<u64> {
        bytes.chunks(limits::BLOCK as usize).map(|block| self.digests.hash(block)).collect()
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { torrent, piece, outcome, buffer, .. } = self;
        write!(f, "{outcome:?} of {piece:?} of {torrent:?} in {} bytes", buffer.len())
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}
