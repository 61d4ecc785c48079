//! How a web seed does, for display.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a web seed is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WebSeedState {
    /// It is asked for nothing.
    #[default]
    Idle,
    /// It fetches.
    Fetching,
    /// The server failed and is left alone for a while.
    BackingOff,
    /// The server failed too often, or has nothing of the torrent. It is over.
    GivenUp,
    /// The reactor closed it. It is over.
    Closed,
}

/// A web seed at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebSeedStatus {
    /// Host of the URL, which itself may hold secrets.
    pub host: String,
    /// Bytes fetched and passed on.
    pub bytes: u64,
    /// What it is doing.
    pub state: WebSeedState,
    /// What went wrong last.
    pub error: Option<String>,
}

/// Where a task leaves its numbers.
#[derive(Debug)]
pub(super) struct Shared {
    host: String,
    bytes: AtomicU64,
    now: Mutex<(WebSeedState, Option<String>)>,
}

impl Shared {
    pub(super) fn new(host: String) -> Shared {
        Shared { host, bytes: AtomicU64::new(0), now: Mutex::default() }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn passed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn set_state(&self, state: WebSeedState) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = state;
    }

    pub(super) fn set_error(&self, error: String) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(error);
    }

    pub(super) fn status(&self) -> WebSeedStatus {
        let (state, error) = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        WebSeedStatus { host: self.host.clone(), bytes: self.bytes.load(Ordering::Relaxed), state, error }
    }
}
