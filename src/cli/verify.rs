//! `sower verify`: is the data right?

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use serde::Serialize;

use crate::hash::Engine;
use crate::ids::PieceIndex;
use crate::metainfo::Metainfo;
use crate::storage::{Cause, Checker, Content, Disk, DiskMode, FileFault, Report};

use super::text::{Printable, json_for_terminal};
use super::units::Bytes;
use super::{progress, show};

/// What to check against what.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The torrent file; `-` reads standard input
    torrent: PathBuf,
    /// The data: the torrent's file or folder, or the folder that holds it
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: Reading,
}

/// How to read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Reading {
    /// How to read what is not in memory: `auto` is io_uring where the kernel allows it, `plain` does without
    #[arg(long, value_enum, default_value = "auto", value_name = "WAY")]
    reads: Reads,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Reads {
    Auto,
    Plain,
}

impl Reading {
    pub(crate) fn mode(&self) -> DiskMode {
        match self.reads {
            Reads::Auto => DiskMode::Auto,
            Reads::Plain => DiskMode::Plain,
        }
    }
}

/// One hasher for each core that this process may use.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Exit codes as of cmp(1): 0 the data is good, 1 it is not, 2 there is no telling.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (torrent, content, report, reads) = match check(&args) {
        Ok(checked) => checked,
        Err(error) => {
            super::report(&error);
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let json = Json::new(&torrent, &content, &report, &reads);
        let json = serde_json::to_string_pretty(&json).context("cannot write JSON")?;
        writeln!(out, "{}", json_for_terminal(&json))?;
    } else {
        print(&torrent, &report, &mut out)?;
    }
    out.flush()?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(args: &Args) -> anyhow::Result<(Metainfo, Content, Report, String)> {
    let torrent = show::read_torrent(&args.torrent)?;
    let content = Content::of(&torrent, &args.path)?;
    let disk = Disk::start(args.reading.mode()).context("cannot start the disk thread")?;
    let bar = progress::bytes("checking", torrent.geometry().total());
    let checker = Checker {
        engine: Engine::detect(),
        disk: &disk,
        threads: threads(),
        through_disk: false,
        progress: &|bytes| bar.inc(bytes),
        cancel: &AtomicBool::new(false),
    };
    let report = checker.verify(&content, &torrent);
    bar.finish_and_clear();
    Ok((torrent, content, report?, disk.describe().to_owned()))
}

fn print(torrent: &Metainfo, report: &Report, out: &mut impl Write) -> io::Result<()> {
    for fault in &report.faults {
        writeln!(out, "{}", Printable(fault.to_string().as_bytes()))?;
    }
    for bad in ranges(&report.bad) {
        let files = touched(torrent, bad).join(", ");
        let pieces = if bad.first == bad.last {
            format!("piece {}", bad.first)
        } else {
            format!("pieces {}-{}", bad.first, bad.last)
        };
        writeln!(out, "bad {pieces}: {}", Printable(files.as_bytes()))?;
    }
    let (pieces, bad) = (torrent.geometry().pieces(), report.bad.len());
    let total = Bytes(torrent.geometry().total());
    if report.is_good() {
        writeln!(out, "all {pieces} pieces are good ({total})")
    } else if bad == 0 {
        writeln!(out, "all {pieces} pieces are good, but not all files are as they should be ({total})")
    } else {
        writeln!(out, "{bad} of {pieces} pieces are bad or missing ({total})")
    }
}

/// Neighbouring pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Pieces {
    first: u32,
    last: u32,
}

fn ranges(pieces: &[PieceIndex]) -> Vec<Pieces> {
    let neighbours = pieces.chunk_by(|before, after| before.0 + 1 == after.0);
    neighbours.map(|run| Pieces { first: run[0].0, last: run[run.len() - 1].0 }).collect()
}

/// The files that bytes of `pieces` belong to: the first few by name, of the others the number.
fn touched(torrent: &Metainfo, pieces: Pieces) -> Vec<String> {
    const NAMED: usize = 8;
    let geometry = torrent.geometry();
    let start = u64::from(pieces.first) * u64::from(geometry.nominal_piece_length());
    let length = u64::from(pieces.last - pieces.first + 1) * u64::from(geometry.nominal_piece_length());
    let mut spans = geometry.spans_of(start, length).filter(|span| !span.padding);
    let name = |span: crate::metainfo::Span| torrent.files()[span.file.0 as usize].path().display().to_string();
    let mut names: Vec<String> = spans.by_ref().take(NAMED).map(name).collect();
    match spans.count() {
        0 => {}
        more => names.push(format!("and {more} more")),
    }
    names
}

#[derive(Serialize)]
struct Json<'a> {
    good: bool,
    info_hash: String,
    path: String,
    pieces: u32,
    bad_pieces: usize,
    /// Ranges, both ends included.
    bad: Vec<JsonBad>,
    missing: Vec<String>,
    faults: Vec<JsonFault>,
    bytes_read: u64,
    reads: &'a str,
}

#[derive(Serialize)]
struct JsonBad {
    #[serde(flatten)]
    pieces: Pieces,
    files: Vec<String>,
}

#[derive(Serialize)]
struct JsonFault {
    path: String,
    error: String,
}

impl<'a> Json<'a> {
    fn new(torrent: &Metainfo, content: &Content, report: &Report, reads: &'a str) -> Json<'a> {
        let bad = |pieces| JsonBad { pieces, files: touched(torrent, pieces) };
        let path = |fault: &FileFault| fault.path.display().to_string();
        let missing = report.faults.iter().filter(|fault| matches!(fault.cause, Cause::Missing));
        let fault = |fault: &FileFault| JsonFault { path: path(fault), error: fault.cause.to_string() };
        Json {
            good: report.is_good(),
            info_hash: torrent.info_hash().to_string(),
            path: content.place().display().to_string(),
            pieces: torrent.geometry().pieces(),
            bad_pieces: report.bad.len(),
            bad: ranges(&report.bad).into_iter().map(bad).collect(),
            missing: missing.map(path).collect(),
            faults: report.faults.iter().map(fault).collect(),
            bytes_read: report.bytes,
            reads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_ranges() {
        let pieces: Vec<PieceIndex> = [0, 1, 2, 5, 7, 8].map(PieceIndex).into();
        let pairs: Vec<_> = ranges(&pieces).into_iter().map(|range| (range.first, range.last)).collect();
        assert_eq!(pairs, [(0, 2), (5, 5), (7, 8)]);
        assert!(ranges(&[]).is_empty());
    }
}
