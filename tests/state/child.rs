//! This same binary again, to be killed.

use std::process::{Child, Command, Stdio};

/// Set in the child: the folder that it works in.
const FOLDER: &str = "SOWER_TEST_STATE_FOLDER";

/// In the child, what it is told by [`start`].
pub(crate) fn folder() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

/// Starts the test of that name as a child that works in `folder`. `shell`: commands that run before it, in its shell.
pub(crate) fn start(test: &str, folder: &std::path::Path, shell: &str) -> Child {
    let this = std::env::current_exe().expect("the path of this binary");
    Command::new("sh")
        .args(["-c", &format!("{shell}\nexec \"$@\""), "sh"])
        .arg(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell")
}
