//! Is what a chunk needs in memory? Asked before every send, because a page fault inside a send would stall every peer
//! of that reactor.
//!
//! `cachestat` (Linux 6.5) counts cached pages in half a microsecond, but also those whose reading is still under way, on
//! which a send would wait. `mincore` knows the difference and takes three to fourteen times as long. So a window is asked
//! about with `mincore` until that has once found it read in, and with `cachestat` from then on. Both hide the truth
//! from a process that neither owns the file nor may write it; `cachestat` says so (EPERM), and then every range counts as
//! cold: paging in what is already there costs a few microseconds on another thread.
//!
//! Where the page cache is made of small folios even `cachestat` takes 2.5 us for a chunk, 6 % of the reactor's time. So
//! while nothing at all has been found cold for ten seconds, memory is not short, and a window found warm is not asked about
//! again within the same second.
//!
//! Unsafe: two system calls that fill a buffer on the stack which outlives the call and has the size that they are told.
#![expect(unsafe_code, reason = "mincore and cachestat have no safe wrapper")]

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::clock::Time;
use crate::ids::{FileIndex, TorrentId};
use crate::limits::CHUNK;
use crate::storage::{MappedFile, Parts};

/// Bytes that are paged in at once, and their alignment in the file.
pub const WINDOW: usize = CHUNK as usize;
/// Without a cold window for this long, warm ones are taken to stay warm for up to a second.
const CALM: Duration = Duration::from_secs(10);
/// Smallest page of any architecture: bounds the answer of `mincore`.
const PAGE_MIN: usize = 4096;
/// `cachestat`, the same number on every architecture (include/uapi/asm-generic/unistd.h); libc has no name for it.
const SYS_CACHESTAT: libc::c_long = 451;

/// How a reactor asks about residency; probed once.
#[derive(Debug)]
pub struct Residency {
    cachestat: bool,
    /// When something was last found cold.
    cold_at: Option<Time>,
    /// The kernel has refused to tell us about a file.
    refused: bool,
}

/// A window of a file that is to be paged in before a chunk may go out. Holds the map, so the address stays valid until
/// it is dropped; may go to another thread.
#[derive(Clone, Debug)]
pub struct ColdRange {
    file: Arc<MappedFile>,
    offset: usize,
    length: usize,
    cold_bytes: u64,
}

impl ColdRange {
    /// Bytes that were not in memory when it was looked at; 0 where nobody may tell us.
    pub fn cold_bytes(&self) -> u64 {
        self.cold_bytes
    }

    /// What `madvise` takes: page-aligned.
    pub fn address(&self) -> *const u8 {
        self.file.address(self.offset as u64)
    }

    /// Bytes, up to [`WINDOW`]; fewer at the end of the file.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Torrent, file and window: equal for equal ranges.
    pub fn key(&self) -> (TorrentId, FileIndex, usize) {
        (self.file.torrent(), self.file.index(), self.offset / WINDOW)
    }

    /// Pages the range in; blocks for the disk. EFAULT: the file lost these bytes, or the disk cannot read them.
    pub fn populate(&self) -> io::Result<()> {
        match self.file.populate(self.offset, self.length) {
            // before Linux 5.14: reading brings the pages in too
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => self.read(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.populate(),
            done => done,
        }
    }

    fn read(&self) -> io::Result<()> {
        let mut sink = vec![0; self.length];
        let read = self.file.file().read_exact_at(&mut sink, self.offset as u64);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Errno::FAULT.into(),
            _ => error,
        })
    }
}

/// Page offsets of a contiguous part of one file.
#[derive(Clone, Copy)]
struct Stretch {
    file: u16,
    start: usize,
    end: usize,
}

impl Residency {
    /// Asks the kernel whether it knows `cachestat`.
    pub fn new() -> Residency {
        // a bad descriptor: EBADF from a kernel that has the call, ENOSYS (or a filter's EPERM) from one that has not
        let known = matches!(cachestat(-1, 0, 1), Err(Errno::BADF));
        Residency { cachestat: known, cold_at: None, refused: false }
    }

    /// One that goes without `cachestat`.
    pub fn with_mincore() -> Residency {
        Residency { cachestat: false, cold_at: None, refused: false }
    }

    /// Appends to `out` the windows that hold cold bytes of `parts`, each once; nothing if all is warm. Where memory is short
    /// the answer could be "cold" for ever, and is so where [`Residency::is_refused`]: the caller asks a bounded number of times.
    pub fn cold_ranges(&mut self, parts: &Parts, now: Time, out: &mut Vec<ColdRange>) {
        let mut joined: Option<Stretch> = None;
        for part in parts.list() {
            let Some(file) = part.file else { continue };
            let base = parts.files()[usize::from(file)].address(0);
            let start = part.address.addr() - base.addr();
            let end = start + part.length;
            match &mut joined {
                Some(stretch) if stretch.file == file && stretch.end == start => stretch.end = end,
                _ => {
                    if let Some(done) = joined.replace(Stretch { file, start, end }) {
                        self.check(&parts.files()[usize::from(done.file)], done, now, out);
                    }
                }
            }
        }
        if let Some(done) = joined {
            self.check(&parts.files()[usize::from(done.file)], done, now, out);
        }
    }

    /// Whether there are files that the kernel tells us nothing about: what was paged in is then to be taken for warm.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    fn check(&mut self, file: &Arc<MappedFile>, stretch: Stretch, now: Time, out: &mut Vec<ColdRange>) {
        let windows = stretch.start / WINDOW..stretch.end.div_ceil(WINDOW);
        let second = now.0 / 1_000_000;
        let calm = self.cold_at.is_none_or(|cold_at| now.since(cold_at) >= CALM);
        if calm && windows.clone().all(|window| file.is_recent(window, second)) {
            return;
        }
        let all_known = windows.clone().all(|window| file.is_read_in(window));
        // whole windows, so that the answer holds for the next block of them too
        let (start, end) = if calm { whole(file, &windows) } else { (stretch.start, stretch.end) };
        if self.cachestat && all_known && is_cached(file, start, end) == Ok(true) {
            if calm {
                windows.for_each(|window| file.set_recent(window, second));
            }
            return;
        }
        for window in windows {
            let start = stretch.start.max(window * WINDOW);
            let end = stretch.end.min((window + 1) * WINDOW);
            if !self.is_warm(file, window, start, end) {
                self.cold_at = Some(now);
                push(file, window, out);
            }
        }
    }

    /// Whether bytes `start..end` of `file`, all in `window`, can be sent without waiting.
    fn is_warm(&mut self, file: &MappedFile, window: usize, start: usize, end: usize) -> bool {
        if self.cachestat {
            match is_cached(file, start, end) {
                Ok(true) if file.is_read_in(window) => return true,
                Ok(true) => {}
                // not cached, or nobody may tell us
                answer @ (Ok(false) | Err(_)) => {
                    self.refused |= answer.is_err();
                    file.set_read_in(window, false);
                    return false;
                }
            }
        }
        let (whole, part) = is_read_in(file, window, start, end);
        file.set_read_in(window, whole);
        part
    }
}

impl Default for Residency {
    fn default() -> Residency {
        Residency::new()
    }
}

/// First byte and end of `windows` in `file`.
fn whole(file: &MappedFile, windows: &Range<usize>) -> (usize, usize) {
    let length = usize::try_from(file.length()).expect("it is mapped");
    (windows.start * WINDOW, (windows.end * WINDOW).min(length))
}

fn push(file: &Arc<MappedFile>, window: usize, out: &mut Vec<ColdRange>) {
    let offset = window * WINDOW;
    if out.iter().any(|range| Arc::ptr_eq(&range.file, file) && range.offset == offset) {
        return;
    }
    let rest = usize::try_from(file.length()).expect("it is mapped") - offset;
    let length = rest.min(WINDOW);
    let cold_pages = in_core(file, offset, length).map_or(0, |pages| pages.filter(|page| !page).count());
    let cold_bytes = (cold_pages * rustix::param::page_size()).min(length) as u64;
    out.push(ColdRange { file: Arc::clone(file), offset, length, cold_bytes });
}

fn is_cached(file: &MappedFile, start: usize, end: usize) -> Result<bool, Errno> {
    let page = rustix::param::page_size();
    let pages = (end - 1) / page - start / page + 1;
    Ok(cachestat(file.file().as_raw_fd(), start as u64, (end - start) as u64)? >= pages as u64)
}

/// Number of pages of the range that the page cache has.
fn cachestat(file: libc::c_int, offset: u64, length: u64) -> Result<u64, Errno> {
    let range = [offset, length];
    // struct cachestat: cache, dirty, writeback, evicted, recently evicted
    let mut counts = [0u64; 5];
    // SAFETY: both arrays have the layout of the call's structures and outlive it; the kernel writes 40 bytes to the second.
    let answer = unsafe { libc::syscall(SYS_CACHESTAT, file, range.as_ptr(), counts.as_mut_ptr(), 0) };
    if answer == 0 { Ok(counts[0]) } else { Err(last_error()) }
}

/// Whether all of `window` is read in, and whether bytes `start..end` of it are.
fn is_read_in(file: &MappedFile, window: usize, start: usize, end: usize) -> (bool, bool) {
    let offset = window * WINDOW;
    let length = (usize::try_from(file.length()).expect("it is mapped") - offset).min(WINDOW);
    let Some(pages) = in_core(file, offset, length) else { return (false, false) };
    let page = rustix::param::page_size();
    let asked = (start - offset) / page..(end - offset).div_ceil(page);
    let (mut whole, mut part) = (true, true);
    for (number, is_in_core) in pages.enumerate() {
        whole &= is_in_core;
        part &= is_in_core || !asked.contains(&number);
    }
    (whole, part)
}

/// For each page of a stretch of at most [`WINDOW`] bytes, whether it is in memory and read in.
fn in_core(file: &MappedFile, offset: usize, length: usize) -> Option<impl Iterator<Item = bool>> {
    assert!(length <= WINDOW, "the answer has a byte for each page");
    let mut pages = [0u8; WINDOW / PAGE_MIN];
    let address = file.address(offset as u64);
    // SAFETY: one byte is written for each page of at most WINDOW bytes, and `pages` has one for each page of 4 KiB; the
    // range is mapped by `file` during the call, and is not read.
    let answer = unsafe { libc::mincore(address.cast_mut().cast(), length, pages.as_mut_ptr()) };
    // larger pages have fewer bytes in the answer
    let count = length.div_ceil(rustix::param::page_size());
    (answer == 0).then(|| pages.into_iter().take(count).map(|page| page & 1 == 1))
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}
