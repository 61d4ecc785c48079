//! Finds a place in a vector by the hash of what stands there.
//!
//! The vector keeps the values, this table only 8 bytes a value: hash and place. Open addressing with linear probing;
//! a removal moves later entries back, so a table that lives for months under churn never fills with gravestones.
//! Hashes come from a keyed function, so nobody outside can choose them.

/// Marks a free place of the table.
const FREE: u32 = u32::MAX;
const SLOTS_MIN: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    position: u32,
}

/// Hash table of positions in a vector that the owner keeps beside it.
pub(super) struct Index {
    slots: Box<[Slot]>,
    taken: usize,
}

impl Index {
    /// An empty table with room for `count` positions.
    pub(super) fn with_room_for(count: usize) -> Index {
        // at most three quarters are taken
        let slots = (count.saturating_mul(4) / 3 + 1).next_power_of_two().max(SLOTS_MIN);
        Index { slots: vec![Slot { hash: 0, position: FREE }; slots].into(), taken: 0 }
    }

    /// Bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// The position with this hash for which `is` holds.
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot.position == FREE {
                return None;
            }
            if slot.hash == hash && is(slot.position) {
                return Some(slot.position);
            }
            at = self.after(at);
        }
    }

    /// Adds a position that is not in the table yet.
    pub(super) fn insert(&mut self, hash: u32, position: u32) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.taken += 1;
        self.place(Slot { hash, position });
    }

    fn place(&mut self, slot: Slot) {
        let mut at = self.home(slot.hash);
        while self.slots[at].position != FREE {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let larger = Index::with_room_for(self.slots.len());
        let old = std::mem::replace(&mut self.slots, larger.slots);
        old.iter().filter(|slot| slot.position != FREE).for_each(|&slot| self.place(slot));
    }

    /// Where the table holds `position`; the caller says which hash it was inserted with.
    fn slot_of(&self, hash: u32, position: u32) -> usize {
        let mut at = self.home(hash);
        while self.slots[at].position != position {
            assert!(self.slots[at].position != FREE, "every value of the vector is in the table");
            at = self.after(at);
        }
        at
    }

    /// What stood at `from` stands at `to` now.
    pub(super) fn moved(&mut self, hash: u32, from: u32, to: u32) {
        let at = self.slot_of(hash, from);
        self.slots[at].position = to;
    }

    /// What stood at `a` and at `b` changed places.
    pub(super) fn swapped(&mut self, (hash_a, a): (u32, u32), (hash_b, b): (u32, u32)) {
        let (at_a, at_b) = (self.slot_of(hash_a, a), self.slot_of(hash_b, b));
        self.slots[at_a].position = b;
        self.slots[at_b].position = a;
    }

    /// Takes `position` out.
    pub(super) fn remove(&mut self, hash: u32, position: u32) {
        let mut gap = self.slot_of(hash, position);
        self.taken -= 1;
        let mut at = self.after(gap);
        while self.slots[at].position != FREE {
            // an entry may fill the gap if the gap lies on its way from its home
            let mask = self.slots.len() - 1;
            let walked = at.wrapping_sub(self.home(self.slots[at].hash)) & mask;
            if walked >= at.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.slots[gap].position = FREE;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct hashes, so that probes collide, wrap around and cross each other.
        #[test]
        fn behaves_like_a_plain_map(steps in prop::collection::vec((any::<bool>(), 0u32..40, 0u32..6), 1..400)) {
            let mut index = Index::with_room_for(0);
            let mut oracle: BTreeMap<u32, u32> = BTreeMap::new();
            for (add, position, hash) in steps {
                let hash = hash.wrapping_sub(2);
                match (add, oracle.get(&position).copied()) {
                    (true, None) => {
                        index.insert(hash, position);
                        oracle.insert(position, hash);
                    }
                    (false, Some(hash)) => {
                        index.remove(hash, position);
                        oracle.remove(&position);
                    }
                    _ => {}
                }
                for position in 0..40 {
                    for hash in 0..6u32 {
                        let hash = hash.wrapping_sub(2);
                        let found = index.find(hash, |candidate| candidate == position);
                        prop_assert_eq!(found.is_some(), oracle.get(&position) == Some(&hash));
                    }
                }
            }
        }
    }
}
