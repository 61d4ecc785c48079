//! Moving, renaming and removing content.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::ids::TorrentId;
use crate::metainfo::Metainfo;
use crate::storage::Identity;

use super::choice::{Choice, Place};
use super::keeper::{Content, Job, Keeper, News, no_such};
use super::look::Watch;
use super::order::{Refusal, RefusalKind};
use super::place::{confine, content_of};
use super::settings::Settings;

/// How the message of a torrent begins whose files are not where they should be.
pub(super) const NOT_MOVED: &str = "not moved";

/// What became of a move: what the files are now, if that could be told.
pub(super) type Moved = Result<Option<Vec<Identity>>, NotMoved>;

/// Why files were not moved.
pub(super) struct NotMoved {
    text: String,
    /// Some may have been moved by an earlier start: they are not to be left at two places.
    again: bool,
}

impl Keeper {
    /// Has the content of `id` in `folder`, which lies in a root: moved there, or there already.
    pub(super) async fn move_to(&mut self, id: TorrentId, folder: &Path, files: bool) -> Result<(), Refusal> {
        let folder = folder.to_owned();
        let row = self.row(id).cloned().ok_or_else(no_such)?;
        if files {
            self.choose(id, |choice| choice.destination = None);
            return self.place_at(id, Place { folder, ..row.choice.place() }).await;
        }
        self.torrents.get_mut(&id).into_iter().for_each(|kept| kept.notice = None);
        self.unsay(id);
        self.halt(id).await;
        self.choose(id, |choice| choice.folder = folder);
        // what is there is compared with what was here, and hashed if it differs
        if let Some(kept) = self.torrents.get_mut(&id) {
            kept.content = std::mem::take(&mut kept.content).into_known();
        }
        self.settle(id).await;
        Ok(())
    }

    /// Begins to move the files of `id` to `place`.
    async fn place_at(&mut self, id: TorrentId, place: Place) -> Result<(), Refusal> {
        self.torrents.get_mut(&id).into_iter().for_each(|kept| kept.notice = None);
        let row = self.row(id).cloned().ok_or_else(no_such)?;
        if row.choice.place() == place {
            self.unsay(id);
            return Ok(());
        }
        let is_busy = self.torrents.get(&id).is_some_and(|kept| {
            matches!(kept.job, Some(Job::Moving(_) | Job::Checking(_) | Job::Looking(_) | Job::Halting))
        });
        if is_busy || row.choice.moving.is_some() {
            return Err(Refusal::new(
                RefusalKind::Conflict,
                "its files are being moved or checked; try again after that",
            ));
        }
        if !row.about.has_metadata {
            self.choose(id, |choice| *choice = choice.with_place(place));
            return Ok(());
        }
        self.unsay(id);
        // kept first, so that a move that is cut off is gone on with by the next start
        self.choose(id, |choice| choice.moving = Some(Box::new(place)));
        self.save(id);
        self.halt(id).await;
        self.go_on_moving(id, false).await;
        Ok(())
    }

    /// Moves files to where they are to be; `again`: that was begun before.
    pub(super) async fn go_on_moving(&mut self, id: TorrentId, again: bool) {
        let Some(row) = self.row(id).cloned() else { return };
        let Some(place) = row.choice.moving.as_deref().cloned() else { return };
        let metainfo = match self.read_metainfo(id) {
            Ok(metainfo) => metainfo,
            Err(refusal) => return self.fail(id, refusal.text),
        };
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        let halting = matches!(kept.job, Some(Job::Halting));
        if halting {
            // it begins once the download is out of its files
            return;
        }
        let watch = Arc::new(Watch::default());
        kept.job = Some(Job::Moving(watch.clone()));
        self.busy.insert(id);
        let (news, store) = (self.news.0.clone(), self.store.clone());
        let move_it = Relocation {
            metainfo,
            choice: row.choice.clone(),
            place,
            again,
            settings: self.view.settings.clone(),
            watch,
        };
        tokio::spawn(async move {
            // where they are going is on disk before the first is there
            let kept = if again { Ok(()) } else { store.flush().await };
            let moved = match kept {
                Ok(()) => tokio::task::spawn_blocking(move || move_it.run())
                    .await
                    .unwrap_or_else(|error| Err(NotMoved { text: error.to_string(), again })),
                Err(error) => Err(NotMoved { text: error.to_string(), again }),
            };
            let _ = news.send(News::Moved(id, moved)).await;
        });
        self.show(id);
    }

    pub(super) async fn moved(&mut self, id: TorrentId, moved: Moved) {
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        kept.job = None;
        kept.notice = None;
        match moved {
            Ok(identities) => {
                if let (Content::Whole, Some(now)) = (&kept.content, identities) {
                    let info_hash = self.row(id).map(|row| row.info_hash());
                    info_hash.into_iter().for_each(|info_hash| self.store.keep_identities(info_hash, &now));
                }
                self.choose(id, |choice| {
                    if let Some(place) = choice.moving.take() {
                        *choice = choice.with_place(*place);
                    }
                });
                self.say(id, None);
            }
            Err(NotMoved { text, again: true }) => {
                self.fail(id, format!("{NOT_MOVED}: {text}. It is tried again by itself"));
                return self.show(id);
            }
            Err(NotMoved { text, again: false }) => {
                self.choose(id, |choice| choice.moving = None);
                self.give_notice(id, format!("{NOT_MOVED}: {text}"));
            }
        }
        self.save(id);
        self.settle(id).await;
    }

    /// A complete download goes where complete ones are to be.
    pub(super) async fn go_home(&mut self, id: TorrentId) {
        let Some(row) = self.row(id).cloned() else { return };
        let Some(folder) = row.choice.destination.clone() else { return };
        self.choose(id, |choice| choice.destination = None);
        if let Err(refusal) = self.place_at(id, Place { folder, ..row.choice.place() }).await {
            self.give_notice(id, format!("{NOT_MOVED}: {refusal}"));
        }
    }

    /// Takes back that files were not moved.
    fn unsay(&mut self, id: TorrentId) {
        if self.row(id).is_some_and(|row| row.message.as_deref().is_some_and(|text| text.starts_with(NOT_MOVED))) {
            self.say(id, None);
        }
    }

    /// Tells that files are not where they should be, until their owner asks for something else.
    fn give_notice(&mut self, id: TorrentId, text: String) {
        tracing::warn!(torrent = self.row(id).map(|row| row.info_hash().to_string()), text, "files were not moved");
        self.torrents.get_mut(&id).into_iter().for_each(|kept| kept.notice = Some(Arc::from(&*text)));
        self.say(id, None);
    }

    /// Gives a file or folder of the torrent another name.
    pub(super) async fn rename_path(&mut self, id: TorrentId, from: &str, to: &str) -> Result<(), Refusal> {
        let metainfo = self.read_metainfo(id)?;
        let choice = self.row(id).map(|row| row.choice.clone()).ok_or_else(no_such)?;
        let place = renamed(&metainfo, &choice, from, to)?;
        self.place_at(id, place).await
    }

    /// Takes a torrent out, with its content if `data`.
    pub(super) async fn remove(&mut self, id: TorrentId, data: bool) -> Result<(), Refusal> {
        let row = self.row(id).cloned().ok_or_else(no_such)?;
        let metainfo = if data && row.about.has_metadata { Some(self.read_metainfo(id)?) } else { None };
        if let Some(Job::Looking(watch) | Job::Checking(watch) | Job::Moving(watch)) =
            self.torrents.get(&id).and_then(|kept| kept.job.as_ref())
        {
            watch.cancel.store(true, Ordering::Relaxed);
        }
        self.halt(id).await;
        self.stop_seeking(id).await;
        self.forget(id);
        self.torrents.remove(&id);
        self.drop_row(id);
        tokio::task::spawn_blocking(move || {
            let faults = metainfo.map(|metainfo| content_of(&metainfo, &row.choice).remove()).unwrap_or_default();
            faults.iter().for_each(|fault| tracing::warn!(%fault, "could not be removed"));
        });
        Ok(())
    }
}

/// A move of files; runs on a thread of its own.
struct Relocation {
    metainfo: Metainfo,
    choice: Arc<Choice>,
    place: Place,
    /// It was begun by an earlier start.
    again: bool,
    settings: Arc<Settings>,
    watch: Arc<Watch>,
}

impl Relocation {
    fn run(self) -> Moved {
        let Relocation { metainfo, choice, place, again, settings, watch } = self;
        let not = |text: String| NotMoved { text, again };
        // a folder may have become a link since it was chosen
        confine(&place.folder, &settings).map_err(|refusal| not(refusal.text))?;
        let (from, to) = (content_of(&metainfo, &choice), content_of(&metainfo, &choice.with_place(place)));
        let progress = |bytes| {
            watch.done.fetch_add(bytes, Ordering::Relaxed);
        };
        match from.relocate(&to, again, &progress, &watch.cancel) {
            Ok(()) => Ok(to.identities().ok()),
            // it was over but for being noted
            Err(_) if again && to.identities().is_ok() => Ok(to.identities().ok()),
            Err(error) => Err(not(error.to_string())),
        }
    }
}

/// Where content is once `from`, a path below its folder, is called `to`: a name, or a path below its folder.
fn renamed(metainfo: &Metainfo, choice: &Choice, from: &str, to: &str) -> Result<Place, Refusal> {
    let (from, to) = (plain(from)?, plain(to)?);
    let to = if to.components().count() == 1 { from.with_file_name(&to) } else { to };
    let content = content_of(metainfo, choice);
    let root = choice.renamed_root.clone().unwrap_or_else(|| metainfo.name().into_owned());
    let mut place = choice.place();
    if metainfo.is_single_file() {
        let is_it = content.path(crate::ids::FileIndex(0)) == choice.folder.join(&from);
        return match is_it {
            true => Ok(Place { renamed_files: vec![(0, to)], ..place }),
            false => Err(no_path(&from)),
        };
    }
    if from == Path::new(&root) {
        let name = to.to_str().filter(|_| to.components().count() == 1);
        let name =
            name.ok_or_else(|| Refusal::new(RefusalKind::Invalid, "the folder of a torrent has a plain name"))?;
        return Ok(Place { renamed_root: Some(name.to_owned()), ..place });
    }
    let inside = |path: &Path| path.strip_prefix(&root).map(Path::to_owned).map_err(|_| no_path(path));
    let (from, to) = (inside(&from)?, inside(&to)?);
    let mut found = false;
    for file in content.stored() {
        let path = content.path(file);
        let Ok(rest) = path.strip_prefix(content.root().join(&from)) else { continue };
        found = true;
        let new = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
        place.renamed_files.retain(|(index, _)| *index != file.0);
        place.renamed_files.push((file.0, new));
    }
    if found { Ok(place) } else { Err(no_path(&from)) }
}

fn no_path(path: &Path) -> Refusal {
    Refusal::new(RefusalKind::Conflict, format!("the torrent has no file or folder {}", path.display()))
}

/// A relative path of plain names.
fn plain(text: &str) -> Result<PathBuf, Refusal> {
    let path = Path::new(text);
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => name.len() <= 255 && !name.to_string_lossy().chars().any(char::is_control),
        _ => false,
    };
    if text.is_empty() || text.len() > 4_000 || !path.components().all(is_plain) {
        let text = format!("{text:?} is no path below the torrent's folder: give plain names, without `..`");
        return Err(Refusal::new(RefusalKind::Invalid, text));
    }
    Ok(path.components().collect())
}
