//! Hashing all of a torrent's content, to make a torrent of it or to see whether it is right.
//!
//! As many hashers as cores take groups of pieces from one list. What they need and is in the page cache they read
//! themselves, a few kilobytes of each piece at a time, so that the bytes are still in the core's cache when they are hashed:
//! this is as fast as it gets, and scales with the cores. What is not in memory they ask the disk thread for, whole pieces in
//! the order on disk and ahead of need.
//!
//! ```text
//!            +-> hasher: group in memory?  yes: read 32 KiB of each piece, hash, read, hash ... -+
//!  pieces ---+                             no:  ask the disk thread, take another group,         +--> digests
//!            +-> hasher ...                     hash what has come                               |
//! ```
//!
//! The content may not change meanwhile: files are compared with what they were when they are opened and once more at the end.

mod ahead;
mod files;
mod hasher;
mod plan;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::hash::{Digest, Engine};
use crate::ids::{FileIndex, PieceIndex};
use crate::metainfo::{Geometry, Metainfo};

use super::{Cause, Content, Disk, FileFault, Identity};

use hasher::Hasher;
use plan::Plan;

/// How to hash, and who watches.
#[derive(Clone, Copy)]
pub struct Checker<'a> {
    /// What computes SHA-1.
    pub engine: Engine,
    /// Reads what is not in memory.
    pub disk: &'a Disk,
    /// How many threads hash, at least one.
    pub threads: usize,
    /// Read everything through the disk thread, even what is in memory.
    pub through_disk: bool,
    /// Is told of every few kilobytes that are done, by the hashing threads.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Set it to end early.
    pub cancel: &'a AtomicBool,
}

/// What a torrent is made of.
#[derive(Clone, Debug)]
pub struct Hashed {
    /// SHA-1 of every piece.
    pub digests: Vec<Digest>,
    /// Of the stored files, in their order.
    pub identities: Vec<Identity>,
}

/// What became of checking content against its torrent.
#[derive(Debug)]
pub struct Report {
    /// Pieces whose bytes are missing or wrong, in order.
    pub bad: Vec<PieceIndex>,
    /// Files that are missing, of another size, or cannot be read.
    pub faults: Vec<FileFault>,
    /// Bytes that were read and hashed.
    pub bytes: u64,
    /// Of the stored files, in their order, if all of them are as they should be.
    pub identities: Option<Vec<Identity>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read, or changed while it was read.
    #[error(transparent)]
    File(#[from] FileFault),
    /// It was told to end.
    #[error("interrupted")]
    Cancelled,
}

impl Report {
    /// Whether the content is all there, and nothing else in its files.
    pub fn is_good(&self) -> bool {
        self.bad.is_empty() && self.faults.is_empty()
    }
}

impl Checker<'_> {
    /// SHA-1 of every piece. All files must be there in full.
    pub fn hash(&self, content: &Content, geometry: &Geometry) -> Result<Hashed, CheckError> {
        let identities = content.identities()?;
        let digests = Mutex::new(vec![[0; 20]; geometry.pieces() as usize]);
        let deliver = |piece: PieceIndex, digest| {
            digests.lock().expect("no hasher panics holding it")[piece.0 as usize] = digest;
        };
        let pieces = (0..geometry.pieces()).map(PieceIndex).collect();
        let expected = content.stored().zip(identities.iter().copied()).collect();
        self.run(&Task { content, geometry, expected, deliver: &deliver }, pieces)?;
        content.compare(&identities)?;
        let digests = digests.into_inner().expect("no hasher panics holding it");
        Ok(Hashed { digests, identities })
    }

    /// Compares content with the hashes of its torrent. Bytes of files that are missing, unreadable or too short make
    /// their pieces bad and are not looked at.
    pub fn verify(&self, content: &Content, torrent: &Metainfo) -> Result<Report, CheckError> {
        let geometry = torrent.geometry();
        let survey = Survey::new(content);
        let absent = survey.absent_pieces(torrent);
        let (mut bad, pieces): (Vec<_>, Vec<_>) =
            (0..geometry.pieces()).map(PieceIndex).partition(|piece| absent[piece.0 as usize]);
        let length = |piece: &PieceIndex| u64::from(geometry.piece_length(*piece));
        (self.progress)(bad.iter().map(length).sum());
        let bytes = pieces.iter().map(length).sum();

        bad.append(&mut self.wrong_among(content, torrent, pieces, survey.present.clone())?);
        bad.sort_unstable();
        let identities =
            survey.faults.is_empty().then(|| survey.present.iter().map(|&(_, identity)| identity).collect());
        Ok(Report { bad, faults: survey.faults, bytes, identities })
    }

    /// Those of `pieces` whose bytes are wrong. All of them are there, in files that are `present`, in order, and stay as they are.
    pub(super) fn wrong_among(
        &self,
        content: &Content,
        torrent: &Metainfo,
        pieces: Vec<PieceIndex>,
        present: Vec<(FileIndex, Identity)>,
    ) -> Result<Vec<PieceIndex>, CheckError> {
        let wrong = Mutex::new(Vec::new());
        let deliver = |piece, digest| {
            if torrent.piece_hash(piece) != Some(digest) {
                wrong.lock().expect("no hasher panics holding it").push(piece);
            }
        };
        let task = Task { content, geometry: torrent.geometry(), expected: present, deliver: &deliver };
        self.run(&task, pieces)?;
        compare(content, &task.expected)?;
        Ok(wrong.into_inner().expect("no hasher panics holding it"))
    }

    fn run(&self, task: &Task<'_>, pieces: Vec<PieceIndex>) -> Result<(), CheckError> {
        let threads = self.threads.max(1);
        let lanes = pieces.len().div_ceil(threads).clamp(1, self.engine.lanes());
        let plan = Plan::new(pieces, task.geometry, lanes);
        let failed = AtomicBool::new(false);
        let work = || {
            let result = Hasher::new(self, task, &plan, &failed).run();
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            result
        };
        thread::scope(|scope| {
            let hashers: Vec<_> = (0..threads.min(plan.groups()).max(1)).map(|_| scope.spawn(work)).collect();
            let results: Vec<_> =
                hashers.into_iter().map(|hasher| hasher.join().expect("hashers do not panic")).collect();
            // a fault says more than the others' having stopped for it
            let (faults, rest): (Vec<_>, Vec<_>) =
                results.into_iter().partition(|result| matches!(result, Err(CheckError::File(_))));
            faults.into_iter().chain(rest).collect()
        })
    }
}

/// What the hashers of one run share.
struct Task<'a> {
    content: &'a Content,
    geometry: &'a Geometry,
    /// The files that may be opened, in order, and what they must be.
    expected: Vec<(FileIndex, Identity)>,
    deliver: &'a (dyn Fn(PieceIndex, Digest) + Sync),
}

/// The files before anything is read.
struct Survey {
    /// Those that can be read, whatever their size.
    present: Vec<(FileIndex, Identity)>,
    faults: Vec<FileFault>,
}

impl Survey {
    fn new(content: &Content) -> Survey {
        let mut survey = Survey { present: Vec::new(), faults: Vec::new() };
        for file in content.stored() {
            match content.identity(file) {
                Ok(identity) => {
                    let (expected, found) = (content.length(file), identity.size);
                    if found != expected {
                        survey.faults.push(content.fault(file, Cause::WrongSize { expected, found }));
                    }
                    survey.present.push((file, identity));
                }
                Err(fault) => survey.faults.push(fault),
            }
        }
        survey
    }

    /// For every piece, whether some of its bytes are known not to be there.
    fn absent_pieces(&self, torrent: &Metainfo) -> Vec<bool> {
        let geometry = torrent.geometry();
        let mut absent = vec![false; geometry.pieces() as usize];
        let mut present = self.present.iter().peekable();
        let mut start = 0;
        for (file, index) in torrent.files().iter().zip(0..) {
            let end = start + file.length();
            let here = present.next_if(|(present, _)| present.0 == index).map(|(_, identity)| identity.size);
            let have = if file.is_padding() { file.length() } else { here.unwrap_or(0) };
            if have < file.length() {
                let piece =
                    |at: u64| usize::try_from(at / u64::from(geometry.nominal_piece_length())).expect("a piece");
                absent[piece(start + have)..=piece(end - 1)].fill(true);
            }
            start = end;
        }
        absent
    }
}

fn compare(content: &Content, present: &[(FileIndex, Identity)]) -> Result<(), FileFault> {
    let changed = |(file, before): &(FileIndex, Identity)| match content.identity(*file) {
        Ok(now) if now == *before => None,
        Ok(_) => Some(content.fault(*file, Cause::Changed)),
        Err(fault) => Some(fault),
    };
    present.iter().find_map(changed).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
