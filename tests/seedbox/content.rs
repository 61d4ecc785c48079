//! Content that comes, goes and changes.

use std::fs;

use sower::session::seedbox::{Activity, Change, RefusalKind};

use super::box_of::{Scene, torrent, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_goes_is_waited_for_and_never_made_anew() {
    let scene = Scene::new().await;
    let (file, bytes) = torrent("one", 300_000);
    write(&scene.data(), "one", &bytes);
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    fs::rename(scene.data(), scene.folder.path().join("unmounted")).expect("moved");
    fs::create_dir(scene.data()).expect("an empty mount point");
    let row = scene.until(id, "to be absent", |row| row.activity == Activity::Absent).await;
    assert!(row.message.as_deref().is_some_and(|text| text.contains("mounted")), "{:?}", row.message);
    assert!(row.is_complete());
    scene.change(id, Change::Verify).await;
    scene.until(id, "to be absent again", |row| row.activity == Activity::Absent).await;
    assert_eq!(fs::read_dir(scene.data()).expect("there").count(), 0);
    fs::remove_dir(scene.data()).expect("empty");
    fs::rename(scene.folder.path().join("unmounted"), scene.data()).expect("moved");
    scene.until_seeding(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_changed_is_checked_and_what_is_wrong_is_wanted_again() {
    let scene = Scene::new().await;
    let (file, mut bytes) = torrent("one", 300_000);
    let path = write(&scene.data(), "one", &bytes);
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    bytes[0] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let row = scene.until(id, "to be downloading", |row| row.activity == Activity::Downloading).await;
    assert_eq!(row.numbers.left, 32 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_moved_and_renamed_while_it_is_seeded() {
    let scene = Scene::new().await;
    let (file, bytes) = torrent("one", 300_000);
    let path = write(&scene.data(), "one", &bytes);
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    let folder = scene.data().join("sub/folder");
    scene.change(id, Change::Move { folder: folder.clone(), files: true }).await;
    scene.until(id, "to be moved", |row| row.activity == Activity::Seeding && row.choice.moving.is_none()).await;
    assert!(!path.exists() && fs::read(folder.join("one")).expect("moved") == bytes);
    scene.change(id, Change::RenamePath { from: "one".into(), to: "two".into() }).await;
    scene.until(id, "to be renamed", |row| row.activity == Activity::Seeding && row.choice.moving.is_none()).await;
    assert_eq!(fs::read(folder.join("two")).expect("renamed"), bytes);
    for (from, to) in [("two", "../x"), ("two", "/x"), ("none", "x"), ("two", "")] {
        let change = Change::RenamePath { from: from.into(), to: to.into() };
        let refusal = scene.seedbox.change(vec![id], change).await.expect_err(to);
        assert!(matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Conflict), "{refusal:?}");
    }
    let away = Change::Move { folder: "/etc".into(), files: true };
    assert_eq!(scene.seedbox.change(vec![id], away).await.expect_err("outside").kind, RefusalKind::Forbidden);
}
