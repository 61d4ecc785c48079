//! An export of our own, read like the resume data of any other program: what it says is held against the disk in the same way.

use std::io::BufRead;
use std::path::Path;

use crate::metainfo::Metainfo;
use crate::session::state::{AllTime, Exported, FormatError, Line, Traffic, read_export};
use crate::storage::Identity;

use super::foreign::{Foreign, Have, Modified, Subject};
use super::{Found, Unusable};

/// What an export holds beside torrents.
#[derive(Debug, Default)]
pub struct Kept {
    /// Sums over all starts.
    pub all_time: AllTime,
    /// Traffic by month, such as `2026-11`.
    pub traffic: Vec<(String, Traffic)>,
    /// What was kept under names.
    pub values: Vec<(String, String)>,
}

/// Reads the export in `input`, the file at `path`.
pub fn read_exported(path: &Path, input: impl BufRead) -> Result<(Found, Kept), FormatError> {
    let (mut found, mut kept) = (Found::default(), Kept::default());
    for line in read_export(input)? {
        match line {
            Ok(Line::Torrent(exported)) => {
                let name = exported.name.clone();
                found.add(path, foreign(path, *exported).map_err(|text| format!("{name}: {text}")));
            }
            Ok(Line::AllTime(all_time)) => kept.all_time = all_time,
            Ok(Line::Traffic(traffic)) => kept.traffic.extend(traffic),
            Ok(Line::Values(values)) => kept.values.extend(values),
            Ok(Line::Other(_)) => {}
            Err(text) => found.problems.push(Unusable { path: path.to_owned(), text }),
        }
    }
    Ok((found, kept))
}

fn foreign(path: &Path, exported: Exported) -> Result<Foreign, String> {
    let hash = exported.info_hash().ok_or("has no info-hash")?;
    let subject = match exported.file() {
        Some(bytes) => {
            Metainfo::parse(&bytes).map(Subject::Torrent).map_err(|error| format!("cannot be used: {error}"))?
        }
        None => {
            let link = exported.magnet.as_deref().ok_or("has neither a torrent file nor a link")?;
            link.parse().map(Subject::Magnet).map_err(|error| format!("cannot be used: {error}"))?
        }
    };
    if subject.info_hash() != hash {
        return Err(format!("its torrent file is another one: {} in place of {hash}", subject.info_hash()));
    }
    let mut foreign = Foreign::new(path, subject);
    foreign.queue = Some(exported.numbers.queue);
    foreign.numbers = exported.numbers;
    foreign.modified = modified(&foreign, &exported);
    foreign.set_have(match exported.pieces() {
        _ if exported.complete => Have::All,
        Some(pieces) => Have::Pieces(pieces),
        None if exported.numbers.have == 0 => Have::Pieces(vec![0; pieces(&foreign).div_ceil(8)]),
        None => Have::Unknown,
    });
    foreign.choice = exported.choice;
    Ok(foreign)
}

fn pieces(foreign: &Foreign) -> usize {
    foreign.torrent().map_or(0, |torrent| torrent.geometry().pieces() as usize)
}

/// Times alone: inodes and devices are others on another disk.
fn modified(foreign: &Foreign, exported: &Exported) -> Vec<Modified> {
    let Some(torrent) = foreign.torrent() else { return Vec::new() };
    let at =
        |identity: &Option<Identity>| identity.map_or(Modified::Unknown, |identity| Modified::At(identity.modified));
    if exported.files.len() == torrent.files().len() {
        return exported.files.iter().map(at).collect();
    }
    // those of a complete one leave padding out
    let mut stored = exported.files.iter().map(at);
    let files = torrent.files().iter();
    files.map(|file| if file.is_padding() { None } else { stored.next() }.unwrap_or(Modified::Unknown)).collect()
}
