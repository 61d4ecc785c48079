//! Opening the folder that confines a torrent's files.
//!
//! In a daemon it is made of two parts: a folder that the owner chose, and below it the torrent's name, which is a stranger's word. A
//! link of that name which leads out of the folder is not followed: whoever names a torrent like some link of the owner's would have its
//! files written, or removed, behind it. In the folder itself links of this user and of root are followed, and nobody else's: another user
//! of this host may put one in the way after the folder was looked at.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Content;
use super::create::{folder, made};
use super::open::{FOLDER, beneath};

/// Links on one way, as in the kernel (path_resolution(7)).
const LINKS: usize = 40;
const MODE: Mode = Mode::from_raw_mode(0o777);

impl Content {
    /// Opens the root, if it is there.
    pub(super) fn open_root(&self) -> rustix::io::Result<OwnedFd> {
        let Some((fence, inner)) = self.parts() else {
            return rustix::fs::openat(CWD, &self.root, FOLDER, Mode::empty());
        };
        let fence = owned(fence)?;
        if inner.as_os_str().is_empty() { Ok(fence) } else { beneath(&fence, inner, FOLDER) }
    }

    /// Opens the root. Made if it is not there; so is, in a daemon, what it lies in.
    pub(super) fn make_root(&self) -> rustix::io::Result<OwnedFd> {
        let Some((fence, inner)) = self.parts() else { return make(&self.root) };
        let fence = match owned(fence) {
            Err(Errno::NOENT) => walk(fence, true)?,
            done => done?,
        };
        if inner.as_os_str().is_empty() { Ok(fence) } else { folder(&fence, inner) }
    }

    /// Removes the root if it is empty.
    pub(super) fn remove_root(&self) -> rustix::io::Result<()> {
        match self.parts() {
            Some((fence, inner)) => rustix::fs::unlinkat(owned(fence)?, inner, AtFlags::REMOVEDIR),
            None => rustix::fs::unlinkat(CWD, &self.root, AtFlags::REMOVEDIR),
        }
    }

    /// The owner's part, and the torrent's below it.
    fn parts(&self) -> Option<(&Path, &Path)> {
        let fence = self.fence.as_deref()?;
        Some((fence, self.root.strip_prefix(fence).unwrap_or(Path::new(""))))
    }
}

/// Opens a folder that an operator named, and makes it, but not what it lies in.
fn make(root: &Path) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::openat(CWD, root, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => {
            made(rustix::fs::mkdirat(CWD, root, MODE))?;
            rustix::fs::openat(CWD, root, FOLDER.union(OFlags::NOFOLLOW), Mode::empty())
        }
        done => done,
    }
}

/// Opens a folder by its absolute path. Nearly always there is no link on it, and the kernel says so in one call.
fn owned(path: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);
    match rustix::fs::openat2(CWD, path, FOLDER, Mode::empty(), resolve) {
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM | Errno::AGAIN) => walk(path, false),
        done => done,
    }
}

/// The same name by name; what is not there is made if `making`.
fn walk(path: &Path, making: bool) -> rustix::io::Result<OwnedFd> {
    let mut names: Vec<OsString> = reversed(path);
    let (mut open, mut links) = (top()?, 0);
    while let Some(name) = names.pop() {
        open = match rustix::fs::openat(&open, &name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                links += 1;
                let target = link(&open, &name)?;
                names.extend(reversed(&target));
                match target.is_absolute() {
                    _ if links > LINKS => return Err(Errno::LOOP),
                    true => top()?,
                    false => open,
                }
            }
            Err(Errno::NOENT) if making => {
                made(rustix::fs::mkdirat(&open, &name, MODE))?;
                rustix::fs::openat(&open, &name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty())?
            }
            done => done?,
        };
    }
    Ok(open)
}

/// Where a link leads; only of one that belongs to this user or to root.
fn link(folder: &OwnedFd, name: &OsString) -> rustix::io::Result<PathBuf> {
    let itself = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    let link = rustix::fs::openat(folder, name, itself, Mode::empty())?;
    let owner = rustix::fs::fstat(&link)?.st_uid;
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(Errno::XDEV);
    }
    // of what is no link EINVAL or ENOENT: then it is a file in the way
    let target = rustix::fs::readlinkat(&link, "", Vec::new()).map_err(|_| Errno::NOTDIR)?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

fn top() -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, "/", FOLDER, Mode::empty())
}

/// Names on a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{lchown, symlink};

    use super::super::Cause;
    use super::*;

    fn identity(open: &OwnedFd) -> (u64, u64) {
        let stat = rustix::fs::fstat(open).expect("open");
        (stat.st_dev, stat.st_ino)
    }

    #[test]
    fn a_name_of_a_torrent_leads_nowhere_out_of_its_folder() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (chosen, outside) = (scratch.path().join("chosen"), scratch.path().join("outside"));
        fs::create_dir_all(chosen.join("inside")).expect("made");
        fs::create_dir(&outside).expect("made");
        symlink(&outside, chosen.join("out")).expect("a link");
        symlink("../outside", chosen.join("up")).expect("a link");
        symlink("inside", chosen.join("in")).expect("a link");
        let content = |name: &str| Content::within(&chosen, Path::new(name));
        for name in ["out", "up"] {
            assert_eq!(content(name).open_root().err(), Some(Errno::XDEV), "{name}");
            assert_eq!(content(name).make_root().err(), Some(Errno::XDEV), "{name}");
            assert!(content(name).remove_root().is_err() && outside.is_dir(), "{name}");
        }
        assert!(content("in").open_root().is_ok(), "a link that stays is no harm");
        assert_eq!(content("new").open_root().err(), Some(Errno::NOENT));
        content("new").make_root().expect("made");
        content("new").remove_root().expect("empty");
        assert!(!chosen.join("new").exists());
        Content::within(&chosen.join("a/b"), Path::new("c")).make_root().expect("with what it lies in");
        assert!(chosen.join("a/b/c").is_dir());
        for nowhere in
            [Content::empty(Path::new("/proc/nothing")), Content::within(Path::new("/proc/nothing"), Path::new("new"))]
        {
            let fault = nowhere.make_folder().expect_err("nothing is made there");
            assert!(!matches!(fault.cause, Cause::Missing), "{fault}");
        }
    }

    #[test]
    fn both_ways_open_the_same_and_follow_links_of_this_user_and_no_others() {
        let scratch = tempfile::tempdir().expect("a folder");
        let real = scratch.path().canonicalize().expect("there");
        fs::create_dir_all(real.join("disk/films")).expect("made");
        symlink(real.join("disk"), real.join("absolute")).expect("a link");
        symlink("disk/../disk", real.join("relative")).expect("a link");
        symlink("loop", real.join("loop")).expect("a link");
        fs::write(real.join("file"), "").expect("written");
        let films = identity(&owned(&real.join("disk/films")).expect("there"));
        for way in ["disk/films", "absolute/films", "relative/films"] {
            assert_eq!(identity(&owned(&real.join(way)).expect(way)), films, "{way}");
            assert_eq!(identity(&walk(&real.join(way), false).expect(way)), films, "{way} name by name");
        }
        assert_eq!(owned(&real.join("loop/films")).err(), Some(Errno::LOOP));
        for way in [owned(&real.join("file/films")), walk(&real.join("file/films"), true)] {
            assert_eq!(way.err(), Some(Errno::NOTDIR));
        }
        assert_eq!(walk(&real.join("disk/none"), false).err(), Some(Errno::NOENT));
        // who is not root can give nothing away
        if lchown(real.join("absolute"), Some(65_534), None).is_ok() {
            let others = (owned(&real.join("absolute/films")).err(), walk(&real.join("absolute/films"), true).err());
            assert_eq!(others, (Some(Errno::XDEV), Some(Errno::XDEV)));
        }
    }
}
