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
use super::json::Json;
use super::measure::Moment;
use super::server::Server;
use super::torrent;

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
    let running = i64::try_from(view.totals.session_seconds).unwrap_or(i64::MAX);
    Moment { now, instant: Instant::now(), settings: &view.settings, started: now.saturating_sub(running) }
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

    /// What `transmission-remote --list` asks for.
    const LIST: [Field; 15] = [
        Field::AddedDate,
        Field::Error,
        Field::ErrorString,
        Field::Eta,
        Field::Id,
        Field::IsFinished,
        Field::LeftUntilDone,
        Field::Name,
        Field::PeersGettingFromUs,
        Field::PeersSendingToUs,
        Field::RateDownload,
        Field::RateUpload,
        Field::SizeWhenDone,
        Field::Status,
        Field::UploadRatio,
    ];

    fn answer(fields: &[Field], table: bool, view: &View) -> Vec<u8> {
        let mut list = List::begin(fields.to_vec(), table, view.rows.len());
        list.write_all(&view.rows, view);
        envelope::finish(Ok(list.end(None::<std::iter::Empty<&Removed>>)), None)
    }

    #[test]
    fn objects_and_tables_say_the_same() {
        let view = sample::view(2);
        let read =
            |table| serde_json::from_slice::<Value>(&answer(&[Field::Id, Field::Status], table, &view)).expect("JSON");
        assert_eq!(
            read(false),
            json!({"arguments": {"torrents": [{"id": 1, "status": 6}, {"id": 2, "status": 6}]}, "result": "success"})
        );
        assert_eq!(
            read(true),
            json!({"arguments": {"torrents": [["id", "status"], [1, 6], [2, 6]]}, "result": "success"})
        );
    }

    /// Prints the time that a list takes; meaningful in a release build only: `cargo test --release --lib list_of_ten -- --nocapture`.
    #[test]
    fn a_list_of_ten_thousand_is_written_in_one_go() {
        let view = sample::view(10_000);
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let start = Instant::now();
                let bytes = answer(&LIST, false, &view);
                (start.elapsed(), bytes.len())
            })
            .collect();
        times.sort();
        let (median, bytes) = times[times.len() / 2];
        println!("10,000 torrents, 15 fields: {median:?}, {bytes} bytes");
        assert!(bytes > 1_000_000, "{bytes}");
    }
}
