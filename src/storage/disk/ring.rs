//! The disk thread on io_uring.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use io_uring::{IoUring, Probe, opcode};
use tokio::sync::{Semaphore, mpsc};
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::{self, OpenOptions};

use crate::limits;

use super::{Job, Read, ReadAnswer, ReadPart, Replace, folder_of};

/// Starts the thread. Fails if the kernel refuses a ring or an operation that is used here.
pub(super) fn start(jobs: mpsc::Receiver<Job>) -> io::Result<JoinHandle<()>> {
    probe()?;
    let (started, wait) = crossbeam::channel::bounded(1);
    let run = move || {
        let mut builder = tokio_uring::builder();
        match tokio_uring::Runtime::new(builder.entries(limits::DISK_DEPTH)) {
            Ok(runtime) => {
                let _ = started.send(Ok(()));
                runtime.block_on(serve(jobs));
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    };
    let thread = thread::Builder::new().name("disk".into()).spawn(run)?;
    wait.recv().map_err(io::Error::other)??;
    Ok(thread)
}

fn probe() -> io::Result<()> {
    let ring = IoUring::new(2)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let needed = [opcode::OpenAt::CODE, opcode::Read::CODE, opcode::Write::CODE, opcode::Fsync::CODE];
    let needed = needed.into_iter().chain([opcode::RenameAt::CODE, opcode::UnlinkAt::CODE, opcode::Close::CODE]);
    match needed.into_iter().find(|&operation| !probe.is_supported(operation)) {
        Some(operation) => Err(io::Error::other(format!("the kernel lacks operation {operation}"))),
        None => Ok(()),
    }
}

async fn serve(mut jobs: mpsc::Receiver<Job>) {
    let depth = Arc::new(Semaphore::new(limits::DISK_DEPTH as usize));
    while let Ok(slot) = Arc::clone(&depth).acquire_owned().await {
        let Some(job) = jobs.recv().await else { break };
        tokio_uring::spawn(async move {
            // an asker that left does not want to know
            match job {
                Job::Read(asked) => answer(asked).await,
                Job::Sync(asked) => {
                    let _ = asked.reply.send(sync(&asked.files).await);
                }
                Job::Replace(mut asked) => {
                    let replaced = replace(&mut asked).await;
                    let _ = asked.reply.send(replaced);
                }
            }
            drop(slot);
        });
    }
    // nobody asks any more; what is in flight holds the slots
    let _all = depth.acquire_many(limits::DISK_DEPTH).await;
}

async fn answer(read: Read) {
    let mut buffer = read.buffer;
    buffer.clear();
    let mut result = Ok(());
    for (index, part) in read.parts.iter().enumerate() {
        let (done, returned) = append(buffer, part).await;
        buffer = returned;
        if let Err(error) = done {
            result = Err((index, error));
            break;
        }
    }
    let _ = read.reply.send(ReadAnswer { tag: read.tag, buffer, result });
}

/// Reads `part` to the end of `buffer`.
async fn append(mut buffer: Vec<u8>, part: &ReadPart) -> (io::Result<()>, Vec<u8>) {
    let end = buffer.len() + part.length;
    let Some(file) = &part.file else {
        buffer.resize(end, 0);
        return (Ok(()), buffer);
    };
    let file = match own(file) {
        Ok(file) => file,
        Err(error) => return (Err(error), buffer),
    };
    buffer.reserve_exact(part.length);
    let mut offset = part.offset;
    while buffer.len() < end {
        let start = buffer.len();
        let (read, slice) = file.read_at(buffer.slice(start..end), offset).await;
        buffer = slice.into_inner();
        match read {
            Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buffer),
            Ok(bytes) => offset += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (Err(error), buffer),
        }
    }
    (Ok(()), buffer)
}

async fn sync(files: &[Arc<File>]) -> Result<(), (usize, io::Error)> {
    for (index, file) in files.iter().enumerate() {
        let synced = match own(file) {
            Ok(file) => file.sync_data().await,
            Err(error) => Err(error),
        };
        synced.map_err(|error| (index, error))?;
    }
    Ok(())
}

/// A descriptor of its own, as tokio-uring closes what it is given: 0.3 us, once for up to a mebibyte.
fn own(file: &File) -> io::Result<fs::File> {
    file.try_clone().map(fs::File::from_std)
}

async fn replace(write: &mut Replace) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(write.mode).open(&write.temporary).await?;
    let written = fill(file, write).await;
    if written.is_err() {
        let _ = fs::remove_file(&write.temporary).await;
    }
    written?;
    let folder = fs::File::open(folder_of(&write.path)).await?;
    folder.sync_all().await?;
    folder.close().await
}

async fn fill(file: fs::File, write: &mut Replace) -> io::Result<()> {
    let (written, _) = file.write_all_at(mem::take(&mut write.bytes), 0).await;
    written?;
    file.sync_all().await?;
    file.close().await?;
    fs::rename(&write.temporary, &write.path).await
}
