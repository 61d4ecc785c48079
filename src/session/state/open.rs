//! Opening the state: what a start finds, and what it makes of it.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::ids::InfoHash;

use super::folder::Folder;
use super::torrents::{Listing, Torrents};
use super::{AllTime, Month, Record, StateError, Traffic, database, rows};

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

impl Loaded {
    fn problem(&mut self, info_hash: Option<InfoHash>, text: String) {
        self.problems.push(Problem { info_hash, text });
    }

    pub(super) fn value(&mut self, key: &str, value: String) {
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

pub(super) fn open(folder: &Folder, torrents: &Torrents) -> Result<(Connection, Loaded), StateError> {
    let path = folder.database();
    let listing = torrents.list()?;
    let connection = database::open(&path, true)?;
    let mut loaded = read(&connection, folder)?;
    settle(&mut loaded, &listing, torrents);
    Ok((connection, loaded))
}

/// Checks and reads everything; what is damaged in any way is an error.
fn read(connection: &Connection, folder: &Folder) -> Result<Loaded, StateError> {
    let path = folder.database();
    let failed = || StateError::database(&path);
    let damaged = |what: String| StateError::Damaged { path: path.clone(), what };
    if let Some(what) = database::damage(connection).map_err(failed())? {
        return Err(damaged(what));
    }
    let mut loaded = Loaded::default();
    let mut lost = 0;
    rows::read_records(connection, |record| match record {
        Ok(record) => loaded.records.push(record),
        Err(_) => lost += 1,
    })
    .map_err(failed())?;
    let values_lost = rows::read_values(connection, |key, value| loaded.value(&key, value)).map_err(failed())?;
    match (lost, values_lost) {
        (0, false) => Ok(loaded),
        (0, true) => Err(damaged("sums are not as they were written".into())),
        (lost, _) => Err(damaged(format!("{lost} rows are not as they were written"))),
    }
}

/// Makes records and .torrent files agree after a crash between the two.
fn settle(loaded: &mut Loaded, listing: &Listing, torrents: &Torrents) {
    let known: std::collections::HashSet<InfoHash> = loaded.records.iter().map(|record| record.info_hash).collect();
    for &hash in &listing.removed {
        if known.contains(&hash) && !listing.torrents.contains(&hash) {
            torrents.put_back(hash);
        } else {
            torrents.remove_set_aside(hash);
        }
    }
    let has_file = |hash| listing.torrents.contains(&hash) || listing.removed.contains(&hash);
    let without = loaded.records.iter().filter(|record| record.about.has_metadata && !has_file(record.info_hash));
    let without: Vec<InfoHash> = without.map(|record| record.info_hash).collect();
    for hash in without {
        let path = torrents.path(hash);
        loaded.problem(Some(hash), format!("{} is gone; put it there again, or remove the torrent", path.display()));
    }
}
