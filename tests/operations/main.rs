//! What surrounds a daemon: its service manager, its log, its man pages, its container, its package.

mod configured;
mod container;
mod daemon;
mod downloader;
mod life;
mod logs;
mod manual;
mod package;
mod restart;
mod sockets;
mod units;
mod webhooks;

use std::path::Path;
use std::process::Command;

/// A file of the repository.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A program that may not be installed; as root the tests require it.
fn program(name: &str) -> Option<Command> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    let required = std::env::var_os("SOWER_REQUIRE_CLIENTS").is_some();
    assert!(found || !required, "{name} is missing: tests/run install");
    if !found {
        println!("SKIPPED: there is no {name}");
    }
    found.then(|| Command::new(name))
}
