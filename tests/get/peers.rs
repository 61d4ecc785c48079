//! Peers and trackers that fail: dead ones, none, one that leaves and comes back, one that lies.

use std::time::Duration;

use crate::content::Content;
use crate::getter::Getter;
use crate::process::wait_for;
use crate::scene::{Scene, noise, right_bytes};

#[test]
fn a_dead_tracker_is_told_of_and_a_peer_serves_without_it() {
    let scene = Scene::of(Content::Single);
    let seed = scene.seed(&[]);
    let peer = format!("127.0.0.1:{}", seed.port);
    let arguments = [&scene.torrent, "--port", "0", "--peer", &peer, "--tracker", "http://127.0.0.1:1/announce"];
    let mut getter = Getter::start(scene.path(), "copy", arguments);
    getter.finish(Content::Single, &scene.source);
    let warning = getter.program().event("warning");
    assert!(warning["message"].as_str().is_some_and(|text| text.contains("no tracker runs at that port")), "{warning}");
    assert!(getter.stop("INT").success());
}

#[test]
fn without_any_way_to_peers_it_says_so_and_waits_for_them() {
    let scene = Scene::of(Content::Single);
    let mut getter = scene.get("copy", &[], &["--then", "exit"]);
    let warning = getter.program().event("warning");
    let message = warning["message"].as_str().expect("a text");
    assert!(message.contains("--peer") && message.contains("--tracker"), "{message}");
    // one that finds us by itself
    let port = u16::try_from(getter.latest("port")).expect("a port");
    let seed = scene.seed(&[]);
    let mut between = scene.get("between", &[seed.port, port], &[]);
    getter.finish(Content::Single, &scene.source);
    between.finish(Content::Single, &scene.source);
}

#[test]
fn a_seed_that_leaves_in_the_middle_is_found_again_when_it_is_back() {
    let scene = Scene::of(Content::Single);
    let first = scene.seed(&["--upload-limit", "3MiB"]);
    let (port, size) = (first.port, first.size);
    let mut getter = scene.get("copy", &[port], &["--then", "exit"]);
    getter.reaches(2 << 20);
    drop(first);
    // noticed, and tried in vain
    getter.program().wait("a try that fails", |event| {
        (event["peers"] == 0 && event["closed"]["connection failed"].as_u64() >= Some(1)).then_some(())
    });
    let here = getter.latest("good");
    assert!(here < size, "it was to be interrupted");
    let _second = scene.seed(&["--port", &port.to_string()]);
    getter.finish(Content::Single, &scene.source);
    assert!(getter.end().success());
}

#[test]
fn a_liar_beside_an_honest_seed_is_found_out_and_banned() {
    let scene = Scene::of(Content::Single);
    let honest = scene.seed(&["--upload-limit", "4MiB"]);
    let lies = scene.workspace.folder("lies");
    let size = usize::try_from(honest.size).expect("small");
    std::fs::write(lies.join("one file.bin"), noise(&mut fastrand::Rng::with_seed(9), size)).expect("a copy");
    // the same number of bytes, every one of them wrong
    let liar = scene.seed_from(&lies, "liar", &["--skip-check", "--upload-limit", "4MiB"]);
    // a ban is for an address
    let liar_address = format!("127.0.0.2:{}", liar.port);
    let mut getter = scene.get("copy", &[honest.port], &["--peer", &liar_address]);
    getter.finish(Content::Single, &scene.source);
    let closed = getter.program().wait("a ban", |event| event["closed"]["sent bad data"].as_u64());
    assert!(closed >= 1);
    let wasted = getter.latest("wasted");
    assert!(wasted > 0 && wasted < honest.size, "{wasted} bytes wasted of {}", honest.size);
    // whoever has the copy gives it on as it should be
    let port = u16::try_from(getter.latest("port")).expect("a port");
    scene.get("second", &[port], &["--then", "exit"]).finish(Content::Single, &scene.source);
}

#[test]
fn a_liar_alone_gives_nothing_that_counts() {
    let scene = Scene::of(Content::Single);
    let lies = scene.workspace.folder("lies");
    let size = std::fs::metadata(scene.source.join("one file.bin")).expect("the file").len();
    let size = usize::try_from(size).expect("small");
    std::fs::write(lies.join("one file.bin"), noise(&mut fastrand::Rng::with_seed(9), size)).expect("a copy");
    let liar = scene.seed_from(&lies, "liar", &["--skip-check"]);
    let mut getter = scene.get("copy", &[liar.port], &[]);
    getter.program().wait("a ban", |event| event["closed"]["sent bad data"].as_u64().filter(|count| *count > 0));
    assert_eq!(getter.latest("good"), 0);
    // it is not dialled any more, and asked for nothing
    let sent = liar.seeder.uploaded();
    wait_for("some turns without it", Duration::from_secs(10), || {
        (getter.program().events("stats").len() > 6).then_some(())
    });
    assert!(liar.seeder.uploaded() <= sent.max(2 * size as u64), "{sent}, then {}", liar.seeder.uploaded());
    assert_eq!(getter.stop("INT").code(), Some(130));
}

#[test]
fn a_download_limit_holds_over_real_sockets() {
    let scene = Scene::of_files("file", [("file".to_owned(), 4 << 20)]);
    let seeds = [scene.seed_from(&scene.source, "first", &[]), scene.seed_from(&scene.source, "second", &[])];
    let began = std::time::Instant::now();
    let mut getter =
        scene.get("copy", &[seeds[0].port, seeds[1].port], &["--download-limit", "1MiB", "--then", "exit"]);
    getter.complete();
    let seconds = began.elapsed().as_secs_f64();
    // four of them; a machine that is busy takes longer, and none takes less
    assert!((3.5..30.0).contains(&seconds), "{seconds}");
    assert!(getter.end().success());
    let copy = getter.output().join("file");
    assert_eq!(right_bytes(&scene.source.join("file"), &copy, 64 << 10), 4 << 20);
}
