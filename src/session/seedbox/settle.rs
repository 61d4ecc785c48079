//! Bringing about what a torrent should do.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::keeper::{Content, Job, Keeper, Kept, Leaving, News, now};
use super::look::{Found, Manner, Part};
use super::row::{Activity, Row};
use crate::session::Torrent;
use crate::session::dormant::Member;

impl Content {
    /// How it is to be looked at; `begun`: bytes of it were here; `all`: all of them.
    pub(super) fn manner(&self, check: bool, begun: bool, all: bool) -> Manner {
        match self {
            // files were made, or it would not be missed: nothing is downloaded in the place of what comes back
            Content::Absent(before) => before.manner(check, begun || !check, all),
            Content::Failed(before) => before.manner(check, begun, all),
            _ if check => Manner::Check { begun },
            Content::Whole => Manner::Compare,
            Content::Trusted => Manner::Trust,
            Content::New | Content::Part | Content::Doubtful => Manner::Resume { begun, all: begun && all },
        }
    }
}

impl Keeper {
    /// Brings about what `id` should do, as far as that can be done now.
    pub(super) async fn settle(&mut self, id: TorrentId) {
        let (Some(row), Some(kept)) = (self.view.row(id).cloned(), self.torrents.get(&id)) else { return };
        if kept.job.is_none() && row.choice.moving.is_some() {
            // cut off by the end of an earlier start
            return self.go_on_moving(id, true).await;
        }
        if kept.job.is_none() {
            let wants = !row.choice.paused && !matches!(kept.content, Content::Failed(_));
            match (wants, kept.running) {
                (false, Some(_)) => self.halt(id).await,
                (false, None) if kept.seeking.is_some() => self.stop_seeking(id).await,
                (true, None) if row.about.has_metadata => self.begin(id, &row),
                (true, None) => self.seek(id).await,
                _ => {}
            }
        }
        self.show(id);
    }

    /// Looks at the content of a torrent that should run; what follows is in [`Keeper::looked`].
    fn begin(&mut self, id: TorrentId, row: &Arc<Row>) {
        let may_run = self.may_run(row);
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        match kept.content {
            // tried again by the second hand
            Content::Absent(_) => {}
            Content::Doubtful => {
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            _ if may_run => {
                kept.job = Some(Job::QueuedLook);
                self.looks.push_back(id);
            }
            _ => {}
        }
    }

    /// Has everything hashed, whatever is known.
    pub(super) async fn verify(&mut self, id: TorrentId) {
        let Some(row) = self.view.row(id).cloned().filter(|row| row.about.has_metadata) else { return };
        if self.torrents.get(&id).is_some_and(|kept| kept.running.is_some()) {
            self.halt(id).await;
        }
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        match kept.job {
            None => {
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            // it is halting: what follows is a check
            Some(Job::Halting) => kept.content = Content::Doubtful,
            Some(Job::QueuedLook) => {
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            _ => {}
        }
        drop(row);
        self.show(id);
    }

    /// A look is over.
    pub(super) async fn looked(&mut self, id: TorrentId, found: Found) {
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        kept.retry.end(self.turns);
        match kept.job.take() {
            Some(Job::Checking(_)) => self.checking -= 1,
            Some(Job::Looking(_)) => self.looking -= 1,
            // it was removed and added again meanwhile
            other => {
                kept.job = other;
                return;
            }
        }
        let (was_running, is_whole) = (kept.running.is_some(), matches!(found, Found::Whole(_)));
        // what runs and is not what it was is stopped first
        let running = kept.running.filter(|_| !matches!(found, Found::Whole(_)));
        if let Some(running) = running {
            if self.waking.remove(&id) {
                self.session.refuse(running);
            }
            self.halt(id).await;
        }
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        let suspect = kept.suspect.take();
        match found {
            Found::Whole(_) if suspect.is_some() => self.found_unreadable(id, suspect.unwrap_or_default()),
            Found::Whole(torrent) => self.found_whole(id, *torrent).await,
            Found::Partial(part) => self.found_part(id, *part).await,
            Found::Absent(message) => {
                let before = std::mem::take(&mut kept.content).into_known();
                kept.content = Content::Absent(Box::new(before));
                self.in_trouble.insert(id);
                self.say(id, Some(message));
            }
            Found::Unsure => {
                kept.content = Content::Doubtful;
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            Found::Failed(message) => self.fail(id, message),
            Found::Cancelled => {}
        }
        // its owner may have changed his mind meanwhile
        if self.torrents.get(&id).is_some_and(|kept| kept.job.is_none() && kept.running.is_some()) {
            Box::pin(self.settle(id)).await;
        } else {
            self.show(id);
        }
        if !(was_running && is_whole) {
            self.save(id);
        }
    }

    /// Its files are what they were, and yet it was stopped: they cannot be read, or another program was wrong about them.
    fn found_unreadable(&mut self, id: TorrentId, cause: String) {
        match self.torrents.get_mut(&id) {
            Some(kept) if kept.content.is_trusted() => {
                kept.content = Content::Doubtful;
                kept.job = Some(Job::QueuedCheck);
                self.checks.push_back(id);
            }
            _ => self.fail(id, cause),
        }
    }

    /// A message that stays until something else is known. Without one, a move that was not done is told again.
    pub(super) fn say(&mut self, id: TorrentId, message: Option<String>) {
        let notice = self.torrents.get(&id).and_then(|kept| kept.notice.clone());
        let message = message.map(Arc::from).or(notice);
        if self.row(id).is_some_and(|row| row.message != message) {
            self.edit(id, |row| row.message = message);
        }
    }

    async fn found_whole(&mut self, id: TorrentId, torrent: Torrent) {
        let Some(row) = self.view.row(id).cloned() else { return };
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        let running = kept.running;
        match &kept.content {
            // compared and found the same, they are kept already
            Content::Whole => {}
            content => {
                let trusted = content.is_trusted();
                kept.content = if trusted { Content::Trusted } else { Content::Whole };
                self.store.keep_identities(row.info_hash(), &torrent.identities);
            }
        }
        self.say(id, None);
        if row.numbers.left > 0 || row.numbers.have != row.about.size || row.numbers.completed_at.is_none() {
            self.edit(id, |row| {
                let numbers = &mut row.numbers;
                (numbers.have, numbers.left) = (row.about.size, 0);
                numbers.completed_at = numbers.completed_at.or(Some(now()));
            });
        }
        if let Some(running) = running {
            if self.waking.remove(&id) {
                self.wake(id, running, torrent);
            }
            return;
        }
        if row.choice.paused || !self.may_run(&row) {
            return;
        }
        let member = Member { info_hash: row.info_hash(), private: row.about.private, trackers: row.trackers() };
        match self.session.join(member).await {
            Ok(running) => self.started(id, running),
            Err(error) => self.fail(id, error.to_string()),
        }
    }

    async fn found_part(&mut self, id: TorrentId, part: Part) {
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        kept.content = Content::Part;
        self.say(id, part.warnings.first().cloned());
        self.edit(id, |row| {
            (row.numbers.have, row.numbers.left, row.numbers.wanted) = (part.have, part.left, part.wanted);
        });
        let Some(row) = self.view.row(id).cloned() else { return };
        if row.choice.paused || !self.may_run(&row) {
            return;
        }
        let mut download = part.download;
        download.metainfo = self.with_trackers(&row, download.metainfo);
        download.peers = self.torrents.get_mut(&id).map(|kept| std::mem::take(&mut kept.peers)).unwrap_or_default();
        match self.session.download(download).await {
            Ok(running) => self.started(id, running),
            Err(error) => self.fail(id, error.to_string()),
        }
    }

    fn started(&mut self, id: TorrentId, running: TorrentId) {
        let numbers = self.row(id).map(|row| row.numbers).unwrap_or_default();
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        kept.running = Some(running);
        kept.before = numbers;
        self.running.insert(running, id);
        if let Some(row) = self.view.row(id) {
            self.queue.count(row);
        }
        let now = self.clock.now();
        self.edit(id, |row| row.numbers.started_at = Some(now));
        self.set_limits(id);
        let choice = self.row(id).map(|row| row.choice.clone()).unwrap_or_default();
        if choice.super_seed {
            self.session.fleet.super_seed(running, true);
        }
    }

    /// It cannot go on for now; why, and what to do.
    pub(super) fn fail(&mut self, id: TorrentId, message: String) {
        if let Some(kept) = self.torrents.get_mut(&id) {
            kept.content = Content::Failed(Box::new(std::mem::take(&mut kept.content).into_known()));
            kept.retry.failed(self.turns);
            self.in_trouble.insert(id);
        }
        self.say(id, Some(message));
    }

    /// Takes a running torrent out of the session. What is here of a download is noted, on another thread; it is started again only
    /// after that.
    pub(super) async fn halt(&mut self, id: TorrentId) {
        let Some(running) = self.torrents.get(&id).and_then(|kept| kept.running) else { return };
        self.count_one(id);
        self.count_time(id);
        let counted = self.session.torrents.get(&running).map(|entry| entry.shared.counted());
        let (sent, received) = counted.unwrap_or_default();
        self.leaving.insert(running, Leaving { id, sent, received });
        let target = self.session.leave(running).await;
        self.running.remove(&running);
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        kept.running = None;
        self.edit(id, |row| {
            let numbers = &mut row.numbers;
            (numbers.upload_rate, numbers.download_rate) = (0, 0);
            (numbers.peers, numbers.seeds, numbers.unchoked, numbers.senders) = (0, 0, 0, 0);
            (numbers.availability_per_mille, numbers.announce_at) = (0, None);
            // nobody is asked any more
            row.trouble = None;
        });
        if let Some(target) = target {
            if let Some(kept) = self.torrents.get_mut(&id) {
                kept.job = Some(Job::Halting);
            }
            let news = self.news.0.clone();
            tokio::task::spawn_blocking(move || {
                let error = target.finish().err().map(|error| error.to_string());
                let _ = news.blocking_send(News::Halted(id, error));
            });
        }
        self.save(id);
    }

    /// What a download had is noted.
    pub(super) async fn halted(&mut self, id: TorrentId, error: Option<String>) {
        let Some(kept) = self.torrents.get_mut(&id) else { return };
        if matches!(kept.job, Some(Job::Halting)) {
            kept.job = None;
        }
        // why it was stopped says more than what followed from that
        if error.is_some() && self.row(id).is_some_and(|row| row.message.is_none()) {
            self.say(id, error);
        }
        if self.row(id).is_some_and(|row| row.choice.moving.is_some()) {
            return self.go_on_moving(id, false).await;
        }
        if matches!(self.torrents.get(&id).map(|kept| &kept.content), Some(Content::Doubtful)) {
            return self.verify(id).await;
        }
        self.settle(id).await;
    }

    /// Shows what `id` is doing.
    pub(super) fn show(&mut self, id: TorrentId) {
        let (Some(row), Some(kept)) = (self.view.row(id), self.torrents.get(&id)) else { return };
        let activity = activity(row, kept, self.session_is_downloading(kept));
        self.waits |= matches!(activity, Activity::QueuedDownload | Activity::QueuedSeed);
        if activity != row.activity {
            self.count_time(id);
            self.edit(id, |row| row.activity = activity);
            self.unsaved.insert(id);
        }
    }

    fn session_is_downloading(&self, kept: &Kept) -> bool {
        let entry = kept.running.and_then(|running| self.session.torrents.get(&running));
        entry.is_some_and(|entry| entry.is_downloading())
    }
}

fn activity(row: &Row, kept: &Kept, downloading: bool) -> Activity {
    let per_mille = |watch: &super::look::Watch| {
        let done = watch.done.load(std::sync::atomic::Ordering::Relaxed).saturating_mul(1_000);
        u16::try_from(done / row.about.size.max(1)).unwrap_or(1_000).min(1_000)
    };
    match &kept.job {
        Some(Job::QueuedCheck) => return Activity::QueuedCheck,
        Some(Job::Checking(watch)) => return Activity::Checking { per_mille: per_mille(watch) },
        Some(Job::Moving(watch)) => return Activity::Moving { per_mille: per_mille(watch) },
        Some(Job::QueuedLook | Job::Looking(_))
            if kept.running.is_none() && !matches!(kept.content, Content::Absent(_) | Content::Failed(_)) =>
        {
            return Activity::QueuedCheck;
        }
        _ => {}
    }
    match &kept.content {
        Content::Absent(_) => Activity::Absent,
        Content::Failed(_) => Activity::Failed,
        _ if row.choice.paused => Activity::Paused,
        _ if !row.about.has_metadata => Activity::Metadata,
        _ if kept.running.is_some() && downloading => Activity::Downloading,
        _ if kept.running.is_some() => Activity::Seeding,
        Content::Whole | Content::Trusted => Activity::QueuedSeed,
        _ => Activity::QueuedDownload,
    }
}
