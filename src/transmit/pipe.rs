//! The pipes between mapped files and sockets.
//!
//! Unsafe: `vmsplice` and `splice`. `vmsplice` gets a slice of address ranges that are mapped during the call; it takes
//! references to their pages and reads nothing. An address that is no longer backed answers EFAULT. `splice` gets two
//! descriptors, borrowed for the call.
#![expect(unsafe_code, reason = "vmsplice takes bare addresses, which is the point")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

use crate::limits::{PIPE_PAGES, PIPES_PER_REACTOR};

/// Fewer than the default pipe (3 blocks) are not worth two system calls. Beyond `fs.pipe-user-pages-soft` an
/// unprivileged user gets 2.
const SLOTS_MIN: usize = 16;
/// Chunks that go by the copying path before a pipe is asked for again, once one was refused.
const RETRY_AFTER: u32 = 64;

/// An empty pipe, or one with bytes for the connection that holds it. Closed when dropped.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    slots: usize,
    _counted: Rc<()>,
}

impl Pipe {
    /// Pages it holds.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Puts references to the pages of `ranges` into the pipe. Answers bytes.
    pub(super) fn fill(&self, ranges: &[libc::iovec]) -> io::Result<usize> {
        let pipe = self.write.as_raw_fd();
        // SAFETY: `ranges` is a live slice of that length. The kernel checks the addresses in it, takes references to
        // their pages and does not write to them.
        let filled = unsafe { libc::vmsplice(pipe, ranges.as_ptr(), ranges.len(), libc::SPLICE_F_NONBLOCK) };
        usize::try_from(filled).map_err(|_| io::Error::last_os_error())
    }

    /// Moves up to `length` bytes to `socket`. Answers bytes.
    pub(super) fn drain(&self, socket: BorrowedFd<'_>, length: usize) -> io::Result<usize> {
        let (null, pipe) = (std::ptr::null_mut(), self.read.as_raw_fd());
        let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
        // SAFETY: null offsets are what a pipe and a socket need; both descriptors are open during the call.
        let moved = unsafe { libc::splice(pipe, null, socket.as_raw_fd(), null, length, flags) };
        usize::try_from(moved).map_err(|_| io::Error::last_os_error())
    }
}

/// Empty pipes, made when first needed. One is in use at a time; the others hold what sockets did not take.
#[derive(Debug)]
pub(super) struct PipePool {
    free: Vec<Pipe>,
    bound: usize,
    slots: usize,
    /// Each open pipe holds a clone, wherever it is, so that those closed together with a connection are counted out.
    counted: Rc<()>,
    /// Chunks left before a refused pipe is asked for again.
    wait: u32,
}

impl PipePool {
    pub(super) fn new() -> PipePool {
        PipePool::with_bounds(PIPES_PER_REACTOR, PIPE_PAGES)
    }

    pub(super) fn with_bounds(bound: usize, slots: usize) -> PipePool {
        PipePool { free: Vec::new(), bound, slots, counted: Rc::new(()), wait: 0 }
    }

    /// Open pipes, free or not.
    pub(super) fn open_pipes(&self) -> usize {
        Rc::strong_count(&self.counted) - 1
    }

    #[cfg(test)]
    pub(super) fn free_pipes(&self) -> usize {
        self.free.len()
    }

    /// An empty pipe, if there may be another. The one used last comes first: its slots are in the cache.
    pub(super) fn take(&mut self) -> Option<Pipe> {
        if let Some(pipe) = self.free.pop() {
            return Some(pipe);
        }
        if self.open_pipes() >= self.bound {
            return None;
        }
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let made = self.open().ok();
        if made.is_none() {
            self.wait = RETRY_AFTER;
        }
        made
    }

    /// Takes back a pipe that is empty again.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        self.free.push(pipe);
    }

    fn open(&self) -> io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // refused beyond fs.pipe-max-size or the user's pages: then the default size does, in more calls
        let _ = fcntl_setpipe_size(&write, self.slots * 4096);
        let slots = fcntl_getpipe_size(&write)? / rustix::param::page_size();
        if slots < SLOTS_MIN {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(Pipe { read, write, slots, _counted: Rc::clone(&self.counted) })
    }
}
