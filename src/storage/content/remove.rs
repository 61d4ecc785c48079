//! Removing a torrent's files, and nothing else.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::open::{FOLDER, beneath};
use super::{Cause, Content, FileFault};
use crate::ids::FileIndex;

impl Content {
    /// Removes the files, then the folders that they leave empty, the root of a torrent of several files included; what could not be
    /// removed. Confined to the root: a link is removed, not followed. What is not the torrent's stays.
    pub fn remove(&self) -> Vec<FileFault> {
        let Ok(root) = self.open_root() else { return Vec::new() };
        let fault = |file| self.remove_file(&root, file).err();
        let faults = self.stored().filter_map(fault).collect();
        self.sweep(&root);
        faults
    }

    /// Removes one file; that it is not there is as good.
    pub(super) fn remove_file(&self, root: &OwnedFd, file: FileIndex) -> Result<(), FileFault> {
        match unlink(root, &self.entry(file).path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(self.fault(file, Cause::from(std::io::Error::from(error)))),
        }
    }

    /// Removes the folders of its files that are empty, the root of a torrent of several files included.
    pub(super) fn sweep(&self, root: &OwnedFd) {
        let folders = self.stored().flat_map(|file| self.entry(file).path.ancestors().skip(1));
        let folders: BTreeSet<&Path> = folders.filter(|folder| !folder.as_os_str().is_empty()).collect();
        // the deepest first; one that is not empty stays
        for folder in folders.iter().rev() {
            let _ = unlink(root, folder, AtFlags::REMOVEDIR);
        }
        if self.place() == self.root {
            let _ = self.remove_root();
        }
    }
}

fn unlink(root: &OwnedFd, path: &Path, flags: AtFlags) -> rustix::io::Result<()> {
    let name = path.file_name().ok_or(Errno::NOENT)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => rustix::fs::unlinkat(beneath(root, parent, FOLDER)?, name, flags),
        None => rustix::fs::unlinkat(root, name, flags),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_torrents_files_go_and_nothing_else() {
        let scratch = tempfile::tempdir().expect("a folder");
        let root = scratch.path().join("name");
        fs::create_dir_all(root.join("a/b")).expect("made");
        fs::create_dir_all(root.join("c")).expect("made");
        fs::write(scratch.path().join("outside"), b"").expect("written");
        fs::write(root.join("a/b/one"), b"1").expect("written");
        fs::write(root.join("c/two"), b"2").expect("written");
        fs::write(root.join("c/foreign"), b"").expect("written");
        std::os::unix::fs::symlink(scratch.path(), root.join("out")).expect("made");
        let mut content = Content::empty(&root);
        for path in ["a/b/one", "c/two", "out/outside", "not/there"] {
            content.push(Path::new(path), 1);
        }
        let faults: Vec<_> = content.remove().into_iter().map(|fault| fault.path).collect();
        assert_eq!(faults, [root.join("out/outside")]);
        assert!(scratch.path().join("outside").exists() && root.join("c/foreign").exists());
        assert!(!root.join("a").exists() && !root.join("c/two").exists());
    }

    #[test]
    fn the_folder_that_a_single_file_is_in_stays() {
        let scratch = tempfile::tempdir().expect("a folder");
        fs::write(scratch.path().join("file"), b"1").expect("written");
        let mut content = Content::empty(scratch.path());
        content.push(Path::new("file"), 1);
        assert!(content.remove().is_empty());
        assert!(scratch.path().exists() && !scratch.path().join("file").exists());
    }
}
