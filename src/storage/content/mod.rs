//! A torrent's files on disk: where they are, opened without leaving their folder, and whether they are still the same.
//!
//! Paths come from torrents and folders change under us, so nothing here is opened by a joined path alone: every open is
//! confined to the content's root (see [`open`]), cannot hang on a FIFO, and ends with a regular file or a
//! [`FileFault`] that says what to do. Nothing is kept open: thousands of torrents cost no descriptors, and a disk that
//! nobody reads can be unmounted.

mod create;
mod identity;
mod locate;
mod open;
mod relocate;
mod remove;
mod root;
mod walk;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

pub use identity::Identity;
pub use relocate::RelocateError;
pub use walk::{LeftOut, Reason, Walk, WalkError};

use crate::ids::FileIndex;
use crate::metainfo::{self, Metainfo};
use crate::storage::Files;

/// The files of one torrent, in its order, and the folder that confines them.
#[derive(Clone, Debug)]
pub struct Content {
    root: PathBuf,
    /// What the root itself must not lead out of; see [`root`].
    fence: Option<PathBuf>,
    files: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Below the root.
    path: PathBuf,
    length: u64,
    padding: bool,
}

/// Why a file of the content cannot be used.
#[derive(thiserror::Error, Debug)]
#[error("{}: {cause}", .path.display())]
pub struct FileFault {
    /// Which one.
    pub file: FileIndex,
    /// Where it is, or should be.
    pub path: PathBuf,
    /// Why.
    pub cause: Cause,
}

/// What is wrong with a file.
#[derive(thiserror::Error, Debug)]
pub enum Cause {
    /// It is not there.
    #[error("no such file; put it there, or name the folder that holds it")]
    Missing,
    /// It is there and has another length.
    #[error("has {found} bytes where the torrent says {expected}; it is incomplete or another version")]
    WrongSize {
        /// Bytes that the torrent says.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// A folder, FIFO, socket or device stands in its place.
    #[error("is {0}, not a regular file; move it away, or choose another folder")]
    NotAFile(&'static str),
    /// A symbolic link points out of the content's folder.
    #[error(
        "is, or lies behind, a symbolic link that leads out of the folder; copy the file here, bind-mount it, or name the folder that it leads to"
    )]
    LeavesFolder,
    /// It was made for the download that is under way, and is not there any more, or not all of it.
    #[error("was removed, replaced or cut short while it was downloaded")]
    TakenAway,
    /// It is to be moved to where another file is.
    #[error("is there already, and another file; move it away, or choose another folder")]
    Taken,
    /// Another process downloads to it.
    #[error("another download of it goes on here; end that one first, or choose another folder")]
    InUse,
    /// The process may not read it.
    #[error("permission denied; make it readable for the user that runs sower")]
    Denied,
    /// It is not the file, or not in the state, that was seen before.
    #[error("changed; check the data again once nothing writes to it")]
    Changed,
    /// The file system is full.
    #[error("no space left; free some, or choose another folder")]
    NoSpace,
    /// The user's share of it is used up.
    #[error("the disk quota is used up; free some space, or choose another folder")]
    Quota,
    /// Nothing may be written there.
    #[error("the file system is read-only; choose another folder")]
    ReadOnly,
    /// The process may not write it.
    #[error("permission denied; make it writable for the user that runs sower, or choose another folder")]
    Unwritable,
    /// The file system has shorter names.
    #[error("the name is longer than this file system takes; choose a folder on another one")]
    LongName,
    /// The file system, or a limit of the process, has shorter files.
    #[error("a file this long is not allowed here; choose a folder on another file system, or raise `ulimit -f`")]
    TooLarge,
    /// It is to be made in a folder, and that is a file.
    #[error("a file stands where one of its folders should be; move it away, or choose another folder")]
    FileIsFolder,
    /// A symbolic link to nothing, which a new file would make something of.
    #[error("is, or lies behind, a symbolic link to nothing; remove the link")]
    DeadLink,
    /// It was there before the download, and is longer.
    #[error(
        "has {found} bytes where the torrent says {expected}, so it is something else; move it away, choose another folder, or \
         say --overwrite"
    )]
    Longer {
        /// Bytes that the torrent says.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// It was there before the download, and has nothing of the torrent's.
    #[error("holds something else: no piece of it is right; move it away, choose another folder, or say --overwrite")]
    Foreign,
    /// Anything else that the system answered.
    #[error("{_0}{}", remedy(_0))]
    Io(#[source] io::Error),
}

/// Why there is no content at a path.
#[derive(thiserror::Error, Debug)]
pub enum ContentError {
    /// The path cannot be looked at.
    #[error("cannot use {}: {source}", .path.display())]
    Path {
        /// As it was given.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The torrent's folder is a link that leads elsewhere.
    #[error("{} is a symbolic link that leads out of its folder; move it away, or choose another folder", .0.display())]
    LeadsOut(PathBuf),
    /// A file stands where the torrent's folder is to be made.
    #[error("{} is a file, where the torrent's folder should be; move it away, or choose another folder", .0.display())]
    FileInPlace(PathBuf),
    /// A torrent of several files, and the path is a file.
    #[error("{} is a file, but the torrent is a folder of {files} files: name that folder or its parent", .path.display())]
    NotAFolder {
        /// As it was given.
        path: PathBuf,
        /// How many files the torrent has.
        files: usize,
    },
}

impl Content {
    /// The content of `torrent` at `path`. A single file: `path` is it, or the folder that holds it under its name. A
    /// folder: `path` is it, or its parent. Files need not exist; [`Content::faults`] tells.
    pub fn of(torrent: &Metainfo, path: &Path) -> Result<Content, ContentError> {
        locate::locate(torrent, path)
    }

    /// Where `torrent` is downloaded to in the folder `out`, which is made if it is not there: `out/name`, or the files in
    /// `out/name`. Links in `out` itself are followed, one at `out/name` only where it stays in `out`.
    pub fn below(torrent: &Metainfo, out: &Path) -> Result<Content, ContentError> {
        locate::below(torrent, out)
    }

    /// No files below `root`, yet.
    pub fn empty(root: &Path) -> Content {
        Content { root: root.to_owned(), fence: None, files: Vec::new() }
    }

    /// No files below `inner` in `folder`, yet. The folder is the owner's choice, an absolute path; `inner` is empty, or the torrent's
    /// word, and leads nowhere out of it.
    pub fn within(folder: &Path, inner: &Path) -> Content {
        Content { root: folder.join(inner), fence: Some(folder.to_owned()), files: Vec::new() }
    }

    /// Makes the root, and what it lies in, where they are not there.
    pub fn make_folder(&self) -> Result<(), FileFault> {
        let fault =
            |error| FileFault { file: FileIndex(0), path: self.root.clone(), cause: create::write_cause(error) };
        self.make_root().map(drop).map_err(fault)
    }

    /// Adds the next file of the torrent: `path` below the root.
    pub fn push(&mut self, path: &Path, length: u64) {
        self.files.push(Entry { path: path.to_owned(), length, padding: false });
    }

    /// Adds zeros that are on no disk.
    pub fn push_padding(&mut self, length: u64) {
        self.files.push(Entry { path: PathBuf::new(), length, padding: true });
    }

    /// Whether `torrent` has these very files, under these names.
    pub fn is_of(&self, torrent: &Metainfo) -> bool {
        let same = |(entry, file): (&Entry, &metainfo::File)| {
            let name = entry.padding || torrent.is_single_file() || entry.path == file.path();
            name && (entry.length, entry.padding) == (file.length(), file.is_padding())
        };
        self.files.len() == torrent.files().len() && self.files.iter().zip(torrent.files()).all(same)
    }

    /// The path that stands for all of it: of a single file its own, else the root.
    pub fn place(&self) -> PathBuf {
        match &self.files[..] {
            [file] if file.path.components().count() == 1 => self.root.join(&file.path),
            _ => self.root.clone(),
        }
    }

    /// The folder that confines the files. Of a single file the folder that it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where `file` is. For messages: open it with [`Content::open`].
    ///
    /// # Panics
    /// If the torrent has no such file.
    pub fn path(&self, file: FileIndex) -> PathBuf {
        self.root.join(&self.entry(file).path)
    }

    /// Bytes of `file`, as the torrent says.
    ///
    /// # Panics
    /// If the torrent has no such file.
    pub fn length(&self, file: FileIndex) -> u64 {
        self.entry(file).length
    }

    /// Opens `file` for reading: confined to the root, and a regular file.
    ///
    /// # Panics
    /// If the torrent has no such file.
    pub fn open(&self, file: FileIndex) -> Result<File, FileFault> {
        let opened =
            self.open_root().map_err(open::cause).and_then(|root| open::open_in(&root, &self.entry(file).path));
        opened.map_err(|cause| self.fault(file, cause))
    }

    /// Opens `file`, which is there, for reading and writing. Confined to the root.
    ///
    /// # Panics
    /// If the torrent has no such file.
    pub(in crate::storage) fn open_to_write(&self, file: FileIndex) -> Result<File, FileFault> {
        let root = self.open_root().map_err(open::cause);
        let opened = root.and_then(|root| create::open_to_write(&root, &self.entry(file).path));
        opened.map_err(|cause| self.fault(file, cause))
    }

    /// Opens `file` for reading and writing, made if it is not there, as are the folders on its way. Confined to the root.
    ///
    /// # Panics
    /// If the torrent has no such file.
    pub(in crate::storage) fn create(&self, file: FileIndex) -> Result<File, FileFault> {
        let root = self.make_root().map_err(create::write_cause);
        let opened = root.and_then(|root| create::create(&root, &self.entry(file).path));
        opened.map_err(|cause| self.fault(file, cause))
    }

    /// The files that should be on disk: all but padding.
    pub fn stored(&self) -> impl Iterator<Item = FileIndex> {
        let indexes = self.files.iter().zip(0..).filter(|(entry, _)| !entry.padding);
        indexes.map(|(_, index)| FileIndex(index))
    }

    /// What `file` is now: size, time of change, place on disk. The size need not be the torrent's.
    pub fn identity(&self, file: FileIndex) -> Result<Identity, FileFault> {
        let opened = self.open(file)?;
        Identity::of(&opened).map_err(|error| self.fault(file, Cause::from(error)))
    }

    /// What every stored file is now, in the order of [`Content::stored`]; or the first fault, a wrong size among them.
    pub fn identities(&self) -> Result<Vec<Identity>, FileFault> {
        self.stored().map(|file| self.complete(file)).collect()
    }

    /// All that stands between the files and being used as they are.
    pub fn faults(&self) -> Vec<FileFault> {
        self.stored().filter_map(|file| self.complete(file).err()).collect()
    }

    /// Whether the stored files are still what [`Content::identities`] said.
    pub fn compare(&self, before: &[Identity]) -> Result<(), FileFault> {
        for (file, before) in self.stored().zip(before) {
            if self.identity(file)? != *before {
                return Err(self.fault(file, Cause::Changed));
            }
        }
        Ok(())
    }

    fn complete(&self, file: FileIndex) -> Result<Identity, FileFault> {
        let identity = self.identity(file)?;
        let expected = self.entry(file).length;
        if identity.size != expected {
            return Err(self.fault(file, Cause::WrongSize { expected, found: identity.size }));
        }
        Ok(identity)
    }

    /// `cause`, with the name of the file.
    pub(crate) fn fault(&self, file: FileIndex, cause: Cause) -> FileFault {
        FileFault { file, path: self.path(file), cause }
    }

    fn entry(&self, file: FileIndex) -> &Entry {
        self.files.get(file.0 as usize).expect("a file of this torrent")
    }
}

/// What a reactor opens its maps through.
impl Files for Content {
    fn open(&self, file: FileIndex) -> io::Result<File> {
        Content::open(self, file).map_err(|fault| match fault.cause {
            Cause::Io(error) => error,
            cause => io::Error::new(cause.kind(), cause),
        })
    }

    fn path(&self, file: FileIndex) -> PathBuf {
        Content::path(self, file)
    }
}

impl Cause {
    fn kind(&self) -> io::ErrorKind {
        match self {
            Cause::Missing => io::ErrorKind::NotFound,
            Cause::Denied => io::ErrorKind::PermissionDenied,
            Cause::LeavesFolder => io::ErrorKind::CrossesDevices,
            Cause::NotAFile(_) | Cause::FileIsFolder | Cause::DeadLink => io::ErrorKind::InvalidInput,
            Cause::WrongSize { .. } | Cause::Changed | Cause::Longer { .. } | Cause::Foreign | Cause::TakenAway => {
                io::ErrorKind::InvalidData
            }
            Cause::InUse => io::ErrorKind::ResourceBusy,
            Cause::Taken => io::ErrorKind::AlreadyExists,
            Cause::NoSpace => io::ErrorKind::StorageFull,
            Cause::Quota => io::ErrorKind::QuotaExceeded,
            Cause::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            Cause::Unwritable => io::ErrorKind::PermissionDenied,
            Cause::LongName => io::ErrorKind::InvalidFilename,
            Cause::TooLarge => io::ErrorKind::FileTooLarge,
            Cause::Io(error) => error.kind(),
        }
    }
}

/// What helps against an error of a disk or of this machine.
fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::IO) => "; look at the disk, `dmesg` tells more",
        Some(Errno::NOTCONN | Errno::STALE | Errno::NODEV | Errno::NXIO | Errno::TIMEDOUT | Errno::HOSTDOWN) => {
            "; its disk is not connected any more: mount it again"
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            "; raise the limit of open files: `LimitNOFILE=` of the service, or `ulimit -n`"
        }
        Some(Errno::NOMEM) => "; this machine has no memory left: end something, or add some",
        _ => "",
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Cause {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Cause::Missing,
            io::ErrorKind::PermissionDenied => Cause::Denied,
            io::ErrorKind::CrossesDevices => Cause::LeavesFolder,
            _ => Cause::Io(error),
        }
    }
}

#[cfg(test)]
mod tests;
