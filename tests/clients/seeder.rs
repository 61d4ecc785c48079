//! The program under test: `sower seed --json`, its events, its end.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Process, wait_for};

/// A running `sower seed`; killed when dropped.
pub(crate) struct Seeder {
    process: Process,
    events: Arc<Mutex<Vec<Value>>>,
    /// reads the events; gone once it was waited for
    reader: Option<JoinHandle<()>>,
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
        // another build of the program can be put to the same tests
        let program = std::env::var_os("SOWER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sower").into());
        let mut command = Command::new(program);
        command.args(["seed", "--json"]).args(arguments);
        command.current_dir(folder).env("SOWER_STATE", folder.join("state")).stdout(Stdio::piped());
        let count = std::fs::read_dir(folder).expect("the folder of the seeder").count();
        let name = format!("sower-{count}");
        let mut process = Process::start(command, &name, folder, true);
        let events = Arc::new(Mutex::new(Vec::new()));
        let (lines, sink) = (BufReader::new(process.stdout()).lines(), Arc::clone(&events));
        let mut copy = std::fs::File::create(folder.join(format!("{name}-events.log"))).expect("a log of the events");
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                // one a second, which would push everything else out of what is shown of the log
                if event["event"] != "stats" {
                    let _ = writeln!(copy, "{line}");
                }
                sink.lock().expect("no panic while held").push(event);
            }
        });
        Self { process, events, reader: Some(reader) }
    }

    /// All events so far whose `event` is `kind`.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.events.lock().expect("no panic while held");
        events.iter().filter(|event| event["event"] == kind).cloned().collect()
    }

    /// The first event that `pick` has an answer for.
    pub(crate) fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        wait_for(what, Duration::from_secs(60), || {
            let answer = self.events.lock().expect("no panic while held").iter().find_map(&mut pick);
            if answer.is_none() {
                self.process.assert_runs();
            }
            answer
        })
    }

    /// Waits until it serves `count` torrents, and names them in the order of the events.
    pub(crate) fn serving(&mut self, count: usize) -> Vec<Served> {
        wait_for("the seeder serves its torrents", Duration::from_secs(60), || {
            let seeding = self.events("seeding");
            if seeding.len() < count {
                self.process.assert_runs();
            }
            (seeding.len() >= count).then_some(seeding)
        })
        .into_iter()
        .map(|event| serde_json::from_value(event).expect("all fields of a `seeding` event"))
        .collect()
    }

    /// Bytes of payload sent, by the latest event that tells.
    pub(crate) fn uploaded(&self) -> u64 {
        let events = self.events.lock().expect("no panic while held");
        events.iter().rev().find_map(|event| event["uploaded"].as_u64()).unwrap_or(0)
    }

    /// Ends it as Ctrl-C does; answers how it ended, within five seconds.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.process.signal("INT");
        wait_for("the seeder ends after SIGINT", Duration::from_secs(5), || self.ended())
    }

    /// How it ended, if it did; all that it printed is among the events then.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.ended()?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("every line of its output is an event");
        }
        Some(status)
    }

    /// Panics if it ended.
    pub(crate) fn assert_runs(&mut self) {
        self.process.assert_runs();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}
