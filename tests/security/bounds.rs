//! Requests without end, in size, in number and in time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::http::{ask, connect, send};
use super::scene::Scene;

/// The rest of this daemon still answers.
fn alive(scene: &Scene) {
    let begun = Instant::now();
    assert_eq!(scene.ask("GET /api/v1/totals", None).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Attack: a body that is said to be a terabyte, or that never ends. Nothing of it is kept, not even of who has the token.
#[test]
fn a_body_ends_where_it_is_too_long() {
    let scene = Scene::new();
    let paths =
        ["/api/v1/torrents", "/api/v1/change", "/api/v2/torrents/add", "/api/v2/auth/login", "/transmission/rpc"];
    for path in paths {
        for kind in ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let said = format!(
                "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: 1000000000000\r\n\r\n",
                scene.address, scene.token
            );
            assert_eq!(send(scene.address, said.as_bytes()).expect("an answer").status, 413, "{path} {kind}");
        }
    }
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for path in paths {
        let mut stream = connect(scene.address).expect("it listens");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            scene.address, scene.token
        );
        stream.write_all(head.as_bytes()).expect("written");
        let sent = (0..10_000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
        assert!(sent * 0x10000 < 128 << 20, "{path}: {sent} chunks of 64 KiB were taken");
    }
    alive(&scene);
}

/// Attack: a body of a few hundred kilobytes that unpacks to hundreds of megabytes. Nothing is unpacked: what is said to be packed is taken as it
/// came, and is no JSON, no form and no torrent.
#[test]
fn a_packed_body_is_not_unpacked() {
    let scene = Scene::new();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..300).for_each(|_| packer.write_all(&vec![b' '; 1 << 20]).expect("to memory"));
    let bomb = packer.finish().expect("to memory");
    let before = scene.memory();
    for path in ["/api/v1/change", "/api/v1/torrents", "/api/v2/torrents/add", "/transmission/rpc"] {
        for encoding in ["gzip", "deflate", "br"] {
            let kind =
                if path.starts_with("/api/v2") { "application/x-www-form-urlencoded" } else { "application/json" };
            let head = format!(
                "POST {path} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Encoding: {encoding}",
                scene.token
            );
            let reply = ask(scene.address, &head, &bomb);
            assert!(reply.status >= 400 || reply.text().contains("Fails"), "{path}: {} {}", reply.status, reply.text());
        }
    }
    let torrent = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bomb);
    assert_eq!(scene.ask("POST /api/v1/torrents", Some(serde_json::json!({ "torrent": torrent }))).status, 400);
    let after = scene.memory();
    assert!(after < before + (64 << 20), "{before} bytes of memory became {after}");
    alive(&scene);
}

/// Attack: heads without end, and many fields.
#[test]
fn a_head_ends_where_it_is_too_long() {
    let scene = Scene::new();
    let field = format!("X-Filler: {}\r\n", "a".repeat(8_000));
    let long = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n{}\r\n", scene.address, field.repeat(20));
    assert_eq!(send(scene.address, long.as_bytes()).expect("an answer").status, 431);
    let many = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n{}\r\n", scene.address, "X: y\r\n".repeat(1_000));
    assert_eq!(send(scene.address, many.as_bytes()).expect("an answer").status, 431);
    let line = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(60_000), scene.address);
    assert!(matches!(send(scene.address, line.as_bytes()).map(|reply| reply.status), Ok(414 | 431 | 400) | Err(_)));
    alive(&scene);
}

/// Attack: two readings of where a request ends, so that a proxy in front and the daemon behind see different requests.
#[test]
fn a_request_has_one_length() {
    let scene = Scene::new();
    let smuggled = format!(
        "POST /healthz HTTP/1.1\r\nHost: {0}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nGET /api/v1/torrents HTTP/1.1\r\n\r\n",
        scene.address
    );
    assert_eq!(send(scene.address, smuggled.as_bytes()).expect("an answer").status, 400);
}

/// Attack: brackets inside brackets, and a form of a million fields.
#[test]
fn nesting_and_fields_are_bounded() {
    let scene = Scene::new();
    let deep = "[".repeat(5_000_000);
    for path in ["/api/v1/change", "/api/v1/torrents", "/transmission/rpc"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json", scene.token);
        let begun = Instant::now();
        let reply = ask(scene.address, &head, deep.as_bytes());
        assert!((400..500).contains(&reply.status) || reply.status == 200, "{path}: {}", reply.status);
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}: {:?}", begun.elapsed());
    }
    let head = format!(
        "POST /api/v2/torrents/stop HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded",
        scene.token
    );
    ask(scene.address, &head, "a=b&".repeat(1_000_000).as_bytes());
    alive(&scene);
}

/// Attack: slowloris. Connections that say nothing, or a byte now and then, until no place is left for anybody else. An address gets so many
/// places and no more, and a head that is not whole in time loses its place.
#[test]
fn who_says_nothing_takes_no_place_from_others() {
    let scene = Scene::new();
    let most = sower::limits::API_CONNECTIONS_PER_ADDRESS;
    let elsewhere = |octet: u8| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, octet], 0)).into()).expect("loopback is a whole network");
        socket.connect(&scene.address.into()).expect("it listens");
        TcpStream::from(socket)
    };
    let mut silent: Vec<TcpStream> = (0..most + 100).map(|_| elsewhere(66)).collect();
    for stream in &mut silent {
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow:");
    }
    alive(&scene);
    let mut closed = 0;
    let begun = Instant::now();
    for stream in &mut silent {
        // one more byte every now and then does not help
        let _ = stream.write_all(b"a");
        stream
            .set_read_timeout(Some(
                Duration::from_secs(50).saturating_sub(begun.elapsed()).max(Duration::from_millis(1)),
            ))
            .expect("set");
        let mut rest = Vec::new();
        closed += usize::from(
            !matches!(stream.read_to_end(&mut rest), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        );
    }
    assert_eq!(closed, silent.len(), "every one of them is closed in the end");
    assert!(begun.elapsed() < Duration::from_secs(50));
    alive(&scene);
}

/// Attack: the same by listening for events, which keeps a connection for as long as one likes. It needs the token, and is bounded all the same:
/// see the tests of the API.
#[test]
fn events_need_the_token() {
    let scene = Scene::new();
    assert_eq!(ask(scene.address, "GET /api/v1/events HTTP/1.1", b"").status, 401);
}

/// Attack on what the owner chose: one value that the APIs take and the configuration cannot hold, so that nothing is written into it any more.
#[test]
fn no_setting_keeps_all_others_out_of_the_configuration() {
    let scene = Scene::new();
    let patch = |patch: serde_json::Value| scene.ask("PATCH /api/v1/settings", Some(patch)).status;
    for refused in [
        serde_json::json!({"connections": u32::MAX}),
        serde_json::json!({"connections_per_torrent": 0}),
        serde_json::json!({"downloads_max": 0}),
        serde_json::json!({"checks_max": u32::MAX}),
        serde_json::json!({"schedule": {"begin": 60, "end": 60, "days": 127}}),
        serde_json::json!({"budget": {"bytes": 0, "day": 1, "paced": false}}),
        serde_json::json!({"tags": ["line\nbreak"]}),
    ] {
        assert_eq!(patch(refused.clone()), 400, "{refused}");
    }
    let odd = serde_json::json!({
        "categories": {" a, b ": {}, "[\"x\"]\u{202e}": {}, "'": {}}, "tags": ["a,b", " ", "#"], "ratio_limit": 1e300,
        "upload_limit": u64::MAX, "seeding_limit": u32::MAX, "idle_limit": 0, "budget": {"bytes": u64::MAX, "day": 28, "paced": true},
    });
    assert_eq!(patch(odd), 200);
    assert_eq!(patch(serde_json::json!({"download_limit": 123_456})), 200);
    let begun = Instant::now();
    let kept = || std::fs::read_to_string(scene.state().join("config.toml")).expect("there").contains("123456");
    while !kept() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", scene.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!scene.log().contains("is not changed"), "{}", scene.log());
}
