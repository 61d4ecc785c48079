//! `sower create`: a torrent file of a file or folder.

use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail, ensure};

use crate::hash::Engine;
use crate::limits;
use crate::metainfo::Metainfo;
use crate::storage::{Checker, Disk, Layout, Recipe, Walk};

use super::text::Printable;
use super::units::{Bytes, parse_size};
use super::{progress, verify};

/// What to make a torrent of, and what it says.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// File or folder
    path: PathBuf,
    /// Write the torrent here; `-` is standard output [default: NAME.torrent in the current folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output if it exists
    #[arg(short, long)]
    force: bool,
    /// Announce URL (http, https or udp). May be given several times: each is a tier of its own, tried in order. URLs separated by
    /// commas share a tier
    #[arg(short, long = "tracker", value_name = "URL[,URL]")]
    trackers: Vec<String>,
    /// HTTP source of the same content (BEP 19). May be given several times
    #[arg(short, long = "web-seed", value_name = "URL")]
    web_seeds: Vec<String>,
    /// Bytes of a piece: a power of two from 16KiB to 128MiB, or `auto`: 256 KiB up to 16 GiB of content, more beyond
    #[arg(long, value_name = "SIZE", default_value = "auto", value_parser = parse_piece_size)]
    piece_size: PieceSize,
    /// Let every file begin with a piece (BEP 47). A file can then be fetched, checked and served without its neighbours;
    /// other programs give the folder another info-hash, which is why it is not the default
    #[arg(long)]
    pad: bool,
    /// Peers may come from the torrent's own trackers only (BEP 27)
    #[arg(long)]
    private: bool,
    /// Free text, not part of the info-hash
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Word that gives the same content another info-hash, as some trackers ask for
    #[arg(long, value_name = "WORD")]
    source: Option<String>,
    /// Seconds since 1970 to date it with. Without, the same content always gives the same file
    #[arg(long, value_name = "SECONDS")]
    date: Option<i64>,
    #[command(flatten)]
    reading: verify::Reading,
}

#[derive(Clone, Copy, Debug)]
struct PieceSize(Option<u32>);

fn parse_piece_size(text: &str) -> Result<PieceSize, String> {
    if text == "auto" {
        return Ok(PieceSize(None));
    }
    let size = u32::try_from(parse_size(text)?).unwrap_or(u32::MAX);
    if size.is_power_of_two() && (limits::BLOCK..=limits::PIECE_LENGTH_MAX).contains(&size) {
        return Ok(PieceSize(Some(size)));
    }
    Err(format!("{text} is not a power of two from 16KiB to 128MiB"))
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tiers = tiers(&args.trackers)?;
    args.web_seeds.iter().try_for_each(|url| check_url(url, &["http", "https", "ftp"]))?;
    let walk = Walk::new(&args.path)?;
    let output = args.output.clone().unwrap_or_else(|| default_output(&walk));
    let to_stdout = output == Path::new("-");
    ensure!(!to_stdout || !io::stdout().is_terminal(), "a torrent file would garble the terminal: redirect it");
    if !to_stdout && !args.force && output.symlink_metadata().is_ok() {
        bail!("{} exists; --force overwrites it", output.display());
    }
    for left_out in &walk.left_out {
        let text = left_out.to_string();
        eprintln!("sower: warning: {}", Printable(text.as_bytes()));
    }
    let recipe =
        Recipe { piece_length: args.piece_size.0, private: args.private, source: args.source.clone(), pad: args.pad };
    let layout =
        Layout::new(&walk, &recipe).with_context(|| format!("cannot make a torrent of {}", args.path.display()))?;
    let disk = Disk::start(args.reading.mode()).context("cannot start the disk thread")?;
    let hashes = hash(&layout, &disk)?;
    let torrent = layout.builder.clone().hashes(hashes).trackers(tiers).web_seeds(args.web_seeds.clone());
    let torrent = torrent.comment(args.comment.clone()).creation_date(args.date);
    let bytes = torrent.created_by(Some(concat!("sower/", env!("CARGO_PKG_VERSION")).into())).write()?;
    if to_stdout {
        io::stdout().lock().write_all(&bytes)?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&disk, &output, &bytes)?;
    print(&Metainfo::parse(&bytes)?, &output)?;
    Ok(ExitCode::SUCCESS)
}

/// Hashes what `layout` names, with a bar.
pub(super) fn hash(layout: &Layout, disk: &Disk) -> anyhow::Result<Vec<[u8; 20]>> {
    let bar = progress::bytes("hashing", layout.geometry.total());
    let checker = Checker {
        engine: Engine::detect(),
        disk,
        threads: verify::threads(),
        through_disk: false,
        progress: &|bytes| bar.inc(bytes),
        cancel: &AtomicBool::new(false),
    };
    let hashed = checker.hash(&layout.content, &layout.geometry);
    bar.finish_and_clear();
    Ok(hashed?.digests)
}

/// A regular file is replaced atomically; anything else (`/dev/stdout`, a FIFO) is written to.
fn write(disk: &Disk, output: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let special = output.metadata().is_ok_and(|metadata| !metadata.is_file());
    let written =
        if special { std::fs::write(output, bytes) } else { disk.write_atomically(output, bytes.to_vec(), 0o666) };
    written.with_context(|| format!("cannot write {}", output.display()))
}

fn default_output(walk: &Walk) -> PathBuf {
    let mut name = walk.name.clone();
    name.push(".torrent");
    PathBuf::from(name)
}

fn tiers(trackers: &[String]) -> anyhow::Result<Vec<Vec<String>>> {
    let tier = |urls: &String| {
        let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
        urls.map(|url| check_url(url, &["http", "https", "udp"]).map(|()| url.to_owned())).collect()
    };
    trackers.iter().map(tier).collect()
}

fn check_url(text: &str, schemes: &[&str]) -> anyhow::Result<()> {
    let url = url::Url::parse(text).with_context(|| format!("{text:?} is not a URL"))?;
    let known = schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty());
    ensure!(known, "{text:?} is not a URL of {}", schemes.join(", "));
    Ok(())
}

fn print(torrent: &Metainfo, output: &Path) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let geometry = torrent.geometry();
    let stored = torrent.files().iter().filter(|file| !file.is_padding());
    let (files, length) = stored.fold((0, 0), |(files, length), file| (files + 1, length + file.length()));
    let piece = Bytes(geometry.nominal_piece_length().into());
    writeln!(out, "name       {}", Printable(torrent.file_name().as_bytes()))?;
    writeln!(out, "size       {} in {files} {}", Bytes(length), if files == 1 { "file" } else { "files" })?;
    writeln!(out, "pieces     {} of {piece}", geometry.pieces())?;
    writeln!(out, "info-hash  {}", torrent.info_hash())?;
    writeln!(out, "magnet     {}", torrent.magnet())?;
    writeln!(out, "written    {}", Printable(output.as_os_str().as_bytes()))
}
