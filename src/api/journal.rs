//! The latest lines of the log, for clients that show them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::Level;

use crate::limits::{API_JOURNAL, API_JOURNAL_LINE};

/// See the module. Whoever writes the log notes its lines here, too; of many the oldest go.
#[derive(Default)]
pub struct Journal(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    /// How many there were.
    count: u64,
    latest: VecDeque<Line>,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Counts up.
    pub(super) number: u64,
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) level: Level,
    pub(super) text: String,
}

impl Journal {
    /// Keeps a line of `at` (seconds since 1970), or as much of it as there is room for.
    pub fn note(&self, at: i64, level: Level, mut text: String) {
        let end = (0..=API_JOURNAL_LINE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        let mut lines = self.lines();
        if lines.latest.len() >= API_JOURNAL {
            lines.latest.pop_front();
        }
        let number = lines.count;
        lines.count += 1;
        lines.latest.push_back(Line { number, at, level, text });
    }

    /// The lines after that of number `known`; `None`: all that are kept.
    pub(super) fn after(&self, known: Option<u64>) -> Vec<Line> {
        let lines = self.lines();
        lines.latest.iter().filter(|line| known.is_none_or(|known| line.number > known)).cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // whoever panicked left a line too few at the worst
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept_and_told_once_to_who_says_what_it_has() {
        let journal = Journal::default();
        (0..API_JOURNAL + 5).for_each(|number| journal.note(7, Level::INFO, format!("line {number}")));
        let all = journal.after(None);
        assert_eq!((all.len(), all[0].number, all[0].text.as_str()), (API_JOURNAL, 5, "line 5"));
        let newest = all[API_JOURNAL - 1].number;
        assert_eq!(journal.after(Some(newest - 2)).len(), 2);
        assert!(journal.after(Some(newest)).is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut_between_letters() {
        let journal = Journal::default();
        journal.note(0, Level::WARN, "ü".repeat(API_JOURNAL_LINE));
        let text = journal.after(None).remove(0).text;
        assert!(text.len() <= API_JOURNAL_LINE && text.chars().all(|letter| letter == 'ü'), "{}", text.len());
    }
}
