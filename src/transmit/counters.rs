//! What sending paths did, for metrics.

/// What a transmitter has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Chunks sent or begun.
    pub chunks: u64,
    /// Bytes of framed blocks by `vmsplice` and `splice`.
    pub spliced_bytes: u64,
    /// Bytes of framed blocks by a copying `sendmsg`.
    pub copied_bytes: u64,
    /// Bytes of framed blocks by MSG_ZEROCOPY.
    pub zero_copy_bytes: u64,
    /// Bytes of control messages.
    pub control_bytes: u64,
    /// Chunks that a socket did not take whole.
    pub leftovers: u64,
    /// Chunks that found no pipe and were copied.
    pub pool_misses: u64,
    /// MSG_ZEROCOPY sends that the kernel said are complete.
    pub zero_copy_completed: u64,
    /// Those of them that it had copied.
    pub zero_copy_copied: u64,
    /// System calls made.
    pub system_calls: u64,
}

impl Counters {
    /// Adds another transmitter's.
    pub fn add(&mut self, other: &Counters) {
        self.chunks += other.chunks;
        self.spliced_bytes += other.spliced_bytes;
        self.copied_bytes += other.copied_bytes;
        self.zero_copy_bytes += other.zero_copy_bytes;
        self.control_bytes += other.control_bytes;
        self.leftovers += other.leftovers;
        self.pool_misses += other.pool_misses;
        self.zero_copy_completed += other.zero_copy_completed;
        self.zero_copy_copied += other.zero_copy_copied;
        self.system_calls += other.system_calls;
    }
}
