//! Paths from strangers: what may become a file name, and which names exclude each other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::limits;

use super::{File, PathFault, TorrentError};

/// Checks that `name` can be one name in a folder and nothing more. A backslash may stand in it: on Linux it is a
/// letter like others.
pub(super) fn component(name: &[u8]) -> Result<&OsStr, PathFault> {
    match name {
        b"" => Err(PathFault::EmptyComponent),
        b"." => Err(PathFault::CurrentFolder),
        b".." => Err(PathFault::ParentFolder),
        _ if name.contains(&0) => Err(PathFault::Nul),
        _ if name.contains(&b'/') => Err(PathFault::Separator),
        _ if name.len() > limits::NAME_LENGTH => Err(PathFault::LongComponent),
        _ => Ok(OsStr::from_bytes(name)),
    }
}

/// Joins checked components to a relative path.
pub(super) fn join<'a>(components: impl IntoIterator<Item = &'a [u8]>) -> Result<PathBuf, PathFault> {
    let mut path = PathBuf::new();
    for name in components {
        path.push(component(name)?);
        if path.as_os_str().len() > limits::PATH_LENGTH {
            return Err(PathFault::LongPath);
        }
    }
    if path.as_os_str().is_empty() { Err(PathFault::NoComponents) } else { Ok(path) }
}

/// Refuses two files of one path, and files that are folders on the way to others. Padding is never on disk, and
/// programs that write it give one path to many, so it is left out.
pub(super) fn check_conflicts(files: &[File]) -> Result<(), TorrentError> {
    let mut paths: Vec<&Path> = files.iter().filter(|file| !file.is_padding()).map(File::path).collect();
    // compared component by component, so that everything inside `a` directly follows `a`: neighbours are enough
    paths.sort_unstable();
    for pair in paths.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if first == second {
            return Err(TorrentError::DuplicatePath { path: first.to_string_lossy().into_owned() });
        }
        if second.starts_with(first) {
            return Err(TorrentError::FileIsFolder {
                path: first.to_string_lossy().into_owned(),
                inside: second.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}
