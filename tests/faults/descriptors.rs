//! Descriptors that run out under a running daemon.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use super::namespace::{Family, isolated};
use super::process::wait_for;
use super::scene::{PATIENCE, Scene, Torrent, api, sent};

#[test]
fn descriptors_that_run_out_are_told_and_all_goes_on_once_there_are_some() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::new();
        let [large, small, asleep] = [("large", 40_000_000), ("small", 300_000), ("asleep", 300_000)]
            .map(|(name, length)| Torrent::new(name, length));
        scene.seed(&large, &scene.data());
        scene.seed(&small, &scene.data());
        scene.seed(&asleep, &scene.data());
        scene.download(&small);
        // slow enough to be under way all the time
        scene.order(
            &format!("PATCH /api/v1/torrents/{}", large.hash),
            Some(serde_json::json!({ "upload_limit": 500_000 })),
        );
        let _asks = scene.ask_for(&large);
        scene.until_row("it is being sent", &large, |row| sent(row) > 0);
        let mut line = Line::open(&scene);
        line.totals();
        let pid = Pid::from_raw(scene.pid().cast_signed()).expect("a process");
        let before = limit(pid);
        let open = || std::fs::read_dir(format!("/proc/{}/fd", scene.pid())).expect("it runs").count() as u64;
        // a few connections are taken, then none
        set(pid, Rlimit { current: Some(open() + 5), ..before });
        let guest = |_| TcpStream::connect("127.0.0.1:6881").expect("the kernel takes it");
        let mut guests: Vec<TcpStream> = (0..20).map(guest).collect();
        let wanted = scene.ask_for(&asleep);
        wait_for("none is left", PATIENCE, || (open() >= limit(pid).current.unwrap_or(0)).then_some(()));
        let trouble = wait_for("it is told", PATIENCE, || {
            // those that say nothing are shown out after a while
            guests.extend((0..2).map(guest));
            line.totals()["trouble"].as_str().map(str::to_owned)
        });
        assert!(trouble.contains("open files") && trouble.contains("LimitNOFILE"), "{trouble}");
        // who is connected goes on to be served, and nothing spins
        let (sent_before, ticks_before) = (sent(&line.totals()), ticks(scene.pid()));
        let begun = std::time::Instant::now();
        wait_for("peers go on", PATIENCE, || (sent(&line.totals()) > sent_before + 1_000_000).then_some(()));
        let (spent, lasted) = (ticks(scene.pid()) - ticks_before, begun.elapsed());
        assert!(
            u128::from(spent) * 10 < lasted.as_millis() / 2,
            "{spent} hundredths of a second of a processor in {lasted:?}"
        );

        set(pid, before);
        scene.until_no_trouble();
        for torrent in [&large, &small, &asleep] {
            scene.until_is(torrent, "seeding");
        }
        drop((guests, wanted));
        scene.download(&small);
        scene.download(&asleep);
        assert!(scene.end().success());
    });
}

fn limit(pid: Pid) -> Rlimit {
    let text = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).expect("it runs");
    let line = text.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    Rlimit { current: numbers.next(), maximum: numbers.next() }
}

fn set(pid: Pid, limit: Rlimit) {
    prlimit(Some(pid), Resource::Nofile, limit).expect("root may");
}

/// A connection to the API that was there before.
struct Line {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Line {
    fn open(scene: &Scene) -> Line {
        let stream = TcpStream::connect(api()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let head = format!(
            "GET /api/v1/totals HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            api(),
            scene.token()
        );
        Line { stream: BufReader::new(stream), head }
    }

    fn totals(&mut self) -> Value {
        self.stream.get_mut().write_all(self.head.as_bytes()).expect("it is open");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("an answer");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a number");
            }
            if line == "\r\n" {
                break;
            }
            assert!(!line.is_empty(), "the API closed its connection");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }
}

/// Processor time of a process, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, rest) = text.rsplit_once(')').expect("a name");
    rest.split_whitespace().skip(11).take(2).map(|number| number.parse::<u64>().expect("a number")).sum()
}
