//! Requests that nobody sends in good faith.

use std::time::{Duration, Instant};

use crate::WAYS;
use crate::content::Content;
use crate::process::wait_for;
use crate::server::{Client, Server};

/// Anonymous memory that may come on top: what an allocator keeps, far below what unbounded queues would take.
const GROWTH_KIB: u64 = 8 * 1024;

/// Requests, and the status that each is answered with before the connection ends.
fn refused(path: &str) -> Vec<(Vec<u8>, u16)> {
    let get = |fields: &str| format!("GET {path} HTTP/1.1\r\nHost: here\r\n{fields}\r\n").into_bytes();
    vec![
        (b"GET \0\0\0\0garbage\xff\xfe".to_vec(), 400),
        (b"GET / HTTP/1.1\nHost: here\n\n".to_vec(), 400),
        (get("A: \0\r\n"), 400),
        (get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400),
        (get("Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
        (get("Content-Length: -1\r\n"), 400),
        (get("Content-Length: 99999999999999999999999\r\n"), 400),
        (get("Transfer-Encoding: chunked\r\n"), 400),
        (get("Transfer-Encoding : chunked\r\n"), 400),
        (get(" folded: line\r\n"), 400),
        (get("Host: another\r\n"), 400),
        (format!("GET {path} HTTP/1.1\r\n\r\n").into_bytes(), 400),
        (format!("GET  {path} HTTP/1.1\r\nHost: here\r\n\r\n").into_bytes(), 400),
        (format!("GET {path} HTTP/9.9\r\nHost: here\r\n\r\n").into_bytes(), 505),
        (b"GET ../../etc/passwd HTTP/1.1\r\nHost: here\r\n\r\n".to_vec(), 400),
        (b"GET file:///etc/passwd HTTP/1.1\r\nHost: here\r\n\r\n".to_vec(), 400),
        (b"CONNECT here:22 HTTP/1.1\r\nHost: here\r\n\r\n".to_vec(), 405),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc".to_vec(), 405),
        (get(&format!("A: {}\r\n", "a".repeat(1 << 20))), 431),
        (get(&"A: b\r\n".repeat(1_000)), 431),
        (format!("GET /{} HTTP/1.1\r\n", "a/".repeat(1 << 19)).into_bytes(), 431),
    ]
}

/// Targets that name nothing.
const NOWHERE: &[&str] = &[
    "/",
    "//",
    "/..",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/ID/..",
    "/ID/%2e%2e/x",
    "/ID/FILE%00",
    "/ID/FILE%00.txt",
    "/ID/./FILE",
    "/ID//FILE",
    "/ID/FILE/",
    "/ID/FILE/..",
    "/ID/%252e%252e/FILE",
    "/ID/FILE%",
    "/ID/FILE%zz",
    "/./ID/FILE",
    "//ID/FILE",
    "/ID\\FILE",
    "/ID/..%2fFILE",
    "/ID%20/FILE",
    "http://here/",
    "http://here",
    "HTTP://here/etc/passwd",
];

#[test]
fn hostile_requests_are_refused_and_the_next_client_is_served() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Single], &["--reactors", "1"]);
        let path = server.path(0, "one file.bin");
        for (request, status) in refused(&path) {
            let mut client = server.connect();
            client.send(&request);
            let shown = request[..request.len().min(60)].escape_ascii();
            // what is sent on top of a refused request may turn the end into a reset, which takes the answer along
            match client.answer() {
                Some((head, _)) => assert_eq!(head.status, status, "{shown}"),
                None => assert!(request.len() > 8 * 1024, "{shown}: no answer"),
            }
            client.assert_ended();
        }
        let mut client = server.connect();
        for target in NOWHERE {
            let target = target.replace("ID", &server.torrents[0].info_hash).replace("FILE", "one%20file.bin");
            client.send(format!("GET {target} HTTP/1.1\r\nHost: here\r\n\r\n"));
            assert_eq!(client.answer().expect("an answer").0.status, 404, "{target}");
        }
        assert_served(&server, &mut client);
        assert_served(&server, &mut server.connect());
    }
}

#[test]
fn ranges_without_sense_do_no_harm() {
    let server = Server::start(WAYS[1], &[Content::Single], &[]);
    let path = server.path(0, "one file.bin");
    let whole = server.bytes("one file.bin");
    let mut client = server.connect();
    let many = format!("bytes={}", "0-,".repeat(2_000));
    let cases = [
        ("bytes=0-18446744073709551615", 206),
        ("bytes=0-99999999999999999999999999", 206),
        ("bytes=18446744073709551615-", 416),
        ("bytes=18446744073709551616-18446744073709551617", 416),
        ("bytes=-18446744073709551616", 206),
        ("bytes=-0", 416),
        ("bytes=--5", 200),
        ("bytes=5--1", 200),
        ("bytes=9-5", 200),
        ("bytes=-9223372036854775808-1", 200),
        ("bytes=a-z", 200),
        ("bytes=0-9,5-14,0-", 200),
        (&many, 200),
        ("bytes=\u{fffd}", 200),
    ];
    for (range, status) in cases {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: here\r\nRange: {range}\r\n\r\n"));
        let (head, body) = client.answer().expect("an answer");
        assert_eq!(head.status, status, "{range}");
        assert!(status == 416 || body == whole, "{range}");
    }
}

#[test]
fn ten_thousand_requests_whose_answers_nobody_reads_cost_little_and_harm_nobody() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Single], &["--reactors", "1"]);
        let path = server.path(0, "one file.bin");
        assert_served(&server, &mut server.connect());
        let before = anonymous_kib(&server);
        for method in ["GET", "HEAD"] {
            let requests = format!("{method} {path} HTTP/1.1\r\nHost: here\r\n\r\n").repeat(10_000);
            let mut crowd: Vec<Client> = (0..20).map(|_| server.connect()).collect();
            for client in &mut crowd {
                // what the server does not take because it has closed is no fault
                client.send(&requests);
            }
            assert_served(&server, &mut server.connect());
            let grown = anonymous_kib(&server).saturating_sub(before);
            assert!(grown < GROWTH_KIB, "{way:?}: {grown} KiB more after {method}");
            crowd.iter_mut().for_each(Client::hang_up);
        }
        wait_for("the end of all of them", Duration::from_secs(10), || {
            let events = server.seeder.events("stats");
            let closed = |reason: &str| events.last().and_then(|event| event["closed"][reason].as_u64()).unwrap_or(0);
            (closed("http requests not waited for") > 0).then_some(())
        });
    }
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let server = Server::start(WAYS[0], &[Content::Single], &[]);
    let begun = Instant::now();
    let mut first = server.connect();
    first.send("GET / HTTP/1.1\r\n");
    let mut second = server.connect();
    assert_served(&server, &mut second);
    second.send("GET / HTTP/1.1\r\n");
    for client in [&mut first, &mut second] {
        client.assert_ended();
        let seconds = begun.elapsed().as_secs();
        assert!((14..30).contains(&seconds), "closed after {seconds} s");
    }
}

#[test]
fn clients_that_leave_in_the_middle_do_no_harm() {
    for way in WAYS {
        let server = Server::start(way, &[Content::Single], &["--reactors", "1"]);
        for round in 0..200 {
            let mut client = server.connect();
            client.send(format!("GET {} HTTP/1.1\r\nHost: here\r\n\r\n", server.path(0, "one file.bin")));
            if round % 2 == 0 {
                let length = client.head().expect("an answer").length();
                assert!(
                    client.part(round * 1_000) == server.bytes("one file.bin")[..round * 1_000] && length > 10_000_000
                );
            }
        }
        assert_served(&server, &mut server.connect());
    }
}

fn assert_served(server: &Server, client: &mut Client) {
    client.send(format!("GET {} HTTP/1.1\r\nHost: here\r\n\r\n", server.path(0, "one file.bin")));
    let (head, body) = client.answer().expect("an answer");
    assert!(head.status == 200 && body == server.bytes("one file.bin"), "{head:?}");
}

/// Memory of its own; pages of mapped files are not.
fn anonymous_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.seeder.id())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a field of every process");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
