//! What a reactor needs to serve one torrent: its geometry and a way to open its files.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::{BlockRef, FileIndex};
use crate::metainfo::Geometry;
use crate::storage::MappedFile;

/// Opens the files of one torrent. Whoever implements it keeps paths inside the torrent's folder.
pub trait Files: Send + Sync {
    /// Opens `file` for reading.
    fn open(&self, file: FileIndex) -> io::Result<File>;
    /// Where it is; for messages.
    fn path(&self, file: FileIndex) -> PathBuf;
}

/// One torrent's content as a reactor sees it. Cloning shares it.
#[derive(Clone)]
pub struct Payload {
    geometry: Arc<Geometry>,
    files: Arc<dyn Files>,
}

impl Payload {
    /// Content laid out by `geometry` in `files`.
    pub fn new(geometry: Arc<Geometry>, files: Arc<dyn Files>) -> Payload {
        Payload { geometry, files }
    }

    /// How blocks lie in files.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Where `file` is; for messages.
    pub fn path(&self, file: FileIndex) -> PathBuf {
        self.files.path(file)
    }

    /// Opens `file` and sees that all `length` bytes are there.
    pub(super) fn open(&self, file: FileIndex, length: u64) -> Result<File, PayloadError> {
        let failed = |source| PayloadError::Open { file, path: self.files.path(file), source };
        let opened = self.files.open(file).map_err(failed)?;
        let metadata = opened.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        if metadata.len() < length {
            let path = self.files.path(file);
            return Err(PayloadError::Short { file, path, expected: length, found: metadata.len() });
        }
        Ok(opened)
    }
}

/// Why a block cannot be served. All but the last two are the disk's fault and stop the torrent.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The file is missing or not readable.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// Which file.
        file: FileIndex,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is shorter than the torrent says.
    #[error("{} has {found} bytes where the torrent has {expected}", path.display())]
    Short {
        /// Which file.
        file: FileIndex,
        /// Where it is.
        path: PathBuf,
        /// Bytes by the torrent.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// The file cannot be mapped, even after the oldest map was closed.
    #[error("cannot map {}: {source} (see vm.max_map_count and the limit of open files)", path.display())]
    Map {
        /// Which file.
        file: FileIndex,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The block is not in the torrent; the peer's rules let none of these through.
    #[error("block {0:?} is not in the torrent")]
    OutOfRange(BlockRef),
    /// The block is strewn over more files than one send may open; the request is to be rejected.
    #[error("block {0:?} lies in more than {max} files", max = crate::limits::FILES_PER_BLOCK)]
    Scattered(BlockRef),
}

/// Consecutive bytes of payload in memory.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// First byte. Never to be turned into a reference.
    pub address: *const u8,
    /// Bytes.
    pub length: usize,
    /// Which of [`Parts::files`] it is in; `None` for the zeros of a padding file.
    pub file: Option<u16>,
}

/// Address ranges of one or more blocks, and the maps that keep them valid.
#[derive(Debug, Default)]
pub struct Parts {
    pub(super) list: Vec<Part>,
    pub(super) files: Vec<Arc<MappedFile>>,
}

impl Parts {
    /// The ranges in the order of the torrent.
    pub fn list(&self) -> &[Part] {
        &self.list
    }

    /// The maps that the ranges lie in. They stay mapped while they are here.
    pub fn files(&self) -> &[Arc<MappedFile>] {
        &self.files
    }

    /// Forgets ranges and maps, keeps the allocation.
    pub fn clear(&mut self) {
        self.list.clear();
        self.files.clear();
    }
}
