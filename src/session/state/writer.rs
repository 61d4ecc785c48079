//! The thread that writes.
//!
//! It takes all that waits, writes it in one transaction, and takes what came meanwhile. What could not be written goes back under
//! what came since, so nothing is lost and the newest counts; then it waits a little longer each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::pending::{Edit, Pending};
use super::rows::{self, Fact};
use super::store::{Inbox, Shared};
use super::{StateError, backup, database, error};
use crate::ids::InfoHash;

/// Numbers are synced this often: what a power cut may cost. A sync takes a rotating disk some 20 ms.
const SYNC_AFTER: Duration = Duration::from_secs(10);
/// First and last wait after a failure: whoever frees space should not have to wait for long.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// Time after a start before a backup is made: there is enough to do.
const SETTLING: Duration = Duration::from_secs(30);
const BACKUP_RETRY: Duration = Duration::from_secs(15 * 60);

pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Gone after a failure that may have left it useless.
    connection: Option<Connection>,
    /// When the first commit was made that is not synced.
    unsynced: Option<Instant>,
    /// How long the next failure is waited out.
    retry: Duration,
    /// When the next backup is made.
    backup_at: Instant,
}

/// What the inbox asks for.
struct Task {
    batch: Arc<Pending>,
    /// Changes up to this one are in it.
    through: u64,
    flush: bool,
    back_up: bool,
    end: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, connection: Connection) -> Writer {
        let backup_at = Instant::now() + backup::due_in(&shared.folder.backups()).max(SETTLING);
        Writer { shared, connection: Some(connection), unsynced: None, retry: RETRY_MIN, backup_at }
    }

    pub(super) fn run(mut self) {
        loop {
            let task = self.wait();
            let written = self.write(&task);
            let failed = written.is_err();
            self.report(&task, written);
            if task.end {
                break;
            }
            if failed {
                self.pause();
            } else if task.back_up || Instant::now() >= self.backup_at {
                self.back_up();
            }
        }
        // closing copies the log into the database; a failure leaves it to the next start
        drop(self.connection);
        self.shared.update(|inbox| inbox.ended = true);
    }

    /// Until there is something to write or to sync.
    fn wait(&mut self) -> Task {
        let mut inbox = self.shared.inbox();
        loop {
            let sync_in = self.unsynced.map(|since| SYNC_AFTER.saturating_sub(since.elapsed()));
            let due = sync_in.is_some_and(|left| left.is_zero());
            let backup_in = self.backup_at.saturating_duration_since(Instant::now());
            if due || backup_in.is_zero() || inbox.flush || inbox.end || !inbox.pending.is_empty() {
                return take(&mut inbox, due);
            }
            inbox = self.shared.wait(inbox, sync_in.map_or(backup_in, |left| left.min(backup_in)));
        }
    }

    fn write(&mut self, task: &Task) -> Result<(), StateError> {
        if self.connection.is_none() {
            self.reopen()?;
        }
        let path = self.shared.folder.database();
        let overdue = self.unsynced.is_some_and(|since| since.elapsed() >= SYNC_AFTER);
        let sync = task.batch.durable || task.flush || task.end || overdue;
        let connection = self.connection.as_mut().expect("just opened");
        if task.batch.is_empty() {
            if self.unsynced.is_some() {
                database::checkpoint(connection).map_err(StateError::database(&path))?;
            }
        } else {
            // a record needs its file
            if task.batch.torrents.values().any(|edit| edit.record.is_some()) {
                self.shared.torrents.sync()?;
            }
            self.set_aside(&task.batch);
            let connection = self.connection.as_mut().expect("just opened");
            write_batch(connection, &task.batch, sync).map_err(StateError::database(&path))?;
            self.remove_set_aside(&task.batch);
        }
        self.unsynced = if sync || task.batch.is_empty() { None } else { self.unsynced.or(Some(Instant::now())) };
        Ok(())
    }

    /// The folder may have been away meanwhile: another file system at its path is not ours to write.
    fn reopen(&mut self) -> Result<(), StateError> {
        let folder = &self.shared.folder;
        if !folder.is_there() {
            let away = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(StateError::file(folder.path())(away));
        }
        self.connection = Some(database::open(&folder.database(), false)?);
        Ok(())
    }

    /// What goes wrong is told, and tried again sooner.
    fn back_up(&mut self) {
        let Some(connection) = &self.connection else { return };
        let path = self.shared.folder.database();
        let right = match database::damage(connection) {
            Ok(None) => Ok(()),
            Ok(Some(what)) => Err(StateError::Damaged { path, what }),
            Err(error) => Err(StateError::database(&path)(error)),
        };
        let made = right.and_then(|()| backup::make(connection, &self.shared.folder.backups()));
        self.backup_at = Instant::now() + if made.is_ok() { backup::EVERY } else { BACKUP_RETRY };
        let health = made.err().map(|error| match error.is_damage() {
            true => format!("{error}; start the daemon again, it mends it"),
            false => format!("the state is saved, but no backup can be made of it: {error}"),
        });
        self.shared.update(|inbox| {
            inbox.backups += 1;
            inbox.backup_health = health.map(Arc::from);
        });
    }

    fn report(&mut self, task: &Task, written: Result<(), StateError>) {
        let health = written.as_ref().err().map(|cause| Arc::from(error::unsaved(self.shared.folder.path(), cause)));
        if written.is_ok() {
            self.retry = RETRY_MIN;
        } else {
            // a connection whose file failed may go on failing after the file is well again
            self.connection = None;
        }
        self.shared.update(|inbox| {
            let batch = inbox.writing.take();
            match &health {
                None => inbox.written = inbox.written.max(task.through),
                Some(_) => {
                    let later = std::mem::take(&mut inbox.pending);
                    inbox.pending = batch.map(|batch| Pending::clone(&batch)).unwrap_or_default();
                    inbox.pending.extend(later);
                    inbox.failed = inbox.failed.max(task.through);
                }
            }
            inbox.health = health;
        });
    }

    /// Ends early if somebody waits for the disk.
    fn pause(&mut self) {
        let end = Instant::now() + self.retry;
        self.retry = (self.retry * 2).min(RETRY_MAX);
        let mut inbox = self.shared.inbox();
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if inbox.flush || inbox.end {
                return;
            }
            inbox = self.shared.wait(inbox, left);
        }
    }

    fn set_aside(&self, batch: &Pending) {
        gone(batch).for_each(|hash| self.shared.torrents.set_aside(hash));
    }

    fn remove_set_aside(&self, batch: &Pending) {
        gone(batch).for_each(|hash| self.shared.torrents.remove_set_aside(hash));
    }
}

fn take(inbox: &mut Inbox, due: bool) -> Task {
    let batch = Arc::new(std::mem::take(&mut inbox.pending));
    inbox.writing = Some(Arc::clone(&batch));
    let flush = std::mem::take(&mut inbox.flush) || due;
    let back_up = std::mem::take(&mut inbox.back_up);
    Task { batch, through: inbox.queued, flush, back_up, end: inbox.end }
}

fn gone(batch: &Pending) -> impl Iterator<Item = InfoHash> {
    let gone = |edit: &Edit| edit.removed && edit.record.is_none();
    batch.torrents.iter().filter(move |(_, edit)| gone(edit)).map(|(hash, _)| *hash)
}

/// All of it or nothing.
pub(super) fn write_batch(connection: &mut Connection, batch: &Pending, sync: bool) -> Result<(), rusqlite::Error> {
    database::sync_commits(connection, sync)?;
    let transaction = connection.transaction()?;
    for (hash, edit) in batch.in_order() {
        if edit.removed {
            rows::remove(&transaction, hash)?;
        }
        if let Some(record) = &edit.record {
            rows::put_record(&transaction, record)?;
        }
        if let Some(numbers) = &edit.numbers {
            rows::update_numbers(&transaction, hash, numbers)?;
        }
        for (fact, bytes) in [(Fact::Identities, &edit.identities), (Fact::Verified, &edit.verified)] {
            bytes.as_ref().map_or(Ok(()), |bytes| rows::put_fact(&transaction, hash, fact, bytes))?;
        }
    }
    for (key, value) in &batch.values {
        rows::put_value(&transaction, key, value.as_deref())?;
    }
    transaction.commit()
}
