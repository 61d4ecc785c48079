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

    /// Whether this is what was `before`, on a disk that may have been mounted anew since: its number is another then, as that of any FUSE
    /// or NFS is, and says nothing of the file.
    pub fn is_still(&self, before: &Identity) -> bool {
        Identity { device: before.device, ..*self } == *before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_may_have_another_number_and_nothing_else_may_differ() {
        let before = Identity { size: 1, modified: 2, modified_nanos: 3, inode: 4, device: 5 };
        assert!(before.is_still(&before) && Identity { device: 6, ..before }.is_still(&before));
        let others = [
            Identity { size: 9, ..before },
            Identity { modified: 9, ..before },
            Identity { modified_nanos: 9, ..before },
            Identity { inode: 9, ..before },
        ];
        assert!(others.iter().all(|other| !other.is_still(&before)));
    }
}
