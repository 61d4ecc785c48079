//! What is seeded: made for the occasion, or an existing file or folder; in memory or not.

use std::fs::{self, File};
use std::io::{self, IoSliceMut, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

use crate::metainfo::Metainfo;
use crate::storage::{Disk, DiskMode, Layout, Recipe, Walk};

use crate::cli::scratch::Scratch;
use crate::cli::units::{Bytes, parse_size};
use crate::cli::{create, progress, show};

/// What to seed.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Flags {
    /// Bytes of the payload that is made for our own seeder
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "payload")]
    payload_size: Option<u64>,
    /// Seed this file or folder instead
    #[arg(long, value_name = "PATH")]
    payload: Option<PathBuf>,
}

impl Flags {
    pub(super) fn is_empty(&self) -> bool {
        self.payload.is_none() && self.payload_size.is_none()
    }
}

/// Payload of our own seeder.
pub(super) struct Payload {
    folder: Scratch,
    torrent: Metainfo,
    torrent_file: PathBuf,
    /// The file or folder itself.
    data: PathBuf,
    files: Vec<PathBuf>,
}

/// What is made where nothing is given.
const SIZE: u64 = 1 << 30;
/// Bytes read or written at once.
const STEP: usize = 1 << 20;
/// Times that payload is read before it counts as too large for memory.
const READS: usize = 3;

impl Payload {
    /// Makes it. Existing content is hashed, unless its torrent is given.
    pub(super) fn new(flags: &Flags, torrent: Option<&Path>, cancel: &AtomicBool) -> anyhow::Result<Payload> {
        ensure!(
            torrent.is_none() || flags.payload.is_some(),
            "--torrent needs --target, who seeds it, or --payload, where its data is"
        );
        let folder = Scratch::new("bench")?;
        let data = match &flags.payload {
            Some(path) => path.canonicalize().with_context(|| format!("cannot seed {}", path.display()))?,
            None => made(&folder.path().join("payload"), flags.payload_size.unwrap_or(SIZE), cancel)?,
        };
        let torrent_file = match torrent {
            Some(file) => file.canonicalize().with_context(|| format!("cannot read {}", file.display()))?,
            None => torrent_of(&data, &folder.path().join("payload.torrent"))?,
        };
        let torrent = super::usable(show::read_torrent(&torrent_file)?)?;
        let walk = Walk::new(&data)?;
        let files = walk.files.iter().map(|(path, _)| if walk.single_file { data.clone() } else { data.join(path) });
        Ok(Payload { files: files.collect(), folder, torrent, torrent_file, data })
    }

    pub(super) fn torrent(&self) -> &Metainfo {
        &self.torrent
    }

    pub(super) fn torrent_file(&self) -> &Path {
        &self.torrent_file
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Where a seeder may keep its state.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reads what is not in memory, until nothing is left. Some systems drop what nobody used for minutes.
    pub(super) fn warm(&self, cancel: &AtomicBool) -> anyhow::Result<()> {
        let mut cold = 0;
        for _ in 0..READS {
            cold = self.read(cancel)?;
            if cold == 0 {
                return Ok(());
            }
        }
        bail!(
            "{} of the payload do not stay in memory: make it smaller (--payload-size), or measure --scenario cold",
            Bytes(cold)
        )
    }

    /// Reads all; answers how many bytes were not in memory.
    fn read(&self, cancel: &AtomicBool) -> anyhow::Result<u64> {
        let mut buffer = vec![0; STEP];
        let mut cold = 0;
        for path in &self.files {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut at = 0;
            loop {
                ensure!(!cancel.load(Ordering::Relaxed), "interrupted");
                match rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut buffer)], at, ReadWriteFlags::NOWAIT) {
                    Ok(0) => break,
                    Ok(count) => at += count as u64,
                    // not in memory, or the file system cannot tell
                    Err(Errno::AGAIN | Errno::OPNOTSUPP) => {
                        let count = file.read_at(&mut buffer, at)?;
                        cold += count as u64;
                        at += count as u64;
                        if count == 0 {
                            break;
                        }
                    }
                    Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
                }
            }
        }
        Ok(cold)
    }

    /// Lets go of it, so that it has to be read from disk.
    pub(super) fn drop_from_memory(&self) -> anyhow::Result<()> {
        let mut buffer = vec![0; STEP];
        for path in &self.files {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            // what is not on disk yet cannot be dropped
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
            let left = rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut buffer)], 0, ReadWriteFlags::NOWAIT);
            ensure!(
                !matches!(left, Ok(count) if count > 0),
                "{} stays in memory: its file system has no disk (tmpfs), or another program maps it; set TMPDIR or name a --payload elsewhere",
                path.display()
            );
        }
        Ok(())
    }
}

/// Makes a file that no compression and no deduplication makes smaller, the same at each call.
fn made(path: &Path, size: u64, cancel: &AtomicBool) -> anyhow::Result<PathBuf> {
    ensure!(size > 0, "--payload-size 0: there would be nothing to ask for");
    let bar: ProgressBar = progress::bytes("making the payload", size);
    let mut random = fastrand::Rng::with_seed(size);
    let mut buffer = vec![0; STEP];
    let written = File::create_new(path).and_then(|mut file| {
        let mut left = size;
        while left > 0 && !cancel.load(Ordering::Relaxed) {
            let step = usize::try_from(left).unwrap_or(STEP).min(STEP);
            random.fill(&mut buffer[..step]);
            file.write_all(&buffer[..step])?;
            left -= step as u64;
            bar.inc(step as u64);
        }
        // pages that wait to be written would be written during the measurement
        file.sync_all()
    });
    bar.finish_and_clear();
    written.map_err(|error| room(error, size)).with_context(|| format!("cannot write {}", path.display()))?;
    ensure!(!cancel.load(Ordering::Relaxed), "interrupted");
    Ok(path.to_owned())
}

fn room(error: io::Error, size: u64) -> anyhow::Error {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let hint = format!("{} are needed: --payload-size makes less, TMPDIR names another place", Bytes(size));
    if full { anyhow::Error::new(error).context(hint) } else { error.into() }
}

fn torrent_of(data: &Path, file: &Path) -> anyhow::Result<PathBuf> {
    let layout = Layout::new(&Walk::new(data)?, &Recipe::default())?;
    let disk = Disk::start(DiskMode::Auto).context("cannot start the disk thread")?;
    let hashes = create::hash(&layout, &disk)?;
    fs::write(file, layout.builder.hashes(hashes).write()?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file.to_owned())
}
