//! What packets do: which interface they take, what mark they carry, what becomes of a connection whose other end vanished.
//!
//! Each test has a network of its own (see `clients/namespace.rs`) and gives the seeder's host two neighbours, each at the
//! other end of a virtual cable. Without root the tests say SKIPPED.

mod neighbour;
#[path = "../hostile/raw.rs"]
#[allow(dead_code, reason = "the hostile tests use the rest")]
mod raw;
#[path = "../clients/shared.rs"]
mod shared;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use content::{Content, info_hash, info_of};
use namespace::{Family, isolated};
use neighbour::Neighbour;
use process::{Workspace, run, wait_for};
use raw::{MODERN, Peer, REQUEST, Target, block_message};
use seeder::Seeder;
use shared::{content, namespace, process, program, seeder};
use socket2::{Domain, Protocol, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(20);
/// Reached through either neighbour; the one that the routes prefer is not the one that is asked for.
const TRACKER: &str = "10.99.0.1";

#[test]
fn nothing_leaves_by_another_interface_than_the_one_named() {
    isolated(Family::V4, &[], || {
        let (right, wrong) = two_neighbours();
        let workspace = Workspace::new();
        let mut arguments = Content::Single.write(&workspace.folder("source"));
        let (http, udp, peer) = right.inside(|| {
            let listen = || TcpListener::bind((TRACKER, 0)).expect("a free port");
            (listen(), UdpSocket::bind((TRACKER, 0)).expect("a free port"), listen())
        });
        let port = |listener: &TcpListener| listener.local_addr().expect("bound").port();
        let named = format!("http://{TRACKER}:{}/announce", port(&http));
        let datagrams = format!("udp://{TRACKER}:{}", udp.local_addr().expect("bound").port());
        let to_be_dialled = SocketAddr::new(TRACKER.parse().expect("address"), port(&peer));
        let tracker = std::thread::spawn(move || answer_announce(&http, to_be_dialled));
        arguments.extend(["--bind-device", "right", "--tracker", &named, "--tracker", &datagrams].map(str::to_owned));
        let (passing, leaks) = (right.inside(packets), wrong.inside(packets));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        tracker.join().expect("it was asked over HTTP");
        peer.accept().expect("it dialled the peer that the tracker named");
        udp.set_read_timeout(Some(PATIENCE)).expect("a socket");
        udp.recv_from(&mut [0; 2_048]).expect("it asked over UDP");
        let target = target(&workspace, &served, "10.88.0.1");
        serve_one(&mut right.inside(|| dial(&target)), &target);
        assert!(frames(&passing) > 0);
        assert_eq!(frames(&leaks), 0, "packets left by the interface that the routes prefer");
        let refused = wrong.inside(|| TcpStream::connect(("10.89.0.1", served.port)));
        assert!(refused.is_err(), "it listens on the other interface too");
    });
}

/// Web seeds and peers that are asked for metadata are connected to by other code than the peers of a torrent.
#[test]
fn downloads_fetch_from_web_seeds_and_ask_for_metadata_by_the_named_interface_only() {
    isolated(Family::V4, &[], || {
        let (right, wrong) = two_neighbours();
        let workspace = Workspace::new();
        let content = Content::Single.write(&workspace.folder("source")).remove(0);
        let (web, peer) = right.inside(|| {
            let listen = || TcpListener::bind((TRACKER, 0)).expect("a free port");
            (listen(), listen())
        });
        let at = |listener: &TcpListener| listener.local_addr().expect("bound").to_string();
        let torrent = workspace.path().join("the.torrent").into_os_string().into_string().expect("an ASCII path");
        let web_seed = format!("http://{}/", at(&web));
        run(env!("CARGO_BIN_EXE_sower"), &["create", &content, "--output", &torrent, "--web-seed", &web_seed]);
        let magnet = format!("magnet:?xt=urn:btih:{}&x.pe={}", "1".repeat(40), at(&peer));
        let leaks = wrong.inside(packets);
        let download = |source: &str| {
            let mut command = program::sower();
            command.args(["get", source, "--json", "--no-tracker", "--port", "0", "--bind-device", "right"]);
            program::Program::start(command, &workspace.folder(if source == magnet { "magnet" } else { "torrent" }))
        };
        let _downloads = [download(&torrent), download(&magnet)];
        for (listener, who) in [(&web, "the web seed"), (&peer, "the peer with the metadata")] {
            listener.set_nonblocking(true).expect("a socket");
            wait_for(who, PATIENCE, || listener.accept().ok());
        }
        assert_eq!(frames(&leaks), 0, "packets left by the interface that the routes prefer");
    });
}

#[test]
fn the_embedded_tracker_is_of_the_named_interface_too() {
    isolated(Family::V4, &[], || {
        let (right, wrong) = two_neighbours();
        let workspace = Workspace::new();
        let mut arguments = Content::Single.write(&workspace.folder("source"));
        arguments.extend(["--bind-device", "right", "--tracker-port", "25969"].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        let named =
            |url: &String| ["10.88.0.1", "[fd88::1]"].iter().any(|host| url.contains(&format!("://{host}:25969/")));
        assert!(served.trackers.iter().all(named), "{:?}", served.trackers);
        assert!(right.inside(|| TcpStream::connect("10.88.0.1:25969")).is_ok());
        assert!(wrong.inside(|| TcpStream::connect("10.89.0.1:25969")).is_err());
    });
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let workspace = Workspace::new();
    let arguments = Content::Single.write(&workspace.folder("source"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.arg("seed").args(arguments).args(["--bind-device", "nosuch0"]).current_dir(workspace.path());
    let output = command.env("SOWER_STATE", workspace.path().join("state")).output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("there is no network interface nosuch0"), "{words}");
}

#[test]
fn packets_carry_the_mark_that_was_asked_for() {
    isolated(Family::V4, &[], || {
        let (right, _wrong) = two_neighbours();
        let workspace = Workspace::new();
        let mut arguments = Content::Single.write(&workspace.folder("source"));
        arguments.extend(["--no-tracker", "--dscp", "cs1"].map(str::to_owned));
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        for address in ["10.88.0.1", "fd88::1"] {
            let target = target(&workspace, &served, address);
            let capture = right.inside(packets);
            serve_one(&mut right.inside(|| dial(&target)), &target);
            let marks = marks_of(&capture, served.port);
            assert_eq!(marks, BTreeSet::from([8]), "of {address}");
        }
    });
}

/// A peer that vanished without a word held its place for two to three minutes; now the kernel asks whether its host is there.
#[test]
fn peers_that_vanish_without_a_word_are_closed_before_our_own_limits() {
    isolated(Family::V4, &[], || {
        let (right, _wrong) = two_neighbours();
        let workspace = Workspace::new();
        let mut arguments = Content::Single.write(&workspace.folder("source"));
        arguments.push("--no-tracker".to_owned());
        let mut seeder = Seeder::start(workspace.path(), arguments);
        let served = seeder.serving(1).remove(0);
        let target = target(&workspace, &served, "10.88.0.1");
        let mut idle = right.inside(|| dial(&target));
        let mut busy = right.inside(|| dial(&target));
        [&mut idle, &mut busy].into_iter().for_each(|peer| serve_one(peer, &target));
        // its address is still known and nobody answers there, as behind a translation that was forgotten
        run("ip", &["neighbour", "replace", "10.88.0.2", "lladdr", neighbour::HARDWARE_ADDRESS, "dev", "right"]);
        right.run("ip", &["address", "flush", "dev", "cable"]);
        let all: Vec<u8> = (0..30).flat_map(|piece| block_message(REQUEST, (piece, 0, raw::BLOCK))).collect();
        // what it asked for before it vanished is on its way
        busy.send(&all);
        let closed = seeder.wait_long("both are closed", Duration::from_secs(200), |event| {
            let closed = event["closed"].as_object().filter(|closed| event["peers"] == 0 && !closed.is_empty());
            closed.cloned()
        });
        assert_eq!(closed["connection failed"], 2, "not by the limits for peers that pause: {closed:?}");
    });
}

/// The seeder's host has 10.88.0.1 towards `right` and 10.89.0.1 towards `wrong`. Both have the tracker's address, and the
/// route by `wrong` is the better one.
fn two_neighbours() -> (Neighbour, Neighbour) {
    let (right, wrong) = (Neighbour::new("right", 88), Neighbour::new("wrong", 89));
    run("ip", &["route", "flush", "default"]);
    run("ip", &["route", "add", "default", "via", "10.88.0.2", "metric", "200"]);
    run("ip", &["route", "add", "default", "via", "10.89.0.2", "metric", "100"]);
    (right, wrong)
}

fn target(workspace: &Workspace, served: &seeder::Served, address: &str) -> Target {
    let torrent = std::fs::read(&served.torrent).expect("the torrent file");
    Target {
        seeder: SocketAddr::new(address.parse().expect("an address"), served.port),
        info_hash: info_hash(&torrent),
        info: info_of(&torrent).to_vec(),
        data: std::fs::read(workspace.path().join("source").join(&served.name)).expect("the source"),
    }
}

fn dial(target: &Target) -> Peer {
    let stream = TcpStream::connect_timeout(&target.seeder, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    Peer { stream, allowed_fast: Vec::new() }
}

fn serve_one(peer: &mut Peer, target: &Target) {
    peer.send(&target.handshake(MODERN));
    peer.read_handshake(target);
    peer.assert_welcome(target);
}

/// Answers one announce and names one peer.
fn answer_announce(listener: &TcpListener, peer: SocketAddr) {
    let (mut stream, _) = listener.accept().expect("an announce");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let _ = stream.read(&mut [0; 4_096]).expect("a request");
    let SocketAddr::V4(peer) = peer else { unreachable!("an IPv4 address") };
    let compact = [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat();
    let body = [b"d8:intervali1800e5:peers6:", &compact[..], b"e"].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).expect("connected");
}

/// How many frames arrived that a program sent.
fn frames(mut capture: &Socket) -> usize {
    let mut frame = vec![0; 1 << 17];
    std::iter::from_fn(|| capture.read(&mut frame).ok().map(|length| !is_of_the_kernel(&frame[..length])))
        .filter(|counts| *counts)
        .count()
}

/// The multicasts by which IPv6 hosts get to know each other, questions for hardware addresses (what follows them counts), and resets
/// that answer a packet whose connection is gone: no socket is left that could say by which interface, and one that is says ACK, too.
fn is_of_the_kernel(frame: &[u8]) -> bool {
    let is_reset = || frame[23] == 6 && frame[14 + usize::from(frame[14] & 15) * 4 + 13] == 4;
    match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0806 => true,
        0x0800 => is_reset(),
        _ => frame[..2] == [0x33, 0x33],
    }
}

/// Everything that arrives at this host.
fn packets() -> Socket {
    let every_protocol = i32::from(3_u16.to_be());
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(every_protocol))).expect("root may");
    socket.set_nonblocking(true).expect("a socket");
    socket
}

/// The marks of all TCP packets with payload that came from `port`.
fn marks_of(mut capture: &Socket, port: u16) -> BTreeSet<u8> {
    let (mut marks, mut frame) = (BTreeSet::new(), vec![0; 1 << 17]);
    while let Ok(length) = capture.read(&mut frame) {
        let (kind, packet) = (u16::from_be_bytes([frame[12], frame[13]]), &frame[14..length]);
        let (traffic_class, header) = match kind {
            0x0800 => (packet[1], usize::from(packet[0] & 15) * 4),
            0x86dd => (packet[0] << 4 | packet[1] >> 4, 40),
            _ => continue,
        };
        if packet.len() > header + 1_000 && packet[header..].starts_with(&port.to_be_bytes()) {
            marks.insert(traffic_class >> 2);
        }
    }
    marks
}

impl Seeder {
    fn wait_long<T>(&mut self, what: &str, limit: Duration, pick: impl Fn(&serde_json::Value) -> Option<T>) -> T {
        wait_for(what, limit, || self.events("stats").last().and_then(&pick))
    }
}
