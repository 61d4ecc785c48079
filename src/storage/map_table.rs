//! The open maps of one reactor, least recently used out first.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use memmap2::MmapMut;
use rustix::io::Errno;

use crate::ids::{BlockRef, FileIndex, TorrentId};
use crate::limits::{BLOCK_MAX, FILES_PER_BLOCK, MAPS_PER_REACTOR};
use crate::metainfo::Span;
use crate::storage::{MappedFile, Part, Parts, Payload, PayloadError};

type Key = (TorrentId, FileIndex);

#[derive(Debug)]
struct Entry {
    map: Arc<MappedFile>,
    used: u64,
}

/// Maps of one reactor by torrent and file, opened when first needed. At the bound the one unused for longest is closed,
/// never one that a chunk, a leftover or a page-in still holds: while all of them are held the table grows by the maps of
/// one chunk, and shrinks with the next opening.
#[derive(Debug)]
pub struct Maps {
    open: HashMap<Key, Entry>,
    bound: usize,
    /// Counts uses; an entry's `used` is its value then.
    clock: u64,
    /// What padding files (BEP 47) are sent from.
    zeros: MmapMut,
}

impl Maps {
    /// An empty table with the usual bound.
    pub fn new() -> io::Result<Maps> {
        Maps::with_bound(MAPS_PER_REACTOR)
    }

    /// An empty table that keeps at most `bound` maps open.
    pub fn with_bound(bound: usize) -> io::Result<Maps> {
        let zeros = MmapMut::map_anon(BLOCK_MAX as usize)?;
        Ok(Maps { open: HashMap::new(), bound: bound.max(1), clock: 0, zeros })
    }

    /// Number of maps open.
    pub fn open_maps(&self) -> usize {
        self.open.len()
    }

    /// Closes the maps of `torrent` (those in use: when their last user is done). For a torrent that stops or whose files
    /// changed.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.open.retain(|key, _| key.0 != torrent);
    }

    /// Appends the address ranges of `block` to `out`. On an error `out` is as before.
    pub fn resolve(
        &mut self,
        torrent: TorrentId,
        payload: &Payload,
        block: BlockRef,
        out: &mut Parts,
    ) -> Result<(), PayloadError> {
        if !payload.geometry().contains(block) || block.length > BLOCK_MAX {
            return Err(PayloadError::OutOfRange(block));
        }
        if payload.geometry().spans(block).nth(FILES_PER_BLOCK).is_some() {
            return Err(PayloadError::Scattered(block));
        }
        let before = (out.list.len(), out.files.len());
        for span in payload.geometry().spans(block) {
            if let Err(error) = self.append(torrent, payload, span, out) {
                out.list.truncate(before.0);
                out.files.truncate(before.1);
                return Err(error);
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        torrent: TorrentId,
        payload: &Payload,
        span: Span,
        out: &mut Parts,
    ) -> Result<(), PayloadError> {
        let length = usize::try_from(span.length).expect("no longer than a block");
        if span.padding {
            out.list.push(Part { address: self.zeros.as_ptr(), length, file: None });
            return Ok(());
        }
        // most chunks lie in one file: its map is the one pushed last
        let same = |map: &Arc<MappedFile>| map.torrent() == torrent && map.index() == span.file;
        if !out.files.last().is_some_and(same) {
            let map = self.map((torrent, span.file), payload)?;
            out.files.push(map);
        }
        let map = out.files.last().expect("just seen or pushed");
        let file = u16::try_from(out.files.len() - 1).expect("bounded by the chunk");
        out.list.push(Part { address: map.address(span.offset), length, file: Some(file) });
        Ok(())
    }

    fn map(&mut self, key: Key, payload: &Payload) -> Result<Arc<MappedFile>, PayloadError> {
        self.clock += 1;
        if let Some(entry) = self.open.get_mut(&key) {
            entry.used = self.clock;
            return Ok(Arc::clone(&entry.map));
        }
        while self.open.len() >= self.bound && self.evict() {}
        let map = match open(key, payload) {
            Err(error) if is_exhausted(&error) && self.evict() => open(key, payload),
            first => first,
        }?;
        let map = Arc::new(map);
        self.open.insert(key, Entry { map: Arc::clone(&map), used: self.clock });
        Ok(map)
    }

    /// Closes the map unused for longest. A walk over the table is cheap beside the open, mmap and munmap that go with it.
    fn evict(&mut self) -> bool {
        let idle = self.open.iter().filter(|(_, entry)| Arc::strong_count(&entry.map) == 1);
        let oldest = idle.min_by_key(|(_, entry)| entry.used).map(|(&key, _)| key);
        oldest.is_some_and(|key| self.open.remove(&key).is_some())
    }
}

fn open(key: Key, payload: &Payload) -> Result<MappedFile, PayloadError> {
    let (torrent, file) = key;
    let length = payload.geometry().file_length(file);
    let opened = payload.open(file, length)?;
    MappedFile::new(torrent, file, opened, length).map_err(|source| PayloadError::Map {
        file,
        path: payload.path(file),
        source,
    })
}

/// Whether closing another map can help: descriptors or maps ran out.
fn is_exhausted(error: &PayloadError) -> bool {
    let (PayloadError::Open { source, .. } | PayloadError::Map { source, .. }) = error else { return false };
    matches!(Errno::from_io_error(source), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}
