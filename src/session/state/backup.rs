//! Generations of the database beside it: what a damaged one is mended from.
//!
//! Made from a database that was found right, compact, synced, and in their place only when they are whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::{StateError, database, folder};

/// Generations that are kept.
pub(super) const KEPT: usize = 3;
/// Time between two generations.
pub(super) const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// A start makes one if the newest is older than this: one that starts again and again must not push all of yesterday's out.
const FRESH: Duration = Duration::from_secs(60 * 60);
const PREFIX: &str = "state-";
const SUFFIX: &str = ".sqlite";

/// A generation.
#[derive(Debug)]
pub(super) struct Backup {
    number: u64,
    pub(super) path: PathBuf,
}

/// What is there, the newest first.
pub(super) fn list(folder: &Path) -> Result<Vec<Backup>, StateError> {
    let mut backups = Vec::new();
    for entry in fs::read_dir(folder).map_err(StateError::file(folder))? {
        let path = entry.map_err(StateError::file(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
        backups.extend(number.map(|number| Backup { number, path }));
    }
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.number));
    Ok(backups)
}

/// How long it is until the next one is due.
pub(super) fn due_in(folder: &Path) -> Duration {
    let newest = list(folder).ok().and_then(|backups| fs::metadata(&backups.first()?.path).ok()?.modified().ok());
    // a clock that was set back makes one too many
    let age = newest.and_then(|time| SystemTime::now().duration_since(time).ok());
    FRESH.saturating_sub(age.unwrap_or(FRESH))
}

/// Makes the next generation of what is committed, and drops the oldest.
pub(super) fn make(connection: &Connection, folder: &Path) -> Result<(), StateError> {
    let before = list(folder)?;
    let number = before.first().map_or(1, |newest| newest.number.saturating_add(1));
    let path = folder.join(format!("{PREFIX}{number}{SUFFIX}"));
    let temporary = folder.join(".new");
    let made = copy(connection, &temporary).and_then(|()| {
        fs::rename(&temporary, &path).and_then(|()| folder::sync(folder)).map_err(StateError::file(&path))
    });
    if made.is_err() {
        // half a copy would take the space that is missing
        let _ = fs::remove_file(&temporary);
        return made;
    }
    for old in before.get(KEPT - 1..).unwrap_or_default() {
        fs::remove_file(&old.path).map_err(StateError::file(&old.path))?;
    }
    Ok(())
}

fn copy(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let _ = fs::remove_file(path);
    // empty, it is written to; made by SQLite, everybody could read it
    database::create(path).map_err(StateError::file(path))?;
    let name = path.to_str().ok_or_else(|| StateError::file(path)(std::io::ErrorKind::InvalidFilename.into()))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(StateError::database(path))?;
    File::open(path).and_then(|file| file.sync_all()).map_err(StateError::file(path))
}
