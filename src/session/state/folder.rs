//! The folder of the state: its places, and the lock on it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StateError;

const TORRENTS: &str = "torrents";
const BACKUPS: &str = "backup";

/// A folder that nobody else uses while this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes `path` and what belongs in it, readable by its owner alone, and locks it.
    pub(super) fn take(path: &Path) -> Result<Folder, StateError> {
        for folder in [path, &path.join(TORRENTS), &path.join(BACKUPS)] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(StateError::file(folder))?;
        }
        let name = path.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&name);
        let mut lock = open.map_err(StateError::file(&name))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                return Err(StateError::InUse { folder: path.to_owned(), process: holder(&mut lock) });
            }
            taken => taken.map_err(|error| StateError::file(&name)(error.into()))?,
        }
        // for people and for the message above; it is the lock that counts, and a full disk must not keep us from starting
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Folder { path: path.to_owned(), lock })
    }

    /// Another process may take it from now on.
    pub(super) fn unlock(&self) -> Result<(), StateError> {
        let unlocked = flock(&self.lock, FlockOperation::Unlock);
        unlocked.map_err(|error| StateError::file(&self.path)(error.into()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join("state.sqlite")
    }

    pub(super) fn torrents(&self) -> PathBuf {
        self.path.join(TORRENTS)
    }

    pub(super) fn backups(&self) -> PathBuf {
        self.path.join(BACKUPS)
    }

    /// Whether the folder that we locked is still the one at its path: the file system may have been unmounted.
    pub(super) fn is_there(&self) -> bool {
        let there = fs::metadata(self.path.join("lock")).and_then(|there| Ok((there, self.lock.metadata()?)));
        there.is_ok_and(|(there, ours)| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().and_then(|()| lock.take(32).read_to_string(&mut text)).ok()?;
    text.trim().parse().ok()
}

/// Makes new names, and the end of old ones, outlive a power cut.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
