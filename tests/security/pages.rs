//! Pages of other sites, in a browser of the owner's: it sends what they say, with the owner's password or cookie if it remembers them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::{Reply, send};
use super::scene::Scene;

/// One path of every front end.
const PATHS: [&str; 11] = [
    "/",
    "/page/app.js",
    "/api/v1/torrents",
    "/api/v1/events",
    "/api/v1/openapi.json",
    "/api/v2/torrents/info",
    "/api/v2/auth/login",
    "/transmission/rpc",
    "/metrics",
    "/healthz",
    "/readyz",
];

/// A request with the owner's password, as a browser that remembers it would send, and these headers.
fn from_browser(scene: &Scene, line: &str, headers: &str, body: &str) -> Reply {
    let basic = STANDARD.encode(format!("sower:{}", scene.token));
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", scene.address) };
    let request = format!(
        "{line} HTTP/1.1\r\n{host}Authorization: Basic {basic}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    send(scene.address, request.as_bytes()).expect("an answer")
}

/// Attack: a page at evil.example has its name lead to 127.0.0.1 after it was loaded. To the browser, its requests to evil.example:9091 are
/// of the same origin, so nothing but the name in `Host` is wrong.
#[test]
fn a_rebound_name_leads_nowhere() {
    let scene = Scene::new();
    for path in PATHS {
        for method in ["GET", "POST"] {
            for name in
                ["evil.example", "evil.example:9091", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]
            {
                let headers = format!("Host: {name}\r\nOrigin: http://{name}\r\nSec-Fetch-Site: same-origin\r\n");
                let reply = from_browser(&scene, &format!("{method} {path}"), &headers, "");
                assert_eq!(reply.status, 421, "{method} {path} {name}");
            }
        }
    }
    // the same with the name in the first line, which is what counts where it stands
    let line = "GET http://evil.example/api/v1/torrents";
    assert_eq!(from_browser(&scene, line, "", "").status, 421);
    assert_eq!(
        from_browser(&scene, "GET /api/v1/torrents", "Host: localhost\r\nHost: evil.example\r\n", "").status,
        421
    );
    assert_eq!(
        from_browser(&scene, "GET /api/v1/torrents", "Host: localhost\r\n", "").status,
        200,
        "and this is how it is done"
    );
}

/// Attack: a form on another site posts itself. A browser sends such a request without asking anybody, in one of three content types,
/// and a form of text/plain can be made to look like JSON.
#[test]
fn forms_of_other_sites_do_nothing() {
    let scene = Scene::new();
    let hash = scene.seed("one", 50_000);
    let attacks = [
        ("/api/v1/change", "text/plain", r#"{"hashes": "all", "change": {"kind": "stop"}, "x": "="}"#),
        ("/api/v1/change", "application/json", r#"{"hashes": "all", "change": {"kind": "stop"}}"#),
        ("/api/v2/torrents/stop", "application/x-www-form-urlencoded", "hashes=all"),
        ("/api/v2/torrents/delete", "application/x-www-form-urlencoded", "hashes=all&deleteFiles=true"),
        ("/api/v2/auth/login", "application/x-www-form-urlencoded", "username=sower&password=x"),
        (
            "/transmission/rpc",
            "text/plain",
            r#"{"method": "torrent-remove", "arguments": {"delete-local-data": true}}"#,
        ),
    ];
    let origins = [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Referer: http://evil.example/\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n",
    ];
    for (path, kind, body) in attacks {
        for origin in origins {
            let reply =
                from_browser(&scene, &format!("POST {path}"), &format!("{origin}Content-Type: {kind}\r\n"), body);
            assert_eq!(reply.status, 403, "{path} {origin}");
        }
    }
    assert_eq!(scene.get(&format!("/api/v1/torrents/{hash}"))["activity"], "seeding");
    assert!(scene.data().join("one").exists());
}

/// Attack: `<img src="http://127.0.0.1:9091/api/v2/torrents/delete?hashes=all&deleteFiles=true">`, or a link that the owner clicks.
#[test]
fn images_and_links_of_other_sites_do_nothing() {
    let scene = Scene::new();
    let hash = scene.seed("one", 50_000);
    let changes = [
        "/api/v2/torrents/delete?hashes=all&deleteFiles=true",
        "/api/v2/torrents/stop?hashes=all",
        "/api/v2/app/shutdown",
        "/api/v1/change?hashes=all",
        &format!("/api/v1/torrents/{hash}/stop"),
    ];
    for path in changes {
        let image = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
        assert_eq!(from_browser(&scene, &format!("GET {path}"), image, "").status, 403, "{path}");
        // an old browser says nothing of where it comes from: a GET has to be harmless by itself
        let reply = from_browser(&scene, &format!("GET {path}"), "", "");
        assert!(reply.status >= 400, "GET {path}: {}", reply.status);
    }
    assert_eq!(scene.get(&format!("/api/v1/torrents/{hash}"))["activity"], "seeding");
}

/// Attack: a script asks first whether it may (CORS), or reads answers that say that anybody may.
#[test]
fn no_answer_lets_another_site_read_it() {
    let scene = Scene::new();
    for path in PATHS {
        let asks = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
        for line in [format!("OPTIONS {path}"), format!("GET {path}")] {
            let reply = from_browser(&scene, &line, asks, "");
            assert!(!reply.head.to_ascii_lowercase().contains("access-control-"), "{line}: {}", reply.head);
            assert_eq!(reply.status, 403, "{line}");
        }
    }
}

/// Attack: the page is shown in a frame below a button of another site, or its answers are used as scripts.
#[test]
fn nothing_is_framed_or_taken_for_something_else() {
    let scene = Scene::new();
    for path in PATHS {
        let reply = from_browser(&scene, &format!("GET {path}"), "", "");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(reply.header("content-security-policy").contains("default-src 'self'"), "{path}");
        assert!(!reply.header("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin", "{path}");
    }
}
