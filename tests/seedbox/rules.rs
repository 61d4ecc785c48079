//! What holds for all torrents: queue, limits, watch folders, trust.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use sower::ids::TorrentId;
use sower::session::seedbox::{Activity, Addition, Change, LimitAction, LimitChange, LimitChoice, Source};

use super::box_of::{Scene, torrent, write};

async fn seeded(scene: &Scene, name: &str, length: usize) -> TorrentId {
    let (file, bytes) = torrent(name, length);
    write(&scene.data(), name, &bytes);
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_seeded_than_the_queue_lets_and_those_that_wait_follow() {
    let scene = Scene::new().await;
    let mut ids = Vec::new();
    for (name, length) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        ids.push(seeded(&scene, name, length).await);
    }
    scene.seedbox.settings(|settings| settings.seeds_max = Some(2)).await.expect("set");
    scene.until(ids[2], "to wait", |row| row.activity == Activity::QueuedSeed).await;
    scene.change(ids[0], Change::Stop).await;
    scene.until_seeding(ids[2]).await;
    scene.change(ids[0], Change::Start { forced: true }).await;
    scene.until_seeding(ids[0]).await;
    assert_eq!(scene.row(ids[2]).activity, Activity::Seeding, "what is forced takes nobody's place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_asks_for_is_paused_once_it_was_seeded_as_long_as_it_was_to_be() {
    let scene = Scene::new().await;
    let (one, other) = (seeded(&scene, "one", 1_000).await, seeded(&scene, "other", 2_000).await);
    let limit =
        |minutes| Change::Limits(LimitChange { seeding: Some(LimitChoice::At(minutes)), ..LimitChange::default() });
    scene.change(one, limit(1)).await;
    scene.change(other, limit(3)).await;
    let paused = scene.until(one, "to have had enough", |row| row.activity == Activity::Paused).await;
    assert!(paused.numbers.seeding_seconds >= 60, "it was to be a minute: {paused:#?}");
    assert_eq!(scene.row(other).activity, Activity::Seeding);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seeded_enough_is_paused_or_removed_with_its_content() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 300_000);
    write(&seeder.data(), "one", &bytes);
    let seeded = seeder.add(&file).await;
    seeder.until_seeding(seeded).await;
    seeder.seedbox.settings(|settings| settings.ratio_limit = Some(0.9)).await.expect("set");
    let id = leecher.add(&file).await;
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, seeder.seedbox.view().totals.port));
    leecher.change(id, Change::AddPeers(vec![peer])).await;
    leecher.until_seeding(id).await;
    seeder.until(seeded, "to have had enough", |row| row.activity == Activity::Paused).await;
    let action = LimitAction::RemoveWithData;
    seeder.seedbox.settings(|settings| settings.limit_action = action).await.expect("set");
    let own = |action| Change::Limits(LimitChange { action: Some(action), ..LimitChange::default() });
    seeder.change(seeded, own(Some(LimitAction::Pause))).await;
    seeder.change(seeded, Change::Start { forced: false }).await;
    seeder.until(seeded, "to be paused, as it is to be itself", |row| row.activity == Activity::Paused).await;
    seeder.change(seeded, own(None)).await;
    seeder.change(seeded, Change::Start { forced: false }).await;
    seeder.until_view("to be removed", |view| view.rows.is_empty()).await;
    while seeder.data().join("one").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read(leecher.data().join("one")).expect("there"), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_in_a_watch_folder_are_added_once_and_bad_ones_are_marked() {
    let scene = Scene::new().await;
    let watched = scene.data().join("watch");
    fs::create_dir(&watched).expect("made");
    scene.seedbox.settings(|settings| settings.watch_folders = vec![watched.clone()]).await.expect("set");
    let (file, _) = torrent("one", 1_000);
    write(&watched, "good.torrent", &file);
    write(&watched, "bad.torrent", b"nonsense");
    write(&watched, "other.txt", b"");
    scene.until_view("to be added", |view| view.rows.len() == 1).await;
    while !watched.join("good.torrent.added").exists() || !watched.join("bad.torrent.invalid").exists() {
        tokio::task::yield_now().await;
    }
    assert!(watched.join("other.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_was_taken_on_trust_is_found_out_before_a_wrong_byte_is_sent() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 300_000);
    let mut wrong = bytes.clone();
    wrong[100_000] ^= 1;
    write(&seeder.data(), "one", &wrong);
    let addition = Addition { trusted: true, ..Addition::new(Source::File(file.clone())) };
    let seeded = seeder.seedbox.add(addition).await.expect("added").id;
    seeder.until_seeding(seeded).await;
    let id = leecher.add(&file).await;
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, seeder.seedbox.view().totals.port));
    leecher.change(id, Change::AddPeers(vec![peer])).await;
    let row = seeder.until(seeded, "to miss a piece", |row| row.numbers.left > 0).await;
    assert_eq!(row.numbers.left, 32 * 1024, "all the others are right");
    let row = leecher.until(id, "to have the others", |row| row.numbers.left == 32 * 1024).await;
    assert_eq!(row.numbers.wasted, 0, "nothing wrong was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_incomplete_is_kept_apart_until_it_is_complete() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 300_000);
    write(&seeder.data(), "one", &bytes);
    let seeded = seeder.add(&file).await;
    seeder.until_seeding(seeded).await;
    let apart = leecher.data().join("apart");
    leecher.seedbox.settings(|settings| settings.incomplete_folder = Some(apart.clone())).await.expect("set");
    let id = leecher.add(&file).await;
    leecher.until(id, "to be downloading", |row| row.activity == Activity::Downloading).await;
    assert!(apart.join("one").exists() && !leecher.data().join("one").exists());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, seeder.seedbox.view().totals.port));
    leecher.change(id, Change::AddPeers(vec![peer])).await;
    let home = leecher.data();
    leecher.until(id, "to be home", |row| row.activity == Activity::Seeding && row.choice.folder == home).await;
    assert!(!apart.join("one").exists() && fs::read(home.join("one")).expect("there") == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_many_change_at_once_are_all_changed() {
    let scene = Scene::new().await;
    let changes = (0..50).map(|number| {
        let seedbox = scene.seedbox.clone();
        tokio::spawn(async move {
            seedbox.settings(|settings| settings.tags.extend([format!("tag {number}")])).await.expect("set");
            seedbox.settings(|settings| settings.connections += 1).await.expect("set");
        })
    });
    let before = scene.seedbox.view().settings.connections;
    for change in changes.collect::<Vec<_>>() {
        change.await.expect("no panic");
    }
    let settings = scene.seedbox.view().settings.clone();
    assert_eq!((settings.tags.len(), settings.connections), (50, before + 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_have_everything_and_peers_that_send_are_counted() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 1_500_000);
    write(&seeder.data(), "one", &bytes);
    let id = seeder.add(&file).await;
    let started = seeder.until_seeding(id).await.numbers.started_at;
    assert!(started.is_some());
    seeder.seedbox.settings(|settings| settings.upload_limit = Some(400_000)).await.expect("set");
    let id = leecher.add(&file).await;
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, seeder.seedbox.view().totals.port));
    leecher.change(id, Change::AddPeers(vec![peer])).await;
    let counts = |row: &sower::session::seedbox::Row| (row.numbers.peers, row.numbers.seeds, row.numbers.senders);
    leecher.until(id, "to be sent to by a seed", |row| counts(row) == (1, 1, 1)).await;
    let row = leecher.until_seeding(id).await;
    leecher.until(id, "to be left by it", |row| counts(row) == (0, 0, 0)).await;
    assert!(row.numbers.started_at >= started);
}
