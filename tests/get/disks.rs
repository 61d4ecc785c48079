//! Disks that are full or not to be written, each a small one of its own.

use std::path::Path;

use crate::content::Content;
use crate::namespace::{Family, isolated};
use crate::process::run;
use crate::scene::Scene;

const FILE: &str = "one file.bin";

fn mount(folder: &Path, options: &str) {
    run("mount", &["-t", "tmpfs", "-o", options, "none", folder.to_str().expect("an ASCII path")]);
}

#[test]
fn a_disk_that_is_full_in_the_middle_ends_the_download_which_goes_on_when_there_is_room() {
    isolated(Family::V4, &[], || {
        let scene = Scene::of(Content::Single);
        let seed = scene.seed(&[]);
        let output = scene.workspace.folder("copy/output");
        mount(&output, "size=6m");
        let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
        assert_eq!(getter.end().code(), Some(1));
        let complaint = getter.program().complaints();
        assert!(complaint.contains(FILE) && complaint.contains("no space left; free some"), "{complaint}");
        assert!(complaint.contains("the same command goes on"), "{complaint}");
        mount(&output, "remount,size=32m");
        let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
        let good = getter.program().event("downloading")["good"].as_u64().expect("a number");
        assert!(good > 4 << 20, "what was written counts: {good}");
        let complete = getter.finish(Content::Single, &scene.source);
        assert_eq!(complete["received"], seed.size - good);
        assert!(getter.end().success());
        run("umount", &[output.to_str().expect("an ASCII path")]);
    });
}

#[test]
fn a_disk_that_is_too_small_is_told_of_at_the_start_with_preallocate() {
    isolated(Family::V4, &[], || {
        let scene = Scene::of(Content::Single);
        let seed = scene.seed(&[]);
        let output = scene.workspace.folder("copy/output");
        mount(&output, "size=6m");
        let command = |scene: &Scene| scene.get("copy", &[seed.port], &["--then", "exit", "--preallocate"]);
        let mut getter = command(&scene);
        assert_eq!(getter.end().code(), Some(1));
        let complaint = getter.program().complaints();
        assert!(complaint.contains(FILE) && complaint.contains("no space left; free some"), "{complaint}");
        assert!(getter.program().events("downloading").is_empty());
        mount(&output, "remount,size=32m");
        let mut getter = command(&scene);
        getter.finish(Content::Single, &scene.source);
        assert!(getter.end().success());
        run("umount", &[output.to_str().expect("an ASCII path")]);
    });
}

#[test]
fn a_disk_that_may_not_be_written_is_named_with_what_to_do() {
    isolated(Family::V4, &[], || {
        let scene = Scene::of(Content::Folder);
        let output = scene.workspace.folder("copy/output");
        mount(&output, "ro");
        let mut getter = scene.get("copy", &[], &["--then", "exit"]);
        assert_eq!(getter.end().code(), Some(1));
        let complaint = getter.program().complaints();
        assert!(complaint.contains("read-only; choose another folder"), "{complaint}");
        run("umount", &[output.to_str().expect("an ASCII path")]);
    });
}

#[test]
fn without_a_folder_for_its_notes_it_warns_and_downloads() {
    isolated(Family::V4, &[], || {
        let scene = Scene::of(Content::Single);
        let seed = scene.seed(&["--upload-limit", "4MiB"]);
        mount(&scene.workspace.folder("copy/state"), "ro");
        let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
        let warning = getter.program().event("warning");
        assert!(warning["message"].as_str().is_some_and(|text| text.contains("copy/state")), "{warning}");
        getter.reaches(2 << 20);
        getter.program().kill();
        let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
        assert!(getter.program().event("downloading")["good"].as_u64() >= Some(2 << 20), "found by looking");
        getter.finish(Content::Single, &scene.source);
        assert!(getter.end().success());
    });
}
