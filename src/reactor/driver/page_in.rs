//! Brings mapped file ranges into memory on threads of its own, for drivers whose kernel does not do it for them.
//!
//! A page fault inside a send would stall every peer of a reactor; here it stalls a thread that has nothing else to do.
//! The calls in this file are given addresses as numbers. None of them changes memory, and all of them answer with an
//! error where the range is not mapped, is not readable, or lies beyond the end of its file: the kernel touches the
//! pages, so there is no signal. That is why they are sound for any number.
#![expect(unsafe_code, reason = "madvise and writev on addresses without a Rust reference")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use super::interface::{Event, MemoryRange};
use super::waker::Waker;

/// Threads of one driver: reads that a disk can overlap. A reactor keeps few ranges under way.
const WORKERS: usize = 4;

struct Request {
    token: u64,
    range: MemoryRange,
}

/// The worker threads; none exist before the first request.
pub(super) struct PageIns {
    capacity: usize,
    in_flight: usize,
    waker: Waker,
    workers: Option<Workers>,
}

struct Workers {
    requests: Sender<Request>,
    answers: Receiver<Event>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl PageIns {
    pub(super) fn new(capacity: u16, waker: Waker) -> PageIns {
        PageIns { capacity: usize::from(capacity), in_flight: 0, waker, workers: None }
    }

    pub(super) fn start(&mut self, token: u64, range: MemoryRange) -> io::Result<()> {
        if self.in_flight >= self.capacity {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let workers = match &mut self.workers {
            Some(workers) => workers,
            none => none.insert(Workers::spawn(self.capacity, &self.waker)?),
        };
        workers.requests.try_send(Request { token, range }).map_err(|_| io::ErrorKind::WouldBlock)?;
        self.in_flight += 1;
        Ok(())
    }

    pub(super) fn collect(&mut self, events: &mut Vec<Event>) {
        if let Some(workers) = &self.workers {
            let before = events.len();
            events.extend(workers.answers.try_iter());
            self.in_flight -= events.len() - before;
        }
    }
}

impl Workers {
    fn spawn(capacity: usize, waker: &Waker) -> io::Result<Workers> {
        let (requests, inbox) = bounded(capacity);
        // As many places as requests can be under way, so an answer never waits for a place.
        let (outbox, answers) = bounded(capacity);
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Workers { requests, answers, stop, threads: Vec::with_capacity(WORKERS) };
        for _ in 0..WORKERS {
            let worker = Worker {
                inbox: inbox.clone(),
                outbox: outbox.clone(),
                stop: workers.stop.clone(),
                waker: waker.clone(),
            };
            let thread = std::thread::Builder::new().name("sower-page-in".into()).spawn(move || worker.run())?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.requests = bounded(0).0;
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

struct Worker {
    inbox: Receiver<Request>,
    outbox: Sender<Event>,
    stop: Arc<AtomicBool>,
    waker: Waker,
}

impl Worker {
    fn run(&self) {
        while let Ok(request) = self.inbox.recv() {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let result = populate(request.range);
            if self.outbox.try_send(Event::PagedIn { token: request.token, result }).is_err() {
                return;
            }
            self.waker.ring();
        }
    }
}

/// `range` grown to whole pages, as madvise(2) wants it.
pub(super) fn whole_pages(range: MemoryRange) -> MemoryRange {
    let start = range.address - range.address % rustix::param::page_size();
    MemoryRange { address: start, length: range.length.saturating_add(range.address - start) }
}

/// Reads `range` in and maps it. `EFAULT`: its file ends earlier.
///
/// The reads are started first: in a map with MADV_RANDOM populating reads one page at a time, 70 reads and 9 to 13 ms for
/// 256 KiB where one read of 0.4 to 0.6 ms does.
fn populate(range: MemoryRange) -> io::Result<()> {
    let range = whole_pages(range);
    // Only a hint; where it fails the advice below says why.
    let _ = advise(range, libc::MADV_WILLNEED);
    loop {
        match advise(range, libc::MADV_POPULATE_READ) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Linux before 5.14 does not know the advice.
            Err(Errno::INVAL) => return touch(range),
            answer => return Ok(answer?),
        }
    }
}

fn advise(range: MemoryRange, advice: libc::c_int) -> Result<(), Errno> {
    let address = std::ptr::without_provenance_mut(range.address);
    // SAFETY: both kinds of advice used here read file pages in and leave the contents of memory as they are; a
    // range that is not mapped gives ENOMEM.
    let answer = unsafe { libc::madvise(address, range.length, advice) };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The same without that advice: the kernel copies one byte of each page into a pipe, and waits for the page where it must.
fn touch(range: MemoryRange) -> io::Result<()> {
    let (source, sink) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let pages: Vec<libc::iovec> = (range.address..range.address.saturating_add(range.length))
        .step_by(rustix::param::page_size())
        .map(|address| libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: 1 })
        .collect();
    let mut copied = [0; PAGES_AT_ONCE];
    for pages in pages.chunks(PAGES_AT_ONCE) {
        if write_vectored(&sink, pages)? < pages.len() {
            return Err(Errno::FAULT.into());
        }
        rustix::io::read(&source, &mut copied)?;
    }
    Ok(())
}

/// Below the 1,024 vectors that writev(2) takes and the 4,096 bytes that any pipe does.
const PAGES_AT_ONCE: usize = 512;

fn write_vectored(sink: &OwnedFd, pages: &[libc::iovec]) -> io::Result<usize> {
    let count = libc::c_int::try_from(pages.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `pages` holds `count` vectors. Their memory is only read, by the kernel, which answers EFAULT for what it
    // cannot read.
    let written = unsafe { libc::writev(sink.as_raw_fd(), pages.as_ptr(), count) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use memmap2::Mmap;

    use super::*;

    const LENGTH: usize = 64 * 4096;

    fn mapped_file() -> (File, Mmap) {
        let file = tempfile::tempfile().expect("file");
        file.set_len(LENGTH as u64).expect("length");
        // SAFETY: no reference into the map is made here.
        let map = unsafe { Mmap::map(&file) }.expect("map");
        (file, map)
    }

    fn range(map: &Mmap, start: usize, length: usize) -> MemoryRange {
        MemoryRange { address: map.as_ptr().addr() + start, length }
    }

    /// The way of old kernels is held against the way of new ones.
    #[test]
    fn both_ways_agree_on_good_short_and_missing_ranges() {
        for way in [populate, |range| touch(whole_pages(range))] {
            let (file, map) = mapped_file();
            way(range(&map, 0, LENGTH)).expect("whole");
            way(range(&map, 5000, 1)).expect("one byte in the middle of a page");
            file.set_len(10 * 4096 + 7).expect("length");
            way(range(&map, 0, 10 * 4096 + 7)).expect("what is left");
            for cut in [range(&map, 0, LENGTH), range(&map, 11 * 4096, 4096)] {
                let error = way(cut).expect_err("beyond the end");
                assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
            }
            let gone = range(&map, 0, 4096);
            drop(map);
            way(gone).expect_err("no longer mapped");
        }
    }
}
