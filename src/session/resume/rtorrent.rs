//! rTorrent: three files a torrent in its session folder.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode;

use crate::bencode::Value;
use crate::metainfo::Metainfo;
use crate::session::seedbox::FilePriority;

use super::fields::{self, Fields, with_dict};
use super::foreign::{Foreign, Have, Modified, Subject};
use super::{Found, ReadError, folder, paths};

/// Custom fields that front ends of rTorrent use.
const LABEL: &str = "custom1";

pub(super) fn read(path: &Path) -> Result<Found, ReadError> {
    let files = folder::files(path, ".torrent")?;
    if files.is_empty() {
        let expected = "files called HASH.torrent; name the folder that session.path says";
        return Err(ReadError::Nothing { path: path.to_owned(), program: "rTorrent", expected });
    }
    let mut found = Found::default();
    for file in files {
        found.add(&file, read_one(&file));
    }
    Ok(found)
}

fn read_one(file: &Path) -> Result<Foreign, String> {
    let bytes = folder::read(file)?.ok_or("is not there")?;
    let torrent = Metainfo::parse(&bytes).map_err(|error| format!("cannot be used: {error}"))?;
    let mut foreign = Foreign::new(file, Subject::Torrent(torrent));
    let own = beside(file, ".rtorrent");
    let bytes = folder::read(&own)?.ok_or("has no file .torrent.rtorrent beside it: add the torrent by itself")?;
    let in_file = |path: &Path| format!("{}: ", path.display());
    with_dict(&bytes, |fields| read_own(fields, &mut foreign)).map_err(|text| in_file(&own) + &text)?;
    let resume = beside(file, ".libtorrent_resume");
    if let Some(bytes) = folder::read(&resume)? {
        with_dict(&bytes, |fields| read_resume(fields, &mut foreign)).map_err(|text| in_file(&resume) + &text)?;
    }
    Ok(foreign)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read_own(fields: Fields<'_, '_>, foreign: &mut Foreign) -> Result<(), String> {
    let root = fields.path("directory").ok_or("names no folder")?;
    let Subject::Torrent(torrent) = &foreign.subject else { return Ok(()) };
    paths::place_in(&mut foreign.choice, torrent, &root)?;
    foreign.choice.paused = !fields.flag("state");
    let label = fields.bytes(LABEL).map(|label| percent_decode(label).collect::<Vec<u8>>());
    foreign.choice.category = label.and_then(|label| fields::text(&label)).unwrap_or_default();
    let added = fields.dict("custom").and_then(|custom| custom.text("addtime")?.trim().parse().ok());
    let numbers = &mut foreign.numbers;
    numbers.uploaded = fields.count("total_uploaded");
    numbers.downloaded = fields.count("total_downloaded");
    numbers.completed_at = fields.time("timestamp.finished");
    numbers.added_at = added.or(fields.time("timestamp.started")).filter(|time| *time > 0).unwrap_or(0);
    Ok(())
}

fn read_resume(fields: Fields<'_, '_>, foreign: &mut Foreign) -> Result<(), String> {
    let pieces = foreign.torrent().map_or(0, |torrent| torrent.geometry().pieces());
    let have = match fields.value("bitfield") {
        Some(Value::Bytes(bits)) => Have::Pieces(certain(bits, fields)),
        Some(Value::Integer(count)) if *count == i64::from(pieces) => Have::All,
        Some(Value::Integer(0)) => Have::Pieces(vec![0; pieces.div_ceil(8) as usize]),
        _ => Have::Unknown,
    };
    let files = fields.list("files").unwrap_or_default();
    let number = |file: &Value<'_>, key: &str| file.as_dict().and_then(|file| Fields(file).integer(key));
    let priority = |file: &Value<'_>| match number(file, "priority") {
        Some(0) => FilePriority::Skip,
        Some(2..) => FilePriority::High,
        _ => FilePriority::Normal,
    };
    // below zero: not made, not to be made, not known, being written
    let modified = |file: &Value<'_>| match number(file, "mtime") {
        Some(time) if time > 0 => Modified::At(time),
        _ => Modified::Unknown,
    };
    foreign.modified = files.iter().map(modified).collect();
    foreign.set_priorities(files.iter().map(priority).collect());
    foreign.set_have(have);
    Ok(())
}

/// Pieces but for those that may not have been on disk when this was written.
fn certain(bits: &[u8], fields: Fields<'_, '_>) -> Vec<u8> {
    let mut bits = bits.to_vec();
    for piece in fields.bytes("uncertain_pieces").unwrap_or_default().chunks_exact(4) {
        let piece = u32::from_be_bytes(piece.try_into().expect("four bytes")) as usize;
        if let Some(byte) = bits.get_mut(piece / 8) {
            *byte &= !(0x80 >> (piece % 8));
        }
    }
    bits
}
