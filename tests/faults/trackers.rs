//! Trackers that are down, slow, or lie.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::namespace::{Family, isolated};
use super::process::{Process, wait_for};
use super::scene::{PATIENCE, Scene, Torrent};

/// A tracker that answers every request with the same bytes, or not at all.
struct Liar {
    url: String,
    heard: Arc<AtomicUsize>,
}

impl Liar {
    fn new(answer: Option<Vec<u8>>) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(AtomicUsize::new(0));
        let count = heard.clone();
        std::thread::spawn(move || {
            // those that get no answer stay open
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                match &answer {
                    Some(answer) => drop(speak(stream, answer)),
                    None => silent.push(stream),
                }
            }
        });
        Liar { url: format!("http://{address}/announce"), heard }
    }

    /// One whose body is `body`.
    fn says(body: &[u8]) -> Liar {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        Liar::new(Some([head.as_bytes(), body].concat()))
    }

    fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }
}

fn speak(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut request = [0; 8192];
    let _ = stream.read(&mut request)?;
    stream.write_all(answer)
}

fn tracker<'a>(shown: &'a Value, url: &str) -> &'a Value {
    let list = shown["trackers"].as_array().or_else(|| shown.as_array()).expect("a list");
    list.iter().find(|tracker| tracker["url"] == url).unwrap_or_else(|| panic!("{url}: {shown}"))
}

fn error(tracker: &Value) -> &str {
    tracker["endpoints"].as_array().into_iter().flatten().find_map(|endpoint| endpoint["error"].as_str()).unwrap_or("")
}

#[test]
fn trackers_that_lie_are_told_of_and_harm_nothing_while_a_good_one_names_us() {
    isolated(Family::V4, &["opentracker"], || {
        let scene = Scene::new();
        let huge = {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n";
            [head.as_bytes(), &vec![b'a'; 8 << 20]].concat()
        };
        let looping = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let redirect =
            format!("HTTP/1.1 302 Found\r\nLocation: http://{looping}/announce\r\nContent-Length: 0\r\n\r\n");
        let mut peers = b"d8:intervali0e5:peers30:".to_vec();
        // ourselves, nobody, everybody, port 0, a multicast group
        for peer in [
            [127, 0, 0, 1, 26, 225],
            [0, 0, 0, 0, 0, 80],
            [255, 255, 255, 255, 255, 255],
            [10, 0, 0, 1, 0, 0],
            [224, 0, 0, 1, 0, 80],
        ] {
            peers.extend(peer);
        }
        peers.push(b'e');
        let liars = [
            Liar::new(None),
            Liar::says(b"<html>no tracker here</html>"),
            Liar::new(Some(huge)),
            Liar::new(Some(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec())),
            Liar::new(Some(redirect.replace(&looping.to_string(), "127.0.0.1:7070").into_bytes())),
            Liar::says(b"d8:intervali9223372036854775808e5:peers0:e"),
            Liar::says(b"d8:intervali-5e5:peers0:e"),
            Liar::says(b"d14:failure reason9:go away..e"),
            Liar::says(&peers),
        ];
        let in_a_circle = circle();
        let good = Opentracker::new(&scene);
        let urls: Vec<&str> = liars.iter().map(|liar| &*liar.url).chain([&*in_a_circle, &good.url]).collect();
        let torrent = Torrent::announced("one", 300_000, &urls);
        good.allow(&torrent);
        let good_process = good.start(&scene);
        scene.seed(&torrent, &scene.data());
        let path = format!("/api/v1/torrents/{}/trackers", torrent.hash);
        let shown = scene.until("the good one works and the others are tried", &path, |shown| {
            tracker(shown, &good.url)["works"] == true
                && liars[1..].iter().all(|liar| liar.heard() > 0)
                && liars[1..5].iter().all(|liar| !error(tracker(shown, &liar.url)).is_empty())
                && !error(tracker(shown, &in_a_circle)).is_empty()
        });
        assert!(error(tracker(&shown, &liars[3].url)).contains("500"), "{shown}");
        assert!(error(tracker(&shown, &liars[7].url)).contains("go away"), "{shown}");
        // told is not harmed: it is served, and nobody is asked all the time
        scene.download(&torrent);
        scene.until_row("the good one counts us", &torrent, |row| {
            row["activity"] == "seeding" && row["swarm_seeds"] == 1
        });
        scene.until("time passes", "/api/v1/totals", |totals| totals["session_seconds"].as_u64() > Some(6));
        liars.iter().for_each(|liar| assert!(liar.heard() < 8, "{} was asked {} times", liar.url, liar.heard()));

        // the good one goes, and comes back
        drop(good_process);
        ["stop", "start"]
            .iter()
            .for_each(|deed| scene.order(&format!("POST /api/v1/torrents/{}/{deed}", torrent.hash), None));
        let shown = scene.until("it is missed", &path, |shown| !error(tracker(shown, &good.url)).is_empty());
        assert!(error(tracker(&shown, &good.url)).contains("refused"), "{shown}");
        scene.download(&torrent);
        let _good_process = good.start(&scene);
        // it is asked again after half a minute; sooner if somebody wants that, but not within ten seconds
        scene.pass(11);
        scene.order(&format!("POST /api/v1/torrents/{}/reannounce", torrent.hash), None);
        scene.until("it is back", &path, |shown| {
            tracker(shown, &good.url)["works"] == true && error(tracker(shown, &good.url)).is_empty()
        });
    });
}

/// Two that send each to the other.
fn circle() -> String {
    let pair = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let urls = [&pair[0], &pair[1]].map(|one| format!("http://{}/announce", one.local_addr().expect("bound")));
    let [first, second] = pair;
    for (listener, to) in [(first, urls[1].clone()), (second, urls[0].clone())] {
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| drop(speak(stream, answer.as_bytes())));
        });
    }
    let [first, _] = urls;
    first
}

/// Debian's tracker, which tracks what a list says.
struct Opentracker {
    url: String,
    folder: std::path::PathBuf,
}

impl Opentracker {
    fn new(scene: &Scene) -> Opentracker {
        Opentracker { url: "http://127.0.0.1:6969/announce".into(), folder: scene.workspace.folder("opentracker") }
    }

    fn allow(&self, torrent: &Torrent) {
        std::fs::write(self.folder.join("whitelist"), format!("{}\n", torrent.hash)).expect("written");
    }

    fn start(&self, scene: &Scene) -> Process {
        let mut command = std::process::Command::new("opentracker");
        command.args(["-i", "127.0.0.1", "-p", "6969", "-P", "6969", "-u", "nobody", "-d"]).arg(&self.folder);
        command.args(["-w", "whitelist"]).current_dir(&self.folder);
        let process = Process::start(command, "opentracker", scene.workspace.path(), false);
        wait_for("opentracker listens", PATIENCE, || TcpStream::connect("127.0.0.1:6969").ok());
        process
    }
}

#[test]
fn trackers_that_are_all_down_hold_up_neither_a_start_nor_an_end() {
    isolated(Family::V4, &[], || {
        let mut scene = Scene::new();
        let silent = Liar::new(None);
        let torrent = Torrent::announced("one", 300_000, &["http://127.0.0.1:1/announce", &silent.url]);
        scene.seed(&torrent, &scene.data());
        scene.download(&torrent);
        scene.order("PATCH /api/v1/settings", Some(json!({ "added_trackers": ["udp://127.0.0.1:1/announce"] })));
        assert!(scene.end().success());
        scene.start();
        scene.until_is(&torrent, "seeding");
        scene.download(&torrent);
    });
}
