//! Watch folders: torrent files that appear there are added.
//!
//! They are looked at every few seconds, which works on every file system. A file is taken once two looks found it the same, so that
//! one that is still being written is left alone, whatever the clock says; afterwards its name ends in `.added`, or in `.invalid` with
//! the reason in the log. One that could not be added for want of space, or because a disk does not answer, is tried again.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use tokio::sync::oneshot;

use super::keeper::{Keeper, News};
use super::order::{Addition, RefusalKind, Source};

/// Files that are taken at once; the others next time.
const AT_ONCE: usize = 64;
/// Longest file of a magnet link.
const LINK_BYTES: u64 = 64 * 1024;
/// Longest torrent file that is taken.
const FILE_BYTES: u64 = 64 << 20;

/// Files that are remembered from one look to the next.
const REMEMBERED: usize = 10_000;

/// Length and time of change.
type State = (u64, SystemTime);

/// What is known of watch folders.
#[derive(Default)]
pub(super) struct Watching {
    /// They are being looked at.
    under_way: bool,
    /// What the last look saw and did not take.
    seen: HashMap<PathBuf, State>,
}

/// What a look saw.
#[derive(Default)]
pub(super) struct Watched {
    whole: Vec<Whole>,
    seen: HashMap<PathBuf, State>,
}

/// A file that is whole.
struct Whole {
    path: PathBuf,
    source: Result<Source, String>,
}

impl Keeper {
    /// Looks at the watch folders, on another thread.
    pub(super) fn watch_folders(&mut self) {
        let settings = self.view.settings.clone();
        if settings.watch_folders.is_empty() || self.watching.under_way {
            return;
        }
        self.watching.under_way = true;
        let (news, before) = (self.news.0.clone(), std::mem::take(&mut self.watching.seen));
        tokio::task::spawn_blocking(move || {
            let mut watched = Watched::default();
            settings.watch_folders.iter().for_each(|folder| watched.look(folder, &before));
            let _ = news.blocking_send(News::Watched(watched));
        });
    }

    /// Adds what appeared.
    pub(super) fn watched(&mut self, watched: Watched) {
        self.watching = Watching { under_way: false, seen: watched.seen };
        for Whole { path, source } in watched.whole {
            let source = match source {
                Ok(source) => source,
                Err(error) => {
                    tokio::task::spawn_blocking(move || finish(&path, Err(error)));
                    continue;
                }
            };
            let mut addition = Addition::new(source);
            addition.choice.paused = !self.view.settings.start_added;
            let (reply, answer) = oneshot::channel();
            self.add(addition, reply);
            tokio::spawn(async move {
                // the daemon ends: it is added by the next start
                let Ok(result) = answer.await else { return };
                let result = match result {
                    Err(refusal) if matches!(refusal.kind, RefusalKind::Environment | RefusalKind::Busy) => {
                        tracing::warn!(file = %path.display(), error = refusal.text, "not added; it is tried again");
                        return;
                    }
                    result => result.map(|_| ()).map_err(|refusal| refusal.text),
                };
                let _ = tokio::task::spawn_blocking(move || finish(&path, result)).await;
            });
        }
    }
}

impl Watched {
    /// Adds what is in `folder`; `before`: what the last look saw.
    fn look(&mut self, folder: &Path, before: &HashMap<PathBuf, State>) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a watch folder cannot be read");
                return;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some((metadata, is_link)) = of_use(&path) else { continue };
            let Ok(changed) = metadata.modified() else { continue };
            let state = (metadata.len(), changed);
            if before.get(&path) == Some(&state) && self.whole.len() < AT_ONCE {
                self.whole.push(read(path.clone(), is_link));
            }
            if self.seen.len() < REMEMBERED {
                self.seen.insert(path, state);
            }
        }
    }
}

/// A torrent file, or one with a magnet link.
fn of_use(path: &Path) -> Option<(Metadata, bool)> {
    let is_link = path.extension().is_some_and(|extension| extension == "magnet");
    if !is_link && path.extension().is_none_or(|extension| extension != "torrent") {
        return None;
    }
    let metadata = path.symlink_metadata().ok().filter(|metadata| metadata.is_file())?;
    Some((metadata, is_link))
}

fn read(path: PathBuf, is_link: bool) -> Whole {
    let most = if is_link { LINK_BYTES } else { FILE_BYTES };
    let source = match bytes_of(&path, most) {
        Err(error) => Err(error.to_string()),
        Ok(bytes) if is_link => Ok(Source::Magnet(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Ok(bytes) => Ok(Source::File(bytes)),
    };
    Whole { path, source }
}

/// What a file holds, if that is no more than `most` bytes. Whoever may write to the folder can put a link or a FIFO in its place
/// meanwhile: neither is followed or waited for.
fn bytes_of(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!("it has more than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// Renames a file that was taken, so that it is not taken again.
fn finish(path: &Path, result: Result<(), String>) {
    let ending = if result.is_ok() { ".added" } else { ".invalid" };
    if let Err(error) = result {
        tracing::warn!(file = %path.display(), error, "not added");
    }
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    if let Err(error) = std::fs::rename(path, &name) {
        tracing::warn!(file = %path.display(), %error, "cannot be renamed, so it is looked at again and again");
    }
}
