//! `sower show`: everything a torrent file says.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::limits;
use crate::metainfo::Metainfo;

use super::text::{Printable, json_for_terminal};
use super::units::{Bytes, Date};

/// What to show, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The torrent file; `-` reads standard input
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let torrent = read_torrent(&args.file)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let json = serde_json::to_string_pretty(&Report::new(&torrent)).context("cannot write JSON")?;
        writeln!(out, "{}", json_for_terminal(&json))?;
    } else {
        print(&torrent, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads and checks a torrent file; errors name the file.
pub(crate) fn read_torrent(path: &Path) -> anyhow::Result<Metainfo> {
    let mut bytes = Vec::new();
    // one byte more than allowed, so that the parser sees that it is too long
    let limit = limits::TORRENT_FILE as u64 + 1;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Metainfo::parse(&bytes).with_context(|| format!("{} is not a torrent file that can be used", path.display()))
}

fn print(torrent: &Metainfo, out: &mut impl Write) -> io::Result<()> {
    let geometry = torrent.geometry();
    let padding: u64 = torrent.files().iter().filter(|file| file.is_padding()).map(|file| file.length()).sum();
    let content = geometry.total() - padding;
    let mut line = |label: &str, value: &dyn std::fmt::Display| writeln!(out, "{label:<12}  {value}");
    line("name", &printable(torrent.file_name()))?;
    line("size", &format!("{} ({content} bytes)", Bytes(content)))?;
    line("info-hash", &torrent.info_hash())?;
    line("pieces", &format!("{} of {}", geometry.pieces(), Bytes(geometry.nominal_piece_length().into())))?;
    line("private", &if torrent.private() { "yes" } else { "no" })?;
    let texts = [("source", torrent.source()), ("comment", torrent.comment()), ("created by", torrent.created_by())];
    for (label, text) in texts {
        text.map_or(Ok(()), |text| line(label, &Printable(text.as_bytes())))?;
    }
    torrent.creation_date().map_or(Ok(()), |date| line("created on", &Date(date)))?;
    for (number, tier) in torrent.trackers().iter().enumerate() {
        tier.iter().try_for_each(|url| line(&format!("tracker {}", number + 1), &Printable(url.as_bytes())))?;
    }
    torrent.web_seeds().iter().try_for_each(|url| line("web seed", &Printable(url.as_bytes())))?;
    line("magnet", &torrent.magnet())?;
    print_files(torrent, padding, out)
}

fn print_files(torrent: &Metainfo, padding: u64, out: &mut impl Write) -> io::Result<()> {
    let count = torrent.files().iter().filter(|file| !file.is_padding()).count();
    write!(out, "{:<12}  {count}", "files")?;
    if padding > 0 {
        write!(out, ", and {} of padding", Bytes(padding))?;
    }
    writeln!(out)?;
    for file in torrent.files().iter().filter(|file| !file.is_padding()) {
        let size = Bytes(file.length()).to_string();
        writeln!(out, "{size:>12}  {}", printable(torrent.download_path(file).as_os_str()))?;
    }
    Ok(())
}

fn printable(name: &OsStr) -> Printable<'_> {
    Printable(name.as_bytes())
}

/// The form of `--json`. Fields are only ever added.
#[derive(Serialize)]
struct Report<'a> {
    name: String,
    info_hash: String,
    magnet: String,
    single_file: bool,
    size: u64,
    padding: u64,
    piece_length: u32,
    pieces: u32,
    private: bool,
    source: Option<&'a str>,
    comment: Option<&'a str>,
    created_by: Option<&'a str>,
    creation_date: Option<i64>,
    trackers: &'a [Vec<String>],
    web_seeds: &'a [String],
    files: Vec<FileReport>,
}

#[derive(Serialize)]
struct FileReport {
    /// Where clients put it, below their download folder.
    path: String,
    /// The same in hexadecimal digits, when the path is not UTF-8 and the field above has lost something.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    length: u64,
    padding: bool,
}

impl<'a> Report<'a> {
    fn new(torrent: &'a Metainfo) -> Report<'a> {
        let geometry = torrent.geometry();
        let padding = torrent.files().iter().filter(|file| file.is_padding()).map(|file| file.length()).sum();
        Report {
            name: torrent.name().into_owned(),
            info_hash: torrent.info_hash().to_string(),
            magnet: torrent.magnet().to_string(),
            single_file: torrent.is_single_file(),
            size: geometry.total() - padding,
            padding,
            piece_length: geometry.nominal_piece_length(),
            pieces: geometry.pieces(),
            private: torrent.private(),
            source: torrent.source(),
            comment: torrent.comment(),
            created_by: torrent.created_by(),
            creation_date: torrent.creation_date(),
            trackers: torrent.trackers(),
            web_seeds: torrent.web_seeds(),
            files: torrent.files().iter().map(|file| FileReport::new(torrent, file)).collect(),
        }
    }
}

impl FileReport {
    fn new(torrent: &Metainfo, file: &crate::metainfo::File) -> FileReport {
        let path = torrent.download_path(file);
        let hex = || path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        FileReport {
            path_hex: path.to_str().is_none().then(hex),
            path: path.to_string_lossy().into_owned(),
            length: file.length(),
            padding: file.is_padding(),
        }
    }
}
