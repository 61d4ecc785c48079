//! Ends a driver's wait from another thread.
//!
//! The eventfd is never read: both drivers watch it for edges, and each write is one. Its counter would take centuries
//! to fill.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Wakes one driver. Cheap to clone, usable from any thread, harmless after the driver is gone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    eventfd: OwnedFd,
    /// Mail was announced and the driver has not said so yet: no need to write again.
    mail: AtomicBool,
}

impl Waker {
    pub(super) fn new() -> io::Result<Waker> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker(Arc::new(Bell { eventfd, mail: AtomicBool::new(false) })))
    }

    /// Has the driver report [`Event::Mail`](super::Event::Mail). Put the mail into the box first.
    pub fn wake(&self) {
        // Whoever finds the flag down raises it and rings. Whoever finds it up put its mail into the box before the
        // driver's own swap below, so that mail is found without another ring.
        if !self.0.mail.swap(true, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// Ends the wait without mail.
    #[expect(clippy::host_endian_bytes, reason = "eventfd(2) takes the host's order")]
    pub(super) fn ring(&self) {
        // Fails only when the counter is full, and then the driver has an unseen edge already.
        let _ = rustix::io::write(&self.0.eventfd, &1_u64.to_ne_bytes());
    }

    /// Lowers the flag; true if there is mail.
    pub(super) fn take_mail(&self) -> bool {
        self.0.mail.swap(false, Ordering::AcqRel)
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.eventfd.as_fd()
    }
}
