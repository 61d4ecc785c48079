//! Adding torrents.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::TorrentId;
use crate::limits;
use crate::metainfo::Metainfo;
use crate::session::state::Store;

use super::changing::check_name;
use super::choice::Choice;
use super::keeper::{Content, Keeper, Kept, News, now};
use super::order::{Added, Addition, Refusal, RefusalKind, Reply, Source, TrackerChange};
use super::place::{ask_disk, confine, content_of, wanted_bytes};
use super::row::{About, Activity, Numbers, Row};
use super::settings::Settings;

/// An addition that was looked into, on a thread of its own: its folder may be used.
pub(super) struct Read {
    addition: Addition,
    found: Looked,
    reply: Reply<Added>,
}

/// What is to be added.
enum Looked {
    /// Put beside the others' files.
    File(Readable),
    Magnet(String),
    Url(String),
}

/// A torrent file that can be used.
struct Readable {
    metainfo: Metainfo,
    /// Some of its content is where it is to be.
    is_there: bool,
}

impl Keeper {
    /// Begins to add a torrent; the answer comes once it is there, or is refused. Where it is to go is looked at first, on another
    /// thread.
    pub(super) fn add(&mut self, mut addition: Addition, reply: Reply<Added>) {
        if addition.choice.folder.as_os_str().is_empty() {
            addition.choice.folder = self.category_folder(&addition.choice.category);
        }
        let (news, store, settings) = (self.news.0.clone(), self.store.clone(), self.view.settings.clone());
        tokio::spawn(async move {
            match look_into(addition, store, settings).await {
                Ok((addition, found)) => drop(news.send(News::Read(Box::new(Read { addition, found, reply }))).await),
                Err(refusal) => drop(reply.send(Err(refusal))),
            }
        });
    }

    /// Where content of `category` goes.
    pub(super) fn category_folder(&self, category: &str) -> PathBuf {
        self.view.settings.category_folder(category)
    }

    /// Takes in what was read.
    pub(super) async fn read(&mut self, read: Read) {
        let Read { addition, found, reply } = read;
        let added = match found {
            Looked::File(found) => self.admit(addition, found).await,
            Looked::Magnet(link) => self.add_magnet(addition, &link).await,
            Looked::Url(url) => return self.add_from(addition, url, reply),
        };
        self.answer(reply, added);
    }

    async fn admit(&mut self, mut addition: Addition, found: Readable) -> Result<Added, Refusal> {
        let Readable { metainfo, is_there } = found;
        let info_hash = metainfo.info_hash();
        if let Some(row) = self.view.find(info_hash).cloned() {
            return self.add_again(&row, &metainfo).await;
        }
        let incomplete = self.view.settings.incomplete_folder.clone();
        if let Some(folder) = incomplete.filter(|folder| !is_there && *folder != addition.choice.folder) {
            addition.choice.destination = Some(std::mem::replace(&mut addition.choice.folder, folder));
        }
        let wanted = wanted_bytes(&metainfo, &addition.choice);
        let numbers = Numbers { wanted, left: wanted, ..self.fresh_numbers(&addition) };
        let content = if addition.trusted { Content::Trusted } else { Content::New };
        let id = self.insert(about(&metainfo), addition, numbers, content);
        self.settle(id).await;
        self.save(id);
        Ok(Added { id, info_hash, duplicate: false })
    }

    /// Of a public torrent that is here already, trackers that are new are taken over. What waits for its metadata has it now.
    async fn add_again(&mut self, row: &Arc<Row>, metainfo: &Metainfo) -> Result<Added, Refusal> {
        let duplicate = Added { id: row.id, info_hash: row.info_hash(), duplicate: true };
        if !row.about.has_metadata {
            self.sought(row.id, Ok(Box::new(metainfo.clone()))).await;
            return Ok(duplicate);
        }
        let new: Vec<String> = metainfo.trackers().iter().flatten().cloned().collect();
        if !row.about.private && new.iter().any(|url| !row.trackers().iter().flatten().any(|known| known == url)) {
            let (usable, _) = crate::discovery::parse_tiers(&[new]);
            let usable = usable.iter().flatten().map(|url| url.as_str().to_owned()).collect();
            // a torrent has only so many; it is added all the same
            let _ = self.change_trackers(row.id, &TrackerChange::Add(usable)).await;
            self.save(row.id);
        }
        Ok(duplicate)
    }

    /// Tags that torrents have are among those that may be chosen.
    pub(super) fn learn_labels(&mut self, choice: &Choice) {
        if !choice.tags.is_subset(&self.view.settings.tags) {
            Arc::make_mut(&mut self.view.settings).tags.extend(choice.tags.iter().cloned());
            self.changed = true;
        }
    }

    pub(super) fn fresh_numbers(&self, addition: &Addition) -> Numbers {
        Numbers {
            uploaded: addition.before.0,
            downloaded: addition.before.1,
            added_at: addition.added_at.unwrap_or_else(now),
            counted_at: self.clock.now(),
            queue: u32::try_from(self.view.rows.len()).unwrap_or(u32::MAX),
            ..Numbers::default()
        }
    }

    /// Puts a torrent among the others.
    pub(super) fn insert(&mut self, about: About, addition: Addition, numbers: Numbers, content: Content) -> TorrentId {
        let id = TorrentId(self.next);
        self.next += 1;
        self.learn_labels(&addition.choice);
        let row = Row {
            id,
            revision: self.view.revision + 1,
            about: Arc::new(about),
            choice: Arc::new(addition.choice),
            activity: Activity::QueuedCheck,
            message: None,
            tracker: Arc::from(""),
            trouble: None,
            numbers,
        };
        self.view.insert(Arc::new(row));
        self.torrents.insert(id, Kept { content, peers: addition.peers, ..Kept::default() });
        self.changed = true;
        id
    }
}

/// Sees that folder and names may be used, and reads what there is to read.
async fn look_into(
    mut addition: Addition,
    store: Store,
    settings: Arc<Settings>,
) -> Result<(Addition, Looked), Refusal> {
    let choice = &mut addition.choice;
    let category = Some(&choice.category).filter(|category| !category.is_empty());
    choice.tags.iter().chain(category).chain(&choice.name).try_for_each(|name| check_name(name))?;
    let folder = choice.folder.clone();
    choice.folder = ask_disk(&folder.clone(), move || confine(&folder, &settings)).await??;
    let looked = match std::mem::replace(&mut addition.source, Source::File(Vec::new())) {
        Source::File(bytes) => {
            let choice = addition.choice.clone();
            // the state's disk is waited for, as busy as it may be: afterwards the torrent is there
            let read = tokio::task::spawn_blocking(move || read(&store, &bytes, &choice)).await;
            Looked::File(read.map_err(|error| Refusal::new(RefusalKind::Environment, error.to_string()))??)
        }
        Source::Magnet(link) => Looked::Magnet(link),
        Source::Url(url) if url.starts_with("magnet:") => Looked::Magnet(url),
        Source::Url(url) if url.starts_with("http://") || url.starts_with("https://") => Looked::Url(url),
        Source::Url(_) => {
            let text = "give a magnet link, or the http or https address of a torrent file";
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
    };
    Ok((addition, looked))
}

/// Reads a torrent file and keeps it beside the others.
fn read(store: &Store, bytes: &[u8], choice: &Choice) -> Result<Readable, Refusal> {
    let invalid = |text: String| Refusal::new(RefusalKind::Invalid, text);
    if bytes.len() > limits::TORRENT_FILE {
        return Err(invalid(format!("a torrent file may have {} bytes at most", limits::TORRENT_FILE)));
    }
    let metainfo = Metainfo::parse(bytes).map_err(|error| invalid(format!("not a torrent file: {error}")))?;
    let info_hash = metainfo.info_hash();
    // even if it is there: its removal may be under way
    let kept = store.keep_torrent(info_hash, bytes);
    kept.map_err(|error| Refusal::new(RefusalKind::Environment, error.to_string()))?;
    let content = content_of(&metainfo, choice);
    let is_there = content.stored().any(|file| content.identity(file).is_ok());
    Ok(Readable { metainfo, is_there })
}

/// What a row says of a torrent.
pub(in crate::session) fn about(metainfo: &Metainfo) -> About {
    let stored = || metainfo.files().iter().filter(|file| !file.is_padding());
    About {
        info_hash: Some(metainfo.info_hash()),
        name: metainfo.name().into_owned(),
        size: stored().map(|file| file.length()).sum(),
        pieces: metainfo.geometry().pieces(),
        piece_length: metainfo.geometry().nominal_piece_length(),
        files: u32::try_from(stored().count()).unwrap_or(u32::MAX),
        single_file: metainfo.is_single_file(),
        private: metainfo.private(),
        has_metadata: true,
        comment: metainfo.comment().unwrap_or_default().to_owned(),
        created_by: metainfo.created_by().unwrap_or_default().to_owned(),
        created_at: metainfo.creation_date(),
        trackers: metainfo.trackers().to_vec(),
    }
}
