//! Ends without warning: of the program, and of the power.

use std::sync::atomic::Ordering;

use super::*;
use crate::storage::disk::faults::{Bounded, Power};

/// Enough for 200 ends, with [`LIVES`] each.
const SEEDS: u64 = 67;
const LIVES: usize = 3;

/// Lives of one download, each ended without warning at a random moment, and one more that finishes it.
fn lives(seed: u64, scene: &Scene, cut: &mut dyn FnMut(&mut fastrand::Rng)) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut written = BTreeSet::new();
    let mut claimed = BTreeSet::new();
    for life in 0..=LIVES {
        let (target, stock) = scene.begin();
        let had = ones(&stock.had);
        assert!(had.is_subset(&scene.right_on_disk()), "seed {seed} life {life}: a wrong piece");
        assert!(claimed.is_subset(&had), "seed {seed} life {life}: a claim was lost");
        assert!(had.is_subset(&written), "seed {seed} life {life}");
        if life == LIVES {
            // no more than what no checkpoint had made safe comes again
            scene.download(&target, (0..scene.pieces()).filter(|piece| !had.contains(piece)));
            target.finish().expect("finished");
            assert!(scene.on_disk() == scene.stream, "seed {seed}");
            break;
        }
        written = had;
        // the first note of a life claims what its start found
        claimed.clone_from(&written);
        for _ in 0..random.usize(..6) {
            let pieces: Vec<u32> = (0..random.usize(1..4)).map(|_| random.u32(..scene.pieces())).collect();
            scene.download(&target, pieces.iter().copied().collect::<BTreeSet<_>>());
            written.extend(pieces);
            if random.u8(..3) == 0 {
                target.checkpoint().expect("a checkpoint");
                claimed.clone_from(&written);
            }
        }
        drop(target);
        cut(&mut random);
    }
}

#[test]
fn a_start_after_a_kill_finds_exactly_what_was_written() {
    for seed in 0..SEEDS {
        // a write that the kill tears: some pieces before it are whole, and it is not
        let medium = Bounded::new(1 << 30, 28);
        let scene = Scene::on(Disk::start_on(medium.clone()));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut written = BTreeSet::new();
        for life in 0..3 {
            medium.room.store(1 << 30, Ordering::Relaxed);
            let (target, stock) = scene.begin();
            assert_eq!(ones(&stock.had), written, "seed {seed} life {life}");
            if random.bool() {
                let piece = random.u32(..scene.pieces());
                scene.download(&target, [piece]);
                written.insert(piece);
                target.checkpoint().expect("a checkpoint");
            }
            medium.room.store(random.u64(..6 * PIECE as u64), Ordering::Relaxed);
            for _ in 0..5 {
                let piece = random.u32(..scene.pieces());
                // a piece that was had is not fetched again
                let fresh = !written.contains(&piece);
                let verdict = fresh.then(|| scene.give(&target, [(piece, scene.bytes(piece))]).remove(0));
                match verdict.map(|verdict| verdict.outcome) {
                    Some(Outcome::Good) => drop(written.insert(piece)),
                    Some(Outcome::Failed(_)) => break,
                    Some(Outcome::Bad) => panic!("it is good"),
                    None => {}
                }
            }
        }
    }
}

#[test]
fn a_power_cut_takes_no_claimed_piece_and_makes_no_wrong_one_count() {
    for seed in 0..SEEDS {
        let power = Arc::new(Power::default());
        let scene = Scene::on(Disk::start_on(power.clone()));
        lives(seed, &scene, &mut |random| power.cut(random));
    }
}

#[test]
fn the_simulated_cut_loses_what_was_not_synced() {
    let power = Arc::new(Power::default());
    let scene = Scene::on(Disk::start_on(power.clone()));
    let (target, _) = scene.begin();
    scene.download(&target, [1, 2]);
    target.checkpoint().expect("a checkpoint");
    scene.download(&target, 10..18);
    power.cut(&mut fastrand::Rng::with_seed(5));
    let left = scene.right_on_disk();
    assert!(left.is_superset(&[1, 2].into()) && left.len() < 10, "{left:?}");
}

#[test]
fn after_a_failed_sync_nothing_more_is_claimed() {
    let medium = Bounded::new(1 << 30, 28);
    let scene = Scene::on(Disk::start_on(medium.clone()));
    let (target, _) = scene.begin();
    scene.download(&target, [10]);
    target.checkpoint().expect("a checkpoint");
    scene.download(&target, [12]);
    medium.sync_fails.store(true, Ordering::Relaxed);
    let error = target.checkpoint().expect_err("it failed");
    assert!(matches!(&error, CheckpointError::File(fault) if fault.path.ends_with("h")), "{error}");
    medium.sync_fails.store(false, Ordering::Relaxed);
    scene.download(&target, 0..scene.pieces());
    assert!(matches!(target.checkpoint(), Err(CheckpointError::Lost)));
    assert!(matches!(target.finish(), Err(CheckpointError::Lost)));
    assert!(!scene.resume().is_verified(&scene.torrent, target.content()).expect("readable"));
    let (checkpoint, _) = scene.resume().partial(&scene.torrent, target.content()).expect("readable").expect("a note");
    assert_eq!(ones(&checkpoint.pieces), [10].into());
}
