//! What programs elsewhere hear, and what strangers cannot make of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::{Home, Manager, Running};

/// A receiver that answers with these, the last one for ever.
struct Ear {
    address: SocketAddr,
    heard: Receiver<(Vec<String>, Vec<u8>)>,
}

impl Ear {
    fn new(answers: &'static [&'static str]) -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let head: Vec<String> =
                    stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let length = head
                    .iter()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                if stream.read_exact(&mut body).is_err() || tell.send((head, body)).is_err() {
                    return;
                }
                let answer = answers[number.min(answers.len() - 1)];
                let _ = write!(stream.get_mut(), "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Ear { address, heard }
    }

    fn next(&self) -> (Vec<String>, Vec<u8>) {
        self.heard.recv_timeout(Duration::from_secs(60)).expect("something is told")
    }
}

fn home(ear: &Ear, private: bool) -> Home {
    let url = format!("http://{}/hook?key=secret", ear.address);
    let home =
        Home::with(&format!("[webhooks]\nurls = [\"{url}\"]\nsecret-file = \"key\"\nprivate-targets = {private}\n"));
    fs::write(home.state().join("key"), "Jefe\n").expect("a file");
    home
}

/// Adds a torrent whose content is there; its info-hash.
fn add(home: &Home) -> String {
    let content = home.state().join("downloads");
    fs::create_dir_all(&content).expect("a folder");
    fs::write(content.join("payload"), vec![7; 50_000]).expect("a file");
    let torrent = home.folder.path().join("payload.torrent");
    let mut create = Command::new(env!("CARGO_BIN_EXE_sower"));
    create.arg("create").arg(content.join("payload")).arg("--output").arg(&torrent);
    let made = create.output().expect("sower runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bytes = base64::engine::general_purpose::STANDARD.encode(fs::read(&torrent).expect("a torrent"));
    let (status, answer) =
        home.ask("POST", "/api/v1/torrents", &format!("{{\"torrent\": \"{bytes}\"}}")).expect("it answers");
    assert!(status < 300, "{status} {answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["added"][0]["hash"].as_str().expect("a hash").to_owned()
}

fn start(manager: &mut Manager, home: &Home) -> Running {
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    daemon
}

/// Heads and bodies as events, each with the right signature.
fn event((head, body): &(Vec<String>, Vec<u8>)) -> Value {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"Jefe");
    let digits: String = ring::hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = head.iter().find_map(|line| line.strip_prefix("x-sower-signature: "));
    assert_eq!(signature, Some(format!("sha256={digits}").as_str()), "{head:?}");
    assert_eq!(head[0], "POST /hook?key=secret HTTP/1.1");
    let event: Value = serde_json::from_slice(body).expect("JSON");
    assert!(
        head.iter().any(|line| Some(line.as_str())
            == event["event"].as_str().map(|kind| format!("x-sower-event: {kind}")).as_deref())
    );
    event
}

#[test]
fn what_happens_is_told_in_order_signed_and_again_if_it_was_not_heard() {
    let ear = Ear::new(&["500 Internal Server Error", "200 OK"]);
    let (home, mut manager) = (home(&ear, true), Manager::new());
    let daemon = start(&mut manager, &home);
    let hash = add(&home);
    let (failed, again) = (event(&ear.next()), event(&ear.next()));
    assert_eq!(failed, again, "the same event once more");
    assert_eq!(
        (&again["event"], &again["hash"], &again["name"]),
        (&"added".into(), &hash.as_str().into(), &"payload".into())
    );
    let completed = event(&ear.next());
    assert_eq!((&completed["event"], &completed["size"]), (&"completed".into(), &50_000.into()));
    let (status, answer) = home.ask("DELETE", &format!("/api/v1/torrents/{hash}"), "").expect("it answers");
    assert!(status < 300, "{status} {answer}");
    assert_eq!(event(&ear.next())["event"], "removed");
    daemon.end();
}

#[test]
fn a_restart_is_no_news() {
    let ear = Ear::new(&["204 No Content"]);
    let (home, mut manager) = (home(&ear, true), Manager::new());
    let daemon = start(&mut manager, &home);
    add(&home);
    assert_eq!(
        (event(&ear.next())["event"].clone(), event(&ear.next())["event"].clone()),
        ("added".into(), "completed".into())
    );
    daemon.end();
    manager.kept.clear();
    let daemon = start(&mut manager, &home);
    std::thread::sleep(Duration::from_secs(3));
    daemon.end();
    assert!(ear.heard.try_recv().is_err(), "what was there before was told as new");
}

/// Whoever may write a URL could otherwise reach what trusts this host: a router's page, a cloud's metadata.
#[test]
fn a_private_address_hears_nothing_unless_the_owner_says_so() {
    let ear = Ear::new(&["200 OK"]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let (home, mut manager) = (home(&ear, false), Manager::new());
        let config = fs::read_to_string(home.config()).expect("a file").replace("127.0.0.1", host);
        fs::write(home.config(), config).expect("a file");
        let daemon = start(&mut manager, &home);
        add(&home);
        // a name is tried again for half an hour: it may lead elsewhere by then
        std::thread::sleep(Duration::from_secs(if host == "localhost" { 3 } else { 1 }));
        let output = daemon.end();
        assert!(ear.heard.try_recv().is_err(), "{host} was reached");
        assert!(host == "localhost" || output.contains("webhooks.private-targets"), "{output}");
        assert!(!output.contains("key=secret"), "{output}");
    }
}

#[test]
fn a_receiver_sends_it_nowhere_else() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let place = format!("307 Temporary Redirect\r\nLocation: http://{}/", elsewhere.local_addr().expect("bound"));
    let ear = Ear::new(vec![&*place.leak()].leak());
    let (home, mut manager) = (home(&ear, true), Manager::new());
    let daemon = start(&mut manager, &home);
    add(&home);
    event(&ear.next());
    std::thread::sleep(Duration::from_secs(1));
    assert!(daemon.end().contains("it answers 307"));
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

#[test]
fn a_receiver_that_never_answers_keeps_nobody_waiting() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let ear = Ear { address: silent.local_addr().expect("bound"), heard: channel().1 };
    let (home, mut manager) = (home(&ear, true), Manager::new());
    let mut daemon = start(&mut manager, &home);
    add(&home);
    let asked = Instant::now();
    assert_eq!(home.ask("GET", "/healthz", "").expect("it answers").0, 200);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
}

#[test]
fn without_its_secret_nothing_is_sent() {
    let ear = Ear::new(&["200 OK"]);
    let home = home(&ear, true);
    fs::remove_file(home.state().join(Path::new("key"))).expect("removed");
    let mut daemon = Running::start(home.command());
    let output = daemon.output();
    assert!(output.contains("webhooks.secret-file: cannot use"), "{output}");
}
