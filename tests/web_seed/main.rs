//! Web seeds (BEP 19) against nginx, and against servers that do everything wrong.

mod content;
mod faults;
mod nginx;
mod reactor;

use std::time::Duration;

use content::Content;
use nginx::Nginx;
use reactor::{BLOCK, Reactor, Said};
use sower::session::web_seed::{WebSeedConfig, WebSeedState, WebSeeds};

/// The usual times, but for failures, which would take minutes.
fn config() -> WebSeedConfig {
    let back_off = Duration::from_millis(100)..=Duration::from_millis(200);
    WebSeedConfig { back_off, ..WebSeedConfig::new("sower-test/1".to_owned(), None) }
}

#[tokio::test]
async fn a_single_file_comes_in_few_long_ranges() {
    let content = Content::single("a film.mkv", 10 * 1024 * 1024 + 12_345);
    let Some(nginx) = Nginx::serving(&content) else { return };
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &nginx.url("a%20film.mkv")).await;
    assert_eq!(reactor.download(content.blocks()).await, content.bytes);
    let log = nginx.log();
    assert!(log.len() <= 6, "{log:?}");
    assert!(log.iter().any(|line| line == "/a%20film.mkv bytes=4194304-8388607 206 sower-test/1"), "{log:?}");
    assert_eq!((seed.status().bytes, seed.status().error), (content.bytes.len() as u64, None));
    drop(reactor);
    while seed.status().state != WebSeedState::Closed {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_files_of_a_folder_come_across_their_borders_and_padding_is_made_up() {
    let content = Content::folder(
        "set #1",
        &[
            ("one.bin", 100_000),
            ("empty", 0),
            ("deep/er/100% é?.bin", 40_000),
            (".pad/12", 3_616),
            ("two;=&+", 1),
            ("three", 300_000),
        ],
    );
    let Some(nginx) = Nginx::serving(&content) else { return };
    for url in [nginx.url(""), nginx.url("").trim_end_matches('/').to_owned()] {
        let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
        assert_eq!(reactor.download(content.blocks()).await, content.bytes);
        assert_eq!(seed.status().error, None);
        // in another order, so that ranges end anywhere
        let mut shuffled = content.blocks();
        fastrand::Rng::with_seed(5).shuffle(&mut shuffled);
        assert_eq!(reactor.download(shuffled).await, content.bytes);
    }
    assert!(nginx.log().iter().all(|line| line.contains(" 206 ") && !line.contains(".pad")), "{:?}", nginx.log());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_taken_back_and_the_others_are_served() {
    let piece = u64::from(4 * BLOCK);
    let content = Content::folder("set", &[("a", piece), ("gone", piece * 2), ("b", piece)]);
    let Some(nginx) = Nginx::serving(&content) else { return };
    std::fs::remove_file(nginx.folder().join("set/gone")).expect("it was there");
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &nginx.url("")).await;
    let blocks = content.blocks();
    reactor.ask(&blocks).await;
    let mut refused = Vec::new();
    let mut came = 0;
    while came + refused.len() < blocks.len() {
        match reactor.hear().await {
            Said::Piece(block, data) => {
                content.check(block, &data);
                came += 1;
            }
            Said::Reject(block) => refused.push(block),
            Said::Bitfield(bits) => assert_eq!(bits, [0b1001_0000]),
            other => panic!("{other:?}"),
        }
    }
    refused.sort_by_key(|block| (block.piece, block.begin));
    // one range would have been for all the files
    assert_eq!(refused, blocks[4..12]);
    reactor.ask(&blocks[11..13]).await;
    assert_eq!(reactor.hear().await, Said::Reject(blocks[11]));
    assert!(matches!(reactor.hear().await, Said::Piece(block, _) if block == blocks[12]));
    assert_eq!(seed.status().error.as_deref(), Some("the file is not there (HTTP status 404)"));
}

#[tokio::test]
async fn a_web_seed_that_is_dropped_hangs_up() {
    let content = Content::single("film", 100_000);
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, "http://127.0.0.1:9/").await;
    drop(seed);
    assert_eq!(reactor.hear().await, Said::End);
}

#[tokio::test]
async fn nothing_but_the_torrent_of_the_web_seed_is_spoken_about() {
    let content = Content::single("film", 100_000);
    let other = Content::single("another film", 100_000);
    let seeds = WebSeeds::new(config());
    let mut rng = fastrand::Rng::with_seed(1);
    let (seed, socket) = seeds.start(&content.metainfo, "http://127.0.0.1:9/", &mut rng).expect("a web seed");
    let mut reactor = Reactor::new(socket, &other);
    reactor.greet().await;
    assert_eq!(reactor.hear().await, Said::End);
    assert_eq!(seed.status().state, WebSeedState::GivenUp);
    for url in ["ftp://127.0.0.1/", "film", "udp://127.0.0.1:1/"] {
        assert!(seeds.start(&content.metainfo, url, &mut rng).is_err(), "{url}");
    }
}
