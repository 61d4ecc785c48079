//! The handle on the state.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::ids::InfoHash;
use crate::metainfo::Metainfo;
use crate::storage::Identity;

use super::folder::Folder;
use super::open::{self, Loaded, Place};
use super::pending::{Edit, Pending};
use super::rows::{self, Fact};
use super::torrents::Torrents;
use super::writer::Writer;
use super::{AllTime, Month, PersistentNumbers, Record, StateError, Traffic, database, identities};

/// The state of one seedbox. Cloning shares it. See the [module](super).
///
/// Nothing but [`Store::open`], [`Store::close`] and what reads or writes a file ([`Store::keep_torrent`], [`Store::read_torrent`],
/// [`Store::identities`], [`Store::verified`]) waits for the disk.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
}

/// What the handles and the writer share.
pub(super) struct Shared {
    pub(super) torrents: Torrents,
    inbox: Mutex<Inbox>,
    wake: Condvar,
    turns: watch::Sender<u64>,
    /// For facts that are read on demand.
    reader: Mutex<Option<Connection>>,
    /// Last: the lock goes when everything else is gone.
    pub(super) folder: Folder,
}

/// What waits for the writer, and how far it is. No longer than the torrents are many, as each change takes the place of the one
/// before it; so nobody ever has to wait for room in it.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) pending: Pending,
    /// Being written.
    pub(super) writing: Option<Arc<Pending>>,
    /// Changes handed over.
    pub(super) queued: u64,
    /// Changes on disk: as many of the first.
    pub(super) written: u64,
    /// Changes that an attempt to write has failed with.
    pub(super) failed: u64,
    pub(super) health: Option<Arc<str>>,
    /// Why there is no backup of late.
    pub(super) backup_health: Option<Arc<str>>,
    /// Somebody waits.
    pub(super) flush: bool,
    /// A backup is to be made now.
    pub(super) back_up: bool,
    /// Backups that were made, or could not be.
    pub(super) backups: u64,
    pub(super) end: bool,
    pub(super) ended: bool,
}

/// The writer; it ends when the last handle is dropped.
struct Thread {
    shared: Arc<Shared>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Takes `folder`, which is made if it is not there; checks and mends what is in it; reads every record.
    pub fn open(folder: &Path) -> Result<(Store, Loaded), StateError> {
        Store::open_with(folder, &[])
    }

    /// The same; content of torrents of which nothing but the .torrent file is left is looked for in `data`, too.
    pub fn open_with(folder: &Path, data: &[PathBuf]) -> Result<(Store, Loaded), StateError> {
        let folder = Folder::take(folder)?;
        let torrents = Torrents::new(folder.torrents());
        let (connection, mut loaded) = open::open(&Place { folder: &folder, torrents: &torrents, data })?;
        let shared = Arc::new(Shared {
            folder,
            torrents,
            inbox: Mutex::default(),
            wake: Condvar::new(),
            turns: watch::Sender::default(),
            reader: Mutex::default(),
        });
        let writer = Writer::new(Arc::clone(&shared), connection);
        let handle = std::thread::Builder::new().name("state".into()).spawn(move || writer.run());
        let handle = handle.map_err(StateError::file(shared.folder.path()))?;
        let thread = Arc::new(Thread { shared: Arc::clone(&shared), handle: Mutex::new(Some(handle)) });
        let store = Store { shared, thread };
        store.update_numbers(loaded.count_up_to_the_end());
        Ok((store, loaded))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// Where the .torrent file of this torrent is, or would be.
    pub fn torrent_path(&self, hash: InfoHash) -> PathBuf {
        self.shared.torrents.path(hash)
    }

    /// Writes a .torrent file; to be done before its record is [put](Store::put), which is not written before the file is on disk.
    pub fn keep_torrent(&self, hash: InfoHash, bytes: &[u8]) -> Result<(), StateError> {
        self.shared.torrents.write(hash, bytes)
    }

    /// Writes many of them at once. Waits for the disk.
    pub fn keep_torrents(&self, torrents: &[(InfoHash, &[u8])]) -> Result<(), StateError> {
        self.shared.torrents.keep(torrents)
    }

    /// Reads a .torrent file; `None` if there is none.
    pub fn read_torrent(&self, hash: InfoHash) -> Result<Option<Metainfo>, StateError> {
        self.shared.torrents.parse(hash)
    }

    /// The same as bytes, not looked into.
    pub fn read_torrent_bytes(&self, hash: InfoHash) -> Result<Option<Vec<u8>>, StateError> {
        self.shared.torrents.read(hash)
    }

    /// Adds records, or replaces those of the same torrents; what else is known of them stays.
    pub fn put(&self, records: impl IntoIterator<Item = Record>) {
        let edit = |record: Record| (record.info_hash, Edit { record: Some(record), ..Edit::default() });
        self.edit(true, records.into_iter().map(edit));
    }

    /// Keeps the numbers of torrents that are there.
    pub fn update_numbers(&self, numbers: impl IntoIterator<Item = (InfoHash, PersistentNumbers)>) {
        let edit = |(hash, numbers)| (hash, Edit { numbers: Some(numbers), ..Edit::default() });
        self.edit(false, numbers.into_iter().map(edit));
    }

    /// Forgets torrents and all that is known of them, their .torrent files included.
    pub fn remove(&self, hashes: impl IntoIterator<Item = InfoHash>) {
        let remove = |hash| {
            self.shared.torrents.will_remove(hash);
            (hash, Edit { removed: true, ..Edit::default() })
        };
        self.edit(true, hashes.into_iter().map(remove));
    }

    /// Keeps what the stored files of a torrent, in their order, are while they are known to be good. None: nothing is known.
    pub fn keep_identities(&self, hash: InfoHash, files: &[Identity]) {
        let bytes = if files.is_empty() { Vec::new() } else { identities::encode(files) };
        self.edit(false, [(hash, Edit { identities: Some(bytes.into()), ..Edit::default() })]);
    }

    /// Keeps which pieces of a torrent were verified, a bit each, the first the highest of the first byte. None: nothing is known.
    pub fn keep_verified(&self, hash: InfoHash, pieces: Vec<u8>) {
        self.edit(false, [(hash, Edit { verified: Some(pieces.into()), ..Edit::default() })]);
    }

    /// What the files of a torrent were when they were last known to be good; `None` if that is not known. May wait for the disk.
    pub fn identities(&self, hash: InfoHash) -> Result<Option<Vec<Identity>>, StateError> {
        Ok(self.fact(hash, Fact::Identities)?.and_then(|bytes| identities::decode(&bytes)))
    }

    /// Which pieces of a torrent were verified; `None` if that is not known. May wait for the disk.
    pub fn verified(&self, hash: InfoHash) -> Result<Option<Vec<u8>>, StateError> {
        self.fact(hash, Fact::Verified)
    }

    /// Keeps the sums of all torrents.
    pub fn keep_all_time(&self, sums: &AllTime) {
        self.value(false, open::ALL_TIME.to_owned(), Some(json(sums)));
    }

    /// Keeps the traffic of a month.
    pub fn keep_traffic(&self, month: Month, traffic: &Traffic) {
        self.value(false, format!("{}{month}", open::TRAFFIC), Some(json(traffic)));
    }

    /// Keeps anything else under a name; `None` forgets it.
    pub fn keep(&self, name: &str, value: Option<String>) {
        self.value(true, format!("{}{name}", open::VALUE), value);
    }

    /// Returns once everything that was handed over is on disk, or an attempt to write it has failed. Then it is tried again all
    /// the same, and this may be asked again.
    pub async fn flush(&self) -> Result<(), StateError> {
        let mut turns = self.shared.turns.subscribe();
        let goal = self.ask_to_flush();
        loop {
            let outcome = self.shared.inbox().outcome(goal);
            if let Some(outcome) = outcome {
                return outcome;
            }
            // the sender lives as long as this handle
            let _ = turns.changed().await;
        }
    }

    /// Makes a backup now, as is done daily by itself.
    pub async fn back_up(&self) -> Result<(), StateError> {
        let mut turns = self.shared.turns.subscribe();
        let goal = self.shared.inbox().backups + 1;
        self.shared.inbox().back_up = true;
        self.flush().await?;
        loop {
            let outcome = self.shared.inbox().backup_outcome(goal);
            if let Some(outcome) = outcome {
                return outcome;
            }
            // the sender lives as long as this handle
            let _ = turns.changed().await;
        }
    }

    /// Writes everything and ends the writer, whatever other handles there are. What is handed over afterwards is lost.
    pub fn close(&self) -> Result<(), StateError> {
        self.thread.end();
        let inbox = self.shared.inbox();
        match &inbox.health {
            Some(health) if !inbox.pending.is_empty() => Err(StateError::Unsaved(health.to_string())),
            _ => Ok(()),
        }
    }

    /// The same, and gives the folder free for another process, whoever still holds a handle.
    pub fn release(&self) -> Result<(), StateError> {
        self.close()?;
        self.shared.folder.unlock()
    }

    /// Why the state cannot be saved at present, and what to do; `None` if it can.
    pub fn health(&self) -> Option<Arc<str>> {
        let inbox = self.shared.inbox();
        inbox.health.clone().or_else(|| inbox.backup_health.clone())
    }

    fn edit(&self, durable: bool, edits: impl IntoIterator<Item = (InfoHash, Edit)>) {
        let mut edits = edits.into_iter().peekable();
        if edits.peek().is_none() {
            return;
        }
        self.shared.change(|pending| {
            edits.for_each(|(hash, edit)| pending.edit(hash, edit));
            pending.durable |= durable;
        });
    }

    fn value(&self, durable: bool, key: String, value: Option<String>) {
        self.shared.change(|pending| {
            pending.values.insert(key, value);
            pending.durable |= durable;
        });
    }

    fn ask_to_flush(&self) -> u64 {
        let mut inbox = self.shared.inbox();
        // a failure before this was asked is none of it
        inbox.queued += 1;
        inbox.flush = true;
        self.shared.wake.notify_one();
        inbox.queued
    }

    fn fact(&self, hash: InfoHash, fact: Fact) -> Result<Option<Vec<u8>>, StateError> {
        let unwritten = self.shared.inbox().fact(hash, fact);
        if let Some(bytes) = unwritten {
            return Ok(bytes.map(|bytes| bytes.to_vec()));
        }
        let path = self.shared.folder.database();
        let mut reader = self.shared.reader();
        let connection = match reader.take() {
            Some(connection) => connection,
            None => database::open_to_read(&path).map_err(StateError::database(&path))?,
        };
        // one that failed is not used again
        let found = rows::read_fact(&connection, hash, fact).map_err(StateError::database(&path))?;
        *reader = Some(connection);
        Ok(found)
    }
}

impl Shared {
    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Option<Connection>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until somebody hands something over, at most for `limit`.
    pub(super) fn wait<'a>(&self, inbox: MutexGuard<'a, Inbox>, limit: Duration) -> MutexGuard<'a, Inbox> {
        self.wake.wait_timeout(inbox, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells those who wait how far the writer is.
    pub(super) fn update(&self, update: impl FnOnce(&mut Inbox)) {
        update(&mut self.inbox());
        self.turns.send_modify(|turn| *turn += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Pending)) {
        let mut inbox = self.inbox();
        change(&mut inbox.pending);
        inbox.queued += 1;
        self.wake.notify_one();
    }
}

impl Inbox {
    fn outcome(&self, goal: u64) -> Option<Result<(), StateError>> {
        let unsaved = || StateError::Unsaved(self.health.as_deref().unwrap_or("the state is closed").to_owned());
        if self.written >= goal {
            Some(Ok(()))
        } else if self.failed >= goal || self.ended {
            Some(Err(unsaved()))
        } else {
            None
        }
    }

    fn backup_outcome(&self, goal: u64) -> Option<Result<(), StateError>> {
        let failure = self.backup_health.as_ref().or(self.health.as_ref());
        match failure {
            Some(failure) if self.backups >= goal || self.ended => Some(Err(StateError::Unsaved(failure.to_string()))),
            None if self.backups >= goal => Some(Ok(())),
            _ => None,
        }
    }

    /// What is said of a fact by changes that are not written: nothing, or what it is now.
    fn fact(&self, hash: InfoHash, fact: Fact) -> Option<Option<Arc<[u8]>>> {
        let edits = [Some(&self.pending), self.writing.as_deref()];
        for edit in edits.into_iter().flatten().filter_map(|pending| pending.torrents.get(&hash)) {
            let bytes = match fact {
                Fact::Identities => &edit.identities,
                Fact::Verified => &edit.verified,
            };
            if bytes.is_some() || edit.removed {
                return Some(bytes.clone().filter(|bytes| !bytes.is_empty()));
            }
        }
        None
    }
}

impl Thread {
    fn end(&self) {
        self.shared.inbox().end = true;
        self.shared.wake.notify_one();
        // with it open the log would stay
        *self.shared.reader() = None;
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        // a panic there was reported by the thread itself
        handle.map(JoinHandle::join);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end();
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers are plain data")
}
