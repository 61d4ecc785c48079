//! Files and pieces of a torrent, as JSON. A file's place is that among the files that are stored: padding (BEP 47) is not shown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ids::FileIndex;
use crate::metainfo::{File, Geometry, Metainfo};
use crate::session::seedbox::{Choice, FilePriority, Row};

use super::details::Details;
use crate::api::json::Json;

/// The files that are shown, with what the torrent counts them by.
pub(super) fn stored(metainfo: &Metainfo) -> impl Iterator<Item = (u32, &File)> {
    (0..).zip(metainfo.files()).filter(|(_, file)| !file.is_padding())
}

/// `files`: path below the download folder, length, and how much of it is here.
pub(super) fn write_files(json: &mut Json, row: &Row, details: &Details) {
    each(json, details, |json, metainfo| {
        let renamed: HashMap<u32, &Path> =
            row.choice.renamed_files.iter().map(|(at, path)| (*at, path.as_path())).collect();
        for (index, file) in stored(metainfo) {
            json.object(|json| {
                json.pair("bytesCompleted", completed(metainfo.geometry(), details, index));
                json.pair("length", file.length());
                json.pair("name", path(&row.choice, metainfo, file, renamed.get(&index).copied()).to_string_lossy());
            });
        }
    });
}

/// `fileStats`: what changes of files.
pub(super) fn write_stats(json: &mut Json, row: &Row, details: &Details) {
    each(json, details, |json, metainfo| {
        for (index, _) in stored(metainfo) {
            json.object(|json| {
                json.pair("bytesCompleted", completed(metainfo.geometry(), details, index));
                json.pair("wanted", priority(row, index) != FilePriority::Skip);
                json.pair("priority", number(priority(row, index)));
            });
        }
    });
}

/// `priorities`: -1, 0 or 1 of each file.
pub(super) fn write_priorities(json: &mut Json, row: &Row, details: &Details) {
    each(json, details, |json, metainfo| {
        stored(metainfo).for_each(|(index, _)| json.value(number(priority(row, index))))
    });
}

/// `wanted`: 0 or 1 of each file.
pub(super) fn write_wanted(json: &mut Json, row: &Row, details: &Details) {
    each(json, details, |json, metainfo| {
        stored(metainfo).for_each(|(index, _)| json.value(u8::from(priority(row, index) != FilePriority::Skip)));
    });
}

/// `pieces`: a bit each, in base64.
pub(super) fn write_pieces(json: &mut Json, row: &Row, details: &Details) {
    let pieces = if row.about.has_metadata { STANDARD.encode(&details.pieces) } else { String::new() };
    json.value(pieces);
}

/// `availability`: -1 of a piece that is here, else how many connected peers have it at least.
pub(super) fn write_availability(json: &mut Json, row: &Row, details: &Details) {
    let copies = row.numbers.availability_per_mille / 1000;
    json.list(|json| {
        for piece in 0..row.about.pieces {
            json.value(if details.has_piece(piece) { -1 } else { i64::from(copies) });
        }
    });
}

fn each(json: &mut Json, details: &Details, fill: impl FnOnce(&mut Json, &Metainfo)) {
    json.list(|json| {
        if let Some(metainfo) = &details.metainfo {
            fill(json, metainfo);
        }
    });
}

/// Where it lies below the download folder.
fn path(choice: &Choice, metainfo: &Metainfo, file: &File, renamed: Option<&Path>) -> PathBuf {
    let root = choice.renamed_root.as_deref().map_or(Path::new(metainfo.file_name()), Path::new);
    match (metainfo.is_single_file(), renamed) {
        (true, renamed) => renamed.unwrap_or(root).to_owned(),
        (false, renamed) => root.join(renamed.unwrap_or(file.path())),
    }
}

fn priority(row: &Row, index: u32) -> FilePriority {
    usize::try_from(index).ok().and_then(|index| row.choice.files.get(index)).copied().unwrap_or_default()
}

fn number(priority: FilePriority) -> i8 {
    match priority {
        FilePriority::Low => -1,
        FilePriority::Skip | FilePriority::Normal => 0,
        FilePriority::High => 1,
    }
}

/// Bytes of a file that lie in pieces that are here.
fn completed(geometry: &Geometry, details: &Details, index: u32) -> u64 {
    let start = geometry.file_start(FileIndex(index)).unwrap_or(0);
    let end = start + geometry.file_length(FileIndex(index));
    let piece_length = u64::from(geometry.nominal_piece_length());
    let here = |piece: &u64| u32::try_from(*piece).is_ok_and(|piece| details.has_piece(piece));
    let bytes = |piece: u64| ((piece + 1) * piece_length).min(end) - (piece * piece_length).max(start);
    (start / piece_length..end.div_ceil(piece_length)).filter(here).map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::api::transmission::sample;
    use crate::metainfo::Builder;

    /// Three files of 40,000, 0 and 30,000 bytes with padding between, in pieces of 16 KiB.
    fn details(pieces: &[u8]) -> Details {
        let builder = Builder::folder(OsStr::new("folder"), 16_384)
            .file("a/one", 40_000)
            .padding(9_152)
            .file("two", 0)
            .file("three", 30_000);
        let file = builder.hashes(vec![[7; 20]; 5]).write().expect("a torrent");
        let metainfo = Some(Arc::new(Metainfo::parse(&file).expect("a torrent")));
        Details { metainfo, pieces: pieces.to_vec(), ..Details::default() }
    }

    fn written(write: impl FnOnce(&mut Json)) -> Value {
        let mut json = Json::default();
        write(&mut json);
        serde_json::from_slice(&json.into_bytes()).expect("JSON")
    }

    #[test]
    fn what_is_here_of_a_file_is_what_its_good_pieces_hold() {
        let completed = |pieces: u8| {
            let files = written(|json| write_files(json, &sample::row(1), &details(&[pieces])));
            files.as_array().expect("a list").iter().map(|file| file["bytesCompleted"].as_u64()).collect::<Vec<_>>()
        };
        assert_eq!(completed(0b1111_1000), [Some(40_000), Some(0), Some(30_000)]);
        assert_eq!(completed(0b0010_1000), [Some(7_232), Some(0), Some(13_616)]);
        assert_eq!(completed(0), [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn padding_is_not_shown_and_names_are_those_on_disk() {
        let mut row = sample::row(1);
        let files = vec![FilePriority::Normal, FilePriority::Normal, FilePriority::Skip, FilePriority::High];
        let renamed_files = vec![(3, PathBuf::from("third"))];
        row.choice = Arc::new(Choice { files, renamed_files, renamed_root: Some("other".into()), ..Choice::default() });
        let details = details(&[0]);
        let names = written(|json| write_files(json, &row, &details));
        let names: Vec<&str> =
            names.as_array().expect("a list").iter().filter_map(|file| file["name"].as_str()).collect();
        assert_eq!(names, ["other/a/one", "other/two", "other/third"]);
        assert_eq!(written(|json| write_wanted(json, &row, &details)), json!([1, 0, 1]));
        assert_eq!(written(|json| write_priorities(json, &row, &details)), json!([0, 0, 1]));
        assert_eq!(written(|json| write_pieces(json, &row, &details)), json!("AA=="));
    }
}
