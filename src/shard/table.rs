//! Places for connections: a slab whose keys carry a generation, so that a late completion cannot hit a new owner.

use crate::ids::PeerKey;

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// A table of `T` by [`PeerKey`].
#[derive(Debug)]
pub struct Table<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// Stores `value` in a free place.
    pub fn insert(&mut self, value: T) -> PeerKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            u32::try_from(self.places.len() - 1).expect("bounded by limits::CONNECTIONS")
        });
        let place = &mut self.places[index(slot)];
        place.value = Some(value);
        PeerKey { slot, generation: place.generation }
    }

    /// Takes the value of `key` out.
    pub fn remove(&mut self, key: PeerKey) -> Option<T> {
        let place = self.places.get_mut(index(key.slot)).filter(|place| place.generation == key.generation)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(value)
    }

    /// The value of `key`, unless it is gone.
    pub fn get(&self, key: PeerKey) -> Option<&T> {
        self.places.get(index(key.slot)).filter(|place| place.generation == key.generation)?.value.as_ref()
    }

    /// The value of `key`, unless it is gone.
    pub fn get_mut(&mut self, key: PeerKey) -> Option<&mut T> {
        self.places.get_mut(index(key.slot)).filter(|place| place.generation == key.generation)?.value.as_mut()
    }

    /// The key of what is in `slot` now.
    pub fn key(&self, slot: u32) -> Option<PeerKey> {
        let place = self.places.get(index(slot))?;
        place.value.as_ref().map(|_| PeerKey { slot, generation: place.generation })
    }

    /// All, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &T)> {
        self.places.iter().zip(0..).filter_map(|(place, slot)| {
            place.value.as_ref().map(|value| (PeerKey { slot, generation: place.generation }, value))
        })
    }

    /// All, in the order of their places.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut T)> {
        self.places.iter_mut().zip(0..).filter_map(|(place, slot)| {
            let generation = place.generation;
            place.value.as_mut().map(|value| (PeerKey { slot, generation }, value))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("u32 fits usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_reaches_the_next_owner_of_its_place() {
        let mut table = Table::default();
        let old = table.insert("old");
        assert_eq!(table.remove(old), Some("old"));
        let new = table.insert("new");
        assert_eq!((old.slot, table.get(old)), (new.slot, None));
        assert_eq!(table.remove(old), None);
        assert_eq!((table.get(new), table.len(), table.key(new.slot)), (Some(&"new"), 1, Some(new)));
    }
}
