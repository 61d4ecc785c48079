//! `torrents/info`: all torrents, or some of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk, find, named};
use super::super::fields::{self, Field, Moment};
use super::super::form::Form;
use super::super::state::Group;
use super::trackers;
use crate::api::json::Json;
use crate::discovery::TrackerStatus;
use crate::ids::TorrentId;
use crate::session::seedbox::{Row, View};

/// Bytes that a torrent usually takes.
const TORRENT_BYTES: usize = 2_560;

pub(super) async fn info(desk: &Desk, call: &Call) -> Outcome {
    let filter = Filter::new(&call.form, &call.view);
    let mut rows: Vec<Arc<Row>> = named(&call.view).filter(|row| filter.lets(row)).cloned().collect();
    let order = order(&call.form, &rows)?;
    let page = Page::new(&call.form);
    let trackers = match call.form.truth("includeTrackers") {
        Some(true) => Some(trackers_of(desk, &rows).await),
        _ => None,
    };
    let (view, now) = (Arc::clone(&call.view), call.now);
    let written = tokio::task::spawn_blocking(move || {
        let moment = Moment { settings: &view.settings, now };
        if let Some((field, reverse)) = order {
            sort(&mut rows, field, reverse, moment);
        }
        write(page.of(&rows), moment, trackers.as_ref())
    });
    written.await.map(Answer::Json).map_err(|_| Fault::internal())
}

type Trackers = HashMap<TorrentId, Vec<TrackerStatus>>;

/// Those of torrents that went meanwhile are left out.
async fn trackers_of(desk: &Desk, rows: &[Arc<Row>]) -> Trackers {
    let mut trackers = Trackers::new();
    for row in rows {
        if let Ok(those) = desk.seedbox().trackers(row.id).await {
            trackers.insert(row.id, those);
        }
    }
    trackers
}

fn write(rows: &[Arc<Row>], moment: Moment<'_>, trackers: Option<&Trackers>) -> Vec<u8> {
    let mut json = Json::with_capacity(rows.len() * TORRENT_BYTES + 2);
    json.list(|json| {
        for row in rows {
            json.object(|json| {
                fields::write_hash(row, moment, json);
                fields::write_all(row, moment, json);
                if let Some(trackers) = trackers {
                    json.key("trackers");
                    trackers::write(trackers.get(&row.id).map_or(&[], Vec::as_slice), json);
                }
            });
        }
    });
    json.into_bytes()
}

/// Which torrents are asked for.
struct Filter<'form> {
    group: Group,
    hashes: Option<HashSet<TorrentId>>,
    category: Option<&'form str>,
    tag: Option<&'form str>,
    private: Option<bool>,
}

impl Filter<'_> {
    fn new<'form>(form: &'form Form, view: &View) -> Filter<'form> {
        let named = form.list("hashes", '|').next().is_some();
        let hashes = || form.list("hashes", '|').filter_map(|hash| find(view, hash)).map(|row| row.id).collect();
        Filter {
            group: Group::named(form.or_empty("filter")),
            hashes: named.then(hashes),
            category: form.get("category"),
            tag: form.get("tag").map(str::trim),
            private: form.truth("private"),
        }
    }

    /// An empty category or tag asks for those that have none.
    fn lets(&self, row: &Row) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.contains(&row.id))
            && self.category.is_none_or(|category| row.choice.category == category)
            && self.tag.is_none_or(|tag| {
                if tag.is_empty() { row.choice.tags.is_empty() } else { row.choice.tags.contains(tag) }
            })
            && self.private.is_none_or(|private| row.about.private == private)
            && self.group.has(row)
    }
}

/// The field that orders the list, if one is named, and whether the greatest comes first.
fn order(form: &Form, rows: &[Arc<Row>]) -> Result<Option<(&'static Field, bool)>, Fault> {
    let name = form.or_empty("sort");
    if name.is_empty() || rows.is_empty() {
        return Ok(None);
    }
    let field = Field::named(name).ok_or_else(|| Fault::invalid("'sort' parameter is invalid"))?;
    Ok(Some((field, form.truth("reverse") == Some(true))))
}

fn sort(rows: &mut [Arc<Row>], field: &Field, reverse: bool, moment: Moment<'_>) {
    let shared: Vec<Arc<Row>> = rows.to_vec();
    let mut keyed: Vec<_> = shared.iter().map(|row| (field.of(row, moment), row)).collect();
    keyed.sort_by(|(one, _), (two, _)| if reverse { two.order(one) } else { one.order(two) });
    for (place, (_, row)) in rows.iter_mut().zip(keyed) {
        *place = Arc::clone(row);
    }
}

/// Part of a list.
#[derive(Clone, Copy)]
struct Page {
    offset: i64,
    limit: i64,
}

impl Page {
    fn new(form: &Form) -> Page {
        Page { offset: form.number("offset").unwrap_or(0), limit: form.number("limit").unwrap_or(0) }
    }

    /// A negative offset counts from the end; one outside of the list is none, and neither is a limit of 0 or less.
    fn of<T>(self, list: &[T]) -> &[T] {
        let size = i64::try_from(list.len()).unwrap_or(i64::MAX);
        let offset = if self.offset < 0 { size.saturating_add(self.offset) } else { self.offset };
        let offset = usize::try_from(offset).ok().filter(|offset| *offset < list.len()).unwrap_or(0);
        let rest = &list[offset..];
        match usize::try_from(self.limit) {
            Ok(limit) if limit > 0 => &rest[..limit.min(rest.len())],
            _ => rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::qbittorrent::sample;

    fn listed(view: &View, query: &str) -> Vec<u32> {
        let form = Form::decode(query.as_bytes()).expect("a form");
        let filter = Filter::new(&form, view);
        let mut rows: Vec<_> = view.rows.iter().filter(|row| filter.lets(row)).cloned().collect();
        if let Some((field, reverse)) = order(&form, &rows).expect("a field") {
            sort(&mut rows, field, reverse, Moment { settings: &view.settings, now: 1_700_000_300 });
        }
        Page::new(&form).of(&rows).iter().map(|row| row.id.0).collect()
    }

    fn varied() -> View {
        let rows = (0..6).map(|id| {
            let mut row = sample::row(id);
            row.numbers.uploaded = u64::from(id * 7 % 5);
            let choice = Arc::make_mut(&mut row.choice);
            choice.category = if id < 2 { "tv".into() } else { String::new() };
            choice.tags = (0..id % 3).map(|tag| format!("t{tag}")).collect();
            Arc::make_mut(&mut row.about).private = id == 5;
            Arc::new(row)
        });
        sample::view(0).with_rows(1, rows)
    }

    #[test]
    fn a_list_is_filtered_sorted_and_cut() {
        let view = varied();
        assert_eq!(listed(&view, ""), [0, 1, 2, 3, 4, 5]);
        assert_eq!(listed(&view, "category=tv"), [0, 1]);
        assert_eq!(listed(&view, "category="), [2, 3, 4, 5]);
        assert_eq!(listed(&view, "tag=t1"), [2, 5]);
        assert_eq!(listed(&view, "tag="), [0, 3]);
        assert_eq!(listed(&view, "private=true"), [5]);
        assert_eq!(listed(&view, "filter=downloading"), [0_u32; 0]);
        assert_eq!(listed(&view, "sort=uploaded"), [0, 5, 3, 1, 4, 2]);
        assert_eq!(listed(&view, "sort=uploaded&reverse=true&limit=2"), [2, 4]);
        assert_eq!(listed(&view, "offset=-2"), [4, 5]);
        assert_eq!(listed(&view, "offset=9&limit=1"), [0]);
        assert_eq!(listed(&view, "limit=-9223372036854775808&offset=-9223372036854775808"), [0, 1, 2, 3, 4, 5]);
        let hash = view.rows.iter().nth(3).expect("a torrent").info_hash();
        assert_eq!(listed(&view, &format!("hashes={hash}%7Cx")), [3]);
        assert_eq!(listed(&view, "hashes=x"), [0_u32; 0]);
    }

    #[test]
    fn an_unknown_field_orders_nothing() {
        let form = Form::decode(b"sort=nonsense").expect("a form");
        assert!(order(&form, &varied().rows.iter().cloned().collect::<Vec<_>>()).is_err());
        assert!(order(&form, &[]).is_ok(), "as in qBittorrent");
    }

    #[test]
    fn a_list_has_every_field_once() {
        let view = varied();
        let rows: Vec<Arc<Row>> = view.rows.iter().take(1).cloned().collect();
        let json = write(&rows, Moment { settings: &view.settings, now: 1_700_000_300 }, None);
        let list: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(list[0].len(), fields::FIELDS.len());
        assert_eq!(list[0]["state"], "stalledUP");
        assert_eq!(list[0]["content_path"], "/srv/seed/torrent 0");
        assert_eq!(list[0]["magnet_uri"].as_str().expect("a text").matches("&tr=").count(), 1);
    }
}
