//! Servers that do it wrong.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sower::ids::BlockRef;
use sower::session::web_seed::{WebSeed, WebSeedConfig, WebSeedState, WebSeeds};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::config;
use crate::content::Content;
use crate::reactor::{Reactor, Said};

/// What a server does with a request.
#[derive(Clone)]
enum Answer {
    /// As it should.
    Right,
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then nothing for ever.
    Hang(Vec<u8>),
    /// These bytes, then a byte now and then.
    Drip(Vec<u8>),
}

/// A server of `content` that answers its requests by `answers`, the last one again and again. Its URL, and how many came.
async fn server(content: &Content, answers: Vec<Answer>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}/film", listener.local_addr().expect("bound"));
    let bytes = Arc::new(content.bytes.clone());
    let (count, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(answers));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, bytes.clone(), answers.clone(), count.clone()));
        }
    });
    (url, counted)
}

async fn converse(stream: TcpStream, bytes: Arc<Vec<u8>>, answers: Arc<Vec<Answer>>, count: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    while let Some((start, end)) = request(&mut stream).await {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let sent = match &answers[number.min(answers.len() - 1)] {
            Answer::Right => stream.write_all(&part(&bytes, start, end)).await.is_ok(),
            Answer::Raw(raw) => stream.write_all(raw).await.is_ok() && stream.shutdown().await.is_err(),
            Answer::Hang(raw) => {
                let _ = stream.write_all(raw).await;
                std::future::pending().await
            }
            Answer::Drip(raw) => {
                let _ = stream.write_all(raw).await;
                while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                false
            }
        };
        if !sent {
            return;
        }
    }
}

/// First and last byte of the range that is asked for next.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(usize, usize)> {
    let mut range = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        if let Some(value) = line.trim().to_ascii_lowercase().strip_prefix("range: bytes=") {
            let (start, end) = value.split_once('-').expect("a range");
            range = Some((start.parse().expect("a number"), end.parse().expect("a number")));
        }
        if line == "\r\n" {
            return range;
        }
    }
}

fn part(bytes: &[u8], start: usize, end: usize) -> Vec<u8> {
    let body = &bytes[start..=end];
    let head = format!("Content-Range: bytes {start}-{end}/{}\r\nContent-Length: {}", bytes.len(), body.len());
    response("206 Partial Content", &head, body)
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n").as_bytes(), body].concat()
}

fn status(status: &str, headers: &str) -> Answer {
    Answer::Raw(response(status, &format!("{headers}Content-Length: 0"), b""))
}

/// For servers that say nothing.
fn hurried() -> WebSeedConfig {
    let (answer, block) = (Duration::from_millis(500), Duration::from_millis(500));
    WebSeedConfig { answer, block, ..config() }
}

/// Some blocks come, and the rest of what was asked for is refused; the reactor is choked, and unchoked later. How many
/// came.
async fn failure(reactor: &mut Reactor<'_>, content: &Content, asked: &[BlockRef]) -> usize {
    reactor.ask(asked).await;
    let mut came = 0;
    loop {
        match reactor.hear().await {
            Said::Piece(block, data) => content.check(block, &data),
            Said::Choke => break,
            other => panic!("{other:?}"),
        }
        came += 1;
    }
    let mut refused = Vec::new();
    for _ in came..asked.len() {
        let Said::Reject(block) = reactor.hear().await else { panic!("not a refusal") };
        refused.push(block);
    }
    refused.sort_by_key(|block| (block.piece, block.begin));
    assert_eq!(refused, asked[came..]);
    assert_eq!(reactor.hear().await, Said::Unchoke);
    came
}

async fn over(seed: &WebSeed) -> WebSeedState {
    loop {
        let state = seed.status().state;
        if matches!(state, WebSeedState::Closed | WebSeedState::GivenUp) {
            return state;
        }
        tokio::task::yield_now().await;
    }
}

/// A wrong answer: blocks that come of it all the same, and what is said of it.
async fn assert_wrong(answer: Answer, blocks: impl std::ops::RangeBounds<usize>, error: &str) {
    let content = Content::single("film", 200_000);
    let asked = content.blocks();
    let config = if matches!(answer, Answer::Right | Answer::Raw(_)) { config() } else { hurried() };
    let (url, _) = server(&content, vec![answer, Answer::Right]).await;
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config), &content, &url).await;
    let came = failure(&mut reactor, &content, &asked).await;
    assert!(blocks.contains(&came), "{came} blocks came: {error}");
    let said = seed.status().error.expect("an error");
    assert!(said.contains(error), "{said} is not {error}");
    // and a server that does better is believed again
    assert_eq!(reactor.download(asked).await, content.bytes);
}

#[tokio::test]
async fn a_wrong_answer_is_refused_and_the_server_is_tried_again_later() {
    let body = Content::single("film", 200_000).bytes;
    let whole = |headers: &str, bytes: &[u8]| Answer::Raw(response("206 Partial Content", headers, bytes));
    let range = "Content-Range: bytes 0-199999/200000";
    let chunked = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat();
    let encoding = format!("{range}\r\nTransfer-Encoding: chunked");
    let short = whole(&format!("{range}\r\nContent-Length: 200000"), &body[..100_000]);
    assert_wrong(short, 6..=6, "end of file before message length").await;
    assert_wrong(whole(&encoding, &chunked(&body[..100_000])), 6..=6, "shorter than was promised").await;
    assert_wrong(whole(&encoding, &chunked(&[&body[..], b"more"].concat())), .., "longer than was promised").await;
    assert_wrong(whole(&format!("{range}\r\nContent-Length: 99"), &body[..99]), ..=0, "another range").await;
    let other = "Content-Range: bytes 0-199998/200000\r\nContent-Length: 199999";
    assert_wrong(whole(other, &body[..199_999]), ..=0, "another range").await;
    assert_wrong(whole("Content-Length: 200000", &body), ..=0, "another range").await;
    let multipart = "Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 5";
    assert_wrong(whole(multipart, b"--x--"), ..=0, "another range").await;
    let packed = format!("{range}\r\nContent-Encoding: gzip\r\nContent-Length: 200000");
    assert_wrong(whole(&packed, &body), ..=0, "another encoding").await;
    assert_wrong(status("500 Internal Server Error", ""), ..=0, "HTTP status 500").await;
    assert_wrong(status("403 Forbidden", ""), ..=0, "HTTP status 403").await;
    assert_wrong(Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), ..=0, "").await;
    assert_wrong(Answer::Raw(Vec::new()), ..=0, "").await;
}

#[tokio::test]
async fn a_server_that_says_nothing_more_is_left() {
    assert_wrong(Answer::Hang(Vec::new()), ..=0, "no answer in time").await;
    let head = "Content-Range: bytes 0-199999/200000\r\nContent-Length: 200000";
    let body = Content::single("film", 200_000).bytes;
    let begun = response("206 Partial Content", head, &body[..50_000]);
    assert_wrong(Answer::Hang(begun.clone()), 3..=3, "too slow").await;
    assert_wrong(Answer::Drip(begun), 3..=3, "too slow").await;
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever_and_not_anywhere() {
    let content = Content::single("film", 200_000);
    let (right, _) = server(&content, vec![Answer::Right]).await;
    let (url, _) = server(&content, vec![status("302 Found", &format!("Location: {right}\r\n"))]).await;
    let (_seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
    assert_eq!(reactor.download(content.blocks()).await, content.bytes);

    let (url, count) = server(&content, vec![status("302 Found", "Location: /film\r\n")]).await;
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
    assert_eq!(failure(&mut reactor, &content, &content.blocks()).await, 0);
    assert!(seed.status().error.expect("an error").contains("redirected"));
    assert_eq!(count.load(Ordering::Relaxed), 6);

    assert_wrong(status("302 Found", "Location: ftp://127.0.0.1/film\r\n"), ..=0, "redirected").await;
    assert_wrong(status("302 Found", "Location: file:///etc/passwd\r\n"), ..=0, "HTTP status 302").await;
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_says() {
    let content = Content::single("film", 200_000);
    let busy = status("503 Service Unavailable", "Retry-After: 1\r\n");
    let (url, count) = server(&content, vec![busy, Answer::Right]).await;
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
    let begun = Instant::now();
    assert_eq!(failure(&mut reactor, &content, &content.blocks()).await, 0);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(seed.status().error.as_deref(), Some("busy (HTTP status 503)"));
    assert_eq!(reactor.download(content.blocks()).await, content.bytes);
}

#[tokio::test]
async fn requests_of_a_reactor_that_is_choked_are_refused() {
    let content = Content::single("film", 200_000);
    let busy = status("429 Too Many Requests", "Retry-After: 1\r\n");
    let (url, count) = server(&content, vec![busy, Answer::Right]).await;
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
    let blocks = content.blocks();
    reactor.ask(&blocks[..1]).await;
    assert_eq!([reactor.hear().await, reactor.hear().await], [Said::Choke, Said::Reject(blocks[0])]);
    reactor.ask(&blocks[1..2]).await;
    assert_eq!(reactor.hear().await, Said::Reject(blocks[1]));
    assert_eq!(seed.status().state, WebSeedState::BackingOff);
    assert_eq!((reactor.hear().await, count.load(Ordering::Relaxed)), (Said::Unchoke, 1));
}

#[tokio::test]
async fn a_server_without_ranges_gives_what_is_near_the_beginning() {
    let small = Content::single("film", 300_000);
    let head = "Content-Length: 300000\r\nConnection: close";
    let (url, _) = server(&small, vec![Answer::Raw(response("200 OK", head, &small.bytes))]).await;
    let (_seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &small, &url).await;
    let mut blocks = small.blocks();
    blocks.reverse();
    assert_eq!(reactor.download(blocks).await, small.bytes);

    let large = Content::single("film", 9_000_000);
    let head = "Content-Length: 9000000\r\nConnection: close";
    let (url, _) = server(&large, vec![Answer::Raw(response("200 OK", head, &large.bytes))]).await;
    let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &large, &url).await;
    let blocks = large.blocks();
    assert_eq!(failure(&mut reactor, &large, &blocks[500..510]).await, 0);
    assert_eq!(seed.status().error.as_deref(), Some("the server sends whole files only"));
    reactor.ask(&blocks[..2]).await;
    for block in &blocks[..2] {
        assert_eq!(reactor.hear().await, Said::Piece(*block, large.bytes[large.place(*block)].to_vec()));
    }
}

#[tokio::test]
async fn a_server_that_has_nothing_of_the_torrent_is_given_up() {
    let content = Content::single("film", 200_000);
    let longer = "Content-Range: bytes 0-199999/200001\r\nContent-Length: 200000";
    let other = Answer::Raw(response("206 Partial Content", longer, &content.bytes));
    let page = Answer::Raw(response("200 OK", "Content-Length: 6", b"login!"));
    let cases = [
        (status("404 Not Found", ""), "given up: the file is not there (HTTP status 404)"),
        (status("410 Gone", ""), "given up: the file is not there (HTTP status 410)"),
        (status("416 Range Not Satisfiable", ""), "given up: the file has another length there"),
        (other, "given up: the file has another length there"),
        (page, "given up: the file has another length there"),
    ];
    for (answer, error) in cases {
        let (url, count) = server(&content, vec![answer]).await;
        let (seed, mut reactor) = Reactor::greeted(&WebSeeds::new(config()), &content, &url).await;
        reactor.ask(&content.blocks()).await;
        assert_eq!(reactor.hear().await, Said::End);
        assert_eq!((over(&seed).await, count.load(Ordering::Relaxed)), (WebSeedState::GivenUp, 1));
        assert_eq!(seed.status().error.as_deref(), Some(error));
    }
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_given_up() {
    let content = Content::single("film", 200_000);
    let (url, count) = server(&content, vec![status("500 Internal Server Error", "")]).await;
    let back_off = Duration::from_millis(1)..=Duration::from_millis(20);
    let seeds = WebSeeds::new(WebSeedConfig { back_off, ..config() });
    let (seed, mut reactor) = Reactor::greeted(&seeds, &content, &url).await;
    let block = &content.blocks()[..1];
    let mut said = Said::Unchoke;
    while said != Said::End {
        if said == Said::Unchoke {
            reactor.ask(block).await;
        }
        said = reactor.hear().await;
    }
    assert_eq!(over(&seed).await, WebSeedState::GivenUp);
    assert_eq!(count.load(Ordering::Relaxed), 14);
}

#[tokio::test]
async fn a_request_that_has_not_begun_can_be_cancelled() {
    let content = Content::single("film", 200_000);
    let (url, _) = server(&content, vec![Answer::Hang(Vec::new())]).await;
    let (_seed, mut reactor) = Reactor::greeted(&WebSeeds::new(hurried()), &content, &url).await;
    let blocks = content.blocks();
    // no neighbours, so that the second waits
    reactor.ask(&[blocks[0], blocks[5]]).await;
    reactor.cancel(blocks[5]).await;
    let said = [reactor.hear().await, reactor.hear().await, reactor.hear().await, reactor.hear().await];
    let refused = said.iter().filter(|said| matches!(said, Said::Reject(_))).count();
    assert_eq!((refused, said.contains(&Said::Choke), said.contains(&Said::Unchoke)), (2, true, true), "{said:?}");
}
