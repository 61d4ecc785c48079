//! The rows of a view, in the order of their ids.
//!
//! A view is made every second and after every order, and of ten thousand rows hardly any is another then. So they lie in blocks that
//! views share: a row that changes costs the pointers of its block and one for each other block, a view in which none has changed
//! nothing, and what differs between two views is found without a look at the blocks that they have in common.

use std::collections::HashSet;
use std::slice;
use std::sync::Arc;

use crate::ids::TorrentId;

use super::row::Row;

/// Rows of a block: with this many, both a view and a change of one row cost little for ten thousand and for a hundred thousand.
const BLOCK: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    blocks: Arc<Vec<Arc<Block>>>,
    len: usize,
    /// No row has a later revision.
    latest: u64,
}

/// Rows that lie together, never none.
#[derive(Clone, Debug)]
struct Block {
    /// Of the first row.
    first: TorrentId,
    /// No row has a later revision.
    latest: u64,
    rows: Vec<Arc<Row>>,
}

/// One row after the other.
#[derive(Clone, Debug, Default)]
pub struct Iter<'rows> {
    blocks: slice::Iter<'rows, Arc<Block>>,
    rows: slice::Iter<'rows, Arc<Row>>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_> {
        Iter { blocks: self.blocks.iter(), rows: [].iter() }
    }

    /// The row of this torrent.
    pub fn find(&self, id: TorrentId) -> Option<&Arc<Row>> {
        let (block, at) = self.place(id)?;
        Some(&self.blocks[block].rows[at])
    }

    /// Those whose revision is later.
    pub fn changed_since(&self, revision: u64) -> impl Iterator<Item = &Arc<Row>> {
        let blocks = if self.latest > revision { self.blocks.as_slice() } else { &[] };
        let blocks = blocks.iter().filter(move |block| block.latest > revision);
        blocks.flat_map(|block| &block.rows).filter(move |row| row.revision > revision)
    }

    /// Those that do not lie in a block of `others` too; some of them may be the same all the same. Without `others`: all.
    pub fn apart_from(&self, others: Option<&Rows>) -> impl Iterator<Item = &Arc<Row>> {
        let blocks = others.into_iter().flat_map(|others| others.blocks.iter());
        let common: HashSet<*const Block> = blocks.map(Arc::as_ptr).collect();
        let apart = self.blocks.iter().filter(move |block| !common.contains(&Arc::as_ptr(block)));
        apart.flat_map(|block| &block.rows)
    }

    /// Adds one behind all others; its id is greater than theirs.
    pub(super) fn push(&mut self, row: Arc<Row>) {
        self.len += 1;
        self.latest = self.latest.max(row.revision);
        let blocks = Arc::make_mut(&mut self.blocks);
        match blocks.last_mut().filter(|block| block.rows.len() < BLOCK) {
            Some(block) => {
                let block = Arc::make_mut(block);
                block.latest = block.latest.max(row.revision);
                block.rows.push(row);
            }
            None => blocks.push(Arc::new(Block { first: row.id, latest: row.revision, rows: vec![row] })),
        }
    }

    /// Changes the row of this torrent; whether there is one.
    pub fn edit(&mut self, id: TorrentId, change: impl FnOnce(&mut Row)) -> bool {
        let Some((block, at)) = self.place(id) else { return false };
        let block = Arc::make_mut(&mut Arc::make_mut(&mut self.blocks)[block]);
        let row = Arc::make_mut(&mut block.rows[at]);
        change(row);
        block.latest = block.latest.max(row.revision);
        self.latest = self.latest.max(row.revision);
        true
    }

    /// Takes the row of this torrent out.
    pub(super) fn remove(&mut self, id: TorrentId) -> Option<Arc<Row>> {
        let (number, at) = self.place(id)?;
        let blocks = Arc::make_mut(&mut self.blocks);
        let block = Arc::make_mut(&mut blocks[number]);
        let row = block.rows.remove(at);
        match block.rows.first() {
            Some(first) => block.first = first.id,
            None => drop(blocks.remove(number)),
        }
        self.len -= 1;
        Some(row)
    }

    /// The block of a torrent, and its place there.
    fn place(&self, id: TorrentId) -> Option<(usize, usize)> {
        let block = self.blocks.partition_point(|block| block.first <= id).checked_sub(1)?;
        let at = self.blocks[block].rows.binary_search_by_key(&id, |row| row.id).ok()?;
        Some((block, at))
    }
}

impl FromIterator<Arc<Row>> for Rows {
    fn from_iter<T: IntoIterator<Item = Arc<Row>>>(rows: T) -> Rows {
        let mut all = Rows::default();
        rows.into_iter().for_each(|row| all.push(row));
        all
    }
}

impl<'rows> IntoIterator for &'rows Rows {
    type Item = &'rows Arc<Row>;
    type IntoIter = Iter<'rows>;

    fn into_iter(self) -> Iter<'rows> {
        self.iter()
    }
}

impl<'rows> Iterator for Iter<'rows> {
    type Item = &'rows Arc<Row>;

    fn next(&mut self) -> Option<&'rows Arc<Row>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            self.rows = self.blocks.next()?.rows.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::choice::Choice;
    use super::super::row::{About, Activity, Numbers};
    use super::*;

    fn row(id: u32, revision: u64) -> Arc<Row> {
        Arc::new(Row {
            id: TorrentId(id),
            revision,
            about: Arc::new(About::default()),
            choice: Arc::new(Choice::default()),
            activity: Activity::Seeding,
            message: None,
            tracker: "".into(),
            trouble: None,
            numbers: Numbers::default(),
        })
    }

    fn told<'rows>(rows: impl Iterator<Item = &'rows Arc<Row>>) -> Vec<(u32, u64)> {
        rows.map(|row| (row.id.0, row.revision)).collect()
    }

    #[test]
    fn rows_are_as_in_a_plain_list_whatever_happens_to_them() {
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut rows, mut plain, mut next) = (Rows::default(), Vec::<(u32, u64)>::new(), 0);
        let mut before = (rows.clone(), plain.clone(), 0);
        for revision in 1..20_000 {
            let chosen = plain.get(rng.usize(..plain.len().max(1))).map_or(7, |(id, _)| *id);
            match rng.u8(..4) {
                0 if plain.len() < 400 || rng.bool() => {
                    next += rng.u32(1..3);
                    rows.push(row(next, revision));
                    plain.push((next, revision));
                }
                1 => {
                    let removed = rows.remove(TorrentId(chosen)).map(|row| row.id.0);
                    assert_eq!(removed, plain.iter().any(|(id, _)| *id == chosen).then_some(chosen));
                    plain.retain(|(id, _)| *id != chosen);
                }
                _ => {
                    let there = rows.edit(TorrentId(chosen), |row| row.revision = revision);
                    plain.iter_mut().filter(|(id, _)| *id == chosen).for_each(|row| row.1 = revision);
                    assert_eq!(there, plain.iter().any(|(id, _)| *id == chosen));
                }
            }
            assert_eq!(
                rows.find(TorrentId(chosen)).map(|row| row.id.0),
                plain.iter().map(|row| row.0).find(|id| *id == chosen)
            );
            if revision % 50 == 0 {
                compare(&rows, &plain, &before);
                before = (rows.clone(), plain.clone(), revision);
            }
        }
    }

    fn compare(rows: &Rows, plain: &[(u32, u64)], (old, old_plain, then): &(Rows, Vec<(u32, u64)>, u64)) {
        assert_eq!((told(rows.iter()), rows.len(), rows.is_empty()), (plain.to_vec(), plain.len(), plain.is_empty()));
        assert_eq!(told(old.iter()), *old_plain, "an old view stays as it was");
        let later: Vec<(u32, u64)> = plain.iter().filter(|(_, revision)| revision > then).copied().collect();
        assert_eq!(told(rows.changed_since(*then)), later);
        // all that differs is among what is apart, and what is apart is in order
        let (new, gone) = (told(rows.apart_from(Some(old))), told(old.apart_from(Some(rows))));
        assert!(later.iter().all(|row| new.contains(row)) && new.is_sorted() && gone.is_sorted());
        assert!(old_plain.iter().filter(|row| !plain.contains(row)).all(|row| gone.contains(row)));
        assert_eq!(told(rows.apart_from(None)), plain);
    }

    #[test]
    fn views_share_what_did_not_change() {
        let rows: Rows = (0..10_000).map(|id| row(id, 1)).collect();
        let mut later = rows.clone();
        assert_eq!(later.apart_from(Some(&rows)).count(), 0);
        assert!(later.edit(TorrentId(5_000), |row| row.revision = 2));
        assert_eq!(later.apart_from(Some(&rows)).count(), BLOCK);
        assert_eq!(told(later.changed_since(1)), [(5_000, 2)]);
    }
}
