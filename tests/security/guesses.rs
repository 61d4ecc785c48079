//! Somebody who can reach the port and does not have the token.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::{Reply, ask};
use super::scene::Scene;

fn with(scene: &Scene, authorization: &str) -> Reply {
    ask(scene.address, &format!("GET /api/v1/totals HTTP/1.1\r\nAuthorization: {authorization}"), b"")
}

fn login(scene: &Scene, user: &str, password: &str) -> Reply {
    let body = format!("username={user}&password={password}");
    let head = "POST /api/v2/auth/login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    ask(scene.address, head, body.as_bytes())
}

/// Attack: the passwords that botnets try first. There is no default one here, and none that is empty.
#[test]
fn there_is_no_default_password() {
    let scene = Scene::new();
    for pair in ["admin:adminadmin", "transmission:transmission", "sower:sower", "sower:", ":"] {
        let reply = with(&scene, &format!("Basic {}", STANDARD.encode(pair)));
        assert!(matches!(reply.status, 401 | 429), "{pair}: {}", reply.status);
    }
    for authorization in ["Bearer ", "Bearer", "Basic Og==", "Basic", ""] {
        assert!(matches!(with(&scene, authorization).status, 401 | 429), "{authorization}");
    }
    let scene = Scene::new();
    for (user, password) in [("admin", "adminadmin"), ("sower", ""), ("", "")] {
        let reply = login(&scene, user, password);
        assert!(reply.text() != "Ok." && reply.header("set-cookie").is_empty(), "{user}:{password}: {}", reply.text());
    }
    assert!(scene.token.len() >= 43, "256 bits");
    assert_ne!(scene.token, Scene::new().token);
}

/// Attack: one token after another, through whatever front end looks at them. After five of them each further one has to wait, and the
/// right one is not looked at either meanwhile, or waiting would be pointless.
#[test]
fn guesses_have_to_wait_ever_longer_through_every_door() {
    for door in 0..5 {
        let scene = Scene::new();
        let guess = |text: &str| match door {
            0 => with(&scene, &format!("Bearer {text}")),
            1 => with(&scene, &format!("Basic {}", STANDARD.encode(format!("sower:{text}")))),
            2 => login(&scene, "sower", text),
            3 => {
                let basic = STANDARD.encode(format!("sower:{text}"));
                ask(scene.address, &format!("POST /transmission/rpc HTTP/1.1\r\nAuthorization: Basic {basic}"), b"{}")
            }
            _ => {
                let head = "POST /api/v1/login HTTP/1.1\r\nContent-Type: application/json";
                ask(scene.address, head, format!("{{\"token\": \"{text}\"}}").as_bytes())
            }
        };
        for number in 0..10 {
            guess(&format!("guess-number-{number}"));
        }
        let reply = with(&scene, &format!("Bearer {}", scene.token));
        assert_eq!(reply.status, 429, "door {door}");
        let wait: u64 = reply.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        std::thread::sleep(std::time::Duration::from_secs(wait));
        assert_eq!(with(&scene, &format!("Bearer {}", scene.token)).status, 200, "door {door}: it passes");
    }
}

/// Attack: the same from many addresses at once, each of which guesses a few times only. Beyond a number of wrong tokens a minute nobody is
/// listened to who has not shown the right one before.
#[test]
fn guesses_from_many_addresses_have_to_wait_too() {
    let scene = Scene::new();
    let from = |octet: u8, token: &str| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&std::net::SocketAddr::from(([127, 0, 1, octet], 0)).into()).expect("loopback is a whole network");
        socket.connect(&scene.address.into()).expect("it listens");
        let mut stream = std::net::TcpStream::from(socket);
        let request = format!(
            "GET /api/v1/totals HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
            scene.address
        );
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    assert_eq!(from(1, &scene.token), 200);
    let guesses = (2..=110).flat_map(|octet| [(octet, 1), (octet, 2)]);
    let refused = guesses.map(|(octet, guess)| from(octet, &format!("guess-{guess}-of-{octet}-and-long-enough")));
    let refused: Vec<u16> = refused.collect();
    assert!(refused[..100].iter().all(|status| *status == 401), "{refused:?}");
    assert_eq!(refused.last(), Some(&429), "{refused:?}");
    assert_eq!(from(200, &scene.token), 429, "not even the right one is looked at, or waiting would be pointless");
    assert_eq!(from(1, &scene.token), 200, "who has shown it before is not kept out");
}

/// Attack on the owner, not on the token: guesses from the owner's own address, so that the owner cannot come in. Who is in stays in, and
/// a program with yesterday's password, which tries the same one every second, locks nobody out.
#[test]
fn guesses_of_others_throw_nobody_out() {
    let scene = Scene::new();
    let reply = login(&scene, "sower", &scene.token);
    let cookie = reply.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let by_cookie = || ask(scene.address, &format!("GET /api/v1/totals HTTP/1.1\r\nCookie: {cookie}"), b"").status;
    assert_eq!(by_cookie(), 200, "{}", reply.head);
    (0..50).for_each(|_| drop(with(&scene, "Bearer of-yesterday-and-wrong")));
    assert_eq!(with(&scene, &format!("Bearer {}", scene.token)).status, 200);
    (0..20).for_each(|number| drop(with(&scene, &format!("Bearer wrong-{number}"))));
    assert_eq!(with(&scene, &format!("Bearer {}", scene.token)).status, 429);
    assert_eq!(by_cookie(), 200);
}

/// Attack: a cookie that was overheard or made up. Scripts cannot read it, other sites cannot send it, and it ends with its session.
#[test]
fn a_session_ends_with_its_logout() {
    let scene = Scene::new();
    let reply = login(&scene, "sower", &scene.token);
    let set = reply.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().expect("a cookie");
    let ask_with =
        |line: &str, cookie: &str| ask(scene.address, &format!("{line} HTTP/1.1\r\nCookie: {cookie}"), b"").status;
    assert_eq!(ask_with("GET /api/v1/totals", cookie), 200);
    assert_eq!(ask_with("GET /api/v1/totals", "SID=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 401);
    assert_eq!(ask_with("POST /api/v2/auth/logout", cookie), 200);
    assert_eq!(ask_with("GET /api/v1/totals", cookie), 401);
}

/// What is compared is compared in constant time: `subtle`, in every file that compares a secret. (A timing test would only measure
/// this machine's noise.)
#[test]
fn secrets_are_compared_in_constant_time() {
    let source = |path: &str| {
        std::fs::read_to_string(format!("{}/src/api/guard/{path}", env!("CARGO_MANIFEST_DIR"))).expect("there")
    };
    assert!(source("token.rs").contains("self.0.as_bytes().ct_eq(guess)"));
    assert_eq!(source("sessions.rs").matches("sid.as_bytes().ct_eq(").count(), 2);
    assert!(!source("sessions.rs").contains("sid =="));
}

/// Not an attack: many programs of the owner at once, all with the right token. None of them is taken for a guesser.
#[test]
fn many_callers_with_the_right_token_are_all_heard() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(with(&scene, &format!("Bearer {}", scene.token)).status, 200);
                }
            });
        }
    });
}
