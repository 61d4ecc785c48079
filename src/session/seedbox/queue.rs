//! Which torrents may run, and in which order they wait.

use std::sync::Arc;

use crate::ids::TorrentId;

use super::keeper::Keeper;
use super::order::QueueMove;
use super::row::{Activity, Row};

/// How many run, those left out that run whatever the queue says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    downloads: u32,
    seeds: u32,
}

impl Running {
    pub(super) fn count(&mut self, row: &Row) {
        if !row.choice.forced {
            *(if row.is_complete() { &mut self.seeds } else { &mut self.downloads }) += 1;
        }
    }
}

impl Keeper {
    /// Whether the queue lets `row` run, beside those that run already.
    pub(super) fn may_run(&self, row: &Row) -> bool {
        let settings = &self.view.settings;
        if row.choice.forced || self.torrents.get(&row.id).is_some_and(|kept| kept.running.is_some()) {
            return true;
        }
        let Running { downloads, seeds } = self.queue;
        let (kind, most) =
            if row.is_complete() { (seeds, settings.seeds_max) } else { (downloads, settings.downloads_max) };
        most.is_none_or(|most| kind < most) && settings.active_max.is_none_or(|most| downloads + seeds < most)
    }

    /// Starts those that wait and may run, the first in the queue first; stops the last of those that are too many.
    pub(super) async fn advance(&mut self) {
        let settings = self.view.settings.clone();
        if settings.downloads_max.is_none() && settings.seeds_max.is_none() && settings.active_max.is_none() {
            return self.start_waiting().await;
        }
        self.count_queue();
        self.stop_excess().await;
        self.start_waiting().await;
    }

    fn count_queue(&mut self) {
        let mut queue = Running::default();
        self.running.values().filter_map(|id| self.view.row(*id)).for_each(|row| queue.count(row));
        self.queue = queue;
    }

    async fn start_waiting(&mut self) {
        if !self.waits {
            return;
        }
        let waits = |row: &&Arc<Row>| {
            matches!(row.activity, Activity::QueuedDownload | Activity::QueuedSeed) && !row.choice.paused
        };
        let mut waiting: Vec<(u32, TorrentId)> =
            self.view.rows.iter().filter(waits).map(|row| (row.numbers.queue, row.id)).collect();
        waiting.sort_unstable();
        self.waits = !waiting.is_empty();
        for (_, id) in waiting {
            if self.row(id).is_some_and(|row| self.may_run(row)) {
                self.settle(id).await;
            }
        }
    }

    async fn stop_excess(&mut self) {
        let settings = self.view.settings.clone();
        let runs =
            |row: &&Arc<Row>| matches!(row.activity, Activity::Downloading | Activity::Seeding) && !row.choice.forced;
        let mut running: Vec<Arc<Row>> = self.view.rows.iter().filter(runs).cloned().collect();
        running.sort_unstable_by_key(|row| row.numbers.queue);
        let mut kept = Running::default();
        for row in running {
            let mut with = kept;
            with.count(&row);
            let too_many = settings.downloads_max.is_some_and(|most| with.downloads > most)
                || settings.seeds_max.is_some_and(|most| with.seeds > most)
                || settings.active_max.is_some_and(|most| with.downloads + with.seeds > most);
            if too_many {
                self.halt(row.id).await;
                self.show(row.id);
            } else {
                kept = with;
            }
        }
        self.queue = kept;
    }
}

/// Moves `ids` in `order`, keeping their order among themselves.
pub(super) fn rearrange(order: &mut Vec<TorrentId>, ids: &[TorrentId], to: QueueMove) {
    let is_moved = |id: &TorrentId| ids.contains(id);
    match to {
        QueueMove::Up => {
            for at in 1..order.len() {
                if is_moved(&order[at]) && !is_moved(&order[at - 1]) {
                    order.swap(at - 1, at);
                }
            }
        }
        QueueMove::Down => {
            for at in (1..order.len()).rev() {
                if is_moved(&order[at - 1]) && !is_moved(&order[at]) {
                    order.swap(at - 1, at);
                }
            }
        }
        QueueMove::Top | QueueMove::Bottom | QueueMove::To(_) => {
            let (moved, mut rest): (Vec<_>, Vec<_>) = order.iter().copied().partition(is_moved);
            let at = match to {
                QueueMove::Bottom => rest.len(),
                QueueMove::To(at) => usize::try_from(at).unwrap_or(usize::MAX).min(rest.len()),
                _ => 0,
            };
            rest.splice(at..at, moved);
            *order = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_are_moved_together_and_keep_their_order() {
        let moved = |to, ids: &[u32]| {
            let mut order: Vec<TorrentId> = (0..5).map(TorrentId).collect();
            rearrange(&mut order, &ids.iter().copied().map(TorrentId).collect::<Vec<_>>(), to);
            order.into_iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(moved(QueueMove::Top, &[3, 1]), [1, 3, 0, 2, 4]);
        assert_eq!(moved(QueueMove::Bottom, &[0, 2]), [1, 3, 4, 0, 2]);
        assert_eq!(moved(QueueMove::Up, &[0, 1, 3]), [0, 1, 3, 2, 4]);
        assert_eq!(moved(QueueMove::Down, &[3, 4, 1]), [0, 2, 1, 3, 4]);
        assert_eq!(moved(QueueMove::To(2), &[0]), [1, 2, 0, 3, 4]);
        assert_eq!(moved(QueueMove::To(99), &[0]), [1, 2, 3, 4, 0]);
    }
}
