//! What differs between two views.
//!
//! Rows that did not change are the same memory in both, so that thousands of them are passed over in microseconds; of the others
//! the fields are compared. Fields that go on by themselves (`seeding_time`) are told along with others, never alone: a client that
//! needs them to the second counts them up.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::fields::{self, FIELDS, Moment};
use super::super::json::Json;
use super::super::labels::write_category;
use super::super::transfer::server_state;
use super::trackers;
use crate::session::seedbox::{Row, Settings, View};

/// Writes what of `new` differs from `old`.
pub(super) fn write(old: &View, new: &View, rid: u32, now: i64) -> Vec<u8> {
    let difference = Difference::between(old, new);
    let mut json = Json::with_capacity(4_096 + 256 * difference.changed.len());
    json.object(|json| {
        json.key("rid").integer(rid.into());
        if !Arc::ptr_eq(&old.settings, &new.settings) {
            write_categories(&old.settings, &new.settings, json);
            write_tags(&old.settings, &new.settings, json);
        }
        let before = Moment { settings: &old.settings, now };
        let after = Moment { settings: &new.settings, now };
        write_torrents(&difference, before, after, json);
        write_removed("torrents_removed", difference.gone.iter().map(|row| row.info_hash().to_string()), json);
        write_trackers(&difference, new, json);
        write_server_state(old, new, json);
    });
    json.finish()
}

/// Torrents of two views that are not the same.
#[derive(Default)]
struct Difference<'view> {
    /// In both.
    changed: Vec<(&'view Arc<Row>, &'view Arc<Row>)>,
    /// In the new one alone.
    added: Vec<&'view Arc<Row>>,
    /// In the old one alone, whatever became of their swarm.
    left: Vec<&'view Arc<Row>>,
    /// Those of them whose swarm is gone.
    gone: Vec<&'view Arc<Row>>,
}

impl<'view> Difference<'view> {
    /// Both are in the order of their ids.
    fn between(old: &'view View, new: &'view View) -> Difference<'view> {
        let mut difference = Difference::default();
        let everywhere = !same_for_torrents(&old.settings, &new.settings);
        let named = |row: &Row| row.about.info_hash.is_some();
        let mut waiting = old.rows.iter().filter(|row| named(row)).peekable();
        for row in new.rows.iter().filter(|row| named(row)) {
            while let Some(left) = waiting.next_if(|before| before.id < row.id) {
                difference.left.push(left);
            }
            match waiting.next_if(|before| before.id == row.id) {
                Some(before) if !everywhere && Arc::ptr_eq(before, row) => {}
                Some(before) => difference.changed.push((before, row)),
                None => difference.added.push(row),
            }
        }
        difference.left.extend(waiting);
        let gone = difference.left.iter().filter(|row| new.find(row.info_hash()).is_none());
        difference.gone = gone.copied().collect();
        difference
    }
}

/// Whether everything that torrents show of the settings is the same.
fn same_for_torrents(old: &Settings, new: &Settings) -> bool {
    let shown = |settings: &Settings| {
        let limits = (settings.ratio_limit, settings.seeding_limit, settings.idle_limit);
        (limits, settings.connections_per_torrent, fields::queueing(settings), settings.incomplete_folder.clone())
    };
    std::ptr::eq(old, new) || shown(old) == shown(new)
}

fn write_torrents(difference: &Difference<'_>, before: Moment<'_>, after: Moment<'_>, json: &mut Json) {
    if difference.changed.is_empty() && difference.added.is_empty() {
        return;
    }
    json.key("torrents").object(|json| {
        for (old, new) in &difference.changed {
            json.key(&new.info_hash().to_string()).object(|json| write_changes(old, before, new, after, json));
        }
        for row in &difference.added {
            json.key(&row.info_hash().to_string()).object(|json| fields::write_all(row, after, json));
        }
    });
}

fn write_changes(old: &Row, before: Moment<'_>, new: &Row, after: Moment<'_>, json: &mut Json) {
    for field in &FIELDS[1..] {
        let value = field.of(new, after);
        if field.moves || field.of(old, before) != value {
            field.write(&value, json);
        }
    }
}

fn write_categories(old: &Settings, new: &Settings, json: &mut Json) {
    let changed = || new.categories.iter().filter(|(name, category)| old.categories.get(*name) != Some(category));
    if changed().next().is_some() {
        json.key("categories").object(|json| {
            for (name, category) in changed() {
                json.key(name).object(|json| write_category(name, category, json));
            }
        });
    }
    let removed = old.categories.keys().filter(|name| !new.categories.contains_key(*name));
    write_removed("categories_removed", removed.cloned(), json);
}

fn write_tags(old: &Settings, new: &Settings, json: &mut Json) {
    write_removed("tags", new.tags.difference(&old.tags).cloned(), json);
    write_removed("tags_removed", old.tags.difference(&new.tags).cloned(), json);
}

/// Of trackers whose torrents changed, all torrents.
fn write_trackers(difference: &Difference<'_>, new: &View, json: &mut Json) {
    let other = difference.changed.iter().filter(|(old, new)| old.trackers() != new.trackers());
    let mut touched: BTreeSet<&str> =
        other.flat_map(|(old, new)| trackers::urls(old).chain(trackers::urls(new))).collect();
    touched.extend(difference.added.iter().chain(&difference.left).flat_map(|row| trackers::urls(row)));
    if touched.is_empty() {
        return;
    }
    let now = trackers::among(new, &touched);
    trackers::write(&now, json);
    let removed = touched.iter().filter(|url| !now.contains_key(**url)).map(|url| (*url).to_owned());
    write_removed("trackers_removed", removed, json);
}

fn write_server_state(old: &View, new: &View, json: &mut Json) {
    let changes = || server_state(old).into_iter().zip(server_state(new)).filter(|(before, after)| before != after);
    if changes().next().is_some() {
        json.key("server_state").object(|json| changes().for_each(|(_, (name, value))| json.key(name).value(&value)));
    }
}

/// A list under `key`, if there is anything in it.
fn write_removed(key: &str, names: impl Iterator<Item = String>, json: &mut Json) {
    let mut names = names.peekable();
    if names.peek().is_some() {
        json.key(key).array(|json| names.for_each(|name| json.text(&name)));
    }
}
