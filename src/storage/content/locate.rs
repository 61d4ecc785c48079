//! Where a torrent's files are, given the path that a person typed.

use std::io;
use std::path::{Path, PathBuf};

use crate::metainfo::Metainfo;

use super::{Content, ContentError};

/// Files that are looked for to tell the content's folder from its parent.
const SAMPLES: usize = 16;

/// See [`Content::of`]. Links in `path` itself are followed: the operator named them.
pub(super) fn locate(torrent: &Metainfo, path: &Path) -> Result<Content, ContentError> {
    let failed = |source| ContentError::Path { path: path.to_owned(), source };
    let real = path.canonicalize().map_err(failed)?;
    let is_folder = real.metadata().map_err(failed)?.is_dir();
    if torrent.is_single_file() {
        return single(torrent, real, is_folder).map_err(failed);
    }
    if !is_folder {
        return Err(ContentError::NotAFolder { path: path.to_owned(), files: torrent.files().len() });
    }
    Ok(inside(torrent, &folder(torrent, real)))
}

/// See [`Content::below`].
pub(super) fn below(torrent: &Metainfo, out: &Path) -> Result<Content, ContentError> {
    let failed = |path: &Path, source| ContentError::Path { path: path.to_owned(), source };
    std::fs::create_dir_all(out).map_err(|error| failed(out, error))?;
    let real = out.canonicalize().map_err(|error| failed(out, error))?;
    if torrent.is_single_file() {
        return single(torrent, real, true).map_err(|error| failed(out, error));
    }
    let named = real.join(torrent.file_name());
    if named.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(inside(torrent, &named));
    }
    let root = named.canonicalize().map_err(|error| failed(&named, error))?;
    if !root.starts_with(&real) {
        return Err(ContentError::LeadsOut(named));
    }
    if !root.is_dir() {
        return Err(ContentError::FileInPlace(named));
    }
    Ok(inside(torrent, &root))
}

/// A folder's files, below `root`.
fn inside(torrent: &Metainfo, root: &Path) -> Content {
    let mut content = Content::empty(root);
    for file in torrent.files() {
        if file.is_padding() {
            content.push_padding(file.length());
        } else {
            content.push(file.path(), file.length());
        }
    }
    content
}

fn single(torrent: &Metainfo, real: PathBuf, is_folder: bool) -> io::Result<Content> {
    let (root, name) = if is_folder {
        (real.as_path(), torrent.file_name())
    } else {
        let no_parent = || io::Error::from(io::ErrorKind::InvalidInput);
        (real.parent().ok_or_else(no_parent)?, real.file_name().ok_or_else(no_parent)?)
    };
    let mut content = Content::empty(root);
    content.push(Path::new(name), torrent.geometry().total());
    Ok(content)
}

/// `real` or the folder of the torrent's name in it, whichever holds some of the first files; the latter if both do, as
/// that is where clients put them.
fn folder(torrent: &Metainfo, real: PathBuf) -> PathBuf {
    let holds_some = |root: &Path| {
        let stored = torrent.files().iter().filter(|file| !file.is_padding());
        stored.take(SAMPLES).any(|file| root.join(file.path()).symlink_metadata().is_ok())
    };
    let inner = real.join(torrent.file_name());
    if holds_some(&inner) || (!holds_some(&real) && inner.is_dir()) { inner } else { real }
}
