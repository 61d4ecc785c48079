//! From start to end, under a service manager.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::{Home, Manager, Running, until};

#[test]
fn a_manager_hears_when_it_runs_reads_its_configuration_again_and_ends() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.ask("GET", "/healthz", "").expect("it answers").0, 200, "it was ready before its API answered");
    manager.hear("STATUS=0 torrents, 0 connections");
    daemon.signal(Signal::HUP);
    let reloading = manager.hear("RELOADING=1");
    // systemd takes no answer for one that was given before it asked
    let at: i64 =
        reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")?.parse().ok()).expect("a time");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    assert!((now - 60_000_000..=now).contains(&at), "{at} is not just before {now}");
    manager.hear("READY=1");
    daemon.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[test]
fn a_watchdog_hears_that_the_keeper_lives() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut command = home.command();
    command.env("WATCHDOG_USEC", "400000");
    let daemon = manager.start(command);
    manager.hear("READY=1");
    let start = Instant::now();
    (0..5).for_each(|_| _ = manager.hear("WATCHDOG=1"));
    assert!(start.elapsed() < Duration::from_secs(10), "it said so five times within {:?}", start.elapsed());
    daemon.signal(Signal::STOP);
    manager.hear_the_rest();
    let before = manager.heard.len();
    std::thread::sleep(Duration::from_secs(1));
    manager.hear_the_rest();
    assert_eq!(manager.heard.len(), before, "a process that stands still was taken for a living one");
    daemon.signal(Signal::CONT);
}

/// A tracker that takes connections and never answers keeps the daemon at its farewell for five seconds.
#[test]
fn a_second_signal_ends_it_at_once() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let tracker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/announce", tracker.local_addr().expect("bound"));
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    home.seed(&[7; 50_000], &url);
    // the first announce is under way: there is somebody to say goodbye to
    tracker.set_nonblocking(false).expect("a socket");
    let (mut announce, _) = tracker.accept().expect("an announce");
    let mut head = [0; 16];
    announce.read_exact(&mut head).expect("a request");
    daemon.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    std::thread::sleep(Duration::from_millis(300));
    assert!(daemon.0.try_wait().expect("it can be asked").is_none(), "it did not say goodbye to its tracker");
    let second = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(2), "it took {:?}", second.elapsed());
}

#[test]
fn it_runs_without_a_manager() {
    let home = Home::new();
    let mut daemon = Running::start(home.command());
    until("the API answers", || home.ask("GET", "/healthz", "").is_some_and(|(status, _)| status == 200));
    daemon.signal(Signal::INT);
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(!home.socket().exists(), "its socket was left behind");
}

/// Bytes sent were saved every two seconds, but the time of seeding only when it ended: a crash after a month lost the month.
#[test]
fn a_crash_costs_seconds_of_seeding_time_and_not_all_of_it() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut daemon = manager.start(home.command());
    manager.hear("READY=1");
    let hash = home.seed(&[7; 50_000], "http://127.0.0.1:9/announce");
    let start = Instant::now();
    let seconds = |name: &str| home.torrent(&hash)[name].as_u64().unwrap_or_default();
    until("it was seeded for a while", || seconds("seeding_seconds") >= 7);
    let (seeding, running) = (seconds("seeding_seconds"), seconds("running_seconds"));
    daemon.0.kill().expect("it runs");
    daemon.ended();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    let saved = seconds("seeding_seconds");
    assert!(saved + 4 >= seeding, "of {seeding} s {saved} are left");
    assert!(saved <= start.elapsed().as_secs() + 1, "{saved} s are more than have passed");
    assert!(seconds("running_seconds") + 4 >= running);
    daemon.end();
}
