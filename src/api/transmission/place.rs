//! Folders and files of this machine that a request names. Nothing outside of the roots is looked at.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::limits::TORRENT_FILE;
use crate::session::seedbox::{Settings, confine};

use super::arguments::Arguments;
use super::envelope::{Fault, begin};
use super::server::Server;
use crate::api::json::Json;

/// Answers `free-space`.
pub(super) async fn free_space(server: &Server, arguments: &Arguments) -> Result<Json, Fault> {
    let path = arguments.text("path")?.ok_or_else(|| Fault::new("directory path argument is missing"))?.to_owned();
    if !Path::new(&path).is_absolute() {
        return Err(Fault::new("directory path is not absolute"));
    }
    let settings = server.context.seedbox.view().settings.clone();
    // a disk of another machine may take its time
    let task = spawn_blocking(move || {
        let folder = confine(Path::new(&path), &settings)?;
        let space = rustix::fs::statvfs(&folder).map_err(|error| Fault(format!("{path}: {error}")))?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        Ok(begin(|json| {
            json.pair("path", &path);
            json.pair("size-bytes", bytes(space.f_bavail));
            json.pair("total_size", bytes(space.f_blocks));
        }))
    });
    task.await.unwrap_or_else(|_| Err(Fault::new("the daemon is ending")))
}

/// The bytes of a torrent file on this machine.
pub(super) async fn torrent_file(server: &Server, path: &str) -> Result<Vec<u8>, Fault> {
    let path = PathBuf::from(path.strip_prefix("file://").unwrap_or(path));
    if !path.is_absolute() {
        return Err(Fault(format!(
            "{}: give a magnet link, an http address, or an absolute path on this machine",
            path.display()
        )));
    }
    let settings = server.context.seedbox.view().settings.clone();
    let task = spawn_blocking(move || read_confined(&path, &settings));
    task.await.unwrap_or_else(|_| Err(Fault::new("the daemon is ending")))
}

/// Opens first and looks at what was opened: a path may lead elsewhere a moment later.
fn read_confined(path: &Path, settings: &Settings) -> Result<Vec<u8>, Fault> {
    // before anything is opened, so that nothing is told of files elsewhere
    confine(path, settings)?;
    let failed = |error: std::io::Error| Fault(format!("cannot read {}: {error}", path.display()));
    // a pipe is opened without waiting for whoever writes to it
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    confine(&opened(&file).map_err(failed)?, settings)?;
    let metadata = file.metadata().map_err(failed)?;
    let limit = u64::try_from(TORRENT_FILE).unwrap_or(u64::MAX);
    if !metadata.is_file() || metadata.len() > limit {
        return Err(Fault(format!("{} is no torrent file", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Where an open file really is.
fn opened(file: &File) -> std::io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_within_the_roots_are_read() {
        let scratch = tempfile::tempdir().expect("a folder");
        let root = scratch.path().join("root");
        std::fs::create_dir(&root).expect("made");
        std::fs::write(root.join("good"), "inside").expect("written");
        std::fs::write(scratch.path().join("secret"), "outside").expect("written");
        std::os::unix::fs::symlink(scratch.path().join("secret"), root.join("link")).expect("linked");
        let pipe = rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0);
        pipe.expect("a pipe");
        let settings = Settings::new(root.clone());
        let read = |path: &Path| read_confined(path, &settings);
        assert_eq!(read(&root.join("good")), Ok(b"inside".to_vec()));
        assert!(read(&root.join("link")).is_err());
        assert!(read(&root.join("../secret")).is_err());
        assert!(read(&root.join("pipe")).is_err());
        assert!(read(&root).is_err());
        assert!(read(Path::new("/etc/passwd")).is_err());
    }
}
