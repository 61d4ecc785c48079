//! Files of /proc and /sys, below a folder that tests choose.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// /proc/interrupts of the largest machines has some 4 MiB.
const FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Where the machine's files begin: `/`.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Tree {
        Tree { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file without the space around it.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path)).ok()?.take(FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The names in a folder, numbers in them in order: `tx-2` before `tx-10`.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_by_key(|name| {
            let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
            let (word, number) = name.split_at(name.len() - digits);
            (word.to_owned(), number.parse::<u64>().unwrap_or(0))
        });
        names
    }

    /// Where a link leads, as a path of the machine.
    pub(super) fn target(&self, path: &str) -> Option<String> {
        let (root, target) = (self.root.canonicalize().ok()?, self.path(path).canonicalize().ok()?);
        Some(format!("/{}", target.strip_prefix(root).ok()?.to_str()?))
    }
}

/// The last part of a path.
pub(super) fn last_part(path: &str) -> Option<&str> {
    Path::new(path).file_name()?.to_str()
}
