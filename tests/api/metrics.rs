//! Metrics, read by the parser of Prometheus' own Python client.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::http::ask;
use super::scene::Scene;

/// Prints the families that the parser found as JSON: name to type, help and samples.
const PARSER: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
families = {}
for family in parse(sys.stdin.read()):
    assert family.name not in families, family.name + ' stands twice'
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    families[family.name] = {'type': family.type, 'help': family.documentation, 'samples': samples}
json.dump(families, sys.stdout)
";

fn parse(text: &str) -> BTreeMap<String, Value> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.venv/bin/python");
    let mut parser = Command::new(python)
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/run installs the Python environment");
    std::io::Write::write_all(&mut parser.stdin.take().expect("piped"), text.as_bytes()).expect("read");
    let output = parser.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn prometheus_reads_every_family_with_its_type_and_help() {
    let scene = Scene::new();
    scene.seed("with \"quotes\"", 100_000);
    let reply = scene.ask("GET /metrics?torrents=1", None);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let families = parse(&reply.text());
    for (name, family) in &families {
        assert!(name.starts_with("sower_"), "{name}");
        assert_ne!(family["type"], "unknown", "{name}");
        assert!(family["help"].as_str().is_some_and(|help| help.ends_with('.')), "{name}");
    }
    let value = |name: &str| families[name]["samples"][0][2].as_f64().unwrap_or_else(|| panic!("{name} has a number"));
    assert_eq!(value("sower_torrents"), 1.0);
    assert!(value("sower_memory_bytes") > 1e6 && value("sower_descriptors") > 10.0 && value("sower_cpu_seconds") > 0.0);
    assert_eq!(families["sower_torrent_size_bytes"]["samples"][0][1]["name"], "with \"quotes\"");
    assert_eq!(families["sower_reactor_turn_seconds"]["type"], "histogram");
    for name in [
        "sower_sent_bytes",
        "sower_announces",
        "sower_reactor_busy_ratio",
        "sower_info",
        "sower_pipe_pool_misses",
        "sower_cold_bytes",
        "sower_peers_held",
    ] {
        assert!(families.contains_key(name), "{name}");
    }
}

#[test]
fn each_torrent_is_told_of_only_to_who_asks_and_to_nobody_without_the_token() {
    let scene = Scene::new();
    let hash = scene.seed("one", 50_000);
    assert!(!scene.ask("GET /metrics", None).text().contains(&hash));
    assert!(scene.ask("GET /metrics?torrents=1", None).text().contains(&hash));
    assert_eq!(ask(scene.address, "GET /metrics HTTP/1.1", b"").status, 401);
}
