//! The files that one hasher has open, and reading pieces from them.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::ReadWriteFlags;

use crate::ids::{FileIndex, PieceIndex};
use crate::limits;
use crate::metainfo::Span;
use crate::storage::{Cause, FileFault, Identity, ReadPart};

use super::{CheckError, Task};

/// Bytes of one piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) piece: PieceIndex,
    /// First byte, counted from the piece's start.
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Opens files as they are needed, and only those that are what they were when the run began.
pub(super) struct Files<'a> {
    task: &'a Task<'a>,
    /// The latest last.
    open: Vec<(FileIndex, Arc<File>)>,
}

impl<'a> Files<'a> {
    pub(super) fn new(task: &'a Task<'a>) -> Files<'a> {
        Files { task, open: Vec::with_capacity(limits::FILES_PER_HASHER) }
    }

    /// Fills `buffer` with the bytes of `range`, which is as long. Waits for the disk if it must.
    pub(super) fn read(&mut self, range: Range, buffer: &mut [u8]) -> Result<(), CheckError> {
        let mut rest = buffer;
        for span in self.spans(range) {
            let (here, after) = rest.split_at_mut(usize::try_from(span.length).expect("in memory"));
            rest = after;
            if span.padding {
                here.fill(0);
            } else {
                let read = self.file(span.file)?.read_exact_at(here, span.offset);
                read.map_err(|error| self.fault(span.file, error))?;
            }
        }
        Ok(())
    }

    /// The parts of files that the disk thread has to read for `range`.
    pub(super) fn parts(&mut self, range: Range) -> Result<Vec<ReadPart>, CheckError> {
        let spans = self.spans(range);
        let part = |span: Span| {
            let file = if span.padding { None } else { Some(Arc::clone(self.file(span.file)?)) };
            let length = usize::try_from(span.length).expect("in memory");
            Ok(ReadPart { file, offset: span.offset, length })
        };
        spans.map(part).collect()
    }

    /// Whether the first and the last byte of `range` are in memory. What lies between is likely to be; if not, reading it
    /// takes longer, and that is all.
    pub(super) fn is_warm(&mut self, range: Range) -> Result<bool, CheckError> {
        for at in [range.start, range.start + range.length - 1] {
            let byte = Range { start: at, length: 1, ..range };
            let Some(span) = self.spans(byte).next().filter(|span| !span.padding) else { continue };
            let file = self.file(span.file)?;
            let mut buffer = [0];
            let buffers = &mut [IoSliceMut::new(&mut buffer)];
            // any failure counts as cold: whoever reads it properly gets the proper error
            if !matches!(rustix::io::preadv2(file, buffers, span.offset, ReadWriteFlags::NOWAIT), Ok(1)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What part `index` of `range` failed with.
    pub(super) fn part_fault(&self, range: Range, index: usize, error: io::Error) -> CheckError {
        let span = self.spans(range).nth(index).expect("one part for each span");
        self.fault(span.file, error)
    }

    fn spans(&self, range: Range) -> impl Iterator<Item = Span> + use<'a> {
        let geometry = self.task.geometry;
        let piece = u64::from(range.piece.0) * u64::from(geometry.nominal_piece_length());
        geometry.spans_of(piece + u64::from(range.start), range.length.into())
    }

    fn file(&mut self, file: FileIndex) -> Result<&Arc<File>, CheckError> {
        if let Some(at) = self.open.iter().rposition(|(open, _)| *open == file) {
            return Ok(&self.open[at].1);
        }
        let opened = self.task.content.open(file)?;
        let identity = Identity::of(&opened).map_err(|error| self.fault(file, error))?;
        let expected = self.task.expected.binary_search_by_key(&file, |&(expected, _)| expected);
        if expected.map(|at| self.task.expected[at].1) != Ok(identity) {
            return Err(self.task.content.fault(file, Cause::Changed).into());
        }
        if self.open.len() == limits::FILES_PER_HASHER {
            self.open.remove(0);
        }
        self.open.push((file, Arc::new(opened)));
        Ok(&self.open.last().expect("just pushed").1)
    }

    fn fault(&self, file: FileIndex, error: io::Error) -> CheckError {
        // it was long enough when it was opened
        let changed = error.kind() == io::ErrorKind::UnexpectedEof;
        let cause = if changed { Cause::Changed } else { Cause::Io(error) };
        CheckError::from(FileFault { file, path: self.task.content.path(file), cause })
    }
}
