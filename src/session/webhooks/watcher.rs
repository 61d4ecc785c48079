//! What happened between two views. Views may be missed: what came and went between two is not told.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::TorrentId;

use super::super::seedbox::{Activity, Row, View};
use super::EventKind;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    /// The torrent, then.
    pub(super) row: Arc<Row>,
}

/// Remembers the rows that it saw last.
pub(super) struct Watcher {
    revision: u64,
    known: HashMap<TorrentId, Arc<Row>>,
}

impl Watcher {
    /// What is in `view` is not news.
    pub(super) fn new(view: &View) -> Watcher {
        let known = view.rows.iter().map(|row| (row.id, row.clone())).collect();
        Watcher { revision: view.revision, known }
    }

    /// What happened since the last look.
    pub(super) fn look(&mut self, view: &View) -> Vec<Event> {
        let mut events = Vec::new();
        for row in view.changed_since(self.revision) {
            let before = self.known.insert(row.id, row.clone());
            let event = |kind| Event { kind, row: row.clone() };
            events.extend(kinds(before.as_deref(), row).into_iter().map(event));
        }
        self.revision = view.revision;
        let known = &mut self.known;
        if known.len() > view.rows.len() {
            let gone = known.extract_if(|id, _| view.row(*id).is_none());
            events.extend(gone.map(|(_, row)| Event { kind: EventKind::Removed, row }));
        }
        events
    }
}

fn kinds(before: Option<&Row>, now: &Row) -> Vec<EventKind> {
    let is_complete = |row: &Row| row.numbers.completed_at.is_some();
    let has_failed = |row: &Row| row.activity == Activity::Failed;
    let begins = |is: &dyn Fn(&Row) -> bool| is(now) && !before.is_some_and(is);
    let happened = [
        (before.is_none(), EventKind::Added),
        (begins(&is_complete), EventKind::Completed),
        (begins(&has_failed), EventKind::Failed),
    ];
    happened.into_iter().filter_map(|(happened, kind)| happened.then_some(kind)).collect()
}
