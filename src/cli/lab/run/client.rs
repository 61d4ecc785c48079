//! The programs that may be clients of the swarm.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::network::Network;

/// A program.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Client {
    /// This program: sower get
    Sower,
    /// libtorrent by its Python module: python3, or what SOWER_PYTHON names
    Libtorrent,
    /// aria2c
    Aria2,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Client::Sower => "sower",
            Client::Libtorrent => "libtorrent",
            Client::Aria2 => "aria2",
        })
    }
}

/// What one client is to do.
pub(super) struct Task<'task> {
    pub(super) node: usize,
    pub(super) torrent: &'task Path,
    pub(super) folder: &'task Path,
    pub(super) port: u16,
    /// Bytes a second, where the program itself is to keep to it.
    pub(super) upload_limit: Option<u64>,
}

/// Says so when it has everything, and goes on to seed.
const LIBTORRENT: &str = r#"
import sys, time, libtorrent
torrent, folder, address, port, limit = sys.argv[1:]
session = libtorrent.session({
    "listen_interfaces": address + ":" + port, "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "allow_multiple_connections_per_ip": True, "upload_rate_limit": int(limit),
    "announce_to_all_trackers": True, "alert_mask": 0})
handle = session.add_torrent({"ti": libtorrent.torrent_info(torrent), "save_path": folder})
while not handle.status().is_seeding:
    time.sleep(0.02)
print("complete", flush=True)
while True:
    time.sleep(1)
"#;

/// aria2c runs it when everything is here, and its output is that of aria2c.
const HOOK: &str = "#!/bin/sh\necho complete\n";

impl Client {
    /// How it is started.
    pub(super) fn command(self, network: &Network, task: &Task<'_>) -> anyhow::Result<Command> {
        match self {
            Client::Sower => sower(network, task),
            Client::Libtorrent => Ok(libtorrent(network, task)),
            Client::Aria2 => aria2(network, task),
        }
    }

    /// Whether a line that it printed says that it has everything.
    pub(super) fn is_complete(self, line: &str) -> bool {
        match self {
            Client::Sower => {
                let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                event["event"] == "complete"
            }
            Client::Libtorrent | Client::Aria2 => line.trim() == "complete",
        }
    }
}

fn sower(network: &Network, task: &Task<'_>) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program to start it as a client")?;
    let mut command = network.command(task.node, program);
    command.arg("get").arg(task.torrent).arg("-o").arg(task.folder).args(["--json", "--then", "seed"]);
    command.args(["--connections-per-address", "65535", "--port"]).arg(task.port.to_string());
    if let Some(limit) = task.upload_limit {
        command.arg("--upload-limit").arg(limit.to_string());
    }
    command.current_dir(task.folder).env("SOWER_STATE", task.folder.join("state"));
    Ok(command)
}

fn libtorrent(network: &Network, task: &Task<'_>) -> Command {
    let python = std::env::var_os("SOWER_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = network.command(task.node, python);
    command.args(["-c", LIBTORRENT]).arg(task.torrent).arg(task.folder);
    command.arg(network.address(task.node).to_string()).arg(task.port.to_string());
    command.arg(task.upload_limit.unwrap_or(0).to_string());
    command
}

fn aria2(network: &Network, task: &Task<'_>) -> anyhow::Result<Command> {
    let hook = task.folder.join("complete");
    std::fs::write(&hook, HOOK).with_context(|| format!("cannot write {}", hook.display()))?;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700))?;
    let mut command = network.command(task.node, "aria2c");
    command.args(["--no-conf", "--quiet", "--seed-ratio=0.0", "--enable-dht=false", "--enable-dht6=false"]);
    command.args([
        "--enable-peer-exchange=false",
        "--bt-enable-lpd=false",
        "--bt-max-peers=0",
        "--file-allocation=none",
    ]);
    command.arg(format!("--max-overall-upload-limit={}", task.upload_limit.unwrap_or(0)));
    command.arg(format!("--listen-port={}", task.port));
    command.arg(format!("--dir={}", task.folder.display()));
    command.arg(format!("--on-bt-download-complete={}", hook.display()));
    command.arg(task.torrent);
    Ok(command)
}
