//! The program under test: `sower get --json`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::content::{Content, digests};
use crate::process::wait_for;
use crate::program::{Program, sower};

/// A download of some MiB over loopback, with two cores shared by a dozen of them.
const DOWNLOAD: Duration = Duration::from_secs(120);
/// Connections are closed, trackers told: five seconds for those that do not answer.
const FAREWELL: Duration = Duration::from_secs(15);

/// A running `sower get`; killed when dropped.
pub(crate) struct Getter {
    program: Program,
    output: PathBuf,
}

impl Getter {
    /// Starts it with a home of its own, `workspace/NAME`: its state, and the folder that it downloads to.
    pub(crate) fn start<I: AsRef<OsStr>>(workspace: &Path, name: &str, arguments: impl IntoIterator<Item = I>) -> Self {
        let home = workspace.join(name);
        let output = home.join("output");
        std::fs::create_dir_all(&output).expect("a folder to download to");
        let mut command = sower();
        command.args(["get", "--json", "--output"]).arg(&output).args(arguments);
        Self { program: Program::start(command, &home), output }
    }

    /// The command itself.
    pub(crate) fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Where it downloads to.
    pub(crate) fn output(&self) -> &Path {
        &self.output
    }

    /// Waits until everything is here; its event.
    pub(crate) fn complete(&mut self) -> Value {
        wait_for("sower get is complete", DOWNLOAD, || {
            let ended = self.program.ended();
            let event = self.program.events("complete").into_iter().next();
            assert!(event.is_some() || ended.is_none(), "ended: {ended:?}: {}", self.program.complaints());
            event
        })
    }

    /// Waits until it is complete, and compares that with the source, file by file.
    pub(crate) fn finish(&mut self, content: Content, source: &Path) -> Value {
        let event = self.complete();
        assert_eq!(digests(content, &self.output), digests(content, source), "the files are those of the source");
        event
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.program.end(FAREWELL)
    }

    /// Sends a signal, INT for Ctrl-C, and waits for its end.
    pub(crate) fn stop(&mut self, signal: &str) -> ExitStatus {
        self.program.signal(signal);
        self.end()
    }

    /// A number of the latest event that has it, 0 if none has.
    pub(crate) fn latest(&self, field: &str) -> u64 {
        self.program.latest(field).unwrap_or(0)
    }

    /// Waits until so many bytes of good pieces are here.
    pub(crate) fn reaches(&mut self, bytes: u64) {
        self.program
            .wait(&format!("{bytes} bytes are here"), |event| (event["good"].as_u64() >= Some(bytes)).then_some(()));
    }
}
