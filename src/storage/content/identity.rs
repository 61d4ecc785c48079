//! Telling whether a file is what it was.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// What changes when a file is written, replaced or truncated. Equal identities mean equal content unless somebody set
/// the time of modification by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Bytes.
    pub size: u64,
    /// Time of modification, seconds since 1970.
    pub modified: i64,
    /// Nanoseconds of that second.
    pub modified_nanos: i64,
    /// Inode number.
    pub inode: u64,
    /// Device that the inode is on.
    pub device: u64,
}

impl Identity {
    /// Of an open file.
    pub fn of(file: &File) -> io::Result<Identity> {
        let metadata = file.metadata()?;
        Ok(Identity {
            size: metadata.size(),
            modified: metadata.mtime(),
            modified_nanos: metadata.mtime_nsec(),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }
}
