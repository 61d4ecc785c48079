//! How a daemon ends while peers are connected, and how another one takes its place without anybody noticing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::{Home, Manager, Running, until};
use crate::downloader::{self, Downloader};

const MIB: u64 = 1 << 20;

/// Content that takes some seconds at this rate.
fn payload() -> Vec<u8> {
    (0..12 * MIB / 8).flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).collect()
}
const RATE: [&str; 2] = ["--peer-limit", "3MiB/s"];

impl Home {
    fn port(&self) -> u16 {
        let totals = self.ask("GET", "/api/v1/totals", "").expect("it answers").1;
        let totals: serde_json::Value = serde_json::from_str(&totals).expect("JSON");
        totals["port"].as_u64().expect("a port").try_into().expect("a port")
    }

    fn uploaded(&self, hash: &str) -> u64 {
        self.torrent(hash)["uploaded"].as_u64().unwrap_or_default()
    }

    /// The process that has the state.
    fn process(&self) -> Option<u32> {
        fs::read_to_string(self.state().join("lock")).ok()?.trim().parse().ok()
    }
}

/// A process that this one did not start.
struct Stranger(Pid);

impl Stranger {
    fn of(said: &str) -> Stranger {
        let number = said.lines().find_map(|line| line.strip_prefix("MAINPID=")?.parse().ok()).expect("a number");
        Stranger(Pid::from_raw(number).expect("a process"))
    }

    fn number(&self) -> u32 {
        self.0.as_raw_nonzero().get().unsigned_abs()
    }

    fn lives(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.number()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    fn end(self) {
        kill_process(self.0, Signal::TERM).expect("it runs");
        until("the successor ended", || !self.lives());
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if self.lives() {
            let _ = kill_process(self.0, Signal::KILL);
        }
    }
}

/// A tracker that keeps what it is told, and names all who have announced themselves.
struct Tracker {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    fn start() -> Tracker {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, heard) = (listener.local_addr().expect("bound"), Arc::new(Mutex::new(Vec::new())));
        let hears = heard.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(count @ 1..) => request.extend(&part[..count]),
                        _ => break,
                    }
                }
                let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
                hears.lock().expect("not poisoned").push(line);
                let ports = ports(&hears.lock().expect("not poisoned"));
                let mut body = format!("d8:intervali1800e5:peers{}:", ports.len() * 6).into_bytes();
                ports.iter().for_each(|port| body.extend([&[127, 0, 0, 1][..], &port.to_be_bytes()].concat()));
                body.push(b'e');
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
                let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(&body);
            }
        });
        Tracker { address, heard }
    }

    fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// One parameter of each announce, in their order; empty where it is missing.
    fn told(&self, name: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("not poisoned");
        heard.iter().map(|line| parameter(line, name).unwrap_or_default()).collect()
    }
}

fn parameter(line: &str, name: &str) -> Option<String> {
    let query = line.split(' ').nth(1)?.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

fn ports(heard: &[String]) -> BTreeSet<u16> {
    heard.iter().filter_map(|line| parameter(line, "port")?.parse().ok()).collect()
}

/// A program that asks the API again and again, each time by a new connection.
struct Asking {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Asking {
    fn start(address: SocketAddr) -> Asking {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stops, answered) = (stop.clone(), answers.clone());
        let thread = std::thread::spawn(move || {
            let mut failures = Vec::new();
            while !stops.load(Ordering::Relaxed) {
                match ask(address) {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200") => _ = answered.fetch_add(1, Ordering::Relaxed),
                    Ok(answer) => failures.push(answer),
                    Err(error) => failures.push(error.to_string()),
                }
            }
            failures
        });
        Asking { stop, answers, thread }
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// What went wrong.
    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn api_of(manager: &Manager) -> SocketAddr {
    let (_, socket) = manager.kept.iter().find(|(name, _)| name == "kept-api").expect("it is kept");
    socket2::SockRef::from(socket).local_addr().expect("bound").as_socket().expect("an address")
}

/// Until then a connection that was closed in the middle of a block, with requests unread, was reset, and what the peer had not read was
/// lost though it was counted.
#[test]
fn peers_get_what_they_have_asked_for_before_it_ends() {
    if !downloader::is_there() {
        return;
    }
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut command = home.command();
    command.args(RATE);
    let mut daemon = manager.start(command);
    manager.hear("READY=1");
    let hash = home.seed(&payload(), "http://127.0.0.1:9/announce");
    let peer = Downloader::start(&home.torrent_file(), home.port());
    until("some of it was downloaded", || peer.received() > 3 * MIB);
    daemon.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
    until("the peer noticed", || !peer.ends().is_empty());
    assert!(peer.ends().iter().all(|end| end.contains("nd of file")), "{:?}", peer.ends());
    assert!(!peer.is_done(), "it was asked for all at once: nothing is shown by this");
    let received = peer.received();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.uploaded(&hash), received, "sent and received are not the same");
    assert_eq!(received % (16 << 10), 0, "a block was cut off");
    daemon.end();
}

#[test]
fn a_peer_that_does_not_go_is_cut_off_when_its_time_is_over() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut command = home.command();
    command.args(["--set", "network.stop-grace=1s"]);
    let mut daemon = manager.start(command);
    manager.hear("READY=1");
    let hash = home.seed(&[7; 50_000], "http://127.0.0.1:9/announce");
    let mut peer = TcpStream::connect(("127.0.0.1", home.port())).expect("it listens");
    let byte = |place: usize| u8::from_str_radix(&hash[place..place + 2], 16).expect("hexadecimal digits");
    let hash: Vec<u8> = (0..40).step_by(2).map(byte).collect();
    let handshake = [&b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0"[..], &hash, b"-XX0000-000000000000"].concat();
    peer.write_all(&handshake).expect("it reads");
    peer.read_exact(&mut [0; 68]).expect("its handshake");
    let start = Instant::now();
    daemon.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
    let took = start.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(20)).contains(&took), "it took {took:?}");
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).expect("its stream was ended");
}

#[test]
fn a_successor_takes_over_and_neither_programs_nor_peers_nor_trackers_notice() {
    if !downloader::is_there() {
        return;
    }
    let (home, mut manager, tracker) = (Home::new(), Manager::new(), Tracker::start());
    let mut command = home.command();
    command.args(RATE);
    let mut daemon = manager.start(command);
    manager.hear("READY=1");
    let hash = home.seed(&payload(), &tracker.url());
    until("the tracker knows of it", || tracker.told("event") == ["started"]);
    let asking = Asking::start(api_of(&manager));
    let (port, first) = (home.port(), Downloader::start(&home.torrent_file(), home.port()));
    until("some of it was downloaded", || first.received() > MIB);

    daemon.signal(Signal::USR2);
    let successor = Stranger::of(&manager.hear("MAINPID="));
    manager.hear("READY=1");
    assert_eq!(home.process(), Some(successor.number()), "the state is another process's");
    assert!(!first.is_done() && first.ends().is_empty(), "it was too fast: nothing is shown by this");
    assert_eq!(home.port(), port);
    let second = Downloader::start(&home.torrent_file(), port);
    until("who was connected has got everything", || first.is_done());
    assert_eq!(daemon.ended().code(), Some(0), "nobody is connected to it any more");
    until("who came later has got everything", || second.is_done());

    let sent = first.received() + second.received();
    until("every byte is counted", || home.uploaded(&hash) == sent);
    until("the tracker has heard of the successor", || tracker.told("event").len() >= 2);
    let before = asking.answers();
    until("the successor answers", || asking.answers() > before + 10);
    let failed = asking.end();
    assert!(failed.is_empty(), "programs that asked meanwhile: {failed:?}");
    assert_eq!(tracker.told("event"), ["started", ""], "one peer, that has never stopped");
    for name in ["peer_id", "key", "port"] {
        let told = tracker.told(name);
        assert!(told.iter().all(|value| *value == told[0]), "{name}: {told:?}");
    }
    successor.end();
    let uploaded: Vec<u64> = tracker.told("uploaded").iter().map(|value| value.parse().expect("a number")).collect();
    assert_eq!((tracker.told("event").pop(), uploaded.last()), (Some("stopped".into()), Some(&sent)));
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.uploaded(&hash), sent, "it is saved");
    daemon.end();
}

#[test]
fn a_download_goes_on_in_the_successor_with_all_that_it_has() {
    let (seed, mut manager, tracker) = (Home::new(), Manager::new(), Tracker::start());
    let mut command = seed.command();
    command.args(RATE);
    let seeding = manager.start(command);
    manager.hear("READY=1");
    let payload = payload();
    let hash = seed.seed(&payload, &tracker.url());
    let (home, mut other) = (Home::new(), Manager::new());
    let mut daemon = other.start(home.command());
    other.hear("READY=1");
    home.add(&fs::read(seed.torrent_file()).expect("a torrent"));
    let have = || home.torrent(&hash)["have"].as_u64().unwrap_or_default();
    until("some of it is here", || have() > MIB);
    let before = have();
    daemon.signal(Signal::USR2);
    let successor = Stranger::of(&other.hear("MAINPID="));
    other.hear("READY=1");
    until("it is looked at", || home.torrent(&hash)["activity"] == "downloading");
    assert!(have() >= before, "{} bytes of {before} are left", have());
    until("all of it is here", || home.torrent(&hash)["activity"] == "seeding");
    assert!(fs::read(home.state().join("downloads/payload")).expect("it is there") == payload);
    assert_eq!(daemon.ended().code(), Some(0));
    // blocks of pieces that were not whole come twice
    let downloaded = home.torrent(&hash)["downloaded"].as_u64().expect("a number");
    until("every byte is counted", || seed.uploaded(&hash) >= downloaded);
    successor.end();
    seeding.end();
}

/// A mistake in the configuration is found before anything was given up, a missing secret when all was.
#[test]
fn a_successor_that_does_not_come_up_changes_nothing() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    let hash = home.seed(&[7; 50_000], "http://127.0.0.1:9/announce");
    let asking = Asking::start(api_of(&manager));
    let good = fs::read_to_string(home.config()).expect("a configuration");
    let missing = "[webhooks]\nurls = [\"http://127.0.0.1:9/\"]\nsecret-file = \"gone\"\n";
    for bad in ["[limits]\nuplaod = 1\n", missing] {
        fs::write(home.config(), bad).expect("a file");
        daemon.signal(Signal::USR2);
        manager.hear("RELOADING=1");
        manager.hear("READY=1");
        assert_eq!(home.process(), Some(daemon.0.id()), "the state is its own");
        until("it is seeded again", || home.torrent(&hash)["activity"] == "seeding");
        let peer = TcpStream::connect(("127.0.0.1", home.port()));
        assert!(peer.is_ok(), "peers are refused");
    }
    let failed = asking.end();
    assert!(failed.is_empty(), "programs that asked meanwhile: {failed:?}");
    // what is decided from now on is kept
    let (status, answer) = home.ask("POST", &format!("/api/v1/torrents/{hash}/stop"), "{}").expect("it answers");
    assert!(status < 300, "{status} {answer}");
    fs::write(home.config(), good).expect("a file");
    daemon.signal(Signal::TERM);
    let output = daemon.output();
    for said in ["uplaod", "secret-file", "everything goes on as before"] {
        assert!(output.contains(said), "{said} is not in {output}");
    }
    let again = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.torrent(&hash)["activity"], "paused");
    drop::<Running>(again);
}
