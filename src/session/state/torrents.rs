//! The .torrent files: one for each torrent whose metadata is here, named by its info-hash, never in the database.
//!
//! They are on disk whole before the record that needs them, and taken away after it: what a crash leaves is a file too many, never
//! one too few. A file on its way out is called `HASH.torrent.removed` until the database knows.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ids::InfoHash;
use crate::limits;
use crate::metainfo::Metainfo;

use super::{StateError, folder};

/// From this many files on, the file system is synced as a whole: a sync of each waits for the disk each time.
const MANY: usize = 16;
const SUFFIX: &str = ".torrent";
const REMOVED: &str = ".torrent.removed";
const NEW: &str = ".new";
/// Two threads may write the same torrent.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// See the module.
#[derive(Debug)]
pub(super) struct Torrents {
    folder: PathBuf,
    /// Written since they were last removed: a removal that is still on its way is not theirs.
    fresh: Mutex<HashSet<InfoHash>>,
    /// Written, and not known to be on disk.
    unsynced: Mutex<HashSet<InfoHash>>,
}

/// What is in the folder.
#[derive(Default, Debug)]
pub(super) struct Listing {
    pub(super) torrents: HashSet<InfoHash>,
    /// Were on their way out.
    pub(super) removed: Vec<InfoHash>,
}

impl Torrents {
    pub(super) fn new(folder: PathBuf) -> Torrents {
        Torrents { folder, fresh: Mutex::default(), unsynced: Mutex::default() }
    }

    pub(super) fn path(&self, hash: InfoHash) -> PathBuf {
        self.folder.join(format!("{hash}{SUFFIX}"))
    }

    fn removed_path(&self, hash: InfoHash) -> PathBuf {
        self.folder.join(format!("{hash}{REMOVED}"))
    }

    /// Its name until it is whole.
    fn new_path(&self, hash: InfoHash, turn: u64) -> PathBuf {
        self.folder.join(format!(".{hash}.{turn}{NEW}"))
    }

    /// Writes files. When this returns, a power cut does not undo it.
    pub(super) fn keep(&self, torrents: &[(InfoHash, &[u8])]) -> Result<(), StateError> {
        let turn = TURNS.fetch_add(1, Ordering::Relaxed);
        let new = |hash: &InfoHash| self.new_path(*hash, turn);
        let kept = self.keep_by(torrents, &new);
        if kept.is_err() {
            // of those that are in their places already nothing is left here
            torrents.iter().for_each(|(hash, _)| drop(fs::remove_file(new(hash))));
        }
        kept
    }

    /// Writes a file that [`Torrents::sync`] makes safe: many that come one by one cost one wait for the disk. One that is there
    /// already may be needed, and gives way only to one that is on disk.
    pub(super) fn write(&self, hash: InfoHash, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path(hash);
        if path.exists() {
            return self.keep(&[(hash, bytes)]);
        }
        let new = self.new_path(hash, TURNS.fetch_add(1, Ordering::Relaxed));
        let written = write_new(&new, bytes, false).and_then(|()| {
            let mut fresh = self.fresh();
            fs::rename(&new, &path)?;
            fresh.insert(hash);
            Ok(())
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&new);
            StateError::file(&path)(error)
        })?;
        // not before it has its name: it would be looked for in vain
        self.unsynced().insert(hash);
        Ok(())
    }

    /// When this returns, a power cut does not undo what was written before.
    pub(super) fn sync(&self) -> Result<(), StateError> {
        let written = std::mem::take(&mut *self.unsynced());
        if written.is_empty() {
            return Ok(());
        }
        let synced = self.sync_files(&written).and_then(|()| folder::sync(&self.folder));
        synced.map_err(|error| {
            self.unsynced().extend(written);
            StateError::file(&self.folder)(error)
        })
    }

    fn sync_files(&self, written: &HashSet<InfoHash>) -> io::Result<()> {
        if written.len() >= MANY {
            return sync_all(&self.folder);
        }
        written.iter().try_for_each(|hash| match File::open(self.path(*hash)) {
            // removed meanwhile
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.sync_all(),
        })
    }

    fn keep_by(&self, torrents: &[(InfoHash, &[u8])], new: &dyn Fn(&InfoHash) -> PathBuf) -> Result<(), StateError> {
        for (hash, bytes) in torrents {
            write_new(&new(hash), bytes, torrents.len() < MANY).map_err(StateError::file(&self.path(*hash)))?;
        }
        let failed = || StateError::file(&self.folder);
        if torrents.len() >= MANY {
            sync_all(&self.folder).map_err(failed())?;
        }
        for (hash, _) in torrents {
            let mut fresh = self.fresh();
            let path = self.path(*hash);
            fs::rename(new(hash), &path).map_err(StateError::file(&path))?;
            fresh.insert(*hash);
        }
        folder::sync(&self.folder).map_err(failed())
    }

    /// The bytes of a file; `None` if there is none.
    pub(super) fn read(&self, hash: InfoHash) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path(hash);
        let mut bytes = Vec::new();
        let limit = limits::TORRENT_FILE as u64 + 1;
        match File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StateError::file(&path)(error)),
        }
    }

    /// A file, read and checked; `None` if there is none.
    pub(super) fn parse(&self, hash: InfoHash) -> Result<Option<Metainfo>, StateError> {
        let damaged = |what: String| StateError::Damaged { path: self.path(hash), what };
        let Some(bytes) = self.read(hash)? else { return Ok(None) };
        let torrent = Metainfo::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        if torrent.info_hash() != hash {
            return Err(damaged("it is another torrent".to_owned()));
        }
        Ok(Some(torrent))
    }

    /// The next removal of `hash` is of what was written up to now.
    pub(super) fn will_remove(&self, hash: InfoHash) {
        self.fresh().remove(&hash);
    }

    /// The first half of removing a file. Nothing that cannot be done keeps a torrent: at the worst a file too many stays.
    pub(super) fn set_aside(&self, hash: InfoHash) {
        let fresh = self.fresh();
        if !fresh.contains(&hash) {
            let _ = fs::rename(self.path(hash), self.removed_path(hash));
        }
    }

    /// The second half.
    pub(super) fn remove_set_aside(&self, hash: InfoHash) {
        let _ = fs::remove_file(self.removed_path(hash));
    }

    /// Undoes the first half.
    pub(super) fn put_back(&self, hash: InfoHash) {
        let _ = fs::rename(self.removed_path(hash), self.path(hash));
    }

    /// What is there. Halves of files that a crash left are taken away.
    pub(super) fn list(&self) -> Result<Listing, StateError> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.folder).map_err(StateError::file(&self.folder))? {
            let name = entry.map_err(StateError::file(&self.folder))?.file_name();
            let Some(name) = name.to_str() else { continue };
            let hash = |suffix| name.strip_suffix(suffix).and_then(InfoHash::from_hex);
            if name.starts_with('.') && name.ends_with(NEW) {
                let _ = fs::remove_file(self.folder.join(name));
            } else if let Some(hash) = hash(SUFFIX) {
                listing.torrents.insert(hash);
            } else if let Some(hash) = hash(REMOVED) {
                listing.removed.push(hash);
            }
        }
        Ok(listing)
    }

    fn unsynced(&self) -> MutexGuard<'_, HashSet<InfoHash>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> MutexGuard<'_, HashSet<InfoHash>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole file system that `folder` is on.
fn sync_all(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
}

fn write_new(path: &PathBuf, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}
