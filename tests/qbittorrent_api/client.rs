//! The daemon driven by the real client `qbittorrent-api`, section by section of `client.py`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::daemon::{Daemon, wait_for};
use crate::torrents::Sample;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.venv/bin/python");

/// Whether the client is installed; where it must be, that it is not fails the test.
fn is_installed() -> bool {
    let found =
        Command::new(PYTHON).args(["-c", "import qbittorrentapi"]).output().is_ok_and(|output| output.status.success());
    assert!(
        found || std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none(),
        "qbittorrent-api is missing: run tests/run install"
    );
    if !found {
        println!("SKIPPED: qbittorrent-api is not installed");
    }
    found
}

struct Scene {
    daemon: Daemon,
    one: Sample,
    two: Sample,
    config: Value,
}

impl Scene {
    fn new() -> Scene {
        let (daemon, one, two) = (Daemon::new(), Sample::folder("one"), Sample::single("two.bin"));
        let path = |name: &str| daemon.folder().join(name);
        fs::write(path("one.torrent"), &one.torrent).expect("written");
        fs::write(path("two.torrent"), &two.torrent).expect("written");
        let config = json!({
            "host": daemon.address.to_string(), "token": daemon.token(), "tracker": "http://127.0.0.1:9/announce",
            "one": one.hash(), "two": two.hash(), "one_size": one.size(),
            "one_file": path("one.torrent"), "two_file": path("two.torrent"),
            "downloads": daemon.downloads(), "elsewhere": path("elsewhere"), "moved": path("moved"), "tv": path("tv"),
            "films": path("films"), "exported": path("exported.torrent"),
        });
        Scene { daemon, one, two, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.daemon.folder().join(name)
    }

    fn run(&self, section: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/qbittorrent_api/client.py");
        let output = Command::new(PYTHON).args([script, section, &self.config.to_string()]).output().expect("Python");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{section}: {said}");
    }
}

#[test]
fn the_real_client_does_everything() {
    if !is_installed() {
        return;
    }
    let mut scene = Scene::new();
    scene.run("login");
    scene.one.write(&scene.daemon.downloads().join("films"));
    scene.two.write(&scene.path("elsewhere"));
    scene.run("add");
    scene.run("listed");
    scene.run("run");
    scene.run("limit");
    scene.run("sync");
    scene.run("organise");
    scene.run("rename");
    let films = scene.daemon.downloads().join("films");
    assert_eq!(fs::read(films.join("uno/sub/2.bin")).expect("renamed"), scene.one.files[1].1);
    assert!(!films.join("one").exists());
    scene.run("move");
    assert!(scene.two.is_in(&scene.path("moved")));
    assert!(!scene.two.is_in(&scene.path("elsewhere")));
    // every choice is kept
    scene.daemon.restart();
    scene.config["host"] = scene.daemon.address.to_string().into();
    let api = scene.daemon.api();
    let row = wait_for("a start", || {
        crate::daemon::torrent(&api, &scene.one.hash()).filter(|row| row["state"] == "stalledUP")
    });
    let kept = ["name", "tags", "category", "up_limit", "dl_limit", "ratio_limit", "seeding_time_limit"]
        .map(|name| row[name].clone());
    assert_eq!(json!(kept), json!(["a name", "a, synced, y", "films", 1_000_000, 2_000_000, -1.0, 100]));
    assert_eq!(api.json("app/preferences")["max_ratio"], 9.0);
    scene.run("export");
    downloads_from(&scene, "exported.torrent");
    scene.run("remove");
    assert!(films.join("uno/one.bin").exists(), "removed without its data");
    wait_for("the data to go", || (!scene.path("moved/two.bin").exists()).then_some(()));
    scene.run("shutdown");
    scene.daemon.ends();
}

/// The exported torrent leads to the content, which the daemon sends.
fn downloads_from(scene: &Scene, torrent: &str) {
    let port = scene.daemon.api().json("app/preferences")["listen_port"].as_u64().expect("a port");
    let target = scene.path("got");
    fs::create_dir(&target).expect("made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.arg("get").arg(scene.path(torrent)).arg("--output").arg(&target);
    command
        .args(["--peer", &format!("127.0.0.1:{port}"), "--then", "exit", "--port", "0"])
        .env("SOWER_STATE", scene.path("got-state"));
    let output = command.output().expect("sower get");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(scene.two.is_in(&target));
}

#[test]
fn the_real_client_adds_a_link() {
    if !is_installed() {
        return;
    }
    let mut scene = Scene::new();
    scene.config["link"] =
        format!("magnet:?xt=urn:btih:{}&dn=two.bin&tr=http%3A%2F%2F127.0.0.1%3A9%2Fannounce", scene.two.hash()).into();
    scene.config["link_hash"] = scene.two.hash().into();
    scene.run("link");
    let row = crate::daemon::until(&scene.daemon.api(), &scene.two.hash(), "stoppedDL");
    assert_eq!((&row["has_metadata"], &row["private"], &row["total_size"]), (&json!(false), &Value::Null, &json!(-1)));
    assert_eq!(row["name"], "two.bin");
}
