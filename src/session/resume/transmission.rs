//! Transmission: `torrents` and `resume` in its configuration folder.
//!
//! Files are called by the info-hash, before 4.0 some by the name of the torrent and sixteen digits of it. Before 4.1 keys have
//! hyphens, later underscores.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::bencode::Value;
use crate::ids::InfoHash;
use crate::limits;
use crate::metainfo::{Magnet, Metainfo};
use crate::session::seedbox::{FilePriority, LimitChoice};

use super::fields::{self, Fields, with_dict};
use super::foreign::{Foreign, Have, Modified, Subject, bits, is_set};
use super::{Found, ReadError, folder, paths};

/// Digits of the info-hash in older names.
const DIGITS: usize = 16;

pub(super) fn read(path: &Path) -> Result<Found, ReadError> {
    let (torrents, resume) = (path.join("torrents"), path.join("resume"));
    if !torrents.is_dir() || !resume.is_dir() {
        let expected = "folders called torrents and resume; name its configuration folder";
        return Err(ReadError::Nothing { path: path.to_owned(), program: "Transmission", expected });
    }
    let resume = by_digits(folder::files(&resume, ".resume")?);
    let mut found = Found::default();
    let mut files = folder::files(&torrents, ".torrent")?;
    files.extend(folder::files(&torrents, ".magnet")?);
    for file in files {
        found.add(&file, read_one(&file, &resume));
    }
    Ok(found)
}

/// Resume files by the digits in their names.
fn by_digits(files: Vec<PathBuf>) -> HashMap<String, PathBuf> {
    let digits = |path: &PathBuf| {
        let stem = folder::stem(path, ".resume");
        let last = stem.rsplit('.').next().unwrap_or(stem).to_ascii_lowercase();
        last.get(..DIGITS).map(str::to_owned)
    };
    files.into_iter().filter_map(|path| Some((digits(&path)?, path))).collect()
}

fn read_one(file: &Path, resume: &HashMap<String, PathBuf>) -> Result<Foreign, String> {
    let bytes = folder::read(file)?.ok_or("is not there")?;
    let subject = subject(file, &bytes)?;
    let digits = subject.info_hash().to_string()[..DIGITS].to_owned();
    let path = resume.get(&digits).ok_or(
        "has no file in the folder called resume: end Transmission, which then writes it, or add the torrent by itself",
    )?;
    let bytes = folder::read(path)?.ok_or("its resume file is gone")?;
    let mut foreign = Foreign::new(path, subject);
    let parsed = with_dict(&bytes, |fields| read_resume(fields, &mut foreign));
    parsed.map_err(|text| format!("{}: {text}", path.display()))?;
    Ok(foreign)
}

fn subject(file: &Path, bytes: &[u8]) -> Result<Subject, String> {
    if file.extension().is_some_and(|extension| extension == "magnet") {
        let link = String::from_utf8_lossy(bytes);
        return link.trim().parse().map(Subject::Magnet).map_err(|error| format!("cannot be used: {error}"));
    }
    match Metainfo::parse(bytes) {
        Ok(torrent) => Ok(Subject::Torrent(torrent)),
        // before 4.0 a link was kept as a torrent file without metadata
        Err(error) => with_dict(bytes, magnet).map(Subject::Magnet).map_err(|_| format!("cannot be used: {error}")),
    }
}

fn magnet(fields: Fields<'_, '_>) -> Result<Magnet, String> {
    let info = fields.dict("magnet-info").ok_or("no link")?;
    let hash = info.bytes("info_hash").and_then(|hash| hash.try_into().ok()).ok_or("no info-hash")?;
    let mut trackers = fields::tiers(fields.list("announce-list").unwrap_or_default()).concat();
    trackers.extend(fields.text("announce"));
    trackers.dedup();
    let name = info.text("display-name");
    Ok(Magnet { info_hash: InfoHash(hash), name, trackers, web_seeds: Vec::new(), peers: Vec::new() })
}

fn read_resume(fields: Fields<'_, '_>, foreign: &mut Foreign) -> Result<(), String> {
    let both = Both(fields);
    read_numbers(both, foreign);
    read_choice(both, foreign);
    let done = both.dict("progress").map(|progress| (progress.bytes("blocks") == Some(b"all"), progress));
    // while it is unfinished it may be in another folder
    let folder = fields.path("destination").ok_or("names no folder")?;
    let unfinished = both.0.path("incomplete_dir").or_else(|| both.0.path("incomplete-dir"));
    let unfinished = unfinished.filter(|_| done.is_none_or(|(done, _)| !done));
    place(fields, foreign, unfinished.as_ref().unwrap_or(&folder))?;
    if unfinished.is_some() {
        foreign.choice.destination = Some(folder);
    }
    foreign.set_name(fields.text("name"));
    if let Some((_, progress)) = done {
        read_progress(progress, foreign);
    }
    Ok(())
}

fn place(fields: Fields<'_, '_>, foreign: &mut Foreign, folder: &Path) -> Result<(), String> {
    let Subject::Torrent(torrent) = &foreign.subject else {
        foreign.choice.folder = folder.to_owned();
        return Ok(());
    };
    let files = fields.list("files").unwrap_or_default();
    let named = |index: usize| {
        let name = files.get(index).and_then(Value::as_bytes).filter(|name| !name.is_empty());
        name.map(fields::path)
    };
    paths::place(&mut foreign.choice, torrent, folder, &named)
}

fn read_numbers(fields: Both<'_, '_>, foreign: &mut Foreign) {
    let numbers = &mut foreign.numbers;
    numbers.uploaded = fields.0.count("uploaded");
    numbers.downloaded = fields.0.count("downloaded");
    numbers.wasted = fields.0.count("corrupt");
    numbers.seeding_seconds = fields.count("seeding-time-seconds");
    numbers.running_seconds = fields.count("downloading-time-seconds").saturating_add(numbers.seeding_seconds);
    numbers.added_at = fields.integer("added-date").filter(|time| *time > 0).unwrap_or(0);
    numbers.completed_at = fields.integer("done-date").filter(|time| *time > 0);
    numbers.active_at = fields.integer("activity-date").filter(|time| *time > 0);
    foreign.queue = fields.integer("queue-position").and_then(|place| u32::try_from(place).ok());
}

fn read_choice(fields: Both<'_, '_>, foreign: &mut Foreign) {
    let choice = &mut foreign.choice;
    choice.paused = fields.0.flag("paused");
    choice.sequential = fields.0.flag("sequentialDownload") || fields.0.flag("sequential_download");
    let labels = fields.0.list("labels").unwrap_or_default().iter();
    choice.tags = labels.filter_map(|label| label.as_bytes().and_then(fields::text)).collect();
    let limit = |key: &str| {
        let limit = fields.dict(key).map(Both)?;
        limit.flag("use-speed-limit").then(|| limit.count("speed-Bps"))
    };
    (choice.upload_limit, choice.download_limit) = (limit("speed-limit-up"), limit("speed-limit-down"));
    choice.ratio_limit = fields.dict("ratio-limit").map(Both).map_or(LimitChoice::Global, ratio_limit);
    choice.idle_limit = fields.dict("idle-limit").map(Both).map_or(LimitChoice::Global, |limit| {
        let minutes = u32::try_from(limit.count("idle-limit")).unwrap_or(u32::MAX);
        by_mode(limit.integer("idle-mode"), minutes)
    });
    let unwanted = fields.0.list("dnd").unwrap_or_default();
    let priorities = fields.0.list("priority").unwrap_or_default();
    let number = |list: &[Value<'_>], at: usize| list.get(at).and_then(Value::as_integer).unwrap_or(0);
    let priority = |at| match (number(unwanted, at), number(priorities, at)) {
        (1.., _) => FilePriority::Skip,
        (_, ..=-1) => FilePriority::Low,
        (_, 0) => FilePriority::Normal,
        (_, 1..) => FilePriority::High,
    };
    let files = unwanted.len().max(priorities.len());
    foreign.set_priorities((0..files).map(priority).collect());
}

fn ratio_limit(limit: Both<'_, '_>) -> LimitChoice<f64> {
    // a text, as bencode has no fractions
    let ratio = limit.bytes("ratio-limit").and_then(|text| std::str::from_utf8(text).ok()?.parse::<f64>().ok());
    match ratio.filter(|ratio| ratio.is_finite() && *ratio >= 0.0) {
        Some(ratio) => by_mode(limit.integer("ratio-mode"), ratio),
        None => LimitChoice::Global,
    }
}

/// 0: as everywhere, 1: this one, 2: none.
fn by_mode<T>(mode: Option<i64>, limit: T) -> LimitChoice<T> {
    match mode {
        Some(1) => LimitChoice::At(limit),
        Some(2) => LimitChoice::Unlimited,
        _ => LimitChoice::Global,
    }
}

fn read_progress(progress: Fields<'_, '_>, foreign: &mut Foreign) {
    let Some(torrent) = foreign.torrent() else { return };
    let geometry = torrent.geometry();
    let have = match progress.bytes("blocks").or_else(|| progress.bytes("bitfield")) {
        Some(b"all") => Have::All,
        Some(b"none" | b"") => Have::Pieces(vec![0; geometry.pieces().div_ceil(8) as usize]),
        Some(blocks) if geometry.nominal_piece_length().is_multiple_of(limits::BLOCK) => Have::Pieces(pieces(
            blocks,
            geometry.pieces(),
            geometry.nominal_piece_length() / limits::BLOCK,
            geometry.total(),
        )),
        _ => Have::Unknown,
    };
    // Transmission compares whole seconds; what it checked later than a file was changed is good
    let checked = progress.list("time-checked").map(|times| times.iter().map(checked_at).collect());
    let modified = progress.list("mtimes").map(|times| {
        let time =
            |time: &Value<'_>| time.as_integer().filter(|time| *time > 0).map_or(Modified::Unknown, Modified::At);
        times.iter().map(time).collect()
    });
    foreign.modified = modified.or(checked).unwrap_or_default();
    foreign.set_have(have);
}

/// A piece is here when all of its blocks are.
fn pieces(blocks: &[u8], pieces: u32, blocks_per_piece: u32, total: u64) -> Vec<u8> {
    let all = total.div_ceil(limits::BLOCK.into());
    let is_here = |piece: u32| {
        let first = u64::from(piece) * u64::from(blocks_per_piece);
        let end = (first + u64::from(blocks_per_piece)).min(all);
        (first..end).all(|block| usize::try_from(block).is_ok_and(|block| is_set(blocks, block)))
    };
    bits((0..pieces as usize).map(|piece| u32::try_from(piece).is_ok_and(is_here)))
}

/// One time for all pieces of a file, or one for each, as differences to the first: the oldest counts.
fn checked_at(value: &Value<'_>) -> Modified {
    let time = match value {
        Value::Integer(time) => *time,
        Value::List(times) => {
            let mut times = times.iter().map(|time| time.as_integer().unwrap_or(0));
            let base = times.next().unwrap_or(0);
            // one that was never checked has none
            times.min().filter(|difference| *difference > 0).map_or(0, |difference| base.saturating_add(difference))
        }
        _ => 0,
    };
    if time > 0 { Modified::NotAfter(time) } else { Modified::Unknown }
}

/// A dictionary whose keys have hyphens in some versions and underscores in others.
#[derive(Clone, Copy)]
struct Both<'d, 'a>(Fields<'d, 'a>);

impl<'d, 'a> Both<'d, 'a> {
    fn get<T>(self, key: &str, get: impl Fn(Fields<'d, 'a>, &str) -> Option<T>) -> Option<T> {
        get(self.0, key).or_else(|| get(self.0, &key.replace('-', "_")))
    }

    fn integer(self, key: &str) -> Option<i64> {
        self.get(key, |fields, key| fields.integer(key))
    }

    fn count(self, key: &str) -> u64 {
        self.integer(key).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }

    fn flag(self, key: &str) -> bool {
        self.integer(key).is_some_and(|flag| flag != 0)
    }

    fn bytes(self, key: &str) -> Option<&'a [u8]> {
        self.get(key, |fields, key| fields.bytes(key))
    }

    fn dict(self, key: &str) -> Option<Fields<'d, 'a>> {
        self.get(key, |fields, key| fields.dict(key))
    }
}
