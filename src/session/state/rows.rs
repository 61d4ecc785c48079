//! Records as rows, and back.
//!
//! Each row has a sum over what stands in it. SQLite checks how pages hang together, not what stands in them; a seedbox runs for
//! years, and a flipped bit in a path must not send a download elsewhere.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};
use serde_json::{Map, Value};
use siphasher::sip::SipHasher13;

use crate::ids::InfoHash;
use crate::session::seedbox::{About, Choice, LimitChoice};

use super::{Counting, PersistentNumbers, Record};

/// What is read on demand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    /// What the files were when they were last known to be good.
    Identities = 1,
    /// Pieces that were verified since the torrent was taken on trust.
    Verified = 2,
}

/// A row that is there and not as it was written.
#[derive(Debug)]
pub(super) struct Damaged;

pub(super) fn put_record(transaction: &Transaction<'_>, record: &Record) -> Result<(), rusqlite::Error> {
    const PUT: &str = "
        INSERT INTO torrents (hash, name, size, pieces, piece_length, files, single_file, private, has_metadata, comment,
            created_by, created_at, trackers, choice, magnet, complete, trusted, sum)
        VALUES (:hash, :name, :size, :pieces, :piece_length, :files, :single_file, :private, :has_metadata, :comment,
            :created_by, :created_at, :trackers, :choice, :magnet, :complete, :trusted, :sum)
        ON CONFLICT (hash) DO UPDATE SET name = :name, size = :size, pieces = :pieces, piece_length = :piece_length,
            files = :files, single_file = :single_file, private = :private, has_metadata = :has_metadata,
            comment = :comment, created_by = :created_by, created_at = :created_at, trackers = :trackers,
            choice = :choice, magnet = :magnet, complete = :complete, trusted = :trusted, sum = :sum";
    let about = &*record.about;
    let choice = choice_to_text(&record.choice);
    let trackers = trackers_to_text(about);
    transaction.prepare_cached(PUT)?.execute(named_params! {
        ":hash": record.info_hash.0,
        ":name": about.name,
        ":size": signed(about.size),
        ":pieces": about.pieces,
        ":piece_length": about.piece_length,
        ":files": about.files,
        ":single_file": about.single_file,
        ":private": about.private,
        ":has_metadata": about.has_metadata,
        ":comment": about.comment,
        ":created_by": about.created_by,
        ":created_at": about.created_at,
        ":trackers": trackers,
        ":choice": choice,
        ":magnet": record.magnet,
        ":complete": record.complete,
        ":trusted": record.trusted,
        ":sum": record_sum(record, about, &trackers, &choice),
    })?;
    put_numbers(transaction, record.info_hash, &record.numbers)
}

fn put_numbers(
    transaction: &Transaction<'_>,
    hash: InfoHash,
    numbers: &PersistentNumbers,
) -> Result<(), rusqlite::Error> {
    const PUT: &str =
        "INSERT OR REPLACE INTO numbers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    let (counting, counted_at) = counting_to_columns(numbers.counting);
    transaction.prepare_cached(PUT)?.execute(params![
        hash.0,
        signed(numbers.wanted),
        signed(numbers.left),
        signed(numbers.have),
        signed(numbers.uploaded),
        signed(numbers.downloaded),
        signed(numbers.wasted),
        numbers.added_at,
        numbers.completed_at,
        numbers.active_at,
        signed(numbers.seeding_seconds),
        signed(numbers.running_seconds),
        numbers.queue,
        numbers_sum(hash, numbers),
        counting,
        counted_at,
    ])?;
    Ok(())
}

/// Numbers of a torrent that is there; those of one that is not are nobody's.
pub(super) fn update_numbers(
    transaction: &Transaction<'_>,
    hash: InfoHash,
    numbers: &PersistentNumbers,
) -> Result<(), rusqlite::Error> {
    if is_there(transaction, hash)? { put_numbers(transaction, hash, numbers) } else { Ok(()) }
}

/// A fact of a torrent that is there. An empty one is none.
pub(super) fn put_fact(
    transaction: &Transaction<'_>,
    hash: InfoHash,
    fact: Fact,
    bytes: &[u8],
) -> Result<(), rusqlite::Error> {
    if bytes.is_empty() {
        let forget = "DELETE FROM facts WHERE hash = ?1 AND kind = ?2";
        transaction.prepare_cached(forget)?.execute(params![hash.0, fact as i64])?;
    } else if is_there(transaction, hash)? {
        let put = "INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3, ?4)";
        transaction.prepare_cached(put)?.execute(params![hash.0, fact as i64, bytes, fact_sum(hash, fact, bytes)])?;
    }
    Ok(())
}

pub(super) fn remove(transaction: &Transaction<'_>, hash: InfoHash) -> Result<(), rusqlite::Error> {
    for remove in [
        "DELETE FROM torrents WHERE hash = ?1",
        "DELETE FROM numbers WHERE hash = ?1",
        "DELETE FROM facts WHERE hash = ?1",
    ] {
        transaction.prepare_cached(remove)?.execute([hash.0])?;
    }
    Ok(())
}

/// `None` forgets.
pub(super) fn put_value(transaction: &Transaction<'_>, key: &str, value: Option<&str>) -> Result<(), rusqlite::Error> {
    match value {
        Some(value) => {
            let put = "INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(put)?.execute(params![key, value, value_sum(key, value)])?;
        }
        None => drop(transaction.prepare_cached("DELETE FROM kept WHERE key = ?1")?.execute([key])?),
    }
    Ok(())
}

fn is_there(transaction: &Transaction<'_>, hash: InfoHash) -> Result<bool, rusqlite::Error> {
    transaction.prepare_cached("SELECT 1 FROM torrents WHERE hash = ?1")?.exists([hash.0])
}

/// The columns that [`read_record`] reads.
const RECORD: &str =
    "SELECT torrents.hash, name, size, pieces, piece_length, files, single_file, private, has_metadata,
    comment, created_by, created_at, trackers, choice, magnet, complete, trusted, torrents.sum,
    wanted, remaining, have, uploaded, downloaded, wasted, added_at, completed_at, active_at, seeding_seconds,
    running_seconds, queue, numbers.sum, counting, counted_at
    FROM torrents LEFT JOIN numbers ON numbers.hash = torrents.hash";
const NUMBERS_AT: usize = 18;

/// Calls `each` with every record in the order of addition, up to the first error of the database; one whose row is damaged is
/// only named. Numbers that are lost are zero, and make the row a damaged one.
pub(super) fn read_records(
    connection: &Connection,
    mut each: impl FnMut(Result<Record, Damaged>),
) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(&format!("{RECORD} ORDER BY place"))?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        each(read_record(row).map_err(|_| Damaged).and_then(|record| record));
    }
    Ok(())
}

/// One record, if it is there.
pub(super) fn find_record(
    connection: &Connection,
    hash: InfoHash,
) -> Result<Option<Result<Record, Damaged>>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(&format!("{RECORD} WHERE torrents.hash = ?1"))?;
    let mut rows = statement.query([hash.0])?;
    let found = rows.next()?;
    Ok(found.map(|row| read_record(row).map_err(|_| Damaged).and_then(|record| record)))
}

fn read_record(row: &Row<'_>) -> Result<Result<Record, Damaged>, rusqlite::Error> {
    let info_hash = InfoHash(row.get(0)?);
    let size: i64 = row.get(2)?;
    let about = About {
        info_hash: Some(info_hash),
        name: row.get(1)?,
        size: unsigned(size),
        pieces: row.get(3)?,
        piece_length: row.get(4)?,
        files: row.get(5)?,
        single_file: row.get(6)?,
        private: row.get(7)?,
        has_metadata: row.get(8)?,
        comment: row.get(9)?,
        created_by: row.get(10)?,
        created_at: row.get(11)?,
        trackers: Vec::new(),
    };
    let (trackers, choice) = (row.get_ref(12)?.as_str()?, row.get_ref(13)?.as_str()?);
    let mut record = Record {
        info_hash,
        about: Arc::default(),
        choice: Arc::default(),
        numbers: read_numbers(row)?,
        magnet: row.get(14)?,
        complete: row.get(15)?,
        trusted: row.get(16)?,
    };
    let mut about = about;
    let whole = row.get::<_, i64>(17)? == record_sum(&record, &about, trackers, choice)
        && row.get::<_, i64>(NUMBERS_AT + 12)? == numbers_sum(info_hash, &record.numbers);
    let parsed = (serde_json::from_str(trackers).ok(), choice_from_text(choice));
    let (true, (Some(trackers), Some(choice))) = (whole, parsed) else { return Ok(Err(Damaged)) };
    about.trackers = trackers;
    (record.about, record.choice) = (Arc::new(about), Arc::new(choice));
    Ok(Ok(record))
}

fn read_numbers(row: &Row<'_>) -> Result<PersistentNumbers, rusqlite::Error> {
    let at = |at| NUMBERS_AT + at;
    let bytes = |index| row.get(at(index)).map(unsigned);
    Ok(PersistentNumbers {
        wanted: bytes(0)?,
        left: bytes(1)?,
        have: bytes(2)?,
        uploaded: bytes(3)?,
        downloaded: bytes(4)?,
        wasted: bytes(5)?,
        added_at: row.get(at(6))?,
        completed_at: row.get(at(7))?,
        active_at: row.get(at(8))?,
        seeding_seconds: bytes(9)?,
        running_seconds: bytes(10)?,
        queue: row.get(at(11))?,
        counting: counting_of_columns(row.get(at(13))?, row.get(at(14))?),
    })
}

/// A fact of a torrent, if there is one and it is whole.
pub(super) fn read_fact(
    connection: &Connection,
    hash: InfoHash,
    fact: Fact,
) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT bytes, sum FROM facts WHERE hash = ?1 AND kind = ?2")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?));
    let found = statement.query_row(params![hash.0, fact as i64], read).optional()?;
    Ok(found.and_then(|(bytes, sum)| (sum == fact_sum(hash, fact, &bytes)).then_some(bytes)))
}

/// Calls `each` with every key and value that is whole; answers whether there are damaged ones.
pub(super) fn read_values(
    connection: &Connection,
    mut each: impl FnMut(String, String),
) -> Result<bool, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT key, value, sum FROM kept")?;
    let mut rows = statement.query(())?;
    let mut damaged = false;
    while let Some(row) = rows.next()? {
        let read = || Ok::<(String, String, i64), rusqlite::Error>((row.get(0)?, row.get(1)?, row.get(2)?));
        match read() {
            Ok((key, value, sum)) if sum == value_sum(&key, &value) => each(key, value),
            _ => damaged = true,
        }
    }
    Ok(damaged)
}

/// JSON of what differs from the usual: most torrents have a folder and nothing else.
fn choice_to_text(choice: &Choice) -> String {
    let object = |choice: &Choice| match serde_json::to_value(choice).expect("a choice is plain data") {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let usual = object(&Choice::default());
    let mut fields = object(&with_numbers(choice));
    fields.retain(|name, value| usual.get(name) != Some(value));
    Value::Object(fields).to_string()
}

fn trackers_to_text(about: &About) -> String {
    serde_json::to_string(&about.trackers).expect("lists of text are plain data")
}

/// JSON knows no infinity; a limit that no number reaches is none.
fn with_numbers(choice: &Choice) -> Choice {
    let mut choice = choice.clone();
    if matches!(choice.ratio_limit, LimitChoice::At(ratio) if !ratio.is_finite()) {
        choice.ratio_limit = LimitChoice::Unlimited;
    }
    choice
}

/// Fields that we do not know were a later version's, and are passed over.
pub(super) fn choice_from_text(text: &str) -> Option<Choice> {
    serde_json::from_str(text).ok()
}

fn counting_to_columns(counting: Option<Counting>) -> (i64, i64) {
    match counting {
        None => (0, 0),
        Some(Counting { since, seeding }) => (if seeding { 2 } else { 1 }, signed(since)),
    }
}

fn counting_of_columns(counting: i64, counted_at: i64) -> Option<Counting> {
    matches!(counting, 1 | 2).then(|| Counting { since: unsigned(counted_at), seeding: counting == 2 })
}

/// SQLite's numbers have a sign. No torrent has sent eight exabytes.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn record_sum(record: &Record, about: &About, trackers: &str, choice: &str) -> i64 {
    Sum::new(b"record")
        .text(&record.info_hash.0)
        .text(about.name.as_bytes())
        .text(about.comment.as_bytes())
        .text(about.created_by.as_bytes())
        .text(trackers.as_bytes())
        .text(choice.as_bytes())
        .text(record.magnet.as_deref().unwrap_or("").as_bytes())
        .number(signed(about.size))
        .number(about.pieces)
        .number(about.piece_length)
        .number(about.files)
        .number(about.created_at.unwrap_or(i64::MIN))
        .number(about.single_file)
        .number(about.private)
        .number(about.has_metadata)
        .number(record.complete)
        .number(record.trusted)
        .finish()
}

fn numbers_sum(hash: InfoHash, numbers: &PersistentNumbers) -> i64 {
    let sum = Sum::new(b"numbers")
        .text(&hash.0)
        .number(signed(numbers.wanted))
        .number(signed(numbers.left))
        .number(signed(numbers.have))
        .number(signed(numbers.uploaded))
        .number(signed(numbers.downloaded))
        .number(signed(numbers.wasted))
        .number(numbers.added_at)
        .number(numbers.completed_at.unwrap_or(i64::MIN))
        .number(numbers.active_at.unwrap_or(i64::MIN))
        .number(signed(numbers.seeding_seconds))
        .number(signed(numbers.running_seconds))
        .number(numbers.queue);
    // without it the sum is what it was before there were such columns
    let (counting, counted_at) = counting_to_columns(numbers.counting);
    if counting == 0 { sum.finish() } else { sum.number(counting).number(counted_at).finish() }
}

fn fact_sum(hash: InfoHash, fact: Fact, bytes: &[u8]) -> i64 {
    Sum::new(b"fact").text(&hash.0).number(fact as i64).text(bytes).finish()
}

fn value_sum(key: &str, value: &str) -> i64 {
    Sum::new(b"value").text(key.as_bytes()).text(value.as_bytes()).finish()
}

/// A hash over fields, each of a known length. It finds accidents; nobody who may write the file needs to be kept out by it.
struct Sum(Vec<u8>);

impl Sum {
    fn new(kind: &[u8]) -> Sum {
        Sum(kind.to_vec())
    }

    fn text(mut self, bytes: &[u8]) -> Sum {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
        self
    }

    fn number(mut self, number: impl Into<i64>) -> Sum {
        self.0.extend(number.into().to_be_bytes());
        self
    }

    fn finish(self) -> i64 {
        SipHasher13::new().hash(&self.0).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::state::database;

    #[test]
    fn rows_of_the_first_form_are_whole_in_the_present_one() {
        let mut connection = Connection::open_in_memory().expect("a database");
        database::bring_up(&mut connection).expect("the present form");
        let numbers = PersistentNumbers { uploaded: 7, seeding_seconds: 8, ..PersistentNumbers::default() };
        let record = Record {
            info_hash: InfoHash([1; 20]),
            about: Arc::default(),
            choice: Arc::default(),
            numbers,
            complete: true,
            trusted: false,
            magnet: None,
        };
        let transaction = connection.transaction().expect("a transaction");
        put_record(&transaction, &record).expect("a row");
        transaction.commit().expect("it is kept");
        let back = "ALTER TABLE numbers DROP COLUMN counting; ALTER TABLE numbers DROP COLUMN counted_at;
            PRAGMA user_version = 1";
        connection.execute_batch(back).expect("the first form");
        database::bring_up(&mut connection).expect("the present form");
        let mut read = Vec::new();
        read_records(&connection, |record| read.push(record.expect("it is whole").numbers)).expect("rows");
        assert_eq!(read, [numbers]);
    }
}
