//! Where a run is, and the few numbers that its threads share with whoever watches.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Where a run is. Only ever goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nobody asks for data yet: a seeder that lets peers in one by one would first be kept busy by the first of them.
    Connect = 0,
    WarmUp = 1,
    Measure = 2,
    /// The window is over; the load goes on while the seeder is looked at, which then ends nothing in the midst of it.
    Close = 3,
    Stop = 4,
}

/// What threads and the one who watches them share.
#[derive(Debug)]
pub(super) struct Shared {
    phase: AtomicU8,
    origin: Instant,
    /// Of all connections ever, for addresses and names that are used once.
    serial: AtomicU32,
    pub(super) threads: Vec<Published>,
}

/// One thread's numbers for whoever watches.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) bytes: AtomicU64,
    /// Those since its window began, which on a busy machine is later than it was told to.
    pub(super) measured: AtomicU64,
    pub(super) handshakes: AtomicUsize,
    pub(super) unchoked: AtomicUsize,
}

impl Shared {
    pub(super) fn new(threads: usize) -> Shared {
        let threads = (0..threads).map(|_| Published::default()).collect();
        Shared {
            phase: AtomicU8::new(Phase::Connect as u8),
            origin: Instant::now(),
            serial: AtomicU32::new(1),
            threads,
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) >= phase as u8
    }

    /// A number that no connection had before.
    pub(super) fn next_serial(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Microseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
