//! The disk thread's work with plain calls: where io_uring is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::Receiver;

use super::{Job, Read, ReadAnswer, ReadPart, Replace, WritePart, folder_of};

/// Each keeps one operation in flight: enough for the read-ahead of the kernel to overlap with copying.
const THREADS: usize = 4;

/// What content is written to. Tests put a disk here that is full, breaks, or loses its power.
pub(in crate::storage) trait Medium: Send + Sync {
    /// Writes some of `bytes`.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes what was written survive a power cut.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The kernel's own.
pub(super) struct Kernel;

impl Medium for Kernel {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

pub(super) fn start(jobs: &Receiver<Job>, medium: &Arc<dyn Medium>) -> io::Result<Vec<JoinHandle<()>>> {
    let start_one = |index| {
        let (jobs, medium) = (jobs.clone(), Arc::clone(medium));
        thread::Builder::new().name(format!("disk-{index}")).spawn(move || serve(&jobs, &*medium))
    };
    (0..THREADS).map(start_one).collect()
}

fn serve(jobs: &Receiver<Job>, medium: &dyn Medium) {
    for job in jobs {
        // an asker that left does not want to know
        match job {
            Job::Read(asked) => answer(asked),
            Job::Sync(asked) => {
                let failed = |(index, file): (usize, &Arc<File>)| medium.sync(file).err().map(|error| (index, error));
                let _ = asked.reply.send(asked.files.iter().enumerate().find_map(failed).map_or(Ok(()), Err));
            }
            Job::Replace(asked) => {
                let _ = asked.reply.send(replace(&asked));
            }
        }
    }
}

pub(super) fn write(bytes: &[u8], parts: &[WritePart], medium: &dyn Medium) -> Result<(), (usize, io::Error)> {
    let failed = |(index, part)| write_part(bytes, part, medium).err().map(|error| (index, error));
    parts.iter().enumerate().find_map(failed).map_or(Ok(()), Err)
}

fn write_part(buffer: &[u8], part: &WritePart, medium: &dyn Medium) -> io::Result<()> {
    let mut written = 0;
    let bytes = &buffer[part.range.clone()];
    while written < bytes.len() {
        match medium.write_at(&part.file, &bytes[written..], part.offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer(mut read: Read) {
    read.buffer.clear();
    let failed = |(index, part)| append(&mut read.buffer, part).err().map(|error| (index, error));
    let result = read.parts.iter().enumerate().find_map(failed).map_or(Ok(()), Err);
    let _ = read.reply.send(ReadAnswer { tag: read.tag, buffer: read.buffer, result });
}

fn append(buffer: &mut Vec<u8>, part: &ReadPart) -> io::Result<()> {
    let start = buffer.len();
    buffer.resize(start + part.length, 0);
    let Some(file) = &part.file else { return Ok(()) };
    file.read_exact_at(&mut buffer[start..], part.offset)
}

fn replace(write: &Replace) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(write.mode).open(&write.temporary)?;
    let written = file.write_all(&write.bytes).and_then(|()| file.sync_all());
    let written = written.and_then(|()| fs::rename(&write.temporary, &write.path));
    if written.is_err() {
        let _ = fs::remove_file(&write.temporary);
    }
    written?;
    File::open(folder_of(&write.path))?.sync_all()
}
