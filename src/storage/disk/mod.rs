//! The disk thread: whatever may wait for a disk, away from those who must not wait.
//!
//! One thread runs tokio-uring and keeps up to [`limits::DISK_DEPTH`] operations in flight. Where io_uring is refused (the
//! default seccomp profile of containers, `kernel.io_uring_disabled`) or too old, a few threads do the same with plain
//! calls. Which it is shows at start, in [`Disk::describe`].
//!
//! Reads take their buffer with them and bring it back, so memory is bounded by the buffers that the askers own. Their answers always
//! fit: a channel as long as the asker's buffers never blocks the disk thread. Asking blocks when the queue is full. Buffers registered
//! with the ring were left out: they cannot leave their thread, and a copy to the hashers costs more than they save. Content is written
//! by whoever has it in hand (see [`Disk::write`]); syncing it, which does wait for the disk, happens here.

#[cfg(test)]
pub(super) mod faults;
mod plain;
mod ring;

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel;
use tokio::sync::mpsc;

use crate::limits;

/// Which way to use.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum DiskMode {
    /// io_uring where the kernel lets us, else plain calls.
    #[default]
    Auto,
    /// Plain calls on a few threads.
    Plain,
}

/// A handle to the disk thread. Dropping it waits until all that was asked for is done.
pub struct Disk {
    jobs: Option<Jobs>,
    threads: Vec<JoinHandle<()>>,
    medium: Arc<dyn plain::Medium>,
    description: String,
}

/// Bytes to read.
#[derive(Debug)]
pub struct Read {
    /// What to read, one after another.
    pub parts: Vec<ReadPart>,
    /// Where to: cleared first.
    pub buffer: Vec<u8>,
    /// What the asker knows it by.
    pub tag: u64,
    /// Where the answer goes. Must have room for all that its owner asks for.
    pub reply: channel::Sender<ReadAnswer>,
}

/// A part of one file, or zeros.
#[derive(Clone, Debug)]
pub struct ReadPart {
    /// `None`: zeros that are on no disk.
    pub file: Option<Arc<File>>,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: usize,
}

/// The answer to a [`Read`].
#[derive(Debug)]
pub struct ReadAnswer {
    /// That of the question.
    pub tag: u64,
    /// The bytes that were read, in the buffer of the question.
    pub buffer: Vec<u8>,
    /// `Err`: which part failed and why; [`io::ErrorKind::UnexpectedEof`] if the file ends before it.
    pub result: Result<(), (usize, io::Error)>,
}

/// Bytes for one file.
#[derive(Clone, Debug)]
pub struct WritePart {
    /// Where to.
    pub file: Arc<File>,
    /// First byte in the file.
    pub offset: u64,
    /// Which bytes of the buffer.
    pub range: Range<usize>,
}

#[derive(Debug)]
enum Job {
    Read(Read),
    Sync(Sync),
    Replace(Replace),
}

/// Files whose bytes are to survive a power cut.
#[derive(Debug)]
struct Sync {
    files: Vec<Arc<File>>,
    reply: channel::Sender<Result<(), (usize, io::Error)>>,
}

/// A file to replace.
#[derive(Debug)]
struct Replace {
    path: PathBuf,
    /// Beside it, on the same file system.
    temporary: PathBuf,
    bytes: Vec<u8>,
    mode: u32,
    reply: channel::Sender<io::Result<()>>,
}

#[derive(Debug)]
enum Jobs {
    Ring(mpsc::Sender<Job>),
    Plain(channel::Sender<Job>),
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("description", &self.description).finish_non_exhaustive()
    }
}

impl Disk {
    /// Starts the thread, or those that stand in for it.
    pub fn start(mode: DiskMode) -> io::Result<Disk> {
        let refused = match mode {
            DiskMode::Auto => match Disk::start_ring() {
                Ok(disk) => return Ok(disk),
                Err(error) => format!("io_uring refused: {error}"),
            },
            DiskMode::Plain => "as asked for".to_owned(),
        };
        Disk::start_plain(&refused, &(Arc::new(plain::Kernel) as Arc<dyn plain::Medium>))
    }

    fn start_plain(refused: &str, medium: &Arc<dyn plain::Medium>) -> io::Result<Disk> {
        let (sender, receiver) = channel::bounded(limits::DISK_DEPTH as usize);
        let threads = plain::start(&receiver, medium)?;
        let description = format!("plain reads on {} threads ({refused})", threads.len());
        Ok(Disk { jobs: Some(Jobs::Plain(sender)), threads, medium: Arc::clone(medium), description })
    }

    fn start_ring() -> io::Result<Disk> {
        let (sender, receiver) = mpsc::channel(limits::DISK_DEPTH as usize);
        let thread = ring::start(receiver)?;
        let description = format!("io_uring, {} operations deep", limits::DISK_DEPTH);
        let medium = Arc::new(plain::Kernel);
        Ok(Disk { jobs: Some(Jobs::Ring(sender)), threads: vec![thread], medium, description })
    }

    /// Which way was chosen and why, for the operator.
    pub fn describe(&self) -> &str {
        &self.description
    }

    /// Asks for bytes. Blocks while the queue is full; not for threads that run an async runtime.
    pub fn read(&self, read: Read) {
        self.ask(Job::Read(read));
    }

    /// Writes parts of `bytes`, on the calling thread; not for threads that run an async runtime. All of them are written, or the error
    /// says which part was not and why; those before it are. Such a write is a copy into the page cache of what the caller's
    /// processor still has in its own. Through the ring it would be handed on twice: ext4 and most other file systems have no
    /// buffered writes that do not wait, so io_uring gives each to a worker thread.
    pub fn write(&self, bytes: &[u8], parts: &[WritePart]) -> Result<(), (usize, io::Error)> {
        plain::write(bytes, parts, &*self.medium)
    }

    /// Makes what was written to `files` survive a power cut (fdatasync). On an error the index says whose bytes may be lost, for
    /// good: asking again would say that all is well. Blocks until done; not for threads that run an async runtime.
    pub fn sync(&self, files: Vec<Arc<File>>) -> Result<(), (usize, io::Error)> {
        let (reply, answer) = channel::bounded(1);
        self.ask(Job::Sync(Sync { files, reply }));
        answer.recv().unwrap_or_else(|_| Err((0, io::Error::other("the disk thread is gone"))))
    }

    /// Replaces `path` by `bytes`: whatever happens, the file is the old or the new one, and once this returns the new one
    /// survives a power cut. `mode` is that of a new file (minus the process's mask). Blocks until done; not for threads that run
    /// an async runtime.
    pub fn write_atomically(&self, path: &Path, bytes: Vec<u8>, mode: u32) -> io::Result<()> {
        let (reply, answer) = channel::bounded(1);
        let temporary = temporary_beside(path)?;
        self.ask(Job::Replace(Replace { path: path.to_owned(), temporary, bytes, mode, reply }));
        answer.recv().map_err(|_| io::Error::other("the disk thread is gone"))?
    }

    fn ask(&self, job: Job) {
        let asked = match self.jobs.as_ref().expect("there until dropped") {
            Jobs::Ring(sender) => sender.blocking_send(job).is_ok(),
            Jobs::Plain(sender) => sender.send(job).is_ok(),
        };
        assert!(asked, "the disk thread lives as long as its handle");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.jobs = None;
        // an answer that held the last handle is dropped on the disk thread, which ends by itself
        let here = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != here) {
            // a panic there was reported by the thread itself
            let _ = thread.join();
        }
    }
}

/// A name that no other writer takes: hidden, with our process id and a count.
fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{}.new", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(temporary))
}

/// The folder to sync once `path` has a new file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
