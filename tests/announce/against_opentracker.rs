//! opentracker is IPv4-only and whitelist-only in Debian's build.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sower::discovery::{AnnounceError, Announced, Announcer, Family, Scrape, Stats};
use sower::ids::InfoHash;

use super::{HASH, config, endpoint, found, in_time, torrent, url};

struct OpenTracker {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl OpenTracker {
    /// `None` (and a word about it) where it is not installed.
    async fn start() -> Option<OpenTracker> {
        let folder =
            tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
        let folder = folder.expect("a scratch folder");
        fs::write(folder.path().join("whitelist"), format!("{HASH}\n")).expect("a file in it");
        // it cannot be given port 0 and asked which it got
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let started = Command::new("opentracker")
            .args(["-i", "127.0.0.1", "-P", &port.to_string(), "-p", &port.to_string(), "-u", "nobody"])
            .args(["-w", "whitelist", "-d"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            eprintln!("skipped: opentracker is not installed (apt-get install opentracker)");
            return None;
        };
        let tracker = OpenTracker { process, port, _folder: folder };
        in_time("opentracker to listen", async {
            while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Some(tracker)
    }

    fn urls(&self) -> [String; 2] {
        [format!("http://127.0.0.1:{}/announce", self.port), format!("udp://127.0.0.1:{}/announce", self.port)]
    }
}

impl Drop for OpenTracker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn scrape(announcer: &Announcer, tracker: &str) -> Scrape {
    let counts = announcer.scrape(&url(tracker), &[HASH]).await.expect("it can be scraped");
    counts[0].expect("it knows the torrent")
}

#[tokio::test]
async fn a_torrent_lives_its_whole_life_at_opentracker_over_http_and_udp() {
    for kind in 0..2 {
        let Some(tracker) = OpenTracker::start().await else { return };
        let tracker = &tracker.urls()[kind];
        let (mut seed, _peers) = Announcer::start(config(5001));
        let handle = seed.add(torrent(&[&[tracker]], 0)).await;
        let status = endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
        assert_eq!((status.seeders, status.leechers, status.error), (Some(1), Some(0), None), "{tracker}");

        let (mut leech, mut peers) = Announcer::start(config(5002));
        let left = Arc::new(AtomicU64::new(1_000));
        let source = Arc::clone(&left);
        let stats = move || Stats { left: source.load(Ordering::SeqCst), peers_wanted: 50, ..Stats::default() };
        let handle = leech.add(Announced { stats: Arc::new(stats), ..torrent(&[&[tracker]], 0) }).await;
        let named = found(&mut peers).await;
        assert_eq!(named.info_hash, HASH);
        assert!(named.peers.contains(&"127.0.0.1:5001".parse().expect("address")), "{tracker}: {named:?}");
        assert_eq!(scrape(&seed, tracker).await, Scrape { seeders: 1, completed: 0, leechers: 1 }, "{tracker}");

        left.store(0, Ordering::SeqCst);
        handle.completed().await;
        endpoint(&handle, 0, Family::V4, |status| status.seeders == Some(2)).await;
        assert_eq!(scrape(&seed, tracker).await, Scrape { seeders: 2, completed: 1, leechers: 0 }, "{tracker}");

        let farewell = leech.shutdown(Duration::from_secs(5)).await;
        assert_eq!((farewell.told, farewell.missed), (1, 0));
        assert_eq!(scrape(&seed, tracker).await, Scrape { seeders: 1, completed: 1, leechers: 0 }, "{tracker}");
        assert_eq!(seed.shutdown(Duration::from_secs(5)).await.told, 1);
    }
}

#[tokio::test]
async fn a_torrent_that_opentracker_does_not_serve_is_refused_in_its_words() {
    let Some(tracker) = OpenTracker::start().await else { return };
    let [http, udp] = tracker.urls();
    let (announcer, _peers) = Announcer::start(config(5001));
    let mut other = torrent(&[&[&http]], 0);
    other.info_hash = InfoHash([9; 20]);
    let handle = announcer.add(other).await;
    let status = endpoint(&handle, 0, Family::V4, |status| status.failures > 0).await;
    let reason = status.error.expect("refused").to_string();
    assert!(reason.contains("not authorized"), "{reason}");
    // the old HTTP form of a scrape leaves strangers out, the UDP one counts zeroes
    let unknown = announcer.scrape(&url(&http), &[InfoHash([9; 20])]).await;
    assert!(matches!(unknown.as_deref(), Ok([None])), "{unknown:?}");
    let unknown = announcer.scrape(&url(&udp), &[InfoHash([9; 20])]).await;
    assert!(matches!(unknown.as_deref(), Ok([Some(Scrape { seeders: 0, .. })])), "{unknown:?}");
}

#[tokio::test]
async fn removing_a_torrent_says_so_and_keeps_the_others() {
    let Some(tracker) = OpenTracker::start().await else { return };
    let [http, _] = tracker.urls();
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let handle = announcer.add(torrent(&[&[&http]], 0)).await;
    endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    handle.remove().await;
    in_time("the tracker to forget", async {
        loop {
            match announcer.scrape(&url(&http), &[HASH]).await {
                Ok(counts) if counts[0].is_none_or(|counts| counts.seeders == 0) => return,
                Ok(_) | Err(AnnounceError::Failure { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await, sower::discovery::Farewell::default());
}
