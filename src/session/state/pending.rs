//! What is not written yet, the newest of everything: handing a torrent's numbers over a thousand times while nothing can be written
//! takes the room of one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::ids::InfoHash;

use super::{PersistentNumbers, Record};

/// Changes by what they change.
#[derive(Clone, Default, Debug)]
pub(super) struct Pending {
    pub(super) torrents: HashMap<InfoHash, Edit>,
    /// `None`: forgotten.
    pub(super) values: BTreeMap<String, Option<String>>,
    /// Somebody counts on it: it is to be synced.
    pub(super) durable: bool,
    turns: u64,
}

/// Changes of one torrent.
#[derive(Clone, Default, Debug)]
pub(super) struct Edit {
    /// When its torrent was first heard of here: records are read in the order in which they were put.
    pub(super) turn: u64,
    /// What was there is gone, before anything else.
    pub(super) removed: bool,
    pub(super) record: Option<Record>,
    /// Newer than those in `record`, if there is one.
    pub(super) numbers: Option<PersistentNumbers>,
    pub(super) identities: Option<Arc<[u8]>>,
    pub(super) verified: Option<Arc<[u8]>>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.torrents.is_empty() && self.values.is_empty()
    }

    /// Does `edit` after what is here.
    pub(super) fn edit(&mut self, hash: InfoHash, edit: Edit) {
        self.turns += 1;
        let new = Edit { turn: self.turns, ..Edit::default() };
        let before = self.torrents.remove(&hash).unwrap_or(new);
        self.torrents.insert(hash, Edit { turn: before.turn, ..before.then(edit) });
    }

    /// Edits in the order in which their torrents came.
    pub(super) fn in_order(&self) -> Vec<(InfoHash, &Edit)> {
        let mut edits: Vec<_> = self.torrents.iter().map(|(hash, edit)| (*hash, edit)).collect();
        edits.sort_unstable_by_key(|(_, edit)| edit.turn);
        edits
    }

    /// Does all of `later` after what is here.
    pub(super) fn extend(&mut self, later: Pending) {
        let mut edits: Vec<_> = later.torrents.into_iter().collect();
        edits.sort_unstable_by_key(|(_, edit)| edit.turn);
        edits.into_iter().for_each(|(hash, edit)| self.edit(hash, edit));
        self.values.extend(later.values);
        self.durable |= later.durable;
    }
}

impl Edit {
    fn then(self, later: Edit) -> Edit {
        if later.removed {
            return later;
        }
        // what is said of a torrent that is gone, by somebody who has not heard yet
        if self.removed && self.record.is_none() && later.record.is_none() {
            return self;
        }
        let older_numbers = if later.record.is_some() { None } else { self.numbers };
        Edit {
            turn: self.turn,
            removed: self.removed,
            numbers: later.numbers.or(older_numbers),
            record: later.record.or(self.record),
            identities: later.identities.or(self.identities),
            verified: later.verified.or(self.verified),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(hash: InfoHash, uploaded: u64) -> Record {
        Record {
            info_hash: hash,
            about: Arc::default(),
            choice: Arc::default(),
            numbers: numbers(uploaded),
            complete: false,
            trusted: false,
            magnet: None,
        }
    }

    fn numbers(uploaded: u64) -> PersistentNumbers {
        PersistentNumbers { uploaded, ..PersistentNumbers::default() }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Put(u64),
        Numbers(u64),
        Verified(u8),
        Remove,
    }

    fn edit(hash: InfoHash, step: Step) -> Edit {
        match step {
            Step::Put(uploaded) => Edit { record: Some(record(hash, uploaded)), ..Edit::default() },
            Step::Numbers(uploaded) => Edit { numbers: Some(numbers(uploaded)), ..Edit::default() },
            Step::Verified(byte) => Edit { verified: Some([byte].into()), ..Edit::default() },
            Step::Remove => Edit { removed: true, ..Edit::default() },
        }
    }

    /// What a row would be: uploaded, verified.
    type World = Option<(u64, Option<u8>)>;

    fn apply(world: World, edit: &Edit) -> World {
        let mut world = if edit.removed { None } else { world };
        if let Some(record) = &edit.record {
            world = Some((record.numbers.uploaded, world.and_then(|(_, verified)| verified)));
        }
        let (uploaded, verified) = world?;
        let uploaded = edit.numbers.map_or(uploaded, |numbers| numbers.uploaded);
        Some((uploaded, edit.verified.as_ref().map(|bytes| bytes[0]).or(verified)))
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..9u64).prop_map(Step::Put),
            (10..19u64).prop_map(Step::Numbers),
            (0..9u8).prop_map(Step::Verified),
            Just(Step::Remove),
        ];
        prop::collection::vec(step, 0..12)
    }

    proptest! {
        #[test]
        fn many_changes_at_once_do_what_they_do_one_by_one(
            there in any::<bool>(), steps in steps(), split in 0..12usize,
        ) {
            let hash = InfoHash([1; 20]);
            let world: World = there.then_some((99, Some(99)));
            let (mut one_by_one, mut said_of_nobody) = (world, false);
            for step in &steps {
                said_of_nobody |= one_by_one.is_none() && matches!(step, Step::Verified(_));
                one_by_one = apply(one_by_one, &edit(hash, *step));
            }
            // as after a failed write: what was taken out, and what came meanwhile
            let (mut first, mut second) = (Pending::default(), Pending::default());
            for (at, step) in steps.iter().enumerate() {
                let part = if at < split { &mut first } else { &mut second };
                part.edit(hash, edit(hash, *step));
            }
            first.extend(second);
            let together = first.torrents.get(&hash).map_or(world, |edit| apply(world, edit));
            if said_of_nobody {
                // it may come with a torrent that is put right after it, or be nobody's
                let numbers = |world: World| world.map(|(uploaded, _)| uploaded);
                prop_assert_eq!(numbers(together), numbers(one_by_one));
            } else {
                prop_assert_eq!(together, one_by_one);
            }
        }
    }
}
