//! What is kept across starts.

use std::sync::Arc;

use crate::ids::TorrentId;
use crate::session::state::{AllTime, Counting, Loaded, PersistentNumbers, Record};

use super::keeper::{Content, Keeper, Kept};
use super::pacing::MonthTraffic;
use super::row::{Activity, Row};
use super::settings::Category;

impl Keeper {
    /// Takes in what was kept.
    pub(super) fn load(&mut self, loaded: Loaded) {
        for problem in &loaded.problems {
            tracing::warn!(problem.text, "the state was not as it should be");
        }
        let totals = &mut self.view.totals;
        (totals.uploaded, totals.downloaded) = (loaded.all_time.uploaded, loaded.all_time.downloaded);
        totals.running_seconds = loaded.all_time.running_seconds;
        totals.starts = loaded.all_time.starts + 1;
        self.month = MonthTraffic::of(loaded.traffic, self.view.settings.budget.as_ref());
        self.running_before = loaded.all_time.running_seconds;
        loaded.records.into_iter().for_each(|record| self.restore(record));
        self.changed = true;
    }

    fn restore(&mut self, record: Record) {
        self.learn_labels(&record.choice);
        // a category that came with the torrents of another program
        let category = &record.choice.category;
        if !category.is_empty() && !self.view.settings.categories.contains_key(category) {
            let settings = Arc::make_mut(&mut self.view.settings);
            settings.categories.insert(category.clone(), Category::default());
        }
        let id = TorrentId(self.next);
        self.next += 1;
        let kept = Kept {
            content: match (record.complete, record.trusted) {
                (true, true) => Content::Trusted,
                (true, false) => Content::Whole,
                (false, _) => Content::Part,
            },
            magnet: record.magnet.as_deref().and_then(|link| link.parse().ok()).map(Box::new),
            ..Kept::default()
        };
        let row = Row {
            id,
            revision: 1,
            about: record.about,
            choice: record.choice,
            activity: Activity::QueuedCheck,
            message: None,
            tracker: Arc::from(""),
            trouble: None,
            numbers: record.numbers.numbers(self.clock.now()),
        };
        self.view.insert(Arc::new(row));
        self.torrents.insert(id, kept);
    }

    /// Has what is known of a torrent saved.
    pub(super) fn save(&mut self, id: TorrentId) {
        let (Some(row), Some(kept)) = (self.view.row(id), self.torrents.get(&id)) else { return };
        let content = kept.content.known();
        let record = Record {
            info_hash: row.info_hash(),
            about: row.about.clone(),
            choice: row.choice.clone(),
            numbers: self.persistent(row),
            complete: matches!(content, Content::Whole | Content::Trusted),
            trusted: matches!(content, Content::Trusted),
            magnet: kept.magnet.as_ref().map(|magnet| Arc::from(magnet.to_string())),
        };
        self.unsaved.remove(&id);
        self.store.put([record]);
    }

    /// What is saved of numbers: time up to now, and whether it goes on.
    fn persistent(&self, row: &Row) -> PersistentNumbers {
        let now = self.clock.now();
        let seeding = row.activity == Activity::Seeding;
        let runs = row.runs() && !self.ended;
        PersistentNumbers {
            seeding_seconds: row.seeding_seconds(now),
            running_seconds: row.running_seconds(now),
            counting: runs.then(|| Counting { since: self.running_seconds(), seeding }),
            ..PersistentNumbers::from(&row.numbers)
        }
    }

    /// Seconds of all starts together.
    pub(super) fn running_seconds(&self) -> u64 {
        self.running_before.saturating_add(self.clock.seconds())
    }

    /// Has a torrent forgotten.
    pub(super) fn forget(&mut self, id: TorrentId) {
        let Some(row) = self.row(id) else { return };
        self.store.remove([row.info_hash()]);
    }

    pub(super) fn save_month(&self) {
        self.store.keep_traffic(self.month.month(), &self.month.traffic());
    }

    /// Has numbers that changed saved.
    pub(super) fn save_numbers(&mut self) {
        let unsaved = std::mem::take(&mut self.unsaved);
        let rows = unsaved.iter().filter_map(|id| self.view.row(*id));
        self.store.update_numbers(rows.map(|row| (row.info_hash(), self.persistent(row))));
        // after them: time is counted up to this, and never from later than it
        let totals = &self.view.totals;
        self.store.keep_all_time(&AllTime {
            uploaded: totals.uploaded,
            downloaded: totals.downloaded,
            running_seconds: self.running_seconds(),
            starts: totals.starts,
        });
        self.save_month();
    }
}
