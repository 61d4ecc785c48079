//! Which torrents each tracker has.

use std::collections::{BTreeMap, BTreeSet};

use super::super::call::named;
use crate::api::json::Json;
use crate::ids::InfoHash;
use crate::session::seedbox::{Row, View};

/// Torrents by announce URL.
pub(super) type ByTracker<'view> = BTreeMap<&'view str, Vec<InfoHash>>;

/// Of all trackers.
pub(super) fn all(view: &View) -> ByTracker<'_> {
    of(view, |_| true)
}

/// Of the trackers among `urls`.
pub(super) fn among<'view>(view: &'view View, urls: &BTreeSet<&str>) -> ByTracker<'view> {
    of(view, |url| urls.contains(url))
}

fn of<'view>(view: &'view View, wanted: impl Fn(&str) -> bool) -> ByTracker<'view> {
    let mut trackers = ByTracker::new();
    for row in named(view) {
        for url in urls(row).filter(|url| wanted(url)) {
            trackers.entry(url).or_default().push(row.info_hash());
        }
    }
    trackers
}

/// Announce URLs of `row`.
pub(super) fn urls(row: &Row) -> impl Iterator<Item = &str> {
    row.trackers().iter().flatten().map(String::as_str)
}

/// Writes them as an entry of an object, if there are any.
pub(super) fn write(trackers: &ByTracker<'_>, json: &mut Json) {
    if trackers.is_empty() {
        return;
    }
    json.key("trackers").object(|json| {
        for (url, torrents) in trackers {
            json.key(url).list(|json| torrents.iter().for_each(|hash| json.text(&hash.to_string())));
        }
    });
}
