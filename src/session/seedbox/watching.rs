//! Watch folders: torrent files that appear there are added.
//!
//! They are looked at every few seconds, which works on every file system. A file is taken once it has not changed for a while, so that
//! one that is still being written is left alone; afterwards its name ends in `.added`, or in `.invalid` with the reason in the log.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use tokio::sync::oneshot;

use super::keeper::{Keeper, News};
use super::order::{Addition, Source};

/// A file that has not been written to for so long is whole.
const SETTLED: Duration = Duration::from_secs(2);
/// Files that are taken at once; the others next time.
const AT_ONCE: usize = 64;
/// Longest file of a magnet link.
const LINK_BYTES: u64 = 64 * 1024;
/// Longest torrent file that is taken.
const FILE_BYTES: u64 = 64 << 20;

/// A file that appeared.
pub(super) struct Seen {
    path: PathBuf,
    source: Result<Source, String>,
}

impl Keeper {
    /// Looks at the watch folders, on another thread.
    pub(super) fn watch_folders(&mut self) {
        let settings = self.view.settings.clone();
        if settings.watch_folders.is_empty() || self.watching {
            return;
        }
        self.watching = true;
        let news = self.news.0.clone();
        tokio::task::spawn_blocking(move || {
            let seen = settings.watch_folders.iter().flat_map(|folder| look(folder)).take(AT_ONCE).collect();
            let _ = news.blocking_send(News::Watched(seen));
        });
    }

    /// Adds what appeared.
    pub(super) async fn watched(&mut self, seen: Vec<Seen>) {
        self.watching = false;
        for Seen { path, source } in seen {
            let source = match source {
                Ok(source) => source,
                Err(error) => {
                    finish(&path, Err(error));
                    continue;
                }
            };
            let mut addition = Addition::new(source);
            addition.choice.paused = !self.view.settings.start_added;
            let (reply, answer) = oneshot::channel();
            self.add(addition, reply).await;
            tokio::spawn(async move {
                // the daemon ends: it is added by the next start
                let Ok(result) = answer.await else { return };
                let result = result.map(|_| ()).map_err(|refusal| refusal.text);
                let _ = tokio::task::spawn_blocking(move || finish(&path, result)).await;
            });
        }
    }
}

fn look(folder: &Path) -> Vec<Seen> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "a watch folder cannot be read");
            return Vec::new();
        }
    };
    entries.flatten().filter_map(|entry| read(entry.path())).take(AT_ONCE).collect()
}

fn read(path: PathBuf) -> Option<Seen> {
    let is_link = path.extension().is_some_and(|extension| extension == "magnet");
    if !is_link && path.extension().is_none_or(|extension| extension != "torrent") {
        return None;
    }
    let metadata = path.symlink_metadata().ok().filter(|metadata| metadata.is_file())?;
    let settled = |at: SystemTime| at.elapsed().map_or(true, |age| age >= SETTLED);
    if !metadata.modified().is_ok_and(settled) {
        return None;
    }
    let most = if is_link { LINK_BYTES } else { FILE_BYTES };
    let source = match bytes_of(&path, most) {
        Err(error) => Err(error.to_string()),
        Ok(bytes) if is_link => Ok(Source::Magnet(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Ok(bytes) => Ok(Source::File(bytes)),
    };
    Some(Seen { path, source })
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
