//! What is shown as the value of a limit that is off, and holds when it is switched on without one. The same as in Transmission.

use crate::session::seedbox::RateSchedule;

/// Kilobytes a second.
pub(super) const RATE: u64 = 100;
/// Kilobytes a second of the alternative limits.
pub(super) const ALTERNATIVE_RATE: u64 = 50;
/// Sent for each byte.
pub(super) const RATIO: f64 = 2.0;
/// Minutes without a byte sent.
pub(super) const IDLE_MINUTES: u32 = 30;
/// Downloads at once.
pub(super) const DOWNLOADS: u32 = 5;
/// Seeded torrents at once.
pub(super) const SEEDS: u32 = 10;
/// From 9 to 17 o'clock, every day.
pub(super) const SCHEDULE: RateSchedule = RateSchedule { begin: 9 * 60, end: 17 * 60, days: 0b111_1111 };
