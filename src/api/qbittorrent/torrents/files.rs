//! The files of one torrent. They are counted without padding here, with it everywhere else.

use std::path::{Path, PathBuf};

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk};
use crate::api::json::Json;
use crate::ids::{FileIndex, PieceIndex};
use crate::metainfo::{Geometry, Metainfo};
use crate::session::seedbox::{Change, Choice, FilePriority, Row};

/// `torrents/files`
pub(super) async fn list(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    if !row.about.has_metadata {
        return Ok(Answer::Json(b"[]".to_vec()));
    }
    let metainfo = desk.seedbox().metainfo(row.id).await?;
    let stored = stored(&metainfo);
    let wanted = wanted(call, stored.len())?;
    let pieces = match row.is_complete() && row.choice.files.is_empty() {
        true => None,
        false => Some(desk.seedbox().pieces(row.id).await?),
    };
    let mut json = Json::default();
    json.list(|json| {
        for number in wanted {
            let listing = Listing { metainfo: &metainfo, row, pieces: pieces.as_deref() };
            listing.write(number, stored[number], json);
        }
    });
    Ok(Answer::Json(json.into_bytes()))
}

/// Indexes of files that are no padding.
fn stored(metainfo: &Metainfo) -> Vec<u32> {
    (0u32..).zip(metainfo.files()).filter(|(_, file)| !file.is_padding()).map(|(index, _)| index).collect()
}

/// Numbers in field `indexes`; without it all.
fn wanted(call: &Call, files: usize) -> Result<Vec<usize>, Fault> {
    if call.form.get("indexes").is_none() {
        return Ok((0..files).collect());
    }
    let number = |text: &str| match text.parse::<usize>() {
        Ok(number) if number < files => Ok(number),
        Ok(_) => Err(Fault::conflict(format!("Index {text} is out of bounds."))),
        Err(_) => Err(Fault::conflict(format!("{text:?} is not a valid file index."))),
    };
    // each is written once, however often it is named
    let mut numbers = call.form.or_empty("indexes").split('|').map(number).collect::<Result<Vec<_>, _>>()?;
    let mut seen = vec![false; files];
    numbers.retain(|number| !std::mem::replace(&mut seen[*number], true));
    Ok(numbers)
}

struct Listing<'call> {
    metainfo: &'call Metainfo,
    row: &'call Row,
    /// A bit for each that is here; `None` if all are.
    pieces: Option<&'call [u8]>,
}

impl Listing<'_> {
    /// Writes the file that is called `number` here and `index` elsewhere.
    fn write(&self, number: usize, index: u32, json: &mut Json) {
        let geometry = self.metainfo.geometry();
        let (first, last) = piece_range(geometry, FileIndex(index));
        let progress = self.pieces.map_or(1.0, |pieces| progress(geometry, FileIndex(index), pieces));
        let availability =
            if progress >= 1.0 { 1.0 } else { f64::from(self.row.numbers.availability_per_mille) / 1000.0 };
        json.object(|json| {
            json.key("index").value(i64::try_from(number).unwrap_or(-1));
            json.key("name").text(&path(self.metainfo, &self.row.choice, index).to_string_lossy());
            json.key("size").value(i64::try_from(geometry.file_length(FileIndex(index))).unwrap_or(i64::MAX));
            json.key("progress").value(progress);
            json.key("priority").value(number_of(priority(&self.row.choice, index)));
            json.key("availability").value(availability);
            json.key("piece_range").list(|json| {
                json.value(first);
                json.value(last);
            });
            if number == 0 {
                json.key("is_seed").value(self.row.is_complete());
            }
        });
    }
}

/// Below the folder of the torrent's choice, as it is named now.
fn path(metainfo: &Metainfo, choice: &Choice, index: u32) -> PathBuf {
    let renamed = choice.renamed_files.iter().find(|(file, _)| *file == index).map(|(_, path)| path.as_path());
    let root = choice.renamed_root.as_deref().map_or(Path::new(metainfo.file_name()), Path::new);
    let file = metainfo.files().get(index as usize).map_or(Path::new(""), |file| file.path());
    match metainfo.is_single_file() {
        true => renamed.unwrap_or(root).to_owned(),
        false => root.join(renamed.unwrap_or(file)),
    }
}

fn priority(choice: &Choice, index: u32) -> FilePriority {
    choice.files.get(index as usize).copied().unwrap_or_default()
}

/// There is no lower one than normal in qBittorrent.
fn number_of(priority: FilePriority) -> i64 {
    match priority {
        FilePriority::Skip => 0,
        FilePriority::Low | FilePriority::Normal => 1,
        FilePriority::High => 6,
    }
}

/// The first and the last piece that a file has bytes in; of an empty one the piece that it would begin in.
fn piece_range(geometry: &Geometry, file: FileIndex) -> (u32, u32) {
    let length = u64::from(geometry.nominal_piece_length()).max(1);
    let start = geometry.file_start(file).unwrap_or(0);
    let last_byte = start + geometry.file_length(file).saturating_sub(1);
    let piece = |byte: u64| u32::try_from(byte / length).unwrap_or(u32::MAX).min(geometry.pieces().saturating_sub(1));
    (piece(start), piece(last_byte))
}

/// How much of a file lies in pieces that are here.
#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
fn progress(geometry: &Geometry, file: FileIndex, pieces: &[u8]) -> f64 {
    let size = geometry.file_length(file);
    if size == 0 {
        return 1.0;
    }
    let start = geometry.file_start(file).unwrap_or(0);
    let nominal = u64::from(geometry.nominal_piece_length());
    let (first, last) = piece_range(geometry, file);
    let here = (first..=last).filter(|piece| is_here(pieces, *piece)).map(|piece| {
        let begin = u64::from(piece) * nominal;
        let end = begin + u64::from(geometry.piece_length(PieceIndex(piece)));
        end.min(start + size) - begin.max(start).min(end)
    });
    here.sum::<u64>() as f64 / size as f64
}

fn is_here(pieces: &[u8], piece: u32) -> bool {
    pieces.get(piece as usize / 8).is_some_and(|byte| byte << (piece % 8) & 0x80 != 0)
}

/// `torrents/filePrio`
pub(super) async fn set_priority(desk: &Desk, call: &Call) -> Outcome {
    let (list, text) = (call.form.need("id")?, call.form.need("priority")?);
    let number: i64 = text.trim().parse().map_err(|_| Fault::invalid("Priority must be an integer"))?;
    let priority = match number {
        0 => FilePriority::Skip,
        1 => FilePriority::Normal,
        6 | 7 => FilePriority::High,
        _ => return Err(Fault::invalid("Priority is not valid")),
    };
    let row = call.row()?;
    if !row.about.has_metadata {
        return Err(super::no_metadata());
    }
    let stored = stored(&*desk.seedbox().metainfo(row.id).await?);
    let mut indexes = Vec::new();
    for number in list.split('|') {
        let number: i64 = number.trim().parse().map_err(|_| Fault::invalid("File IDs must be integers"))?;
        let index = usize::try_from(number).ok().and_then(|number| stored.get(number));
        indexes.push(*index.ok_or_else(|| Fault::conflict("File ID is not valid"))?);
    }
    indexes.sort_unstable();
    indexes.dedup();
    desk.change(vec![row.id], Change::Files { indexes, priority }).await?;
    Ok(Answer::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry() -> Geometry {
        Geometry::new(10, [(25, false), (0, false), (5, true), (12, false)]).expect("a geometry")
    }

    #[test]
    fn progress_of_a_file_counts_its_bytes_in_pieces_that_are_here() {
        let geometry = geometry();
        let of = |file: u32, pieces: u8| progress(&geometry, FileIndex(file), &[pieces]);
        assert_eq!(of(0, 0b1010_0000), 15.0 / 25.0);
        assert_eq!(of(0, 0b1110_0000), 1.0);
        assert_eq!(of(1, 0), 1.0, "nothing is missing of nothing");
        assert_eq!(of(3, 0b0000_1000), 2.0 / 12.0);
        assert_eq!(progress(&geometry, FileIndex(3), &[]), 0.0);
    }

    #[test]
    fn a_file_reaches_from_its_first_to_its_last_piece() {
        let geometry = geometry();
        assert_eq!(piece_range(&geometry, FileIndex(0)), (0, 2));
        assert_eq!(piece_range(&geometry, FileIndex(3)), (3, 4));
    }

    #[test]
    fn a_progress_is_what_a_count_byte_by_byte_finds() {
        let geometry = geometry();
        for pieces in 0..=0b1_1111u8 {
            let pieces = [pieces << 3];
            for file in [0u32, 3] {
                let start = geometry.file_start(FileIndex(file)).expect("a file");
                let bytes = start..start + geometry.file_length(FileIndex(file));
                let size = bytes.clone().count();
                let here = bytes.filter(|byte| is_here(&pieces, u32::try_from(byte / 10).expect("small"))).count();
                assert_eq!(progress(&geometry, FileIndex(file), &pieces), here as f64 / size as f64);
            }
        }
    }
}
