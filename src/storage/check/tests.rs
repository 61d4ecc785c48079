use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use sha1::Digest as _;

use crate::hash::Backend;
use crate::metainfo::Builder;
use crate::storage::DiskMode;

use super::*;

const PIECE: u32 = 64 * 1024;

/// Odd sizes: files within a piece, across pieces, empty, padded.
fn sizes() -> Vec<(&'static str, usize)> {
    vec![("a", 1), ("b", 200_000), ("c", 0), ("d/e", 65_536), ("d/f", 3 * 65_536 + 17), ("g", 500), ("h", 700_001)]
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A folder of noise, and a torrent of it that was hashed in the plainest way.
fn folder_and_torrent(piece: u32) -> (tempfile::TempDir, Metainfo) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = Builder::folder(OsStr::new("name"), piece);
    let mut stream = Vec::new();
    for (seed, (name, size)) in (0..).zip(sizes()) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        let bytes = noise(seed, size);
        fs::write(&path, &bytes).expect("a file");
        stream.extend(bytes);
        builder = builder.file(name, size as u64);
        if name == "b" {
            builder = builder.padding(100);
            stream.extend([0; 100]);
        }
    }
    let hashes = stream.chunks(piece as usize).map(|piece| sha1::Sha1::digest(piece).into()).collect();
    let torrent = Metainfo::parse(&builder.hashes(hashes).write().expect("a torrent")).expect("a torrent");
    (folder, torrent)
}

fn digests(torrent: &Metainfo) -> Vec<Digest> {
    (0..torrent.geometry().pieces()).map(|piece| torrent.piece_hash(PieceIndex(piece)).expect("a hash")).collect()
}

fn with_checker<T>(disk: &Disk, through_disk: bool, engine: Engine, run: impl FnOnce(&Checker<'_>) -> T) -> (T, u64) {
    let done = AtomicU64::new(0);
    let progress = |bytes| {
        done.fetch_add(bytes, Ordering::Relaxed);
    };
    let cancel = AtomicBool::new(false);
    let checker = Checker { engine, disk, threads: 3, through_disk, progress: &progress, cancel: &cancel };
    let result = run(&checker);
    (result, done.into_inner())
}

fn verify(folder: &Path, torrent: &Metainfo) -> Report {
    let disk = Disk::start(DiskMode::Auto).expect("a disk thread");
    let content = Content::of(torrent, folder).expect("content");
    let (report, done) =
        with_checker(&disk, false, Engine::detect(), |checker| checker.verify(&content, torrent).expect("a report"));
    assert_eq!(done, torrent.geometry().total(), "progress ends at the whole");
    report
}

fn bad(report: &Report) -> Vec<u32> {
    report.bad.iter().map(|piece| piece.0).collect()
}

#[test]
fn every_way_to_read_and_hash_gives_the_same_digests() {
    // 64 KiB: several at once; 1000: odd, many; 2 MiB: steps of one piece; 1.5 MiB: an odd last step
    for piece in [PIECE, 1_000, 2 << 20, 3 << 19] {
        let (folder, torrent) = folder_and_torrent(piece);
        let content = Content::of(&torrent, folder.path()).expect("content");
        for mode in [DiskMode::Auto, DiskMode::Plain] {
            let disk = Disk::start(mode).expect("a disk thread");
            for through_disk in [false, true] {
                for engine in Backend::ALL.into_iter().filter_map(Engine::with) {
                    let (hashed, done) = with_checker(&disk, through_disk, engine, |checker| {
                        checker.hash(&content, torrent.geometry()).expect("digests")
                    });
                    assert_eq!(hashed.digests, digests(&torrent), "{engine:?} {mode:?} {through_disk}");
                    assert_eq!(hashed.identities.len(), sizes().len());
                    assert_eq!(done, torrent.geometry().total());
                }
            }
        }
    }
}

#[test]
fn right_content_is_good() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    let report = verify(folder.path(), &torrent);
    assert!(report.is_good(), "{report:?}");
    assert_eq!(report.bytes, torrent.geometry().total());
    assert_eq!(report.identities.expect("all as they should be").len(), sizes().len());
}

#[test]
fn one_wrong_byte_is_one_bad_piece() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    let path = folder.path().join("h");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[300_000] ^= 1;
    fs::write(&path, bytes).expect("a file");
    let report = verify(folder.path(), &torrent);
    let before: u64 = torrent.files().iter().rev().skip(1).map(|file| file.length()).sum();
    assert_eq!(u64::from(bad(&report)[0]), (before + 300_000) / u64::from(PIECE));
    assert_eq!((report.bad.len(), report.faults.len()), (1, 0));
    assert!(!report.is_good());
}

#[test]
fn missing_and_short_files_make_their_pieces_bad_and_only_those() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    fs::remove_file(folder.path().join("d/e")).expect("removed");
    let report = verify(folder.path(), &torrent);
    // e lies at 200,101 to 265,637
    assert_eq!(bad(&report), [3, 4]);
    assert!(matches!(report.faults[..], [FileFault { cause: Cause::Missing, .. }]), "{:?}", report.faults);
    assert!(report.identities.is_none());

    let (folder, torrent) = folder_and_torrent(PIECE);
    fs::File::options().write(true).open(folder.path().join("h")).expect("a file").set_len(400_000).expect("shorter");
    let report = verify(folder.path(), &torrent);
    let start = torrent.geometry().total() - 700_001 + 400_000;
    assert_eq!(u64::from(bad(&report)[0]), start / u64::from(PIECE));
    assert_eq!(bad(&report).last(), Some(&(torrent.geometry().pieces() - 1)));
    assert!(matches!(report.faults[0].cause, Cause::WrongSize { expected: 700_001, found: 400_000 }));
}

#[test]
fn a_longer_file_has_good_pieces_and_is_told_of() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    fs::File::options().write(true).open(folder.path().join("g")).expect("a file").set_len(501).expect("longer");
    let report = verify(folder.path(), &torrent);
    assert!(report.bad.is_empty());
    assert!(matches!(report.faults[0].cause, Cause::WrongSize { expected: 500, found: 501 }));
    assert!(!report.is_good());
}

#[test]
fn nothing_at_all_is_all_bad_and_reads_nothing() {
    let (_folder, torrent) = folder_and_torrent(PIECE);
    let empty = tempfile::tempdir().expect("a folder");
    let report = verify(empty.path(), &torrent);
    assert_eq!(report.bad.len(), torrent.geometry().pieces() as usize);
    assert_eq!((report.bytes, report.faults.len()), (0, sizes().len()));
}

#[test]
fn content_that_changes_while_it_is_hashed_is_an_error() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    let content = Content::of(&torrent, folder.path()).expect("content");
    let disk = Disk::start(DiskMode::Auto).expect("a disk thread");
    let cancel = AtomicBool::new(false);
    let path = folder.path().join("a");
    // written once some bytes were hashed: too late for the opening, seen at the end; longer each time, as two writes within
    // one tick of a coarse clock have the same time
    let progress = |_| {
        let mut file = fs::File::options().append(true).open(&path).expect("a file");
        file.write_all(b"?").expect("written");
    };
    let checker = Checker {
        engine: Engine::detect(),
        disk: &disk,
        threads: 2,
        through_disk: false,
        progress: &progress,
        cancel: &cancel,
    };
    for result in
        [checker.hash(&content, torrent.geometry()).map(|_| ()), checker.verify(&content, &torrent).map(|_| ())]
    {
        let Err(CheckError::File(fault)) = result else { panic!("{result:?}") };
        assert!(matches!(fault.cause, Cause::Changed) && fault.path.ends_with("a"), "{fault}");
    }
}

#[test]
fn it_ends_when_told_to() {
    let (folder, torrent) = folder_and_torrent(PIECE);
    let content = Content::of(&torrent, folder.path()).expect("content");
    let disk = Disk::start(DiskMode::Auto).expect("a disk thread");
    for through_disk in [false, true] {
        let cancel = AtomicBool::new(false);
        let progress = |_| cancel.store(true, Ordering::Relaxed);
        let checker = Checker {
            engine: Engine::detect(),
            disk: &disk,
            threads: 1,
            through_disk,
            progress: &progress,
            cancel: &cancel,
        };
        assert!(matches!(checker.hash(&content, torrent.geometry()), Err(CheckError::Cancelled)));
    }
}
