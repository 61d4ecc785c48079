//! Looking after content that nobody asks for.
//!
//! What is served is compared with what it was every two seconds, by the session. The thousands that sleep are looked at one after another,
//! all of them within [`ROUND_SECONDS`], and all that lie in a folder as soon as that folder is another one: a disk that was
//! unmounted, or mounted over.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ids::TorrentId;

use super::keeper::{Content, Job, Keeper, News};
use super::look::{Found, Look};

/// In which every torrent is looked at once. Whoever asks for one has it looked at first, and folders are looked at all the time, so this is
/// for owners who want to know; each look reads the torrent file.
const ROUND_SECONDS: usize = 3_600;
/// Fewer torrents than this are looked at as if there were so many: all of them within seconds, if there are a few.
const FEW: usize = 10_000;
/// Torrents that are looked at in one turn, and none in the next ones: what each look does is in the caches of the processor after the first.
const LOOKS_AT_ONCE: usize = 32;
/// Turns between two times that new folders are looked for.
const LIST_TURNS: u64 = 30;
/// Turns between two times that folders in which no torrent is any more are forgotten.
const FORGET_TURNS: u64 = 1_800;
/// Folders that are looked at in one turn.
const FOLDERS_AT_ONCE: usize = 64;

/// Seconds that a look takes where a disk does not answer.
const HANGS_SECONDS: u64 = 10;

/// Device and inode; `None` if it is not there.
type Identity = Option<(u64, u64)>;

/// What a folder was at a time.
pub(super) struct Folder {
    path: PathBuf,
    identity: Identity,
}

impl Folder {
    /// As it is now. Blocks for the disk.
    pub(super) fn seen(path: &Path) -> Folder {
        Folder { path: path.to_owned(), identity: identity(path) }
    }
}

/// How far it is.
#[derive(Default)]
pub(super) struct Patrol {
    /// The torrent that was looked at last.
    at: Option<TorrentId>,
    /// What each was; `None`: it was not looked at yet.
    folders: BTreeMap<PathBuf, Option<Identity>>,
    folder_at: Option<PathBuf>,
    /// The view up to which folders are listed.
    listed: u64,
    /// How far it is behind: torrents times seconds.
    behind: usize,
    /// The turn in which the look began that goes on.
    began: Option<u64>,
}

impl Patrol {
    /// What was found in a folder that was not looked at yet is compared with this from now on.
    pub(super) fn know(&mut self, folder: Folder) {
        self.folders.entry(folder.path).or_default().get_or_insert(folder.identity);
    }
}

/// What it found.
pub(super) struct Patrolled {
    folders: Vec<Folder>,
    /// Torrents that are not what they were.
    suspects: Vec<TorrentId>,
    /// Bytes free in the download folder.
    free: Option<u64>,
}

impl Keeper {
    /// Once a second: looks at some folders and some torrents, on another thread.
    pub(super) fn patrol(&mut self) {
        if self.patrol.began.is_some() {
            return;
        }
        if self.turns % LIST_TURNS == 1 || self.patrol.folders.is_empty() {
            self.list_folders();
        }
        let (folders, looks) = (self.next_folders(), self.next_looks());
        self.patrol.began = Some(self.turns);
        let (news, downloads) = (self.news.0.clone(), self.view.settings.download_folder.clone());
        tokio::task::spawn_blocking(move || {
            let folders = folders.iter().map(|folder| Folder::seen(folder));
            let looked = looks.into_iter().map(|(id, look)| (id, look.run()));
            let suspects = looked.filter(|(_, found)| !matches!(found, Found::Whole(_))).map(|(id, _)| id);
            let (folders, suspects) = (folders.collect(), suspects.collect());
            let patrolled = Patrolled { folders, suspects, free: free(&downloads) };
            let _ = news.blocking_send(News::Patrolled(patrolled));
        });
    }

    pub(super) async fn patrolled(&mut self, patrolled: Patrolled) {
        self.patrol.began = None;
        // to a mebibyte: it is shown, and need not make a new view each second
        let free = patrolled.free.map(|free| free >> 20 << 20);
        self.changed |= free != self.view.totals.free;
        self.view.totals.free = free;
        let mut others = BTreeSet::new();
        for Folder { path, identity: now } in patrolled.folders {
            let before = self.patrol.folders.insert(path.clone(), Some(now)).flatten();
            if before.is_some_and(|before| before != now) {
                others.insert(path);
            }
        }
        let mut suspects = patrolled.suspects;
        if !others.is_empty() {
            let in_others = self.view.rows.iter().filter(|row| others.contains(&row.choice.folder));
            suspects.extend(in_others.map(|row| row.id));
        }
        for id in suspects {
            self.suspect(id).await;
        }
    }

    /// Its folder is another one, or its files are not what they were.
    async fn suspect(&mut self, id: TorrentId) {
        self.look_again(id);
        let Some(kept) = self.torrents.get_mut(&id).filter(|kept| kept.job.is_none() && kept.running.is_some()) else {
            return;
        };
        if matches!(kept.content, Content::Whole | Content::Trusted) {
            kept.job = Some(Job::QueuedLook);
            self.looks.push_back(id);
            return;
        }
        // what a download has open is written to a disk that nobody sees any more
        kept.content = Content::Absent(Box::new(std::mem::take(&mut kept.content).into_known()));
        self.in_trouble.insert(id);
        let folder = self.row(id).map(|row| row.choice.folder.display().to_string()).unwrap_or_default();
        self.say(id, Some(format!("{folder} is another folder now: is its disk mounted? It is tried again by itself")));
        self.halt(id).await;
        self.show(id);
    }

    /// What hangs, and what to do.
    pub(super) fn hanging(&self) -> Option<String> {
        let since = self.turns.saturating_sub(self.patrol.began?);
        let folders = || self.patrol.folders.keys().map(|folder| folder.display().to_string());
        (since >= HANGS_SECONDS).then(|| {
            let some: Vec<String> = folders().take(3).collect();
            let more = if folders().nth(3).is_some() { ", ..." } else { "" };
            format!(
                "a disk does not answer: that of one of {}{more}. See that it is connected; all goes on once it answers",
                some.join(", ")
            )
        })
    }

    fn list_folders(&mut self) {
        if self.turns % FORGET_TURNS == 1 {
            let here: HashSet<&PathBuf> = self.view.rows.iter().map(|row| &row.choice.folder).collect();
            self.patrol.folders.retain(|folder, _| here.contains(folder));
        }
        for row in self.view.changed_since(self.patrol.listed) {
            if !self.patrol.folders.contains_key(&row.choice.folder) {
                self.patrol.folders.insert(row.choice.folder.clone(), None);
            }
        }
        self.patrol.listed = self.view.revision;
    }

    fn next_folders(&mut self) -> Vec<PathBuf> {
        let folders = &self.patrol.folders;
        let at = self.patrol.folder_at.clone();
        let after = folders.keys().filter(|folder| at.as_ref().is_none_or(|at| *folder > at));
        let next: Vec<PathBuf> =
            after.chain(folders.keys()).take(FOLDERS_AT_ONCE.min(folders.len())).cloned().collect();
        self.patrol.folder_at = next.last().cloned();
        next
    }

    fn next_looks(&mut self) -> Vec<(TorrentId, Look)> {
        self.patrol.behind += self.torrents.len().max(FEW);
        let count = self.patrol.behind / ROUND_SECONDS;
        if count < LOOKS_AT_ONCE {
            return Vec::new();
        }
        self.patrol.behind %= ROUND_SECONDS;
        let begin = self.patrol.at.map_or(TorrentId(0), |at| TorrentId(at.0.saturating_add(1)));
        let ids: Vec<TorrentId> = self.torrents.range(begin..).take(count).map(|(id, _)| *id).collect();
        self.patrol.at = ids.last().copied();
        let sleeps = |id: &TorrentId| {
            let kept = self.torrents.get(id)?;
            let entry = self.session.torrents.get(&kept.running?)?;
            let sleeps =
                matches!(kept.content, Content::Whole | Content::Trusted) && kept.job.is_none() && entry.body.is_none();
            sleeps.then(|| self.make_look(*id, false)).flatten()
        };
        ids.into_iter().filter_map(|id| Some((id, sleeps(&id)?))).collect()
    }
}

fn identity(folder: &Path) -> Identity {
    folder.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn free(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
