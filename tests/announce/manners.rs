//! What trackers hear: exact numbers, both families, few connections, and nothing that they should not know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sower::discovery::{Announced, Announcer, Config, Family, Stats, Trackers};
use sower::ids::InfoHash;

use super::servers::{HttpTracker, LAST, PLAIN, UdpTracker, honest, ok};
use super::{HASH, config, endpoint, every_tracker, found, torrent, url};

#[tokio::test]
async fn numbers_are_of_the_moment_and_count_from_started() {
    let tracker = HttpTracker::start(|_| ok(PLAIN));
    let sent = Arc::new(AtomicU64::new(1_000));
    let source = Arc::clone(&sent);
    let (mut announcer, mut peers) = Announcer::start(config(5001));
    let handle = announcer
        .add(Announced {
            stats: Arc::new(move || Stats {
                uploaded: source.load(Ordering::SeqCst),
                downloaded: 77,
                left: 5,
                peers_wanted: 30,
            }),
            ..torrent(&[&[&tracker.url()]], 0)
        })
        .await;
    let hears = |heard: &super::servers::Heard| {
        let [event, uploaded, downloaded] =
            ["event", "uploaded", "downloaded"].map(|key| heard.value(key).unwrap_or(""));
        (event.to_owned(), uploaded.to_owned(), downloaded.to_owned())
    };
    let first = tracker.heard().await;
    assert_eq!(
        hears(&first),
        ("started".into(), "0".into(), "0".into()),
        "bytes of earlier runs are not ours to report"
    );
    assert_eq!(
        (first.value("left"), first.value("numwant"), first.value("port")),
        (Some("5"), Some("30"), Some("5001"))
    );
    assert_eq!(first.value("info_hash"), Some("%01%20announced%20torrent%FF"));
    assert_eq!(first.value("key"), Some("00c0ffee"));
    assert!(first.headers.contains(concat!("user-agent: sower/", env!("CARGO_PKG_VERSION"))), "{}", first.headers);
    assert!(first.headers.contains("accept-encoding: gzip"), "{}", first.headers);
    found(&mut peers).await;

    sent.store(1_000 + 9_876_543_210_123, Ordering::SeqCst);
    handle.completed().await;
    assert_eq!(hears(&tracker.heard().await), ("completed".into(), "9876543210123".into(), "0".into()));
    found(&mut peers).await;

    sent.fetch_add(1, Ordering::SeqCst);
    announcer.shutdown(Duration::from_secs(5)).await;
    let last = tracker.heard().await;
    assert_eq!(hears(&last), ("stopped".into(), "9876543210124".into(), "0".into()));
    assert_eq!(last.value("peer_id"), first.value("peer_id"));
    assert!(tracker.heard_nothing_else());
}

#[tokio::test]
async fn a_tracker_gets_its_id_and_its_own_query_back() {
    let tracker = HttpTracker::start(|_| ok(b"d8:intervali1800e10:tracker id3:\0 z15:warning message4:mind5:peers0:e"));
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let with_key = format!("{}?passkey=a%20b", tracker.url());
    let handle = announcer.add(torrent(&[&[&with_key]], 0)).await;
    let status = endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    assert_eq!(status.warning.as_deref(), Some("mind"));
    announcer.shutdown(Duration::from_secs(5)).await;
    let (first, last) = (tracker.heard().await, tracker.heard().await);
    assert!(first.target.starts_with("/announce?passkey=a%20b&info_hash="), "{}", first.target);
    assert_eq!((first.value("trackerid"), last.value("trackerid")), (None, Some("%00%20z")));
}

/// HTTP trackers on one port of both loopback addresses.
fn pair() -> (HttpTracker, HttpTracker) {
    for _ in 0..50 {
        let v4 = HttpTracker::start(|_| ok(PLAIN));
        let port = v4.address.port();
        if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok() {
            return (v4, HttpTracker::start_at(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), |_| ok(PLAIN)));
        }
    }
    panic!("no port is free for both families");
}

fn both_families() -> Vec<(String, Vec<IpAddr>)> {
    vec![("both.example".into(), vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])]
}

#[tokio::test]
async fn a_tracker_with_both_families_hears_of_both() {
    let (v4, v6) = pair();
    let (mut announcer, _peers) = Announcer::start(Config { names: both_families(), ..config(5001) });
    let name = format!("http://both.example:{}/announce", v4.address.port());
    let handle = announcer.add(torrent(&[&[&name]], 0)).await;
    let (one, other) = (v4.heard().await, v6.heard().await);
    assert!(one.from.is_ipv4() && other.from.is_ipv6());
    assert_eq!((one.value("event"), other.value("event")), (Some("started"), Some("started")));
    assert_eq!((one.value("key"), one.value("peer_id")), (other.value("key"), other.value("peer_id")));
    endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    endpoint(&handle, 0, Family::V6, |status| status.answered.is_some()).await;
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await.told, 2);
}

#[tokio::test]
async fn a_family_without_a_tracker_does_not_fail_the_other() {
    let tracker = UdpTracker::start(Ipv4Addr::LOCALHOST.into(), |datagram| Some(honest(datagram)));
    let spare = HttpTracker::start(|_| ok(PLAIN));
    let (announcer, mut peers) = Announcer::start(Config { names: both_families(), ..config(5001) });
    let name = format!("udp://both.example:{}", tracker.address.port());
    let handle = announcer.add(torrent(&[&[&name]], 0)).await;
    found(&mut peers).await;
    let failed = endpoint(&handle, 0, Family::V6, |status| status.failures > 0).await;
    assert!(failed.error.expect("a reason").to_string().contains("refused the connection"));
    assert!(handle.status()[0].works());
    assert!(spare.heard_nothing_else());
}

#[tokio::test]
async fn many_torrents_share_few_connections() {
    let tracker = HttpTracker::start(|_| ok(PLAIN));
    let datagrams = UdpTracker::start(Ipv4Addr::LOCALHOST.into(), |datagram| Some(honest(datagram)));
    let (mut announcer, mut peers) = Announcer::start(every_tracker(5001));
    let torrents = 120u8;
    for number in 0..torrents {
        let mut many = torrent(&[&[&tracker.url()], &[&datagrams.url()]], 0);
        many.info_hash = InfoHash([number; 20]);
        announcer.add(many).await;
    }
    for _ in 0..2 * torrents {
        found(&mut peers).await;
    }
    let (connections, busiest) = (tracker.connections.load(Ordering::SeqCst), tracker.busiest.load(Ordering::SeqCst));
    assert!(connections <= 8, "{connections} connections for {torrents} announces");
    assert!(busiest <= 4, "{busiest} announces at once");
    assert_eq!(datagrams.heard(0).len(), 1, "one connection id serves all");
    assert_eq!(datagrams.heard(1).len(), usize::from(torrents));
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await.told, 2 * usize::from(torrents));
}

#[tokio::test]
async fn connections_that_a_tracker_closes_without_a_word_cost_no_announce() {
    let tracker = HttpTracker::start(|_| ok(&[&PLAIN[..PLAIN.len() - 1], LAST].concat()));
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let mut handles = Vec::new();
    for number in 0..100 {
        let mut one = torrent(&[&[&tracker.url()]], 0);
        one.info_hash = InfoHash([number; 20]);
        handles.push(announcer.add(one).await);
    }
    for handle in &handles {
        let status = endpoint(handle, 0, Family::V4, |status| status.answered.is_some() || status.failures > 0).await;
        assert_eq!(status.error, None);
    }
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await.missed, 0);
}

#[tokio::test]
async fn a_udp_tracker_gets_path_and_query_as_options() {
    let tracker = UdpTracker::start(Ipv6Addr::LOCALHOST.into(), |datagram| Some(honest(datagram)));
    let (announcer, _peers) = Announcer::start(config(5001));
    let handle = announcer.add(torrent(&[&[&format!("{}/x/announce?key=1", tracker.url())]], 0)).await;
    endpoint(&handle, 0, Family::V6, |status| status.answered.is_some()).await;
    let announce = tracker.heard(1).remove(0);
    assert_eq!(announce[98..], [&[2, 17], &b"/x/announce?key=1"[..]].concat());
    assert_eq!(announce[16..36], HASH.0);
    assert_eq!(announce[96..98], 5001u16.to_be_bytes());
}

#[tokio::test]
async fn a_private_torrent_uses_one_tracker_at_a_time_and_says_when_it_changes() {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&gone);
    let first =
        HttpTracker::start(
            move |_| {
                if flag.load(Ordering::SeqCst) { ok(b"d14:failure reason4:gonee") } else { ok(PLAIN) }
            },
        );
    let second = HttpTracker::start(|_| ok(PLAIN));
    let (announcer, mut peers) = Announcer::start(every_tracker(5001));
    let tiers = vec![vec![url(&first.url())], vec![url(&second.url())]];
    let private = Announced { trackers: Trackers::Private { tiers }, ..torrent(&[], 0) };
    let handle = announcer.add(private).await;
    assert!(!found(&mut peers).await.replaces);
    assert!(second.heard_nothing_else(), "even though the operator wants every tracker");
    gone.store(true, Ordering::SeqCst);
    handle.announce_now().await;
    assert!(found(&mut peers).await.replaces, "peers of the other tracker must go");
    assert_eq!(second.heard().await.value("event"), Some("started"));
}

#[tokio::test]
async fn answers_that_nobody_takes_are_counted_not_kept() {
    let tracker = HttpTracker::start(|_| ok(PLAIN));
    let (announcer, peers) = Announcer::start(config(5001));
    drop(peers);
    let handle = announcer.add(torrent(&[&[&tracker.url()]], 0)).await;
    endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    assert_eq!(announcer.peers_dropped(), 1);
}

#[tokio::test]
async fn trackers_that_are_edited_hear_of_it_and_those_that_stay_do_not() {
    let (old, kept, new) = (
        HttpTracker::start(|_| ok(PLAIN)),
        HttpTracker::start(|_| ok(b"d8:completei7e10:incompletei2e8:intervali1800e5:peers0:e")),
        HttpTracker::start(|_| ok(PLAIN)),
    );
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let handle = announcer.add(torrent(&[&[&old.url()], &[&kept.url()]], 0)).await;
    for tracker in [&old, &kept] {
        assert_eq!(tracker.heard().await.value("event"), Some("started"));
    }
    endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    endpoint(&handle, 1, Family::V4, |status| status.answered.is_some()).await;
    let changes = announcer.take_changes();
    assert_eq!(changes.iter().map(|change| change.info_hash).collect::<Vec<_>>(), [HASH]);
    assert_eq!((changes[0].summary.seeders, changes[0].summary.leechers), (Some(7), Some(2)));
    assert!(announcer.take_changes().is_empty(), "nothing was heard since");

    handle.set_trackers(torrent(&[&[&kept.url()], &[&new.url()]], 0).trackers).await;
    assert_eq!(old.heard().await.value("event"), Some("stopped"));
    assert_eq!(new.heard().await.value("event"), Some("started"));
    let status = endpoint(&handle, 1, Family::V4, |status| status.answered.is_some()).await;
    assert!(status.next.is_some());
    assert!(handle.status()[0].works(), "what is known of the one that stays is kept");
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await.told, 2);
    for tracker in [&kept, &new] {
        assert_eq!(tracker.heard().await.value("event"), Some("stopped"));
    }
    assert!(old.heard_nothing_else() && kept.heard_nothing_else() && new.heard_nothing_else());
}

#[tokio::test]
async fn what_was_never_announced_is_not_told_to_stop() {
    let tracker = HttpTracker::start(|_| ok(PLAIN));
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let mut handles = Vec::new();
    for number in 0..200u8 {
        handles.push(
            announcer.add(Announced { info_hash: InfoHash([number; 20]), ..torrent(&[&[&tracker.url()]], 0) }).await,
        );
    }
    for _ in 0..20 {
        assert_eq!(tracker.heard().await.value("event"), Some("started"));
    }
    let load = announcer.loads().await.remove(0);
    assert!(load.host.starts_with("127.0.0.1:") && load.waiting + load.in_flight > 20, "{load:?}");
    assert!(announcer.outcomes().answered >= 15, "{:?}", announcer.outcomes());
    let farewell = announcer.shutdown(Duration::from_secs(5)).await;
    assert!((20..150).contains(&farewell.told), "50 at once, then 50 a second: {farewell:?}");
    assert_eq!(farewell.missed, 0);
}

/// A restart without a break: a tracker that hears `started` again, or nothing of what was sent since its last announce, takes away what
/// was uploaded in between.
#[tokio::test]
async fn who_goes_on_for_another_process_tells_of_its_bytes_and_does_not_start_anew() {
    let (known, unknown) = (HttpTracker::start(|_| ok(PLAIN)), HttpTracker::start(|_| ok(PLAIN)));
    let sent = Arc::new(AtomicU64::new(5_000));
    let numbers = |sent: &Arc<AtomicU64>| {
        let source = Arc::clone(sent);
        move || Stats { uploaded: source.load(Ordering::SeqCst), downloaded: 0, left: 0, peers_wanted: 50 }
    };
    let (first, _peers) = Announcer::start(config(5_021));
    let at_one = Announced { stats: Arc::new(numbers(&sent)), ..torrent(&[&[&known.url()]], 0) };
    first.add(at_one).await;
    assert_eq!(known.heard().await.value("event"), Some("started"));
    sent.fetch_add(300, Ordering::SeqCst);
    let told = loop {
        let told = first.told().await;
        if !told.is_empty() {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((told.len(), told[0].uploaded, told[0].downloaded), (1, 300, 0));
    first.fall_silent();

    let sent = Arc::new(AtomicU64::new(0));
    let (mut second, _peers) = Announcer::start(config(5_021));
    let at_both = torrent(&[&[&known.url()], &[&unknown.url()]], 0);
    sent.fetch_add(50, Ordering::SeqCst);
    second.go_on(Announced { stats: Arc::new(numbers(&sent)), ..at_both }, told).await;
    let heard = known.heard().await;
    assert_eq!((heard.value("event"), heard.value("uploaded")), (None, Some("350")));
    let heard = unknown.heard().await;
    assert_eq!((heard.value("event"), heard.value("uploaded")), (Some("started"), Some("0")));
    sent.fetch_add(7, Ordering::SeqCst);
    second.shutdown(Duration::from_secs(5)).await;
    let heard = known.heard().await;
    assert_eq!((heard.value("event"), heard.value("uploaded")), (Some("stopped"), Some("357")));
    let heard = unknown.heard().await;
    assert_eq!((heard.value("event"), heard.value("uploaded")), (Some("stopped"), Some("7")));
}
