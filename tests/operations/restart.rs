//! How a daemon ends while peers are connected.

use rustix::process::Signal;

use crate::daemon::{Home, Manager, until};
use crate::downloader::{self, Downloader};

const MIB: u64 = 1 << 20;

/// Content that takes some seconds at this rate.
fn payload() -> Vec<u8> {
    (0..12 * MIB / 8).flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).collect()
}
const RATE: [&str; 2] = ["--peer-limit", "3MiB/s"];

impl Home {
    fn port(&self) -> u16 {
        let totals = self.ask("GET", "/api/v1/totals", "").expect("it answers").1;
        let totals: serde_json::Value = serde_json::from_str(&totals).expect("JSON");
        totals["port"].as_u64().expect("a port").try_into().expect("a port")
    }

    fn uploaded(&self, hash: &str) -> u64 {
        self.torrent(hash)["uploaded"].as_u64().unwrap_or_default()
    }
}

/// Until then a connection that was closed in the middle of a block, with requests unread, was reset, and what the peer had not read was
/// lost though it was counted.
#[test]
fn peers_get_what_they_have_asked_for_before_it_ends() {
    if !downloader::is_there() {
        return;
    }
    let (home, mut manager) = (Home::new(), Manager::new());
    let mut command = home.command();
    command.args(RATE);
    let mut daemon = manager.start(command);
    manager.hear("READY=1");
    let hash = home.seed(&payload(), "http://127.0.0.1:9/announce");
    let peer = Downloader::start(&home.torrent_file(), home.port());
    until("some of it was downloaded", || peer.received() > 3 * MIB);
    daemon.signal(Signal::TERM);
    manager.hear("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
    until("the peer noticed", || !peer.ends().is_empty());
    assert!(peer.ends().iter().all(|end| end.contains("nd of file")), "{:?}", peer.ends());
    assert!(!peer.is_done(), "it was asked for all at once: nothing is shown by this");
    let received = peer.received();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.uploaded(&hash), received, "sent and received are not the same");
    assert_eq!(received % (16 << 10), 0, "a block was cut off");
    daemon.end();
}
