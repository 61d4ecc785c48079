//! Changes as they happen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::connect;
use super::scene::Scene;

/// One client of the event stream.
struct Listener {
    lines: BufReader<TcpStream>,
    status: u16,
}

/// An event: its id and its data.
type Event = (u64, Value);

impl Listener {
    fn new(scene: &Scene, query: &str, headers: &str) -> Listener {
        let mut stream = connect(scene.address).expect("it listens");
        let request = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{headers}\r\n",
            scene.address, scene.token
        );
        stream.write_all(request.as_bytes()).expect("written");
        let mut listener = Listener { lines: BufReader::new(stream), status: 0 };
        let first = listener.line();
        listener.status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        while !listener.line().is_empty() {}
        listener
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).expect("a line in time");
        assert!(length > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// The next event. Chunk sizes and comments between are passed by.
    fn event(&mut self) -> Event {
        let (mut id, mut data) = (None, None);
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("event", name)) => assert_eq!(name, "change"),
                Some(("id", text)) => id = text.parse().ok(),
                Some(("data", text)) => data = serde_json::from_str(text).ok(),
                _ => {
                    if let (Some(id), Some(data)) = (id, data.take()) {
                        return (id, data);
                    }
                }
            }
        }
    }

    /// The first event that is as `is` says.
    fn until(&mut self, is: impl Fn(&Value) -> bool) -> Event {
        let begun = Instant::now();
        loop {
            let event = self.event();
            if is(&event.1) {
                return event;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "still {}", event.1);
        }
    }
}

#[test]
fn a_listener_hears_everything_once_and_then_what_changes() {
    let scene = Scene::new();
    let hash = scene.seed("one", 100_000);
    let mut listener = Listener::new(&scene, "?fields=name,paused", "");
    let (first, all) = listener.event();
    assert_eq!(
        (&all["full"], &all["changed"], &all["revision"]),
        (&json!(true), &json!([{"name": "one", "paused": false}]), &json!(first))
    );
    assert_eq!(scene.ask(&format!("POST /api/v1/torrents/{hash}/stop"), None).status, 204);
    let (second, changed) = listener.until(|event| event["changed"] == json!([{"name": "one", "paused": true}]));
    assert!(second > first && changed["full"] == false);

    let mut again = Listener::new(&scene, "?fields=name", &format!("Last-Event-ID: {first}\r\n"));
    let (_, missed) = again.event();
    assert_eq!(
        (&missed["full"], &missed["changed"]),
        (&json!(false), &json!([{"name": "one"}])),
        "only what it missed"
    );

    assert_eq!(scene.ask(&format!("DELETE /api/v1/torrents/{hash}"), None).status, 204);
    listener.until(|event| event["removed"] == json!([hash]));
}

#[test]
fn events_are_at_least_half_a_second_apart() {
    let scene = Scene::new();
    let hash = scene.seed("one", 100_000);
    let mut listener = Listener::new(&scene, "", "");
    listener.event();
    let begun = Instant::now();
    let mut events = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        for kind in ["stop", "start"] {
            assert_eq!(scene.ask(&format!("POST /api/v1/torrents/{hash}/{kind}"), None).status, 204);
        }
        listener.event();
        events += 1;
    }
    assert!((1..=5).contains(&events), "{events}");
}

#[test]
fn listeners_are_bounded_and_their_places_are_given_back() {
    let scene = Scene::new();
    let listeners: Vec<Listener> = (0..sower::limits::API_LISTENERS).map(|_| Listener::new(&scene, "", "")).collect();
    assert!(listeners.iter().all(|listener| listener.status == 200));
    assert_eq!(Listener::new(&scene, "", "").status, 503);
    drop(listeners);
    let begun = Instant::now();
    while Listener::new(&scene, "", "").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no place comes free");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_end_of_the_daemon_ends_the_stream_and_not_the_other_way_round() {
    let mut scene = Scene::new();
    let mut listener = Listener::new(&scene, "", "");
    listener.event();
    let begun = Instant::now();
    assert!(scene.end(), "it ends in order");
    assert!(begun.elapsed() < Duration::from_secs(8), "an open stream does not hold it: {:?}", begun.elapsed());
    let mut rest = String::new();
    assert!(listener.lines.read_to_string(&mut rest).is_ok(), "the stream ends as well");
}
