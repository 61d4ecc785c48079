//! Making a damaged database anew, each torrent from the first source that has it whole.
//!
//! A power cut may come at any moment of this too. The new database is complete under another name before the damaged one is moved, and
//! [`finish`] ends at the next start what was cut off in between.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::ids::InfoHash;

use super::folder::{self, Folder};
use super::open::{Place, Problem};
use super::pending::{Edit, Pending};
use super::rows::{self, Fact};
use super::torrents::Listing;
use super::{Record, StateError, backup, database, rebuild, writer};

/// Folders in which content is looked for.
const FOLDERS: usize = 1_000;

/// Makes the database anew; answers what its owner should know.
pub(super) fn recover(place: &Place<'_>, listing: &Listing, cause: &str) -> Result<Vec<Problem>, StateError> {
    let damaged = place.folder.database();
    let mut salvage = Salvage::new(listing);
    salvage.take(&damaged, true);
    let from_it = salvage.taken();
    for backup in backup::list(&place.folder.backups())? {
        salvage.take(&backup.path, false);
    }
    let from_backups = salvage.taken() - from_it;
    let mut problems = salvage.rebuild(place);
    let from_files = salvage.taken() - from_it - from_backups;
    salvage.write(place.folder)?;
    let aside = replace(place.folder)?;
    let aside = aside.map(|path| format!(", what is left of it is {}", path.display())).unwrap_or_default();
    let text = format!(
        "{cause}: the state was made anew with {from_it} torrents from it, {from_backups} from backups and {from_files} from \
         their .torrent files{aside}"
    );
    problems.insert(0, Problem { info_hash: None, text });
    Ok(problems)
}

/// Ends what a power cut left half done.
pub(super) fn finish(folder: &Folder) -> Result<(), StateError> {
    let _ = fs::remove_file(building(folder));
    if ready(folder).exists() { replace(folder).map(drop) } else { Ok(()) }
}

struct Salvage<'a> {
    listing: &'a Listing,
    records: Pending,
    known: HashSet<InfoHash>,
    values: BTreeMap<String, Option<String>>,
    /// Every row of a source was read: torrents that it has not were removed.
    complete: bool,
}

impl Salvage<'_> {
    fn new(listing: &Listing) -> Salvage<'_> {
        Salvage {
            listing,
            records: Pending::default(),
            known: HashSet::new(),
            values: BTreeMap::new(),
            complete: false,
        }
    }

    fn taken(&self) -> usize {
        self.known.len()
    }

    /// Takes what is whole in the database at `path` and not here yet. Of the `latest` everything; of older ones no torrent whose
    /// file is gone since.
    fn take(&mut self, path: &Path, latest: bool) {
        let Ok(connection) = database::open_to_read(path) else { return };
        let mut damaged = 0;
        let mut found = Vec::new();
        let scanned = rows::read_records(&connection, |record| match record {
            Ok(record) => found.push(record),
            Err(_) => damaged += 1,
        });
        for record in found {
            let has_file = self.has_file(record.info_hash);
            if latest || has_file || (!record.about.has_metadata && !self.complete) {
                self.add(&connection, record);
            }
        }
        // a page that cannot be read ends the scan, not the search by hash
        for hash in self.files() {
            if let Ok(Some(Ok(record))) = rows::find_record(&connection, hash) {
                self.add(&connection, record);
            }
        }
        self.complete |= scanned.is_ok() && damaged == 0;
        // what an error leaves out is in the next source
        let _ = rows::read_values(&connection, |key, value| {
            self.values.entry(key).or_insert(Some(value));
        });
    }

    fn has_file(&self, hash: InfoHash) -> bool {
        self.listing.torrents.contains(&hash) || self.listing.removed.contains(&hash)
    }

    /// Torrents that have a file and no record yet.
    fn files(&self) -> Vec<InfoHash> {
        self.listing.torrents.iter().filter(|hash| !self.known.contains(hash)).copied().collect()
    }

    fn add(&mut self, connection: &Connection, record: Record) {
        let hash = record.info_hash;
        if !self.known.insert(hash) {
            return;
        }
        // without its facts a torrent is looked at again, that is all
        let fact = |fact| rows::read_fact(connection, hash, fact).ok().flatten().map(Into::into);
        let (identities, verified) = (fact(Fact::Identities), fact(Fact::Verified));
        self.records.edit(hash, Edit { record: Some(record), identities, verified, ..Edit::default() });
    }

    /// Makes records of the files that have none.
    fn rebuild(&mut self, place: &Place<'_>) -> Vec<Problem> {
        let known = self.records.torrents.values().filter_map(|edit| edit.record.as_ref());
        let known: HashSet<PathBuf> = known.map(|record| record.choice.folder.clone()).collect();
        let folders: Vec<PathBuf> = place.data.iter().cloned().chain(known).take(FOLDERS).collect();
        let mut problems = Vec::new();
        for hash in self.files() {
            let text = match rebuild::rebuild(place, hash, &folders) {
                Ok(Some(record)) => {
                    let text = rebuilt(&record);
                    self.known.insert(hash);
                    self.records.edit(hash, Edit { record: Some(record), ..Edit::default() });
                    text
                }
                Ok(None) => continue,
                Err(error) => error.to_string(),
            };
            problems.push(Problem { info_hash: Some(hash), text });
        }
        problems
    }

    fn write(self, folder: &Folder) -> Result<(), StateError> {
        let (path, ready) = (building(folder), ready(folder));
        let mut batch = self.records;
        batch.values = self.values;
        let mut connection = database::open(&path, true)?;
        let written = writer::write_batch(&mut connection, &batch, true).and_then(|()| database::fold(&connection));
        written.map_err(StateError::database(&path))?;
        drop(connection);
        fs::rename(&path, &ready).and_then(|()| folder::sync(folder.path())).map_err(StateError::file(&ready))
    }
}

/// Moves the damaged database aside and the new one in its place. The log of the old one must not be taken for one of the new.
fn replace(folder: &Folder) -> Result<Option<PathBuf>, StateError> {
    let database = folder.database();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let aside = folder.path().join(format!("state.sqlite.damaged-{now}"));
    let moved = rename(&database, &aside).map_err(StateError::file(&database))?;
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    rename(&log(&database), &log(&aside)).map_err(StateError::file(&database))?;
    let _ = fs::remove_file(folder.path().join("state.sqlite-shm"));
    let failed = || StateError::file(&database);
    folder::sync(folder.path()).map_err(failed())?;
    fs::rename(ready(folder), &database).and_then(|()| folder::sync(folder.path())).map_err(failed())?;
    Ok(moved.then_some(aside))
}

/// Whether there was something to rename.
fn rename(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true),
    }
}

fn building(folder: &Folder) -> PathBuf {
    folder.path().join("state.sqlite.building")
}

fn ready(folder: &Folder) -> PathBuf {
    folder.path().join("state.sqlite.new")
}

fn rebuilt(record: &Record) -> String {
    let name = &record.about.name;
    match record.complete {
        true => format!(
            "of {name:?} only its .torrent file was left; its content was found in {}, its numbers begin anew",
            record.choice.folder.display()
        ),
        false => format!(
            "of {name:?} only its .torrent file was left, and its content was not found: it is paused; set its folder, then start it"
        ),
    }
}
