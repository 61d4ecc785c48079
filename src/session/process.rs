//! What the kernel counts for this process.

use std::fs;

/// Bytes that this process made the kernel read from disk, page-ins by io_uring's workers included. `None` where
/// `/proc/self/io` is not to be had.
pub(super) fn bytes_read() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}
