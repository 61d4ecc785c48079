use std::sync::atomic::Ordering;

use super::*;
use crate::storage::disk::faults::Bounded;

#[test]
fn good_pieces_are_written_bad_ones_are_not_and_buffers_come_back() {
    for mode in [DiskMode::Auto, DiskMode::Plain] {
        let scene = Scene::on(Disk::start(mode).expect("a disk thread"));
        let (target, _) = scene.begin();
        let mut wrong = scene.bytes(2);
        wrong[40_000] ^= 1;
        let short = scene.bytes(3)[..PIECE - 1].to_vec();
        let long = [scene.bytes(5), vec![0]].concat();
        let last = scene.pieces() - 1;
        let mut pieces =
            vec![(0, scene.bytes(0)), (2, wrong), (3, short), (4, scene.bytes(4)), (5, long), (6, Vec::new())];
        pieces.extend([(last, scene.bytes(last)), (last + 1, scene.bytes(0)), (u32::MAX, scene.bytes(0))]);
        let given = pieces.clone();
        let addresses: Vec<usize> = pieces.iter().map(|(_, bytes)| bytes.as_ptr().addr()).collect();
        let verdicts = scene.give(&target, pieces);
        for ((verdict, (piece, bytes)), address) in verdicts.iter().zip(&given).zip(addresses) {
            assert_eq!((verdict.piece.0, verdict.torrent), (*piece, TorrentId(3)));
            assert!(verdict.buffer == *bytes && verdict.buffer.as_ptr().addr() == address, "no copy");
            let good = [0, 4, last].contains(piece);
            assert_eq!(matches!(verdict.outcome, Outcome::Good), good, "{verdict:?}");
            assert_eq!(matches!(verdict.outcome, Outcome::Bad), !good);
            assert_eq!(verdict.digests.len(), if good { 0 } else { bytes.len().div_ceil(16_384) });
        }
        assert_eq!(scene.right_on_disk(), [0, 4, last].into());
        assert_eq!(ones(&target.had()), [0, 4, last].into());
    }
}

#[test]
fn every_piece_lands_where_it_belongs_whatever_the_order() {
    for mode in [DiskMode::Auto, DiskMode::Plain] {
        let scene = Scene::on(Disk::start(mode).expect("a disk thread"));
        let (target, _) = scene.begin();
        let mut order: Vec<u32> = (0..scene.pieces()).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut order);
        scene.download(&target, order);
        assert!(scene.on_disk() == scene.stream);
    }
}

#[test]
fn the_digest_of_a_block_tells_a_bad_block_from_a_good_one() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    let (reply, verdicts) = channel::bounded(2);
    let setup = IntakeSetup { engine: Engine::detect(), threads: 1, capacity: 2 };
    let intake = Intake::start(setup, Arc::clone(&scene.disk), move |verdict| reply.send(verdict).expect("room"));
    let intake = intake.expect("threads");
    let mut wrong = scene.bytes(1);
    wrong[20_000] ^= 1;
    let mut digests = Vec::new();
    for bytes in [wrong, scene.bytes(1)] {
        let target = Arc::clone(&target);
        let arrived = Arrived { torrent: TorrentId(3), target, piece: PieceIndex(1), bytes, digests: true };
        assert!(intake.give(arrived).is_ok());
        digests.push(verdicts.recv().expect("a verdict").digests);
    }
    let same: Vec<bool> = digests[0].iter().zip(&digests[1]).map(|(bad, good)| bad == good).collect();
    assert_eq!(same, [true, false, true, true]);
}

#[test]
fn a_full_disk_is_a_failure_that_names_the_file_and_the_piece_may_come_again() {
    let medium = Bounded::new(40_000, 28);
    let scene = Scene::on(Disk::start_on(medium.clone()));
    let (target, _) = scene.begin();
    let verdict = scene.give(&target, [(12, scene.bytes(12))]).pop().expect("one");
    let Outcome::Failed(fault) = &verdict.outcome else { panic!("{verdict:?}") };
    assert!(matches!(fault.cause, Cause::NoSpace) && fault.path.ends_with("name/h"), "{fault}");
    assert!(verdict.buffer == scene.bytes(12));
    assert!(ones(&target.had()).is_empty());
    // room again; the medium takes 1,000 bytes at a time and is interrupted before each
    medium.room.store(1 << 30, Ordering::Relaxed);
    scene.download(&target, [12, 7]);
    assert_eq!(scene.right_on_disk(), [7, 12].into());
    // of a piece in several files the fault names the one that failed
    medium.room.store(0, Ordering::Relaxed);
    let verdict = scene.give(&target, [(0, scene.bytes(0))]).pop().expect("one");
    assert!(matches!(&verdict.outcome, Outcome::Failed(fault) if fault.path.ends_with("name/a")), "{verdict:?}");
    medium.room.store(1, Ordering::Relaxed);
    let verdict = scene.give(&target, [(0, scene.bytes(0))]).pop().expect("one");
    assert!(matches!(&verdict.outcome, Outcome::Failed(fault) if fault.path.ends_with("name/b")), "{verdict:?}");
}

#[test]
fn a_piece_beyond_the_capacity_is_given_back() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    let (hold, held) = channel::bounded::<()>(0);
    let setup = IntakeSetup { engine: Engine::detect(), threads: 1, capacity: 2 };
    let answer = move |_| {
        let _ = held.recv();
    };
    let intake = Intake::start(setup, Arc::clone(&scene.disk), answer).expect("threads");
    let give = || {
        let target = Arc::clone(&target);
        let bytes = b"no piece".to_vec();
        intake.give(Arrived { torrent: TorrentId(3), target, piece: PieceIndex(0), bytes, digests: false })
    };
    // the hasher has taken some of them, and the channel takes two
    let taken = (0..100).find(|_| give().is_err()).expect("it is bounded");
    assert!((2..=2 + Engine::detect().lanes() + 2).contains(&taken), "{taken}");
    assert_eq!(give().expect_err("still full").bytes, b"no piece");
    drop(hold);
}

#[test]
fn an_intake_that_is_dropped_has_answered_everything() {
    for mode in [DiskMode::Auto, DiskMode::Plain] {
        let scene = Scene::on(Disk::start(mode).expect("a disk thread"));
        let (target, _) = scene.begin();
        let (reply, verdicts) = channel::bounded(scene.pieces() as usize);
        let setup = IntakeSetup { engine: Engine::detect(), threads: 2, capacity: scene.pieces() as usize };
        let intake = Intake::start(setup, Arc::clone(&scene.disk), move |verdict| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            reply.send(verdict).expect("room");
        });
        let intake = intake.expect("threads");
        for piece in 0..scene.pieces() {
            let (target, bytes) = (Arc::clone(&target), scene.bytes(piece));
            let arrived = Arrived { torrent: TorrentId(3), target, piece: PieceIndex(piece), bytes, digests: false };
            assert!(intake.give(arrived).is_ok());
        }
        drop(intake);
        assert_eq!(verdicts.try_iter().count(), scene.pieces() as usize);
        assert!(target.is_complete());
    }
}

#[test]
fn the_last_handle_of_a_disk_may_go_on_the_disk_thread() {
    for mode in [DiskMode::Auto, DiskMode::Plain] {
        let scene = Scene::on(Disk::start(mode).expect("a disk thread"));
        let (target, _) = scene.begin();
        let (reply, verdicts) = channel::bounded(1);
        let setup = IntakeSetup { engine: Engine::detect(), threads: 1, capacity: 1 };
        let intake = Intake::start(setup, Arc::clone(&scene.disk), move |verdict: Verdict| {
            // holds the disk thread until everybody else has let go
            std::thread::sleep(std::time::Duration::from_millis(50));
            reply.send(verdict).expect("room");
        });
        let bytes = scene.bytes(0);
        let arrived = Arrived { torrent: TorrentId(3), target, piece: PieceIndex(0), bytes, digests: false };
        assert!(intake.as_ref().expect("threads").give(arrived).is_ok());
        drop(intake);
        drop(scene);
        assert!(matches!(verdicts.recv().expect("a verdict").outcome, Outcome::Good));
    }
}

#[test]
fn many_files_cost_few_descriptors() {
    let scene = Scene::of_many_files();
    let (target, _) = scene.begin();
    assert!(target.open_files() <= crate::limits::FILES_PER_TARGET);
    let pieces: Vec<_> =
        scene.stream.chunks(16_384).map(<[u8]>::to_vec).zip(0..).map(|(bytes, piece)| (piece, bytes)).collect();
    assert!(scene.give(&target, pieces).iter().all(|verdict| matches!(verdict.outcome, Outcome::Good)));
    assert!(target.open_files() <= crate::limits::FILES_PER_TARGET);
    target.finish().expect("finished");
    assert_eq!(target.content().faults().len(), 0);
    assert!(take_stock(&scene.target(), &scene.disk).expect("stock").hashed == 0);
}
