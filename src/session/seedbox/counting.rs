//! The second hand: numbers of the session become numbers of rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::discovery::Change;
use crate::ids::TorrentId;

use super::super::descriptors::descriptors_run_out;
use super::super::entry::Entry;
use super::keeper::{Content, Keeper, now};
use super::row::Numbers;
use super::view::Totals;

/// Seconds between two looks at content that was not there, or failed.
const ABSENT_SECONDS: u64 = 10;
/// Seconds between two looks at who was seeded enough.
const ENOUGH_SECONDS: u64 = 5;
/// Seconds between two looks at watch folders.
const WATCH_SECONDS: u64 = 5;
/// Seconds between two times that numbers are saved.
const SAVE_SECONDS: u64 = 2;

impl Keeper {
    /// Once a second.
    pub(super) async fn turn(&mut self) {
        self.turns += 1;
        self.follow_clock();
        if let Err(error) = self.session.turn().await {
            tracing::error!(%error, "the engine failed");
        }
        self.count();
        self.count_swarms();
        self.take_failures().await;
        for id in std::mem::take(&mut self.homing) {
            self.go_home(id).await;
        }
        if self.turns.is_multiple_of(ABSENT_SECONDS) {
            self.try_again().await;
        }
        self.advance().await;
        self.refresh_jobs();
        self.pace();
        self.patrol();
        if self.turns.is_multiple_of(ENOUGH_SECONDS) {
            self.stop_enough().await;
        }
        if self.turns.is_multiple_of(WATCH_SECONDS) {
            self.watch_folders();
        }
        if self.turns.is_multiple_of(SAVE_SECONDS) {
            self.save_numbers();
            self.save_checks();
            self.tell_trouble();
        }
    }

    /// What its owner has to mend, or what is in the way.
    fn tell_trouble(&mut self) {
        let other = || self.hanging().or_else(descriptors_run_out).map(Arc::from);
        let trouble = self.store.health().or_else(other);
        if trouble != self.view.trouble {
            trouble.iter().for_each(|trouble| tracing::error!(%trouble, "not all is well"));
            self.view.trouble = trouble;
            self.changed = true;
        }
    }

    /// What trackers have said. Most announces are answered as the one before.
    fn count_swarms(&mut self) {
        let clock = (Instant::now(), now());
        for Change { info_hash, summary } in self.session.announcer.take_changes() {
            let Some(row) = self.view.find(info_hash) else { continue };
            let (id, numbers) = (row.id, &row.numbers);
            let is_same = (numbers.swarm_seeds, numbers.swarm_leechers) == (summary.seeders, summary.leechers)
                && *row.tracker == *summary.tracker.as_deref().unwrap_or_default()
                && row.trouble == summary.trouble;
            let announce_at = summary.next.map(|next| seconds_of(next, clock));
            if is_same {
                self.note(id, |row| row.numbers.announce_at = announce_at);
                continue;
            }
            self.edit(id, |row| {
                (row.numbers.swarm_seeds, row.numbers.swarm_leechers) = (summary.seeders, summary.leechers);
                row.numbers.announce_at = announce_at;
                row.tracker = summary.tracker.unwrap_or_default();
                row.trouble = summary.trouble;
            });
        }
    }

    /// Takes in the numbers of all that run, and sums them up.
    pub(super) fn count(&mut self) {
        // of those that sleep nothing changes
        let lively = self.session.lively.iter().filter_map(|running| self.running.get(running));
        let lively: Vec<TorrentId> = lively.copied().collect();
        lively.iter().for_each(|id| self.count_one(*id));
        self.count_left();
        let connections = self.session.fleet().snapshots().map(|snapshot| snapshot.connections).sum::<usize>();
        let mut totals = Totals {
            upload_rate: 0,
            download_rate: 0,
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
            session_seconds: self.clock.seconds(),
            running_seconds: self.running_seconds(),
            ..self.view.totals
        };
        for id in &lively {
            let Some(row) = self.view.row(*id) else { continue };
            totals.upload_rate += row.numbers.upload_rate;
            totals.download_rate += row.numbers.download_rate;
        }
        if totals != self.view.totals {
            self.view.totals = totals;
            self.changed = true;
        }
    }

    /// Takes in the numbers of one.
    pub(super) fn count_one(&mut self, id: TorrentId) {
        let (Some(row), Some(kept)) = (self.view.row(id), self.torrents.get(&id)) else { return };
        let Some(entry) = kept.running.and_then(|running| self.session.torrents.get(&running)) else { return };
        let old = row.numbers;
        let mut new = numbers(&kept.before, &old, entry);
        let (sent, received) =
            (new.uploaded.saturating_sub(old.uploaded), new.downloaded.saturating_sub(old.downloaded));
        if sent > 0 || received > 0 {
            new.active_at = Some(now());
        }
        if let Some(download) = entry.download.as_ref().filter(|download| download.finished) {
            new.left = 0;
            new.completed_at = new.completed_at.or(Some(now()));
            let identities = entry.body.as_ref().map(|body| body.identities.clone()).unwrap_or_default();
            if download.settled && !matches!(kept.content, Content::Whole) && !identities.is_empty() {
                self.store.keep_identities(row.info_hash(), &identities);
                if let Some(kept) = self.torrents.get_mut(&id) {
                    kept.content = Content::Whole;
                }
                self.completed(id);
            }
        }
        self.view.totals.session_wasted += new.session_wasted.saturating_sub(old.session_wasted);
        self.add_up(sent, received);
        if new != old {
            self.unsaved.insert(id);
            self.edit(id, |row| row.numbers = new);
        }
        self.show(id);
    }

    pub(super) fn add_up(&mut self, sent: u64, received: u64) {
        let totals = &mut self.view.totals;
        totals.session_uploaded += sent;
        totals.session_downloaded += received;
        totals.uploaded += sent;
        totals.downloaded += received;
        self.month.add(sent, received);
    }

    /// What the session had not counted when torrents left it.
    fn count_left(&mut self) {
        for status in self.session.take_left() {
            let Some(leaving) = self.leaving.get_mut(&status.id) else { continue };
            let received = status.download.map_or(0, |download| download.received);
            let (sent, received) =
                (status.sent.saturating_sub(leaving.sent), received.saturating_sub(leaving.received));
            (leaving.sent, leaving.received) = (0, 0);
            let id = leaving.id;
            self.count_beside(id, sent, received);
        }
    }

    /// Bytes of a torrent that its entry in the session, if it has one, knows nothing of.
    pub(super) fn count_beside(&mut self, id: TorrentId, sent: u64, received: u64) {
        self.add_up(sent, received);
        if sent == 0 && received == 0 {
            return;
        }
        let add = |numbers: &mut Numbers| {
            numbers.uploaded += sent;
            numbers.downloaded += received;
            numbers.session_uploaded += sent;
            numbers.session_downloaded += received;
        };
        self.torrents.get_mut(&id).into_iter().for_each(|kept| add(&mut kept.before));
        self.edit(id, |row| add(&mut row.numbers));
        self.unsaved.insert(id);
    }

    /// A download has become whole.
    fn completed(&mut self, id: TorrentId) {
        if let Some(row) = self.row(id) {
            tracing::info!(torrent = %row.info_hash(), name = row.name(), "complete");
        }
        self.save(id);
        if self.row(id).is_some_and(|row| row.choice.destination.is_some()) {
            self.homing.push(id);
        }
    }

    /// Time that has passed is counted before the activity changes.
    pub(super) fn count_time(&mut self, id: TorrentId) {
        let now = self.clock.now();
        self.edit(id, |row| {
            let (seeding, running) = (row.seeding_seconds(now), row.running_seconds(now));
            (row.numbers.seeding_seconds, row.numbers.running_seconds) = (seeding, running);
            row.numbers.counted_at = now;
        });
    }

    /// When the clock of the host was set, what is measured by it is moved along.
    fn follow_clock(&mut self) {
        let Some(by) = self.clock.follow(now()) else { return };
        tracing::warn!(seconds = by, "the clock was set");
        let running: Vec<TorrentId> = self.view.rows.iter().filter(|row| row.runs()).map(|row| row.id).collect();
        for id in running {
            self.edit(id, |row| {
                let numbers = &mut row.numbers;
                // it was told by the clock as it was
                if let Some(active_at) = numbers.active_at.as_mut().filter(|at| **at >= numbers.counted_at) {
                    *active_at = active_at.saturating_add(by);
                }
                numbers.counted_at = numbers.counted_at.saturating_add(by);
            });
        }
    }

    /// What the session stopped by itself.
    async fn take_failures(&mut self) {
        let failed = std::mem::take(&mut self.session.failed).into_iter().filter_map(|running| {
            let failure = self.session.torrents.get(&running)?.failure.clone()?;
            Some((*self.running.get(&running)?, failure))
        });
        let failed: Vec<(TorrentId, String)> = failed.collect();
        for (id, cause) in failed {
            tracing::warn!(cause, "a torrent was stopped");
            self.halt(id).await;
            self.say(id, Some(cause.clone()));
            let Some(kept) = self.torrents.get_mut(&id) else { continue };
            // whether its files are gone, or are others now, is found out first
            if matches!(kept.content, Content::Whole | Content::Trusted) {
                kept.suspect = Some(cause);
                self.settle(id).await;
            } else {
                self.fail(id, cause);
                self.show(id);
            }
        }
    }

    /// Shows how checks and moves get on.
    fn refresh_jobs(&mut self) {
        let torrents = &self.torrents;
        self.busy.retain(|id| torrents.get(id).is_some_and(|kept| kept.job.is_some()));
        let busy: Vec<TorrentId> = self.busy.iter().copied().collect();
        busy.into_iter().for_each(|id| self.show(id));
    }
}

/// Seconds since 1970 at `then`, while `clock` tells the time on both clocks.
fn seconds_of(then: Instant, clock: (Instant, i64)) -> i64 {
    let ahead = i64::try_from(then.saturating_duration_since(clock.0).as_secs()).unwrap_or(i64::MAX);
    clock.1.saturating_add(ahead)
}

/// Numbers of a running torrent.
fn numbers(before: &Numbers, old: &Numbers, entry: &Entry) -> Numbers {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (sent, received) =
        (entry.shared.uploaded.load(Ordering::Relaxed), entry.shared.downloaded.load(Ordering::Relaxed));
    let mut new = Numbers {
        uploaded: before.uploaded + sent,
        downloaded: before.downloaded + received,
        session_uploaded: before.session_uploaded + sent,
        session_downloaded: before.session_downloaded + received,
        upload_rate: entry.upload_rate,
        peers: count(entry.peers),
        seeds: count(entry.seeds),
        senders: count(entry.senders),
        unchoked: count(entry.unchoked),
        availability_per_mille: entry.availability.saturating_mul(1_000),
        ..*old
    };
    if let Some(download) = &entry.download {
        new.download_rate = download.rate;
        if let Some(latest) = &download.latest {
            new.have = latest.good;
            new.wasted = before.wasted + latest.wasted;
            new.session_wasted = before.session_wasted + latest.wasted;
            let length = entry.metainfo().map_or(0, |metainfo| metainfo.geometry().nominal_piece_length());
            let missing = u64::from(latest.missing) * u64::from(length);
            new.left = missing.min(new.wanted);
        }
    }
    new
}
