//! What differs between two views.
//!
//! What did not change is the same memory in both, so that thousands of rows are passed over in microseconds, without a look into one; of
//! the others the fields are compared that may differ. Fields that go on by themselves (`seeding_time`) are told along with
//! others, never alone: a client that needs them to the second counts them up.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::fields::{self, Changes, FIELDS, Moment};
use super::super::labels::write_category;
use super::super::transfer::server_state;
use super::trackers;
use crate::api::json::Json;
use crate::session::seedbox::{Row, Settings, View};

/// Writes what of `new` differs from `old`.
pub(super) fn write(old: &View, new: &View, rid: u32, now: i64) -> Vec<u8> {
    let difference = Difference::between(old, new);
    let mut json = Json::with_capacity(4_096 + 256 * difference.changed.len());
    json.object(|json| {
        json.key("rid").value(rid);
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
    json.into_bytes()
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
        let beside = |others| (!everywhere).then_some(others);
        let mut waiting = old.rows.apart_from(beside(&new.rows)).peekable();
        for row in new.rows.apart_from(beside(&old.rows)) {
            while let Some(left) = waiting.next_if(|before| before.id < row.id) {
                difference.note(Some(left), None);
            }
            match waiting.next_if(|before| before.id == row.id) {
                Some(before) if !everywhere && before.revision == row.revision => {}
                before => difference.note(before, Some(row)),
            }
        }
        waiting.for_each(|left| difference.note(Some(left), None));
        let gone = difference.left.iter().filter(|row| new.find(row.info_hash()).is_none());
        difference.gone = gone.copied().collect();
        difference
    }

    /// A torrent as it was and as it is. Those whose hash is not known yet cannot be told of.
    fn note(&mut self, before: Option<&'view Arc<Row>>, now: Option<&'view Arc<Row>>) {
        let named = |row: &&Arc<Row>| row.about.info_hash.is_some();
        match (before.filter(named), now.filter(named)) {
            (Some(before), Some(now)) if before.about.info_hash == now.about.info_hash => {
                self.changed.push((before, now));
            }
            (before, now) => {
                self.left.extend(before);
                self.added.extend(now);
            }
        }
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
    let chosen_anew = !Arc::ptr_eq(&old.about, &new.about)
        || !Arc::ptr_eq(&old.choice, &new.choice)
        || !std::ptr::eq(before.settings, after.settings);
    for field in FIELDS[1..].iter().filter(|field| chosen_anew || field.changes != Changes::WhenChosen) {
        let value = field.of(new, after);
        if field.changes == Changes::Always || field.of(old, before) != value {
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
        json.key("server_state").object(|json| changes().for_each(|(_, (name, value))| value.write(json.key(name))));
    }
}

/// A list under `key`, if there is anything in it.
fn write_removed(key: &str, names: impl Iterator<Item = String>, json: &mut Json) {
    let mut names = names.peekable();
    if names.peek().is_some() {
        json.key(key).list(|json| names.for_each(|name| json.text(&name)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::super::super::fields::Field;
    use super::*;
    use crate::api::qbittorrent::sample;
    use crate::ids::InfoHash;
    use crate::session::seedbox::Category;

    const NOW: i64 = 1_700_000_500;

    fn read(json: &[u8]) -> Map<String, Value> {
        serde_json::from_slice(json).expect("JSON")
    }

    fn whole(view: &View) -> Map<String, Value> {
        let moment = Moment { settings: &view.settings, now: NOW };
        let mut whole = read(&super::super::maindata::write(view, 1, moment));
        whole.remove("full_update");
        drop_empty(&mut whole);
        whole
    }

    /// What a client does with a difference.
    fn apply(known: &mut Map<String, Value>, told: &Map<String, Value>) {
        for (key, news) in told {
            match (key.strip_suffix("_removed"), news) {
                (Some(of), Value::Array(gone)) => remove(known, of, gone),
                (None, Value::Object(news)) => {
                    let part = known
                        .entry(key)
                        .or_insert_with(|| Value::Object(Map::new()))
                        .as_object_mut()
                        .expect("an object");
                    news.iter().for_each(|(name, value)| merge(part, name, value));
                }
                (None, Value::Array(news)) => {
                    let part =
                        known.entry(key).or_insert_with(|| Value::Array(Vec::new())).as_array_mut().expect("a list");
                    part.extend(news.iter().cloned());
                    part.sort_by_key(Value::to_string);
                }
                _ => drop(known.insert(key.clone(), news.clone())),
            }
        }
        drop_empty(known);
    }

    /// Having nothing of a kind and not knowing of it is the same.
    fn drop_empty(known: &mut Map<String, Value>) {
        known.retain(|_, part| *part != Value::Object(Map::new()) && *part != Value::Array(Vec::new()));
    }

    fn remove(known: &mut Map<String, Value>, of: &str, gone: &[Value]) {
        match known.get_mut(of).expect("what is removed was there") {
            Value::Object(part) => gone.iter().for_each(|name| {
                part.remove(name.as_str().expect("a name")).expect("it was there");
            }),
            Value::Array(part) => part.retain(|item| !gone.contains(item)),
            other => panic!("{other}"),
        }
    }

    fn merge(part: &mut Map<String, Value>, name: &str, value: &Value) {
        match (part.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(news)) => known.extend(news.clone()),
            _ => drop(part.insert(name.to_owned(), value.clone())),
        }
    }

    /// `view` after something happened.
    fn mutate(view: &View, rng: &mut fastrand::Rng) -> View {
        let mut settings = Settings::clone(&view.settings);
        match rng.u8(..8) {
            0 => settings.ratio_limit = rng.bool().then_some(2.0),
            1 => drop(settings.tags.insert(rng.u8(..4).to_string())),
            2 => drop(settings.tags.pop_first()),
            3 => drop(
                settings
                    .categories
                    .insert(rng.u8(..4).to_string(), Category { folder: rng.bool().then(|| "/x".into()) }),
            ),
            4 => drop(settings.categories.pop_last()),
            5 => settings.seeds_max = rng.bool().then_some(3),
            _ => settings.clone_from(&view.settings),
        }
        let revision = view.revision + 1;
        let mut next = view.clone();
        (next.revision, next.settings) = (revision, Arc::new(settings));
        for id in view.rows.iter().map(|row| row.id) {
            if rng.u8(..10) == 0 {
                next.remove(id);
            } else if rng.bool() {
                next.rows.edit(id, |row| change(row, revision, rng));
            }
        }
        for _ in 0..rng.u8(..3) {
            // ids are never used again
            let last = next.rows.iter().chain(&view.rows).map(|row| row.id.0).max();
            let mut row = Row { revision, ..sample::row(last.unwrap_or(0) + rng.u32(1..4)) };
            // now and then the swarm of one that was removed, or is not known yet
            let hash = [None, Some(InfoHash([rng.u8(..6); 20])), row.about.info_hash][rng.usize(..3)];
            Arc::make_mut(&mut row.about).info_hash = hash.filter(|hash| next.find(*hash).is_none());
            next.insert(Arc::new(row));
        }
        next.totals.uploaded += rng.u64(..2);
        next
    }

    fn change(row: &mut Row, revision: u64, rng: &mut fastrand::Rng) {
        row.revision = revision;
        match rng.u8(..5) {
            0 => row.numbers.uploaded += rng.u64(..1_000),
            1 => Arc::make_mut(&mut row.choice).name = rng.bool().then(|| "\"\\name".into()),
            2 => Arc::make_mut(&mut row.choice).tags = (0..rng.u8(..3)).map(|tag| tag.to_string()).collect(),
            3 => Arc::make_mut(&mut row.choice).trackers = Some(vec![vec![format!("udp://{}.example:1", rng.u8(..3))]]),
            _ => {}
        }
    }

    #[test]
    fn differences_add_up_to_the_whole() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut view = sample::view(5);
        let mut known = whole(&view);
        for step in 0..2_000 {
            let next = mutate(&view, &mut rng);
            let told = read(&write(&view, &next, 1, NOW));
            apply(&mut known, &told);
            assert_eq!(known, whole(&next), "step {step}: {told:?}");
            view = next;
        }
    }

    #[test]
    fn what_did_not_change_is_not_told() {
        let view = sample::view(3);
        let mut rows: Vec<Arc<Row>> = view.rows.iter().cloned().collect();
        let row = Arc::make_mut(&mut rows[1]);
        (row.numbers.uploaded, row.revision) = (row.numbers.uploaded + 1, 2);
        // when it is announced next is told along with other changes
        Arc::make_mut(&mut rows[2]).numbers.announce_at = Some(NOW + 60);
        let hash = rows[1].info_hash().to_string();
        let next = view.clone().with_rows(2, rows);
        assert_eq!(read(&write(&view, &view, 9, NOW)), read(b"{\"rid\": 9}"));
        let told = read(&write(&view, &next, 9, NOW));
        assert_eq!(told.keys().collect::<Vec<_>>(), ["rid", "torrents"]);
        let torrents = told["torrents"].as_object().expect("an object");
        let fields = torrents[&hash].as_object().expect("a torrent");
        let is_told_always = |name: &&String| Field::named(name).expect("a field").changes == Changes::Always;
        let still: Vec<&String> = fields.keys().filter(|name| !is_told_always(name)).collect();
        assert_eq!((torrents.len(), still), (1, vec![&"ratio".to_owned(), &"uploaded".to_owned()]));
    }

    #[test]
    fn a_torrent_that_went_and_came_back_is_not_removed() {
        let view = sample::view(1);
        let mut row = sample::row(7);
        Arc::make_mut(&mut row.about).info_hash = view.rows.iter().next().expect("a torrent").about.info_hash;
        let told = read(&write(&view, &view.clone().with_rows(2, vec![Arc::new(row)]), 9, NOW));
        assert!(!told.contains_key("torrents_removed") && told.contains_key("torrents"));
    }
}
