//! What a seedbox keeps across starts: every torrent, what its owner chose, its numbers, and sums of all.
//!
//! ```text
//!   DIR/lock             held while a process uses DIR
//!   DIR/state.sqlite     records, numbers, sums (and -wal, -shm beside it)
//!   DIR/torrents/        HASH.torrent, written whole or not at all
//!   DIR/backup/          state-N.sqlite, the newest three generations
//! ```
//!
//! [`Store::open`] takes the lock, checks the database, mends it if it is damaged, and reads every record. Afterwards changes are
//! handed over in memory and one thread writes them: whoever changes something never waits for a disk, and learns by
//! [`Store::flush`] when it is there.
//!
//! **What a power cut may cost.** Additions, removals, choices and settings are synced before [`Store::flush`] returns. Numbers
//! are written every time they are handed over and synced every ten seconds: that is `synchronous=NORMAL` in SQLite's
//! WAL mode, which cannot damage the database, only forget its last commits. A killed process costs what was not handed over yet.
//!
//! **When it cannot be written** (no space, an error of the disk, read-only), nothing is dropped: what waits is kept by torrent, the
//! newest only, so it is bounded by the number of torrents however long that lasts. It is tried again until it works, and
//! [`Store::health`] says why it does not.
//!
//! **When it is damaged**, it is moved aside and made anew, each torrent from the first source that has it whole: the damaged
//! database, backups from the newest on, at last its .torrent file. Each row carries a checksum, so that a flipped bit is found
//! even where SQLite sees nothing wrong.

mod backup;
mod database;
mod error;
mod export;
mod folder;
mod identities;
mod open;
mod pending;
mod rebuild;
mod record;
mod recover;
mod rows;
mod store;
mod torrents;
mod writer;

pub use error::StateError;
pub use export::{Exported, FormatError, Line, read_export};
pub use open::{Loaded, Problem};
pub use record::{AllTime, Counting, Month, PersistentNumbers, Record, Traffic};
pub use store::Store;
