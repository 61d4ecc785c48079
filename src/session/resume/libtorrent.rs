//! Resume data of libtorrent (`file-format`: `libtorrent resume file`), versions 1 and 2, and Deluge's file of many.

use std::path::Path;

use crate::bencode::Value;
use crate::ids::InfoHash;
use crate::limits;
use crate::metainfo::{Magnet, Metainfo};
use crate::session::seedbox::FilePriority;

use super::fields::{self, Fields, with_dict};
use super::foreign::{Foreign, Have, Modified, Subject, bits};
use super::{Found, ReadError, Unusable, folder, paths};

/// What libtorrent writes for no limit of connections.
const NO_LIMIT: i64 = (1 << 24) - 1;

/// How a program that is built on libtorrent uses it.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// What a program means by the priorities of files.
    pub(super) priority: fn(i64) -> FilePriority,
    /// It sets the limit of connections of all torrents alike: nobody chose it.
    pub(super) connections: bool,
}

const PLAIN: Dialect = Dialect { priority, connections: true };

/// Reads a resume file, or a folder of them.
pub(super) fn read(path: &Path) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let metadata = path.metadata().map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let files = if metadata.is_dir() {
        let mut files = folder::files(path, ".resume")?;
        files.extend(folder::files(path, ".fastresume")?);
        files
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        let expected = "files called NAME.resume or NAME.fastresume";
        return Err(ReadError::Nothing { path: path.to_owned(), program: "libtorrent", expected });
    }
    for file in files {
        let torrent = folder::read(&file.with_extension("torrent"));
        let read = folder::read(&file).and_then(|bytes| bytes.ok_or_else(|| "is not there".to_owned()));
        let foreign = read.and_then(|bytes| parse(&file, &bytes, torrent?.as_deref(), PLAIN, |_, _| Ok(())));
        found.add(&file, foreign);
    }
    Ok(found)
}

/// Deluge keeps resume data of all torrents in one dictionary.
pub(super) fn read_deluge(path: &Path) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let file = path.join("torrents.fastresume");
    let nothing = || ReadError::Nothing {
        path: path.to_owned(),
        program: "Deluge",
        expected: "a file called torrents.fastresume; name the folder called `state`",
    };
    let bytes = match folder::read(&file) {
        Ok(bytes) => bytes.ok_or_else(nothing)?,
        Err(text) => return Ok(Found { problems: vec![Unusable { path: file, text }], ..found }),
    };
    let outcome = with_dict(&bytes, |all| {
        for (hash, value) in all.0.iter() {
            let (hash, resume) = (String::from_utf8_lossy(hash), value.as_bytes().unwrap_or_default());
            let torrent = InfoHash::from_hex(&hash).map(|hash| path.join(format!("{hash}.torrent")));
            let foreign = torrent
                .ok_or_else(|| format!("names {hash:?}, which is no info-hash"))
                .and_then(|torrent| parse(&torrent, resume, folder::read(&torrent)?.as_deref(), PLAIN, |_, _| Ok(())));
            found.add(&file, foreign);
        }
        Ok(())
    });
    found.problems.extend(outcome.err().map(|text| Unusable { path: file, text }));
    Ok(found)
}

impl Found {
    pub(super) fn add(&mut self, path: &Path, foreign: Result<Foreign, String>) {
        match foreign {
            Ok(foreign) => self.torrents.push(foreign),
            Err(text) => self.problems.push(Unusable { path: path.to_owned(), text }),
        }
    }
}

/// Reads resume data; `more` reads what a program adds.
pub(super) fn parse(
    path: &Path,
    bytes: &[u8],
    torrent: Option<&[u8]>,
    dialect: Dialect,
    more: impl FnOnce(Fields<'_, '_>, &mut Foreign) -> Result<(), String>,
) -> Result<Foreign, String> {
    with_dict(bytes, |fields| {
        if fields.bytes("file-format") != Some(b"libtorrent resume file") {
            return Err("is not a resume file of libtorrent".to_owned());
        }
        let mut foreign = Foreign::new(path, subject(fields, torrent)?);
        let web_seeds = fields.list("url-list").unwrap_or_default().iter().take(limits::URLS);
        let web_seeds = web_seeds.filter_map(|url| url.as_bytes().and_then(fields::text)).collect();
        foreign.set_sources(fields::tiers(fields.list("trackers").unwrap_or_default()), web_seeds);
        place(fields, &mut foreign)?;
        read_numbers(fields, &mut foreign);
        read_choice(fields, &mut foreign, dialect);
        read_pieces(fields, &mut foreign);
        more(fields, &mut foreign)?;
        Ok(foreign)
    })
}

/// The torrent file beside it, else the metadata in it, else a link.
fn subject(fields: Fields<'_, '_>, torrent: Option<&[u8]>) -> Result<Subject, String> {
    let hash = fields.bytes("info-hash").and_then(|hash| hash.try_into().ok()).map(InfoHash);
    let inside = fields.dict("info").map(|info| [b"d4:info", info.0.raw(), b"e"].concat());
    if let Some(bytes) = torrent.map(<[u8]>::to_vec).or(inside) {
        let torrent = Metainfo::parse(&bytes).map_err(|error| format!("its torrent cannot be used: {error}"))?;
        return match hash {
            Some(hash) if hash != torrent.info_hash() && hash != InfoHash([0; 20]) => {
                Err(format!("its torrent file is another one: {} in place of {hash}", torrent.info_hash()))
            }
            _ => Ok(Subject::Torrent(torrent)),
        };
    }
    let info_hash = hash.filter(|hash| *hash != InfoHash([0; 20]));
    let info_hash = info_hash.ok_or("names no v1 torrent, and there is no torrent file beside it")?;
    if fields.bytes("pieces").is_some_and(|pieces| !pieces.is_empty()) {
        let text =
            "has pieces already, but no metadata: put its torrent file beside it, under the same name and .torrent";
        return Err(text.to_owned());
    }
    let name = fields.text("name");
    let magnet = Magnet { info_hash, name, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new() };
    Ok(Subject::Magnet(magnet))
}

fn place(fields: Fields<'_, '_>, foreign: &mut Foreign) -> Result<(), String> {
    let folder = fields.path("save_path").ok_or("names no folder")?;
    let Subject::Torrent(torrent) = &foreign.subject else {
        foreign.choice.folder = folder;
        return Ok(());
    };
    let mapped = fields.list("mapped_files").unwrap_or_default();
    let named = |index: usize| {
        let name = mapped.get(index).and_then(Value::as_bytes).filter(|name| !name.is_empty());
        name.map(fields::path)
    };
    paths::place(&mut foreign.choice, torrent, &folder, &named)
}

fn read_numbers(fields: Fields<'_, '_>, foreign: &mut Foreign) {
    // before 1.2 these were seconds ago
    let moment = |key| fields.time(key).filter(|time| *time > 1_000_000_000);
    let numbers = &mut foreign.numbers;
    numbers.uploaded = fields.count("total_uploaded");
    numbers.downloaded = fields.count("total_downloaded");
    numbers.seeding_seconds = fields.count("seeding_time");
    numbers.running_seconds = fields.count("active_time").max(numbers.seeding_seconds);
    numbers.added_at = fields.time("added_time").unwrap_or(0);
    numbers.completed_at = fields.time("completed_time");
    numbers.active_at = moment("last_upload").max(moment("last_download"));
}

fn read_choice(fields: Fields<'_, '_>, foreign: &mut Foreign, dialect: Dialect) {
    let choice = &mut foreign.choice;
    let (paused, managed) = (fields.flag("paused"), fields.flag("auto_managed"));
    (choice.paused, choice.forced) = (paused && !managed, !paused && !managed);
    choice.upload_limit = fields.limit("upload_rate_limit");
    choice.download_limit = fields.limit("download_rate_limit");
    choice.sequential = fields.flag("sequential_download");
    choice.super_seed = fields.flag("super_seeding");
    if dialect.connections {
        let limit = fields.integer("max_connections").filter(|limit| (1..NO_LIMIT).contains(limit));
        choice.peer_limit = limit.and_then(|limit| u32::try_from(limit).ok());
    }
    let priorities = fields.list("file_priority").unwrap_or_default().iter();
    let priorities = priorities.map(|value| value.as_integer().map_or(FilePriority::Normal, dialect.priority));
    foreign.set_priorities(priorities.collect());
}

/// Version 1 has a byte a piece, version 2 a bit.
fn read_pieces(fields: Fields<'_, '_>, foreign: &mut Foreign) {
    let Some(pieces) = foreign.torrent().map(|torrent| torrent.geometry().pieces() as usize) else { return };
    let bytes = fields.bytes("pieces").unwrap_or_default();
    let version = fields.integer("file-version").unwrap_or(1);
    let have = match version {
        _ if fields.flag("seed_mode") => Have::All,
        ..2 if bytes.len() == pieces => Have::Pieces(bits(bytes.iter().map(|byte| byte & 1 == 1))),
        2.. if !bytes.is_empty() => Have::Pieces(bytes.to_vec()),
        _ => Have::Unknown,
    };
    foreign.set_have(have);
    // before 1.2: size and time of each file
    let sizes = fields.list("file sizes").unwrap_or_default().iter();
    let time = |pair: &Value<'_>| match pair.as_list() {
        Some([_, Value::Integer(time)]) if *time > 0 => Modified::At(*time),
        _ => Modified::Unknown,
    };
    foreign.modified = sizes.take(limits::FILES).map(time).collect();
}

fn priority(number: i64) -> FilePriority {
    match number {
        ..=0 => FilePriority::Skip,
        1..=3 => FilePriority::Low,
        4 => FilePriority::Normal,
        5.. => FilePriority::High,
    }
}
