//! The OpenAPI document and the routes are one thing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::http::ask;
use super::scene::Scene;

const METHODS: [&str; 5] = ["get", "post", "patch", "delete", "put"];

#[test]
fn every_route_is_in_the_document_and_everything_in_it_is_a_route() {
    let scene = Scene::new();
    let document = scene.get("/api/v1/openapi.json");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 12, "{}", paths.len());
    for (path, item) in paths {
        let concrete = path.replace("{hash}", &"ab".repeat(20)).replace("{kind}", "stop");
        for method in METHODS {
            let reply = scene.ask(&format!("{} {concrete}", method.to_uppercase()), None);
            match item.get(method) {
                // what is there answers, if only that the torrent is not
                Some(_) => assert!(
                    reply.status != 405 && !reply.text().contains("nothing at this path"),
                    "{method} {path}: {}",
                    reply.text()
                ),
                None => {
                    assert_eq!((reply.status, reply.kind().as_str()), (405, "method_not_allowed"), "{method} {path}")
                }
            }
        }
    }
    assert_eq!(scene.ask("GET /api/v1/nothing", None).kind(), "not_found");
    assert_eq!(scene.ask("GET /api/v1/torrents/1/2/3/4", None).kind(), "not_found");
}

#[test]
fn every_schema_that_is_named_is_there_and_described() {
    let document: Value = serde_json::from_str(sower::api::own::document()).expect("JSON");
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut named = BTreeSet::new();
    references(&document, &mut named);
    let there: BTreeSet<String> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(named.difference(&there).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(there.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody uses them");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(name)) = members.get("$ref") {
                found.insert(name.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_a_torrent_shows_is_what_the_document_says() {
    let scene = Scene::new();
    let hash = scene.seed("one", 100_000);
    let torrent = scene.get(&format!("/api/v1/torrents/{hash}"));
    let document = scene.get("/api/v1/openapi.json");
    let said = document["components"]["schemas"]["Torrent"]["properties"].as_object().expect("properties");
    let shown = torrent.as_object().expect("an object");
    assert_eq!(shown.keys().collect::<BTreeSet<_>>(), said.keys().collect::<BTreeSet<_>>());
    for (name, value) in shown {
        assert!(fits(value, &said[name]), "{name} is {value}, not {}", said[name]);
    }
}

/// As far as torrents go.
fn fits(value: &Value, schema: &Value) -> bool {
    if let Some(either) = schema["anyOf"].as_array() {
        return either.iter().any(|schema| fits(value, schema));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(value);
    }
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => false,
    };
    match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

#[test]
fn nothing_but_health_is_told_without_the_token() {
    let scene = Scene::new();
    let document = scene.get("/api/v1/openapi.json");
    let paths = document["paths"].as_object().expect("paths").keys().map(String::as_str);
    // where the token is shown, and given back
    let paths = paths.filter(|path| !path.ends_with("/login") && !path.ends_with("/logout"));
    for path in paths.chain(["/api/v1/openapi.json", "/api/v1/nothing", "/metrics", "/transmission/rpc"]) {
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            let reply =
                ask(scene.address, &format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json"), b"{}");
            let closed = matches!(reply.status, 401 | 404 | 405 | 409);
            assert!(
                closed && (!path.starts_with("/api/v1") || reply.status == 401),
                "{method} {path}: {}",
                reply.status
            );
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(scene.address, &format!("GET {path} HTTP/1.1"), b"").status, 200, "{path}");
    }
}
