//! An io_uring with the operations this program uses, and room for any number of them.
//!
//! No operation carries the address of memory that the kernel would write to: receives take their buffers from the
//! [registered ring](super::provided), page-ins change no contents. So putting any of them into the queue is safe, and the
//! one obligation left, that a descriptor means the same socket until its operation was submitted, is the driver's.
#![expect(unsafe_code, reason = "entries are put into the submission queue")]

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, Submitter, cqueue, opcode, squeue};
use rustix::io::Errno;

use super::interface::MemoryRange;

/// When the kernel runs the half of an operation that posts its completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskRun {
    /// While the driver waits, and at no other time (Linux 6.1). No work interrupts the loop.
    Deferred,
    /// At the next system call (Linux 5.19).
    Cooperative,
    /// At once, by an interrupt to the thread.
    Plain,
}

/// Places in the submission queue: operations that begin between two waits. More wait in `backlog`.
const SUBMISSIONS: u32 = 512;

/// How long the end of a driver waits for operations that are being carried out.
const FAREWELL: Duration = Duration::from_secs(1);

/// The name of operations whose completion says nothing.
pub(super) const UNHEARD: u64 = 0;

pub(super) enum Operation {
    /// Multishot.
    Accept(RawFd),
    /// Multishot, into the buffers of this group.
    Receive(RawFd, u16),
    /// Multishot, edges.
    WatchReadable(RawFd),
    /// Multishot, edges.
    WatchWritable(RawFd),
    /// Whole pages. Starts reading; what is pushed next begins when that is done.
    ReadAhead(MemoryRange),
    /// Whole pages.
    PageIn(MemoryRange),
    /// Ends the operation of that name; its own completion carries nothing.
    Cancel(u64),
}

/// One completion.
#[derive(Clone, Copy)]
pub(super) struct Completion {
    pub(super) name: u64,
    result: i32,
    flags: u32,
}

impl Completion {
    pub(super) fn result(&self) -> Result<u32, Errno> {
        u32::try_from(self.result).map_err(|_| Errno::from_raw_os_error(-self.result))
    }

    /// The operation goes on; without it, it is over.
    pub(super) fn goes_on(&self) -> bool {
        cqueue::more(self.flags)
    }

    pub(super) fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

pub(super) struct Queue {
    ring: IoUring,
    backlog: VecDeque<squeue::Entry>,
    /// Waits that found completions kept aside by the kernel.
    pub(super) overflows: u64,
}

impl Queue {
    pub(super) fn new(mode: TaskRun, completions: u32) -> io::Result<Queue> {
        let mut builder = IoUring::builder();
        // One bad entry must not hold back those behind it.
        builder.setup_clamp().setup_submit_all().setup_cqsize(completions);
        match mode {
            TaskRun::Deferred => builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag(),
            TaskRun::Cooperative => builder.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag(),
            TaskRun::Plain => &mut builder,
        };
        let ring = builder.build(SUBMISSIONS.min(completions))?;
        if !ring.params().is_feature_nodrop() || !ring.params().is_feature_ext_arg() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no lossless completions or timed waits"));
        }
        Ok(Queue { ring, backlog: VecDeque::new(), overflows: 0 })
    }

    pub(super) fn submitter(&self) -> Submitter<'_> {
        self.ring.submitter()
    }

    /// Which operations this kernel has.
    pub(super) fn supported(&self) -> io::Result<Probe> {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe)?;
        Ok(probe)
    }

    /// Begins `operation` at the next [`Queue::wait`], in order.
    pub(super) fn push(&mut self, operation: &Operation, name: u64) {
        self.backlog.push_back(entry(operation).user_data(name));
        self.fill();
    }

    fn fill(&mut self) {
        let mut submissions = self.ring.submission();
        while let Some(entry) = self.backlog.front() {
            // SAFETY: an entry refers to no memory of ours (see the module's text).
            if unsafe { submissions.push(entry) }.is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Submits everything, then waits for a completion or `timeout`.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        while !self.backlog.is_empty() {
            let before = self.backlog.len();
            ignore_ends(self.ring.submit())?;
            self.fill();
            if self.backlog.len() == before {
                // The kernel wants its completions collected first: the caller does, and comes back.
                return self.enter(Some(Duration::ZERO));
            }
        }
        self.enter(timeout)
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.ring.submission().cq_overflow() {
            self.overflows += 1;
        }
        match timeout {
            // Not a wait with a timeout of zero: that arms a timer and sleeps, a third of the processor time of a busy
            // reactor. The flag that says that deferred completions are due makes `submit` post them.
            Some(Duration::ZERO) => ignore_ends(self.ring.submit()),
            None => ignore_ends(self.ring.submit_and_wait(1)),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                ignore_ends(self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout)))
            }
        }
    }

    pub(super) fn collect(&mut self, completions: &mut Vec<Completion>) {
        completions.extend(self.ring.completion().map(|entry| Completion {
            name: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        }));
    }

    /// Ends every operation, and collects what they still had to say.
    pub(super) fn finish(&mut self, completions: &mut Vec<Completion>) {
        self.backlog.clear();
        // Failures leave the rest to the kernel, which ends everything when the ring is closed.
        let _ = self.enter(Some(Duration::ZERO));
        let _ = self.ring.submitter().register_sync_cancel(Some(Timespec::from(FAREWELL)), CancelBuilder::any());
        loop {
            let before = completions.len();
            let _ = self.enter(Some(Duration::ZERO));
            self.collect(completions);
            if completions.len() == before {
                return;
            }
        }
    }
}

fn entry(operation: &Operation) -> squeue::Entry {
    match *operation {
        Operation::Accept(fd) => {
            opcode::AcceptMulti::new(Fd(fd)).flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).build()
        }
        Operation::Receive(fd, group) => opcode::RecvMulti::new(Fd(fd), group).build(),
        Operation::WatchReadable(fd) => watch(fd, libc::POLLIN),
        Operation::WatchWritable(fd) => watch(fd, libc::POLLOUT),
        // A hard link: a hint that fails does not cancel the page-in, which says why. A chain that is cut because the queue
        // was full is two operations side by side, slower at worst.
        Operation::ReadAhead(range) => advise(range, libc::MADV_WILLNEED).flags(squeue::Flags::IO_HARDLINK),
        Operation::PageIn(range) => advise(range, libc::MADV_POPULATE_READ),
        Operation::Cancel(name) => opcode::AsyncCancel::new(name).build(),
    }
}

fn advise(range: MemoryRange, advice: libc::c_int) -> squeue::Entry {
    let address = std::ptr::without_provenance(range.address);
    let length = libc::off_t::try_from(range.length).unwrap_or(libc::off_t::MAX);
    opcode::Madvise::new(address, length, advice).build()
}

fn watch(fd: RawFd, interest: libc::c_short) -> squeue::Entry {
    opcode::PollAdd::new(Fd(fd), u32::from(interest.unsigned_abs())).multi(true).build()
}

/// A wait that ends by its timeout or a signal is no error, nor is a kernel that wants its completions collected.
fn ignore_ends(answer: io::Result<usize>) -> io::Result<()> {
    match answer {
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::TIME | Errno::INTR | Errno::BUSY | Errno::AGAIN) => Ok(()),
            _ => Err(error),
        },
        Ok(_) => Ok(()),
    }
}
