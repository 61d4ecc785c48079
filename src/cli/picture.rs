//! The file of the picture: opened before the run, so that a place where nobody may write is refused at once and not
//! after minutes of measuring. What was there stays until there is something better.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::picture::Format;

/// A file that waits for its picture.
#[derive(Debug)]
pub(crate) struct Picture {
    path: PathBuf,
    format: Format,
    file: File,
    /// To be removed, should there be no picture in the end.
    is_ours: bool,
}

impl Picture {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Picture> {
        let format = format(path)?;
        let refused = || format!("cannot write {}", path.display());
        let (file, is_ours) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).with_context(refused)?, false)
            }
            made => (made.with_context(refused)?, true),
        };
        Ok(Picture { path: path.to_owned(), format, file, is_ours })
    }

    /// What its name asks for.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn write(mut self, picture: &[u8]) -> anyhow::Result<()> {
        let mut write = || -> std::io::Result<()> {
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.file.write_all(picture)
        };
        let written = write().with_context(|| format!("cannot write {}", self.path.display()));
        self.is_ours &= written.is_err();
        written
    }
}

fn format(path: &Path) -> anyhow::Result<Format> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "svg" => Ok(Format::Svg),
        "png" => Ok(Format::Png),
        _ => bail!("cannot write {}: a picture's name ends in .svg or .png", path.display()),
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
        Picture::open(&path).expect("an old file").write(b"<svg/>").expect("writable");
        assert_eq!(fs::read_to_string(&path).expect("written"), "<svg/>");
        let inside = folder.path().join("folder.png");
        fs::create_dir(&inside).expect("a new folder");
        let error = Picture::open(&inside).expect_err("a folder").to_string();
        assert!(error.starts_with("cannot write "), "{error}");
    }

    #[test]
    fn the_name_says_which_kind_of_picture_it_is() {
        assert_eq!(format(Path::new("a.svg")).expect("known"), Format::Svg);
        assert_eq!(format(Path::new("a.b.PNG")).expect("known"), Format::Png);
        for other in ["a", "svg", "a.pdf", ".png"] {
            assert!(format(Path::new(other)).is_err(), "{other}");
        }
    }
}
