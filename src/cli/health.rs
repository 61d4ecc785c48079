//! `sower health`: whether a daemon on this host is well, for supervisors of containers that have no other program to ask with.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

/// Longer than the daemon takes to find out that its keeper hangs.
const PATIENCE: Duration = Duration::from_secs(8);
/// Of an answer that says yes or no.
const ANSWER_BYTES: u64 = 4 * 1024;

/// Arguments of `sower health`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder of the daemon's state, in which its Unix socket is.
    #[arg(long, value_name = "DIR", required_unless_present = "socket")]
    state: Option<PathBuf>,
    /// The Unix socket of its API, if that is elsewhere.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

/// Asks; 0 if it is well.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let socket = args.socket.or(args.state.map(|state| state.join("api.sock"))).context("no socket is named")?;
    let answer = ask(&socket)
        .with_context(|| format!("no answer at {}; does a daemon run with this --state?", socket.display()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let well = head.split(' ').nth(1) == Some("200");
    writeln!(std::io::stdout(), "{}", body.trim())?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(socket: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
