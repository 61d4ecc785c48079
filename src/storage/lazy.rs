//! Content that was taken on trust: each piece is compared with its hash when it is first asked for, and before a byte of it goes
//! out. So terabytes that another program has seeded are served at once, and nobody is ever sent what does not belong to the torrent.
//!
//! ```text
//!   reactor: check(piece) --not known--> channel --> hasher: reads and hashes --> answers of all who asked for it
//!                 \--known-------------------------------------------------------> answer
//! ```
//!
//! All reactors that serve a torrent share one [`LazyCheck`], so that a piece is read once, whoever asks. What waits is bounded by the
//! channel; whoever finds it full keeps the question and asks again.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam::channel::{self, Receiver, Sender};

use crate::hash::{Batch, Digest, Engine};
use crate::ids::{BlockRef, PieceIndex};
use crate::limits;
use crate::metainfo::Metainfo;

use super::{Cause, Content, FileFault};

/// What a piece was found to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// What the torrent says.
    Right,
    /// Something else, or unreadable; this is what to tell the operator.
    Wrong(String),
}

/// Where the answer goes. Called once, on any thread; it neither waits nor panics.
pub type Answer = Box<dyn FnOnce(Found) + Send>;

/// Tells whether pieces of one torrent are right.
pub trait PieceCheck: Send + Sync {
    /// Has a piece looked at. Gives the answer back, uncalled, if too much waits: ask again later. Never waits for the disk.
    fn check(&self, piece: PieceIndex, answer: Answer) -> Result<(), Answer>;
}

/// Threads that look at pieces, for any number of torrents. When this is dropped they end with the piece at hand.
pub struct LazyHashers {
    questions: Sender<Question>,
    /// Never sent on: it closes.
    alive: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    hashed: Arc<AtomicU64>,
}

/// The pieces of one torrent, and what is known of each.
pub struct LazyCheck {
    questions: Sender<Question>,
    subject: Arc<Subject>,
}

struct Question {
    subject: Arc<Subject>,
    piece: PieceIndex,
}

struct Subject {
    content: Arc<Content>,
    torrent: Arc<Metainfo>,
    /// Held for moments, and by each reactor once for a piece.
    pieces: Mutex<Pieces>,
}

struct Pieces {
    /// A bit each, the first the highest of the first byte.
    right: Vec<u8>,
    asked: BTreeMap<PieceIndex, Vec<Answer>>,
}

impl LazyHashers {
    /// Starts so many threads, at least one.
    pub fn start(engine: Engine, threads: usize) -> io::Result<LazyHashers> {
        let (questions, waiting) = channel::bounded(limits::LAZY_CHECKS);
        let (alive, ends) = channel::bounded(0);
        let hashed = Arc::<AtomicU64>::default();
        let start_one = |index| {
            let (waiting, ends, hashed) = (waiting.clone(), ends.clone(), hashed.clone());
            let work = move || serve(engine, &waiting, &ends, &hashed);
            thread::Builder::new().name(format!("lazy-check-{index}")).spawn(work)
        };
        let threads = (0..threads.max(1)).map(start_one).collect::<io::Result<_>>()?;
        Ok(LazyHashers { questions, alive: Some(alive), threads, hashed })
    }

    /// Pieces that were looked at.
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }
}

impl Drop for LazyHashers {
    fn drop(&mut self) {
        self.alive = None;
        for thread in self.threads.drain(..) {
            // a panic there was reported by the thread itself
            let _ = thread.join();
        }
    }
}

impl LazyCheck {
    /// Of this content nothing is known but what `right` says: a bit for each piece, the first the highest of the first byte; as many
    /// bytes as it has, or none.
    pub fn new(hashers: &LazyHashers, content: Arc<Content>, torrent: Arc<Metainfo>, right: &[u8]) -> LazyCheck {
        let mut bits = vec![0; torrent.geometry().pieces().div_ceil(8) as usize];
        bits.iter_mut().zip(right).for_each(|(bits, right)| *bits = *right);
        let pieces = Mutex::new(Pieces { right: bits, asked: BTreeMap::new() });
        LazyCheck { questions: hashers.questions.clone(), subject: Arc::new(Subject { content, torrent, pieces }) }
    }

    /// The pieces that are known to be right, as [`LazyCheck::new`] takes them.
    pub fn right(&self) -> Vec<u8> {
        self.subject.lock().right.clone()
    }
}

impl PieceCheck for LazyCheck {
    fn check(&self, piece: PieceIndex, answer: Answer) -> Result<(), Answer> {
        let mut pieces = self.subject.lock();
        if pieces.is_right(piece) {
            drop(pieces);
            answer(Found::Right);
            return Ok(());
        }
        if let Some(asked) = pieces.asked.get_mut(&piece) {
            asked.push(answer);
            return Ok(());
        }
        match self.questions.try_send(Question { subject: self.subject.clone(), piece }) {
            Ok(()) => {
                pieces.asked.insert(piece, vec![answer]);
                Ok(())
            }
            Err(_) => Err(answer),
        }
    }
}

fn serve(engine: Engine, questions: &Receiver<Question>, ends: &Receiver<()>, hashed: &AtomicU64) {
    let mut buffer = vec![0; limits::LAZY_READ];
    loop {
        let question = channel::select! {
            recv(ends) -> _ => return,
            recv(questions) -> question => question,
        };
        let Ok(Question { subject, piece }) = question else { return };
        let found = subject.look_at(engine, piece, &mut buffer);
        hashed.fetch_add(1, Ordering::Relaxed);
        for answer in subject.lock().conclude(piece, found == Found::Right) {
            answer(found.clone());
        }
    }
}

impl Subject {
    fn lock(&self) -> MutexGuard<'_, Pieces> {
        // nobody panics holding it; if one did, a piece is looked at once more
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at(&self, engine: Engine, piece: PieceIndex, buffer: &mut [u8]) -> Found {
        match self.digest(engine, piece, buffer) {
            Ok(digest) if self.torrent.piece_hash(piece) == Some(digest) => Found::Right,
            Ok(_) => Found::Wrong(self.complaint(piece)),
            Err(fault) => Found::Wrong(fault.to_string()),
        }
    }

    fn complaint(&self, piece: PieceIndex) -> String {
        let PieceIndex(number) = piece;
        let spans = self.torrent.geometry().spans(self.whole(piece)).filter(|span| !span.padding);
        let files: Vec<String> = spans.map(|span| self.content.path(span.file).display().to_string()).collect();
        let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
        let file = files.first().map_or("no file", String::as_str);
        format!("piece {number} ({file}{more}) does not match; check the data again")
    }

    fn whole(&self, piece: PieceIndex) -> BlockRef {
        BlockRef { piece, begin: 0, length: self.torrent.geometry().piece_length(piece) }
    }

    fn digest(&self, engine: Engine, piece: PieceIndex, buffer: &mut [u8]) -> Result<Digest, FileFault> {
        let mut hash = Batch::new(engine, 1);
        let mut filled = 0;
        for span in self.torrent.geometry().spans(self.whole(piece)) {
            let file = if span.padding { None } else { Some(self.content.open(span.file)?) };
            let mut done = 0;
            while done < span.length {
                let room = buffer.len() - filled;
                let here = usize::try_from(span.length - done).map_or(room, |left| left.min(room));
                let part = &mut buffer[filled..filled + here];
                match &file {
                    Some(file) => (file.read_exact_at(part, span.offset + done))
                        .map_err(|error| self.content.fault(span.file, Cause::from(error)))?,
                    None => part.fill(0),
                }
                (done, filled) = (done + here as u64, filled + here);
                if filled == buffer.len() {
                    hash.update(&[buffer]);
                    filled = 0;
                }
            }
        }
        Ok(hash.finish(&[&buffer[..filled]]).swap_remove(0))
    }
}

impl Pieces {
    fn is_right(&self, piece: PieceIndex) -> bool {
        self.right.get(piece.0 as usize / 8).is_some_and(|bits| bits & (0x80 >> (piece.0 % 8)) != 0)
    }

    /// Notes what a piece is; who asked for it.
    fn conclude(&mut self, piece: PieceIndex, right: bool) -> Vec<Answer> {
        if let Some(bits) = self.right.get_mut(piece.0 as usize / 8).filter(|_| right) {
            *bits |= 0x80 >> (piece.0 % 8);
        }
        self.asked.remove(&piece).unwrap_or_default()
    }
}

impl fmt::Debug for LazyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyCheck").field("root", &self.subject.content.root()).finish_non_exhaustive()
    }
}

impl fmt::Debug for LazyHashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyHashers").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}
