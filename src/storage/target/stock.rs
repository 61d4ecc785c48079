//! Finding out quickly what of a download is here already.
//!
//! By file, compared with the last checkpoint:
//!
//! | the file is | claimed pieces | others |
//! |---|---|---|
//! | exactly what it was | had | not had |
//! | the same but for a change that our own writing explains | had | hashed where it has data |
//! | anything else | hashed where it has data | hashed where it has data |
//!
//! A piece in several files is had when all of them say so. Our own writing explains a change between the checkpoint and a little
//! after it ([`limits::CHECKPOINT_MARGIN_SECONDS`]), if the download went on then. Holes of sparse files are not read: a piece
//! that lies in one is not had.
//!
//! A file that is there before, has bytes other than zero and not one good piece is somebody's, and refused; not so one that an
//! earlier start made, where a crash may have left half a piece. (Without a note of that start it cannot be told apart.)
//!
//! Only looks. A file that is in the way, of any kind, is an error before anything is touched.

use std::fs::File;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ids::{FileIndex, PieceIndex};
use crate::limits;
use crate::metainfo::Metainfo;
use crate::storage::checkpoint::Checkpoint;
use crate::storage::{Cause, CheckError, Checker, FileFault, Identity, ResumeError};

use super::{Target, data, file_index, is_set, set, stored, touched};

/// A usual block of a file system. Where it is larger, a few pieces more are hashed.
const FILE_BLOCK: u64 = 4096;

/// What is here and good.
#[derive(Debug)]
pub struct Stock {
    /// One bit a piece, the first the highest of the first byte (BEP 3).
    pub had: Box<[u8]>,
    /// Bytes that had to be hashed.
    pub hashed: u64,
    /// What could not be recalled from an earlier start. Worth telling, no more.
    pub warnings: Vec<ResumeError>,
    /// By file, padding included.
    pub(super) identities: Vec<Option<Identity>>,
    /// Files with pieces that no checkpoint claims yet.
    pub(super) unsettled: Vec<FileIndex>,
}

/// A file as it was found.
struct Found {
    identity: Identity,
    /// Exactly what it was: claims hold, and nothing was written since.
    settled: bool,
    /// Claims hold.
    trusted: bool,
    /// An earlier start made it.
    ours: bool,
}

/// What earlier starts noted.
#[derive(Default)]
struct Notes {
    /// All of it was right, and has not changed.
    verified: bool,
    /// The last checkpoint, and until when our own writing explains changes.
    partial: Option<(Checkpoint, SystemTime)>,
    warnings: Vec<ResumeError>,
}

/// What is known of the pieces before hashing; one entry each.
struct Known {
    /// Bytes are missing.
    absent: Vec<bool>,
    /// A file does not vouch for claims.
    doubtful: Vec<bool>,
    /// There is data that no checkpoint knows.
    fresh: Vec<bool>,
}

impl Target {
    /// Finds out which pieces are here, hashing as little as can be, and whether all files may be written.
    pub fn take_stock(&self, checker: &Checker<'_>) -> Result<Stock, CheckError> {
        // nothing that is looked at is to change meanwhile
        self.lock()?;
        let notes = self.notes();
        let mut known = Known::nothing(self.torrent.geometry().pieces());
        let mut found: Vec<Option<Found>> = self.torrent.files().iter().map(|_| None).collect();
        for (index, file, start) in stored(&self.torrent) {
            // opened here, closed here: there may be more files than descriptors
            let looked_at = self.look_at(file_index(index), &notes)?;
            known.add(&self.torrent, start..start + file.length(), looked_at.as_ref());
            found[index] = looked_at.map(|(found, _)| found);
        }
        let mut had = notes.claims(self.torrent.geometry().pieces());
        let hashed = self.hash(checker, &known, &found, &mut had)?;
        self.refuse_foreign(&found, &had)?;
        let files = || found.iter().enumerate();
        let unsettled = files().filter(|(_, found)| found.as_ref().is_some_and(|found| !found.settled));
        Ok(Stock {
            had,
            hashed,
            warnings: notes.warnings,
            unsettled: unsettled.map(|(index, _)| file_index(index)).collect(),
            identities: files().map(|(_, found)| found.as_ref().map(|found| found.identity)).collect(),
        })
    }

    fn notes(&self) -> Notes {
        let mut notes = Notes::default();
        let Some(resume) = &self.resume else { return notes };
        match resume.is_verified(&self.torrent, &self.content) {
            Ok(verified) => notes.verified = verified,
            Err(warning) => notes.warnings.push(warning),
        }
        match resume.partial(&self.torrent, &self.content) {
            Ok(partial) => notes.partial = partial,
            Err(warning) => notes.warnings.push(warning),
        }
        notes
    }

    /// `None`: it is not there, or of no use and not to be written either.
    fn look_at(&self, file: FileIndex, notes: &Notes) -> Result<Option<(Found, File)>, FileFault> {
        let chosen = self.chosen[file.0 as usize];
        let opened = if chosen && !notes.verified { self.content.open_to_write(file) } else { self.content.open(file) };
        let opened = opened.and_then(|opened| {
            let identity = Identity::of(&opened).map_err(|error| self.content.fault(file, error.into()))?;
            Ok((opened, identity))
        });
        let (opened, identity) = match opened {
            Ok(opened) => opened,
            Err(fault) if chosen && !matches!(fault.cause, Cause::Missing) => return Err(fault),
            Err(_) => return Ok(None),
        };
        let expected = self.content.length(file);
        if chosen && !self.options.overwrite && identity.size > expected {
            return Err(self.content.fault(file, Cause::Longer { expected, found: identity.size }));
        }
        Ok(Some((notes.compare(file, identity), opened)))
    }

    /// Takes from `had` what is not to be believed, hashes what may be there, and adds what is good. Bytes hashed.
    fn hash(
        &self,
        checker: &Checker<'_>,
        known: &Known,
        found: &[Option<Found>],
        had: &mut [u8],
    ) -> Result<u64, CheckError> {
        let geometry = self.torrent.geometry();
        let mut pieces = Vec::new();
        for (piece, index) in (0..geometry.pieces()).map(|index| (index as usize, PieceIndex(index))) {
            let believed = is_set(had, piece) && !known.doubtful[piece] && !known.absent[piece];
            set(had, piece, believed);
            if !believed && known.fresh[piece] && !known.absent[piece] {
                pieces.push(index);
            }
        }
        let present = found.iter().enumerate();
        let present = present.filter_map(|(index, found)| Some((file_index(index), found.as_ref()?.identity)));
        let wrong = checker.wrong_among(&self.content, &self.torrent, pieces.clone(), present.collect())?;
        pieces.iter().for_each(|piece| set(had, piece.0 as usize, true));
        wrong.iter().for_each(|piece| set(had, piece.0 as usize, false));
        Ok(pieces.iter().map(|&piece| u64::from(geometry.piece_length(piece))).sum())
    }

    /// A file that is to be written, was not made by us, and has nothing of the torrent's, is somebody's.
    fn refuse_foreign(&self, found: &[Option<Found>], had: &[u8]) -> Result<(), FileFault> {
        if self.options.overwrite {
            return Ok(());
        }
        for (index, file, start) in stored(&self.torrent).filter(|&(index, ..)| self.chosen[index]) {
            let Some(found) = found[index].as_ref().filter(|found| !found.ours && !found.settled) else { continue };
            if touched(&self.torrent, start, file.length()).any(|piece| is_set(had, piece)) {
                continue;
            }
            let index = file_index(index);
            let content = data::has_content(&self.content.open(index)?, found.identity.size);
            if content.map_err(|error| self.content.fault(index, error.into()))? {
                return Err(self.content.fault(index, Cause::Foreign));
            }
        }
        Ok(())
    }
}

impl Notes {
    fn claims(&self, pieces: u32) -> Box<[u8]> {
        let mut bits = vec![0; pieces.div_ceil(8) as usize].into_boxed_slice();
        if self.verified {
            (0..pieces).for_each(|piece| set(&mut bits, piece as usize, true));
        } else if let Some((checkpoint, _)) = &self.partial {
            bits.clone_from(&checkpoint.pieces);
        }
        bits
    }

    fn compare(&self, file: FileIndex, identity: Identity) -> Found {
        let before = self.partial.as_ref().and_then(|(checkpoint, _)| checkpoint.identities[file.0 as usize]);
        let ours = before.is_some_and(|before| place(&before) == place(&identity));
        let explained = match (&self.partial, &before) {
            (Some((checkpoint, until)), Some(before)) if ours => {
                checkpoint.going_on && is_between(before, &identity, *until)
            }
            _ => false,
        };
        let settled = self.verified || before == Some(identity);
        Found { identity, settled, trusted: settled || explained, ours }
    }
}

impl Known {
    fn nothing(pieces: u32) -> Known {
        let none = || vec![false; pieces as usize];
        Known { absent: none(), doubtful: none(), fresh: none() }
    }

    /// Adds what the state of a file says, which has the bytes `extent` of the torrent.
    fn add(&mut self, torrent: &Metainfo, extent: Range<u64>, found: Option<&(Found, File)>) {
        let mark = |pieces: &mut [bool], from: u64| {
            pieces[touched(torrent, from, extent.end - from)].fill(true);
        };
        let Some((found, opened)) = found else { return mark(&mut self.absent, extent.start) };
        let here = found.identity.size.min(extent.end - extent.start);
        mark(&mut self.absent, extent.start + here);
        if !found.trusted {
            mark(&mut self.doubtful, extent.start);
        }
        if !found.settled {
            for segment in data::segments(opened, here) {
                let segment = extent.start + segment.start..extent.start + segment.end;
                self.fresh[filled(torrent, &extent, &segment)].fill(true);
            }
        }
    }
}

/// The pieces that were perhaps written, if a file (`extent`) has data in `segment`. A file system keeps whole blocks, so the data
/// of a piece reaches a little into its neighbours: so little is not looked at.
fn filled(torrent: &Metainfo, extent: &Range<u64>, segment: &Range<u64>) -> Range<usize> {
    let nominal = u64::from(torrent.geometry().nominal_piece_length());
    let is_spill = |piece: usize| {
        let whole = extent.start.max(piece as u64 * nominal)..extent.end.min((piece as u64 + 1) * nominal);
        let part = segment.start.max(whole.start)..segment.end.min(whole.end);
        part.end - part.start < FILE_BLOCK.min(whole.end - whole.start)
    };
    let mut pieces = touched(torrent, segment.start, segment.end - segment.start);
    if !pieces.is_empty() && is_spill(pieces.start) {
        pieces.start += 1;
    }
    if !pieces.is_empty() && is_spill(pieces.end - 1) {
        pieces.end -= 1;
    }
    pieces
}

/// What no writing changes, as files have their length from the start.
fn place(identity: &Identity) -> (u64, u64, u64) {
    (identity.size, identity.inode, identity.device)
}

/// Whether the file changed after the checkpoint saw it and before `until`. An earlier time (a copy put in its place with the time it had)
/// is not ours; but one that a power cut set back a little is.
fn is_between(before: &Identity, now: &Identity, until: SystemTime) -> bool {
    let time = |identity: &Identity| {
        let seconds = u64::try_from(identity.modified).ok()?;
        let nanos = u32::try_from(identity.modified_nanos).ok()?;
        UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    };
    let (Some(before), Some(now)) = (time(before), time(now)) else { return false };
    before <= now + Duration::from_secs(limits::CHECKPOINT_MARGIN_SECONDS) && now <= until
}
