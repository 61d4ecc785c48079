//! The embedded tracker over real sockets: both protocols, both families, every refusal, and clients nobody here wrote.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sower::bencode::{Bounds, Value, decode};
use sower::ids::{InfoHash, PeerId};
use sower::limits;
use sower::tracker::{Config, OwnSeeder, StartError, Stats, Tracker, TrackerHandle};

/// So long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
const TORRENT: InfoHash = InfoHash(*b"\x12\x34Vx\x9a&=%+ \0torrent..");
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn start(config: Config) -> TrackerHandle {
    Tracker::start(config).expect("a tracker starts on a free port")
}

fn open() -> TrackerHandle {
    start(Config { open: true, ..Config::default() })
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn stats_until(tracker: &TrackerHandle, what: &str, mut is: impl FnMut(&Stats) -> bool) {
    wait_until(what, || is(&tracker.stats(0)));
}

// --- UDP ----------------------------------------------------------------------------------------------------------

/// A client of the UDP protocol, written from BEP 15.
struct Udp {
    socket: UdpSocket,
    connection: u64,
}

/// What an announce over UDP is answered.
#[derive(Debug, PartialEq, Eq)]
struct UdpAnswer {
    interval_s: u32,
    leechers: u32,
    seeders: u32,
    peers: Vec<SocketAddr>,
}

/// The fields of an announce over UDP.
#[derive(Clone, Copy)]
struct UdpAnnounce {
    info_hash: InfoHash,
    peer: u8,
    left: u64,
    event: u32,
    claimed: [u8; 4],
    key: u32,
    numwant: i32,
    port: u16,
}

const ANNOUNCE: UdpAnnounce =
    UdpAnnounce { info_hash: TORRENT, peer: 1, left: 1, event: 2, claimed: [0; 4], key: 7, numwant: -1, port: 6881 };

impl UdpAnnounce {
    fn bytes(&self, connection: u64) -> Vec<u8> {
        let head = [&connection.to_be_bytes()[..], &1u32.to_be_bytes(), b"tran", &self.info_hash.0, &[self.peer; 20]];
        let sizes = [0, self.left, 0].map(u64::to_be_bytes);
        let tail = [&self.event.to_be_bytes()[..], &self.claimed, &self.key.to_be_bytes(), &self.numwant.to_be_bytes()];
        [head.concat(), sizes.concat(), tail.concat(), self.port.to_be_bytes().to_vec()].concat()
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn compact(bytes: &[u8], v4: bool) -> Vec<SocketAddr> {
    let parts = bytes.chunks(if v4 { 6 } else { 18 });
    parts
        .map(|peer| {
            let (address, port) = peer.split_at(peer.len() - 2);
            let address = match <[u8; 4]>::try_from(address) {
                Ok(v4) => IpAddr::from(v4),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(address).expect("whole peers")),
            };
            SocketAddr::new(address, u16::from_be_bytes([port[0], port[1]]))
        })
        .collect()
}

impl Udp {
    fn from_address(source: IpAddr, target: SocketAddr) -> Udp {
        let socket = UdpSocket::bind((source, 0)).expect("loopback can be bound");
        socket.connect(target).expect("loopback is there");
        socket.set_read_timeout(Some(PATIENCE)).expect("settable");
        let mut udp = Udp { socket, connection: 0 };
        let answer = udp.ask(&[&0x0417_2710_1980u64.to_be_bytes()[..], &0u32.to_be_bytes(), b"tran"].concat());
        assert_eq!((answer.len(), be32(&answer, 0), &answer[4..8]), (16, 0, &b"tran"[..]));
        udp.connection = u64::from_be_bytes(answer[8..].try_into().expect("eight bytes"));
        udp
    }

    fn new(address: IpAddr, tracker: &TrackerHandle) -> Udp {
        Udp::from_address(address, SocketAddr::new(address, tracker.port()))
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        self.socket.send(request).expect("sent");
        let mut answer = [0; 4_096];
        let length = self.socket.recv(&mut answer).expect("answered");
        answer[..length].to_vec()
    }

    fn announce(&self, announce: UdpAnnounce) -> UdpAnswer {
        let answer = self.ask(&announce.bytes(self.connection));
        assert_eq!(be32(&answer, 0), 1, "{}", answer.escape_ascii());
        assert_eq!(&answer[4..8], b"tran");
        let v4 = self.socket.local_addr().expect("bound").is_ipv4();
        UdpAnswer {
            interval_s: be32(&answer, 8),
            leechers: be32(&answer, 12),
            seeders: be32(&answer, 16),
            peers: compact(&answer[20..], v4),
        }
    }

    fn error(&self, request: &[u8]) -> String {
        let answer = self.ask(request);
        assert_eq!((be32(&answer, 0), &answer[4..8]), (3, &b"tran"[..]), "{}", answer.escape_ascii());
        String::from_utf8(answer[8..].to_vec()).expect("text")
    }

    fn scrape_request(&self, hashes: &[InfoHash]) -> Vec<u8> {
        let head = [&self.connection.to_be_bytes()[..], &2u32.to_be_bytes(), b"tran"].concat();
        [head, hashes.iter().flat_map(|hash| hash.0).collect()].concat()
    }
}

#[test]
fn udp_announces_are_answered_with_peers_of_their_family() {
    for (address, other) in [(V4, V6), (V6, V4)] {
        let tracker = open();
        Udp::new(other, &tracker).announce(ANNOUNCE);
        let udp = Udp::new(address, &tracker);
        let first = udp.announce(UdpAnnounce { port: 1_001, ..ANNOUNCE });
        assert_eq!(first, UdpAnswer { interval_s: 900, leechers: 2, seeders: 0, peers: vec![] });
        let second = udp.announce(UdpAnnounce { port: 1_002, peer: 2, left: 0, claimed: [9; 4], ..ANNOUNCE });
        assert_eq!((second.seeders, second.peers), (1, vec![SocketAddr::new(address, 1_001)]));
        let third = udp.announce(UdpAnnounce { port: 1_003, peer: 3, numwant: 1, ..ANNOUNCE });
        assert_eq!(third.peers.len(), 1);
        assert_eq!(third.peers[0].ip(), address, "what the client claimed is not believed");
        let none = udp.announce(UdpAnnounce { port: 1_003, peer: 3, numwant: 0, ..ANNOUNCE });
        assert_eq!(none.peers, []);
        let gone = udp.announce(UdpAnnounce { port: 1_002, peer: 2, left: 0, event: 3, ..ANNOUNCE });
        assert_eq!((gone.seeders, gone.leechers, gone.peers), (0, 3, vec![]));
    }
}

#[test]
fn udp_options_behind_an_announce_are_passed_by() {
    let tracker = open();
    let udp = Udp::new(V4, &tracker);
    // BEP 41: URL data, then the end
    let request = [ANNOUNCE.bytes(udp.connection), b"\x02\x09/announce\x00".to_vec()].concat();
    assert_eq!(be32(&udp.ask(&request), 0), 1);
}

#[test]
fn every_fault_of_a_udp_request_has_its_error() {
    let tracker = start(Config::default());
    tracker.add_torrent(TORRENT, None).expect("there is room");
    let udp = Udp::new(V4, &tracker);
    let good = udp.connection;
    let whole = ANNOUNCE.bytes(good);
    let action = |action: u32| [&good.to_be_bytes()[..], &action.to_be_bytes(), b"tran", &[0; 20]].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (ANNOUNCE.bytes(good ^ 2), "connection id expired"),
        (ANNOUNCE.bytes(good ^ 1), "connection id expired"),
        (ANNOUNCE.bytes(0), "connection id expired"),
        (ANNOUNCE.bytes(0x0417_2710_1980), "connection id expired"),
        (whole[..97].to_vec(), "announce is too short"),
        (whole[..16].to_vec(), "announce is too short"),
        (UdpAnnounce { event: 4, ..ANNOUNCE }.bytes(good), "unknown event"),
        (UdpAnnounce { event: u32::MAX, ..ANNOUNCE }.bytes(good), "unknown event"),
        (UdpAnnounce { port: 0, ..ANNOUNCE }.bytes(good), "port 0 cannot be reached"),
        (
            UdpAnnounce { info_hash: InfoHash([0; 20]), ..ANNOUNCE }.bytes(good),
            "this tracker does not serve this torrent",
        ),
        (udp.scrape_request(&[]), "scrape is not a list of info-hashes"),
        ([udp.scrape_request(&[TORRENT]), vec![0]].concat(), "scrape is not a list of info-hashes"),
        (udp.scrape_request(&[TORRENT; 75]), "at most 74 torrents in one scrape"),
        (action(0), "unknown action"),
        (action(3), "unknown action"),
        (action(u32::MAX), "unknown action"),
    ];
    for (request, reason) in &cases {
        assert_eq!(udp.error(request), *reason, "{}", request.escape_ascii());
    }
    assert_eq!(tracker.stats(0).peers_v4, 0);
    stats_until(&tracker, "all errors are counted", |stats| stats.counts.udp_errors == cases.len() as u64);
}

#[test]
fn datagrams_that_are_no_request_are_not_answered() {
    let tracker = open();
    let udp = Udp::new(V4, &tracker);
    let garbage: [&[u8]; 6] = [b"", b"x", &[0; 15], &[0; 16], &[0xff; 35], &[7; 3_000]];
    for datagram in garbage {
        udp.socket.send(datagram).expect("sent");
    }
    stats_until(&tracker, "all are dropped", |stats| stats.counts.udp_dropped == garbage.len() as u64);
    // and the very next answer belongs to the next request
    assert_eq!(udp.announce(ANNOUNCE).leechers, 1);
}

#[test]
fn nobody_unproven_is_sent_more_than_he_sent() {
    let tracker = open();
    let udp = Udp::new(V4, &tracker);
    let mut rng = fastrand::Rng::with_seed(3);
    for length in (16..200).chain([1_496]) {
        let mut request: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        request[8..12].copy_from_slice(&rng.u32(0..4).to_be_bytes());
        udp.socket.send(&request).expect("sent");
    }
    udp.socket.set_nonblocking(true).expect("settable");
    stats_until(&tracker, "all are handled", |stats| stats.counts.udp_dropped + stats.counts.udp_errors == 185);
    let mut answer = [0; 2_048];
    let mut longest = 0;
    while let Ok(length) = udp.socket.recv(&mut answer) {
        assert_eq!(be32(&answer, 0), 3);
        longest = longest.max(length);
    }
    assert!(longest <= 36, "the shortest request that is answered has 36 bytes");
}

#[test]
fn connection_ids_belong_to_an_address() {
    let tracker = open();
    let target = SocketAddr::new(V4, tracker.port());
    let here = Udp::from_address(V4, target);
    let mut there = Udp::from_address(IpAddr::from([127, 0, 0, 9]), target);
    there.connection = here.connection;
    assert_eq!(there.error(&ANNOUNCE.bytes(here.connection)), "connection id expired");
    assert_eq!(here.announce(ANNOUNCE).leechers, 1);
    // another socket of the same host may use it
    let mut sibling = Udp::from_address(V4, target);
    sibling.connection = here.connection;
    assert_eq!(sibling.announce(UdpAnnounce { port: 5, ..ANNOUNCE }).leechers, 2);
}

#[test]
fn a_tracker_on_all_addresses_answers_from_the_one_that_was_asked() {
    let tracker = open();
    tracker.add_torrent(TORRENT, Some(OwnSeeder::new(7_000, PeerId([b'S'; 20])))).expect("there is room");
    for last in [1, 2, 77] {
        let asked = IpAddr::from([127, 0, 0, last]);
        // a connected socket drops answers from elsewhere
        let udp = Udp::from_address(V4, SocketAddr::new(asked, tracker.port()));
        let answer = udp.announce(ANNOUNCE);
        assert_eq!(answer.peers, [SocketAddr::new(asked, 7_000)], "our own seeder, where this peer reached us");
    }
}

#[test]
fn udp_scrapes_match_what_was_announced() {
    let tracker = open();
    let hashes: Vec<InfoHash> = (0..74).map(|number| InfoHash([number; 20])).collect();
    let udp = Udp::new(V4, &tracker);
    for (number, &info_hash) in hashes.iter().enumerate().filter(|(number, _)| number % 3 > 0) {
        for port in 0..u16::try_from(number).expect("few") {
            let left = u64::from(port % 4 > 0);
            udp.announce(UdpAnnounce { info_hash, port: 1 + port, left, event: 1, ..ANNOUNCE });
        }
    }
    let answer = udp.ask(&udp.scrape_request(&hashes));
    assert_eq!((be32(&answer, 0), &answer[4..8], answer.len()), (2, &b"tran"[..], 8 + 74 * 12));
    for number in 0..74u32 {
        let peers = if number.is_multiple_of(3) { 0 } else { number };
        let seeders = peers.div_ceil(4);
        let at = 8 + 12 * number as usize;
        let got = [be32(&answer, at), be32(&answer, at + 4), be32(&answer, at + 8)];
        assert_eq!(got, [seeders, seeders, peers - seeders], "torrent {number}");
    }
}

// --- HTTP ---------------------------------------------------------------------------------------------------------

/// A response as it came over the wire.
#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn read_response(stream: &mut BufReader<TcpStream>, with_body: bool) -> Response {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).expect("a head in ASCII") > 0, "closed after {head:?}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![0; if with_body { length } else { 0 }];
    stream.read_exact(&mut body).expect("the body is as long as announced");
    Response { status, head, body }
}

fn connect(address: IpAddr, tracker: &TrackerHandle) -> BufReader<TcpStream> {
    let stream = TcpStream::connect((address, tracker.port())).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("settable");
    BufReader::new(stream)
}

fn send(stream: &mut BufReader<TcpStream>, request: &str) {
    stream.get_mut().write_all(request.as_bytes()).expect("sent");
}

fn get_from(address: IpAddr, tracker: &TrackerHandle, target: &str) -> Response {
    let mut stream = connect(address, tracker);
    send(&mut stream, &format!("GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    let response = read_response(&mut stream, true);
    assert_eq!(stream.read(&mut [0]).expect("closed in order"), 0, "the connection is closed as asked");
    response
}

fn get(tracker: &TrackerHandle, target: &str) -> Response {
    get_from(V4, tracker, target)
}

fn escaped(hash: InfoHash) -> String {
    hash.0.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn target(info_hash: InfoHash, port: u16, rest: &str) -> String {
    format!("/announce?info_hash={}&peer_id=-XX0000-{port:012}&port={port}{rest}", escaped(info_hash))
}

fn integer(body: &[u8], key: &[u8]) -> Option<i64> {
    let value = decode(body, Bounds::TORRENT).expect("strict bencode");
    value.as_dict().expect("a dictionary").get(key).map(|value| value.as_integer().expect("a number"))
}

fn bytes(body: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let value = decode(body, Bounds::TORRENT).expect("strict bencode");
    value.as_dict().expect("a dictionary").get(key).map(|value| value.as_bytes().expect("a string").to_vec())
}

fn failure(response: &Response) -> String {
    assert_eq!(response.status, 200, "clients read failure reasons of successful answers only");
    let reason = bytes(&response.body, b"failure reason").expect("a reason");
    String::from_utf8(reason).expect("text")
}

#[test]
fn http_announces_are_answered_in_all_forms() {
    let tracker = open();
    let first = get(&tracker, &target(TORRENT, 1_001, "&left=0&event=started&ip=192.0.2.99&compact=1"));
    assert_eq!(first.status, 200);
    assert_eq!(bytes(&first.body, b"external ip"), Some(vec![127, 0, 0, 1]));
    assert_eq!(bytes(&first.body, b"peers"), Some(vec![]));
    assert_eq!(bytes(&first.body, b"peers6"), None);
    let counts = [&b"complete"[..], b"incomplete", b"downloaded", b"interval", b"min interval"];
    assert_eq!(counts.map(|key| integer(&first.body, key)), [1, 0, 0, 900, 60].map(Some));
    let second = get_from(V6, &tracker, &target(TORRENT, 1_002, "&left=9"));
    assert_eq!(bytes(&second.body, b"external ip"), Some(Ipv6Addr::LOCALHOST.octets().to_vec()));
    let peers = bytes(&second.body, b"peers").expect("peers");
    assert_eq!(compact(&peers, true), [SocketAddr::new(V4, 1_001)], "the address it came from, not the one it claimed");
    let third = get(&tracker, &target(TORRENT, 1_003, "&left=9&compact=0"));
    let value = decode(&third.body, Bounds::TORRENT).expect("strict bencode");
    let listed = value.as_dict().and_then(|dict| dict.get(b"peers")).and_then(Value::as_list).expect("a list");
    let field = |peer: &Value<'_>, key: &[u8]| {
        peer.as_dict().and_then(|peer| peer.get(key).and_then(Value::as_bytes)).map(<[u8]>::to_vec)
    };
    let mut listed: Vec<_> = listed.iter().map(|peer| (field(peer, b"ip"), field(peer, b"peer id"))).collect();
    listed.sort();
    let expected = [("127.0.0.1", "-XX0000-000000001001"), ("::1", "-XX0000-000000001002")];
    assert_eq!(listed, expected.map(|(ip, id)| (Some(ip.into()), Some(id.into()))));
    let fourth = get(&tracker, &target(TORRENT, 1_003, "&left=9&compact=0&no_peer_id=1"));
    assert!(!fourth.body.windows(7).any(|part| part == b"peer id"));
    let done = get(&tracker, &target(TORRENT, 1_003, "&left=0&event=completed"));
    assert_eq!(integer(&done.body, b"downloaded"), Some(1));
    let gone = get(&tracker, &target(TORRENT, 1_003, "&left=0&event=stopped"));
    assert_eq!(counts[..2].iter().map(|key| integer(&gone.body, key)).collect::<Vec<_>>(), [Some(1), Some(1)]);
}

#[test]
fn both_protocols_share_one_swarm() {
    let tracker = open();
    get(&tracker, &target(TORRENT, 1_001, "&left=1&key=7"));
    let udp = Udp::new(V4, &tracker);
    assert_eq!(udp.announce(UdpAnnounce { port: 1_002, ..ANNOUNCE }).peers, [SocketAddr::new(V4, 1_001)]);
    // a client that announces by both is one peer, and may leave by either
    assert_eq!(udp.announce(UdpAnnounce { port: 1_001, ..ANNOUNCE }).leechers, 2);
    assert_eq!(udp.announce(UdpAnnounce { port: 1_001, event: 3, ..ANNOUNCE }).leechers, 1);
}

#[test]
fn every_fault_of_an_http_request_has_its_reason() {
    let tracker = start(Config::default());
    tracker.add_torrent(TORRENT, None).expect("there is room");
    let hash = escaped(TORRENT);
    let whole = target(TORRENT, 1_001, "");
    let cases = [
        ("/announce".into(), "info_hash is missing"),
        ("/announce?".into(), "info_hash is missing"),
        ("/announce?&&==&".into(), "info_hash is missing"),
        (format!("/announce?info_hash={hash}"), "peer_id is missing"),
        (format!("/announce?info_hash={}", &hash[3..]), "info_hash is not 20 bytes long"),
        (format!("/announce?info_hash={hash}a"), "info_hash is not 20 bytes long"),
        ("/announce?info_hash=%5".into(), "a percent sign is not followed by two hexadecimal digits"),
        ("/announce?info_hash=%g0".into(), "a percent sign is not followed by two hexadecimal digits"),
        (format!("{whole}&info_hash={hash}"), "info_hash is given twice"),
        (format!("{whole}&port=2"), "port is given twice"),
        (whole.replace("port=1001", "port=0"), "port must be between 1 and 65535"),
        (whole.replace("port=1001", "port=70000"), "port must be between 1 and 65535"),
        (whole.replace("&port=1001", ""), "port is missing"),
        (format!("{whole}&left=much"), "left is not a number"),
        (format!("{whole}&numwant=1e3"), "numwant is not a number"),
        (format!("{whole}&event=left"), "event is none of started, stopped, completed"),
        (format!("{whole}&key={}", "k".repeat(65)), "key is longer than 64 bytes"),
        (target(InfoHash([0; 20]), 1_001, ""), "this tracker does not serve this torrent"),
        ("/scrape".into(), "this tracker does not list its torrents: name them by info_hash"),
        ("/scrape?info_hash=1".into(), "info_hash is not 20 bytes long"),
        (format!("/scrape?{}", vec![format!("info_hash={hash}"); 75].join("&")), "at most 74 torrents in one scrape"),
    ];
    for (target, reason) in &cases {
        assert_eq!(failure(&get(&tracker, target)), *reason, "{target}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let mut stream = connect(V4, &tracker);
        send(&mut stream, &format!("{method} {whole} HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"));
        assert_eq!(failure(&read_response(&mut stream, true)), "only GET is understood here");
    }
    let lost = get(&tracker, "/nowhere");
    assert_eq!(lost.status, 404);
    assert!(bytes(&lost.body, b"failure reason").is_some());
    let stats = tracker.stats(0);
    assert_eq!((stats.peers_v4, stats.counts.http_announces), (0, 0));
    assert_eq!(stats.counts.http_failures, cases.len() as u64 + 5);
}

#[test]
fn refusals_say_when_to_come_back() {
    let tracker = start(Config::default());
    let refused = get(&tracker, &target(TORRENT, 1_001, ""));
    assert_eq!(integer(&refused.body, b"retry in"), Some(15));
    assert_eq!(bytes(&get(&tracker, "/announce").body, b"retry in"), Some(b"never".to_vec()));
}

#[test]
fn http_scrapes_match_what_was_announced() {
    let tracker = open();
    let other = InfoHash([b'a'; 20]);
    for port in 1..=5 {
        get(&tracker, &target(TORRENT, port, if port < 3 { "&left=0&event=completed" } else { "&left=3" }));
    }
    get(&tracker, &target(other, 9, "&left=3"));
    let unknown = InfoHash([b'z'; 20]);
    let hashes = [unknown, TORRENT, other, TORRENT].map(|hash| format!("info_hash={}", escaped(hash)));
    let scraped = get(&tracker, &format!("/scrape?{}", hashes.join("&")));
    let value = decode(&scraped.body, Bounds::TORRENT).expect("strict bencode");
    let files = value.as_dict().and_then(|dict| dict.get(b"files")).and_then(Value::as_dict).expect("files");
    let counts = |file: &Value<'_>| {
        let file = file.as_dict().expect("a dictionary");
        [&b"complete"[..], b"downloaded", b"incomplete"].map(|key| file.get(key).and_then(Value::as_integer))
    };
    let found: Vec<_> = files.iter().map(|(hash, file)| (hash.to_vec(), counts(file))).collect();
    assert_eq!(found, [(TORRENT.0.to_vec(), [2, 2, 3].map(Some)), (other.0.to_vec(), [0, 0, 1].map(Some))]);
}

#[test]
fn one_connection_carries_many_requests_even_in_pieces_and_in_a_row() {
    let tracker = open();
    let mut stream = connect(V4, &tracker);
    let request = |port| format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", target(TORRENT, port, "&left=1"));
    for port in 1..=3 {
        send(&mut stream, &request(port));
        assert_eq!(integer(&read_response(&mut stream, true).body, b"incomplete"), Some(port.into()));
    }
    for part in request(4).as_bytes().chunks(3) {
        stream.get_mut().write_all(part).expect("sent");
    }
    assert_eq!(integer(&read_response(&mut stream, true).body, b"incomplete"), Some(4));
    send(&mut stream, &[request(5), request(6), request(7)].concat());
    for incomplete in 5..=7 {
        assert_eq!(integer(&read_response(&mut stream, true).body, b"incomplete"), Some(incomplete));
    }
    send(&mut stream, "HEAD /announce HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(read_response(&mut stream, false).status, 200);
    send(&mut stream, &request(8));
    assert_eq!(integer(&read_response(&mut stream, true).body, b"incomplete"), Some(8));
    assert_eq!(tracker.stats(0).counts.http_connections, 1);
}

#[test]
fn old_clients_get_their_connection_closed() {
    let tracker = open();
    let mut stream = connect(V4, &tracker);
    send(&mut stream, &format!("GET {} HTTP/1.0\r\n\r\n", target(TORRENT, 1, "")));
    assert_eq!(read_response(&mut stream, true).status, 200);
    assert_eq!(stream.read(&mut [0]).expect("closed in order"), 0);
}

#[test]
fn what_is_no_http_harms_nobody() {
    let tracker = open();
    let mut patient = connect(V4, &tracker);
    let huge = format!("GET /announce?{} HTTP/1.1\r\n\r\n", "x".repeat(64 * 1024));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(5_000));
    let cases: [&[u8]; 9] = [
        b"\x13BitTorrent protocol",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /announce?info_hash=\x00\x01 HTTP/1.1\r\n\r\n",
        b"POST /announce HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        huge.as_bytes(),
        many.as_bytes(),
    ];
    for case in cases {
        let mut stream = connect(V4, &tracker);
        // the other side may hang up before all is written, and resets when it leaves bytes unread
        let _ = stream.get_mut().write_all(case);
        let _ = stream.get_mut().shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            Ok(_) => assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", case.escape_ascii()),
        }
    }
    send(&mut patient, &format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", target(TORRENT, 1, "")));
    assert_eq!(read_response(&mut patient, true).status, 200, "who connected before is served still");
}

#[test]
fn the_slow_are_closed_and_the_greedy_turned_away() {
    let tracker = open();
    let mut half = connect(V4, &tracker);
    send(&mut half, "GET /announce?info_ha");
    let mut dribble = connect(V4, &tracker);
    let silent: Vec<_> = (0..limits::TRACKER_CONNECTIONS_PER_ADDRESS - 2).map(|_| connect(V4, &tracker)).collect();
    wait_until("all are taken", || {
        tracker.stats(0).counts.http_connections == limits::TRACKER_CONNECTIONS_PER_ADDRESS as u64
    });
    let mut further = connect(V4, &tracker);
    assert!(matches!(further.read(&mut [0]), Ok(0) | Err(_)), "one address holds no more");
    assert_eq!(get_from(V6, &tracker, "/").status, 200, "others do not notice");
    let start = Instant::now();
    while dribble.get_mut().write_all(b"G").is_ok() {
        assert!(start.elapsed() < PATIENCE, "a head that never ends");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    for mut stream in [half].into_iter().chain(silent) {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("closed in order");
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(get(&tracker, "/").status, 200, "there is room again");
}

#[test]
fn the_statistics_page_is_self_contained_and_shows_torrents_on_this_host_only() {
    let tracker = open();
    get(&tracker, &target(TORRENT, 1, "&left=0"));
    for path in ["/", "/stats"] {
        let page = get(&tracker, path);
        let text = String::from_utf8(page.body).expect("UTF-8");
        assert!(page.head.contains("text/html; charset=utf-8"));
        assert!(text.contains(&format!("<td>{TORRENT}<td>1<td>0<td>0")), "{text}");
        assert!(!text.contains("src=") && !text.contains("href="), "nothing is loaded from elsewhere");
    }
    let json = get(&tracker, "/stats.json");
    assert!(json.head.contains("application/json"));
    let json: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
    assert_eq!(json["peers_v4"], 1);
    assert_eq!(json["counts"]["http_announces"], 1);
    assert_eq!(json["largest"][0]["info_hash"], TORRENT.to_string());
    let mut stream = connect(V4, &tracker);
    send(&mut stream, "GET /stats.json HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
    let json: serde_json::Value = serde_json::from_slice(&read_response(&mut stream, true).body).expect("JSON");
    assert_eq!(json["largest"], serde_json::json!([]));
}

// --- the service --------------------------------------------------------------------------------------------------

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let tracker = open();
    let port = tracker.port();
    let error = Tracker::start(Config { port, ..Config::default() }).err().expect("the port is taken");
    assert!(matches!(error, StartError::PortInUse { port: named } if named == port));
    // `sower tracker` calls its port --port, `sower seed` --tracker-port: the text fits both
    assert!(error.to_string().contains(&port.to_string()) && error.to_string().contains("choose another"));
    // by UDP alone, and with several threads: no second tracker may share the port unnoticed
    let threads = Config { http_threads: 2, udp_threads: 2, ..Config::default() };
    assert!(Tracker::start(Config { port, ..threads.clone() }).is_err());
    let crowd = start(threads.clone());
    assert!(Tracker::start(Config { port: crowd.port(), ..threads }).is_err());
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port();
    assert!(Tracker::start(Config { port, bind: vec![V4], ..Config::default() }).is_err());
}

#[test]
fn a_stopped_tracker_gives_its_port_back_at_once() {
    let tracker = open();
    let port = tracker.port();
    let mut kept = connect(V4, &tracker);
    send(&mut kept, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(read_response(&mut kept, true).status, 200);
    tracker.stop();
    let again = start(Config { port, ..Config::default() });
    assert_eq!(again.port(), port);
}

#[test]
fn it_starts_and_stops_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let tracker = open();
        let udp = Udp::new(V4, &tracker);
        assert_eq!(udp.announce(ANNOUNCE).leechers, 1);
        tracker.stop();
    });
}

#[test]
fn several_threads_serve_one_port() {
    let tracker = start(Config { open: true, http_threads: 3, udp_threads: 3, ..Config::default() });
    // the kernel spreads clients by their ports; connection ids hold on every thread
    for client in 0..40u8 {
        let udp = Udp::new(V4, &tracker);
        let mut second = Udp::new(V4, &tracker);
        second.connection = udp.connection;
        assert_eq!(
            second.announce(UdpAnnounce { port: u16::from(client) + 1, ..ANNOUNCE }).leechers,
            u32::from(client) + 1
        );
        assert_eq!(get(&tracker, &target(TORRENT, u16::from(client) + 1, "&left=1")).status, 200);
    }
    assert_eq!(tracker.stats(0).peers_v4, 40);
}

#[test]
fn a_bound_address_is_the_only_one() {
    let here = IpAddr::from([127, 0, 0, 3]);
    let tracker = start(Config { open: true, bind: vec![here, V6], ..Config::default() });
    let udp = Udp::from_address(V4, SocketAddr::new(here, tracker.port()));
    assert_eq!(udp.announce(ANNOUNCE).leechers, 1);
    assert_eq!(Udp::new(V6, &tracker).announce(ANNOUNCE).leechers, 2);
    let refused = TcpStream::connect((V4, tracker.port())).expect_err("nobody listens there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let elsewhere = Config { bind: vec![IpAddr::from([192, 0, 2, 1])], ..Config::default() };
    assert!(matches!(Tracker::start(elsewhere), Err(StartError::AddressNotHere(_))));
}

#[test]
fn clients_of_this_host_are_listed_at_the_external_address() {
    let external = Ipv4Addr::new(192, 0, 2, 5);
    let tracker = start(Config { open: true, external: vec![external.into()], ..Config::default() });
    let udp = Udp::new(V4, &tracker);
    udp.announce(UdpAnnounce { port: 1_001, ..ANNOUNCE });
    let answer = udp.announce(UdpAnnounce { port: 1_002, ..ANNOUNCE });
    assert_eq!(answer.peers, [SocketAddr::new(external.into(), 1_001)]);
}

#[test]
fn torrents_come_and_go_while_it_runs() {
    let tracker = start(Config::default());
    let udp = Udp::new(V4, &tracker);
    let refused = "this tracker does not serve this torrent";
    assert_eq!(udp.error(&ANNOUNCE.bytes(udp.connection)), refused);
    tracker.add_torrent(TORRENT, None).expect("there is room");
    assert_eq!(udp.announce(ANNOUNCE).leechers, 1);
    assert!(tracker.remove_torrent(TORRENT));
    assert!(!tracker.remove_torrent(TORRENT));
    assert_eq!(udp.error(&ANNOUNCE.bytes(udp.connection)), refused);
}

#[test]
fn the_silent_are_forgotten() {
    let tracker = start(Config { open: true, interval: Duration::from_secs(1), ..Config::default() });
    let udp = Udp::new(V4, &tracker);
    assert_eq!(udp.announce(ANNOUNCE).interval_s, 1);
    get_from(V6, &tracker, &target(TORRENT, 1, ""));
    assert_eq!(tracker.stats(0).peers_v6, 1);
    stats_until(&tracker, "all are forgotten", |stats| (stats.torrents, stats.peers_v4, stats.peers_v6) == (0, 0, 0));
}

// --- clients nobody here wrote ------------------------------------------------------------------------------------

/// A program that is ended with the test.
struct Program(std::process::Child);

impl Program {
    /// None, with a line about it, if the program is not installed.
    fn run(name: &str, arguments: &[&str]) -> Option<Program> {
        let quiet = std::process::Stdio::null;
        let started =
            std::process::Command::new(name).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
        match started {
            Ok(child) => Some(Program(child)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("skipped: {name} is not installed");
                None
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Asks it to end in order, as Ctrl-C does, and waits for that.
    fn interrupt(mut self) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
        wait_until("the program ends", || self.0.try_wait().expect("a child").is_some());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a file and its torrent, which names `trackers`.
struct Content {
    folder: tempfile::TempDir,
    info_hash: InfoHash,
    data: Vec<u8>,
}

fn content(trackers: &[String]) -> Content {
    use sha1::Digest;
    let mut rng = fastrand::Rng::with_seed(11);
    let data: Vec<u8> = (0..300_000).map(|_| rng.u8(..)).collect();
    let hashes = data.chunks(65_536).map(|piece| sha1::Sha1::digest(piece).into()).collect();
    let builder = sower::metainfo::Builder::single("content".as_ref(), 300_000, 65_536).hashes(hashes);
    let tiers = trackers.iter().map(|tracker| vec![tracker.clone()]).collect();
    let torrent = builder.trackers(tiers).write().expect("a torrent that holds together");
    let folder = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(folder.path().join("content"), &data).expect("written");
    std::fs::write(folder.path().join("content.torrent"), &torrent).expect("written");
    let info_hash = sower::metainfo::Metainfo::parse(&torrent).expect("our own torrent").info_hash();
    Content { folder, info_hash, data }
}

fn aria2(torrent: &std::path::Path, folder: &std::path::Path, seed: &str) -> Option<Program> {
    let folder = format!("--dir={}", folder.display());
    let torrent = torrent.to_string_lossy();
    let quiet = [
        "--no-conf",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
    ];
    let mode =
        [&*folder, "--check-integrity=true", "--listen-port=20000-40000", "--bt-tracker-interval=1", seed, &*torrent];
    Program::run("aria2c", &[&quiet[..], &mode].concat())
}

#[test]
fn two_aria2_find_each_other_and_say_goodbye() {
    let tracker = start(Config { interval: Duration::from_secs(1), ..Config::default() });
    let content = content(&[format!("http://127.0.0.1:{}/announce", tracker.port())]);
    tracker.add_torrent(content.info_hash, None).expect("there is room");
    let torrent = content.folder.path().join("content.torrent");
    let Some(seeder) = aria2(&torrent, content.folder.path(), "--seed-ratio=0") else { return };
    let first =
        |stats: Stats| stats.largest.first().map(|torrent| (torrent.seeders, torrent.leechers, torrent.downloaded));
    wait_until("the seeder is listed", || first(tracker.stats(1)) == Some((1, 0, 0)));
    let target = tempfile::tempdir().expect("a scratch folder");
    let leecher = aria2(&torrent, target.path(), "--seed-ratio=0").expect("installed");
    wait_until("the download is counted", || first(tracker.stats(1)) == Some((2, 0, 1)));
    assert!(std::fs::read(target.path().join("content")).expect("downloaded") == content.data);
    leecher.interrupt();
    seeder.interrupt();
    wait_until("both are gone", || first(tracker.stats(1)) == Some((0, 0, 1)));
}

#[test]
fn transmission_announces_over_both_protocols() {
    for scheme in ["http", "udp"] {
        let tracker = open();
        let content = content(&[format!("{scheme}://127.0.0.1:{}/announce", tracker.port())]);
        let torrent = content.folder.path().join("content.torrent");
        let [config, folder] = [".config", ""].map(|name| content.folder.path().join(name).display().to_string());
        let free = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let port = free.to_string();
        let arguments = ["-M", "-g", &config, "-w", &folder, "-p", &port, &torrent.display().to_string()];
        let Some(client) = Program::run("transmission-cli", &arguments) else { return };
        wait_until("it is listed", || {
            tracker.stats(1).largest.first().is_some_and(|torrent| {
                torrent.info_hash == content.info_hash.to_string() && torrent.seeders + torrent.leechers == 1
            })
        });
        let counts = tracker.stats(0).counts;
        assert_eq!((counts.udp_announces > 0, counts.http_announces > 0), (scheme == "udp", scheme == "http"));
        assert_eq!((counts.udp_errors, counts.http_failures), (0, 0));
        client.interrupt();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Requests that are right but for a few bytes: whatever the answer, the tracker is there afterwards.
    #[test]
    fn mutated_requests_do_no_harm(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        static TRACKER: std::sync::OnceLock<TrackerHandle> = std::sync::OnceLock::new();
        let tracker = TRACKER.get_or_init(open);
        let udp = Udp::new(V4, tracker);
        let mut datagram = ANNOUNCE.bytes(udp.connection);
        let mut request = format!("GET {} HTTP/1.1\r\nHost: t\r\n\r\n", target(TORRENT, 1, "&left=1")).into_bytes();
        for (at, byte) in &changes {
            *at.get_mut(&mut datagram) = *byte;
            *at.get_mut(&mut request) = *byte;
        }
        udp.socket.send(&datagram[..cut.index(datagram.len())]).expect("sent");
        udp.socket.send(&datagram).expect("sent");
        let mut stream = connect(V4, tracker);
        stream.get_mut().write_all(&request).expect("sent");
        stream.get_mut().shutdown(std::net::Shutdown::Write).expect("open");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let other = Udp::new(V4, tracker);
        let leechers = other.announce(UdpAnnounce { port: 99, ..ANNOUNCE }).leechers;
        prop_assert!(leechers > 0);
    }
}
