//! Trackers for one torrent, on host 8.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use crate::content::{info_hash, torrent_file};
use crate::namespace::Family;
use crate::process::{Process, Workspace, wait_for};
use crate::program::sower;

/// A running tracker; killed when dropped.
pub(crate) struct Tracker {
    _process: Process,
    /// address and port
    host: String,
    url: String,
    info_hash: [u8; 20],
}

impl Tracker {
    /// Debian's opentracker.
    pub(crate) fn of_debian(workspace: &Workspace, info: &[u8]) -> Self {
        let folder = workspace.folder("opentracker");
        let hex: String = info_hash(&torrent_file(info, None)).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(folder.join("whitelist"), format!("{hex}\n")).expect("a list of one torrent");
        let mut command = Command::new("opentracker");
        command.args(["-i", "10.77.0.8", "-p", "6969", "-P", "6969", "-u", "nobody", "-d"]).arg(&folder);
        command.args(["-w", "whitelist"]).current_dir(&folder);
        Self::start(command, workspace, Family::V4, info)
    }

    /// `sower tracker`.
    pub(crate) fn of_sower(workspace: &Workspace, family: Family, info: &[u8]) -> Self {
        let mut command = sower();
        command.args(["tracker", "--open", "--bind", &family.host(8).to_string()]);
        Self::start(command, workspace, family, info)
    }

    fn start(command: Command, workspace: &Workspace, family: Family, info: &[u8]) -> Self {
        let process = Process::start(command, "tracker", workspace.path(), false);
        let host = match family.host(8) {
            IpAddr::V4(address) => format!("{address}:6969"),
            IpAddr::V6(address) => format!("[{address}]:6969"),
        };
        let url = format!("http://{host}/announce");
        let tracker = Self { _process: process, host, url, info_hash: info_hash(&torrent_file(info, None)) };
        wait_for("the tracker answers", Duration::from_secs(10), || tracker.scrape());
        tracker
    }

    /// Its announce URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Peers that it knows to be `complete` or `incomplete`.
    pub(crate) fn count(&self, which: &str) -> usize {
        let body = self.scrape().expect("a tracker that answers");
        let key = format!("{}:{which}i", which.len());
        let at = body.find(&key).map_or(body.len(), |at| at + key.len());
        body[at..].split('e').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    fn scrape(&self) -> Option<String> {
        let hash = percent_encoding::percent_encode(&self.info_hash, percent_encoding::NON_ALPHANUMERIC);
        crate::recorder::get(&self.host, &format!("/scrape?info_hash={hash}")).ok()
    }
}
