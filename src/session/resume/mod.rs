//! What other programs keep of their torrents, read so that nobody has to hash or choose anything again.
//!
//! | program | folder | torrents | beside them |
//! |---|---|---|---|
//! | qBittorrent | `BT_backup`, or the one that holds `torrents.db` | `HASH.torrent`, or a column | `HASH.fastresume`, or columns |
//! | Transmission | its configuration | `torrents/*.torrent` | `resume/*.resume` |
//! | rTorrent | its session | `HASH.torrent` | `.torrent.rtorrent`, `.torrent.libtorrent_resume` |
//! | Deluge | `state` | `HASH.torrent` | `torrents.fastresume` |
//! | libtorrent | any | `NAME.torrent`, or inside | `NAME.resume`, `NAME.fastresume` |
//!
//! [`read`] makes a [`Foreign`] of each torrent: its torrent file or link, a [`Choice`], numbers, and which pieces the program had.
//! [`Foreign::judge`] compares that with the disk. A program is believed as far as it would believe itself: sizes, and times of
//! modification where it noted them. What does not fit is for a check, of that torrent alone.
//!
//! All of it is input like any other: bounded before it is believed, and what is wrong with one file is told by its name and costs
//! the others nothing. Nothing is written but by [`Intake`], which takes torrents into a [`Store`](super::state::Store).

mod exported;
mod fields;
mod folder;
mod foreign;
mod intake;
mod judge;
mod libtorrent;
mod paths;
mod qbittorrent;
mod rtorrent;
mod transmission;

use std::path::{Path, PathBuf};

pub use exported::{Kept, read_exported};
pub use foreign::{Foreign, Have, Modified, Subject};
pub use intake::{Intake, Report};
pub use judge::Verdict;

#[cfg(doc)]
use super::seedbox::Choice;

/// Whose files are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// qBittorrent 4.2 to 5.x, with either storage.
    Qbittorrent,
    /// Transmission 2.x to 4.x.
    Transmission,
    /// rTorrent, any of this century.
    Rtorrent,
    /// Anything that keeps libtorrent's own resume files.
    Libtorrent,
    /// Deluge 1.3 and 2.
    Deluge,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of their queue, as far as there is one.
    pub torrents: Vec<Foreign>,
    /// What could not be used.
    pub problems: Vec<Unusable>,
}

/// A file that could not be used, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusable {
    /// Which.
    pub path: PathBuf,
    /// Why, and what to do.
    pub text: String,
}

/// Why nothing was read.
#[derive(thiserror::Error, Debug)]
pub enum ReadError {
    /// The folder cannot be read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// There is nothing of this program's.
    #[error("{} holds nothing of {program}'s: {expected}", .path.display())]
    Nothing {
        /// What was given.
        path: PathBuf,
        /// Whose it should be.
        program: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// Its database cannot be read.
    #[error("{}: {source}", .path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite answered.
        source: rusqlite::Error,
    },
}

/// Reads all that `program` keeps at `path`.
pub fn read(program: Program, path: &Path) -> Result<Found, ReadError> {
    match program {
        Program::Qbittorrent => qbittorrent::read(path),
        Program::Transmission => transmission::read(path),
        Program::Rtorrent => rtorrent::read(path),
        Program::Libtorrent => libtorrent::read(path),
        Program::Deluge => libtorrent::read_deluge(path),
    }
}
