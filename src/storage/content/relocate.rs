//! Moving a torrent's files.
//!
//! On one file system files are renamed. To another they are copied first, all of them; each gets its name when it is there whole and
//! synced, and only then are the old ones removed. What fails before that is undone, so that the files are at one place or the
//! other. Killed in between, the same move goes on where it was: files that are at their new place already are taken for moved.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::create::{folder_of, write_cause};
use super::open::{FOLDER, READ, beneath, cause};
use super::{Cause, Content, FileFault, Identity};
use crate::ids::FileIndex;

/// Bytes copied between two looks at whether to go on.
const STEP: u64 = 8 << 20;

/// Why files were not moved. They are where they were, unless the text says otherwise.
#[derive(thiserror::Error, Debug)]
pub enum RelocateError {
    /// One of them.
    #[error(transparent)]
    File(#[from] FileFault),
    /// It was told to end.
    #[error("interrupted")]
    Cancelled,
}

/// One file's way.
struct Step<'a> {
    file: FileIndex,
    from: &'a Path,
    to: &'a Path,
}

/// What was done and may have to be undone.
#[derive(Default)]
struct Done<'a> {
    renamed: Vec<Step<'a>>,
    copied: Vec<Step<'a>>,
}

impl Content {
    /// Moves the files that are there to where `to` has them: the same torrent's content at another place. `progress` is told of
    /// bytes; set `cancel` to end early. `again`: it may have been begun before.
    pub fn relocate(
        &self,
        to: &Content,
        again: bool,
        progress: &dyn Fn(u64),
        cancel: &AtomicBool,
    ) -> Result<(), RelocateError> {
        let fault = |file, cause| self.fault(file, cause);
        let Some(first) = self.stored().next() else { return Ok(()) };
        let root = self.open_root().map_err(|error| fault(first, cause(error)))?;
        let new_root = to.make_root().map_err(|error| to.fault(first, write_cause(error)))?;
        let mut mover = Mover { from: self, to, root, new_root, again, progress, cancel };
        let mut done = Done::default();
        if let Err(error) = mover.carry(&mut done) {
            mover.undo(&done);
            return Err(error);
        }
        // what cannot be removed stays behind as a second copy
        done.copied.iter().for_each(|step| drop(self.remove_file(&mover.root, step.file)));
        self.sweep(&mover.root);
        Ok(())
    }
}

struct Mover<'a> {
    from: &'a Content,
    to: &'a Content,
    root: OwnedFd,
    new_root: OwnedFd,
    again: bool,
    progress: &'a dyn Fn(u64),
    cancel: &'a AtomicBool,
}

impl<'a> Mover<'a> {
    fn carry(&mut self, done: &mut Done<'a>) -> Result<(), RelocateError> {
        for file in self.from.stored() {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(RelocateError::Cancelled);
            }
            let step = Step { file, from: &self.from.entry(file).path, to: &self.to.entry(file).path };
            let opened = match beneath(&self.root, step.from, READ) {
                // not made yet, or moved before
                Err(Errno::NOENT) => continue,
                opened => File::from(opened.map_err(|error| self.from.fault(file, cause(error)))?),
            };
            let there = beneath(&self.new_root, step.to, READ).map(File::from);
            match there {
                // the same file by another way: it must not be removed
                Ok(there) if same(&opened, &there) => continue,
                // copied whole before, and not removed yet
                Ok(there) if self.again && as_long(&opened, &there) => {
                    done.copied.push(step);
                    continue;
                }
                Ok(_) => return Err(self.to.fault(file, Cause::Taken).into()),
                Err(_) => {}
            }
            match self.rename(&step) {
                Ok(()) => {
                    (self.progress)(self.from.length(file));
                    done.renamed.push(step);
                }
                Err(Errno::XDEV) => {
                    self.copy(&step, opened)?;
                    done.copied.push(step);
                }
                Err(error) => return Err(self.to.fault(file, write_cause(error)).into()),
            }
        }
        Ok(())
    }

    fn rename(&self, step: &Step<'_>) -> rustix::io::Result<()> {
        let (old, new) = (parent(&self.root, step.from)?, folder_of(&self.new_root, step.to)?);
        let name = |path: &Path| path.file_name().map(|name| name.to_owned()).ok_or(Errno::NOENT);
        rustix::fs::renameat_with(&old, name(step.from)?, &new, name(step.to)?, RenameFlags::NOREPLACE)
    }

    /// Copies to a name of its own first, so that a file under its right name is whole.
    fn copy(&self, step: &Step<'_>, mut from: File) -> Result<(), RelocateError> {
        let fault = |error: io::Error| self.to.fault(step.file, Cause::of_write(error));
        let folder =
            folder_of(&self.new_root, step.to).map_err(|error| self.to.fault(step.file, write_cause(error)))?;
        let name = step.to.file_name().unwrap_or_default();
        let temporary = PathBuf::from(format!(".sower-{:08x}.moving", fastrand::u32(..)));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let opened = rustix::fs::openat(&folder, &temporary, flags, mode);
        let mut to = File::from(opened.map_err(|error| self.to.fault(step.file, write_cause(error)))?);
        let copied = self.pour(&mut from, &mut to).and_then(|finished| {
            keep_times(&from, &to)?;
            to.sync_all()?;
            Ok(finished)
        });
        let result = match copied {
            Ok(true) => rustix::fs::renameat_with(&folder, &temporary, &folder, name, RenameFlags::NOREPLACE)
                .map_err(|error| fault(error.into()).into()),
            Ok(false) => Err(RelocateError::Cancelled),
            Err(error) => Err(fault(error).into()),
        };
        if result.is_err() {
            let _ = rustix::fs::unlinkat(&folder, &temporary, rustix::fs::AtFlags::empty());
        }
        result
    }

    /// Whether it came to the end.
    fn pour(&self, from: &mut File, to: &mut File) -> io::Result<bool> {
        loop {
            let copied = io::copy(&mut Read::by_ref(from).take(STEP), to)?;
            (self.progress)(copied);
            if copied == 0 {
                to.flush()?;
                return Ok(true);
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
    }

    fn undo(&self, done: &Done<'a>) {
        for step in &done.renamed {
            let back = || {
                let (old, new) = (parent(&self.root, step.from)?, parent(&self.new_root, step.to)?);
                let (Some(from), Some(to)) = (step.from.file_name(), step.to.file_name()) else { return Ok(()) };
                rustix::fs::renameat_with(&new, to, &old, from, RenameFlags::NOREPLACE)
            };
            // what cannot be renamed back is found again by the next start of the same move
            let _: rustix::io::Result<()> = back();
        }
        for step in &done.copied {
            if let (Ok(folder), Some(name)) = (parent(&self.new_root, step.to), step.to.file_name()) {
                let _ = rustix::fs::unlinkat(&folder, name, rustix::fs::AtFlags::empty());
            }
        }
    }
}

/// The folder that `path` is in, open.
fn parent(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => beneath(root, parent, FOLDER),
        None => rustix::io::fcntl_dupfd_cloexec(root, 0),
    }
}

fn same(one: &File, other: &File) -> bool {
    let place = |file: &File| Identity::of(file).ok().map(|identity| (identity.device, identity.inode));
    place(one).is_some_and(|place_of_one| Some(place_of_one) == place(other))
}

fn as_long(one: &File, other: &File) -> bool {
    let length = |file: &File| file.metadata().ok().map(|metadata| metadata.len());
    length(one).is_some_and(|length_of_one| Some(length_of_one) == length(other))
}

fn keep_times(from: &File, to: &File) -> io::Result<()> {
    let identity = Identity::of(from)?;
    let time = Timespec { tv_sec: identity.modified, tv_nsec: identity.modified_nanos };
    rustix::fs::futimens(to, &Timestamps { last_access: time, last_modification: time })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn content(root: &Path, paths: &[&str]) -> Content {
        let mut content =
            Content::within(root.parent().expect("a folder"), Path::new(root.file_name().expect("a name")));
        paths.iter().for_each(|path| content.push(Path::new(path), 3));
        content
    }

    fn filled(root: &Path, paths: &[&str]) -> Content {
        for path in paths {
            fs::create_dir_all(root.join(path).parent().expect("in a folder")).expect("made");
            fs::write(root.join(path), b"abc").expect("written");
        }
        content(root, paths)
    }

    fn relocate(from: &Content, to: &Content) -> Result<(), RelocateError> {
        from.relocate(to, false, &|_| {}, &AtomicBool::new(false))
    }

    fn elsewhere() -> tempfile::TempDir {
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        folder.expect("a folder")
    }

    #[test]
    fn files_move_within_a_disk_and_to_another_and_leave_no_empty_folders() {
        for there in [tempfile::tempdir().expect("a folder"), elsewhere()] {
            let here = tempfile::tempdir().expect("a folder");
            let from = filled(&here.path().join("t"), &["a/one", "two"]);
            fs::write(here.path().join("other"), b"").expect("written");
            let to = content(&there.path().join("new/t2"), &["a/one", "b/second"]);
            let before = from.identities().expect("there");
            relocate(&from, &to).expect("moved");
            let after = to.identities().expect("there");
            assert!(before.iter().zip(&after).all(|(one, other)| one.modified_nanos == other.modified_nanos));
            assert!(!here.path().join("t").exists() && here.path().join("other").exists());
            assert_eq!(fs::read(there.path().join("new/t2/b/second")).expect("there"), b"abc");
        }
    }

    #[test]
    fn what_cannot_be_moved_stays_as_it_was() {
        for there in [tempfile::tempdir().expect("a folder"), elsewhere()] {
            let here = tempfile::tempdir().expect("a folder");
            let from = filled(here.path(), &["one", "two"]);
            fs::write(there.path().join("two"), b"foreign").expect("written");
            let to = content(there.path(), &["one", "two"]);
            let error = relocate(&from, &to).expect_err("in the way").to_string();
            assert!(error.contains("two") && error.contains("move it away"), "{error}");
            assert_eq!(from.identities().expect("both there").len(), 2);
            assert_eq!(fs::read(there.path().join("two")).expect("there"), b"foreign");
            assert_eq!(fs::read_dir(there.path()).expect("there").count(), 1);
        }
    }

    #[test]
    fn a_file_that_is_its_own_goal_stays() {
        let here = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(here.path(), here.path().join("link")).expect("made");
        let from = filled(here.path(), &["one"]);
        let mut to = Content::within(&here.path().join("link"), Path::new(""));
        to.push(Path::new("one"), 3);
        relocate(&from, &to).expect("nothing to do");
        assert_eq!(from.identities().expect("still there").len(), 1);
    }

    #[test]
    fn a_move_that_was_cut_off_goes_on() {
        let (here, there) = (tempfile::tempdir().expect("a folder"), elsewhere());
        let from = filled(here.path(), &["one", "two", "three"]);
        let to = content(there.path(), &["one", "two", "three"]);
        // the first is moved, the second is copied and not yet removed
        fs::rename(here.path().join("one"), here.path().join("x")).expect("moved");
        fs::copy(here.path().join("x"), there.path().join("one")).expect("copied");
        fs::copy(here.path().join("two"), there.path().join("two")).expect("copied");
        from.relocate(&to, true, &|_| {}, &AtomicBool::new(false)).expect("moved");
        assert_eq!(to.identities().expect("all there").len(), 3);
        assert!(!here.path().join("two").exists());
    }
}
