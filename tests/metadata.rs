//! Metadata from peers (BEP 9): liars, slow and broken peers, and a real seeder.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sower::ids::{InfoHash, PeerId};
use sower::metainfo::{Magnet, Metainfo};
use sower::peer::Identity;
use sower::session::metadata::{Asker, MetadataError, MetadataProgress, addresses_of, fetch};
use sower::wire::extension::{METADATA, Metadata, MetadataMessage, Ours};
use sower::wire::{Handshake, Message, Reserved};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const PIECE: usize = 16 * 1024;
/// Made by `tests/run`, with libtorrent in it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");
/// Set by `tests/run`: what is missing fails the test instead of skipping it.
const REQUIRE: &str = "SOWER_REQUIRE_CLIENTS";
/// Seeds `payload.torrent` at the address that it is given.
const LIBTORRENT: &str = "
import libtorrent, sys, time
quiet = {name: False for name in ('enable_dht', 'enable_lsd', 'enable_upnp', 'enable_natpmp')}
session = libtorrent.session({'listen_interfaces': sys.argv[1], **quiet})
params = libtorrent.add_torrent_params()
params.ti = libtorrent.torrent_info('payload.torrent')
params.save_path = '.'
params.flags |= libtorrent.torrent_flags.seed_mode
torrent = session.add_torrent(params)
time.sleep(600)
";
/// Nothing on loopback takes so long, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(15);
/// For peers that say nothing.
const HURRY: Duration = Duration::from_millis(800);

/// The `info` dictionary of one file of `pieces` pieces; 20 bytes for each.
fn info(pieces: usize) -> Vec<u8> {
    let (length, bytes) = (pieces * PIECE, pieces * 20);
    let mut info = format!("d6:lengthi{length}e4:name4:film12:piece lengthi{PIECE}e6:pieces{bytes}:").into_bytes();
    info.extend((0..bytes).map(|at| u8::try_from(at % 253).expect("small")));
    info.push(b'e');
    info
}

fn hash_of(info: &[u8]) -> InfoHash {
    Metainfo::from_info(info, Vec::new()).expect("a valid dictionary").info_hash()
}

fn magnet(info_hash: InfoHash) -> Magnet {
    Magnet {
        info_hash,
        name: None,
        trackers: vec!["http://tracker.example/announce".to_owned()],
        web_seeds: vec!["http://mirror.example/".to_owned()],
        peers: Vec::new(),
    }
}

fn asker(patience: Duration) -> Asker {
    let identity = Identity { peer_id: PeerId(*b"-SW0100-abcdefghijkl"), client: "sower test".to_owned(), port: 0 };
    Asker { patience, ..Asker::new(identity, None) }
}

/// Fetches from those peers, each named once.
async fn fetch_from(info_hash: InfoHash, peers: &[SocketAddr]) -> Result<Metainfo, MetadataError> {
    fetch_within(PATIENCE, info_hash, peers).await
}

async fn fetch_within(
    patience: Duration,
    info_hash: InfoHash,
    peers: &[SocketAddr],
) -> Result<Metainfo, MetadataError> {
    let (sender, receiver) = mpsc::channel(64);
    for peer in peers {
        sender.send(*peer).await.expect("room");
    }
    drop(sender);
    let progress = Arc::new(MetadataProgress::default());
    let outcome = fetch(&magnet(info_hash), asker(patience), receiver, progress.clone()).await;
    if outcome.is_err() {
        assert_eq!(progress.counts().connected, 0, "every connection was given up");
    }
    outcome
}

/// Listens, and lets `behave` talk to each that connects.
async fn peer<F: Future<Output = ()> + Send + 'static>(
    behave: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    address
}

fn message(message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Both handshakes of a peer that has `size` bytes of metadata, and what else peers say first.
fn greeting(info_hash: InfoHash, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Handshake { reserved: Reserved::EXTENDED, info_hash, peer_id: PeerId([7; 20]) }.encode(&mut bytes);
    bytes.extend(message(Message::Bitfield(&[0xff; 300])));
    bytes.extend(message(Message::Unchoke));
    let ours = Ours {
        client: "liar",
        port: 1,
        metadata: Metadata::Given(size),
        request_queue: 250,
        upload_only: true,
        your_address: Ipv4Addr::LOCALHOST.into(),
    };
    bytes.extend(message(Message::Extended { id: 0, payload: &ours.encode() }));
    bytes.extend(message(Message::Choke));
    bytes.extend(message(Message::Extended { id: 77, payload: b"nonsense of another extension" }));
    bytes
}

fn data(piece: usize, total: usize, data: &[u8]) -> Vec<u8> {
    let (piece, total) = (u32::try_from(piece).expect("small"), u32::try_from(total).expect("small"));
    message(Message::Extended { id: METADATA, payload: &MetadataMessage::Data { piece, total, data }.encode() })
}

/// All pieces of `info` in order.
fn pieces(info: &[u8]) -> Vec<u8> {
    info.chunks(PIECE).enumerate().flat_map(|(piece, bytes)| data(piece, info.len(), bytes)).collect()
}

/// A peer that sends `script` whatever it hears, and then nothing more.
async fn scripted(script: Vec<u8>) -> SocketAddr {
    let script = Arc::new(script);
    peer(move |mut stream| {
        let script = script.clone();
        async move {
            let _ = stream.write_all(&script).await;
            // reading on, so that what was sent is not thrown away by a reset
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    })
    .await
}

/// A peer that sends `script` and closes.
async fn closing(script: Vec<u8>) -> SocketAddr {
    let script = Arc::new(script);
    peer(move |mut stream| {
        let script = script.clone();
        async move {
            let _ = stream.write_all(&script).await;
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    })
    .await
}

fn assert_no_peer(outcome: &Result<Metainfo, MetadataError>, case: &str) {
    assert!(matches!(outcome, Err(MetadataError::NoPeer { .. })), "{case}: {outcome:?}");
}

#[tokio::test]
async fn metadata_of_several_pieces_comes_from_one_peer_and_keeps_what_the_link_says() {
    let info = info(3_000);
    let hash = hash_of(&info);
    let mut script = greeting(hash, info.len());
    script.extend(pieces(&info));
    let got = fetch_from(hash, &[scripted(script).await]).await.expect("the metadata");
    assert_eq!(got.info_hash(), hash);
    assert_eq!(got.info_bytes()[..], info[..]);
    assert_eq!(got.trackers(), [["http://tracker.example/announce"]]);
    assert_eq!(got.web_seeds(), ["http://mirror.example/"]);
}

/// What a peer may do wrong, and the stream that does it.
fn lies(info: &[u8], hash: InfoHash) -> Vec<(&'static str, Vec<u8>)> {
    let whole = pieces(info);
    let after = |size: usize, rest: &[u8]| [&greeting(hash, size)[..], rest].concat();
    let mut other = info.to_vec();
    other[info.len() / 2] ^= 1;
    let first = data(0, info.len(), &info[..PIECE]);
    let reject = MetadataMessage::Reject { piece: 0 }.encode();
    let extended = |payload: &[u8]| message(Message::Extended { id: METADATA, payload });
    let mut handshake = Vec::new();
    Handshake { reserved: Reserved::default(), info_hash: hash, peer_id: PeerId([7; 20]) }.encode(&mut handshake);
    vec![
        ("no handshake", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("another torrent", greeting(InfoHash([1; 20]), info.len())),
        ("no extensions", handshake),
        ("no metadata", greeting(hash, 0)),
        ("a size beyond any torrent", after(usize::try_from(i64::MAX).expect("64 bits"), &whole)),
        ("a size one too large", after(info.len() + 1, &whole)),
        ("a size one too small", after(info.len() - 1, &whole)),
        ("a huge size and right pieces", after(128 * 1024 * 1024, &whole)),
        ("one bit is wrong", after(info.len(), &pieces(&other))),
        ("a piece twice", after(info.len(), &[&first[..], &whole].concat())),
        ("a piece nobody asked for", after(info.len(), &data(4_000_000_000, info.len(), b"x"))),
        ("a piece beyond the end", after(info.len(), &data(info.len().div_ceil(PIECE), info.len(), b""))),
        ("a short piece", after(info.len(), &data(0, info.len(), &info[..PIECE - 1]))),
        ("a long piece", after(info.len(), &data(0, info.len(), &info[..PIECE + 1]))),
        ("it refuses", after(info.len(), &extended(&reject))),
        ("no dictionary", after(info.len(), &extended(b"i5e"))),
        ("negative numbers", after(info.len(), &extended(b"d8:msg_typei1e5:piecei-1e10:total_sizei-1ee"))),
        ("payload that nobody asked for", after(info.len(), &[0, 0, 0x40, 9, 7, 0, 0, 0, 0])),
        ("a message longer than any", after(info.len(), &[0x7f, 0xff, 0xff, 0xff, 5])),
        ("an extended message longer than any", after(info.len(), &[0, 0x10, 0, 0, 20])),
    ]
}

#[tokio::test]
async fn no_lie_is_believed_and_an_honest_peer_beside_the_liars_is_enough() {
    let info = info(3_000);
    let hash = hash_of(&info);
    let mut addresses = Vec::new();
    for (name, script) in lies(&info, hash) {
        let (address, begun) = (scripted(script).await, Instant::now());
        assert_no_peer(&fetch_from(hash, &[address]).await, name);
        assert!(begun.elapsed() < PATIENCE, "{name}: it was given up for being slow only");
        addresses.push(address);
    }
    addresses.push(scripted([greeting(hash, info.len()), pieces(&info)].concat()).await);
    assert_eq!(fetch_from(hash, &addresses).await.expect("the honest one").info_hash(), hash);
}

#[tokio::test]
async fn a_connection_may_end_at_any_byte() {
    let info = info(3);
    let hash = hash_of(&info);
    let script = [greeting(hash, info.len()), pieces(&info)].concat();
    for cut in 0..script.len() {
        let outcome = fetch_from(hash, &[closing(script[..cut].to_vec()).await]).await;
        assert_no_peer(&outcome, &format!("cut at {cut}"));
    }
    fetch_from(hash, &[closing(script).await]).await.expect("all of it");
}

#[tokio::test]
async fn a_stream_with_a_wrong_byte_anywhere_does_no_harm() {
    let info = info(3);
    let hash = hash_of(&info);
    let script = [greeting(hash, info.len()), pieces(&info)].concat();
    let mut rng = fastrand::Rng::with_seed(9);
    for at in 0..script.len() {
        let mut script = script.clone();
        script[at] ^= 1 << rng.u8(..8);
        // some bytes do not matter, such as those of a name
        if let Ok(metainfo) = fetch_from(hash, &[closing(script).await]).await {
            assert_eq!(metainfo.info_hash(), hash);
        }
    }
}

#[tokio::test]
async fn silent_and_dripping_peers_are_given_up_in_time() {
    let info = info(3_000);
    let hash = hash_of(&info);
    let hello = greeting(hash, info.len());
    let silent = scripted(Vec::new()).await;
    let half = scripted(hello[..90].to_vec()).await;
    let stuck = scripted([&hello[..], &pieces(&info)[..PIECE * 2]].concat()).await;
    let endless = hello.clone();
    let dripping = peer(move |mut stream| {
        let hello = endless.clone();
        async move {
            let _ = stream.write_all(&hello).await;
            // a bitfield of 500 KiB, a byte at a time
            let _ = stream.write_all(&[0, 7, 0xa1, 0x21, 5]).await;
            while stream.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
    let chatty = peer(move |mut stream| {
        let hello = hello.clone();
        async move {
            let _ = stream.write_all(&hello).await;
            while stream.write_all(&message(Message::KeepAlive)).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .await;
    let begun = Instant::now();
    assert_no_peer(&fetch_within(HURRY, hash, &[silent, half, stuck, dripping, chatty]).await, "slow");
    // handshakes, and transfers of which no piece comes
    assert!(begun.elapsed() < HURRY * 10, "{:?}", begun.elapsed());
}

/// Answers requests one by one, as they come, over IPv6; refuses nothing, and asks for metadata itself.
async fn answering(info: Arc<Vec<u8>>, hash: InfoHash) -> SocketAddr {
    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let request = MetadataMessage::Request { piece: 0 }.encode();
        stream.write_all(&greeting(hash, info.len())).await.expect("sent");
        stream.write_all(&message(Message::Extended { id: METADATA, payload: &request })).await.expect("sent");
        let mut heard = vec![0; Handshake::LENGTH];
        stream.read_exact(&mut heard).await.expect("a handshake");
        let mut refused = 0;
        while let Ok(length) = stream.read_u32().await {
            let mut body = vec![0; length as usize];
            stream.read_exact(&mut body).await.expect("a message");
            match MetadataMessage::decode(&body[2..]) {
                Ok(Some(MetadataMessage::Request { piece })) => {
                    let bytes = info.chunks(PIECE).nth(piece as usize).expect("a piece that there is");
                    let answer = data(piece as usize, info.len(), bytes);
                    stream.write_all(&answer).await.expect("sent");
                }
                Ok(Some(MetadataMessage::Reject { .. })) => refused += 1,
                _ => assert_eq!(body[..2], [20, 0], "an extension handshake"),
            }
        }
        assert_eq!(refused, 1, "who has none refuses");
    });
    address
}

#[tokio::test]
async fn many_pieces_are_asked_for_some_at_a_time() {
    let info = Arc::new(info(60_000));
    let hash = hash_of(&info);
    let address = answering(info.clone(), hash).await;
    let got = fetch_from(hash, &[address]).await.expect("the metadata");
    assert_eq!(got.info_bytes()[..], info[..]);
}

#[tokio::test]
async fn peers_that_come_late_are_asked_and_a_dropped_fetch_ends_its_connections() {
    let info = info(3);
    let hash = hash_of(&info);
    let progress = Arc::new(MetadataProgress::default());
    let (sender, receiver) = mpsc::channel(1);
    let (asked, held) = (asker(PATIENCE), progress.clone());
    let fetching = tokio::spawn(async move { fetch(&magnet(hash), asked, receiver, held).await });
    let (hung_up, mut ended) = mpsc::channel(1);
    let silent = peer(move |mut stream| {
        let hung_up = hung_up.clone();
        async move {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            let _ = hung_up.send(()).await;
        }
    })
    .await;
    sender.send(silent).await.expect("room");
    while progress.counts().connected == 0 {
        tokio::task::yield_now().await;
    }
    fetching.abort();
    ended.recv().await.expect("the connection was closed");
    assert_eq!((progress.counts().tried, progress.counts().connected), (1, 0));
}

#[tokio::test]
async fn the_peers_of_a_link_are_looked_up() {
    let named = ["127.0.0.1:5", "[::1]:6", "localhost:7", "no-such-host.invalid:8"].map(str::to_owned);
    let mut found = addresses_of(&named).await;
    found.retain(|address| address.port() != 7 || address.is_ipv4());
    found.sort_by_key(SocketAddr::port);
    assert_eq!(found, ["127.0.0.1:5", "[::1]:6", "127.0.0.1:7"].map(|text| text.parse().expect("address")));
}

/// A running `sower seed`; ended when dropped.
struct Seeder(Child);

impl Drop for Seeder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sower(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.args(arguments).current_dir(folder).env("SOWER_STATE", folder.join("state"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A folder with `payload.torrent`, whose metadata of 320 KB is more than one window of requests, and a free port.
fn source() -> (tempfile::TempDir, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let payload = std::fs::File::create(folder.path().join("payload")).expect("a file");
    payload.set_len(16_000 * 16_384).expect("a sparse file");
    let made = sower(folder.path(), &["create", "--piece-size", "16KiB", "payload"]).status().expect("sower runs");
    assert!(made.success());
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    (folder, free)
}

/// The seeder at `address` of what is in `folder` gives its metadata.
async fn assert_gives(folder: &Path, address: SocketAddr) {
    let torrent = std::fs::read(folder.join("payload.torrent")).expect("the torrent");
    let torrent = Metainfo::parse(&torrent).expect("a torrent");
    assert!(torrent.info_bytes().len() > 10 * PIECE, "{}", torrent.info_bytes().len());
    let deadline = Instant::now() + Duration::from_secs(60);
    // a seeder that listens may not know its torrents yet
    let got = loop {
        match fetch_from(torrent.info_hash(), &[address]).await {
            Ok(got) => break got,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(got.info_bytes(), torrent.info_bytes());
}

#[tokio::test]
async fn our_own_seeder_gives_its_metadata() {
    let (folder, address) = source();
    let port = address.port().to_string();
    let seed = ["seed", "--no-tracker", "--skip-check", "--reactors", "1", "--port", &port, "payload.torrent"];
    let _seeder = Seeder(sower(folder.path(), &seed).spawn().expect("sower runs"));
    assert_gives(folder.path(), address).await;
}

#[tokio::test]
async fn libtorrent_gives_its_metadata() {
    if !Path::new(PYTHON).exists() {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and missing: {PYTHON}");
        // written past the test harness's capture, which would hide it from whoever runs `cargo test`
        let _ = writeln!(std::io::stderr(), "SKIPPED: metadata from libtorrent: missing: {PYTHON}");
        return;
    }
    let (folder, address) = source();
    let mut command = Command::new(PYTHON);
    command.args(["-c", LIBTORRENT, &address.to_string()]).current_dir(folder.path());
    let _seeder = Seeder(command.spawn().expect("Python runs"));
    assert_gives(folder.path(), address).await;
}
