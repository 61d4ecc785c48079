//! Downloads to real files, from the first look to the last checkpoint.

mod files;
mod intake;
mod lazy;
mod power;
mod stock;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam::channel;
use sha1::Digest as _;

use super::*;
use crate::hash::Engine;
use crate::ids::{PieceIndex, TorrentId};
use crate::metainfo::{Builder, Metainfo};

const PIECE: usize = 64 * 1024;
/// Within a piece, across pieces, empty, whole pieces, padded.
const FILES: [(&str, usize); 7] =
    [("a", 1), ("b", 200_000), ("c", 0), ("d/e", 65_536), ("d/f", 196_625), ("g", 500), ("h", 700_001)];
/// Index of "h" among the torrent's files: there is padding after "b".
const H: usize = 7;

/// A torrent of noise, and an empty folder to download it to.
struct Scene {
    folder: tempfile::TempDir,
    torrent: Metainfo,
    /// What the torrent is of, padding included.
    stream: Vec<u8>,
    disk: Arc<Disk>,
}

impl Scene {
    fn new() -> Scene {
        Scene::on(Disk::start(DiskMode::Auto).expect("a disk thread"))
    }

    fn on(disk: Disk) -> Scene {
        let mut builder = Builder::folder(OsStr::new("name"), u32::try_from(PIECE).expect("small"));
        let mut stream = Vec::new();
        let mut random = fastrand::Rng::with_seed(7);
        for (name, size) in FILES {
            stream.extend(std::iter::repeat_with(|| random.u8(..)).take(size));
            builder = builder.file(name, size as u64);
            if name == "b" {
                builder = builder.padding(61_000);
                stream.extend([0; 61_000]);
            }
        }
        let hashes = stream.chunks(PIECE).map(|piece| sha1::Sha1::digest(piece).into()).collect();
        let torrent = Metainfo::parse(&builder.hashes(hashes).write().expect("a torrent")).expect("a torrent");
        Scene { folder: tempfile::tempdir().expect("a folder"), torrent, stream, disk: Arc::new(disk) }
    }

    /// A thousand files of 100 bytes, in pieces of 16 KiB.
    fn of_many_files() -> Scene {
        let mut builder = Builder::folder(OsStr::new("name"), 16_384);
        for file in 0..1000 {
            builder = builder.file(format!("{}/{file}", file % 7), 100);
        }
        let stream: Vec<u8> = (0..100_000u32).map(|at| u8::try_from(at % 251).expect("small")).collect();
        let hashes = stream.chunks(16_384).map(|piece| sha1::Sha1::digest(piece).into()).collect();
        let torrent = Metainfo::parse(&builder.hashes(hashes).write().expect("a torrent")).expect("a torrent");
        let disk = Arc::new(Disk::start(DiskMode::Auto).expect("a disk thread"));
        Scene { folder: tempfile::tempdir().expect("a folder"), torrent, stream, disk }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.out().join("name").join(name)
    }

    fn resume(&self) -> Resume {
        Resume::new(self.folder.path().join("state"))
    }

    fn target_of(&self, wanted: &[bool], options: TargetOptions) -> Arc<Target> {
        let content = Content::below(&self.torrent, &self.out()).expect("a place");
        let disk = Arc::clone(&self.disk);
        Arc::new(Target::new(self.torrent.clone(), content, wanted, options, disk, Some(self.resume())))
    }

    fn target(&self) -> Arc<Target> {
        self.target_of(&[], TargetOptions::default())
    }

    /// A start: looks, makes the files.
    fn begin(&self) -> (Arc<Target>, Stock) {
        let target = self.target();
        let stock = take_stock(&target, &self.disk).expect("nothing is in the way");
        target.make(&stock).expect("made");
        (target, stock)
    }

    fn bytes(&self, piece: u32) -> Vec<u8> {
        self.stream.chunks(PIECE).nth(piece as usize).expect("a piece").to_vec()
    }

    fn pieces(&self) -> u32 {
        self.torrent.geometry().pieces()
    }

    /// Sends pieces through an intake, and returns the verdicts in order of piece.
    fn give(&self, target: &Arc<Target>, pieces: impl IntoIterator<Item = (u32, Vec<u8>)>) -> Vec<Verdict> {
        let pieces: Vec<_> = pieces.into_iter().collect();
        let (reply, verdicts) = channel::bounded(pieces.len().max(1));
        let setup = IntakeSetup { engine: Engine::detect(), threads: 2, capacity: pieces.len() };
        let intake = Intake::start(setup, Arc::clone(&self.disk), move |verdict| reply.send(verdict).expect("room"));
        let intake = intake.expect("threads");
        let count = pieces.len();
        for (piece, bytes) in pieces {
            let target = Arc::clone(target);
            let arrived = Arrived { torrent: TorrentId(3), target, piece: PieceIndex(piece), bytes, digests: false };
            assert!(intake.give(arrived).is_ok(), "within the capacity");
        }
        let mut verdicts: Vec<Verdict> = verdicts.iter().take(count).collect();
        verdicts.sort_by_key(|verdict| verdict.piece);
        verdicts
    }

    /// Downloads good pieces.
    fn download(&self, target: &Arc<Target>, pieces: impl IntoIterator<Item = u32>) {
        for verdict in self.give(target, pieces.into_iter().map(|piece| (piece, self.bytes(piece)))) {
            assert!(matches!(verdict.outcome, Outcome::Good), "{verdict:?}");
        }
    }

    /// What is on disk: the files one after another, zeros for what is missing.
    fn on_disk(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, size) in FILES {
            let mut bytes = fs::read(self.path(name)).unwrap_or_default();
            bytes.resize(size, 0);
            all.extend(bytes);
            if name == "b" {
                all.extend([0; 61_000]);
            }
        }
        all
    }

    /// The pieces that are right on disk, by looking at every byte.
    fn right_on_disk(&self) -> BTreeSet<u32> {
        let all = self.on_disk();
        let pieces = all.chunks(PIECE).zip(self.stream.chunks(PIECE)).zip(0..);
        pieces.filter(|((found, want), _)| found == want).map(|(_, piece)| piece).collect()
    }
}

fn take_stock(target: &Target, disk: &Disk) -> Result<Stock, CheckError> {
    let checker = Checker {
        engine: Engine::detect(),
        disk,
        threads: 2,
        through_disk: false,
        progress: &|_| {},
        cancel: &AtomicBool::new(false),
    };
    target.take_stock(&checker)
}

fn ones(bits: &[u8]) -> BTreeSet<u32> {
    (0..).take(bits.len() * 8).filter(|piece| bits[*piece as usize / 8] & (0x80 >> (piece % 8)) != 0).collect()
}

/// Moves a file's time of modification.
fn shift_time(path: &Path, seconds: i64) {
    let file = fs::File::options().write(true).open(path).expect("a file");
    let now = file.metadata().expect("metadata").modified().expect("a time");
    let by = std::time::Duration::from_secs(seconds.unsigned_abs());
    file.set_modified(if seconds < 0 { now - by } else { now + by }).expect("a time");
}
