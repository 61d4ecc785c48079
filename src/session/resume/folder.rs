//! Folders and files of other programs.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::limits;

use super::ReadError;

/// Files in one folder: a program with more torrents than this has not been seen.
const ENTRIES: usize = 4 * 1024 * 1024;
/// Bytes of one file: resume data of the largest torrent, with its metadata inside.
const BYTES: u64 = 2 * limits::TORRENT_FILE as u64;

/// Files in `folder` whose names end with `suffix`, in the order of their names.
pub(super) fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)?.take(ENTRIES) {
        let path = entry.map_err(failed)?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(suffix.as_bytes())) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A file as a whole; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(BYTES + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > BYTES => Err(format!("is longer than {BYTES} bytes: not a file of this kind")),
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// The name of a file without `suffix`.
pub(super) fn stem<'a>(path: &'a Path, suffix: &str) -> &'a str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(suffix).unwrap_or(name)
}
