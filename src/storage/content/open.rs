//! Opening a path that came with a torrent.
//!
//! `openat2` with RESOLVE_BENEATH keeps `..`, absolute links and links out of the root from being followed, atomically.
//! Where it is refused (Linux before 5.6, seccomp profiles) the path is walked a component at a time with O_NOFOLLOW, and
//! no symbolic link is followed at all.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Cause;

/// O_NONBLOCK: opening a FIFO must not wait for its writer.
pub(super) const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// The same for writing, and for reading what was written.
pub(super) const WRITE: OFlags = OFlags::RDWR.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
pub(super) const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// openat2(2) answers EAGAIN when a rename anywhere on the system raced with it, and asks to be called again.
const RACES: usize = 64;

/// Opens the regular file `path` below the folder `root` for reading.
pub(super) fn open(root: &Path, path: &Path) -> Result<File, Cause> {
    open_in(&rustix::fs::openat(CWD, root, FOLDER, Mode::empty()).map_err(io::Error::from)?, path)
}

/// Opens the regular file `path` below `root` for reading.
pub(super) fn open_in(root: &OwnedFd, path: &Path) -> Result<File, Cause> {
    regular(beneath(root, path, READ).map_err(cause)?)
}

/// Opens `path` below `root` in the best way there is.
pub(super) fn beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    match open_beneath(root, path, flags) {
        Err(Errno::NOSYS | Errno::PERM) => open_stepwise(root, path, flags),
        done => done,
    }
}

fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..RACES {
        opened = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve);
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    opened
}

pub(super) fn open_stepwise(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut open = None;
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        if !matches!(name, std::path::Component::Normal(_)) {
            return Err(Errno::XDEV);
        }
        let last = names.peek().is_none();
        let flags = if last { flags } else { FOLDER };
        let folder = open.as_ref().unwrap_or(root);
        match rustix::fs::openat(folder, name.as_os_str(), flags.union(OFlags::NOFOLLOW), Mode::empty()) {
            Ok(opened) if last => return Ok(opened),
            Ok(opened) => open = Some(opened),
            // O_DIRECTORY and O_NOFOLLOW on a link: ENOTDIR, as if it were a file
            Err(Errno::NOTDIR) if is_link(folder, name.as_os_str()) => return Err(Errno::XDEV),
            Err(Errno::LOOP) => return Err(Errno::XDEV),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::NOENT)
}

fn is_link(folder: &OwnedFd, name: &std::ffi::OsStr) -> bool {
    rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

pub(super) fn cause(error: Errno) -> Cause {
    match error {
        Errno::XDEV => Cause::LeavesFolder,
        // what opening a socket answers
        Errno::NXIO => Cause::NotAFile("a socket"),
        _ => Cause::from(io::Error::from(error)),
    }
}

/// Lets only a regular file through, and makes its reads wait again: io_uring takes O_NONBLOCK at its word.
pub(super) fn regular(opened: OwnedFd) -> Result<File, Cause> {
    let stat = rustix::fs::fstat(&opened).map_err(cause)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            rustix::fs::fcntl_setfl(&opened, OFlags::empty()).map_err(cause)?;
            return Ok(File::from(opened));
        }
        FileType::Directory => "a folder",
        FileType::Fifo => "a FIFO",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    };
    Err(Cause::NotAFile(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both ways must agree on: links may be followed by the one and never by the other.
    #[test]
    fn neither_way_leaves_the_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("sub")).expect("folders");
        std::fs::write(folder.path().join("outside"), b"secret").expect("a file");
        std::fs::write(root.join("sub/inside"), b"public").expect("a file");
        std::os::unix::fs::symlink("../outside", root.join("up")).expect("a link");
        std::os::unix::fs::symlink(folder.path().join("outside"), root.join("absolute")).expect("a link");
        std::os::unix::fs::symlink("..", root.join("parent")).expect("a link");
        std::os::unix::fs::symlink("sub/inside", root.join("within")).expect("a link");
        let open_root = || rustix::fs::open(&root, FOLDER, Mode::empty()).expect("the root");
        for path in ["up", "absolute", "parent/outside", "../outside", "/etc/passwd"] {
            assert_eq!(open_beneath(&open_root(), Path::new(path), READ).err(), Some(Errno::XDEV), "{path}");
            assert_eq!(open_stepwise(&open_root(), Path::new(path), READ).err(), Some(Errno::XDEV), "{path} stepwise");
        }
        assert!(open_beneath(&open_root(), Path::new("sub/inside"), READ).is_ok());
        assert!(open_stepwise(&open_root(), Path::new("sub/inside"), READ).is_ok());
        assert!(open_beneath(&open_root(), Path::new("within"), READ).is_ok(), "a link that stays is no harm");
        assert_eq!(open_stepwise(&open_root(), Path::new("within"), READ).err(), Some(Errno::XDEV));
        assert_eq!(open_stepwise(&open_root(), Path::new("sub/none"), READ).err(), Some(Errno::NOENT));
    }
}
