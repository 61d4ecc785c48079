//! Thousands of torrents at once: what they cost while nothing happens, and what trackers see of them.
//!
//! The tracker is a process of its own, so that the memory that is measured is the announcer's alone. What is kept of a torrent elsewhere
//! (its numbers, its name) is not counted. With more: `SCALE=100000 TRACKERS=3 HOSTS=100 cargo test --test announce -- --ignored --nocapture scale`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sower::discovery::{Announced, Announcer, Config, Handle, StatsSource, TrackerUrl, Trackers};
use sower::ids::InfoHash;

use super::config;

/// `sower tracker` in a process of its own.
struct Tracker {
    process: Child,
    port: u16,
}

impl Tracker {
    fn start() -> Tracker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
        command.args(["tracker", "--open", "--port", "0", "--bind", "0.0.0.0", "--interval", "1800"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let mut port = None;
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        while port.is_none() {
            line.clear();
            assert!(output.read_line(&mut line).expect("its words") > 0, "it says where it listens");
            port = line.split(" port ").nth(1).and_then(|rest| {
                rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
            });
        }
        // nobody reads on: what it says later fails in it, or is lost
        std::mem::forget(output);
        Tracker { process, port: port.expect("found") }
    }

    /// Connections of this process to it.
    fn connections(&self) -> usize {
        let table = std::fs::read_to_string("/proc/self/net/tcp").expect("it is there");
        let ours = format!(":{:04X} 01", self.port);
        let remote =
            |line: &&str| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" ").ends_with(&ours);
        table.lines().filter(remote).count()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Bytes that belong to this process alone.
fn private() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("it is there");
    let line = text.lines().find(|line| line.starts_with("Private_Dirty")).expect("a line for it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1_024
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("it is there");
    let fields: Vec<&str> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}

fn many(count: usize) -> impl Iterator<Item = InfoHash> {
    (0..count as u64).map(|number| {
        let mut hash = [7; 20];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        InfoHash(hash)
    })
}

/// With `hosts`, every torrent has another address of the trackers, that many in turn.
async fn measure(count: usize, hosts: usize, trackers: &[Tracker]) {
    let (mut announcer, mut found) = Announcer::start(Config { ..config(5001) });
    let stats: StatsSource = Arc::new(Default::default);
    tokio::spawn(async move { while found.recv().await.is_some() {} });
    let mut handles: Vec<Handle> = Vec::with_capacity(count);
    let (before, began) = (private(), Instant::now());
    for (number, info_hash) in many(count).enumerate() {
        let url = |tracker: &Tracker| format!("http://127.0.0.{}:{}/announce", 1 + number % hosts, tracker.port);
        let tier = |tracker: &Tracker| vec![TrackerUrl::parse(&url(tracker)).expect("a URL")];
        let trackers = Trackers::Public { tiers: trackers.iter().map(tier).collect(), added: Vec::new() };
        handles.push(announcer.add(Announced { info_hash, trackers, stats: stats.clone() }).await);
    }
    let added = began.elapsed();
    let waiting = private().saturating_sub(before) / count as u64;
    let mut connections = 0;
    while !handles.iter().all(|handle| handle.status().iter().all(|tracker| tracker.works())) {
        connections = connections.max(trackers.iter().map(Tracker::connections).max().unwrap_or(0));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let announced = began.elapsed();
    let settled = private().saturating_sub(before) / count as u64;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (used, from) = (cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = (cpu() - used) / from.elapsed().as_secs_f64() * 100.0;
    println!(
        "{count} torrents, {} trackers at {hosts} hosts: added in {added:.1?}, announced in {announced:.1?}, {waiting} bytes each waiting, \
         {settled} announced, {connections} connections to a tracker at most, {idle:.2} % of a core idle",
        trackers.len()
    );
    announcer.shutdown(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measurement that takes minutes"]
async fn scale() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let trackers: Vec<Tracker> = (0..number("TRACKERS").unwrap_or(1)).map(|_| Tracker::start()).collect();
    measure(number("SCALE").unwrap_or(2_000), number("HOSTS").unwrap_or(1), &trackers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_torrents_cost_little_and_come_one_after_the_other() {
    let tracker = Tracker::start();
    let (mut announcer, _found) = Announcer::start(config(5001));
    let url = format!("http://127.0.0.1:{}/announce", tracker.port);
    let stats: StatsSource = Arc::new(Default::default);
    let mut handles = Vec::new();
    let before = private();
    for info_hash in many(1_000) {
        let tiers = vec![vec![TrackerUrl::parse(&url).expect("a URL")]];
        let trackers = Trackers::Public { tiers, added: Vec::new() };
        handles.push(announcer.add(Announced { info_hash, trackers, stats: stats.clone() }).await);
    }
    let began = Instant::now();
    let mut heard = std::collections::HashSet::new();
    while heard.len() < 150 {
        assert!(began.elapsed() < super::PATIENCE, "{} of them", heard.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
        heard.extend(announcer.take_changes().into_iter().map(|change| change.info_hash));
    }
    // fifty at once, a hundred at fifty a second
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert!(tracker.connections() <= 8, "{}", tracker.connections());
    let each = private().saturating_sub(before) / 1_000;
    // among it what the HTTP client and its connections take, once for all torrents
    assert!(each < 8_000, "{each} bytes for each torrent");
    announcer.shutdown(Duration::from_millis(100)).await;
}
