//! From being added to being removed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use sower::session::seedbox::{Activity, Addition, Change, RefusalKind, Source};

use super::box_of::{Scene, torrent, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_here_is_seeded_and_what_is_not_is_downloaded_from_it() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 1_000_000);
    write(&seeder.data(), "one", &bytes);
    let seeded = seeder.add(&file).await;
    let row = seeder.until_seeding(seeded).await;
    assert!(row.is_complete() && row.numbers.have == 1_000_000 && row.numbers.completed_at.is_some());
    let id = leecher.add(&file).await;
    leecher.until(id, "to be downloading", |row| row.activity == Activity::Downloading).await;
    let port = seeder.seedbox.view().totals.port;
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    leecher.change(id, Change::AddPeers(vec![peer])).await;
    let row = leecher.until_seeding(id).await;
    assert_eq!((row.numbers.left, row.numbers.downloaded), (0, 1_000_000));
    assert_eq!(fs::read(leecher.data().join("one")).expect("there"), bytes);
    seeder.until(seeded, "to have sent all", |row| row.numbers.uploaded == 1_000_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrent_is_stopped_started_checked_and_removed() {
    let scene = Scene::new().await;
    let (file, bytes) = torrent("one", 300_000);
    let path = write(&scene.data(), "one", &bytes);
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    scene.change(id, Change::Stop).await;
    assert_eq!(scene.row(id).activity, Activity::Paused);
    scene.change(id, Change::Start { forced: false }).await;
    scene.until_seeding(id).await;
    scene.change(id, Change::Verify).await;
    scene.until_seeding(id).await;
    let again = scene.seedbox.add(Addition::new(Source::File(file.clone()))).await.expect("known");
    assert!(again.duplicate && again.id == id);
    scene.change(id, Change::Remove { data: false }).await;
    let gone = scene.seedbox.change(vec![id], Change::Stop).await.expect_err("gone");
    assert_eq!(gone.kind, RefusalKind::NotFound);
    assert!(path.exists());
    let id = scene.add(&file).await;
    scene.until_seeding(id).await;
    scene.change(id, Change::Remove { data: true }).await;
    while path.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_torrent_or_would_leave_the_roots_is_refused() {
    let scene = Scene::new().await;
    let kind = async |addition| scene.seedbox.add(addition).await.map_err(|refusal| refusal.kind);
    assert_eq!(kind(Addition::new(Source::File(b"x".to_vec()))).await, Err(RefusalKind::Invalid));
    let mut addition = Addition::new(Source::File(torrent("one", 1_000).0));
    addition.choice.folder = "/etc".into();
    assert_eq!(kind(addition).await, Err(RefusalKind::Forbidden));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_link_is_followed_to_a_peer() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 400_000);
    write(&seeder.data(), "one", &bytes);
    let seeded = seeder.add(&file).await;
    let hash = seeder.until_seeding(seeded).await.info_hash();
    let port = seeder.seedbox.view().totals.port;
    let link = format!("magnet:?xt=urn:btih:{hash}&dn=shown&x.pe=127.0.0.1:{port}");
    let id = leecher.seedbox.add(Addition::new(Source::Magnet(link.clone()))).await.expect("added").id;
    assert_eq!((leecher.row(id).name(), leecher.row(id).activity), ("shown", Activity::Metadata));
    assert!(leecher.seedbox.add(Addition::new(Source::Magnet(link))).await.expect("known").duplicate);
    leecher.until(id, "to know what it is", |row| row.about.has_metadata).await;
    assert_eq!(leecher.row(id).name(), "one");
    leecher.change(id, Change::AddPeers(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))])).await;
    leecher.until_seeding(id).await;
    assert_eq!(fs::read(leecher.data().join("one")).expect("there"), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_as_it_was_after_a_restart() {
    let (seeder, leecher) = (Scene::new().await, Scene::new().await);
    let (file, bytes) = torrent("one", 1_000_000);
    write(&seeder.data(), "one", &bytes);
    let seeded = seeder.add(&file).await;
    let hash = seeder.until_seeding(seeded).await.info_hash();
    seeder.change(seeded, Change::AddTags(vec!["kept".into()])).await;
    let id = leecher.add(&file).await;
    let port = seeder.seedbox.view().totals.port;
    leecher.change(id, Change::AddPeers(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))])).await;
    leecher.until_seeding(id).await;
    let (seeder, leecher) = (seeder.restart().await, leecher.restart().await);
    for (scene, uploaded, downloaded) in [(&seeder, 1_000_000, 0), (&leecher, 0, 1_000_000)] {
        let id = scene.seedbox.view().find(hash).expect("kept").id;
        let row = scene.until_seeding(id).await;
        assert_eq!((row.numbers.uploaded, row.numbers.downloaded), (uploaded, downloaded));
        assert!(row.is_complete() && row.numbers.have == 1_000_000);
        let totals = scene.seedbox.view().totals;
        assert_eq!((totals.uploaded, totals.downloaded, totals.starts), (uploaded, downloaded, 2));
    }
    let row = seeder.seedbox.view().find(hash).expect("kept").clone();
    assert!(row.choice.tags.contains("kept"));
}
