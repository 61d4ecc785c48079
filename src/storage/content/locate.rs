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
    let mut content = Content::empty(&folder(torrent, real));
    for file in torrent.files() {
        if file.is_padding() {
            content.push_padding(file.length());
        } else {
            content.push(file.path(), file.length());
        }
    }
    Ok(content)
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
