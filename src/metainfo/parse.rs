//! From bytes to a checked torrent.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::bencode::{self, Bounds, Dict, Value};
use crate::ids::InfoHash;
use crate::limits;

use super::keys::{Keys, Place};
use super::torrent::{Info, Outer};
use super::{File, Geometry, Metainfo, PieceHashes, TorrentError, path};

impl Metainfo {
    /// Reads a torrent file: strict bencode (sorted keys, nothing after the end), v1 or hybrid (BEP 3, 12, 19, 27,
    /// 47). Unknown keys are passed over.
    pub fn parse(file: &[u8]) -> Result<Metainfo, TorrentError> {
        let value = decode(file)?;
        let top = Keys { dict: value.as_dict().ok_or(TorrentError::NotDictionary)?, place: Place::Top };
        let info = read_info(top.dict("info")?.ok_or_else(|| top.missing("info"))?)?;
        Ok(Metainfo { info: Arc::new(info), outer: Arc::new(read_outer(top)?) })
    }

    /// Makes a torrent of an `info` dictionary that came by itself (BEP 9) and of the trackers of the magnet link.
    /// The caller compares [`Metainfo::info_hash`] with the one it asked for.
    pub fn from_info(info: &[u8], trackers: Vec<Vec<String>>) -> Result<Metainfo, TorrentError> {
        let value = decode(info)?;
        let info = read_info(value.as_dict().ok_or(TorrentError::NotDictionary)?)?;
        let outer = Outer { trackers: tidy_tiers(trackers), ..Outer::default() };
        Ok(Metainfo { info: Arc::new(info), outer: Arc::new(outer) })
    }
}

fn decode(input: &[u8]) -> Result<Value<'_>, TorrentError> {
    if input.len() > limits::TORRENT_FILE {
        return Err(TorrentError::FileTooLarge);
    }
    Ok(bencode::decode(input, Bounds::TORRENT)?)
}

fn read_info(dict: &Dict<'_>) -> Result<Info, TorrentError> {
    let keys = Keys { dict, place: Place::Info };
    check_version(keys)?;
    let name = read_name(keys)?;
    let piece_length = read_piece_length(keys)?;
    let single_file = !keys.has("files");
    let files = if single_file { vec![read_single(keys, &name)?] } else { read_files(keys)? };
    path::check_conflicts(&files)?;
    if files.iter().all(|file| file.padding || file.length == 0) {
        return Err(TorrentError::Empty);
    }
    let shape = files.iter().map(|file| (file.length, file.padding));
    let geometry = Geometry::new(piece_length, shape).ok_or(TorrentError::TooManyPieces)?;
    Ok(Info {
        hash: InfoHash(Sha1::digest(dict.raw()).into()),
        bytes: dict.raw().into(),
        hashes: PieceHashes::V1(read_hashes(keys, &geometry)?),
        private: keys.integer("private")?.is_some_and(|private| private != 0),
        source: keys.text("source")?,
        name: name.into_os_string(),
        single_file,
        files: files.into(),
        geometry,
    })
}

/// BEP 52: a torrent with version 2 and v1 hashes beside is a hybrid, read here as v1.
fn check_version(keys: Keys<'_, '_>) -> Result<(), TorrentError> {
    match keys.integer("meta version")? {
        Some(2) if !keys.has("pieces") => Err(TorrentError::V2Only),
        None | Some(1 | 2) => Ok(()),
        Some(other) => Err(TorrentError::UnknownVersion(other)),
    }
}

fn read_name(keys: Keys<'_, '_>) -> Result<PathBuf, TorrentError> {
    let unicode = keys.bytes("name.utf-8")?.filter(|name| std::str::from_utf8(name).is_ok());
    let name = match (unicode, keys.bytes("name")?) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err(keys.missing("name")),
    };
    path::join([name]).map_err(|fault| TorrentError::Path { key: keys.name("name"), fault })
}

fn read_piece_length(keys: Keys<'_, '_>) -> Result<u32, TorrentError> {
    let length = keys.integer("piece length")?.ok_or_else(|| keys.missing("piece length"))?;
    match u32::try_from(length) {
        Ok(length @ 1..=limits::PIECE_LENGTH_MAX) => Ok(length),
        _ => Err(TorrentError::PieceLength(length)),
    }
}

fn read_single(keys: Keys<'_, '_>, name: &Path) -> Result<File, TorrentError> {
    refuse_link(keys)?;
    let length = keys.length("length")?.ok_or(TorrentError::NoLength)?;
    Ok(File { path: name.to_path_buf(), length, padding: false })
}

fn read_files(keys: Keys<'_, '_>) -> Result<Vec<File>, TorrentError> {
    if keys.has("length") {
        return Err(TorrentError::LengthAndFiles);
    }
    let list = keys.list("files")?.unwrap_or_default();
    if list.is_empty() {
        return Err(TorrentError::NoFiles);
    }
    if list.len() > limits::FILES {
        return Err(TorrentError::TooLong { key: keys.name("files"), limit: limits::FILES, unit: "files" });
    }
    list.iter().enumerate().map(|(index, value)| read_file(index, value)).collect()
}

fn read_file(index: usize, value: &Value<'_>) -> Result<File, TorrentError> {
    let expected = "a dictionary";
    let wrong = || TorrentError::WrongType { key: format!("info.files[{index}]"), expected };
    let keys = Keys { dict: value.as_dict().ok_or_else(wrong)?, place: Place::File(index) };
    let attributes = refuse_link(keys)?;
    let path = read_path(keys)?;
    let length = keys.length("length")?.ok_or_else(|| keys.missing("length"))?;
    let padding = attributes.contains(&b'p') || is_bitcomet_padding(&path);
    Ok(File { path, length, padding })
}

/// The letters of `attr` (BEP 47), unless `l` is among them.
fn refuse_link<'a>(keys: Keys<'a, '_>) -> Result<&'a [u8], TorrentError> {
    let attributes = keys.bytes("attr")?.unwrap_or_default();
    if attributes.contains(&b'l') {
        return Err(TorrentError::Symlink { key: keys.name("attr") });
    }
    Ok(attributes)
}

/// BitComet aligned files before BEP 47 gave padding an attribute; it is known by its name. Other clients skip such
/// files too, so that they may be missing from disk.
fn is_bitcomet_padding(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"_____padding_file_"))
}

fn read_path(keys: Keys<'_, '_>) -> Result<PathBuf, TorrentError> {
    // written beside `path` by programs that kept `path` in a local encoding
    if let Some(names) = keys.list("path.utf-8")? {
        let names = read_names(keys, "path.utf-8", names)?;
        if names.iter().all(|name| std::str::from_utf8(name).is_ok()) {
            return join_names(keys, "path.utf-8", names);
        }
    }
    let names = keys.list("path")?.ok_or_else(|| keys.missing("path"))?;
    join_names(keys, "path", read_names(keys, "path", names)?)
}

fn read_names<'a>(keys: Keys<'_, '_>, key: &str, list: &[Value<'a>]) -> Result<Vec<&'a [u8]>, TorrentError> {
    list.iter().map(|name| name.as_bytes().ok_or_else(|| keys.wrong_type(key, "a list of strings"))).collect()
}

fn join_names(keys: Keys<'_, '_>, key: &str, names: Vec<&[u8]>) -> Result<PathBuf, TorrentError> {
    path::join(names).map_err(|fault| TorrentError::Path { key: keys.name(key), fault })
}

/// Where in the raw dictionary the hashes stand.
fn read_hashes(keys: Keys<'_, '_>, geometry: &Geometry) -> Result<Range<usize>, TorrentError> {
    let pieces = keys.bytes("pieces")?.ok_or_else(|| keys.missing("pieces"))?;
    if !pieces.len().is_multiple_of(20) {
        return Err(TorrentError::RaggedHashes { bytes: pieces.len() });
    }
    let (found, needed) = (pieces.len() / 20, usize::try_from(geometry.pieces()).expect("64-bit"));
    if found != needed {
        return Err(TorrentError::HashCount { found, needed });
    }
    let start = pieces.as_ptr().addr() - keys.dict.raw().as_ptr().addr();
    Ok(start..start + pieces.len())
}

fn read_outer(top: Keys<'_, '_>) -> Result<Outer, TorrentError> {
    Ok(Outer {
        trackers: read_trackers(top)?,
        web_seeds: read_web_seeds(top)?,
        comment: top.text("comment")?,
        created_by: top.text("created by")?,
        creation_date: top.integer("creation date")?,
    })
}

/// BEP 12: `announce-list`, where it names any tracker, replaces `announce`. An URL in the place of a tier, which
/// some programs write, is a tier of its own.
fn read_trackers(top: Keys<'_, '_>) -> Result<Vec<Vec<String>>, TorrentError> {
    let key = "announce-list";
    let mut tiers = Vec::new();
    let mut urls = 0;
    for value in top.list(key)?.unwrap_or_default() {
        let tier = match value {
            Value::List(tier) => tier.as_slice(),
            single => std::slice::from_ref(single),
        };
        urls += tier.len();
        check_url_count(top, key, urls)?;
        tiers.push(read_urls(top, key, "a list of lists of strings", tier)?);
    }
    let tiers = tidy_tiers(tiers);
    match top.bytes("announce")? {
        Some(announce) if tiers.is_empty() => {
            Ok(top.url("announce", announce)?.map(|url| vec![url]).into_iter().collect())
        }
        _ => Ok(tiers),
    }
}

/// BEP 19: one string or a list of them.
fn read_web_seeds(top: Keys<'_, '_>) -> Result<Vec<String>, TorrentError> {
    let (key, expected) = ("url-list", "a string or a list of strings");
    match top.dict.get(key.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::List(list)) => {
            check_url_count(top, key, list.len())?;
            read_urls(top, key, expected, list)
        }
        Some(single) => read_urls(top, key, expected, std::slice::from_ref(single)),
    }
}

fn check_url_count(top: Keys<'_, '_>, key: &str, count: usize) -> Result<(), TorrentError> {
    if count > limits::URLS {
        return Err(TorrentError::TooLong { key: top.name(key), limit: limits::URLS, unit: "URLs" });
    }
    Ok(())
}

fn read_urls(
    top: Keys<'_, '_>,
    key: &str,
    expected: &'static str,
    list: &[Value<'_>],
) -> Result<Vec<String>, TorrentError> {
    let mut urls = Vec::new();
    for value in list {
        let bytes = value.as_bytes().ok_or_else(|| top.wrong_type(key, expected))?;
        urls.extend(top.url(key, bytes)?.filter(|url| !urls.contains(url)));
    }
    Ok(urls)
}

/// Drops empty and repeated URLs, and tiers that are left empty.
pub(super) fn tidy_tiers(tiers: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let fresh = |tier: Vec<String>| -> Vec<String> {
        tier.into_iter().filter(|url| !url.is_empty() && seen.insert(url.clone())).collect()
    };
    tiers.into_iter().map(fresh).filter(|tier| !tier.is_empty()).collect()
}
