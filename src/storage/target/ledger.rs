//! What was written, and the checkpoints of it.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::ids::{FileIndex, PieceIndex};
use crate::limits;
use crate::metainfo::Metainfo;
use crate::storage::checkpoint::Checkpoint;
use crate::storage::{Cause, FileFault, Identity, ResumeError};

use super::{Stock, Target, is_set, set};

const INTERVAL: Duration = Duration::from_secs(limits::CHECKPOINT_SECONDS);

/// Guarded by a lock that is held for no system call.
pub(super) struct Ledger {
    /// One bit a piece: here and good.
    pieces: Box<[u8]>,
    /// Files with pieces that are not synced.
    unsynced: BTreeSet<FileIndex>,
    /// By file; as it was when it was last synced.
    identities: Vec<Option<Identity>>,
    /// When the note last said that writing goes on.
    noted: Option<Instant>,
    /// A sync failed: which bytes are on disk cannot be told any more.
    lost: bool,
}

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Files cannot be made, or may have lost what was written to them. The end of this download.
    #[error(transparent)]
    File(#[from] FileFault),
    /// A sync failed before, so nothing can be promised any more.
    #[error("an earlier failure may have lost what was written; start again, and the data is checked")]
    Lost,
    /// The note cannot be kept: worth a warning. The next start hashes what it finds.
    #[error(transparent)]
    Note(#[from] ResumeError),
}

impl Ledger {
    pub(super) fn new(torrent: &Metainfo) -> Ledger {
        Ledger {
            pieces: vec![0; torrent.geometry().pieces().div_ceil(8) as usize].into(),
            unsynced: BTreeSet::new(),
            identities: vec![None; torrent.files().len()],
            noted: None,
            lost: false,
        }
    }

    pub(super) fn begin(&mut self, stock: &Stock, identities: Vec<Option<Identity>>) {
        self.pieces.clone_from(&stock.had);
        self.unsynced.extend(&stock.unsettled);
        self.identities = identities;
    }

    /// Whether `now` is the file that was there at the start.
    pub(super) fn is_same(&self, file: FileIndex, now: &Identity) -> bool {
        let place = |identity: &Identity| (identity.inode, identity.device);
        self.identities[file.0 as usize].is_some_and(|before| place(&before) == place(now))
    }
}

impl Target {
    /// The pieces that are here and good, one bit each.
    pub fn had(&self) -> Box<[u8]> {
        self.ledger().pieces.clone()
    }

    /// Bytes of those pieces.
    pub fn good(&self) -> u64 {
        let (had, geometry) = (self.had(), self.torrent.geometry());
        let here = (0..geometry.pieces()).filter(|piece| is_set(&had, *piece as usize));
        here.map(|piece| u64::from(geometry.piece_length(PieceIndex(piece)))).sum()
    }

    /// Whether every piece is here and good.
    pub fn is_complete(&self) -> bool {
        let ledger = self.ledger();
        (0..self.torrent.geometry().pieces()).all(|piece| is_set(&ledger.pieces, piece as usize))
    }

    /// A piece is about to be written. After a pause the note is told so first: only a change soon after it is taken for ours.
    pub(in crate::storage) fn writing(&self) {
        let Some(resume) = &self.resume else { return };
        let mut ledger = self.ledger();
        let stale = ledger.unsynced.is_empty() && ledger.noted.is_some_and(|noted| noted.elapsed() > INTERVAL);
        if stale {
            ledger.noted = Some(Instant::now());
            drop(ledger);
            resume.touch_partial(&self.torrent, &self.content);
        }
    }

    /// All bytes of `piece` are written.
    pub(in crate::storage) fn written(&self, piece: PieceIndex) {
        let mut ledger = self.ledger();
        set(&mut ledger.pieces, piece.0 as usize, true);
        ledger.unsynced.extend(self.spans(piece).filter(|span| !span.padding).map(|span| span.file));
    }

    /// Syncs what was written since the last checkpoint and notes it; does nothing if nothing was. To be called every
    /// [`limits::CHECKPOINT_SECONDS`]. Blocks for the disk; not for threads that run an async runtime.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        if self.resume.is_none() || self.ledger().unsynced.is_empty() {
            return Ok(());
        }
        self.checkpoint_now(true)
    }

    /// Ends the download: syncs and notes what is here. What is complete counts as verified from then on. Nothing may be being
    /// written. Blocks like [`Target::checkpoint`].
    pub fn finish(&self) -> Result<(), CheckpointError> {
        let noted = self.checkpoint_now(false);
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        noted?;
        let Some(resume) = self.resume.as_ref().filter(|_| self.is_complete()) else { return Ok(()) };
        let identities = match self.content.identities() {
            Ok(identities) => identities,
            // an empty file that nobody wanted: not all is as a seeder needs it
            Err(fault) if !self.chosen[fault.file.0 as usize] => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        let replaced = |(file, identity): &(FileIndex, &Identity)| !self.ledger().is_same(*file, identity);
        if let Some((file, _)) = self.content.stored().zip(&identities).find(replaced) {
            return Err(self.content.fault(file, Cause::TakenAway).into());
        }
        resume.keep_verified(&self.disk, &self.torrent, &self.content, &identities)?;
        Ok(resume.remove_partial(&self.torrent, &self.content)?)
    }

    pub(super) fn checkpoint_now(&self, going_on: bool) -> Result<(), CheckpointError> {
        let _one_at_a_time = self.noting.lock();
        let (pieces, unsynced) = {
            let mut ledger = self.ledger();
            if ledger.lost {
                return Err(CheckpointError::Lost);
            }
            (ledger.pieces.clone(), std::mem::take(&mut ledger.unsynced))
        };
        let unsynced: Vec<FileIndex> = unsynced.into_iter().collect();
        // bounded, like the files that are open
        for files in unsynced.chunks(limits::FILES_PER_TARGET / 2) {
            self.sync(files).inspect_err(|_| self.ledger().lost = true)?;
        }
        let Some(resume) = &self.resume else { return Ok(()) };
        let identities = self.ledger().identities.clone();
        let checkpoint = Checkpoint { going_on, pieces, identities };
        resume.keep_partial(&self.disk, &self.torrent, &self.content, &checkpoint)?;
        self.ledger().noted = Some(Instant::now());
        Ok(())
    }

    fn sync(&self, files: &[FileIndex]) -> Result<(), FileFault> {
        let fault = |index: usize, error: io::Error| self.content.fault(files[index], Cause::of_write(error));
        let opened = files.iter().map(|&file| self.file(file)).collect::<Result<Vec<_>, _>>()?;
        // what is written from here on changes the time again, and is not taken for what was there
        let identities =
            opened.iter().enumerate().map(|(index, file)| Identity::of(file).map_err(|error| fault(index, error)));
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        self.disk.sync(opened.iter().map(Arc::clone).collect()).map_err(|(index, error)| fault(index, error))?;
        let mut ledger = self.ledger();
        for (file, identity) in files.iter().zip(identities) {
            ledger.identities[file.0 as usize] = Some(identity);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Target {
    /// As if the last checkpoint were long ago.
    pub(in crate::storage) fn pause_for_tests(&self) {
        self.ledger().noted = Instant::now().checked_sub(2 * INTERVAL);
    }
}
