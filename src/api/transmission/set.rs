//! `torrent-set`.

use crate::discovery::TrackerUrl;
use crate::ids::TorrentId;
use crate::session::seedbox::{Change, LimitChange, QueueMove, Row, Seedbox, TrackerChange};

use super::arguments::{Arguments, integer};
use super::envelope::{Fault, begin};
use super::files;
use super::ids::Selection;
use super::method::NO_GROUPS;
use super::server::Server;
use super::{act, limits, trackers, wanted};
use crate::api::json::Json;

/// Answers `torrent-set`. Everything is read before anything is done.
pub(super) async fn torrents(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let wishes = Wishes::parse(arguments)?;
    let seedbox = &server.context.seedbox;
    let view = seedbox.view();
    let rows = Selection::parse(arguments)?.rows(&view, server.recent());
    for (change, torrents) in wishes.by_change(&rows) {
        seedbox.change(torrents, Change::Limits(change)).await?;
    }
    for row in &rows {
        if !wishes.files.is_empty() {
            want(seedbox, row, &wishes.files).await?;
        }
        for change in wishes.trackers.changes(row)? {
            seedbox.change(vec![row.id], Change::Trackers(change)).await?;
        }
    }
    let torrents: Vec<TorrentId> = rows.iter().map(|row| row.id).collect();
    for change in wishes.changes {
        if !torrents.is_empty() {
            seedbox.change(torrents.clone(), change).await?;
        }
    }
    Ok(begin(|_| {}))
}

/// What a request says.
#[derive(Default)]
struct Wishes {
    limits: limits::Wishes,
    files: wanted::Wishes,
    trackers: TrackerWishes,
    /// The same for all torrents.
    changes: Vec<Change>,
}

impl Wishes {
    fn parse(arguments: &Arguments) -> Result<Wishes, Fault> {
        if arguments.flag("honorsSessionLimits")? == Some(false) {
            return Err(Fault::new(
                "honorsSessionLimits: the limits of all torrents together hold for each of them here",
            ));
        }
        // only a hint: there are no priorities between torrents
        let _: Option<i64> = arguments.integer("bandwidthPriority")?;
        if arguments.text("group")?.is_some_and(|group| !group.is_empty()) {
            return Err(Fault::new(NO_GROUPS));
        }
        let mut changes = Vec::new();
        changes.extend(labels(arguments)?.map(Change::SetTags));
        changes.extend(arguments.flag("sequentialDownload")?.map(Change::Sequential));
        let place = arguments.integer("queuePosition")?;
        changes
            .extend(place.map(|place| Change::Queue(QueueMove::To(u32::try_from(place.max(0)).unwrap_or(u32::MAX)))));
        changes.extend(act::location(arguments)?.map(|folder| Change::Move { folder, files: true }));
        let limits = limits::Wishes::parse(arguments)?;
        let files = wanted::Wishes::parse(arguments)?;
        Ok(Wishes { limits, files, trackers: TrackerWishes::parse(arguments)?, changes })
    }

    /// The changes of limits, each with its torrents: a limit that is switched on may have another value in each.
    fn by_change(&self, rows: &[impl AsRef<Row>]) -> Vec<(LimitChange, Vec<TorrentId>)> {
        let mut all: Vec<(LimitChange, Vec<TorrentId>)> = Vec::new();
        for row in rows.iter().map(AsRef::as_ref) {
            let change = self.limits.change(&row.choice);
            match all.iter_mut().find(|(known, _)| *known == change) {
                _ if change == LimitChange::default() => {}
                Some((_, torrents)) => torrents.push(row.id),
                None => all.push((change, vec![row.id])),
            }
        }
        all
    }
}

/// `labels`. Commas are refused, because clients write lists of labels with them.
pub(super) fn labels(arguments: &Arguments) -> Result<Option<Vec<String>>, Fault> {
    let Some(labels) = arguments.texts("labels")? else { return Ok(None) };
    let labels = labels.into_iter().map(|label| match label.trim() {
        "" => Err(Fault::new("labels cannot be empty")),
        label if label.contains(',') => Err(Fault::new("labels cannot contain comma (,) character")),
        label => Ok(label.to_owned()),
    });
    labels.collect::<Result<_, _>>().map(Some)
}

async fn want(seedbox: &Seedbox, row: &Row, wishes: &wanted::Wishes) -> Result<(), Fault> {
    let metainfo = seedbox.metainfo(row.id).await?;
    let stored: Vec<u32> = files::stored(&metainfo).map(|(index, _)| index).collect();
    let then = wishes.follow(&row.choice.files, &stored, metainfo.files().len())?;
    for (indexes, priority) in wanted::difference(&row.choice.files, &then) {
        seedbox.change(vec![row.id], Change::Files { indexes, priority }).await?;
    }
    Ok(())
}

/// What a request says of trackers.
#[derive(Default, Debug, PartialEq, Eq)]
struct TrackerWishes {
    add: Vec<String>,
    /// Places in the list.
    remove: Vec<i64>,
    replace: Vec<(i64, String)>,
    set: Option<Vec<Vec<String>>>,
}

impl TrackerWishes {
    fn parse(arguments: &Arguments) -> Result<TrackerWishes, Fault> {
        let add = arguments.texts("trackerAdd")?.unwrap_or_default();
        Ok(TrackerWishes {
            add: add.into_iter().map(checked).collect::<Result<_, _>>()?,
            remove: arguments.places("trackerRemove")?.unwrap_or_default(),
            replace: replacements(arguments)?,
            set: arguments.text("trackerList")?.map(tiers).transpose()?,
        })
    }

    /// What is to be said to the keeper: places become URLs, by the list as it is before any of it is changed.
    fn changes(&self, row: &Row) -> Result<Vec<TrackerChange>, Fault> {
        let url = |place: &i64| {
            let tracker = usize::try_from(*place).ok().and_then(|place| trackers::urls(row).nth(place));
            let (_, url) = tracker.ok_or_else(|| Fault(format!("there is no tracker {place}")))?;
            Ok::<_, Fault>(url.to_owned())
        };
        let mut changes = Vec::new();
        if !self.add.is_empty() {
            changes.push(TrackerChange::Add(self.add.clone()));
        }
        if !self.remove.is_empty() {
            changes.push(TrackerChange::Remove(self.remove.iter().map(url).collect::<Result<_, _>>()?));
        }
        for (place, to) in &self.replace {
            changes.push(TrackerChange::Replace { from: url(place)?, to: to.clone() });
        }
        changes.extend(self.set.clone().map(TrackerChange::Set));
        Ok(changes)
    }
}

/// `trackerReplace`: places and URLs in turn, or pairs of them.
fn replacements(arguments: &Arguments) -> Result<Vec<(i64, String)>, Fault> {
    let expected = || Fault::new("trackerReplace: ids of trackers are expected, a URL after each");
    let Some(given) = arguments.raw("trackerReplace") else { return Ok(Vec::new()) };
    let given = given.as_array().ok_or_else(expected)?;
    let flat: Vec<_> =
        given.iter().flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)).collect();
    let pairs = flat.chunks(2).map(|pair| match pair {
        [id, url] => Ok((integer(id).ok_or_else(expected)?, checked(url.as_str().ok_or_else(expected)?)?)),
        _ => Err(expected()),
    });
    pairs.collect()
}

/// `trackerList`: a URL a line, an empty line between tiers.
fn tiers(text: &str) -> Result<Vec<Vec<String>>, Fault> {
    let mut tiers = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        match (line, tiers.last_mut()) {
            ("", _) => tiers.push(Vec::new()),
            (url, Some(tier)) => tier.push(checked(url)?),
            (_, None) => {}
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    Ok(tiers)
}

fn checked(url: &str) -> Result<String, Fault> {
    // some parsers pass over line ends, and lists of trackers are lines
    if url.trim().chars().any(char::is_control) {
        return Err(Fault::new("a tracker: its URL has control characters"));
    }
    match TrackerUrl::parse(url) {
        Ok(url) => Ok(url.as_str().to_owned()),
        Err(error) => Err(Fault(format!("a tracker: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::transmission::sample;

    fn wishes(arguments: Value) -> Result<Wishes, Fault> {
        Wishes::parse(&Arguments::new(arguments.as_object().expect("an object").clone()))
    }

    #[test]
    fn trackers_are_read_in_every_form() {
        let trackers = |arguments| wishes(arguments).map(|wishes| wishes.trackers);
        let (one, two) = ("http://one.example/announce".to_owned(), "udp://two.example:80/announce".to_owned());
        let list = format!("{one}\n{two}\n\n\n{one}x\n");
        assert_eq!(
            trackers(json!({ "trackerList": list })).expect("a list").set,
            Some(vec![vec![one.clone(), two.clone()], vec![format!("{one}x")]])
        );
        assert_eq!(trackers(json!({"trackerList": ""})).expect("none").set, Some(vec![]));
        assert!(trackers(json!({"trackerList": "ftp://example"})).is_err());
        let replaced = Ok(vec![(0, one.clone()), (3, two.clone())]);
        assert_eq!(trackers(json!({"trackerReplace": [0, one, 3, two]})).map(|wishes| wishes.replace), replaced);
        assert_eq!(trackers(json!({"trackerReplace": [[0, one], [3, two]]})).map(|wishes| wishes.replace), replaced);
        assert!(trackers(json!({"trackerReplace": [0]})).is_err());
        assert!(trackers(json!({"trackerReplace": {"0": "a"}})).is_err());
        assert!(trackers(json!({"trackerAdd": ["javascript:alert(1)"]})).is_err());
    }

    #[test]
    fn one_wish_that_cannot_be_followed_refuses_all() {
        assert!(wishes(json!({"labels": ["a"], "queuePosition": 0, "location": "/data"})).is_ok());
        assert!(wishes(json!({"labels": ["a", ""]})).is_err());
        assert!(wishes(json!({"labels": ["a,b"]})).is_err());
        assert!(wishes(json!({"labels": ["a"], "location": "data"})).is_err());
        assert!(wishes(json!({"labels": ["a"], "group": "slow"})).is_err());
        assert!(wishes(json!({"labels": ["a"], "honorsSessionLimits": false})).is_err());
        assert!(wishes(json!({"group": "", "honorsSessionLimits": true, "bandwidthPriority": 1})).is_ok());
    }

    #[test]
    fn torrents_whose_limits_change_alike_are_changed_together() {
        let rows: Vec<_> = sample::view(1000).rows.iter().cloned().collect();
        let all = wishes(json!({"uploadLimit": 5, "uploadLimited": true})).expect("limits").by_change(&rows);
        assert_eq!(all.iter().map(|(_, torrents)| torrents.len()).collect::<Vec<_>>(), [1000]);
        assert!(wishes(json!({"labels": []})).expect("labels").by_change(&rows).is_empty());
    }
}
