//! The database: how it is opened, its form, and how an older form becomes the present one.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StateError;

/// Each makes of the form before it the next one; the number of them that a database went through is its `user_version`.
const MIGRATIONS: &[&str] = &[FORM_1, FORM_2];

/// Hash-keyed tables without row numbers: found by hash, and a change of numbers rewrites numbers alone. `sum` is over all other
/// columns, see [`super::rows`].
const FORM_1: &str = "
    CREATE TABLE torrents (
        place INTEGER PRIMARY KEY,  -- order of addition
        hash BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        pieces INTEGER NOT NULL,
        piece_length INTEGER NOT NULL,
        files INTEGER NOT NULL,
        single_file INTEGER NOT NULL,
        private INTEGER NOT NULL,
        has_metadata INTEGER NOT NULL,
        comment TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created_at INTEGER,
        trackers TEXT NOT NULL,     -- JSON: lists of URLs, by tier
        choice TEXT NOT NULL,       -- JSON: what differs from the usual
        magnet TEXT,
        complete INTEGER NOT NULL,
        trusted INTEGER NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE numbers (
        hash BLOB NOT NULL PRIMARY KEY,
        wanted INTEGER NOT NULL,
        remaining INTEGER NOT NULL,
        have INTEGER NOT NULL,
        uploaded INTEGER NOT NULL,
        downloaded INTEGER NOT NULL,
        wasted INTEGER NOT NULL,
        added_at INTEGER NOT NULL,
        completed_at INTEGER,
        active_at INTEGER,
        seeding_seconds INTEGER NOT NULL,
        running_seconds INTEGER NOT NULL,
        queue INTEGER NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (            -- what is read on demand only
        hash BLOB NOT NULL,
        kind INTEGER NOT NULL,      -- 1: identities of the files, 2: pieces that were verified
        bytes BLOB NOT NULL,
        sum INTEGER NOT NULL,
        PRIMARY KEY (hash, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE kept (             -- sums of all torrents, traffic by month, settings
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Numbers say whether time goes on being counted (0: no, 1: it is downloaded, 2: it is seeded) and since when.
const FORM_2: &str = "
    ALTER TABLE numbers ADD COLUMN counting INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE numbers ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0;
";

/// `PRAGMA application_id`: what `file` and we tell our databases by.
const APPLICATION: i32 = i32::from_be_bytes(*b"sowr");
/// How long another program's lock is waited for: somebody who looks into the file with a tool.
const PATIENCE: Duration = Duration::from_secs(2);
/// KiB of pages that the writer keeps: what a batch of numbers touches.
const PAGES_KIB: i32 = 1024;

/// Opens the database at `path`, which is made if `make` says so, and brings it into the present form.
pub(super) fn open(path: &Path, make: bool) -> Result<Connection, StateError> {
    if make {
        create(path).map_err(StateError::file(path))?;
    }
    let (mut connection, _) = connect(path)?;
    bring_up(&mut connection).map_err(StateError::database(path))?;
    Ok(connection)
}

/// Opens the database at `path`, which is there, as it is; also tells its form, 0 if there is nothing in it.
pub(super) fn connect(path: &Path) -> Result<(Connection, u32), StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(StateError::database(path))?;
    let version = version(&connection).map_err(StateError::database(path))?;
    let form = if version.tables == 0 { 0 } else { version.form };
    if version.tables > 0 && version.application != APPLICATION {
        return Err(StateError::Foreign(path.to_owned()));
    }
    if form > known() {
        return Err(StateError::Newer { path: path.to_owned(), found: form, known: known() });
    }
    prepare(&connection).map_err(StateError::database(path))?;
    Ok((connection, form))
}

/// The form that databases have now.
pub(super) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("a handful")
}

/// Brings a database into the present form.
pub(super) fn bring_up(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    migrate(connection, MIGRATIONS)
}

/// Opens the database at `path` for reading only, whatever its form is.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cache_size", -PAGES_KIB / 4)?;
    Ok(connection)
}

/// What SQLite finds wrong with the structure of the whole file; `None` if it is right.
pub(super) fn damage(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Whether commits are synced from now on, or only now and then.
pub(super) fn sync_commits(connection: &Connection, sync: bool) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })
}

/// Copies what was committed from the log into the database, as far as nobody reads it; both are synced.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
}

/// Has all of it in the one file, without a log beside it.
pub(super) fn fold(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "DELETE")
}

/// An empty file that its owner alone may read: links of private trackers are in it.
pub(super) fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "cache_size", -PAGES_KIB)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    sync_commits(connection, false)
}

struct Version {
    application: i32,
    form: u32,
    tables: u32,
}

fn version(connection: &Connection) -> Result<Version, rusqlite::Error> {
    Ok(Version {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        form: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        tables: connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?,
    })
}

/// All steps or none.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), rusqlite::Error> {
    let Version { form, .. } = version(connection)?;
    let steps = migrations.get(form as usize..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    sync_commits(connection, true)?;
    let transaction = connection.transaction()?;
    steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", u32::try_from(migrations.len()).expect("a handful"))?;
    transaction.commit()?;
    sync_commits(connection, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_form_becomes_the_present_one_and_a_failed_step_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("a database");
        let form = |connection: &Connection| version(connection).expect("a version").form;
        migrate(&mut connection, &["CREATE TABLE a (x)"]).expect("the first form");
        connection.execute("INSERT INTO a VALUES (7)", ()).expect("a row");
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "CREATE TABLE wrong"];
        migrate(&mut connection, &steps).expect_err("the last step is wrong");
        assert_eq!(form(&connection), 1);
        migrate(&mut connection, &steps[..2]).expect("the second form");
        assert_eq!(form(&connection), 2);
        let row = connection.query_row("SELECT x, y FROM a", (), |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row.expect("the row"), (7, None::<i64>));
    }
}
