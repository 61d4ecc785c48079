//! The disk thread's work with plain calls: where io_uring is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread::{self, JoinHandle};

use crossbeam::channel::Receiver;

use super::{Job, Read, ReadAnswer, ReadPart, Write, folder_of};

/// Each keeps one operation in flight: enough for the read-ahead of the kernel to overlap with copying.
const THREADS: usize = 4;

pub(super) fn start(jobs: &Receiver<Job>) -> io::Result<Vec<JoinHandle<()>>> {
    let start_one = |index| {
        let jobs = jobs.clone();
        thread::Builder::new().name(format!("disk-{index}")).spawn(move || serve(&jobs))
    };
    (0..THREADS).map(start_one).collect()
}

fn serve(jobs: &Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Read(asked) => answer(asked),
            Job::Write(asked) => {
                let _ = asked.reply.send(replace(&asked));
            }
        }
    }
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

fn replace(write: &Write) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(write.mode).open(&write.temporary)?;
    let written = file.write_all(&write.bytes).and_then(|()| file.sync_all());
    let written = written.and_then(|()| fs::rename(&write.temporary, &write.path));
    if written.is_err() {
        let _ = fs::remove_file(&write.temporary);
    }
    written?;
    File::open(folder_of(&write.path))?.sync_all()
}
