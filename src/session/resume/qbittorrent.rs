//! qBittorrent: libtorrent's resume data with fields of its own, in files or in SQLite.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};

use crate::ids::InfoHash;
use crate::session::seedbox::{FilePriority, LimitChoice};

use super::fields::{self, Fields};
use super::foreign::Foreign;
use super::libtorrent::{self, Dialect};
use super::{Found, ReadError, folder};

const DIALECT: Dialect = Dialect { priority, connections: false };
const DATABASE: &str = "torrents.db";
/// Lines of the queue that are believed.
const QUEUE: usize = 1 << 20;

/// Reads `BT_backup`, `torrents.db`, or the folder that holds one of them. Where there are both, qBittorrent uses what its settings
/// say, which is the database where there is one: it makes one of the files when that is chosen.
pub(super) fn read(path: &Path) -> Result<Found, ReadError> {
    let database = if path.is_dir() { path.join(DATABASE) } else { path.to_owned() };
    if database.is_file() {
        return read_database(&database);
    }
    let below = path.join("BT_backup");
    let path = if below.is_dir() { &below } else { path };
    let files = folder::files(path, ".fastresume")?;
    if files.is_empty() {
        let expected = "files called HASH.fastresume, or torrents.db; name the folder called BT_backup";
        return Err(ReadError::Nothing { path: path.to_owned(), program: "qBittorrent", expected });
    }
    let queue = queue(path);
    let mut found = Found::default();
    for file in files {
        let torrent = folder::read(&file.with_extension("torrent"));
        let read = folder::read(&file).and_then(|bytes| bytes.ok_or_else(|| "is not there".to_owned()));
        let foreign = read.and_then(|bytes| libtorrent::parse(&file, &bytes, torrent?.as_deref(), DIALECT, read_own));
        found.add(&file, foreign);
    }
    for foreign in &mut found.torrents {
        foreign.queue = queue.get(&foreign.subject.info_hash()).copied();
    }
    Ok(found)
}

/// Places in the queue, by the order of lines.
fn queue(folder: &Path) -> HashMap<InfoHash, u32> {
    let bytes = folder::read(&folder.join("queue")).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let hashes = text.lines().take(QUEUE).filter_map(|line| InfoHash::from_hex(line.trim()));
    hashes.zip(0..).collect()
}

fn read_own(fields: Fields<'_, '_>, foreign: &mut Foreign) -> Result<(), String> {
    foreign.set_name(fields.text("qBt-name"));
    let choice = &mut foreign.choice;
    choice.category = fields.text("qBt-category").unwrap_or_default();
    let tags = fields.list("qBt-tags").unwrap_or_default().iter();
    choice.tags = tags.filter_map(|tag| tag.as_bytes().and_then(fields::text)).collect();
    choice.first_last = fields.flag("qBt-firstLastPiecePriority");
    // without a path of its own it follows its category
    choice.auto_managed = fields.path("qBt-savePath").is_none();
    // older ones write it as a text, not in thousandths
    let text = fields.bytes("qBt-ratioLimit").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    choice.ratio_limit = text.map_or_else(|| ratio(fields.integer("qBt-ratioLimit")), ratio_of);
    choice.seeding_limit = minutes(fields.integer("qBt-seedingTimeLimit"));
    choice.idle_limit = minutes(fields.integer("qBt-inactiveSeedingTimeLimit"));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio(thousandths: Option<i64>) -> LimitChoice<f64> {
    thousandths.map_or(LimitChoice::Global, |thousandths| ratio_of(thousandths as f64 / 1_000.0))
}

/// -1 is no limit, -2 the usual one.
fn ratio_of(ratio: f64) -> LimitChoice<f64> {
    match ratio {
        ratio if ratio >= 0.0 && ratio.is_finite() => LimitChoice::At(ratio),
        -1.0 => LimitChoice::Unlimited,
        _ => LimitChoice::Global,
    }
}

fn minutes(number: Option<i64>) -> LimitChoice<u32> {
    match number {
        Some(-1) => LimitChoice::Unlimited,
        Some(number) => u32::try_from(number).map_or(LimitChoice::Global, LimitChoice::At),
        None => LimitChoice::Global,
    }
}

fn priority(number: i64) -> FilePriority {
    match number {
        ..=0 => FilePriority::Skip,
        1..=5 => FilePriority::Normal,
        6.. => FilePriority::High,
    }
}

fn read_database(path: &Path) -> Result<Found, ReadError> {
    let failed = |source| ReadError::Database { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let mut found = Found::default();
    // columns came and went from version to version
    let mut statement = connection.prepare("SELECT * FROM torrents ORDER BY queue_position, id").map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let id: String = row.get("torrent_id").or_else(|_| text_of(row)).map_err(failed)?;
        // for messages
        let named = PathBuf::from(format!("{}: {id}", path.display()));
        found.add(&named, read_row(&named, row));
    }
    Ok(found)
}

/// Written as text by Qt, into a column of blobs.
fn text_of(row: &Row<'_>) -> Result<String, rusqlite::Error> {
    row.get::<_, Vec<u8>>("torrent_id").map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn read_row(path: &Path, row: &Row<'_>) -> Result<Foreign, String> {
    let blob = |column: &str| row.get::<_, Option<Vec<u8>>>(column).ok().flatten().filter(|bytes| !bytes.is_empty());
    let text = |column: &str| {
        let text = row.get::<_, Option<String>>(column).ok().flatten();
        text.and_then(|text| fields::text(text.as_bytes()))
    };
    let integer = |column: &str| row.get::<_, Option<i64>>(column).ok().flatten();
    let resume = blob("libtorrent_resume_data").ok_or("has no resume data")?;
    libtorrent::parse(path, &resume, blob("metadata").as_deref(), DIALECT, |_, foreign| {
        foreign.set_name(text("name"));
        foreign.queue = integer("queue_position").and_then(|place| u32::try_from(place).ok());
        let choice = &mut foreign.choice;
        choice.category = text("category").unwrap_or_default();
        let tags = text("tags").unwrap_or_default();
        choice.tags = tags.split(',').filter_map(|tag| fields::text(tag.as_bytes())).collect();
        choice.first_last = integer("has_outer_pieces_priority").is_some_and(|flag| flag != 0);
        choice.auto_managed = text("target_save_path").is_none();
        choice.ratio_limit = ratio(integer("ratio_limit"));
        choice.seeding_limit = minutes(integer("seeding_time_limit"));
        choice.idle_limit = minutes(integer("inactive_seeding_time_limit"));
        choice.paused = integer("stopped").is_some_and(|flag| flag != 0);
        choice.forced = !choice.paused && text("operating_mode").as_deref() == Some("Forced");
        Ok(())
    })
}
