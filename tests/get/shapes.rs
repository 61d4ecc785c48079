//! Torrents of odd shapes, and parts of torrents.

use std::path::Path;

use crate::content::Content;
use crate::process::Workspace;
use crate::scene::Scene;

fn name(text: &str, size: usize) -> (String, usize) {
    (text.to_owned(), size)
}

/// Downloads all of a scene, and compares.
fn comes_whole(scene: &Scene) {
    let seed = scene.seed(&[]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    assert_eq!(getter.complete()["received"], seed.size);
    assert!(getter.end().success());
    assert_same(&scene.source, getter.output());
}

fn assert_same(source: &Path, copy: &Path) {
    let output = std::process::Command::new("diff").arg("-r").args([source, copy]).output().expect("diff");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn one_byte() {
    comes_whole(&Scene::of_files("a", [name("a", 1)]));
}

#[test]
fn a_last_piece_of_one_byte() {
    comes_whole(&Scene::of_files("a", [name("a", 2 * 65_536 + 1)]));
}

#[test]
fn whole_pieces_alone() {
    comes_whole(&Scene::of_files("a", [name("a", 3 * 65_536)]));
}

#[test]
fn empty_files_at_both_ends_and_between() {
    let files = [name("d/a", 0), name("d/b", 100_000), name("d/c/empty", 0), name("d/d", 65_536), name("d/z", 0)];
    comes_whole(&Scene::of_files("d", files));
}

#[test]
fn ten_thousand_small_files() {
    let files = (0..10_000).map(|i| (format!("many/{}/{i}", i % 100), i % 700));
    comes_whole(&Scene::of_files_in(Workspace::in_memory(), "many", files));
}

#[test]
fn chosen_files_come_alone_and_the_rest_when_it_is_asked_for() {
    let scene = Scene::of(Content::Padded);
    let seed = scene.seed(&[]);
    // first.bin, sub/third.bin: every file begins with a piece of its own
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit", "--only", "1,4"]);
    let complete = getter.complete();
    assert!(getter.end().success());
    let (source, copy) = (scene.source.join("padded"), getter.output().join("padded"));
    let wanted = ["first.bin", "sub/third.bin"];
    for file in wanted {
        assert!(std::fs::read(source.join(file)).expect("source") == std::fs::read(copy.join(file)).expect("copy"));
    }
    for file in ["second.bin", "sub/whole.bin", "sub/empty.txt"] {
        assert!(!copy.join(file).exists(), "{file} was not asked for");
    }
    let received = complete["received"].as_u64().expect("a number");
    assert!(received < seed.size / 2 + 1_000_000, "{received}");
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    let complete = getter.finish(Content::Padded, &scene.source);
    assert_eq!(complete["received"], seed.size - received, "only the rest");
}

#[test]
fn files_that_are_to_come_first_do() {
    let scene = Scene::of(Content::Padded);
    let seed = scene.seed(&["--upload-limit", "3MiB"]);
    let mut getter = scene.get("copy", &[seed.port], &["--first", "4"]);
    // 5,000,011 bytes
    getter.reaches(6 << 20);
    let file = "padded/sub/third.bin";
    let read = |folder: &Path| std::fs::read(folder.join(file)).expect("the file");
    assert!(read(&scene.source) == read(getter.output()));
    getter.finish(Content::Padded, &scene.source);
}

#[test]
fn a_choice_of_files_that_do_not_exist_is_refused_with_the_way_to_list_them() {
    let scene = Scene::of(Content::Padded);
    for flag in ["--only", "--first"] {
        let mut getter = scene.get("copy", &[], &[flag, "2,6"]);
        assert_eq!(getter.end().code(), Some(1));
        let complaint = getter.program().complaints();
        assert!(complaint.contains("file 6") && complaint.contains("sower show"), "{complaint}");
        assert!(!getter.output().join("padded").exists());
    }
}
