//! Changing torrents.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::choice::{Choice, FilePriority};
use super::keeper::{Content, Keeper, no_such};
use super::order::{Change, LimitChange, QueueMove, Refusal, RefusalKind, TrackerChange};
use super::retrying::Retry;
use super::row::Row;
use super::settings::Settings;

/// Longest name, category or tag, in bytes.
const NAME_BYTES: usize = 255;
/// Numbers of things at once, as in the configuration.
const COUNTS: std::ops::RangeInclusive<u32> = 1..=1_000_000;
/// Most tags of one torrent.
const TAGS: usize = 256;

impl Keeper {
    /// Follows a change of torrents, one after another; the first that cannot be followed ends it.
    pub(super) async fn change(&mut self, ids: &[TorrentId], change: Change) -> Result<(), Refusal> {
        let known: Vec<TorrentId> = ids.iter().copied().filter(|id| self.torrents.contains_key(id)).collect();
        if known.is_empty() {
            return Err(no_such());
        }
        if let Change::Queue(to) = change {
            self.move_in_queue(&known, to);
            return Ok(());
        }
        for id in known {
            self.change_one(id, &change).await?;
            self.save(id);
        }
        Ok(())
    }

    async fn change_one(&mut self, id: TorrentId, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Start { forced } => self.start(id, *forced).await,
            Change::Stop => self.choose(id, |choice| (choice.paused, choice.forced) = (true, false)),
            Change::Verify => {
                self.verify(id).await;
                return Ok(());
            }
            Change::Reannounce => return self.reannounce(id).await,
            Change::Remove { data } => return self.remove(id, *data).await,
            Change::Move { folder, files } => return self.move_to(id, folder, *files).await,
            Change::RenamePath { from, to } => return self.rename_path(id, from, to).await,
            Change::Name(name) => {
                name.as_deref().map_or(Ok(()), check_name)?;
                self.choose(id, |choice| choice.name.clone_from(name));
            }
            Change::Files { indexes, priority } => return self.want(id, indexes, *priority).await,
            Change::Category(category) => return self.categorize(id, category).await,
            Change::AutoManaged(managed) => return self.auto_manage(id, *managed).await,
            Change::AddTags(_) | Change::RemoveTags(_) | Change::SetTags(_) => self.tag(id, change)?,
            Change::Limits(limits) => {
                self.choose(id, |choice| limit(choice, limits));
                self.set_limits(id);
            }
            Change::Sequential(sequential) => {
                self.choose(id, |choice| choice.sequential = *sequential);
                return self.again(id).await;
            }
            Change::FirstLast(first_last) => {
                self.choose(id, |choice| choice.first_last = *first_last);
                return self.again(id).await;
            }
            Change::SuperSeed(super_seed) => self.super_seed(id, *super_seed),
            Change::Trackers(trackers) => return self.change_trackers(id, trackers).await,
            Change::Queue(_) => {}
            Change::AddPeers(peers) => self.add_peers(id, peers),
        }
        self.settle(id).await;
        Ok(())
    }

    /// Changes what its owner chose.
    pub(super) fn choose(&mut self, id: TorrentId, change: impl FnOnce(&mut Choice)) {
        self.edit(id, |row| change(Arc::make_mut(&mut row.choice)));
    }

    async fn start(&mut self, id: TorrentId, forced: bool) {
        self.choose(id, |choice| (choice.paused, choice.forced) = (false, forced));
        // what failed is looked at anew, now
        if let Some(kept) = self.torrents.get_mut(&id).filter(|kept| matches!(kept.content, Content::Failed(_))) {
            kept.content = std::mem::take(&mut kept.content).into_known();
            kept.retry = Retry::default();
            self.say(id, None);
        }
    }

    async fn reannounce(&mut self, id: TorrentId) -> Result<(), Refusal> {
        let running = self.torrents.get(&id).and_then(|kept| kept.running);
        let entry = running.and_then(|running| self.session.torrents.get(&running));
        if let Some(handle) = entry.and_then(|entry| entry.announced.clone()) {
            handle.announce_now().await;
        }
        Ok(())
    }

    pub(super) fn super_seed(&mut self, id: TorrentId, super_seed: bool) {
        self.choose(id, |choice| choice.super_seed = super_seed);
        let running = self.torrents.get(&id).and_then(|kept| kept.running);
        if let Some(running) = running {
            self.session.fleet.super_seed(running, super_seed);
        }
    }

    /// Runs with other choices: a download is begun anew from what it has.
    pub(super) async fn again(&mut self, id: TorrentId) -> Result<(), Refusal> {
        if self.row(id).is_some_and(|row| !row.is_complete()) {
            self.halt(id).await;
        }
        self.settle(id).await;
        Ok(())
    }

    async fn want(&mut self, id: TorrentId, indexes: &[u32], priority: FilePriority) -> Result<(), Refusal> {
        let metainfo = self.read_metainfo(id)?;
        let count = metainfo.files().len();
        if let Some(index) = indexes.iter().find(|index| **index as usize >= count) {
            return Err(Refusal::new(RefusalKind::Conflict, format!("there is no file {index}")));
        }
        self.choose(id, |choice| {
            choice.files.resize(count, FilePriority::Normal);
            match indexes {
                [] => choice.files.fill(priority),
                some => some.iter().for_each(|index| choice.files[*index as usize] = priority),
            }
        });
        let choice = self.row(id).map(|row| row.choice.clone()).unwrap_or_default();
        let wanted = super::place::wanted_bytes(&metainfo, &choice);
        self.edit(id, |row| row.numbers.wanted = wanted);
        // what is wanted more than before makes a complete one incomplete
        let had_all = self.torrents.get(&id).is_some_and(|kept| matches!(kept.content, Content::Whole));
        if !had_all {
            self.halt(id).await;
        }
        self.settle(id).await;
        Ok(())
    }

    async fn categorize(&mut self, id: TorrentId, category: &str) -> Result<(), Refusal> {
        if !category.is_empty() {
            check_name(category)?;
            if !self.view.settings.categories.contains_key(category) {
                return Err(Refusal::new(RefusalKind::Conflict, format!("there is no category {category:?}")));
            }
        }
        self.choose(id, |choice| category.clone_into(&mut choice.category));
        self.follow_category(id).await
    }

    async fn auto_manage(&mut self, id: TorrentId, managed: bool) -> Result<(), Refusal> {
        self.choose(id, |choice| choice.auto_managed = managed);
        self.follow_category(id).await
    }

    async fn follow_category(&mut self, id: TorrentId) -> Result<(), Refusal> {
        let Some(choice) = self.row(id).map(|row| row.choice.clone()) else { return Ok(()) };
        if choice.auto_managed {
            let folder = self.category_folder(&choice.category);
            if folder != choice.folder {
                return self.move_to(id, &folder, true).await;
            }
        }
        Ok(())
    }

    fn tag(&mut self, id: TorrentId, change: &Change) -> Result<(), Refusal> {
        let (Change::AddTags(tags) | Change::RemoveTags(tags) | Change::SetTags(tags)) = change else { return Ok(()) };
        tags.iter().try_for_each(|tag| check_name(tag))?;
        let mut new = self.row(id).map(|row| row.choice.tags.clone()).unwrap_or_default();
        match change {
            Change::RemoveTags(tags) if tags.is_empty() => new.clear(),
            Change::RemoveTags(tags) => new.retain(|tag| !tags.contains(tag)),
            Change::SetTags(tags) => new = tags.iter().cloned().collect(),
            _ => new.extend(tags.iter().cloned()),
        }
        if new.len() > TAGS {
            return Err(Refusal::new(RefusalKind::Invalid, format!("a torrent may have {TAGS} tags at most")));
        }
        self.choose(id, |choice| choice.tags = new);
        if let Some(choice) = self.row(id).map(|row| row.choice.clone()) {
            self.learn_labels(&choice);
        }
        Ok(())
    }

    pub(super) async fn change_trackers(&mut self, id: TorrentId, change: &TrackerChange) -> Result<(), Refusal> {
        let row = self.row(id).cloned().ok_or_else(no_such)?;
        let mut tiers = row.trackers().to_vec();
        edit_trackers(&mut tiers, change)?;
        let announcing = self.session.announce_at(row.info_hash(), row.about.private, &tiers);
        self.choose(id, |choice| choice.trackers = Some(tiers));
        let running = self.torrents.get(&id).and_then(|kept| kept.running);
        let entry = running.and_then(|running| self.session.torrents.get(&running));
        if let Some(handle) = entry.and_then(|entry| entry.announced.clone()) {
            handle.set_trackers(announcing.into_trackers()).await;
        }
        Ok(())
    }

    fn add_peers(&mut self, id: TorrentId, peers: &[std::net::SocketAddr]) {
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        let Some(running) = kept.running else {
            let room = crate::limits::KNOWN_PEERS.saturating_sub(kept.peers.len());
            return kept.peers.extend(peers.iter().take(room));
        };
        if self.session.torrents.get(&running).is_some_and(|entry| entry.is_downloading()) {
            self.session.learn_peers(running, peers.iter().copied());
        } else {
            peers.iter().for_each(|peer| self.session.fleet.dial(running, *peer));
        }
    }

    /// Tells the engine what limits it has.
    pub(super) fn set_limits(&mut self, id: TorrentId) {
        let running = self.torrents.get(&id).and_then(|kept| kept.running);
        let (Some(running), Some(row)) = (running, self.row(id).cloned()) else { return };
        let choice = &row.choice;
        let fleet = &mut self.session.fleet;
        fleet.set_torrent_limits(running, choice.upload_limit, choice.download_limit);
        let peers = choice.peer_limit.or(self.view.settings.connections_per_torrent);
        fleet.set_peers_max(running, peers.map(|peers| usize::try_from(peers).unwrap_or(usize::MAX)));
    }

    /// Follows new settings.
    pub(super) fn set(&mut self, settings: Settings) -> Result<(), Refusal> {
        check_settings(&settings)?;
        let before = std::mem::replace(&mut self.view.settings, Arc::new(settings));
        self.changed = true;
        if before.connections_per_torrent != self.view.settings.connections_per_torrent {
            let ids: Vec<TorrentId> = self.running.values().copied().collect();
            ids.into_iter().for_each(|id| self.set_limits(id));
        }
        if before.connections != self.view.settings.connections {
            let connections = usize::try_from(self.view.settings.connections).unwrap_or(usize::MAX);
            self.session.fleet.set_connections_max(connections);
        }
        if before.added_trackers != self.view.settings.added_trackers {
            let urls = self.view.settings.added_trackers.iter().map(|url| vec![url]);
            (self.session.added_trackers, _) = crate::discovery::parse_tiers(&urls.collect::<Vec<_>>());
        }
        self.pace();
        Ok(())
    }

    /// Its trackers as its owner chose them.
    pub(super) fn with_trackers(&self, row: &Row, metainfo: crate::metainfo::Metainfo) -> crate::metainfo::Metainfo {
        match &row.choice.trackers {
            Some(tiers) => metainfo.with_trackers(tiers.clone()),
            None => metainfo,
        }
    }

    fn move_in_queue(&mut self, ids: &[TorrentId], to: QueueMove) {
        let mut order: Vec<TorrentId> = self.view.rows.iter().map(|row| row.id).collect();
        order.sort_by_key(|id| self.row(*id).map_or(u32::MAX, |row| row.numbers.queue));
        super::queue::rearrange(&mut order, ids, to);
        for (id, place) in order.into_iter().zip(0..) {
            if self.row(id).is_some_and(|row| row.numbers.queue != place) {
                self.edit(id, |row| row.numbers.queue = place);
                self.save(id);
            }
        }
    }
}

fn limit(choice: &mut Choice, limits: &LimitChange) {
    fn set<T: Copy>(place: &mut T, value: Option<T>) {
        value.into_iter().for_each(|value| *place = value);
    }
    set(&mut choice.upload_limit, limits.upload);
    set(&mut choice.download_limit, limits.download);
    set(&mut choice.ratio_limit, limits.ratio);
    set(&mut choice.seeding_limit, limits.seeding);
    set(&mut choice.idle_limit, limits.idle);
    set(&mut choice.limit_action, limits.action);
    set(&mut choice.peer_limit, limits.peers);
}

fn edit_trackers(tiers: &mut Vec<Vec<String>>, change: &TrackerChange) -> Result<(), Refusal> {
    let check = |url: &String| {
        let checked = crate::discovery::TrackerUrl::parse(url);
        checked.map(|_| ()).map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))
    };
    match change {
        TrackerChange::Add(urls) => {
            urls.iter().try_for_each(check)?;
            for url in urls {
                if !tiers.iter().flatten().any(|known| known == url) {
                    tiers.push(vec![url.clone()]);
                }
            }
        }
        TrackerChange::Remove(urls) => tiers.iter_mut().for_each(|tier| tier.retain(|url| !urls.contains(url))),
        TrackerChange::Replace { from, to } => {
            check(to)?;
            let place = tiers.iter_mut().flatten().find(|url| *url == from);
            let place = place.ok_or_else(|| Refusal::new(RefusalKind::Conflict, "there is no such tracker"))?;
            place.clone_from(to);
        }
        TrackerChange::Set(new) => {
            new.iter().flatten().try_for_each(check)?;
            tiers.clone_from(new);
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    if tiers.iter().flatten().count() > crate::limits::TRACKERS {
        let text = format!("a torrent may have {} trackers at most", crate::limits::TRACKERS);
        return Err(Refusal::new(RefusalKind::Invalid, text));
    }
    Ok(())
}

/// A name, category or tag that can be kept and shown.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        let text = format!("{name:?}: give a name of 1 to {NAME_BYTES} bytes without control characters");
        return Err(Refusal::new(RefusalKind::Invalid, text));
    }
    Ok(())
}

/// Numbers that the configuration could not hold: with one of them nothing that clients change would be kept.
fn check_numbers(settings: &Settings) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::new(RefusalKind::Invalid, text));
    let counts = [
        ("downloads at once", settings.downloads_max),
        ("seeds at once", settings.seeds_max),
        ("both at once", settings.active_max),
        ("checks at once", Some(settings.checks_max)),
        ("connections", Some(settings.connections)),
        ("connections of a torrent", settings.connections_per_torrent),
    ];
    if let Some((what, _)) = counts.iter().find(|(_, count)| count.is_some_and(|count| !COUNTS.contains(&count))) {
        return refuse(format!("{what}: give a number from {} to {}", COUNTS.start(), COUNTS.end()));
    }
    if settings.schedule.is_some_and(|schedule| schedule.begin == schedule.end) {
        return refuse("a schedule begins and ends at different times of the day".into());
    }
    match settings.budget {
        Some(budget) if budget.bytes == 0 => {
            refuse("a traffic budget has at least a byte; leave it out for none".into())
        }
        _ => Ok(()),
    }
}

fn check_settings(settings: &Settings) -> Result<(), Refusal> {
    settings.categories.keys().chain(&settings.tags).try_for_each(|name| check_name(name))?;
    let folders = [&settings.download_folder].into_iter().chain(&settings.incomplete_folder).chain(&settings.roots);
    let added: Vec<_> = settings.added_trackers.iter().map(|url| vec![url]).collect();
    if let Some((url, cause)) = crate::discovery::parse_tiers(&added).1.into_iter().next() {
        return Err(Refusal::new(RefusalKind::Invalid, format!("tracker {url}: {cause}")));
    }
    check_numbers(settings)?;
    match folders.chain(&settings.watch_folders).find(|folder| !folder.is_absolute()) {
        Some(folder) => {
            let text = format!("{}: give an absolute path", folder.display());
            Err(Refusal::new(RefusalKind::Invalid, text))
        }
        None => Ok(()),
    }
}
