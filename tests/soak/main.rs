//! A seedbox under everything at once: see `soak.py`.

use std::path::Path;
use std::process::Command;

#[test]
fn five_hundred_torrents_three_apis_kills_and_real_downloaders_leave_everything_right() {
    let python = Path::new("tests/.venv/bin/python");
    if !python.exists() && std::env::var_os("SOWER_REQUIRE_CLIENTS").is_none() {
        eprintln!("SKIPPED: no Python environment; tests/run makes it");
        return;
    }
    let seed = std::env::var("SOWER_SOAK_SEED").unwrap_or_else(|_| fastrand::u32(..).to_string());
    let seconds = std::env::var("SOWER_SOAK_SECONDS").unwrap_or_else(|_| "40".into());
    let mut soak = Command::new(python);
    soak.args(["tests/soak/soak.py", env!("CARGO_BIN_EXE_sower"), &seed, &seconds]);
    let status = soak.status().expect("Python runs");
    assert!(status.success(), "failed; again with SOWER_SOAK_SEED={seed}");
}
