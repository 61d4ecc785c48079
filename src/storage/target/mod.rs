//! Where the pieces of one download go.
//!
//! ```text
//!   new --take_stock--> what is here already, or why nothing may be written --make--> files --Intake--> checkpoints --> finish
//!       (only looks)                                                       (the first to write)
//! ```
//!
//! Files have their full length from the start, sparse or allocated. Made are those that a wanted piece has bytes in, and empty ones
//! that are wanted: so a file that nobody wants may be there, with a hole for all but the ends that it shares with its
//! neighbours. Later nothing is made any more: a file that is removed or replaced during the download is an error, as its pieces are
//! lost. Padding is on no disk.
//!
//! **What survives what.** Every [`limits::CHECKPOINT_SECONDS`] while pieces are written, and at the end, the owner calls for a
//! checkpoint: the files that were written since the last one are synced (fdatasync, on the disk thread, with writes going on), and then a
//! note is replaced atomically: the pieces whose writing was over before the sync began, and what the files were. So a piece is
//! never claimed before its bytes are safe from a power cut. After `kill -9` the kernel still has what was written, and the next start
//! hashes what the note does not claim; after a power cut that is what was written since the note. Without a usable folder for the
//! note the next start hashes everything. A sync that fails ends all claims: which bytes are lost cannot be told.

mod data;
mod ledger;
mod stock;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::ids::{BlockRef, FileIndex, PieceIndex};
use crate::limits;
use crate::metainfo::{self, Metainfo, Span};

use super::{Cause, Content, Disk, FileFault, Identity, Resume, WritePart};
use ledger::Ledger;

pub use ledger::CheckpointError;
pub use stock::Stock;

const LOCKED_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How space is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Space {
    /// As it is written.
    #[default]
    Sparse,
    /// All at the start, so that a disk which is too small says so then. Where a file system cannot: as it is written.
    Allocated,
}

/// Choices of a download.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetOptions {
    /// How space is taken.
    pub space: Space,
    /// Files that are there and something else become the torrent's.
    pub overwrite: bool,
}

/// See the module.
pub struct Target {
    torrent: Metainfo,
    content: Content,
    options: TargetOptions,
    /// By file: a wanted piece has bytes in it, or it is empty and wanted.
    chosen: Box<[bool]>,
    disk: Arc<Disk>,
    resume: Option<Resume>,
    /// The latest last.
    open: Mutex<VecDeque<(FileIndex, Arc<File>)>>,
    /// Keeps others from downloading to the same place, until this download ends.
    lock: Mutex<Option<OwnedFd>>,
    ledger: Mutex<Ledger>,
    /// Held by whoever makes a checkpoint.
    noting: Mutex<()>,
}

impl Target {
    /// Touches nothing. `wanted` has one entry for each file of `torrent`, padding included; where it is empty all are.
    /// `resume`: where to note what is done.
    pub fn new(
        torrent: Metainfo,
        content: Content,
        wanted: &[bool],
        options: TargetOptions,
        disk: Arc<Disk>,
        resume: Option<Resume>,
    ) -> Target {
        let chosen = chosen(&torrent, wanted);
        let ledger = Mutex::new(Ledger::new(&torrent));
        let (open, lock, noting) = Default::default();
        Target { torrent, content, options, chosen, disk, resume, open, lock, ledger, noting }
    }

    /// The torrent.
    pub fn torrent(&self) -> &Metainfo {
        &self.torrent
    }

    /// Its files.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Makes the files, once [`Target::take_stock`] has found nothing against it, and notes what is had. The error of a note that cannot
    /// be kept is worth a warning: all the rest is done.
    pub fn make(&self, stock: &Stock) -> Result<(), CheckpointError> {
        let mut identities = stock.identities.clone();
        let is_whole = |file: FileIndex| {
            let size = stock.identities[file.0 as usize].map(|identity| identity.size);
            self.options.space == Space::Sparse && size == Some(self.content.length(file))
        };
        for file in self.content.stored().filter(|&file| self.chosen[file.0 as usize] && !is_whole(file)) {
            let opened = self.content.create(file)?;
            self.lock()?;
            self.lengthen(file, &opened).map_err(|cause| self.content.fault(file, cause))?;
            let identity = Identity::of(&opened).map_err(|error| self.content.fault(file, error.into()))?;
            identities[file.0 as usize] = Some(identity);
            self.keep_open(file, Arc::new(opened));
        }
        self.ledger().begin(stock, identities);
        self.checkpoint_now(true)
    }

    /// Locks the folder of the torrent, or its only file, as soon as that is there. It ends with the process, however that ends.
    fn lock(&self) -> Result<(), FileFault> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = self.content.stored().next().filter(|_| lock.is_none()) else { return Ok(()) };
        let place = match self.torrent.is_single_file() {
            true => self.content.open(first).ok().map(OwnedFd::from),
            false => rustix::fs::open(self.content.root(), LOCKED_FOLDER, Mode::empty()).ok(),
        };
        let Some(place) = place else { return Ok(()) };
        match rustix::fs::flock(&place, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(self.content.fault(first, Cause::InUse)),
            // not every file system has locks
            Err(_) => {}
            Ok(()) => *lock = Some(place),
        }
        Ok(())
    }

    /// Gives `opened` the length that it has in the torrent, and space if that is to be taken now.
    fn lengthen(&self, file: FileIndex, opened: &File) -> Result<(), Cause> {
        let (expected, metadata) = (self.content.length(file), opened.metadata()?);
        if metadata.len() > expected && !self.options.overwrite {
            return Err(Cause::Longer { expected, found: metadata.len() });
        }
        if metadata.len() != expected {
            opened.set_len(expected).map_err(Cause::of_write)?;
        }
        if self.options.space == Space::Sparse || metadata.blocks() * 512 >= expected {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(opened, FallocateFlags::empty(), 0, expected) {
                Err(Errno::INTR) => {}
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
                Err(error) => return Err(Cause::of_write(error.into())),
            }
        }
    }

    /// Where the bytes of `piece`, whole in one buffer, go.
    pub(super) fn parts(&self, piece: PieceIndex) -> Result<Vec<WritePart>, FileFault> {
        let mut at = 0;
        let mut parts = Vec::with_capacity(1);
        for span in self.spans(piece) {
            let range = at..at + usize::try_from(span.length).expect("pieces are bounded");
            at = range.end;
            if !span.padding {
                parts.push(WritePart { file: self.file(span.file)?, offset: span.offset, range });
            }
        }
        Ok(parts)
    }

    /// What it means that part `index` of `piece` could not be written.
    pub(super) fn part_fault(&self, piece: PieceIndex, index: usize, error: io::Error) -> FileFault {
        let span = self.spans(piece).filter(|span| !span.padding).nth(index).expect("one part for each span");
        self.content.fault(span.file, Cause::of_write(error))
    }

    fn spans(&self, piece: PieceIndex) -> impl Iterator<Item = Span> {
        let geometry = self.torrent.geometry();
        geometry.spans(BlockRef { piece, begin: 0, length: geometry.piece_length(piece) })
    }

    /// The file that was made, or found, at the start; open for writing if it is chosen.
    fn file(&self, file: FileIndex) -> Result<Arc<File>, FileFault> {
        let open = self.open().iter().rfind(|(open, _)| *open == file).map(|(_, open)| Arc::clone(open));
        if let Some(open) = open {
            return self.still_there(file, &open).map(|()| open);
        }
        let chosen = self.chosen[file.0 as usize];
        let opened = if chosen { self.content.open_to_write(file)? } else { self.content.open(file)? };
        let identity = Identity::of(&opened).map_err(|error| self.content.fault(file, error.into()))?;
        if !self.ledger().is_same(file, &identity) {
            return Err(self.content.fault(file, Cause::TakenAway));
        }
        self.still_there(file, &opened)?;
        let opened = Arc::new(opened);
        self.keep_open(file, Arc::clone(&opened));
        Ok(opened)
    }

    /// Writing goes on into a file that nobody can find any more, and fills one that was cut short up with zeros where good pieces were:
    /// asked before each piece, at half a microsecond.
    fn still_there(&self, file: FileIndex, opened: &File) -> Result<(), FileFault> {
        let metadata = opened.metadata().map_err(|error| self.content.fault(file, error.into()))?;
        match metadata.nlink() > 0 && (metadata.len() == self.content.length(file) || !self.chosen[file.0 as usize]) {
            true => Ok(()),
            false => Err(self.content.fault(file, Cause::TakenAway)),
        }
    }

    fn keep_open(&self, file: FileIndex, opened: Arc<File>) {
        let mut open = self.open();
        if open.len() == limits::FILES_PER_TARGET {
            open.pop_front();
        }
        open.push_back((file, opened));
    }

    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.open().len()
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<(FileIndex, Arc<File>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files to make: wanted ones, and neighbours that a piece of those has bytes in.
fn chosen(torrent: &Metainfo, wanted: &[bool]) -> Box<[bool]> {
    let is_wanted = |index: usize| wanted.is_empty() || wanted.get(index).copied().unwrap_or(false);
    let mut pieces = vec![false; torrent.geometry().pieces() as usize];
    for (_, file, start) in stored(torrent).filter(|&(index, ..)| is_wanted(index)) {
        pieces[touched(torrent, start, file.length())].fill(true);
    }
    let mut chosen = vec![false; torrent.files().len()];
    for (index, file, start) in stored(torrent) {
        chosen[index] = is_wanted(index) || pieces[touched(torrent, start, file.length())].contains(&true);
    }
    chosen.into()
}

/// The files that are not padding: index, file and first byte in the torrent.
fn stored(torrent: &Metainfo) -> impl Iterator<Item = (usize, &metainfo::File, u64)> {
    let mut end = 0;
    let placed = torrent.files().iter().enumerate().map(move |(index, file)| {
        end += file.length();
        (index, file, end - file.length())
    });
    placed.filter(|(_, file, _)| !file.is_padding())
}

/// The pieces that have any of `length` bytes from byte `start`.
fn touched(torrent: &Metainfo, start: u64, length: u64) -> std::ops::Range<usize> {
    let nominal = u64::from(torrent.geometry().nominal_piece_length());
    let piece = |at: u64| usize::try_from(at).expect("pieces are bounded");
    if length == 0 { 0..0 } else { piece(start / nominal)..piece((start + length - 1) / nominal) + 1 }
}

fn file_index(index: usize) -> FileIndex {
    FileIndex(u32::try_from(index).expect("files are bounded"))
}

fn is_set(bits: &[u8], piece: usize) -> bool {
    bits.get(piece / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
}

fn set(bits: &mut [u8], piece: usize, value: bool) {
    let mask = 0x80 >> (piece % 8);
    if value { bits[piece / 8] |= mask } else { bits[piece / 8] &= !mask }
}
