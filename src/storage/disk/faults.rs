//! Disks of the tests: full, breaking, slow to take bytes, or without power.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Disk;
use super::plain::Medium;

impl Disk {
    pub(in crate::storage) fn start_on(medium: Arc<dyn Medium>) -> Disk {
        Disk::start_plain("a test", &medium).expect("threads")
    }
}

/// Takes `room` bytes, then answers `error`; never more than `step` at once, and is interrupted before each.
pub(in crate::storage) struct Bounded {
    pub(in crate::storage) room: AtomicU64,
    pub(in crate::storage) step: usize,
    pub(in crate::storage) error: i32,
    pub(in crate::storage) sync_fails: AtomicBool,
    pub(in crate::storage) interrupted: AtomicBool,
}

impl Bounded {
    pub(in crate::storage) fn new(room: u64, error: i32) -> Arc<Bounded> {
        Arc::new(Bounded {
            room: AtomicU64::new(room),
            step: 1000,
            error,
            sync_fails: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        })
    }
}

impl Medium for Bounded {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if !self.interrupted.fetch_not(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = usize::try_from(self.room.load(Ordering::Relaxed)).expect("small");
        let count = bytes.len().min(self.step).min(room);
        if count == 0 {
            return Err(io::Error::from_raw_os_error(self.error));
        }
        self.room.fetch_sub(count as u64, Ordering::Relaxed);
        file.write_at(&bytes[..count], offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.sync_fails.load(Ordering::Relaxed) { Err(io::Error::from_raw_os_error(5)) } else { file.sync_data() }
    }
}

/// Where a write was since the last sync, and what was there before.
type Overwritten = (u64, Vec<u8>);

/// Remembers what was not synced, and takes it back when the power is cut.
#[derive(Default)]
pub(in crate::storage) struct Power {
    /// By inode.
    unsynced: Mutex<HashMap<u64, (File, Vec<Overwritten>)>>,
}

impl Power {
    /// Of the writes that were not synced each is lost, kept, or torn, as `random` has it; the newest first, so that each finds
    /// what it had found.
    pub(in crate::storage) fn cut(&self, random: &mut fastrand::Rng) {
        for (_, (file, writes)) in self.unsynced.lock().expect("no panic").drain() {
            for (offset, before) in writes.into_iter().rev() {
                let from = [0, before.len() / 2, before.len()][random.usize(..3)];
                file.write_all_at(&before[from..], offset + from as u64).expect("taken back");
            }
        }
    }
}

impl Medium for Power {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut before = vec![0; bytes.len()];
        // files have their full length, so that all of it is there
        file.read_exact_at(&mut before, offset)?;
        let inode = file.metadata()?.ino();
        let mut unsynced = self.unsynced.lock().expect("no panic");
        let (_, writes) = unsynced.entry(inode).or_insert((file.try_clone()?, Vec::new()));
        writes.push((offset, before));
        file.write_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.unsynced.lock().expect("no panic").remove(&file.metadata()?.ino());
        Ok(())
    }
}
