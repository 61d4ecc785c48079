//! Taking torrents of other programs into the state of a seedbox.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::InfoHash;
use crate::session::seedbox::{About, FilePriority, about, content_of};
use crate::session::state::{Loaded, PersistentNumbers, Record, StateError, Store};
use crate::storage::{Disk, Identity, Noted, Resume};

use super::foreign::{Foreign, Subject};
use super::judge::Verdict;

/// Torrents whose files are written at once: their bytes are in memory, once more.
const AT_ONCE: usize = 64;

/// Where torrents are taken in.
pub struct Intake<'a> {
    /// The state.
    pub store: &'a Store,
    /// Notes of unfinished downloads.
    pub resume: &'a Resume,
    /// What notes are written by.
    pub disk: &'a Disk,
}

/// What became of torrents. A dry run says what would.
#[derive(Debug, Default)]
pub struct Report {
    /// Complete: no piece is hashed before it is served.
    pub whole: usize,
    /// Unfinished, and known in part.
    pub part: usize,
    /// Unfinished, with nothing here yet.
    pub empty: usize,
    /// To be checked, each with the reason.
    pub unsure: Vec<(String, String)>,
    /// Complete, but their files are not there at present.
    pub absent: Vec<(String, String)>,
    /// Links whose metadata is still sought.
    pub links: usize,
    /// Were here already, and stay as they are.
    pub known: usize,
    /// Categories that they are in, and how many of them.
    pub categories: BTreeMap<String, usize>,
    /// What could not be kept though the torrent was taken.
    pub warnings: Vec<String>,
}

/// A torrent on its way in.
struct Incoming {
    record: Record,
    bytes: Option<Vec<u8>>,
    identities: Vec<Identity>,
}

impl Report {
    /// How many are new.
    pub fn taken(&self) -> usize {
        self.whole + self.part + self.empty + self.unsure.len() + self.absent.len() + self.links
    }
}

impl Intake<'_> {
    /// Takes `torrents` in; those that are in `loaded` already are passed over. Torrent files are written first, all records then in
    /// one transaction: a crash in between changes nothing.
    pub fn take(self, torrents: Vec<Foreign>, loaded: &Loaded) -> Result<Report, StateError> {
        let mut report = Report::default();
        let mut known: HashSet<InfoHash> = loaded.records.iter().map(|record| record.info_hash).collect();
        let mut queue = loaded.records.iter().map(|record| record.numbers.queue + 1).max().unwrap_or(0);
        let mut incoming = Vec::new();
        for foreign in in_order(torrents) {
            if !known.insert(foreign.subject.info_hash()) {
                report.known += 1;
                continue;
            }
            let verdict = foreign.judge();
            report.count(&foreign, &verdict);
            self.note(&foreign, &verdict, &mut report);
            incoming.push(prepare(foreign, verdict, queue));
            queue += 1;
        }
        self.write(incoming, loaded)?;
        Ok(report)
    }

    /// What of an unfinished download is here.
    fn note(&self, foreign: &Foreign, verdict: &Verdict, report: &mut Report) {
        let (Verdict::Part { pieces, files, .. }, Subject::Torrent(torrent)) = (verdict, &foreign.subject) else {
            return;
        };
        let content = content_of(torrent, &foreign.choice);
        let noted = Noted { pieces: pieces.clone().into(), files: files.clone() };
        if let Err(error) = self.resume.note(self.disk, torrent, &content, noted) {
            report.warnings.push(format!("{}: it will be checked: {error}", foreign.subject.name()));
        }
    }

    fn write(&self, mut incoming: Vec<Incoming>, loaded: &Loaded) -> Result<(), StateError> {
        for some in incoming.chunks_mut(AT_ONCE) {
            let with_file = some.iter().filter_map(|one| Some((one.record.info_hash, one.bytes.as_deref()?)));
            self.store.keep_torrents(&with_file.collect::<Vec<_>>())?;
            some.iter_mut().for_each(|one| one.bytes = None);
        }
        let mut all_time = loaded.all_time;
        for one in &incoming {
            all_time.uploaded = all_time.uploaded.saturating_add(one.record.numbers.uploaded);
            all_time.downloaded = all_time.downloaded.saturating_add(one.record.numbers.downloaded);
        }
        self.store.put(incoming.iter().map(|one| one.record.clone()));
        let with_files = incoming.iter().filter(|one| !one.identities.is_empty());
        with_files.for_each(|one| self.store.keep_identities(one.record.info_hash, &one.identities));
        self.store.keep_all_time(&all_time);
        Ok(())
    }
}

impl Report {
    /// Of a dry run: nothing is written.
    pub fn of(torrents: Vec<Foreign>, loaded: &Loaded) -> Report {
        let mut report = Report::default();
        let mut known: HashSet<InfoHash> = loaded.records.iter().map(|record| record.info_hash).collect();
        for foreign in torrents {
            match known.insert(foreign.subject.info_hash()) {
                true => report.count(&foreign, &foreign.judge()),
                false => report.known += 1,
            }
        }
        report
    }

    fn count(&mut self, foreign: &Foreign, verdict: &Verdict) {
        let name = || foreign.choice.name.clone().unwrap_or_else(|| foreign.subject.name());
        match verdict {
            _ if matches!(foreign.subject, Subject::Magnet(_)) => self.links += 1,
            Verdict::Whole(_) => self.whole += 1,
            Verdict::Part { .. } => self.part += 1,
            Verdict::Nothing => self.empty += 1,
            Verdict::Unsure(text) => self.unsure.push((name(), text.clone())),
            Verdict::Absent(text) => self.absent.push((name(), text.clone())),
        }
        if !foreign.choice.category.is_empty() {
            *self.categories.entry(foreign.choice.category.clone()).or_default() += 1;
        }
    }
}

/// As the program's queue has them, those without a place last.
fn in_order(mut torrents: Vec<Foreign>) -> Vec<Foreign> {
    torrents.sort_by_key(|foreign| foreign.queue.unwrap_or(u32::MAX));
    torrents
}

fn prepare(foreign: Foreign, verdict: Verdict, queue: u32) -> Incoming {
    let info_hash = foreign.subject.info_hash();
    let (about, bytes, magnet) = match &foreign.subject {
        Subject::Torrent(torrent) => (about(torrent), Some(torrent.to_bytes()), None),
        Subject::Magnet(magnet) => {
            let name = foreign.subject.name();
            let trackers = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
            let about = About { info_hash: Some(info_hash), name, trackers, ..About::default() };
            (about, None, Some(Arc::from(magnet.to_string())))
        }
    };
    let (complete, have, identities) = match verdict {
        Verdict::Whole(identities) => (true, about.size, identities),
        Verdict::Absent(_) => (true, about.size, Vec::new()),
        Verdict::Part { have, .. } => (false, have, Vec::new()),
        Verdict::Nothing | Verdict::Unsure(_) => (false, 0, Vec::new()),
    };
    let wanted = wanted(&foreign);
    // some do not note when that was of what they found complete
    let when_added = Some(foreign.numbers.added_at).filter(|time| complete && *time > 0);
    let numbers = PersistentNumbers {
        wanted,
        have,
        left: if complete { 0 } else { wanted.saturating_sub(have) },
        queue,
        completed_at: foreign.numbers.completed_at.or(when_added),
        ..foreign.numbers
    };
    let record = Record {
        info_hash,
        about: Arc::new(about),
        choice: Arc::new(foreign.choice),
        numbers,
        complete,
        trusted: complete,
        magnet,
    };
    Incoming { record, bytes, identities }
}

/// Bytes of wanted files.
fn wanted(foreign: &Foreign) -> u64 {
    let Subject::Torrent(torrent) = &foreign.subject else { return 0 };
    let is_wanted =
        |index: usize| foreign.choice.files.get(index).is_none_or(|priority| *priority != FilePriority::Skip);
    let files = torrent.files().iter().enumerate().filter(|(index, file)| !file.is_padding() && is_wanted(*index));
    files.map(|(_, file)| file.length()).sum()
}

impl Foreign {
    /// Has `to` in place of `from` at the begin of its paths, as whole names.
    pub fn map_paths(&mut self, maps: &[(PathBuf, PathBuf)]) {
        let choice = &mut self.choice;
        let moving = choice.moving.as_mut().map(|place| &mut place.folder);
        for path in [Some(&mut choice.folder), choice.destination.as_mut(), moving].into_iter().flatten() {
            let longest = maps
                .iter()
                .filter(|(from, _)| path.starts_with(from))
                .max_by_key(|(from, _)| from.components().count());
            if let Some((from, to)) = longest {
                let rest = path.strip_prefix(from).unwrap_or(path);
                *path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            }
        }
    }
}
