//! `sower import`: torrents of another program, or of an export, become a daemon's.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::session::resume::{self, Found, Intake, Kept, Program, Report};
use crate::session::state::{Loaded, Month, Store};
use crate::storage::{Disk, DiskMode, Resume};

use super::screen::printable;

/// Lines of one kind that are printed without `--verbose`.
const SHOWN: usize = 20;

/// What to import, and where to.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Neither the daemon nor the other program may run. Nothing of the other program's is changed, and no content is hashed: complete torrents are
taken on trust where the sizes of their files, and the times that the program noted, are right, and their pieces are checked when they
are first served. Torrents that are in DIR already stay as they are.

What to name for each program:
  qbittorrent   the folder BT_backup or torrents.db, in ~/.local/share/qBittorrent
  transmission  the folder that holds torrents and resume, ~/.config/transmission-daemon
  rtorrent      the folder that session.path says
  deluge        the folder state, in ~/.config/deluge
  libtorrent    a folder of NAME.resume or NAME.fastresume, with NAME.torrent beside them

Examples:
  sower import --state /var/lib/sower --from qbittorrent ~/.local/share/qBittorrent/BT_backup --dry-run
  sower import --state /var/lib/sower --from transmission ~/.config/transmission-daemon --map /downloads=/srv/data
  sower import --state /var/lib/sower seedbox.jsonl")]
pub(crate) struct Args {
    /// Folder of the daemon's state; made if it is not there
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The program whose files these are; without, it is a file of `sower export`
    #[arg(long, value_name = "PROGRAM")]
    from: Option<From>,
    /// A file of `sower export` (`-`: standard input), or where the program keeps its resume data
    path: PathBuf,
    /// Content that was in OLD is in NEW now. May be given several times; the longest that fits counts
    #[arg(long = "map", value_name = "OLD=NEW", value_parser = parse_map)]
    maps: Vec<(PathBuf, PathBuf)>,
    /// Add them stopped
    #[arg(long)]
    paused: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Name every torrent that cannot be taken as it is, however many they are
    #[arg(short, long)]
    verbose: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum From {
    Qbittorrent,
    Transmission,
    Rtorrent,
    Deluge,
    Libtorrent,
}

fn parse_map(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (from, to) = text.split_once('=').ok_or("it takes the form OLD=NEW")?;
    let path = |text: &str| {
        let path = Path::new(text);
        if path.is_absolute() {
            Ok(path.components().collect())
        } else {
            Err(format!("{text:?} is not an absolute path"))
        }
    };
    Ok((path(from)?, path(to)?))
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (mut found, kept) = read(&args)?;
    for foreign in &mut found.torrents {
        foreign.map_paths(&args.maps);
        foreign.choice.paused |= args.paused;
    }
    let problems = std::mem::take(&mut found.problems);
    let report = if args.dry_run { look(&args, found)? } else { take(&args, found, kept)? };
    let mut out = io::stdout().lock();
    print(&report, &args, &mut out)?;
    let lines: Vec<_> =
        problems.iter().map(|problem| (problem.path.display().to_string(), problem.text.clone())).collect();
    print_some("could not be used", &lines, args.verbose, &mut out)?;
    if args.from.is_some() && !args.dry_run && report.taken() > 0 {
        writeln!(out, "the other program must not run with these torrents any more: both would write the same files")?;
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(args: &Args) -> anyhow::Result<(Found, Option<Kept>)> {
    let program = match args.from {
        None => return read_export(&args.path).map(|(found, kept)| (found, Some(kept))),
        Some(From::Qbittorrent) => Program::Qbittorrent,
        Some(From::Transmission) => Program::Transmission,
        Some(From::Rtorrent) => Program::Rtorrent,
        Some(From::Deluge) => Program::Deluge,
        Some(From::Libtorrent) => Program::Libtorrent,
    };
    Ok((resume::read(program, &args.path)?, None))
}

fn read_export(path: &Path) -> anyhow::Result<(Found, Kept)> {
    if path.is_dir() {
        bail!("{} is a folder; --from says whose it is", path.display());
    }
    let read = if path == Path::new("-") {
        resume::read_exported(path, io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        resume::read_exported(path, BufReader::new(file))
    };
    read.with_context(|| format!("cannot read {}", path.display()))
}

fn look(args: &Args, found: Found) -> anyhow::Result<Report> {
    // a folder that is not there yet is not made
    let loaded = if args.state.join("state.sqlite").exists() { Store::open(&args.state)?.1 } else { Loaded::default() };
    Ok(Report::of(found.torrents, &loaded))
}

fn take(args: &Args, found: Found, kept: Option<Kept>) -> anyhow::Result<Report> {
    let (store, loaded) = Store::open(&args.state)?;
    for problem in &loaded.problems {
        eprintln!("sower: warning: {}", printable(&problem.text));
    }
    let disk = Disk::start(DiskMode::Plain).context("cannot start the disk thread")?;
    let resume = Resume::new(args.state.join("resume"));
    let report = Intake { store: &store, resume: &resume, disk: &disk }.take(found.torrents, &loaded)?;
    if let Some(kept) = kept.filter(|_| loaded.records.is_empty()) {
        keep(&store, &kept);
    }
    store.close()?;
    Ok(report)
}

/// What belongs to a state as a whole is taken over by an empty one.
fn keep(store: &Store, kept: &Kept) {
    store.keep_all_time(&kept.all_time);
    for (month, traffic) in &kept.traffic {
        if let Ok(month) = month.parse::<Month>() {
            store.keep_traffic(month, traffic);
        }
    }
    kept.values.iter().for_each(|(name, value)| store.keep(name, Some(value.clone())));
}

fn print(report: &Report, args: &Args, out: &mut impl Write) -> io::Result<()> {
    let verb = if args.dry_run { "would import" } else { "imported" };
    writeln!(out, "{verb} {}", torrents(report.taken()))?;
    let mut line = |count: usize, what: &str| match count {
        0 => Ok(()),
        count => writeln!(out, "  {count} {what}"),
    };
    line(report.whole, "complete, not to be hashed")?;
    line(report.part, "unfinished, not to be hashed")?;
    line(report.empty, "unfinished, nothing here yet")?;
    line(report.links, "links whose metadata is still sought")?;
    line(report.absent.len(), "complete, but their files are not there at present")?;
    line(report.unsure.len(), "to be checked when they start")?;
    line(report.known, "were here already and stay as they are")?;
    let categories = report.categories.iter().map(|(name, count)| format!("{} ({count})", printable(name)));
    let categories: Vec<String> = categories.collect();
    if !categories.is_empty() {
        writeln!(out, "categories: {}; give each a folder in the configuration if it has one", categories.join(", "))?;
    }
    print_some("files not there", &report.absent, args.verbose, out)?;
    print_some("to be checked", &report.unsure, args.verbose, out)?;
    report.warnings.iter().try_for_each(|warning| writeln!(out, "warning: {}", printable(warning)))
}

fn print_some(what: &str, lines: &[(String, String)], all: bool, out: &mut impl Write) -> io::Result<()> {
    let shown = if all { lines.len() } else { SHOWN };
    for (name, text) in lines.iter().take(shown) {
        writeln!(out, "{what}: {}: {}", printable(name), printable(text))?;
    }
    match lines.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "{what}: {more} more; --verbose names them all"),
    }
}

fn torrents(count: usize) -> String {
    format!("{count} {}", if count == 1 { "torrent" } else { "torrents" })
}
