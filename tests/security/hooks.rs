//! Hooks that run programs made botnets of seedboxes: whoever could change settings could run anything. Here there are none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::http::ask;
use super::scene::Scene;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("read").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Nothing that the daemon consists of can start a program at all, but for itself: the one that runs already, and by its path.
#[test]
fn the_daemon_has_no_way_to_run_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let parts = ["api", "session", "discovery", "reactor", "shard", "storage", "transmit", "tracker", "cli/daemon"];
    parts.iter().for_each(|part| sources(&root.join(part), &mut found));
    assert!(found.len() > 100, "{}", found.len());
    let itself = root.join("cli/daemon/successor.rs");
    let starts = fs::read_to_string(&itself).expect("a source");
    assert_eq!(starts.matches("Command::new(").count(), 1);
    assert!(starts.contains("std::env::current_exe()") && starts.contains("Command::new(program)"));
    let others = found.iter().filter(|path| **path != itself);
    for path in others.filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(path).expect("a source");
        let product = text.split("#[cfg(test)]").next().unwrap_or("");
        for way in ["process::Command", "Command::new(", "execve", "posix_spawn", "libc::system(", "libc::fork("] {
            let tests = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
            assert!(tests || !product.contains(way), "{} says {way}", path.display());
        }
    }
}

/// Attack: the settings of other programs that run something when a torrent is added or done.
#[test]
fn settings_that_run_programs_elsewhere_run_nothing_here() {
    let scene = Scene::new();
    let trace = scene.folder.path().join("ran");
    let program = format!("/usr/bin/touch {}", trace.display());
    let preferences = json!({
        "autorun_enabled": true, "autorun_program": program, "autorun_on_torrent_added_enabled": true,
        "autorun_on_torrent_added_program": program,
    });
    let encoded =
        percent_encoding::utf8_percent_encode(&preferences.to_string(), percent_encoding::NON_ALPHANUMERIC).to_string();
    let authorization = format!("Authorization: Bearer {}", scene.token);
    let head = format!(
        "POST /api/v2/app/setPreferences HTTP/1.1\r\n{authorization}\r\nContent-Type: application/x-www-form-urlencoded"
    );
    ask(scene.address, &head, format!("json={encoded}").as_bytes());
    let rpc = |session: &str| {
        format!("POST /transmission/rpc HTTP/1.1\r\n{authorization}\r\nX-Transmission-Session-Id: {session}")
    };
    let session = ask(scene.address, &rpc("none"), b"{}").header("x-transmission-session-id").to_owned();
    for event in ["added", "done", "done-seeding"] {
        let arguments = json!({
            format!("script-torrent-{event}-enabled"): true, format!("script-torrent-{event}-filename"): "/usr/bin/touch",
        });
        ask(
            scene.address,
            &rpc(&session),
            json!({"method": "session-set", "arguments": arguments}).to_string().as_bytes(),
        );
    }
    scene.seed("one", 40_000);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!trace.exists());
}
