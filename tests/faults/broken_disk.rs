//! A file system whose disk breaks when told to: EIO, no space, no answer at all. For real, so far as programs can tell: the kernel asks
//! this process by FUSE, and it answers from a folder elsewhere, or does not.
//!
//! As much of the protocol of `/dev/fuse` (fuse(4), linux/fuse.h) as a daemon and its files need. Nothing is cached, so every look is asked
//! for; pages of files are, as on any disk, until [`BrokenDisk::set`] drops them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, Mode};
use rustix::io::{Errno, FdFlags};

use crate::process::run;

/// What the disk does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    /// As disks should.
    Well,
    /// Whatever moves bytes of files, or lists them, answers this.
    Refuses(Errno),
    /// What reads files answers this; all else is as it should be. So do worn disks.
    RefusesReads(Errno),
    /// Whatever writes answers this.
    RefusesWrites(Errno),
    /// Nothing is answered until it is in another mood.
    Hangs,
}

/// A mounted one; unmounted when dropped.
pub(crate) struct BrokenDisk {
    shared: Arc<Shared>,
    /// Where programs find it.
    pub(crate) path: PathBuf,
    /// Where its files really are: tests look here.
    pub(crate) behind: PathBuf,
}

struct Shared {
    mood: Mutex<Mood>,
    changed: Condvar,
    device: File,
    nodes: Mutex<HashMap<u64, PathBuf>>,
    bytes_read: AtomicU64,
    slow_writes: AtomicBool,
}

struct Server {
    shared: Arc<Shared>,
    behind: PathBuf,
    open: HashMap<u64, File>,
    next: u64,
}

/// Bytes of an answer.
type Answer = Result<Option<Vec<u8>>, Errno>;

const ROOT: u64 = 1;
const MAX_WRITE: u32 = 128 * 1024;

impl BrokenDisk {
    /// Whether this kernel has FUSE; if not, that is said.
    pub(crate) fn can_be() -> bool {
        let is_there = File::options().read(true).write(true).open("/dev/fuse").is_ok();
        assert!(is_there || std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(), "there is no /dev/fuse");
        if !is_there {
            eprintln!("SKIPPED: there is no /dev/fuse");
        }
        is_there
    }

    /// One at `folder/name`, its files in `folder/behind-name`.
    pub(crate) fn new(folder: &Path, name: &str) -> BrokenDisk {
        let (path, behind) = (folder.join(name), folder.join(format!("behind-{name}")));
        fs::create_dir_all(&path).expect("made");
        fs::create_dir_all(&behind).expect("made");
        fs::set_permissions(&behind, fs::Permissions::from_mode(0o777)).expect("ours");
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("FUSE in this kernel");
        rustix::io::fcntl_setfd(&device, FdFlags::empty()).expect("a descriptor");
        let options =
            format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", device.as_raw_fd());
        run("mount", &["-i", "-t", "fuse", "-o", &options, "broken", path.to_str().expect("UTF-8")]);
        rustix::io::fcntl_setfd(&device, FdFlags::CLOEXEC).expect("a descriptor");
        let nodes = Mutex::new(HashMap::from([(ROOT, behind.clone())]));
        let (mood, changed) = (Mutex::new(Mood::Well), Condvar::new());
        let (bytes_read, slow_writes) = (AtomicU64::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { mood, changed, device, nodes, bytes_read, slow_writes });
        let mut server = Server { shared: shared.clone(), behind: behind.clone(), open: HashMap::new(), next: 1 };
        std::thread::spawn(move || server.serve());
        BrokenDisk { shared, path, behind }
    }

    /// Puts it into another mood. What is in the page cache is dropped, so that the disk is asked.
    pub(crate) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().expect("no panic") = mood;
        self.shared.changed.notify_all();
        if mood != Mood::Hangs {
            self.drop_pages();
        }
    }

    /// Bytes of files that were asked for.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.shared.bytes_read.load(Ordering::Relaxed)
    }

    /// Writes take their time, so that something can happen meanwhile.
    pub(crate) fn set_slow_writes(&self, slow: bool) {
        self.shared.slow_writes.store(slow, Ordering::Relaxed);
    }

    fn drop_pages(&self) {
        let nodes: Vec<u64> = self.shared.nodes.lock().expect("no panic").keys().copied().collect();
        for node in nodes {
            // FUSE_NOTIFY_INVAL_INODE; ENOENT for those that the kernel does not know any more
            let words = [(16u64 + 24) | (2 << 32), 0, node, 0, 0];
            let _ = (&self.shared.device).write(&words.map(u64::to_le_bytes).concat());
        }
    }
}

impl Drop for BrokenDisk {
    fn drop(&mut self) {
        *self.shared.mood.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Mood::Well;
        self.shared.changed.notify_all();
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

impl Server {
    fn serve(&mut self) {
        let mut buffer = vec![0; MAX_WRITE as usize + 4096];
        loop {
            // what is not even read can be interrupted: whoever waits for it can be killed
            self.wait();
            let length = match (&self.shared.device).read(&mut buffer) {
                Ok(length) => length,
                Err(error) if matches!(error.raw_os_error(), Some(2 | 4 | 11)) => continue,
                // unmounted
                Err(_) => return,
            };
            let request = Request(&buffer[..length]);
            let (operation, unique) = (request.u32(4), request.u64(8));
            let mood = *self.shared.mood.lock().expect("no panic");
            let answer = match refusal(mood, operation) {
                Some(errno) => Err(errno),
                None => self.answer(operation, &request),
            };
            let (error, body) = match answer {
                Ok(Some(body)) => (0, body),
                Ok(None) => continue,
                Err(errno) => (-errno.raw_os_error(), Vec::new()),
            };
            let mut reply = u32::try_from(16 + body.len()).expect("short").to_le_bytes().to_vec();
            reply.extend(error.to_le_bytes());
            reply.extend(unique.to_le_bytes());
            reply.extend(body);
            // nobody may wait for it any more
            let _ = (&self.shared.device).write(&reply);
        }
    }

    /// Until there is a request, and a mood to answer it.
    fn wait(&self) {
        let mut ready = [PollFd::new(&self.shared.device, PollFlags::IN)];
        let _ = rustix::event::poll(&mut ready, None);
        let mut mood = self.shared.mood.lock().expect("no panic");
        while *mood == Mood::Hangs {
            mood = self.shared.changed.wait(mood).expect("no panic");
        }
    }

    fn answer(&mut self, operation: u32, request: &Request<'_>) -> Answer {
        let node = self.node(request.u64(16))?;
        let body = |at: usize| request.u64(HEAD + at);
        let named = |at: usize| Ok::<PathBuf, Errno>(node.join(std::ffi::OsStr::from_bytes(request.text(at))));
        match operation {
            INIT => Ok(Some(init())),
            FORGET | BATCH_FORGET | INTERRUPT => Ok(None),
            LOOKUP => self.entry(&named(0)?),
            GETATTR => attributes(&node).map(|attributes| Some(still(attributes))),
            SETATTR => self.change(&node, request),
            OPEN | OPENDIR => {
                let opened = match operation {
                    OPENDIR => File::open(&node),
                    _ => File::options().read(true).write(request.u32(HEAD) & 3 != 0).open(&node),
                };
                Ok(Some(self.keep(opened.map_err(errno)?)))
            }
            READ => {
                let mut bytes = vec![0; request.u32(HEAD + 16) as usize];
                let read = self.file(body(0))?.read_at(&mut bytes, body(8)).map_err(errno)?;
                bytes.truncate(read);
                self.shared.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
                Ok(Some(bytes))
            }
            WRITE => {
                if self.shared.slow_writes.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(200));
                }
                let bytes = &request.0[HEAD + 40..];
                self.file(body(0))?.write_all_at(bytes, body(8)).map_err(errno)?;
                Ok(Some((bytes.len() as u64).to_le_bytes().to_vec()))
            }
            STATFS => Ok(Some(self.space()?)),
            RELEASE | RELEASEDIR => {
                self.open.remove(&body(0));
                Ok(Some(Vec::new()))
            }
            FSYNC | FSYNCDIR => Ok(Some(Vec::new())),
            LINK => {
                let path = named(8)?;
                fs::hard_link(self.node(body(0))?, &path).map_err(errno)?;
                self.entry(&path)
            }
            READDIR => Ok(Some(list(&node, body(8), request.u32(HEAD + 16) as usize)?)),
            CREATE => {
                let path = named(16)?;
                let mut options = File::options();
                options.read(true).write(true).create(true).mode(request.u32(HEAD + 4));
                let opened = options.open(&path).map_err(errno)?;
                let mut answer = self.entry(&path)?.unwrap_or_default();
                answer.extend(self.keep(opened));
                Ok(Some(answer))
            }
            MKNOD => {
                let (path, mode) = (named(16)?, request.u32(HEAD));
                let kind = FileType::from_raw_mode(mode);
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, Mode::from_raw_mode(mode), 0)?;
                self.entry(&path)
            }
            MKDIR => {
                let path = named(8)?;
                fs::create_dir(&path).map_err(errno)?;
                self.entry(&path)
            }
            UNLINK => fs::remove_file(named(0)?).map(|()| Some(Vec::new())).map_err(errno),
            RMDIR => fs::remove_dir(named(0)?).map(|()| Some(Vec::new())).map_err(errno),
            RENAME | RENAME2 => self.rename(&node, request, if operation == RENAME { 8 } else { 16 }),
            // the kernel does without; FLUSH is among these, so that closing a file waits for no disk, as elsewhere
            _ => Err(Errno::NOSYS),
        }
    }

    fn node(&self, number: u64) -> Result<PathBuf, Errno> {
        // requests about no node have 0
        let number = if number == 0 { ROOT } else { number };
        self.shared.nodes.lock().expect("no panic").get(&number).cloned().ok_or(Errno::STALE)
    }

    fn file(&self, handle: u64) -> Result<&File, Errno> {
        self.open.get(&handle).ok_or(Errno::BADF)
    }

    fn keep(&mut self, opened: File) -> Vec<u8> {
        self.next += 1;
        self.open.insert(self.next, opened);
        [self.next, 0].map(u64::to_le_bytes).concat()
    }

    fn entry(&self, path: &Path) -> Answer {
        let attributes = attributes(path)?;
        let node = u64::from_le_bytes(attributes[..8].try_into().expect("eight bytes"));
        self.shared.nodes.lock().expect("no panic").insert(node, path.to_owned());
        let head = [node, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
        Ok(Some([head, attributes].concat()))
    }

    fn change(&self, node: &Path, request: &Request<'_>) -> Answer {
        let valid = request.u32(HEAD);
        if valid & 8 != 0 {
            let file = File::options().write(true).open(node).map_err(errno)?;
            file.set_len(request.u64(HEAD + 16)).map_err(errno)?;
        }
        if valid & 1 != 0 {
            fs::set_permissions(node, fs::Permissions::from_mode(request.u32(HEAD + 68) & 0o7777)).map_err(errno)?;
        }
        if valid & 32 != 0 {
            let seconds = Duration::new(request.u64(HEAD + 40), request.u32(HEAD + 60));
            let file = File::options().write(true).open(node).map_err(errno)?;
            file.set_modified(std::time::UNIX_EPOCH + seconds).map_err(errno)?;
        }
        attributes(node).map(|attributes| Some(still(attributes)))
    }

    fn rename(&self, node: &Path, request: &Request<'_>, at: usize) -> Answer {
        let (old, new_folder) = (request.text(at), self.node(request.u64(HEAD))?);
        let new = request.text(at + old.len() + 1);
        let join = |folder: &Path, name: &[u8]| folder.join(std::ffi::OsStr::from_bytes(name));
        let (from, to) = (join(node, old), join(&new_folder, new));
        let no_replace = at == 16 && request.u32(HEAD + 8) & 1 != 0;
        if no_replace && to.exists() {
            return Err(Errno::EXIST);
        }
        fs::rename(&from, &to).map_err(errno)?;
        let mut nodes = self.shared.nodes.lock().expect("no panic");
        for path in nodes.values_mut() {
            if let Ok(rest) = path.strip_prefix(&from) {
                *path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            }
        }
        Ok(Some(Vec::new()))
    }

    fn space(&self) -> Result<Vec<u8>, Errno> {
        let space = rustix::fs::statvfs(&self.behind)?;
        let counts = [space.f_blocks, space.f_bfree, space.f_bavail, space.f_files, space.f_ffree];
        let sizes = [space.f_bsize, 255, space.f_frsize, 0].map(|size| u32::try_from(size).expect("small"));
        let sizes: Vec<u8> = sizes.into_iter().chain([0; 6]).flat_map(u32::to_le_bytes).collect();
        Ok([counts.map(u64::to_le_bytes).concat(), sizes].concat())
    }
}

/// What `mood` answers to `operation` by itself.
fn refusal(mood: Mood, operation: u32) -> Option<Errno> {
    let writes = matches!(operation, WRITE | CREATE | MKDIR | SETATTR | FSYNC | RENAME | RENAME2);
    let reads = matches!(operation, READ | READDIR | OPEN | OPENDIR);
    match mood {
        Mood::Refuses(errno) if reads || writes => Some(errno),
        Mood::RefusesReads(errno) if operation == READ => Some(errno),
        Mood::RefusesWrites(errno) if writes => Some(errno),
        _ => None,
    }
}

/// A request as the kernel writes it.
struct Request<'a>(&'a [u8]);

impl Request<'_> {
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64(&self, at: usize) -> u64 {
        self.0.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// The name that begins `at` bytes after the head.
    fn text(&self, at: usize) -> &[u8] {
        self.0[HEAD + at..].split(|byte| *byte == 0).next().expect("one at least")
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn init() -> Vec<u8> {
    // version 7.31; writes of more than a page; changed files lose their pages
    let flags = (1u32 << 5) | (1 << 12);
    let words = [7, 31, MAX_WRITE, flags, (16 << 16) | 16, MAX_WRITE, 1];
    words.into_iter().chain([0; 9]).flat_map(u32::to_le_bytes).collect()
}

fn attributes(path: &Path) -> Result<Vec<u8>, Errno> {
    let about = path.symlink_metadata().map_err(errno)?;
    let seconds = [about.atime(), about.mtime(), about.ctime()].map(|time| u64::try_from(time).unwrap_or(0));
    let nanos =
        [about.atime_nsec(), about.mtime_nsec(), about.ctime_nsec()].map(|nanos| u32::try_from(nanos).unwrap_or(0));
    let long = [about.ino(), about.size(), about.blocks(), seconds[0], seconds[1], seconds[2]];
    let links = u32::try_from(about.nlink()).expect("few");
    let short = [nanos[0], nanos[1], nanos[2], about.mode(), links, about.uid(), about.gid(), 0, 4096, 0];
    Ok([long.map(u64::to_le_bytes).concat(), short.map(u32::to_le_bytes).concat()].concat())
}

/// Attributes that hold for no time.
fn still(attributes: Vec<u8>) -> Vec<u8> {
    [vec![0; 16], attributes].concat()
}

fn list(folder: &Path, offset: u64, room: usize) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    let entries = fs::read_dir(folder).map_err(errno)?.flatten();
    for (at, entry) in (1u64..).zip(entries).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
        let name = entry.file_name();
        let kind = if entry.path().is_dir() { 4u32 } else { 8 };
        let number = entry.metadata().map_or(0, |about| about.ino());
        let mut record = [number, at].map(u64::to_le_bytes).concat();
        record.extend(u32::try_from(name.len()).expect("short").to_le_bytes());
        record.extend(kind.to_le_bytes());
        record.extend(name.as_bytes());
        record.resize(record.len().next_multiple_of(8), 0);
        if out.len() + record.len() > room {
            break;
        }
        out.extend(record);
    }
    Ok(out)
}

/// Bytes of a request before what belongs to its operation.
const HEAD: usize = 40;
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const MKNOD: u32 = 8;
const MKDIR: u32 = 9;
const UNLINK: u32 = 10;
const RMDIR: u32 = 11;
const RENAME: u32 = 12;
const LINK: u32 = 13;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const FSYNCDIR: u32 = 30;
const CREATE: u32 = 35;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
const RENAME2: u32 = 45;
