//! Torrents that were seeded enough, and what is done with them.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::keeper::Keeper;
use super::row::{Activity, Row};
use super::settings::{LimitAction, Settings};

/// Turns between two looks at all that time alone makes necessary: limits of time are in minutes.
const ALL_TURNS: u64 = 60;
/// It never is, as it is now.
const NEVER: i64 = i64::MAX;

/// What the last look was at.
#[derive(Default)]
pub(super) struct Enough {
    revision: u64,
    settings: Arc<Settings>,
    /// The turn in which all were looked at last, changed or not.
    turn: u64,
    /// When the first of those that do not change will have been seeded enough, or earlier.
    due: i64,
}

impl Keeper {
    /// Does with those that were seeded enough what the settings say. Those that have not changed are looked at when the time of the first
    /// of them has come: a look at ten thousand rows that sleep takes 65 ms, since none is in the caches of the processor.
    pub(super) async fn stop_enough(&mut self) {
        let (settings, now) = (self.view.settings.clone(), self.clock.now());
        let last = &self.enough;
        let is_due = now >= last.due && self.turns >= last.turn + ALL_TURNS;
        let (since, turn, mut due) = match is_due || !Arc::ptr_eq(&settings, &last.settings) {
            true => (0, self.turns, NEVER),
            false => (last.revision, last.turn, last.due),
        };
        let mut enough: Vec<TorrentId> = Vec::new();
        for row in self.view.changed_since(since).filter(|row| row.activity == Activity::Seeding) {
            let at = enough_at(row, &settings, now);
            due = due.min(at);
            if at <= now {
                enough.push(row.id);
            }
        }
        self.enough = Enough { revision: self.view.revision, settings: settings.clone(), turn, due };
        for id in enough {
            let Some(row) = self.row(id).cloned() else { continue };
            let action = row.choice.limit_action.unwrap_or(settings.limit_action);
            let done = match action {
                LimitAction::Pause => {
                    self.choose(id, |choice| (choice.paused, choice.forced) = (true, false));
                    self.settle(id).await;
                    self.save(id);
                    "paused"
                }
                LimitAction::Remove | LimitAction::RemoveWithData => {
                    let data = action == LimitAction::RemoveWithData;
                    if let Err(refusal) = self.remove(id, data).await {
                        self.say(id, Some(refusal.text));
                    }
                    "removed"
                }
                LimitAction::SuperSeed if row.choice.super_seed => continue,
                LimitAction::SuperSeed => {
                    self.super_seed(id, true);
                    self.save(id);
                    "super-seeded"
                }
            };
            tracing::info!(torrent = %row.info_hash(), name = row.name(), done, "seeded enough");
        }
    }
}

/// Seconds since 1970 from which on it was seeded enough, if nothing of it changes.
fn enough_at(row: &Row, settings: &Settings, now: i64) -> i64 {
    let choice = &row.choice;
    let ratio = choice.ratio_limit.or(settings.ratio_limit);
    if ratio.is_some_and(|limit| row.ratio().is_some_and(|ratio| ratio >= limit)) {
        return now;
    }
    let after = |begin: i64, minutes: u32| begin.saturating_add(i64::from(minutes) * 60);
    let seeded = i64::try_from(row.seeding_seconds(now)).unwrap_or(NEVER);
    let by_time = choice.seeding_limit.or(settings.seeding_limit).map(|limit| after(now.saturating_sub(seeded), limit));
    // seeding begins with a start, whenever it was active last; what lies ahead is of a clock that was set back
    let active_at = row.numbers.active_at.filter(|at| *at <= now).unwrap_or(0).max(row.numbers.counted_at);
    let by_silence = choice.idle_limit.or(settings.idle_limit).map(|limit| after(active_at, limit));
    by_time.into_iter().chain(by_silence).min().unwrap_or(NEVER)
}
