//! Looking at a torrent's content: what of it is here. Blocks for the disk; runs on threads of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::hash::Engine;
use crate::ids::{InfoHash, PieceIndex};
use crate::limits;
use crate::metainfo::Metainfo;
use crate::schedule::picker::{Order, Priority, Shape, piece_priorities};
use crate::storage::{
    Cause, CheckError, Checker, CheckpointError, Content, Disk, FileFault, Identity, Resume, Target, TargetOptions,
};

use super::super::downloading::Download;
use super::super::seeding::Torrent;
use super::super::state::Store;
use super::choice::{Choice, FilePriority};
use super::place::{content_of, wanted_bytes, wanted_files};

/// Bytes that buffers of pieces of one download may take.
const DOWNLOAD_MEMORY: u64 = 16 << 20;

/// What to look at, and how.
pub(super) struct Look {
    pub(super) info_hash: InfoHash,
    /// Its torrent file.
    pub(super) file: PathBuf,
    pub(super) choice: Arc<Choice>,
    pub(super) manner: Manner,
    pub(super) resume: Resume,
    pub(super) disk: Arc<Disk>,
    pub(super) store: Store,
    pub(super) watch: Arc<Watch>,
}

/// How thoroughly.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    /// It is complete if its files are still what they were; else it has to be checked.
    Compare,
    /// It is complete if its files have the right sizes; else it has to be checked.
    Trust,
    /// Part of it may be here, as the last checkpoint says; `begun`: some of it was.
    Resume {
        /// Bytes of it were here.
        begun: bool,
        /// All of it was.
        all: bool,
    },
    /// Everything is hashed.
    Check {
        /// Bytes of it were here.
        begun: bool,
    },
}

/// How a look gets on, and the way to end it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) done: AtomicU64,
    pub(super) cancel: AtomicBool,
}

/// What a look found.
pub(super) enum Found {
    /// All of it.
    Whole(Box<Torrent>),
    /// Not all; its files are made.
    Partial(Box<Part>),
    /// Its files are not there.
    Absent(String),
    /// Only hashing can tell.
    Unsure,
    /// It cannot be used.
    Failed(String),
    /// It was told to end.
    Cancelled,
}

/// What of a torrent is here.
pub(super) struct Part {
    pub(super) download: Download,
    /// Bytes of good pieces.
    pub(super) have: u64,
    /// Bytes of wanted files.
    pub(super) wanted: u64,
    /// Bytes of wanted pieces that are not here.
    pub(super) left: u64,
    pub(super) warnings: Vec<String>,
}

impl Look {
    pub(super) fn run(self) -> Found {
        let torrent = match read_torrent(&self.file, self.info_hash) {
            Ok(torrent) => torrent,
            Err(error) => return Found::Failed(error),
        };
        let content = content_of(&torrent, &self.choice);
        match &self.manner {
            Manner::Compare => match self.store.identities(self.info_hash) {
                Ok(before) => compare(torrent, content, before.unwrap_or_default()),
                Err(error) => Found::Failed(error.to_string()),
            },
            Manner::Trust => match content.identities() {
                Ok(identities) => whole(torrent, content, identities),
                Err(fault) => unlike(fault),
            },
            Manner::Resume { begun, all } => match (*begun, is_any_there(&content)) {
                (true, false) => absent(&content),
                // nobody knows what these are
                (false, true) => Found::Unsure,
                // what was complete once is not opened for writing to see whether it still is
                _ if *all && !self.is_noted(&torrent, &content) => self.check(torrent, content),
                _ => self.take_stock(torrent, content),
            },
            Manner::Check { begun } => match *begun && !is_any_there(&content) {
                true => absent(&content),
                false => self.check(torrent, content),
            },
        }
    }

    /// Hashes everything. Where all files are there in full nothing is opened for writing.
    fn check(&self, torrent: Metainfo, content: Content) -> Found {
        if content.faults().is_empty() {
            match self.with_checker(|checker| checker.verify(&content, &torrent)) {
                Ok(report) if report.is_good() => {
                    return whole(torrent, content, report.identities.unwrap_or_default());
                }
                Ok(_) => {}
                Err(CheckError::Cancelled) => return Found::Cancelled,
                Err(CheckError::File(fault)) => return Found::Failed(fault.to_string()),
            }
            self.watch.done.store(0, Ordering::Relaxed);
        }
        self.take_stock(torrent, content)
    }

    /// The last checkpoint of a download says what is here.
    fn is_noted(&self, torrent: &Metainfo, content: &Content) -> bool {
        self.resume.noted(torrent, content).is_ok_and(|noted| noted.is_some())
    }

    fn with_checker<T>(&self, work: impl FnOnce(&Checker<'_>) -> T) -> T {
        let progress = |bytes| {
            self.watch.done.fetch_add(bytes, Ordering::Relaxed);
        };
        work(&Checker {
            engine: Engine::detect(),
            disk: &self.disk,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            through_disk: false,
            progress: &progress,
            cancel: &self.watch.cancel,
        })
    }

    /// Finds out which pieces are here and makes the files for the others.
    fn take_stock(&self, torrent: Metainfo, content: Content) -> Found {
        // a note of earlier is not believed by who wants everything hashed
        let resume = self.resume.clone();
        if matches!(self.manner, Manner::Check { .. })
            && let Err(error) = resume.forget(&torrent, &content)
        {
            return Found::Failed(error.to_string());
        }
        let options = TargetOptions::default();
        let wanted = wanted_files(&self.choice);
        let target = Target::new(torrent.clone(), content.clone(), &wanted, options, self.disk.clone(), Some(resume));
        let stock = match self.with_checker(|checker| target.take_stock(checker)) {
            Ok(stock) => stock,
            Err(CheckError::Cancelled) => return Found::Cancelled,
            Err(CheckError::File(fault)) => return Found::Failed(fault.to_string()),
        };
        if is_all(&torrent, &stock.had) {
            match content.identities() {
                Ok(identities) => return whole(torrent, content, identities),
                // an empty file that is not there yet
                Err(FileFault { cause: Cause::Missing, .. }) => {}
                Err(fault) => return Found::Failed(fault.to_string()),
            }
        }
        let mut warnings: Vec<String> = stock.warnings.iter().map(ToString::to_string).collect();
        let made = content.make_folder().map_err(CheckpointError::from);
        if let Err(error) = made.and_then(|()| target.make(&stock)) {
            match error {
                CheckpointError::Note(error) => warnings.push(error.to_string()),
                error => return Found::Failed(error.to_string()),
            }
        }
        self.part(torrent, target, warnings)
    }

    fn part(&self, torrent: Metainfo, target: Target, warnings: Vec<String>) -> Found {
        let priorities = priorities(&torrent, &self.choice);
        let (had, have) = (target.had(), target.good());
        let left = left(&torrent, &had, &priorities);
        let wanted = wanted_bytes(&torrent, &self.choice);
        let download = Download {
            metainfo: torrent,
            target: Arc::new(target),
            priorities,
            order: if self.choice.sequential { Order::Sequential } else { Order::default() },
            memory: DOWNLOAD_MEMORY,
            peers: Vec::new(),
            disk: self.disk.clone(),
        };
        Found::Partial(Box::new(Part { download, have, wanted, left, warnings }))
    }
}

/// Files that are not there are absent even if nobody knows what they were.
fn compare(torrent: Metainfo, content: Content, before: Vec<Identity>) -> Found {
    let is_still = |now: &[Identity]| {
        now.len() == before.len() && now.iter().zip(&before).all(|(now, before)| now.is_still(before))
    };
    match content.identities() {
        Ok(now) if is_still(&now) => whole(torrent, content, now),
        Ok(_) => Found::Unsure,
        Err(fault) => unlike(fault),
    }
}

fn whole(metainfo: Metainfo, content: Content, identities: Vec<Identity>) -> Found {
    Found::Whole(Box::new(Torrent { metainfo, content, identities }))
}

fn absent(content: &Content) -> Found {
    let place = content.place();
    Found::Absent(format!("{} is not there: is its disk mounted? It is tried again by itself", place.display()))
}

/// What it means that files are not what they were.
fn unlike(fault: FileFault) -> Found {
    match fault.cause {
        Cause::Missing => Found::Absent(format!(
            "{} is not there: is its disk mounted? It is tried again by itself",
            fault.path.display()
        )),
        Cause::WrongSize { .. } | Cause::Changed => Found::Unsure,
        _ => Found::Failed(fault.to_string()),
    }
}

fn is_any_there(content: &Content) -> bool {
    content.stored().any(|file| content.identity(file).is_ok())
}

fn is_all(torrent: &Metainfo, had: &[u8]) -> bool {
    (0..torrent.geometry().pieces()).all(|piece| is_set(had, piece))
}

fn is_set(bits: &[u8], piece: u32) -> bool {
    bits.get(piece as usize / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
}

fn left(torrent: &Metainfo, had: &[u8], priorities: &[Priority]) -> u64 {
    let is_wanted = |piece: u32| priorities.get(piece as usize).is_none_or(|priority| *priority != Priority::Skip);
    let missing = (0..torrent.geometry().pieces()).filter(|&piece| !is_set(had, piece) && is_wanted(piece));
    missing.map(|piece| u64::from(torrent.geometry().piece_length(PieceIndex(piece)))).sum()
}

/// How much each piece is wanted; empty if all are wanted alike.
fn priorities(torrent: &Metainfo, choice: &Choice) -> Vec<Priority> {
    if choice.files.iter().all(|priority| *priority == FilePriority::Normal) && !choice.first_last {
        return Vec::new();
    }
    let of_files = torrent.files().iter().enumerate().map(|(index, file)| {
        let priority = match choice.files.get(index).copied().unwrap_or_default() {
            _ if file.is_padding() => Priority::Skip,
            FilePriority::Skip => Priority::Skip,
            FilePriority::Low => Priority::Low,
            FilePriority::Normal => Priority::Normal,
            FilePriority::High => Priority::High,
        };
        (file.length(), priority)
    });
    let shape = Shape::new(torrent.geometry().nominal_piece_length(), torrent.geometry().total());
    let mut priorities = piece_priorities(&shape, of_files);
    if choice.first_last {
        ends_first(torrent, &mut priorities);
    }
    priorities
}

/// The first and the last piece of each wanted file before all others, so that players can begin.
fn ends_first(torrent: &Metainfo, priorities: &mut [Priority]) {
    let length = u64::from(torrent.geometry().nominal_piece_length());
    let mut start = 0;
    for file in torrent.files() {
        let end = start + file.length();
        if !file.is_padding() && end > start {
            for at in [start / length, (end - 1) / length] {
                let piece = usize::try_from(at).ok().and_then(|piece| priorities.get_mut(piece));
                if let Some(priority) = piece.filter(|priority| **priority != Priority::Skip) {
                    *priority = Priority::High;
                }
            }
        }
        start = end;
    }
}

/// Reads a torrent file of ours.
pub(super) fn read_torrent(path: &std::path::Path, info_hash: InfoHash) -> Result<Metainfo, String> {
    let remedy = "add the torrent again";
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}; {remedy}", path.display()))?;
    if bytes.len() > limits::TORRENT_FILE {
        return Err(format!("{} is too long; {remedy}", path.display()));
    }
    let torrent = Metainfo::parse(&bytes).map_err(|error| format!("{}: {error}; {remedy}", path.display()))?;
    match torrent.info_hash() == info_hash {
        true => Ok(torrent),
        false => Err(format!("{} is another torrent; {remedy}", path.display())),
    }
}
