use std::os::unix::fs::FileExt;

use super::*;

/// Pieces that lie in "h" alone.
const IN_H: [u32; 3] = [10, 12, 15];

fn again(scene: &Scene) -> (BTreeSet<u32>, u64) {
    let stock = take_stock(&scene.target(), &scene.disk).expect("nothing is in the way");
    assert!(stock.warnings.is_empty(), "{:?}", stock.warnings);
    (ones(&stock.had), stock.hashed)
}

fn forget(scene: &Scene) {
    fs::remove_dir_all(scene.resume().folder()).expect("forgotten");
}

fn spoil(scene: &Scene, piece: u32) {
    let start = FILES[..6].iter().map(|(_, size)| size).sum::<usize>() + 61_000;
    let file = fs::File::options().write(true).open(scene.path("h")).expect("a file");
    let at = (piece as usize * PIECE - start) as u64;
    file.write_all_at(b"spoilt", at).expect("written");
}

#[test]
fn in_an_empty_folder_nothing_is_had_and_nothing_read() {
    let scene = Scene::new();
    assert_eq!(again(&scene), (BTreeSet::new(), 0));
}

#[test]
fn without_a_note_all_data_is_hashed_and_holes_are_not_read() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, IN_H);
    target.finish().expect("finished");
    forget(&scene);
    let (had, hashed) = again(&scene);
    assert_eq!(had, IN_H.into());
    assert_eq!(hashed, (IN_H.len() * PIECE) as u64, "not the neighbours, which their last blocks reach into");
    scene.download(&scene.begin().0, 0..scene.pieces());
    forget(&scene);
    assert_eq!(again(&scene), ((0..scene.pieces()).collect(), scene.stream.len() as u64));
}

#[test]
fn files_that_are_exactly_what_they_were_are_not_read() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, IN_H);
    target.finish().expect("finished");
    assert_eq!(again(&scene), (IN_H.into(), 0));
    // nor after a start that added nothing
    drop(scene.begin());
    assert_eq!(again(&scene), (IN_H.into(), 0));
}

#[test]
fn after_a_kill_what_the_checkpoint_claims_is_had_and_only_the_rest_is_hashed() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, [10, 12]);
    target.checkpoint().expect("a checkpoint");
    scene.download(&target, [15]);
    drop(target);
    let (had, hashed) = again(&scene);
    assert_eq!(had, IN_H.into());
    assert_eq!(hashed, PIECE as u64, "piece 15");
    // the claim is believed: nobody looks
    spoil(&scene, 10);
    assert_eq!(again(&scene).0, IN_H.into());
}

#[test]
fn a_change_that_our_writing_does_not_explain_is_hashed() {
    let long_after = |scene: &Scene| shift_time(&scene.path("h"), 60);
    let before = |scene: &Scene| shift_time(&scene.path("h"), -3600);
    let replaced = |scene: &Scene| {
        fs::copy(scene.path("h"), scene.path("copy")).expect("a copy");
        fs::rename(scene.path("copy"), scene.path("h")).expect("replaced");
    };
    for (number, change) in [&long_after as &dyn Fn(&Scene), &before, &replaced].into_iter().enumerate() {
        let scene = Scene::new();
        let (target, _) = scene.begin();
        scene.download(&target, IN_H);
        target.checkpoint().expect("a checkpoint");
        drop(target);
        spoil(&scene, 12);
        change(&scene);
        let (had, hashed) = again(&scene);
        assert_eq!(had, [10, 15].into(), "{number}");
        assert!(hashed >= 3 * PIECE as u64, "{number}");
    }
}

#[test]
fn after_an_ended_download_even_a_change_soon_after_is_hashed() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, IN_H);
    target.finish().expect("finished");
    spoil(&scene, 12);
    assert_eq!(again(&scene).0, [10, 15].into());
}

#[test]
fn a_pause_does_not_make_our_own_writing_look_like_somebody_elses() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, [10]);
    target.checkpoint().expect("a checkpoint");
    let note = fs::read_dir(scene.resume().folder()).expect("a folder").next().expect("a note").expect("a note").path();
    // as if an hour had passed
    shift_time(&note, -3600);
    target.pause_for_tests();
    scene.download(&target, [12]);
    drop(target);
    spoil(&scene, 10);
    assert_eq!(again(&scene).0, [10, 12].into(), "10 is believed");
}

#[test]
fn a_damaged_note_is_told_of_and_costs_hashing_only() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, IN_H);
    target.checkpoint().expect("a checkpoint");
    let note = fs::read_dir(scene.resume().folder()).expect("a folder").next().expect("a note").expect("a note").path();
    fs::write(&note, b"sower partial 1\n").expect("damaged");
    drop(target);
    let stock = take_stock(&scene.target(), &scene.disk).expect("nothing is in the way");
    assert_eq!((ones(&stock.had), stock.warnings.len()), (IN_H.into(), 1));
}

#[test]
fn what_is_complete_is_verified_for_seeding_and_for_the_next_start() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, 0..scene.pieces());
    assert!(target.is_complete());
    target.finish().expect("finished");
    assert!(scene.resume().is_verified(&scene.torrent, target.content()).expect("readable"));
    assert_eq!(fs::read_dir(scene.resume().folder()).expect("a folder").count(), 1, "no partial note is left");
    assert_eq!(again(&scene), ((0..scene.pieces()).collect(), 0));
    // what seeding looks for
    let content = Content::of(&scene.torrent, &scene.out()).expect("content");
    assert!(scene.resume().is_verified(&scene.torrent, &content).expect("readable"));
}

#[test]
fn half_a_piece_that_a_crash_left_in_our_own_file_is_no_strangers() {
    let scene = Scene::new();
    drop(scene.begin());
    fs::File::options().write(true).open(scene.path("g")).expect("a file").write_all_at(b"half", 0).expect("written");
    assert_eq!(again(&scene).0, BTreeSet::new());
    forget(&scene);
    let error = take_stock(&scene.target(), &scene.disk).expect_err("now it might be anybody's");
    assert!(error.to_string().contains("name/g"), "{error}");
}

#[test]
fn a_state_folder_that_cannot_be_used_is_a_warning_and_the_download_goes_on() {
    let scene = Scene::new();
    fs::write(scene.resume().folder(), b"a file").expect("in the way");
    let target = scene.target();
    let stock = take_stock(&target, &scene.disk).expect("nothing is in the way");
    assert!(matches!(target.make(&stock), Err(CheckpointError::Note(_))));
    scene.download(&target, IN_H);
    assert!(matches!(target.checkpoint(), Err(CheckpointError::Note(_))));
    scene.download(&target, [1]);
    assert!(matches!(target.finish(), Err(CheckpointError::Note(_))));
    let stock = take_stock(&scene.target(), &scene.disk).expect("nothing is in the way");
    assert_eq!(ones(&stock.had), [1, 10, 12, 15].into());
}
