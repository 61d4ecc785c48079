//! The log: for people or for programs, bounded, and without secrets.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::{Home, Manager};

#[test]
fn lines_for_programs_are_an_object_each() {
    let home = Home::with("[log]\nformat = \"json\"\nlevel = \"debug\"\n");
    let mut manager = Manager::new();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    daemon.signal(Signal::HUP);
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    let output = daemon.end();
    let lines: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(
        lines.len() >= 2 && lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()),
        "{output}"
    );
    assert!(
        lines.iter().any(|line| line["message"].as_str().is_some_and(|text| text.starts_with("peers: port "))),
        "{output}"
    );
}

#[test]
fn the_journal_gets_no_second_time() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut command = home.command();
    command.env("JOURNAL_STREAM", "1:2");
    let daemon = manager.start(command);
    manager.hear("READY=1");
    let output = daemon.end();
    assert!(output.lines().all(|line| line.trim_start().starts_with("INFO")), "{output}");
}

#[test]
fn one_place_fills_no_disk() {
    let home = Home::with("[log]\nburst = 3\n");
    let mut manager = Manager::new();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    for _ in 0..20 {
        daemon.signal(Signal::HUP);
        manager.hear("RELOADING=1");
        manager.hear("READY=1");
    }
    // a round after the interval of ten seconds
    std::thread::sleep(Duration::from_secs(16));
    let output = daemon.end();
    let told = output.lines().filter(|line| line.contains("was read again")).count();
    assert!((3..=6).contains(&told), "{told} lines: {output}");
    let left_out: u64 = output
        .lines()
        .filter(|line| line.contains("left out lines"))
        .filter_map(|line| line.split("count=").nth(1)?.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(left_out + told as u64, 20, "{output}");
    assert!(output.contains("src/cli/daemon/life.rs:"), "{output}");
}

/// Everything that is secret, at the level that says most: the token, a wrong guess of it, the passkey of a tracker, the secret and the
/// address of a webhook.
#[test]
fn no_secret_is_in_the_log() {
    let home = Home::with(
        "[log]\nlevel = \"trace\"\n[webhooks]\nurls = [\"http://127.0.0.1:9/hooksecret1\"]\nsecret-file = \"hook\"\nprivate-targets = true\n",
    );
    fs::write(home.state().join("hook"), "hooksecret2").expect("a file");
    let mut manager = Manager::new();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    let token = fs::read_to_string(home.state().join("token")).expect("a token").trim().to_owned();
    let (_, socket) = manager.kept.iter().find(|(name, _)| name == "kept-api").expect("it listens");
    let api = socket2::SockRef::from(socket).local_addr().expect("bound").as_socket().expect("TCP");
    for secret in [token.as_str(), "guessed-secret"] {
        let mut stream = TcpStream::connect(api).expect("it listens");
        let head =
            format!("GET /api/v1/totals?key=querysecret HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {secret}\r\n");
        stream
            .write_all(format!("{head}Cookie: SID=cookiesecret\r\nConnection: close\r\n\r\n").as_bytes())
            .expect("sent");
        stream.read_to_end(&mut Vec::new()).expect("an answer");
    }
    let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&tr=http%3A%2F%2F127.0.0.1%3A9%2Fpasskeysecret%2Fannounce";
    let (status, answer) =
        home.ask("POST", "/api/v1/torrents", &format!("{{\"magnet\": \"{magnet}\"}}")).expect("it answers");
    assert!(status < 300, "{status} {answer}");
    std::thread::sleep(Duration::from_secs(3));
    let output = daemon.end();
    for secret in
        [&token, "guessed-secret", "querysecret", "cookiesecret", "passkeysecret", "hooksecret1", "hooksecret2"]
    {
        assert!(!output.contains(secret), "{secret} is in the log:\n{output}");
    }
}
