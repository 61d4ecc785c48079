//! Making a file whose path came with a torrent.
//!
//! Confined like opening (see [`super::open`]): a folder is made by its name in a folder that is already open below the root, a
//! file with O_EXCL, which follows no link. A link to nothing is left alone, and told of.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Cause;
use super::open::{FOLDER, WRITE, beneath, cause, regular};

const NEW: OFlags = WRITE.union(OFlags::CREATE).union(OFlags::EXCL);

/// Opens the regular file `path` below `root` for reading and writing. Makes it and the folders on its way where they are not there.
pub(super) fn create(root: &OwnedFd, path: &Path) -> Result<File, Cause> {
    let opened = match beneath(root, path, WRITE) {
        Err(Errno::NOENT) => make(root, path),
        done => done,
    };
    regular(opened.map_err(write_cause)?)
}

/// Opens the regular file `path` below `root`, if it is there, for reading and writing.
pub(super) fn open_to_write(root: &OwnedFd, path: &Path) -> Result<File, Cause> {
    regular(beneath(root, path, WRITE).map_err(|error| match error {
        Errno::NOENT => Cause::Missing,
        error => write_cause(error),
    })?)
}

fn make(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let name = path.file_name().ok_or(Errno::NOENT)?;
    let folder = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => Some(folder(root, parent)?),
        None => None,
    };
    let new = |name: &OsStr| {
        let folder = folder.as_ref().unwrap_or(root);
        rustix::fs::openat(folder, name, NEW, Mode::from_raw_mode(0o666))
    };
    match new(name) {
        // somebody was faster, or it is a link to nothing
        Err(Errno::EXIST) => beneath(root, path, WRITE),
        done => done,
    }
}

/// Opens the folder that `path` is in, made if need be.
pub(super) fn folder_of(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => folder(root, parent),
        None => rustix::io::fcntl_dupfd_cloexec(root, 0),
    }
}

/// Opens the folder `path`, made if need be.
pub(super) fn folder(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match beneath(root, path, FOLDER) {
        Err(Errno::NOENT) => {}
        done => return done,
    }
    let name = path.file_name().ok_or(Errno::NOENT)?;
    let mode = Mode::from_raw_mode(0o777);
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => made(rustix::fs::mkdirat(folder(root, parent)?, name, mode))?,
        None => made(rustix::fs::mkdirat(root, name, mode))?,
    }
    beneath(root, path, FOLDER)
}

/// Another may have been faster.
pub(super) fn made(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    if result == Err(Errno::EXIST) { Ok(()) } else { result }
}

/// What a failure to make, lengthen or write a file means.
pub(super) fn write_cause(error: Errno) -> Cause {
    match error {
        Errno::NOSPC => Cause::NoSpace,
        Errno::DQUOT => Cause::Quota,
        Errno::ROFS => Cause::ReadOnly,
        Errno::ACCESS | Errno::PERM => Cause::Unwritable,
        Errno::NAMETOOLONG => Cause::LongName,
        Errno::FBIG => Cause::TooLarge,
        Errno::ISDIR => Cause::NotAFile("a folder"),
        Errno::NOTDIR => Cause::FileIsFolder,
        // it was to be made: only a link to nothing is still not there
        Errno::NOENT => Cause::DeadLink,
        error => cause(error),
    }
}

impl Cause {
    /// What a failed write means.
    pub(crate) fn of_write(error: io::Error) -> Cause {
        Errno::from_io_error(&error).map_or(Cause::Io(error), write_cause)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn create(root: &Path, path: &Path) -> Result<File, Cause> {
        let root = rustix::fs::open(root, FOLDER, Mode::empty()).expect("a folder");
        super::create(&root, path)
    }
    use crate::storage::content::open::open_stepwise;

    /// A root with links of every kind, and a folder beside it that nothing may get into.
    fn scene() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub")).expect("folders");
        fs::create_dir(folder.path().join("outside")).expect("a folder");
        fs::write(folder.path().join("outside/file"), b"secret").expect("a file");
        symlink("../outside", root.join("out")).expect("a link");
        symlink(folder.path().join("outside"), root.join("absolute")).expect("a link");
        symlink("../outside/file", root.join("file")).expect("a link");
        symlink("../outside/new", root.join("dead")).expect("a link");
        symlink("nothing", root.join("dead within")).expect("a link");
        symlink("sub", root.join("within")).expect("a link");
        (folder, root)
    }

    #[test]
    fn files_and_folders_are_made_below_the_root_and_only_there() {
        let (folder, root) = scene();
        for path in ["new", "a/b/c/new", "within/new"] {
            create(&root, Path::new(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"));
            assert!(root.join(path).is_file(), "{path}");
        }
        assert!(root.join("sub/new").is_file(), "a link that stays is no harm");
        for path in ["out/new", "absolute/new", "out/a/b", "file", "dead", "../new", "/new"] {
            let cause = create(&root, Path::new(path)).expect_err(path);
            assert!(matches!(cause, Cause::LeavesFolder), "{path}: {cause}");
        }
        let cause = create(&root, Path::new("dead within")).expect_err("a link to nothing");
        assert!(matches!(cause, Cause::DeadLink), "{cause}");
        assert!(!root.join("nothing").exists());
        assert_eq!(fs::read_dir(folder.path().join("outside")).expect("a folder").count(), 1);
        assert_eq!(fs::read(folder.path().join("outside/file")).expect("a file"), b"secret");
    }

    #[test]
    fn an_existing_file_keeps_its_bytes_and_may_be_read_and_written() {
        let (_folder, root) = scene();
        fs::write(root.join("sub/old"), b"bytes").expect("a file");
        let file = create(&root, Path::new("sub/old")).expect("opened");
        let mut bytes = [0; 5];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).expect("readable");
        assert_eq!(&bytes, b"bytes");
        std::os::unix::fs::FileExt::write_all_at(&file, b"B", 0).expect("writable");
    }

    #[test]
    fn what_stands_in_the_way_is_told_by_its_kind() {
        let (_folder, root) = scene();
        fs::write(root.join("plain"), b"").expect("a file");
        rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("a FIFO");
        let failed = |path: &str| create(&root, Path::new(path)).expect_err(path);
        assert!(matches!(failed("sub"), Cause::NotAFile("a folder")));
        assert!(matches!(failed("fifo"), Cause::NotAFile("a FIFO")));
        assert!(matches!(failed("plain/new"), Cause::FileIsFolder));
        assert!(matches!(failed(&"n".repeat(256)), Cause::LongName));
    }

    #[test]
    fn the_way_without_openat2_makes_the_same_folders() {
        let (_folder, root) = scene();
        let root = rustix::fs::openat(rustix::fs::CWD, &root, FOLDER, Mode::empty()).expect("the root");
        let again = |path: &str, flags| open_stepwise(&root, Path::new(path), flags).err();
        assert_eq!(again("out", FOLDER), Some(Errno::XDEV));
        assert_eq!(again("dead", WRITE), Some(Errno::XDEV));
        assert_eq!(again("sub", FOLDER), None);
        assert_eq!(again("none", FOLDER), Some(Errno::NOENT));
    }
}
