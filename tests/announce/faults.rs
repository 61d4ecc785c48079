//! Trackers that are broken, hostile or gone.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use sower::discovery::{Announcer, Config, Family};
use sower::ids::InfoHash;

use super::servers::{ClosedPort, HttpTracker, PLAIN, UdpTracker, honest, ok};
use super::{config, endpoint, error_of, found, torrent};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn each_wrong_answer_has_its_own_words() {
    let bomb = {
        let mut body = GZIP_ZEROES.to_vec();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
        body.splice(..0, head.into_bytes());
        body
    };
    let huge = ok(&vec![b'x'; 1 << 20]).expect("a response");
    let status = |line: &str| Some(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes());
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 29\r\n\r\nd14:failure reason8:\x1b[2Jno\0!e".to_vec();
    for (response, words) in [
        (ok(b"<html>login</html>"), "begins with \"<html>login</html>\""),
        (ok(b""), "data ends inside a value"),
        (ok(b"le"), "not a dictionary"),
        (Some(huge), "longer than 262144 bytes"),
        (Some(bomb), "longer than 262144 bytes"),
        (status("502 Bad Gateway"), "HTTP status 502"),
        (status("302 Found\r\nLocation: /announce"), "redirected more than 5 times"),
        (Some(refusal), "the tracker refused: [2Jno !"),
        (Some(b"nonsense\r\n\r\n".to_vec()), "127.0.0.1"),
    ] {
        let tracker = HttpTracker::start(move |_| response.clone());
        let error = error_of(config(5001), &tracker.url()).await;
        assert!(error.contains(words), "{error} should contain {words}");
        assert!(!error.contains("info_hash"), "{error} shows the query");
    }
}

/// 512 KiB of zeroes, twice the bound, in 543 bytes (`head -c 524288 /dev/zero | gzip -9n`).
const GZIP_ZEROES: &[u8] = include_bytes!("zeroes.gz");

#[tokio::test]
async fn a_tracker_that_never_answers_times_out() {
    let tracker = HttpTracker::start(|_| None);
    let quick = Config { http_timeout: Duration::from_millis(200), ..config(5001) };
    let error = error_of(quick, &tracker.url()).await;
    assert!(error.contains("no answer from http://127.0.0.1:") && error.contains("0.2 s"), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_named_at_once() {
    let closed = ClosedPort::new();
    for scheme in ["http", "udp"] {
        // UDP would wait for a quarter of an hour: it is the kernel that tells
        let patient = Config { udp_timeout: Duration::from_secs(130), ..config(5001) };
        let error = error_of(patient, &format!("{scheme}://{}/announce", closed.address)).await;
        assert!(error.contains("refused the connection"), "{scheme}: {error}");
    }
}

#[tokio::test]
async fn a_name_that_means_nothing_is_named() {
    let error = error_of(config(5001), "http://no-such-host.invalid/announce").await;
    assert!(error.contains("cannot resolve no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn datagrams_with_another_transaction_id_answer_nothing() {
    let tracker = UdpTracker::start(V4, |datagram| {
        let mut reply = honest(datagram);
        reply[4] ^= 1;
        Some(reply)
    });
    let quick = Config { udp_timeout: Duration::from_millis(50), ..config(5001) };
    let error = error_of(quick, &tracker.url()).await;
    assert!(error.contains("no answer from 127.0.0.1:"), "{error}");
    assert!(error.contains("3 datagrams that answered nothing were ignored"), "{error}");
    assert_eq!(tracker.heard(0).len(), 3, "and it was asked again twice");
}

#[tokio::test]
async fn many_torrents_find_out_together_that_a_tracker_is_down() {
    let tracker = UdpTracker::start(V4, |_| None);
    let quick = Config { udp_timeout: Duration::from_millis(200), ..config(5001) };
    let (announcer, _peers) = Announcer::start(quick);
    let mut handles = Vec::new();
    for number in 0..40 {
        let mut one = torrent(&[&[&tracker.url()]], 0);
        one.info_hash = InfoHash([number; 20]);
        handles.push(announcer.add(one).await);
    }
    for handle in &handles {
        endpoint(handle, 0, Family::V4, |status| status.failures > 0).await;
    }
    assert_eq!(tracker.heard(0).len(), 3, "one connection was asked for, three times");
}

#[tokio::test]
async fn a_datagram_that_is_lost_is_sent_again() {
    let mut count = 0;
    let tracker = UdpTracker::start(V4, move |datagram| {
        count += 1;
        // the first connect and the first announce are lost
        (count != 1 && count != 3).then(|| honest(datagram))
    });
    let quick = Config { udp_timeout: Duration::from_millis(100), ..config(5001) };
    let (announcer, mut peers) = Announcer::start(quick);
    announcer.add(torrent(&[&[&tracker.url()]], 0)).await;
    assert_eq!(found(&mut peers).await.peers, ["10.0.0.1:80".parse().expect("address")]);
    assert_eq!((tracker.heard(0).len(), tracker.heard(1).len()), (2, 2));
}

#[tokio::test]
async fn a_connection_id_that_a_restarted_tracker_refuses_is_renewed() {
    let mut announces = 0;
    let tracker = UdpTracker::start(V4, move |datagram| {
        announces += u32::from(datagram[11] == 1);
        if datagram[11] == 1 && announces == 2 {
            return Some([&[0, 0, 0, 3], &datagram[12..16], b"bad connection id"].concat());
        }
        Some(honest(datagram))
    });
    let (announcer, mut peers) = Announcer::start(config(5001));
    let handle = announcer.add(torrent(&[&[&tracker.url()]], 0)).await;
    found(&mut peers).await;
    handle.announce_now().await;
    found(&mut peers).await;
    assert_eq!((tracker.heard(0).len(), tracker.heard(1).len()), (2, 3));
}

#[tokio::test]
async fn a_tier_fails_over_to_its_other_tracker() {
    let working = HttpTracker::start(|_| ok(PLAIN));
    let closed = ClosedPort::new();
    let dead = format!("http://{}/announce", closed.address);
    // whichever the shuffle puts first
    for _ in 0..8 {
        let (announcer, mut peers) = Announcer::start(config(5001));
        let handle = announcer.add(torrent(&[&[&dead, &working.url()]], 0)).await;
        found(&mut peers).await;
        let status = endpoint(&handle, 1, Family::V4, |status| status.answered.is_some()).await;
        assert_eq!(status.failures, 0);
        assert!(handle.status()[1].works() && !handle.status()[0].works());
    }
}

#[tokio::test]
async fn leaving_is_bounded_when_a_tracker_hangs() {
    let hangs = HttpTracker::start(|heard| if heard.value("event") == Some("stopped") { None } else { ok(PLAIN) });
    let fine = UdpTracker::start(V4, |datagram| Some(honest(datagram)));
    let (mut announcer, _peers) = Announcer::start(config(5001));
    let handle = announcer.add(torrent(&[&[&hangs.url()], &[&fine.url()]], 0)).await;
    endpoint(&handle, 0, Family::V4, |status| status.answered.is_some()).await;
    endpoint(&handle, 1, Family::V4, |status| status.answered.is_some()).await;
    let began = Instant::now();
    let farewell = announcer.shutdown(Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(4), "the limit of one second is kept, if not to the millisecond");
    assert_eq!((farewell.told, farewell.missed), (1, 1));
    assert_eq!(fine.heard(1).last().expect("announced")[83], 3, "stopped");
}

#[tokio::test]
async fn leaving_tells_trackers_whose_first_answer_never_came() {
    let silent = HttpTracker::start(|heard| if heard.value("event") == Some("stopped") { ok(PLAIN) } else { None });
    let (mut announcer, _peers) = Announcer::start(config(5001));
    announcer.add(torrent(&[&[&silent.url()]], 0)).await;
    assert_eq!(silent.heard().await.value("event"), Some("started"));
    assert_eq!(announcer.shutdown(Duration::from_secs(5)).await.told, 1);
    assert_eq!(silent.heard().await.value("event"), Some("stopped"));
}
