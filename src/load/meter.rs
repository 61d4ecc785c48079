//! What one thread of the load counts.

use hdrhistogram::Histogram;

/// Longest latency that is told apart, in microseconds: a minute.
const LATENCY_MAX: u64 = 60_000_000;

/// Counts of one thread.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) unchoke: Histogram<u64>,
    pub(super) latency: Histogram<u64>,
    /// Payload, since the start.
    pub(super) bytes: u64,
    pub(super) handshakes: usize,
    pub(super) unchoked: usize,
    pub(super) connections: u64,
    pub(super) disconnects: u64,
    pub(super) chokes: u64,
    pub(super) rejects: u64,
    pub(super) protocol_errors: u64,
    pub(super) first_error: Option<String>,
}

impl Meter {
    pub(super) fn new() -> Meter {
        Meter {
            unchoke: histogram(),
            latency: histogram(),
            bytes: 0,
            handshakes: 0,
            unchoked: 0,
            connections: 0,
            disconnects: 0,
            chokes: 0,
            rejects: 0,
            protocol_errors: 0,
            first_error: None,
        }
    }

    /// Keeps the first error of the run.
    pub(super) fn error(&mut self, text: impl FnOnce() -> String) {
        self.first_error.get_or_insert_with(text);
    }
}

/// Three digits up to a minute; what takes longer counts as a minute.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("valid bounds")
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new()
    }
}
