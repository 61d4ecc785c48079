//! The file of the picture: opened before the run, so that a place where nobody may write is refused at once and not
//! after minutes of measuring. What was there stays until there is something better.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that waits for its picture.
#[derive(Debug)]
pub(super) struct Picture {
    path: PathBuf,
    file: File,
    /// To be removed, should there be no picture in the end.
    is_ours: bool,
}

impl Picture {
    pub(super) fn open(path: &Path) -> anyhow::Result<Picture> {
        let refused = || format!("cannot write {}", path.display());
        let (file, is_ours) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).with_context(refused)?, false)
            }
            made => (made.with_context(refused)?, true),
        };
        Ok(Picture { path: path.to_owned(), file, is_ours })
    }

    pub(super) fn write(mut self, svg: &str) -> anyhow::Result<()> {
        let mut write = || -> std::io::Result<()> {
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.file.write_all(svg.as_bytes())
        };
        let written = write().with_context(|| format!("cannot write {}", self.path.display()));
        self.is_ours &= written.is_err();
        written
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_left_only_with_a_picture_in_it() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("curve.svg");
        drop(Picture::open(&path).expect("a new file"));
        assert!(!path.exists(), "no picture, no file");
        fs::write(&path, "an older and longer one").expect("writable");
        drop(Picture::open(&path).expect("an old file"));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "an older and longer one");
        Picture::open(&path).expect("an old file").write("<svg/>").expect("writable");
        assert_eq!(fs::read_to_string(&path).expect("written"), "<svg/>");
        let error = Picture::open(folder.path()).expect_err("a folder").to_string();
        assert!(error.starts_with("cannot write "), "{error}");
    }
}
