//! How a download ends, and goes on: what follows it, signals, exit codes.

use crate::content::Content;
use crate::scene::{Scene, right_bytes};

const PIECE: usize = 256 * 1024;

#[test]
fn then_exit_ends_well_once_all_is_here() {
    let scene = Scene::of(Content::Folder);
    let seed = scene.seed(&[]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    let complete = getter.finish(Content::Folder, &scene.source);
    assert_eq!(complete["received"], seed.size);
    assert_eq!(getter.end().code(), Some(0));
    assert_eq!(getter.program().events("stopped")[0]["complete"], true);
}

#[test]
fn then_a_ratio_seeds_until_so_much_was_sent() {
    let scene = Scene::of(Content::Padded);
    let mut seed = scene.seed(&[]);
    let mut first = scene.get("first", &[seed.port], &["--then", "1.0"]);
    first.finish(Content::Padded, &scene.source);
    seed.seeder.interrupt();
    let port = u16::try_from(first.latest("port")).expect("a port");
    let mut second = scene.get("second", &[port], &["--then", "0"]);
    second.finish(Content::Padded, &scene.source);
    assert_eq!(second.end().code(), Some(0), "a ratio of nothing is reached at once");
    assert_eq!(first.end().code(), Some(0));
    assert_eq!(first.program().event("stopped")["uploaded"], seed.size);
}

#[test]
fn then_seed_seeds_until_it_is_interrupted() {
    let scene = Scene::of(Content::Single);
    let mut seed = scene.seed(&[]);
    let mut first = scene.get("first", &[seed.port], &[]);
    first.finish(Content::Single, &scene.source);
    seed.seeder.interrupt();
    for name in ["second", "third"] {
        let port = u16::try_from(first.latest("port")).expect("a port");
        scene.get(name, &[port], &["--then", "exit"]).finish(Content::Single, &scene.source);
    }
    assert_eq!(first.stop("INT").code(), Some(0), "Ctrl-C is how seeding is meant to end");
}

#[test]
fn an_interrupted_download_says_so_and_goes_on_with_the_same_command() {
    for signal in ["INT", "TERM"] {
        let scene = Scene::of(Content::Single);
        let seed = scene.seed(&["--upload-limit", "4MiB"]);
        let command = |scene: &Scene| scene.get("copy", &[seed.port], &["--then", "exit"]);
        let mut getter = command(&scene);
        getter.reaches(1 << 20);
        assert_eq!(getter.stop(signal).code(), Some(130), "{signal}");
        assert_eq!(getter.program().event("stopped")["complete"], false);
        let file = "one file.bin";
        let here = right_bytes(&scene.source.join(file), &getter.output().join(file), PIECE);
        assert!(here > 0 && here < seed.size);
        let mut getter = command(&scene);
        assert_eq!(getter.program().event("downloading")["good"], here, "{signal}: all that was here counts");
        let complete = getter.finish(Content::Single, &scene.source);
        assert_eq!(complete["received"], seed.size - here, "{signal}: and nothing comes twice");
        assert_eq!(getter.end().code(), Some(0));
    }
}

#[test]
fn a_download_that_is_complete_already_asks_for_nothing_and_seeds() {
    let scene = Scene::of(Content::Folder);
    // copied by hand, so that no note says that it is right
    let mut seed = scene.seed(&[]);
    let mut getter = scene.get("copy", &[seed.port], &["--then", "exit"]);
    getter.finish(Content::Folder, &scene.source);
    getter.end();
    std::fs::remove_dir_all(scene.path().join("copy/state")).expect("the state");
    let mut getter = scene.get("copy", &[seed.port], &[]);
    assert_eq!(getter.program().event("downloading")["good"], seed.size);
    assert_eq!(getter.finish(Content::Folder, &scene.source)["received"], 0);
    seed.seeder.interrupt();
    let port = u16::try_from(getter.latest("port")).expect("a port");
    scene.get("second", &[port], &["--then", "exit"]).finish(Content::Folder, &scene.source);
    assert_eq!(getter.stop("INT").code(), Some(0));
}
