//! Torrents that were seeded enough, and what is done with them.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::keeper::Keeper;
use super::row::{Activity, Row};
use super::settings::{LimitAction, Settings};

/// Seconds between two looks at all, changed or not.
const ALL_SECONDS: u64 = 60;

/// What the last look was at.
pub(super) struct Enough {
    pub(super) revision: u64,
    pub(super) settings: Arc<Settings>,
}

impl Keeper {
    /// Does with those that were seeded enough what the settings say. Only who has changed may have had enough by bytes; limits of time
    /// are in minutes, and looking at ten thousand rows that sleep is a part of what an idle daemon does.
    pub(super) async fn stop_enough(&mut self) {
        let (settings, now) = (self.view.settings.clone(), self.clock.now());
        let of_all = self.turns.is_multiple_of(ALL_SECONDS) || !Arc::ptr_eq(&settings, &self.enough.settings);
        let since = if of_all { 0 } else { self.enough.revision };
        let seeding = self.view.changed_since(since).filter(|row| row.activity == Activity::Seeding);
        let enough: Vec<TorrentId> = seeding.filter(|row| is_enough(row, &settings, now)).map(|row| row.id).collect();
        self.enough = Enough { revision: self.view.revision, settings: settings.clone() };
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

fn is_enough(row: &Row, settings: &Settings, now: i64) -> bool {
    let choice = &row.choice;
    let ratio = choice.ratio_limit.or(settings.ratio_limit);
    let minutes = |seconds: u64| u32::try_from(seconds / 60).unwrap_or(u32::MAX);
    if ratio.is_some_and(|limit| row.ratio().is_some_and(|ratio| ratio >= limit)) {
        return true;
    }
    if let Some(limit) = choice.seeding_limit.or(settings.seeding_limit)
        && minutes(row.seeding_seconds(now)) >= limit
    {
        return true;
    }
    let Some(limit) = choice.idle_limit.or(settings.idle_limit) else { return false };
    // seeding begins with a start, whenever it was active last; what lies ahead is of a clock that was set back
    let active_at = row.numbers.active_at.filter(|at| *at <= now).unwrap_or(0);
    let since = active_at.max(row.numbers.counted_at);
    minutes(u64::try_from(now.saturating_sub(since)).unwrap_or(0)) >= limit
}
