//! `sower export`: the state of a daemon as one file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::session::state::Store;
use crate::storage::Resume;

use super::screen::printable;

/// What to export, and where to.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The daemon must not run. The file has keys of trackers in it: it is made readable for its owner alone.

Examples:
  sower export --state /var/lib/sower seedbox.jsonl
  sower export --state /var/lib/sower | zstd > seedbox.jsonl.zst")]
pub(crate) struct Args {
    /// Folder of the daemon's state
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Write the export here, in place of what is there; standard output without
    file: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    ensure!(args.state.is_dir(), "{} is not there: name the --state of a daemon", args.state.display());
    let (store, loaded) = Store::open(&args.state)?;
    for problem in &loaded.problems {
        eprintln!("sower: warning: {}", printable(&problem.text));
    }
    let resume = Resume::new(args.state.join("resume"));
    let problems = match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let written = write_whole(path, |out| store.export(&loaded, &resume, out));
            written.with_context(|| format!("cannot write {}", path.display()))?
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let problems = store.export(&loaded, &resume, &mut out)?;
            out.flush()?;
            problems
        }
    };
    store.close()?;
    for problem in &problems {
        eprintln!("sower: not exported: {}", printable(problem));
    }
    let count = loaded.records.len() - problems.len();
    eprintln!("exported {count} {}", if count == 1 { "torrent" } else { "torrents" });
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes a file beside `path` that takes its place once it is whole and synced.
fn write_whole<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = fill(file, write).and_then(|value| std::fs::rename(&temporary, path).map(|()| value));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn fill<T>(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let mut out = BufWriter::new(file);
    let value = write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(value)
}
