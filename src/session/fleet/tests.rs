//! Several reactors as one, on real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ids::{BlockRef, InfoHash, PeerId, PieceIndex};
use crate::metainfo::Geometry;
use crate::reactor::Serving;
use crate::reactor::sockets;
use crate::storage::Content;
use crate::wire::{Handshake, Message, Reserved};

const PIECE: u32 = 16_384;
const PIECES: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

fn fleet(reactors: usize) -> Fleet {
    fleet_on(reactors, Vec::new())
}

fn fleet_on(reactors: usize, listeners: Vec<Arc<OwnedFd>>) -> Fleet {
    let config = FleetConfig {
        reactors,
        driver: DriverChoice::Auto,
        send: SendMode::Auto,
        port: Some(0),
        slots: Slots::Auto,
        listen: Vec::new(),
        listeners,
        upload_limit: None,
        download_limit: None,
        peer_limit: None,
        connections: 1_000,
        connections_per_address: 1_000,
        congestion: CongestionChoice::Auto,
        options: Options::default(),
        downloads: false,
    };
    let identity = Identity { peer_id: PeerId([3; 20]), client: "sower".to_owned(), port: 0 };
    Fleet::start(&config, identity, &mut fastrand::Rng::with_seed(1)).expect("reactors")
}

fn serving(number: u8, folder: &Path) -> Serving {
    let total = u64::from(PIECES * PIECE);
    let geometry = Geometry::new(PIECE, [(total, false)]).expect("valid");
    let mut content = Content::empty(folder);
    content.push(Path::new("a"), total);
    let payload = Payload::new(Arc::new(geometry.clone()), Arc::new(content));
    let (info_hash, info) = (InfoHash([number; 20]), vec![b'x'; 100].into());
    Serving::new(Arc::new(Torrent { info_hash, geometry, info, private: false }), payload)
}

/// Downloads `blocks` blocks and goes, or stays until it is dropped.
fn download(port: u16, torrent: u8, blocks: u32) -> TcpStream {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let peer_id = PeerId(std::array::from_fn(|_| fastrand::u8(..)));
    let mut said = Vec::new();
    Handshake { reserved: Reserved::default(), info_hash: InfoHash([torrent; 20]), peer_id }.encode(&mut said);
    Message::Interested.encode(&mut said);
    stream.write_all(&said).expect("connected");
    // handshake, bitfield, unchoke
    let mut opening = [0; Handshake::LENGTH + 6 + 5];
    stream.read_exact(&mut opening).expect("it is woken");
    let mut requests = Vec::new();
    for piece in (0..blocks).map(PieceIndex) {
        Message::Request(BlockRef { piece, begin: 0, length: PIECE }).encode(&mut requests);
    }
    stream.write_all(&requests).expect("connected");
    let mut payload = vec![0; blocks as usize * (PIECE as usize + 13)];
    stream.read_exact(&mut payload).expect("it is served");
    stream
}

/// What is told in all of one torrent: by snapshots, and of what has ended.
fn sent(fleet: &Fleet, ended: &[TorrentStatus], id: TorrentId) -> u64 {
    let live = fleet.snapshots().flat_map(|snapshot| &snapshot.torrents);
    live.chain(ended).filter(|torrent| torrent.id == id).map(|torrent| torrent.sent).sum()
}

#[test]
fn torrents_wake_and_sleep_on_all_reactors_and_no_byte_is_lost_or_counted_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), vec![7; (PIECES * PIECE) as usize]).expect("a file");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut fleet = fleet(3);
        let ids: Vec<(InfoHash, TorrentId)> =
            (1..=4u8).map(|number| (InfoHash([number; 20]), TorrentId(number.into()))).collect();
        fleet.know(&ids, false);
        let (port, done) = (fleet.port(), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
        let leechers: Vec<_> = (0..48u32)
            .map(|number| {
                let done = done.clone();
                std::thread::spawn(move || {
                    let torrent = 1 + u8::try_from(number % 4).expect("few");
                    drop(download(port, torrent, 1 + number % PIECES));
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                })
            })
            .collect();
        let (mut ended, mut before, mut woken) = (Vec::new(), 0, 0);
        while done.load(std::sync::atomic::Ordering::Relaxed) < leechers.len() {
            let _ = tokio::time::timeout(Duration::from_millis(50), fleet.wanted_notified()).await;
            for id in fleet.take_wanted() {
                woken += 1;
                fleet.serve(id, &serving(u8::try_from(id.0).expect("few"), folder.path()));
            }
            ids.iter().for_each(|(_, id)| fleet.sleep(*id));
            fleet.refresh().expect("reactors run");
            ended.extend(fleet.take_ended());
            let now: u64 = ids.iter().map(|(_, id)| sent(&fleet, &ended, *id)).sum();
            assert!(now >= before, "{now} bytes after {before}");
            before = now;
        }
        leechers.into_iter().for_each(|leecher| leecher.join().expect("byte for byte"));
        fleet.stop().expect("they ran");
        ended.extend(fleet.take_ended());
        for (number, (_, id)) in (0..4u32).zip(&ids) {
            let blocks: u32 = (0..48).filter(|leecher| leecher % 4 == number).map(|leecher| 1 + leecher % PIECES).sum();
            assert_eq!(sent(&fleet, &ended, *id), u64::from(blocks * PIECE), "of {id:?}, woken {woken} times in all");
        }
    });
}

#[test]
fn peers_and_pieces_are_told_by_all_reactors_and_not_waited_for_at_those_that_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), vec![7; (PIECES * PIECE) as usize]).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut fleet = fleet(2);
        (1..=2).for_each(|number| fleet.serve(TorrentId(number.into()), &serving(number, folder.path())));
        let port = fleet.port();
        assert_eq!(fleet.pieces(TorrentId(1)).await, Some(vec![0xff]), "and by then it is served");
        let held: Vec<TcpStream> = [1, 1, 1, 2].into_iter().map(|torrent| download(port, torrent, 2)).collect();
        let told = fleet.peers(TorrentId(1)).await;
        let mut addresses: Vec<SocketAddr> = told.iter().map(|peer| peer.address).collect();
        let mut expected: Vec<SocketAddr> =
            held[..3].iter().map(|stream| stream.local_addr().expect("connected")).collect();
        addresses.sort();
        expected.sort();
        assert_eq!(addresses, expected);
        assert!(told.iter().all(|peer| peer.sent == u64::from(2 * PIECE)));
        assert_eq!(fleet.pieces(TorrentId(9)).await, None);
        fleet.stop().expect("they ran");
        assert!(fleet.peers(TorrentId(1)).await.is_empty() && fleet.pieces(TorrentId(1)).await.is_none());
    });
}

#[test]
fn listeners_that_were_handed_in_are_given_back_while_peers_are_served_on() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), vec![7; (PIECES * PIECE) as usize]).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let handed: Arc<OwnedFd> = Arc::new(listener.try_clone().expect("a descriptor").into());
        let mut fleet = fleet_on(2, vec![handed]);
        assert_eq!(fleet.port(), port);
        fleet.serve(TorrentId(1), &serving(1, folder.path()));
        assert!(fleet.pieces(TorrentId(1)).await.is_some(), "by then it is served");
        let mut peers: Vec<TcpStream> = (0..4).map(|_| download(port, 1, 1)).collect();
        fleet.refresh().expect("reactors run");
        fleet.close_listeners();
        assert!(fleet.pieces(TorrentId(1)).await.is_some(), "by then it is closed");
        // what the kernel had begun to accept may still be; then everybody waits for the next program
        let end = Instant::now() + PATIENCE;
        let mut strangers = Vec::new();
        let accepted = loop {
            strangers.push(TcpStream::connect(("127.0.0.1", port)).expect("it listens"));
            match listener.accept() {
                Ok(accepted) => break accepted,
                Err(_) => assert!(Instant::now() < end, "it is still accepted"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        drop(accepted);
        for peer in &mut peers {
            let mut request = Vec::new();
            Message::Request(BlockRef { piece: PieceIndex(2), begin: 0, length: PIECE }).encode(&mut request);
            peer.write_all(&request).expect("connected");
            peer.read_exact(&mut [0; PIECE as usize + 13]).expect("it is served on");
        }
        fleet.stop().expect("they ran");
    });
}

#[test]
fn what_is_handed_in_and_no_listener_is_refused_with_the_remedy() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let connected = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let unix = std::os::unix::net::UnixStream::pair().expect("a pair").0;
    for wrong in [OwnedFd::from(udp), connected.into(), unix.into()] {
        let error = sockets::handed_listener(&wrong).expect_err("no listener").to_string();
        assert!(error.contains("ListenStream="), "{error}");
    }
}
