//! What another program says, held against the disk.

use std::fs::File;
use std::path::Path;

use crate::ids::FileIndex;
use crate::session::seedbox::content_of;
use crate::storage::{Cause, Content, Identity};

use super::foreign::{Foreign, Have, Modified, is_set};

/// Endings that programs give files that are not complete.
const UNFINISHED: [&str; 2] = [".part", ".!qB"];

/// What of a torrent is here.
#[derive(Debug)]
pub enum Verdict {
    /// Everything, in these files, in their order.
    Whole(Vec<Identity>),
    /// Some of it.
    Part {
        /// A bit a piece.
        pieces: Vec<u8>,
        /// Bytes of these.
        have: u64,
        /// The files as they are, padding included.
        files: Vec<Option<Identity>>,
    },
    /// Nothing is said to be.
    Nothing,
    /// Only a check can tell.
    Unsure(String),
    /// None of its files is there, though they should be: a disk that is not mounted?
    Absent(String),
}

impl Foreign {
    /// Compares what the program says with the files.
    pub fn judge(&self) -> Verdict {
        let Some(torrent) = self.torrent() else { return Verdict::Nothing };
        let content = content_of(torrent, &self.choice);
        let bits = match &self.have {
            Have::Unknown => return Verdict::Unsure("the program does not say what of it is here".to_owned()),
            Have::Pieces(bits) if bits.iter().all(|byte| *byte == 0) => return Verdict::Nothing,
            Have::Pieces(bits) => Some(bits),
            Have::All => None,
        };
        let files = match self.look(&content) {
            Ok(files) if files.iter().all(Option::is_none) && content.stored().next().is_some() => {
                let file = content.stored().next().unwrap_or(FileIndex(0));
                return unfinished(&content)
                    .unwrap_or_else(|| Verdict::Absent(content.path(file).display().to_string()));
            }
            Ok(files) => files,
            Err(verdict) => return verdict,
        };
        match bits {
            None => match content.identities() {
                Ok(identities) => Verdict::Whole(identities),
                Err(fault) => Verdict::Unsure(fault.to_string()),
            },
            Some(bits) => {
                let have = bytes(torrent, bits);
                unfinished(&content).unwrap_or(Verdict::Part { pieces: bits.clone(), have, files })
            }
        }
    }

    /// The files as they are, if the program would take them for its own.
    fn look(&self, content: &Content) -> Result<Vec<Option<Identity>>, Verdict> {
        let count = self.torrent().map_or(0, |torrent| torrent.files().len());
        let mut files = vec![None; count];
        for file in content.stored() {
            let index = file.0 as usize;
            let identity = match content.identity(file) {
                Ok(identity) => identity,
                Err(fault) if matches!(fault.cause, Cause::Missing) => continue,
                Err(fault) => return Err(Verdict::Unsure(fault.to_string())),
            };
            let path = content.path(file);
            if identity.size > content.length(file) {
                return Err(Verdict::Unsure(format!("{} is longer than its torrent says", path.display())));
            }
            self.compare_time(index, &identity, &path)?;
            files[index] = Some(identity);
        }
        Ok(files)
    }

    fn compare_time(&self, index: usize, identity: &Identity, path: &Path) -> Result<(), Verdict> {
        let fits = match self.modified.get(index).copied().unwrap_or(Modified::Unknown) {
            Modified::Unknown => true,
            Modified::At(time) => identity.modified == time,
            Modified::NotAfter(time) => identity.modified <= time,
        };
        let changed = || Verdict::Unsure(format!("{} was changed since the program looked at it", path.display()));
        if fits { Ok(()) } else { Err(changed()) }
    }
}

/// Files of unfinished downloads that some programs call otherwise.
fn unfinished(content: &Content) -> Option<Verdict> {
    content.stored().find_map(|file| {
        let path = content.path(file);
        let ending = UNFINISHED.iter().find(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            File::open(&name).is_ok()
        })?;
        let text = format!(
            "{}{ending} is there in its place: have the program finish it, or take `{ending}` off the names of its files, and import again",
            path.display()
        );
        Some(Verdict::Unsure(text))
    })
}

fn bytes(torrent: &crate::metainfo::Metainfo, bits: &[u8]) -> u64 {
    let geometry = torrent.geometry();
    let here = (0..geometry.pieces()).filter(|piece| is_set(bits, *piece as usize));
    here.map(|piece| u64::from(geometry.piece_length(crate::ids::PieceIndex(piece)))).sum()
}
