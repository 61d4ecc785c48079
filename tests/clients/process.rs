//! Processes with their logs, and waiting with a deadline.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// One too early end is rare: several in a row are not a matter of luck.
const REVIVALS_MAX: u32 = 3;

/// Runs a short command that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {stderr}", output.status);
}

/// Polls until `ready` has an answer.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A running program whose output goes to `NAME.log`; killed when dropped.
pub(crate) struct Process {
    command: Command,
    child: Child,
    name: String,
    revivals: u32,
}

impl Process {
    /// Starts it with its standard error, and its standard output unless the caller redirected that, in the log.
    pub(crate) fn start(mut command: Command, name: &str, logs: &Path, keep_stdout: bool) -> Self {
        let log = File::create(logs.join(format!("{name}.log"))).expect("a log file");
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle"));
        if !keep_stdout {
            command.stdout(log);
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { command, child, name: name.to_owned(), revivals: 0 }
    }

    /// What it prints, if it was started so that the caller reads it.
    pub(crate) fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("started with its standard output piped")
    }

    /// Sends a signal by its name, `INT` for example.
    pub(crate) fn signal(&self, signal: &str) {
        run("kill", &["-s", signal, &self.child.id().to_string()]);
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("waiting for a child")
    }

    /// Panics if it ended.
    pub(crate) fn assert_runs(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended: {status}", self.name);
        }
    }

    /// Starts it again, with the same log, if it ended by itself and content: for clients that stop too early.
    ///
    /// Panics if it failed, or has been started again too often already.
    pub(crate) fn revive(&mut self) {
        let Some(status) = self.ended() else { return };
        assert!(status.success() && self.revivals < REVIVALS_MAX, "{} ended: {status}", self.name);
        self.revivals += 1;
        self.child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A temporary folder whose logs are printed when the test fails.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// An empty one where syncing costs nothing, for what makes thousands of files.
    pub(crate) fn in_memory() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { folder: folder.expect("a temporary folder") }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder in it.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder in the workspace");
        path
    }

    /// A file of it in a line.
    fn described(&self, file: &Path) -> String {
        let name = file.strip_prefix(self.path()).unwrap_or(file).display();
        let Ok(metadata) = std::fs::metadata(file) else { return format!("{name} is gone") };
        let age = metadata.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
        format!("{:>10} {:>6} {name}", metadata.len(), age.as_secs())
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut files = Vec::new();
        files_in(self.path(), &mut files);
        files.sort();
        eprintln!("---- {} (bytes of each file, last written seconds ago)", self.path().display());
        for file in &files {
            eprintln!("{}", self.described(file));
        }
        // those that clients keep by themselves lie deeper
        let is_log = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == "log");
        files.iter().filter(is_log).for_each(|log| print_tail(log));
    }
}

/// All files in a folder and those below it.
fn files_in(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_in(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

fn print_tail(log: &Path) {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    eprintln!("---- {} (last of {} lines)", log.display(), lines.len());
    for line in &lines[lines.len().saturating_sub(40)..] {
        eprintln!("{}", line.chars().take(400).collect::<String>());
    }
}
