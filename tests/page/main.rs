//! The web page of the daemon in Chromium, and `sower top`: what is clicked, typed, dropped and scrolled there happens in the real daemon.
//!
//! Each test plays a script of Node.js that drives the browser (`*.mjs`, by playwright-core), in a network namespace of its own: the page
//! works without the outside, and a real client can be seeded to. What is missing on this machine is named by a line that starts with
//! SKIPPED; `tests/run` installs all of it.

#[path = "../clients/shared.rs"]
mod shared;

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use namespace::{Family, isolated};
use process::{Process, Workspace, wait_for};
use program::sower;
use shared::{namespace, process, program};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page");
/// Pictures of the page, for people: its looks, and what it showed when a test failed.
const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/page");
const ADDRESS: &str = "127.0.0.1:9091";
/// What every script needs.
const BROWSER: &[&str] =
    &["node", "chromium", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page/node_modules/playwright-core/package.json")];
const BROWSER_AND_CLIENT: &[&str] = &[BROWSER[0], BROWSER[1], BROWSER[2], "aria2c"];
const BROWSER_AND_PROXY: &[&str] = &[BROWSER[0], BROWSER[1], BROWSER[2], "nginx"];
const IN_TERMINAL: &[&str] = &[BROWSER[0], BROWSER[2], "tmux"];

#[test]
fn files_are_served_with_their_types_and_only_when_they_changed() {
    isolated(Family::V4, BROWSER, || play("served"));
}

#[test]
fn a_token_lets_in_once_and_is_not_kept() {
    isolated(Family::V4, BROWSER, || play("login"));
}

#[test]
fn a_dropped_torrent_is_seeded_to_a_real_client_stopped_and_removed() {
    isolated(Family::V4, BROWSER_AND_CLIENT, || play("life"));
}

#[test]
fn the_list_is_searched_sorted_narrowed_and_changed() {
    isolated(Family::V4, BROWSER, || play("list"));
}

#[test]
fn what_is_chosen_for_torrents_holds_in_the_daemon() {
    isolated(Family::V4, BROWSER, || play("choices"));
}

#[test]
fn everything_can_be_done_with_the_keyboard() {
    isolated(Family::V4, BROWSER, || play("keyboard"));
}

#[test]
fn names_of_strangers_stay_text() {
    isolated(Family::V4, BROWSER, || play("strangers"));
}

#[test]
fn a_phone_shows_cards_and_details_as_a_sheet() {
    isolated(Family::V4, BROWSER, || play("phone"));
}

#[test]
fn a_daemon_that_ends_is_told_of_and_found_again() {
    isolated(Family::V4, BROWSER, || play("lost"));
}

#[test]
fn a_proxy_in_front_keeps_nothing_back() {
    isolated(Family::V4, BROWSER_AND_PROXY, || play("proxied"));
}

#[test]
fn ten_thousand_torrents_scroll_within_the_time_of_a_frame() {
    isolated(Family::V4, BROWSER, || play("many"));
}

#[test]
fn the_terminal_shows_and_changes_the_same() {
    isolated(Family::V4, IN_TERMINAL, || play("top"));
}

/// Plays `SCRIPT.mjs` against a daemon. Where it is, and what else a script may use, is in the environment.
fn play(script: &str) {
    let workspace = Workspace::new();
    let state = workspace.folder("state");
    let _daemon = start_daemon(&workspace, &state);
    let token = wait_for("a token", Duration::from_secs(10), || std::fs::read_to_string(state.join("token")).ok());
    std::fs::create_dir_all(PICTURES).expect("a folder for pictures");
    let status = Command::new("node")
        .arg(Path::new(SCRIPTS).join(format!("{script}.mjs")))
        .env("SOWER_URL", format!("http://{ADDRESS}/"))
        .env("SOWER_TOKEN", token.trim())
        .env("SOWER_PROGRAM", sower().get_program())
        .env("SOWER_FOLDER", workspace.path())
        .env("SOWER_PICTURES", PICTURES)
        .env("HOME", workspace.folder("home"))
        .status()
        .expect("node runs");
    assert!(status.success(), "{script}.mjs: {status}; pictures: {PICTURES}");
}

fn start_daemon(workspace: &Workspace, state: &Path) -> Process {
    let mut command = sower();
    command.arg("daemon").arg("--state").arg(state).args(["--api", ADDRESS, "--listen", "10.77.0.1"]);
    let mut daemon = Process::start(command, "daemon", workspace.path(), false);
    wait_for("the daemon answers", Duration::from_secs(30), || {
        daemon.assert_runs();
        TcpStream::connect(ADDRESS).ok()
    });
    daemon
}
