//! HTTP connections, driven by the bytes that clients send.

use std::ffi::OsStr;

use super::*;
use crate::limits;
use crate::metainfo::{Builder, Metainfo, PathIndex};

const PIECE_LENGTH: u32 = 256 * 1024;
const FIRST_FILE: u64 = 1_000_000;
const SECOND_FILE: u64 = 3_000;
const SHOW: TorrentId = TorrentId(9);

/// A torrent of two files, published unless it is private.
fn show(private: bool) -> (Arc<Torrent>, Arc<PathIndex>) {
    let folder = Builder::folder(OsStr::new("my show"), PIECE_LENGTH).file("a.bin", FIRST_FILE).file("b", SECOND_FILE);
    let builder = folder.file("empty", 0).private(private);
    let pieces = builder.geometry().expect("valid").pieces();
    let bytes = builder.hashes(vec![[0; 20]; pieces as usize]).write().expect("valid");
    let metainfo = Metainfo::parse(&bytes).expect("just written");
    let torrent = Torrent {
        info_hash: metainfo.info_hash(),
        geometry: metainfo.geometry().clone(),
        info: metainfo.info_bytes().clone(),
        private,
    };
    (Arc::new(torrent), Arc::new(PathIndex::new(metainfo)))
}

/// A world that serves [`show`], and the path of its folder.
fn world() -> (World, String) {
    let mut world = World::new(Slots::Fixed(4));
    let (torrent, files) = show(false);
    let base = format!("/{}/my%20show", torrent.info_hash);
    world.shard.add(SHOW, torrent, 4);
    world.shard.publish(SHOW, files);
    (world, base)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

impl World {
    /// What `key` was sent since the last call besides payload.
    fn head(&mut self, key: PeerKey) -> String {
        String::from_utf8(self.output.remove(&key).unwrap_or_default()).expect("heads are text")
    }

    /// Serves `key` until it wants no more; the bytes of the torrent that it was sent, which must be consecutive.
    fn body(&mut self, key: PeerKey) -> std::ops::Range<u64> {
        let mut sent: Option<std::ops::Range<u64>> = None;
        while let Some(turn) = self.shard.next_turn(self.now) {
            assert!(turn.bare && turn.key == key && turn.torrent == SHOW);
            let mut blocks = Vec::new();
            self.shard.take_blocks(&turn, 16, &mut blocks);
            let geometry = &self.shard.swarms[&SHOW].torrent.geometry;
            for block in &blocks {
                assert!(geometry.contains(*block));
                let start = geometry.offset(*block);
                let range = sent.get_or_insert(start..start);
                assert_eq!(range.end, start, "one byte after the other");
                range.end += u64::from(block.length);
            }
            let bytes = blocks.iter().map(|block| u64::from(block.length)).sum();
            assert!(bytes <= u64::from(limits::CHUNK));
            self.shard.sent(key, bytes, self.now);
            self.shard.served(key, bytes);
            self.shard.check();
        }
        sent.unwrap_or_default()
    }
}

#[test]
fn a_file_is_served_by_its_path_with_its_head_before_its_bytes() {
    let (mut world, base) = world();
    let key = world.accept();
    world.hear(key, get(&format!("{base}/b")).as_bytes());
    let head = world.head(key);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 3000\r\n"), "{head}");
    assert_eq!(world.shard.unchoked(), 1, "for the division of limits it counts like an unchoked peer");
    assert_eq!(world.body(key), FIRST_FILE..FIRST_FILE + SECOND_FILE);
    world.settle();
    assert_eq!((world.shard.unchoked(), world.shard.totals.sent, world.shard.totals.requests), (0, SECOND_FILE, 1));
    world.hear(key, format!("GET {base}/a.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=-10\r\n\r\n").as_bytes());
    assert!(world.head(key).contains("\r\nContent-Range: bytes 999990-999999/1000000\r\n"));
    assert_eq!(world.body(key), FIRST_FILE - 10..FIRST_FILE);
}

#[test]
fn it_does_not_matter_where_the_network_cuts_a_request() {
    let (mut world, base) = world();
    let request = get(&format!("{base}/b"));
    for cut in 0..=request.len() {
        let key = world.accept();
        let (first, second) = request.as_bytes().split_at(cut);
        world.hear(key, first);
        world.hear(key, second);
        assert!(world.head(key).starts_with("HTTP/1.1 200 OK\r\n"), "cut at {cut}");
        assert_eq!(world.body(key), FIRST_FILE..FIRST_FILE + SECOND_FILE);
        world.settle();
    }
}

#[test]
fn requests_that_came_together_are_answered_one_after_the_other() {
    let (mut world, base) = world();
    let key = world.accept();
    let nothing = get(&format!("{base}/nothing"));
    let several = [get(&format!("{base}/b")), nothing.clone(), nothing, get(&format!("{base}/a.bin"))].concat();
    world.hear(key, several.as_bytes());
    assert_eq!(world.head(key).matches("HTTP/1.1 ").count(), 1, "the body of the first comes first");
    assert_eq!(world.body(key).end, FIRST_FILE + SECOND_FILE);
    assert_eq!(world.shard.next_timeout(world.now), world.now, "there is something to go on with");
    world.settle();
    let heads = world.head(key);
    let statuses: Vec<&str> = heads.lines().filter(|line| line.starts_with("HTTP/1.1")).collect();
    assert_eq!(statuses, ["HTTP/1.1 404 Not Found", "HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK"]);
    assert_eq!(world.body(key), 0..FIRST_FILE);
    world.settle();
    assert!(world.closed.is_empty(), "it stays for more");
}

#[test]
fn head_and_empty_files_have_no_body() {
    let (mut world, base) = world();
    let key = world.accept();
    world.hear(
        key,
        format!("HEAD {base}/a.bin HTTP/1.1\r\nHost: a\r\n\r\n{}", get(&format!("{base}/empty"))).as_bytes(),
    );
    let heads = world.head(key);
    assert!(heads.contains("Content-Length: 1000000\r\n") && heads.contains("Content-Length: 0\r\n"), "{heads}");
    assert!(world.shard.next_turn(world.now).is_none() && world.shard.unchoked() == 0);
}

#[test]
fn what_is_not_published_is_not_there_whether_it_exists_or_not() {
    let (mut world, base) = world();
    let (torrent, files) = show(true);
    let private = format!("/{}/my%20show/b", torrent.info_hash);
    world.shard.add(TorrentId(10), torrent, 4);
    world.shard.publish(TorrentId(10), files);
    let unpublished = format!("/{}/b", InfoHash([1; 20]));
    let unknown = format!("/{}/b", InfoHash([0x55; 20]));
    let upper = base.to_uppercase();
    let paths = [
        private,
        unpublished,
        unknown,
        "/".to_owned(),
        base.clone(),
        format!("{base}/../my%20show/b"),
        format!("{base}/%2e%2e/my%20show/b"),
        format!("{base}/b%00"),
        format!("{base}//b"),
        format!("/.{base}/b"),
        format!("{base}/b/"),
        format!("{upper}/b"),
        format!("{base}/%"),
        format!("{base}/b%"),
    ];
    let answers: Vec<String> = paths
        .iter()
        .map(|path| {
            let key = world.accept();
            world.hear(key, get(path).as_bytes());
            world.head(key)
        })
        .collect();
    for (path, answer) in paths.iter().zip(&answers) {
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}: {answer}");
        assert_eq!(answer, &answers[0], "nobody can tell why");
    }
    let key = world.accept();
    let upper = base[..41].to_uppercase();
    world.hear(key, get(&format!("{upper}/my%20show/b?x=y")).as_bytes());
    assert!(world.head(key).starts_with("HTTP/1.1 200 OK"), "digits have no case, and a query changes nothing");
}

#[test]
fn the_address_of_a_torrent_lists_its_files() {
    let (mut world, base) = world();
    for path in [&base[..41], &format!("{}/", &base[..41])] {
        let key = world.accept();
        world.hear(key, get(path).as_bytes());
        let page = world.head(key);
        let links: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("<li><a href=\"")).collect();
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && links.len() == 3, "{page}");
        assert!(links[0].starts_with(&format!("{base}/a.bin\">my show/a.bin</a> 1000000 bytes")), "{page}");
    }
}

#[test]
fn what_is_still_loading_is_not_there_until_it_is_whole() {
    let (mut world, base) = world();
    let key = world.accept();
    let pieces = world.shard.swarms[&SHOW].torrent.geometry.pieces();
    let mut had = crate::peer::Pieces::None;
    for piece in 0..pieces {
        world.shard.swarms.get_mut(&SHOW).expect("added").had = had.clone();
        world.hear(key, get(&format!("{base}/b")).as_bytes());
        assert!(world.head(key).starts_with("HTTP/1.1 404 "), "with {piece} pieces");
        assert!(had.insert(PieceIndex(piece), pieces));
    }
    world.shard.swarms.get_mut(&SHOW).expect("added").had = had;
    world.hear(key, get(&format!("{base}/b")).as_bytes());
    assert!(world.head(key).starts_with("HTTP/1.1 200 "));
}

#[test]
fn without_anything_published_http_ends_as_before() {
    let mut world = World::new(Slots::Auto);
    let key = world.accept();
    world.hear(key, b"GET / HTTP/1.1\r\n");
    assert_eq!(world.reason(key), Some(Reason::Http));
    let (mut world, _) = self::world();
    let peer = world.join(Reserved::OURS);
    let stranger = world.accept();
    world.hear(stranger, b"\x42");
    assert_eq!((world.reason(peer), world.reason(stranger)), (None, Some(Reason::NotPlaintext)));
    let nearly = world.accept();
    world.hear(nearly, b"GE");
    world.hear(nearly, b"O");
    assert_eq!(world.reason(nearly), Some(Reason::NotPlaintext));
}

#[test]
fn a_refused_request_is_answered_and_is_the_last() {
    let (mut world, base) = world();
    let long = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(1 << 20));
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789".to_owned();
    let cases = [("GET \0", "400"), (&long, "431"), (&post, "405"), ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505")];
    for (request, status) in cases {
        let key = world.accept();
        world.hear(key, request.as_bytes());
        let head = world.head(key);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")) && head.contains("\r\nConnection: close\r\n"),
            "{head}"
        );
        assert!(
            world.shard.connections.get(key).is_some_and(|connection| connection.input.is_empty()),
            "nothing is kept"
        );
        world.settle();
        assert_eq!(world.reason(key), Some(Reason::BadHttp));
    }
    let key = world.accept();
    world.hear(key, format!("GET {base}/b HTTP/1.0\r\n\r\n{}", get("/")).as_bytes());
    assert_eq!(world.body(key).end, FIRST_FILE + SECOND_FILE);
    world.settle();
    assert_eq!(world.head(key).matches("HTTP/1.1 ").count(), 1, "nothing after the last");
    assert_eq!(world.reason(key), Some(Reason::HttpClosed));
}

#[test]
fn who_sends_requests_without_end_and_reads_nothing_is_closed_before_it_costs_much() {
    let (mut world, base) = world();
    let head = format!("HEAD {base}/b HTTP/1.1\r\nHost: a\r\n\r\n");
    for request in [head, get(&format!("{base}/b"))] {
        let key = world.accept();
        let mut sent = 0;
        while world.shard.connections.get(key).is_some_and(|connection| connection.closing.is_none()) && sent < 10_000 {
            // the socket takes what it is given, but never says that there is room again
            world.shard.received(key, request.as_bytes(), world.now);
            sent += 1;
            if let Some(connection) = world.shard.connections.get(key) {
                assert!(connection.output.len() <= 2 * limits::HTTP_ANSWERS);
                assert!(connection.input.len() <= limits::HTTP_AHEAD);
            }
        }
        world.settle();
        assert_eq!(world.reason(key), Some(Reason::HttpFlood), "after {sent} requests");
    }
}

#[test]
fn http_connections_are_waited_for_no_longer_than_others() {
    let (mut world, base) = world();
    let slow = world.accept();
    world.hear(slow, b"GET / HT");
    let idle = world.accept();
    world.hear(idle, get("/").as_bytes());
    let dripping = world.accept();
    world.hear(dripping, get("/").as_bytes());
    let loading = world.accept();
    world.hear(loading, get(&format!("{base}/a.bin")).as_bytes());
    world.pass(10);
    world.hear(dripping, b"G");
    world.pass(5);
    assert_eq!(world.reason(slow), Some(Reason::HandshakeTimeout));
    world.hear(dripping, b"E");
    world.pass(10);
    assert_eq!((world.reason(dripping), world.reason(idle)), (Some(Reason::HandshakeTimeout), None));
    world.pass(35);
    assert_eq!(world.reason(idle), Some(Reason::Timeout));
    world.pass(limits::SILENCE_SECONDS);
    assert_eq!(world.reason(loading), None, "it has nothing to say while it is being served");
    let turn = world.shard.next_turn(world.now).expect("its turn");
    world.shard.blocked(turn.key, 0, world.now);
    world.pass(limits::STALL_SECONDS);
    assert_eq!(world.reason(loading), Some(Reason::Stalled));
}

#[test]
fn peers_and_http_connections_share_turns_and_limits() {
    let (mut world, base) = world();
    let peer = world.leecher();
    world.ask(peer, 60, limits::BLOCK);
    let client = world.accept();
    world.hear(client, get(&format!("{base}/a.bin")).as_bytes());
    let first: Vec<(PeerKey, u64)> = (0..4).map(|_| world.serve().expect("a turn")).collect();
    let of = |key| first.iter().filter(|turn| turn.0 == key).map(|turn| turn.1).sum::<u64>();
    assert_eq!((of(peer), of(client)), (2 * u64::from(limits::CHUNK), 2 * u64::from(limits::CHUNK)));
    world.shard.set_upload_limit(Some(1_000_000), world.now);
    while world.serve().is_some() {}
    let before = world.shard.totals.sent;
    world.now = world.now + Duration::from_secs(1);
    while world.serve().is_some() {}
    assert!(world.shard.totals.sent - before <= 1_000_000 + u64::from(limits::CHUNK));
}

#[test]
fn a_cold_chunk_and_one_that_did_not_fit_are_sent_later_and_once() {
    let (mut world, base) = world();
    let key = world.accept();
    world.hear(key, get(&format!("{base}/a.bin")).as_bytes());
    let (mut blocks, mut ahead) = (Vec::new(), Vec::new());
    let turn = world.shard.next_turn(world.now).expect("its turn");
    world.shard.take_blocks(&turn, 16, &mut blocks);
    world.shard.put_back(key, &blocks[1..]);
    world.shard.cold(key, &blocks[..1]);
    world.shard.peek(key, 64, &mut ahead);
    assert_eq!(ahead[..blocks.len()], blocks);
    assert!(world.shard.next_turn(world.now).is_none());
    world.shard.paged_in(key);
    assert_eq!(world.body(key), 0..FIRST_FILE);
}

#[test]
fn a_torrent_that_is_withdrawn_takes_its_downloads_along_and_nobody_else() {
    let (mut world, base) = world();
    let loading = world.accept();
    world.hear(loading, get(&format!("{base}/a.bin")).as_bytes());
    let idle = world.accept();
    world.hear(idle, get(&format!("{base}/empty")).as_bytes());
    world.shard.withdraw(SHOW, Reason::TorrentFailed);
    world.settle();
    assert_eq!((world.reason(loading), world.reason(idle)), (Some(Reason::TorrentFailed), None));
    world.head(idle);
    world.hear(idle, get(&format!("{base}/b")).as_bytes());
    assert!(world.head(idle).starts_with("HTTP/1.1 404 "));
}
