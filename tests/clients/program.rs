//! A command of the program under test with `--json`: its events, its end.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Process, wait_for};

/// A running `sower`; killed when dropped.
pub(crate) struct Program {
    process: Process,
    events: Arc<Mutex<Vec<Value>>>,
    /// reads the events; gone once it was waited for
    reader: Option<JoinHandle<()>>,
    name: String,
}

/// The program, without arguments.
pub(crate) fn sower() -> Command {
    // another build of the program can be put to the same tests
    Command::new(std::env::var_os("SOWER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sower").into()))
}

impl Program {
    /// Starts `command`, which prints events, in `folder`, which takes its state, the files it writes and its logs.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        command.current_dir(folder).stdout(Stdio::piped());
        if !command.get_envs().any(|(name, _)| name == "SOWER_STATE") {
            command.env("SOWER_STATE", folder.join("state"));
        }
        let count = std::fs::read_dir(folder).expect("the folder of the program").count();
        let name = format!("sower-{count}");
        let mut process = Process::start(command, &name, folder, true);
        let events = Arc::new(Mutex::new(Vec::new()));
        let copy = File::create(folder.join(format!("{name}-events.log"))).expect("a log of the events");
        let lines = BufReader::new(process.stdout()).lines();
        let sink = Arc::clone(&events);
        let reader = std::thread::spawn(move || keep(lines.map_while(Result::ok), &sink, copy));
        Self { process, events, reader: Some(reader), name: folder.join(name).display().to_string() }
    }

    /// All events so far whose `event` is `kind`.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.events.lock().expect("no panic while held");
        events.iter().filter(|event| event["event"] == kind).cloned().collect()
    }

    /// The first event that `pick` has an answer for; the program must not end before.
    pub(crate) fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        wait_for(what, Duration::from_secs(60), || {
            // looked at first: what it printed at its end is among the events then
            let ended = self.ended();
            let answer = self.events.lock().expect("no panic while held").iter().find_map(&mut pick);
            assert!(answer.is_some() || ended.is_none(), "{} ended: {ended:?}, before: {what}", self.name);
            answer
        })
    }

    /// Waits for the first event of that kind.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        self.wait(&format!("an event {kind:?}"), |event| (event["event"] == kind).then(|| event.clone()))
    }

    /// A number of the latest event that has it.
    pub(crate) fn latest(&self, field: &str) -> Option<u64> {
        let events = self.events.lock().expect("no panic while held");
        events.iter().rev().find_map(|event| event[field].as_u64())
    }

    /// Sends a signal by its name, `INT` for example.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self, limit: Duration) -> ExitStatus {
        wait_for("the end of sower", limit, || self.ended())
    }

    /// Ends it by force.
    pub(crate) fn kill(&mut self) {
        self.process.signal("KILL");
        self.end(Duration::from_secs(5));
    }

    /// How it ended, if it did; all that it printed is among the events then.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.ended()?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("every line of its output is an event");
        }
        Some(status)
    }

    /// What it wrote to its standard error.
    pub(crate) fn complaints(&self) -> String {
        std::fs::read_to_string(format!("{}.log", self.name)).expect("its log")
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

fn keep(lines: impl Iterator<Item = String>, events: &Mutex<Vec<Value>>, mut copy: File) {
    for line in lines {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        // one a second, which would push everything else out of what is shown of the log
        if event["event"] != "stats" {
            let _ = writeln!(copy, "{line}");
        }
        events.lock().expect("no panic while held").push(event);
    }
}
