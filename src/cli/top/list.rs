//! The torrents: all of them, and those that are shown, in order. Plain computation.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::Deserialize;

use super::daemon::Changes;

/// One torrent, as the API tells it.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(default)]
pub(super) struct Row {
    pub(super) hash: String,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) activity: String,
    pub(super) activity_per_mille: Option<u16>,
    pub(super) message: Option<String>,
    pub(super) progress: f64,
    pub(super) ratio: Option<f64>,
    pub(super) uploaded: u64,
    pub(super) downloaded: u64,
    pub(super) upload_rate: u64,
    pub(super) download_rate: u64,
    pub(super) peers: u32,
    pub(super) seeds: u32,
    pub(super) left: u64,
    pub(super) category: String,
    pub(super) tracker_trouble: Option<String>,
    pub(super) folder: String,
}

/// What a list can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Column {
    #[default]
    Name,
    State,
    Progress,
    Size,
    Up,
    Down,
    Peers,
    Ratio,
    Sent,
    Category,
}

impl Column {
    pub(super) const ALL: [Column; 10] = [
        Column::Name,
        Column::State,
        Column::Progress,
        Column::Size,
        Column::Up,
        Column::Down,
        Column::Peers,
        Column::Ratio,
        Column::Sent,
        Column::Category,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Column::Name => "Name",
            Column::State => "State",
            Column::Progress => "Done",
            Column::Size => "Size",
            Column::Up => "Up",
            Column::Down => "Down",
            Column::Peers => "Peers",
            Column::Ratio => "Ratio",
            Column::Sent => "Sent",
            Column::Category => "Category",
        }
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        match self {
            Column::Name => Ordering::Equal,
            Column::State => a.activity.cmp(&b.activity),
            Column::Progress => a.progress.total_cmp(&b.progress),
            Column::Size => a.size.cmp(&b.size),
            Column::Up => a.upload_rate.cmp(&b.upload_rate),
            Column::Down => a.download_rate.cmp(&b.download_rate),
            Column::Peers => a.peers.cmp(&b.peers),
            Column::Sent => a.uploaded.cmp(&b.uploaded),
            Column::Category => a.category.cmp(&b.category),
            Column::Ratio => a.ratio.unwrap_or(-1.0).total_cmp(&b.ratio.unwrap_or(-1.0)),
        }
    }

    fn next(self) -> Column {
        let at = Column::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Column::ALL[(at + 1) % Column::ALL.len()]
    }
}

/// Which torrents are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Show {
    #[default]
    All,
    Active,
    Downloading,
    Seeding,
    Stopped,
    Trouble,
}

impl Show {
    pub(super) fn title(self) -> &'static str {
        match self {
            Show::All => "all",
            Show::Active => "active",
            Show::Downloading => "downloading",
            Show::Seeding => "seeding",
            Show::Stopped => "stopped",
            Show::Trouble => "in trouble",
        }
    }

    fn holds(self, row: &Row) -> bool {
        match self {
            Show::All => true,
            Show::Active => row.upload_rate > 0 || row.download_rate > 0,
            Show::Downloading => matches!(row.activity.as_str(), "downloading" | "metadata"),
            Show::Seeding => row.activity == "seeding",
            Show::Stopped => row.activity == "paused",
            Show::Trouble => {
                let failed = matches!(row.activity.as_str(), "absent" | "failed");
                failed || row.message.is_some() || row.tracker_trouble.is_some()
            }
        }
    }

    fn next(self) -> Show {
        match self {
            Show::All => Show::Active,
            Show::Active => Show::Downloading,
            Show::Downloading => Show::Seeding,
            Show::Seeding => Show::Stopped,
            Show::Stopped => Show::Trouble,
            Show::Trouble => Show::All,
        }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct List {
    rows: HashMap<String, Row>,
    /// Hashes of those that are shown, in order.
    shown: Vec<String>,
    pub(super) column: Column,
    pub(super) descending: bool,
    pub(super) show: Show,
    pub(super) search: String,
    /// Which of the shown is marked. It stays on its torrent when others come and go.
    marked: usize,
    marked_hash: String,
    /// The first one on the screen.
    first: usize,
}

impl List {
    /// Takes in what has changed.
    pub(super) fn take(&mut self, changes: Changes) {
        if changes.full {
            self.rows.clear();
        }
        for hash in &changes.removed {
            self.rows.remove(hash);
        }
        self.rows.extend(changes.changed.into_iter().map(|row| (row.hash.clone(), row)));
        self.arrange();
    }

    /// Chooses and sorts anew.
    pub(super) fn arrange(&mut self) {
        let words = self.search.to_lowercase();
        let found = |row: &&Row| self.show.holds(row) && row.name.to_lowercase().contains(&words);
        let mut shown: Vec<(String, &Row)> =
            self.rows.values().filter(found).map(|row| (row.name.to_lowercase(), row)).collect();
        shown.sort_by(|(name, row), (other_name, other)| {
            let by_name = name.cmp(other_name).then_with(|| row.hash.cmp(&other.hash));
            let by_column = self.column.compare(row, other);
            let order = if self.column == Column::Name { by_name } else { by_column };
            let order = if self.descending { order.reverse() } else { order };
            order.then(by_name)
        });
        self.shown = shown.into_iter().map(|(_, row)| row.hash.clone()).collect();
        let at = self.shown.iter().position(|hash| *hash == self.marked_hash);
        self.mark(at.unwrap_or(self.marked));
    }

    fn mark(&mut self, at: usize) {
        self.marked = at.min(self.shown.len().saturating_sub(1));
        self.marked_hash = self.shown.get(self.marked).cloned().unwrap_or_default();
    }

    /// Marks one further up or down.
    pub(super) fn step(&mut self, by: isize) {
        self.mark(self.marked.saturating_add_signed(by));
    }

    /// The marked one.
    pub(super) fn marked(&self) -> Option<&Row> {
        self.rows.get(self.shown.get(self.marked)?)
    }

    /// Those that fit into `height` lines, the marked one among them, and its place there.
    pub(super) fn window(&mut self, height: usize) -> (Vec<&Row>, usize) {
        let last_first = self.shown.len().saturating_sub(height);
        let lowest = (self.marked + 1).saturating_sub(height);
        self.first = self.first.clamp(lowest, self.marked.max(lowest)).min(last_first);
        let rows = self.shown.iter().skip(self.first).take(height).filter_map(|hash| self.rows.get(hash)).collect();
        (rows, self.marked - self.first)
    }

    /// By the next column; rates and sizes largest first.
    pub(super) fn sort_by_next(&mut self) {
        self.column = self.column.next();
        self.descending = !matches!(self.column, Column::Name | Column::State | Column::Category);
        self.arrange();
    }

    /// The other way round.
    pub(super) fn reverse(&mut self) {
        self.descending = !self.descending;
        self.arrange();
    }

    /// Those of the next kind.
    pub(super) fn show_next(&mut self) {
        self.show = self.show.next();
        self.arrange();
    }

    /// How many are shown, of how many.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.shown.len(), self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::daemon::Totals;
    use super::*;

    fn list_of(rows: &[(&str, u64)]) -> List {
        let mut list = List::default();
        list.take(changes(rows, true, &[]));
        list
    }

    fn changes(rows: &[(&str, u64)], full: bool, removed: &[&str]) -> Changes {
        let row = |(name, rate): &(&str, u64)| Row {
            hash: format!("hash of {name}"),
            name: (*name).into(),
            upload_rate: *rate,
            ..Row::default()
        };
        let removed = removed.iter().map(|name| format!("hash of {name}")).collect();
        Changes { revision: 1, full, changed: rows.iter().map(row).collect(), removed, totals: Totals::default() }
    }

    fn shown(list: &mut List, height: usize) -> Vec<String> {
        list.window(height).0.into_iter().map(|row| row.name.clone()).collect()
    }

    #[test]
    fn torrents_are_sorted_searched_and_narrowed() {
        let mut list = list_of(&[("b", 5), ("A", 0), ("c", 9)]);
        assert_eq!(shown(&mut list, 10), ["A", "b", "c"]);
        list.column = Column::Peers;
        list.sort_by_next();
        assert_eq!(list.column, Column::Ratio);
        list.column = Column::Size;
        list.sort_by_next();
        assert_eq!(shown(&mut list, 10), ["c", "b", "A"], "rates, largest first");
        list.show_next();
        assert_eq!(shown(&mut list, 10), ["c", "b"], "active ones");
        list.search = "B".into();
        list.arrange();
        assert_eq!((shown(&mut list, 10), list.counts()), (vec!["b".to_owned()], (1, 3)));
    }

    #[test]
    fn the_mark_stays_on_its_torrent_and_in_sight() {
        let names: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
        let rows: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
        let mut list = list_of(&rows);
        list.step(50);
        assert_eq!((shown(&mut list, 10)[9].as_str(), list.window(10).1), ("50", 9));
        list.take(changes(&[("000", 0)], false, &["10", "60"]));
        assert_eq!(list.marked().map(|row| row.name.as_str()), Some("50"));
        list.take(changes(&[], false, &["50"]));
        assert_eq!(list.marked().map(|row| row.name.as_str()), Some("51"), "its place is taken by the next");
        list.step(-1_000);
        assert_eq!((list.window(10).1, shown(&mut list, 3).len()), (0, 3));
        list.take(changes(&[], true, &[]));
        assert!(list.marked().is_none() && shown(&mut list, 10).is_empty());
    }
}
