//! Looking after content that nobody asks for.
//!
//! What is served is compared with what it was every two seconds, by the session. The thousands that sleep are looked at one after another,
//! all of them within [`ROUND_SECONDS`], and all that lie in a folder as soon as that folder is another one: a disk that was
//! unmounted, or mounted over.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ids::TorrentId;

use super::keeper::{Content, Job, Keeper, News};
use super::look::{Found, Look};

/// In which every torrent is looked at once.
const ROUND_SECONDS: usize = 600;
/// Turns between two times that the folders are listed anew.
const LIST_TURNS: u64 = 30;
/// Folders that are looked at in one turn.
const FOLDERS_AT_ONCE: usize = 64;

/// Device and inode; `None` if it is not there.
type Identity = Option<(u64, u64)>;

/// How far it is.
#[derive(Default)]
pub(super) struct Patrol {
    /// The torrent that was looked at last.
    at: Option<TorrentId>,
    folders: BTreeMap<PathBuf, Identity>,
    folder_at: Option<PathBuf>,
    under_way: bool,
}

/// What it found.
pub(super) struct Patrolled {
    folders: Vec<(PathBuf, Identity)>,
    /// Torrents that are not what they were.
    suspects: Vec<TorrentId>,
    /// Bytes free in the download folder.
    free: Option<u64>,
}

impl Keeper {
    /// Once a second: looks at some folders and some torrents, on another thread.
    pub(super) fn patrol(&mut self) {
        if self.patrol.under_way {
            return;
        }
        if self.turns % LIST_TURNS == 1 || self.patrol.folders.is_empty() {
            self.list_folders();
        }
        let (folders, looks) = (self.next_folders(), self.next_looks());
        self.patrol.under_way = true;
        let (news, downloads) = (self.news.0.clone(), self.view.settings.download_folder.clone());
        tokio::task::spawn_blocking(move || {
            let folders =
                folders.into_iter().map(|folder| (identity(&folder), folder)).map(|(id, folder)| (folder, id));
            let looked = looks.into_iter().map(|(id, look)| (id, look.run()));
            let suspects = looked.filter(|(_, found)| !matches!(found, Found::Whole(_))).map(|(id, _)| id);
            let (folders, suspects) = (folders.collect(), suspects.collect());
            let patrolled = Patrolled { folders, suspects, free: free(&downloads) };
            let _ = news.blocking_send(News::Patrolled(patrolled));
        });
    }

    pub(super) fn patrolled(&mut self, patrolled: Patrolled) {
        self.patrol.under_way = false;
        // to a mebibyte: it is shown, and need not make a new view each second
        let free = patrolled.free.map(|free| free >> 20 << 20);
        self.changed |= free != self.view.totals.free;
        self.view.totals.free = free;
        let mut others = BTreeSet::new();
        for (folder, now) in patrolled.folders {
            let Some(before) = self.patrol.folders.insert(folder.clone(), now) else { continue };
            if before != now {
                others.insert(folder);
            }
        }
        let in_others = self.view.rows.iter().filter(|row| others.contains(&row.choice.folder)).map(|row| row.id);
        let suspects: Vec<TorrentId> = in_others.filter(|_| !others.is_empty()).chain(patrolled.suspects).collect();
        for id in suspects {
            self.try_absent(id);
            let Some(kept) = self.torrents.get_mut(&id).filter(|kept| kept.job.is_none()) else { continue };
            if matches!(kept.content, Content::Whole | Content::Trusted) && kept.running.is_some() {
                kept.job = Some(Job::QueuedLook);
                self.looks.push_back(id);
            }
        }
    }

    fn list_folders(&mut self) {
        let mut folders = std::mem::take(&mut self.patrol.folders);
        let here: BTreeSet<&PathBuf> = self.view.rows.iter().map(|row| &row.choice.folder).collect();
        folders.retain(|folder, _| here.contains(folder));
        for folder in here {
            if !folders.contains_key(folder) {
                folders.insert(folder.clone(), identity(folder));
            }
        }
        self.patrol.folders = folders;
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
        let count = self.torrents.len().div_ceil(ROUND_SECONDS);
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
