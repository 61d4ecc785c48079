//! `sync/maindata`: what a client adds up from differences is what it would be sent as a whole.

use serde_json::{Map, Value, json};

use crate::daemon::{Daemon, until, wait_for};
use crate::http::Api;
use crate::torrents::Sample;

/// Fields that go on by themselves.
const MOVING: [&str; 4] = ["time_active", "seeding_time", "eta", "popularity"];

/// A client that keeps what it was told, as the web page of qBittorrent does.
#[derive(Default)]
struct Mirror {
    rid: u64,
    parts: Map<String, Value>,
}

impl Mirror {
    fn update(&mut self, api: &Api) -> Value {
        let told = api.json(&format!("sync/maindata?rid={}", self.rid));
        self.rid = told["rid"].as_u64().expect("a number");
        if told["full_update"] == true {
            self.parts.clear();
        }
        for name in ["torrents", "categories", "trackers", "server_state"] {
            let Some(news) = told[name].as_object() else { continue };
            let part = self.parts.entry(name).or_insert_with(|| json!({})).as_object_mut().expect("an object");
            news.iter().for_each(|(key, value)| merge(part, key, value));
        }
        let tags = self.parts.entry("tags").or_insert_with(|| json!([])).as_array_mut().expect("a list");
        tags.extend(told["tags"].as_array().into_iter().flatten().cloned());
        for name in ["torrents", "categories", "trackers"] {
            for gone in told[format!("{name}_removed")].as_array().into_iter().flatten() {
                let part = self.parts.get_mut(name).and_then(Value::as_object_mut).expect("what is removed was there");
                assert!(part.remove(gone.as_str().expect("a name")).is_some(), "{gone} was there");
            }
        }
        for gone in told["tags_removed"].as_array().into_iter().flatten() {
            self.parts["tags"].as_array_mut().expect("a list").retain(|tag| tag != gone);
        }
        told
    }

    /// What it has, without what nobody can compare: rates and clocks.
    fn still(&self) -> Value {
        let mut parts = self.parts.clone();
        parts.remove("server_state");
        parts.retain(|_, part| *part != json!({}) && *part != json!([]));
        if let Some(tags) = parts.get_mut("tags").and_then(Value::as_array_mut) {
            tags.sort_by_key(Value::to_string);
        }
        for row in
            parts.get_mut("torrents").and_then(Value::as_object_mut).into_iter().flat_map(|rows| rows.values_mut())
        {
            MOVING.iter().for_each(|name| drop(row.as_object_mut().expect("a torrent").remove(*name)));
        }
        Value::Object(parts)
    }
}

fn merge(part: &mut Map<String, Value>, key: &str, value: &Value) {
    match (part.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
        (Some(known), Some(news)) => known.extend(news.clone()),
        _ => drop(part.insert(key.to_owned(), value.clone())),
    }
}

#[test]
fn differences_add_up_to_the_whole() {
    let daemon = Daemon::new();
    let (api, other) = (daemon.api(), daemon.api());
    let mut mirror = Mirror::default();
    assert_eq!(mirror.update(&api)["full_update"], true);
    let samples = ["x.bin", "y.bin", "z.bin"].map(Sample::single);
    let [x, y, z] = samples.each_ref().map(Sample::hash);
    let steps: [&dyn Fn(); 9] = [
        &|| {
            samples.iter().for_each(|sample| {
                drop(api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "x", &sample.torrent)]))
            })
        },
        &|| api.order("torrents/createCategory", &[("category", "c"), ("savePath", "c")]),
        &|| api.order("torrents/setCategory", &[("hashes", &x), ("category", "c")]),
        &|| api.order("torrents/addTags", &[("hashes", &format!("{x}|{y}")), ("tags", "t,u")]),
        &|| api.order("torrents/addTrackers", &[("hash", &y), ("urls", "udp://127.0.0.1:9")]),
        &|| api.order("torrents/rename", &[("hash", &z), ("name", "quoted \"\\ name")]),
        &|| api.order("torrents/delete", &[("hashes", &y), ("deleteFiles", "false")]),
        &|| api.order("torrents/removeCategories", &[("categories", "c")]),
        &|| api.order("torrents/deleteTags", &[("tags", "u")]),
    ];
    for (number, step) in steps.iter().enumerate() {
        step();
        let told = wait_for("a difference that adds up", || {
            let told = mirror.update(&api);
            let mut whole = Mirror::default();
            whole.update(&other);
            (whole.still() == mirror.still()).then_some(told)
        });
        assert_eq!(told["full_update"], Value::Null, "step {number}");
    }
    assert_eq!(mirror.still()["torrents"].as_object().map(Map::len), Some(2));
    assert_eq!(mirror.still()["tags"], json!(["t"]));
    assert_eq!(mirror.still()["categories"], Value::Null);
}

#[test]
fn nothing_new_is_next_to_nothing() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let sample = Sample::single("quiet.bin");
    api.upload("torrents/add", &[("stopped", "true")], &[("torrents", "x", &sample.torrent)]);
    until(&api, &sample.hash(), "stoppedDL");
    let mut mirror = Mirror::default();
    mirror.update(&api);
    let quiet =
        wait_for("an answer without torrents", || Some(mirror.update(&api)).filter(|told| told["torrents"].is_null()));
    let keys: Vec<&str> = quiet.as_object().expect("an object").keys().map(String::as_str).collect();
    assert!(keys.iter().all(|key| matches!(*key, "rid" | "server_state")), "{keys:?}");
}

#[test]
fn an_answer_that_was_lost_is_made_up_for() {
    let daemon = Daemon::new();
    let api = daemon.api();
    let first = api.json("sync/maindata")["rid"].clone();
    api.order("torrents/createTags", &[("tags", "seen")]);
    for _ in 0..3 {
        let told = api.json(&format!("sync/maindata?rid={first}"));
        assert_eq!(
            (&told["tags"], &told["full_update"]),
            (&json!(["seen"]), &Value::Null),
            "each time, until it is confirmed"
        );
    }
    assert_eq!(api.json("sync/maindata?rid=999999999")["full_update"], true);
}

#[test]
fn a_restart_is_a_new_beginning() {
    let mut daemon = Daemon::new();
    let bearer = format!("Authorization: Bearer {}", daemon.token());
    let rid = daemon.stranger().with(&bearer).json("sync/maindata")["rid"].clone();
    daemon.restart();
    let api = daemon.stranger().with(&bearer);
    (0..3).for_each(|_| drop(api.json("sync/maindata")));
    assert_eq!(api.json(&format!("sync/maindata?rid={rid}"))["full_update"], true);
}
