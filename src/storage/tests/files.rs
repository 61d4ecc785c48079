use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

#[test]
fn files_get_their_length_at_the_start_and_space_when_asked_for() {
    for space in [Space::Sparse, Space::Allocated] {
        let scene = Scene::new();
        let target = scene.target_of(&[], TargetOptions { space, overwrite: false });
        let stock = take_stock(&target, &scene.disk).expect("nothing is in the way");
        assert!(!scene.path("").exists(), "only looked");
        target.make(&stock).expect("made");
        for (name, size) in FILES {
            let metadata = fs::metadata(scene.path(name)).expect(name);
            assert_eq!(metadata.len(), size as u64, "{name}");
            let taken = metadata.blocks() * 512 >= size as u64;
            assert_eq!(taken, space == Space::Allocated || size == 0, "{name} {space:?}");
        }
        assert_eq!(fs::read_dir(scene.path("")).expect("a folder").count(), 6, "padding is on no disk");
        drop(target);
        // a second start finds nothing to do
        let (_, stock) = scene.begin();
        assert_eq!((ones(&stock.had).len(), stock.hashed), (0, 0), "{space:?}");
    }
}

#[test]
fn only_wanted_files_are_made_and_those_that_share_a_piece_with_them() {
    let scene = Scene::new();
    // of "g": its piece has bytes of "d/f" and of "h"; of "c", which is empty: nothing
    let wanted: Vec<bool> =
        scene.torrent.files().iter().map(|file| ["g", "c"].map(Path::new).contains(&file.path())).collect();
    let target = scene.target_of(&wanted, TargetOptions::default());
    let stock = take_stock(&target, &scene.disk).expect("nothing is in the way");
    target.make(&stock).expect("made");
    let made = FILES.map(|(name, _)| name).into_iter().filter(|name| scene.path(name).exists());
    assert!(made.eq(["c", "d/f", "g", "h"]));
    let at: u64 = 1 + 200_000 + 61_000 + 65_536 + 196_625;
    scene.download(&target, [u32::try_from(at / PIECE as u64).expect("small")]);
    assert_eq!(fs::read(scene.path("g")).expect("a file").len(), 500);
    assert_eq!(scene.right_on_disk().len(), 1);
}

#[test]
fn what_is_in_the_way_is_named_before_anything_is_touched() {
    type Put<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Put<'_>, &str); 5] = [
        ("g", &|path| fs::create_dir_all(path).expect("a folder"), "is a folder"),
        ("b", &|path| fs::write(path, vec![1; 200_001]).expect("a file"), "--overwrite"),
        ("h", &|path| fs::write(path, b"my notes").expect("a file"), "--overwrite"),
        ("h", &|path| symlink("/etc/passwd", path).expect("a link"), "leads out"),
        ("d", &|path| symlink("/etc", path).expect("a link"), "leads out"),
    ];
    for (name, put, says) in cases {
        let scene = Scene::new();
        fs::create_dir_all(scene.path("")).expect("folders");
        put(&scene.path(name));
        let error = take_stock(&scene.target(), &scene.disk).expect_err(name).to_string();
        assert!(error.contains(says) && error.contains(&format!("name/{name}")), "{name}: {error}");
        assert_eq!(fs::read_dir(scene.path("")).expect("a folder").count(), 1, "{name}");
        assert!(!scene.resume().folder().exists());
    }
}

#[test]
fn overwriting_takes_files_that_are_something_else() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path("")).expect("folders");
    fs::write(scene.path("b"), vec![1; 200_001]).expect("a file");
    fs::write(scene.path("h"), b"my notes").expect("a file");
    let target = scene.target_of(&[], TargetOptions { overwrite: true, ..TargetOptions::default() });
    let stock = take_stock(&target, &scene.disk).expect("told to");
    assert_eq!(fs::metadata(scene.path("b")).expect("a file").len(), 200_001, "only looked");
    target.make(&stock).expect("made");
    scene.download(&target, 0..scene.pieces());
    assert!(scene.on_disk() == scene.stream);
    assert_eq!(fs::metadata(scene.path("b")).expect("a file").len(), 200_000);
}

#[test]
fn files_of_zeros_and_files_that_nobody_wants_are_in_nobodys_way() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path("d")).expect("folders");
    fs::write(scene.path("h"), vec![0; 700_001]).expect("a file");
    let (_, stock) = scene.begin();
    assert_eq!(ones(&stock.had).len(), 0);

    let scene = Scene::new();
    fs::create_dir_all(scene.path("d")).expect("folders");
    fs::write(scene.path("b"), b"mine").expect("a file");
    let mut wanted = vec![false; scene.torrent.files().len()];
    wanted[H] = true;
    let target = scene.target_of(&wanted, TargetOptions::default());
    target.make(&take_stock(&target, &scene.disk).expect("nothing is in the way")).expect("made");
    assert_eq!(fs::read(scene.path("b")).expect("a file"), b"mine");
}

#[test]
fn the_folder_of_a_torrent_may_be_a_link_only_if_it_stays() {
    let scene = Scene::new();
    fs::create_dir_all(scene.out()).expect("a folder");
    symlink("/etc", scene.out().join("name")).expect("a link");
    let error = Content::below(&scene.torrent, &scene.out()).expect_err("a link out").to_string();
    assert!(error.contains("leads out"), "{error}");
    fs::remove_file(scene.out().join("name")).expect("removed");
    fs::write(scene.out().join("name"), b"").expect("a file");
    let error = Content::below(&scene.torrent, &scene.out()).expect_err("a file").to_string();
    assert!(error.contains("is a file"), "{error}");
    fs::remove_file(scene.out().join("name")).expect("removed");
    fs::create_dir(scene.out().join("elsewhere")).expect("a folder");
    symlink("elsewhere", scene.out().join("name")).expect("a link");
    let (target, _) = scene.begin();
    scene.download(&target, 0..scene.pieces());
    assert!(scene.on_disk() == scene.stream);
}

#[test]
fn a_second_download_to_the_same_place_is_refused_until_the_first_has_ended() {
    let scene = Scene::new();
    let (first, _) = scene.begin();
    let error = take_stock(&scene.target(), &scene.disk).expect_err("the first goes on").to_string();
    assert!(error.contains("another download"), "{error}");
    first.finish().expect("finished");
    drop(scene.begin());
    drop(scene.begin());
}

#[test]
fn a_single_file_lies_in_the_folder_under_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = vec![5; 100_000];
    let builder = Builder::single(OsStr::new("one"), 100_000, 65_536);
    let hashes = bytes.chunks(PIECE).map(|piece| sha1::Sha1::digest(piece).into()).collect();
    let torrent = Metainfo::parse(&builder.hashes(hashes).write().expect("a torrent")).expect("a torrent");
    let scene = Scene { torrent, stream: bytes, folder, disk: Arc::new(Disk::start(DiskMode::Plain).expect("a disk")) };
    let (target, _) = scene.begin();
    scene.download(&target, 0..2);
    assert_eq!(fs::read(scene.out().join("one")).expect("a file"), scene.stream);
    target.finish().expect("finished");
    assert!(target.content().identities().is_ok(), "as a seeder needs it");
}

#[test]
fn a_file_that_is_replaced_during_the_download_counts_neither_as_complete_nor_at_the_next_start() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, 0..scene.pieces());
    fs::rename(scene.path("h"), scene.path("moved")).expect("moved");
    let missing = target.finish().expect_err("it is not there");
    assert!(matches!(missing, CheckpointError::File(FileFault { cause: Cause::Missing, .. })), "{missing}");
    fs::write(scene.path("h"), vec![0; 700_001]).expect("another file");
    let replaced = target.finish().expect_err("it is another one");
    assert!(matches!(replaced, CheckpointError::File(FileFault { cause: Cause::TakenAway, .. })), "{replaced}");
    let stock = take_stock(&scene.target(), &scene.disk).expect("zeros are in nobody's way");
    assert_eq!(ones(&stock.had), scene.right_on_disk());
}

#[test]
fn a_file_that_is_gone_when_a_piece_of_it_comes_is_a_failure_and_not_made_again() {
    let scene = Scene::of_many_files();
    let (target, _) = scene.begin();
    // the first of a thousand was closed long ago
    fs::rename(scene.path("0/0"), scene.path("moved")).expect("moved");
    let verdict = scene.give(&target, [(0, scene.stream[..16_384].to_vec())]).pop().expect("one");
    assert!(matches!(&verdict.outcome, Outcome::Failed(fault) if matches!(fault.cause, Cause::Missing)), "{verdict:?}");
    fs::write(scene.path("0/0"), vec![0; 100]).expect("another file");
    let verdict = scene.give(&target, [(0, scene.stream[..16_384].to_vec())]).pop().expect("one");
    assert!(
        matches!(&verdict.outcome, Outcome::Failed(fault) if matches!(fault.cause, Cause::TakenAway)),
        "{verdict:?}"
    );
}

#[test]
fn what_is_complete_is_taken_as_it_is_even_where_nothing_may_be_written() {
    let scene = Scene::new();
    let (target, _) = scene.begin();
    scene.download(&target, 0..scene.pieces());
    target.finish().expect("finished");
    drop(target);
    for (name, _) in FILES {
        fs::set_permissions(scene.path(name), std::os::unix::fs::PermissionsExt::from_mode(0o444)).expect("read-only");
    }
    let before: Vec<_> = FILES.map(|(name, _)| fs::metadata(scene.path(name)).expect("a file").ctime_nsec()).into();
    let (target, stock) = scene.begin();
    assert!(target.is_complete() && stock.hashed == 0);
    target.finish().expect("finished");
    let after: Vec<_> = FILES.map(|(name, _)| fs::metadata(scene.path(name)).expect("a file").ctime_nsec()).into();
    assert_eq!(before, after, "not touched");
}
