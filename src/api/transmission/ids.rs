//! Which torrents a request means. The keeper counts them from 1, as clients do: to some of them 0 is no torrent.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::ids::{InfoHash, TorrentId};
use crate::session::seedbox::{Row, View};

use super::arguments::{Arguments, integer};
use super::envelope::Fault;

/// What `ids` says.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Selection {
    /// Nothing: all torrents are meant.
    All,
    /// These, in this order, and what changed within the last minute if so.
    Some {
        /// By id or by hash.
        named: Vec<Name>,
        /// `recently-active`.
        recent: bool,
    },
}

/// One torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// By its id.
    Id(TorrentId),
    /// By its swarm.
    Hash(InfoHash),
}

impl Selection {
    /// Reads `ids`: a number, a hash, `recently-active`, or a list of these. An empty list means none, as in Transmission; what
    /// names no torrent that could be is passed over.
    pub(super) fn parse(arguments: &Arguments) -> Result<Selection, Fault> {
        let Some(ids) = arguments.raw("ids") else { return Ok(Selection::All) };
        let one = std::slice::from_ref(ids);
        let ids = ids.as_array().map_or(one, Vec::as_slice);
        let mut named = Vec::with_capacity(ids.len());
        let mut recent = false;
        for id in ids {
            match id.as_str() {
                Some("recently-active") => recent = true,
                Some(text) => named.extend(InfoHash::from_hex(text).map(Name::Hash)),
                None => named.extend(number(id)?.map(Name::Id)),
            }
        }
        Ok(Selection::Some { named, recent })
    }

    /// All, or what changed.
    pub(super) fn of_changes(recent: bool) -> Selection {
        if recent { Selection::Some { named: Vec::new(), recent } } else { Selection::All }
    }

    /// The torrents of `view` that are meant, each once; what changed after `since` is recent.
    pub(super) fn rows(&self, view: &View, since: u64) -> Vec<Arc<Row>> {
        let Selection::Some { named, recent } = self else { return view.rows.iter().cloned().collect() };
        if named.is_empty() && *recent {
            return view.changed_since(since).cloned().collect();
        }
        let mut seen = HashSet::with_capacity(named.len());
        let by_name = named.iter().filter_map(|name| match name {
            Name::Id(id) => view.row(*id),
            Name::Hash(hash) => view.find(*hash),
        });
        let recent = view.changed_since(if *recent { since } else { u64::MAX });
        by_name.chain(recent).filter(|row| seen.insert(row.id)).cloned().collect()
    }

    /// Removed torrents are told too.
    pub(super) fn wants_removed(&self) -> bool {
        matches!(self, Selection::Some { recent: true, .. })
    }
}

fn number(id: &Value) -> Result<Option<TorrentId>, Fault> {
    let number = integer(id).ok_or_else(|| Fault::new("ids: numbers, hashes or \"recently-active\" are expected"))?;
    Ok(u32::try_from(number).ok().map(TorrentId))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::transmission::sample;

    fn parse(ids: Value) -> Result<Selection, Fault> {
        let arguments = json!({ "ids": ids });
        Selection::parse(&Arguments::new(arguments.as_object().expect("an object").clone()))
    }

    fn ids(rows: &[Arc<Row>]) -> Vec<u32> {
        rows.iter().map(|row| row.id.0).collect()
    }

    #[test]
    fn every_form_of_ids_is_understood() {
        let hash = "0123456789abcdef0123456789ABCDEF01234567";
        let by_hash = Name::Hash(InfoHash::from_hex(hash).expect("a hash"));
        let some = |named: Vec<Name>, recent| Ok(Selection::Some { named, recent });
        assert_eq!(Selection::parse(&Arguments::default()), Ok(Selection::All));
        assert_eq!(parse(json!(null)), Ok(Selection::All));
        assert_eq!(parse(json!(7)), some(vec![Name::Id(TorrentId(7))], false));
        assert_eq!(parse(json!(hash)), some(vec![by_hash], false));
        assert_eq!(
            parse(json!([1, hash, 2.0])),
            some(vec![Name::Id(TorrentId(1)), by_hash, Name::Id(TorrentId(2))], false)
        );
        assert_eq!(parse(json!("recently-active")), some(vec![], true));
        assert_eq!(parse(json!([])), some(vec![], false), "an empty list must never mean everything");
        assert_eq!(parse(json!([-1, 5_000_000_000_u64, "no hash"])), some(vec![], false));
        assert!(parse(json!([[1]])).is_err());
        assert!(parse(json!({"id": 1})).is_err());
        assert!(parse(json!(1.5)).is_err());
    }

    #[test]
    fn torrents_come_once_and_unknown_ones_not_at_all() {
        let view = sample::view(5);
        let all = |selection: Result<Selection, Fault>| ids(&selection.expect("ids").rows(&view, 3));
        assert_eq!(all(Ok(Selection::All)), [1, 2, 3, 4, 5]);
        assert_eq!(all(parse(json!([3, 1, 3, 0, 99]))), [3, 1]);
        assert_eq!(all(parse(json!("recently-active"))), [4, 5], "rows have their id as revision");
        assert_eq!(all(parse(json!([1, "recently-active", 5]))), [1, 5, 4]);
        assert_eq!(all(parse(json!(vec![2; 100_000]))), [2]);
        assert_eq!(all(parse(json!((0..100_000).collect::<Vec<u32>>()))), [1, 2, 3, 4, 5]);
    }
}
