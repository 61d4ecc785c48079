//! What is in a folder that a torrent is to be made of.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::limits;

use super::{Cause, Identity, open};

/// A file, or a folder with all that is in it.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The folder itself; of a single file the folder that it is in.
    pub root: PathBuf,
    /// Name of the file or folder, for the torrent.
    pub name: OsString,
    /// It is one file, not a folder.
    pub single_file: bool,
    /// Files below `root` with their lengths, sorted by path, a component at a time and bytewise. Hidden files are
    /// files; folders without any are not seen.
    pub files: Vec<(PathBuf, u64)>,
    /// What is there and cannot be part of a torrent.
    pub left_out: Vec<LeftOut>,
}

/// Something in the folder that is not among the files.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} is left out: it is {reason}", .path.display())]
pub struct LeftOut {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something cannot be part of a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Reason {
    /// Not a file: FIFO, socket, device.
    #[error("{0}")]
    Special(&'static str),
    /// A symbolic link that points out of the folder.
    #[error("a symbolic link that leads out of the folder")]
    LinkOut,
    /// A symbolic link to a folder: following it would list files twice, or for ever.
    #[error("a symbolic link to a folder")]
    LinkToFolder,
    /// A symbolic link to nothing.
    #[error("a symbolic link to nothing")]
    LinkToNothing,
}

/// Why the walk was given up.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// Something could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// The path has no name of its own, such as `/`.
    #[error("{} has no name that a torrent could carry", .0.display())]
    Nameless(PathBuf),
    /// More than a torrent may have.
    #[error("{} holds more than {} files, the most that a torrent may have here", .0.display(), limits::FILES)]
    TooMany(PathBuf),
}

impl Walk {
    /// Looks at `path` and everything below it. Opens every file once, so that one which cannot be read is an error now
    /// and not after an hour of hashing.
    pub fn new(path: &Path) -> Result<Walk, WalkError> {
        let real = path.canonicalize().map_err(|error| unreadable(path, Cause::from(error)))?;
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
            return Err(WalkError::Nameless(path.to_owned()));
        };
        let single_file = !real.is_dir();
        let root = if single_file { parent } else { &real };
        let mut walk = Walk {
            root: root.to_owned(),
            // a link has the name that the operator sees
            name: path.file_name().unwrap_or(name).to_owned(),
            single_file,
            files: Vec::new(),
            left_out: Vec::new(),
        };
        if single_file {
            walk.add(PathBuf::from(name))?;
        } else {
            walk.folders()?;
            walk.files.sort_unstable();
            walk.left_out.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(walk)
    }

    fn folders(&mut self) -> Result<(), WalkError> {
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            let failed = |error| unreadable(&self.root.join(&folder), Cause::from(error));
            let entries: io::Result<Vec<_>> = fs::read_dir(self.root.join(&folder)).and_then(Iterator::collect);
            for entry in entries.map_err(failed)? {
                let path = folder.join(entry.file_name());
                let kind = entry.file_type().map_err(|error| unreadable(&self.root.join(&path), error.into()))?;
                if kind.is_dir() {
                    waiting.push(path);
                } else {
                    self.entry(path, kind)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, kind: FileType) -> Result<(), WalkError> {
        if kind.is_file() {
            return self.add(path);
        }
        let reason = if kind.is_symlink() {
            match open::open(&self.root, &path) {
                Ok(_) => return self.add(path),
                Err(Cause::LeavesFolder) => Reason::LinkOut,
                Err(Cause::Missing) => Reason::LinkToNothing,
                Err(Cause::NotAFile("a folder")) => Reason::LinkToFolder,
                Err(Cause::NotAFile(what)) => Reason::Special(what),
                Err(cause) => return Err(unreadable(&self.root.join(&path), cause)),
            }
        } else {
            Reason::Special(special(kind))
        };
        self.left_out.push(LeftOut { path: self.root.join(path), reason });
        Ok(())
    }

    fn add(&mut self, path: PathBuf) -> Result<(), WalkError> {
        if self.files.len() == limits::FILES {
            return Err(WalkError::TooMany(self.root.clone()));
        }
        let identity = open::open(&self.root, &path).and_then(|file| Ok(Identity::of(&file)?));
        let identity = identity.map_err(|cause| unreadable(&self.root.join(&path), cause))?;
        self.files.push((path, identity.size));
        Ok(())
    }
}

fn special(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

fn unreadable(path: &Path, source: Cause) -> WalkError {
    WalkError::Unreadable { path: path.to_owned(), source }
}
