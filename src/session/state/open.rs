//! Opening the state: what a start finds, and what it makes of it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use rusqlite::Connection;

use crate::ids::InfoHash;

use super::folder::Folder;
use super::torrents::{Listing, Torrents};
use super::{AllTime, Month, PersistentNumbers, Record, StateError, Traffic, backup, database, recover, rows};

/// Names in the table of values.
pub(super) const ALL_TIME: &str = "all-time";
pub(super) const TRAFFIC: &str = "traffic/";
pub(super) const VALUE: &str = "value/";

/// What was kept.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Every torrent, in the order of their addition.
    pub records: Vec<Record>,
    /// Sums over all starts.
    pub all_time: AllTime,
    /// Traffic by month.
    pub traffic: BTreeMap<Month, Traffic>,
    /// What was kept under a name.
    pub values: BTreeMap<String, String>,
    /// What its owner should know. Everything else is as it was.
    pub problems: Vec<Problem>,
}

/// Something that was not as it should have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Of this torrent, if of one.
    pub info_hash: Option<InfoHash>,
    /// What, and what was done about it.
    pub text: String,
}

/// Where everything is.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Folder,
    pub(super) torrents: &'a Torrents,
    /// Folders in which content may be whose record is lost.
    pub(super) data: &'a [PathBuf],
}

impl Loaded {
    /// After a crash: counts the time that torrents ran until then; the numbers that are others now.
    pub(super) fn count_up_to_the_end(&mut self) -> Vec<(InfoHash, PersistentNumbers)> {
        let end = self.all_time.running_seconds;
        let counted = self.records.iter_mut().filter_map(|record| {
            let counted = record.numbers.count_up_to(end);
            counted.then_some((record.info_hash, record.numbers))
        });
        counted.collect()
    }

    fn value(&mut self, key: &str, value: String) {
        if let Some(name) = key.strip_prefix(VALUE) {
            self.values.insert(name.to_owned(), value);
        } else if let Some(month) = key.strip_prefix(TRAFFIC) {
            let traffic = month.parse::<Month>().ok().zip(serde_json::from_str(&value).ok());
            self.traffic.extend(traffic);
        } else if key == ALL_TIME {
            self.all_time = serde_json::from_str(&value).unwrap_or_default();
        }
    }
}

/// Opens the database, or makes it anew from all that there is.
pub(super) fn open(place: &Place<'_>) -> Result<(Connection, Loaded), StateError> {
    let listing = place.torrents.list()?;
    recover::finish(place.folder)?;
    let cause = match as_it_is(place, &listing) {
        Ok(Some((connection, mut loaded))) => {
            settle(&mut loaded, &listing, place.torrents);
            return Ok((connection, loaded));
        }
        Ok(None) => format!("{} was gone", place.folder.database().display()),
        Err(error) if error.is_damage() => error.to_string(),
        Err(error) => return Err(error),
    };
    let problems = recover::recover(place, &listing, &cause)?;
    let (connection, mut loaded) = whole(place)?;
    settle(&mut loaded, &listing, place.torrents);
    loaded.problems.extend(problems);
    Ok((connection, loaded))
}

/// `None`: there is none, where there should be one.
fn as_it_is(place: &Place<'_>, listing: &Listing) -> Result<Option<(Connection, Loaded)>, StateError> {
    let path = place.folder.database();
    let is_new = listing.torrents.is_empty() && backup::list(&place.folder.backups())?.is_empty();
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    if !is_new && size == 0 {
        return Ok(None);
    }
    database::create(&path).map_err(StateError::file(&path))?;
    let (connection, form) = database::connect(&path)?;
    if !is_new && form == 0 {
        return Ok(None);
    }
    drop(connection);
    whole(place).map(Some)
}

/// Checks everything, then brings it into the present form and reads it. What is damaged in any way is an error.
fn whole(place: &Place<'_>) -> Result<(Connection, Loaded), StateError> {
    let path = place.folder.database();
    let failed = || StateError::database(&path);
    let (mut connection, form) = database::connect(&path)?;
    if let Some(what) = database::damage(&connection).map_err(failed())? {
        return Err(StateError::Damaged { path, what });
    }
    if form < database::known() {
        if form > 0 {
            backup::make(&connection, &place.folder.backups())?;
        }
        database::bring_up(&mut connection).map_err(failed())?;
    }
    let loaded = read(&connection, place.folder)?;
    Ok((connection, loaded))
}

fn read(connection: &Connection, folder: &Folder) -> Result<Loaded, StateError> {
    let path = folder.database();
    let failed = || StateError::database(&path);
    let mut loaded = Loaded::default();
    let mut lost = 0;
    rows::read_records(connection, |record| match record {
        Ok(record) => loaded.records.push(record),
        Err(_) => lost += 1,
    })
    .map_err(failed())?;
    let values_lost = rows::read_values(connection, |key, value| loaded.value(&key, value)).map_err(failed())?;
    let what = match (lost, values_lost) {
        (0, false) => return Ok(loaded),
        (0, true) => "sums of all torrents are not as they were written".to_owned(),
        (lost, _) => format!("{lost} rows are not as they were written"),
    };
    Err(StateError::Damaged { path, what })
}

/// Makes records and .torrent files agree after a crash between the two.
fn settle(loaded: &mut Loaded, listing: &Listing, torrents: &Torrents) {
    let known: HashSet<InfoHash> = loaded.records.iter().map(|record| record.info_hash).collect();
    for &hash in &listing.removed {
        if known.contains(&hash) && !listing.torrents.contains(&hash) {
            torrents.put_back(hash);
        } else {
            torrents.remove_set_aside(hash);
        }
    }
    let has_file = |hash| listing.torrents.contains(&hash) || listing.removed.contains(&hash);
    let without = loaded.records.iter().filter(|record| record.about.has_metadata && !has_file(record.info_hash));
    let problem = |record: &Record| Problem {
        info_hash: Some(record.info_hash),
        text: format!(
            "{} is gone; put it there again, or remove the torrent and add it again",
            torrents.path(record.info_hash).display()
        ),
    };
    loaded.problems.extend(without.map(problem));
}
