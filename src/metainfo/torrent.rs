//! A torrent as it was read: immutable, checked, cheap to share.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ids::{InfoHash, PieceIndex};

use super::{Geometry, Magnet};

/// A torrent: its `info` dictionary and what stands around it. A clone shares both.
#[derive(Clone)]
pub struct Metainfo {
    pub(super) info: Arc<Info>,
    pub(super) outer: Arc<Outer>,
}

/// The part that the info-hash covers.
pub(super) struct Info {
    pub(super) hash: InfoHash,
    pub(super) bytes: Arc<[u8]>,
    pub(super) name: OsString,
    pub(super) single_file: bool,
    pub(super) files: Box<[File]>,
    pub(super) geometry: Geometry,
    pub(super) hashes: PieceHashes,
    pub(super) private: bool,
    pub(super) source: Option<String>,
}

/// The part that anybody may change.
#[derive(Clone, Default, Debug)]
pub(super) struct Outer {
    pub(super) trackers: Vec<Vec<String>>,
    pub(super) web_seeds: Vec<String>,
    pub(super) comment: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) creation_date: Option<i64>,
}

/// Where the hashes of the pieces are. BEP 52 will add its layers.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PieceHashes {
    /// SHA-1, 20 bytes a piece (BEP 3), at these bytes of [`Metainfo::info_bytes`]: the list is the bulk of a large
    /// torrent and need not be in memory twice.
    V1(Range<usize>),
}

/// One file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    pub(super) padding: bool,
}

impl File {
    /// Path below the torrent's own folder; of a single file its name. Relative, with normal components only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Zeros that nobody stores, there to let the next file begin with a piece (BEP 47).
    pub fn is_padding(&self) -> bool {
        self.padding
    }
}

impl Metainfo {
    /// Names the swarm.
    pub fn info_hash(&self) -> InfoHash {
        self.info.hash
    }

    /// The `info` dictionary as it was written: what metadata exchange (BEP 9) serves.
    pub fn info_bytes(&self) -> &Arc<[u8]> {
        &self.info.bytes
    }

    /// Name of the file or folder, fit to be one component of a path.
    pub fn file_name(&self) -> &OsStr {
        &self.info.name
    }

    /// The name as text: bytes that are not UTF-8 are replaced. For people, not for paths. May contain control
    /// characters.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.info.name.to_string_lossy()
    }

    /// Whether the content is one file called [`Metainfo::file_name`], not a folder of that name.
    pub fn is_single_file(&self) -> bool {
        self.info.single_file
    }

    /// The files in the order of the torrent, padding included; [`crate::ids::FileIndex`] counts these.
    pub fn files(&self) -> &[File] {
        &self.info.files
    }

    /// Where clients put a file under their download folder: `name` of a single file, else `name/path`.
    pub fn download_path(&self, file: &File) -> PathBuf {
        if self.info.single_file { file.path.clone() } else { Path::new(&self.info.name).join(&file.path) }
    }

    /// Pieces, blocks and where they lie in the files.
    pub fn geometry(&self) -> &Geometry {
        &self.info.geometry
    }

    /// Where the hashes of the pieces are.
    pub fn piece_hashes(&self) -> &PieceHashes {
        &self.info.hashes
    }

    /// SHA-1 of `piece`; `None` beyond the last.
    pub fn piece_hash(&self, piece: PieceIndex) -> Option<[u8; 20]> {
        let PieceHashes::V1(range) = &self.info.hashes;
        let hashes = self.info.bytes.get(range.clone())?;
        hashes.chunks_exact(20).nth(usize::try_from(piece.0).ok()?)?.try_into().ok()
    }

    /// Peers come from its own trackers only (BEP 27).
    pub fn private(&self) -> bool {
        self.info.private
    }

    /// `info.source`: what a tracker's site puts there to make the info-hash its own.
    pub fn source(&self) -> Option<&str> {
        self.info.source.as_deref()
    }

    /// Announce URLs in tiers (BEP 12); no tier is empty, no URL stands twice.
    pub fn trackers(&self) -> &[Vec<String>] {
        &self.outer.trackers
    }

    /// HTTP sources (BEP 19).
    pub fn web_seeds(&self) -> &[String] {
        &self.outer.web_seeds
    }

    /// Free text.
    pub fn comment(&self) -> Option<&str> {
        self.outer.comment.as_deref()
    }

    /// The program that made it.
    pub fn created_by(&self) -> Option<&str> {
        self.outer.created_by.as_deref()
    }

    /// Seconds since 1970.
    pub fn creation_date(&self) -> Option<i64> {
        self.outer.creation_date
    }

    /// The same torrent with other trackers. Nothing of the `info` dictionary is copied.
    pub fn with_trackers(&self, trackers: Vec<Vec<String>>) -> Metainfo {
        let outer = Outer { trackers: super::parse::tidy_tiers(trackers), ..Outer::clone(&self.outer) };
        Metainfo { info: Arc::clone(&self.info), outer: Arc::new(outer) }
    }

    /// The same torrent with further HTTP sources. Nothing of the `info` dictionary is copied.
    pub fn with_web_seeds(&self, urls: Vec<String>) -> Metainfo {
        let mut outer = Outer::clone(&self.outer);
        let new = urls.into_iter().filter(|url| !self.outer.web_seeds.contains(url));
        outer.web_seeds.extend(new);
        Metainfo { info: Arc::clone(&self.info), outer: Arc::new(outer) }
    }

    /// The link that leads others to this torrent.
    pub fn magnet(&self) -> Magnet {
        Magnet {
            info_hash: self.info.hash,
            name: Some(self.name().into_owned()),
            trackers: self.outer.trackers.concat(),
            web_seeds: self.outer.web_seeds.clone(),
            peers: Vec::new(),
        }
    }
}

impl fmt::Debug for Metainfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metainfo").field("info_hash", &self.info.hash).field("name", &self.info.name).finish()
    }
}
