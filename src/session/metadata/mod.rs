//! The metadata of a magnet link, from peers (BEP 9).
//!
//! [`fetch()`] is given addresses as they become known and asks several peers at once. What one peer sends is never mixed
//! with what another sends, so that a hash which does not fit names the peer that lied; few transfers run at a time,
//! because all but one are for nothing.
//!
//! ```text
//!  addresses ──> fetch ── attempt ──> exchange: connect, handshake, extension handshake, requests
//!                  ^                      │ Assembly: what was asked for, what came
//!                  └── bytes whose SHA-1 is the info-hash
//! ```
//!
//! Everything stops when the future is dropped.

mod assembly;
mod exchange;
mod fetch;

pub use exchange::Asker;
pub use fetch::{MetadataCounts, MetadataError, MetadataProgress, addresses_of, fetch};
