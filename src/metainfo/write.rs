//! From content to a torrent file. The same input gives the same bytes: nothing is dated unless asked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::bencode::{DictEncoder, Encoder};
use crate::limits;

use super::torrent::Outer;
use super::{File, Geometry, Metainfo, TorrentError};

/// Piece length for `total` bytes, by default: 256 KiB, the chunk that one send carries, as long as at most 65,536
/// hashes come of it, that is up to 16 GiB. Beyond, the length doubles so that the list of hashes stays below
/// 1.25 MiB: it has to reach every downloader of a magnet link, 16 KiB a message, before the first byte of content.
/// 16 MiB (1 TiB of content) is the longest, as a piece is also the least that a peer must load before it may pass
/// anything on, and older clients load no longer ones.
pub fn auto_piece_length(total: u64) -> u32 {
    let mut length = SHORTEST_AUTO_PIECE;
    while length < LONGEST_AUTO_PIECE && total.div_ceil(u64::from(length)) > AUTO_PIECES {
        length *= 2;
    }
    length
}

const SHORTEST_AUTO_PIECE: u32 = limits::CHUNK;
const LONGEST_AUTO_PIECE: u32 = 16 * 1024 * 1024;
const AUTO_PIECES: u64 = 65_536;
const _: () = assert!(LONGEST_AUTO_PIECE <= limits::PIECE_LENGTH_MAX);

/// Collects what a torrent file says. Lay out the files, hash along [`Builder::geometry`], then [`Builder::write`].
#[derive(Clone, Debug)]
pub struct Builder {
    name: OsString,
    single_file: bool,
    files: Vec<File>,
    piece_length: u32,
    hashes: Vec<[u8; 20]>,
    private: bool,
    source: Option<String>,
    outer: Outer,
}

impl Builder {
    /// A torrent of one file of `length` bytes.
    pub fn single(name: &OsStr, length: u64, piece_length: u32) -> Builder {
        let file = File { path: PathBuf::from(name), length, padding: false };
        Builder { single_file: true, files: vec![file], ..Builder::folder(name, piece_length) }
    }

    /// A torrent of a folder; [`Builder::file`] and [`Builder::padding`] fill it.
    pub fn folder(name: &OsStr, piece_length: u32) -> Builder {
        Builder {
            name: name.to_owned(),
            single_file: false,
            files: Vec::new(),
            piece_length,
            hashes: Vec::new(),
            private: false,
            source: None,
            outer: Outer::default(),
        }
    }

    /// Adds the next file of a folder. The order counts: give it sorted, so that the same folder gives the same
    /// torrent.
    pub fn file(mut self, path: impl Into<PathBuf>, length: u64) -> Builder {
        self.files.push(File { path: path.into(), length, padding: false });
        self
    }

    /// Adds zeros that are not on disk (BEP 47), under the path that other programs use as well.
    pub fn padding(mut self, length: u64) -> Builder {
        self.files.push(File { path: Path::new(".pad").join(length.to_string()), length, padding: true });
        self
    }

    /// SHA-1 of every piece, in order.
    pub fn hashes(mut self, hashes: Vec<[u8; 20]>) -> Builder {
        self.hashes = hashes;
        self
    }

    /// Whether peers may come from the torrent's own trackers only (BEP 27).
    pub fn private(mut self, private: bool) -> Builder {
        self.private = private;
        self
    }

    /// A word that makes the info-hash differ from that of the same content elsewhere.
    pub fn source(mut self, source: Option<String>) -> Builder {
        self.source = source;
        self
    }

    /// Announce URLs in tiers (BEP 12).
    pub fn trackers(mut self, tiers: Vec<Vec<String>>) -> Builder {
        self.outer.trackers = super::parse::tidy_tiers(tiers);
        self
    }

    /// HTTP sources (BEP 19).
    pub fn web_seeds(mut self, urls: Vec<String>) -> Builder {
        self.outer.web_seeds = urls;
        self
    }

    /// Free text.
    pub fn comment(mut self, comment: Option<String>) -> Builder {
        self.outer.comment = comment;
        self
    }

    /// Name and version of the program that makes it.
    pub fn created_by(mut self, program: Option<String>) -> Builder {
        self.outer.created_by = program;
        self
    }

    /// Seconds since 1970. Left out, the same content always gives the same file.
    pub fn creation_date(mut self, date: Option<i64>) -> Builder {
        self.outer.creation_date = date;
        self
    }

    /// The pieces to hash. Fails if there would be none or too many, or if their length is none that is read.
    pub fn geometry(&self) -> Result<Geometry, TorrentError> {
        if !(1..=limits::PIECE_LENGTH_MAX).contains(&self.piece_length) {
            return Err(TorrentError::PieceLength(self.piece_length.into()));
        }
        let shape = self.files.iter().map(|file| (file.length, file.padding));
        let geometry = Geometry::new(self.piece_length, shape).ok_or(TorrentError::TooManyPieces)?;
        if geometry.total() == 0 { Err(TorrentError::Empty) } else { Ok(geometry) }
    }

    /// The torrent file. It has passed [`Metainfo::parse`]: what cannot be read back is not written.
    pub fn write(&self) -> Result<Vec<u8>, TorrentError> {
        let mut info = Encoder::new();
        info.dict(|keys| self.write_info(keys));
        let file = write_file(&self.outer, &info.finish());
        Metainfo::parse(&file)?;
        Ok(file)
    }

    fn write_info(&self, keys: &mut DictEncoder<'_>) {
        if self.single_file {
            keys.key(b"length").integer(integer(self.files[0].length));
        } else {
            keys.key(b"files")
                .list(|list| self.files.iter().for_each(|file| list.dict(|keys| write_entry(file, keys))));
        }
        keys.key(b"name").bytes(self.name.as_bytes());
        keys.key(b"piece length").integer(self.piece_length.into());
        keys.key(b"pieces").bytes(self.hashes.as_flattened());
        if self.private {
            keys.key(b"private").integer(1);
        }
        if let Some(source) = &self.source {
            keys.key(b"source").bytes(source.as_bytes());
        }
    }
}

impl Metainfo {
    /// Writes it as a torrent file, with the very bytes of its `info` dictionary. Keys around it that this program
    /// does not know are gone.
    pub fn to_bytes(&self) -> Vec<u8> {
        write_file(&self.outer, self.info_bytes())
    }
}

fn write_entry(file: &File, keys: &mut DictEncoder<'_>) {
    if file.padding {
        keys.key(b"attr").bytes(b"p");
    }
    keys.key(b"length").integer(integer(file.length));
    keys.key(b"path").list(|names| file.path.components().for_each(|name| names.bytes(name.as_os_str().as_bytes())));
}

/// Lengths beyond 63 bits are negative in the file, and refused when it is read back.
fn integer(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(-1)
}

fn write_file(outer: &Outer, info: &[u8]) -> Vec<u8> {
    let mut file = Encoder::new();
    file.dict(|keys| {
        if let Some(first) = outer.trackers.first().and_then(|tier| tier.first()) {
            keys.key(b"announce").bytes(first.as_bytes());
        }
        if outer.trackers.iter().map(Vec::len).sum::<usize>() > 1 {
            keys.key(b"announce-list").list(|tiers| {
                outer.trackers.iter().for_each(|tier| tiers.list(|urls| write_texts(urls, tier)));
            });
        }
        if let Some(comment) = &outer.comment {
            keys.key(b"comment").bytes(comment.as_bytes());
        }
        if let Some(program) = &outer.created_by {
            keys.key(b"created by").bytes(program.as_bytes());
        }
        if let Some(date) = outer.creation_date {
            keys.key(b"creation date").integer(date);
        }
        keys.key(b"info").raw(info);
        if !outer.web_seeds.is_empty() {
            keys.key(b"url-list").list(|urls| write_texts(urls, &outer.web_seeds));
        }
    });
    file.finish()
}

fn write_texts(list: &mut Encoder, texts: &[String]) {
    texts.iter().for_each(|text| list.bytes(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_256_kib_up_to_16_gib_and_then_double_up_to_16_mib() {
        let gib = 1 << 30;
        assert_eq!(auto_piece_length(0), 256 * 1024);
        assert_eq!(auto_piece_length(16 * gib), 256 * 1024);
        assert_eq!(auto_piece_length(16 * gib + 1), 512 * 1024);
        assert_eq!(auto_piece_length(1024 * gib), 16 * 1024 * 1024);
        assert_eq!(auto_piece_length(u64::MAX), 16 * 1024 * 1024);
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let name = OsStr::new("a");
        assert_eq!(Builder::single(name, 1, 0).geometry().err(), Some(TorrentError::PieceLength(0)));
        assert_eq!(Builder::single(name, 0, 1).geometry().err(), Some(TorrentError::Empty));
        assert_eq!(Builder::single(name, u64::MAX, 1 << 20).geometry().err(), Some(TorrentError::TooManyPieces));
        assert_eq!(Builder::single(name, 1, 1).write().err(), Some(TorrentError::HashCount { found: 0, needed: 1 }));
        let folder = |path: &str| Builder::folder(name, 1).file(path, 1).hashes(vec![[0; 20]]).write();
        assert!(matches!(folder("../a"), Err(TorrentError::Path { .. })));
        assert!(matches!(folder("/a"), Err(TorrentError::Path { .. })));
        assert!(folder("b/a").is_ok());
        let single = Builder::single(name, 1, 1).hashes(vec![[0; 20]]);
        assert!(matches!(single.web_seeds(vec!["a\0".into()]).write(), Err(TorrentError::BadUrl { .. })));
    }
}
