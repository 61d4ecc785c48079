//! `torrent-get`.
//!
//! Names of fields are resolved once. A list that a view has everything of is written at once, on a thread of its own if it is
//! long, so that neither the keeper nor other requests wait. Where details are needed they are asked for ahead, of a few torrents
//! at a time, and each torrent is written as soon as its details are here: those of thousands are never in memory together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::session::seedbox::{Removed, Row, View};

use super::arguments::Arguments;
use super::details::Details;
use super::envelope::{self, Fault};
use super::field::{self, Field, Needs};
use super::ids::Selection;
use super::measure::Moment;
use super::server::Server;
use super::torrent;
use crate::api::json::Json;

/// Values that are written where the request is handled: half a millisecond's work.
const SHORT: usize = 2_000;
/// Torrents whose details are asked for at once.
const AHEAD: usize = 16;
/// Bytes that a value takes, its name included; a guess that saves copying.
const BYTES_PER_VALUE: usize = 32;

/// Answers `torrent-get`.
pub(super) async fn torrents(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let fields = field::parse(arguments)?;
    let selection = Selection::parse(arguments)?;
    let table = arguments.text("format")? == Some("table");
    let (view, since) = (server.context.seedbox.view(), server.recent());
    let rows = selection.rows(&view, since);
    let needs = field::needs(&fields);
    let removed = selection.wants_removed().then(|| view.removed.clone());
    let is_short = rows.len().saturating_mul(fields.len()) <= SHORT;
    let mut list = List::begin(fields, table, rows.len());
    let list = if needs != Needs::default() {
        with_details(server, list, &rows, &view, needs).await
    } else if is_short {
        list.write_all(&rows, &view);
        list
    } else {
        let task = spawn_blocking(move || {
            list.write_all(&rows, &view);
            list
        });
        task.await.map_err(|_| Fault::new("the daemon is ending"))?
    };
    let removed = removed.as_deref().map(|removed| removed.iter().filter(|removed| removed.revision > since));
    Ok(list.end(removed))
}

/// What `torrent-get` answers for all torrents, or for those that changed after the view of revision `since`; for measurements. Names
/// that are no field of a list are passed over.
pub fn listing(view: &View, since: Option<u64>, fields: &[&str]) -> Vec<u8> {
    let fields: Vec<Field> = fields.iter().filter_map(|name| Field::named(name)).collect();
    let selection = Selection::of_changes(since.is_some());
    let since = since.unwrap_or(0);
    let rows = selection.rows(view, since);
    let mut list = List::begin(fields, false, rows.len());
    list.write_all(&rows, view);
    let removed = view.removed.iter().filter(|removed| removed.revision > since);
    envelope::finish(Ok(list.end(selection.wants_removed().then_some(removed))), None)
}

async fn with_details(server: &Server, mut list: List, rows: &[Arc<Row>], view: &View, needs: Needs) -> List {
    let seedbox = &server.context.seedbox;
    let ask = |row: &Arc<Row>| tokio::spawn(Details::ask(seedbox.clone(), row.id, needs));
    let mut asked: VecDeque<JoinHandle<Details>> = rows.iter().take(AHEAD).map(ask).collect();
    let mut further = rows.iter().skip(AHEAD);
    for row in rows {
        let Some(next) = asked.pop_front() else { break };
        // fails only while the runtime ends
        let details = next.await.unwrap_or_default();
        asked.extend(further.next().map(ask));
        list.write(row, &details, &moment(view));
    }
    list
}

/// Now, to whoever reads `view`.
pub(super) fn moment(view: &View) -> Moment<'_> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Moment { now, instant: Instant::now(), settings: &view.settings }
}

/// The answer under way.
struct List {
    json: Json,
    fields: Vec<Field>,
    table: bool,
}

impl List {
    fn begin(fields: Vec<Field>, table: bool, rows: usize) -> List {
        let mut json = envelope::open();
        json.reserve(rows.saturating_mul(fields.len()).saturating_mul(BYTES_PER_VALUE));
        json.open(b'{');
        json.key("torrents");
        json.open(b'[');
        if table {
            json.list(|json| fields.iter().for_each(|field| json.value(field.name())));
        }
        List { json, fields, table }
    }

    fn write_all(&mut self, rows: &[Arc<Row>], view: &View) {
        let (details, moment) = (Details::default(), moment(view));
        rows.iter().for_each(|row| self.write(row, &details, &moment));
    }

    fn write(&mut self, row: &Row, details: &Details, moment: &Moment<'_>) {
        let (open, close) = if self.table { (b'[', b']') } else { (b'{', b'}') };
        self.json.open(open);
        for field in &self.fields {
            if !self.table {
                self.json.key(field.name());
            }
            torrent::write(&mut self.json, *field, row, details, moment);
        }
        self.json.close(close);
    }

    fn end<'a>(mut self, removed: Option<impl Iterator<Item = &'a Removed>>) -> Json {
        self.json.close(b']');
        if let Some(removed) = removed {
            self.json.key("removed");
            self.json.list(|json| removed.for_each(|removed| json.value(removed.id.0)));
        }
        self.json.close(b'}');
        self.json
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::transmission::sample;

    fn answer(table: bool, view: &View) -> Value {
        let mut list = List::begin(vec![Field::Id, Field::Status], table, view.rows.len());
        list.write_all(&view.rows.iter().cloned().collect::<Vec<_>>(), view);
        serde_json::from_slice(&envelope::finish(Ok(list.end(None::<std::iter::Empty<&Removed>>)), None)).expect("JSON")
    }

    #[test]
    fn objects_and_tables_say_the_same() {
        let view = sample::view(2);
        let objects = json!([{"id": 1, "status": 6}, {"id": 2, "status": 6}]);
        assert_eq!(answer(false, &view), json!({"arguments": {"torrents": objects}, "result": "success"}));
        let table = json!([["id", "status"], [1, 6], [2, 6]]);
        assert_eq!(answer(true, &view), json!({"arguments": {"torrents": table}, "result": "success"}));
    }

    #[test]
    fn what_is_measured_is_what_is_answered() {
        let view = sample::view(2);
        let listed = |since| serde_json::from_slice::<Value>(&listing(&view, since, &["id", "status"])).expect("JSON");
        assert_eq!(listed(None), answer(false, &view));
        let changed = json!({"torrents": [{"id": 2, "status": 6}], "removed": []});
        assert_eq!(listed(Some(1)), json!({"arguments": changed, "result": "success"}));
    }
}
