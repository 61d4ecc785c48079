//! A record made of a .torrent file alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::ids::InfoHash;
use crate::metainfo::Metainfo;
use crate::session::seedbox::{Choice, about, content_of};

use super::open::Place;
use super::{PersistentNumbers, Record, StateError};

/// The record of a torrent of which nothing but its file is left. Its content is looked for in `folders`; if it lies in none of them
/// in full, the torrent is paused, so that nothing is downloaded to where its owner does not want it.
pub(super) fn rebuild(place: &Place<'_>, hash: InfoHash, folders: &[PathBuf]) -> Result<Option<Record>, StateError> {
    let Some(torrent) = place.torrents.parse(hash)? else { return Ok(None) };
    let in_folder = |folder: &PathBuf| Choice { folder: folder.clone(), ..Choice::default() };
    let found = folders.iter().map(in_folder).find(|choice| is_there(&torrent, choice));
    let complete = found.is_some();
    let choice = found.unwrap_or_else(|| Choice { paused: true, ..Choice::default() });
    let about = about(&torrent);
    let added_at = place.torrents.path(hash).metadata().and_then(|metadata| metadata.modified());
    let since = added_at.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let added_at = i64::try_from(since.as_secs()).unwrap_or(0);
    let numbers = PersistentNumbers {
        wanted: about.size,
        left: if complete { 0 } else { about.size },
        have: if complete { about.size } else { 0 },
        added_at,
        completed_at: complete.then_some(added_at),
        ..PersistentNumbers::default()
    };
    Ok(Some(Record {
        info_hash: hash,
        about: Arc::new(about),
        choice: Arc::new(choice),
        numbers,
        complete,
        trusted: complete,
        magnet: None,
    }))
}

/// Every file is there, as long as it should be.
fn is_there(torrent: &Metainfo, choice: &Choice) -> bool {
    content_of(torrent, choice).identities().is_ok_and(|files| !files.is_empty())
}
