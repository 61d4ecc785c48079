//! The program under test: `sower seed --json`.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::process::wait_for;
use crate::program::{Program, sower};

/// A running `sower seed`; killed when dropped.
pub(crate) struct Seeder {
    program: Program,
}

/// One torrent as its `seeding` event tells it.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Served {
    /// 40 hex digits
    pub(crate) info_hash: String,
    pub(crate) name: String,
    /// bytes
    pub(crate) size: u64,
    pub(crate) magnet: String,
    /// path of the .torrent file
    pub(crate) torrent: std::path::PathBuf,
    pub(crate) trackers: Vec<String>,
    /// of the peer protocol
    pub(crate) port: u16,
    pub(crate) driver: String,
    pub(crate) send: String,
}

impl Seeder {
    /// Starts it in `folder`, which takes its state, the .torrent files it writes and its logs.
    pub(crate) fn start<I: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = I>) -> Self {
        let mut command = sower();
        command.args(["seed", "--json"]).args(arguments);
        Self { program: Program::start(command, folder) }
    }

    /// All events so far whose `event` is `kind`.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.program.events(kind)
    }

    /// The first event that `pick` has an answer for.
    pub(crate) fn wait<T>(&mut self, what: &str, pick: impl FnMut(&Value) -> Option<T>) -> T {
        self.program.wait(what, pick)
    }

    /// Waits until it serves `count` torrents, and names them in the order of the events.
    pub(crate) fn serving(&mut self, count: usize) -> Vec<Served> {
        wait_for("the seeder serves its torrents", Duration::from_secs(60), || {
            let seeding = self.events("seeding");
            if seeding.len() < count {
                self.program.assert_runs();
            }
            (seeding.len() >= count).then_some(seeding)
        })
        .into_iter()
        .map(|event| serde_json::from_value(event).expect("all fields of a `seeding` event"))
        .collect()
    }

    /// Bytes of payload sent, by the latest event that tells.
    pub(crate) fn uploaded(&self) -> u64 {
        self.program.latest("uploaded").unwrap_or(0)
    }

    /// Ends it as Ctrl-C does; answers how it ended, within five seconds.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.program.signal("INT");
        self.program.end(Duration::from_secs(5))
    }

    /// How it ended, if it did; all that it printed is among the events then.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.program.ended()
    }

    /// Panics if it ended.
    pub(crate) fn assert_runs(&mut self) {
        self.program.assert_runs();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }
}
