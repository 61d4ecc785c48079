//! A folder of ours, gone when dropped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Named after the command and the process that it belongs to.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Under TMPDIR if that is set, else in /var/tmp, which unlike /tmp is on a disk everywhere.
    pub(crate) fn new(command: &str) -> anyhow::Result<Scratch> {
        let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let path = parent.join(format!("sower-{command}-{}", std::process::id()));
        fs::create_dir(&path)
            .with_context(|| format!("cannot make the folder {}; TMPDIR names another place", path.display()))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A new folder in it.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what is left behind is in a folder for what may be left behind
        let _ = fs::remove_dir_all(&self.0);
    }
}
