//! The state as a file of lines, to be kept or carried to another machine.
//!
//! Each line is a JSON object. The first says what this is: `{"format":"sower export","version":1}`. Each of the others has one of
//!
//! - `torrent`: the torrent file in base64 (`file`) or the link (`magnet`), `choice`, `numbers`, `complete`, `trusted`, `files` (what its
//!   files were when they were last known to be good) and, of an unfinished one, `pieces` in base64;
//! - `all_time`, `traffic`, `value`: as they are kept.
//!
//! What a later version adds is passed over.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::ids::InfoHash;
use crate::limits;
use crate::metainfo::Metainfo;
use crate::session::seedbox::{Choice, content_of};
use crate::storage::{Identity, Resume};

use super::{AllTime, Loaded, PersistentNumbers, Record, StateError, Store, Traffic};

const FORMAT: &str = "sower export";
const VERSION: u32 = 1;
/// Bytes of a line: a torrent file, a third longer in base64, and what stands around it.
const LINE: u64 = 2 * limits::TORRENT_FILE as u64;

/// What a line holds.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A torrent.
    Torrent(Box<Exported>),
    /// Sums over all starts.
    AllTime(AllTime),
    /// Traffic by month.
    Traffic(BTreeMap<String, Traffic>),
    /// What was kept under names.
    Values(BTreeMap<String, String>),
    /// Something of a later version.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// A torrent in a file.
#[derive(Serialize, Deserialize, Debug)]
pub struct Exported {
    /// Its info-hash, in hexadecimal digits.
    pub hash: String,
    /// For people who look.
    #[serde(default)]
    pub name: String,
    /// The torrent file in base64.
    #[serde(default)]
    pub file: Option<String>,
    /// The link, where there is no torrent file yet.
    #[serde(default)]
    pub magnet: Option<String>,
    /// What its owner chose.
    #[serde(default)]
    pub choice: Choice,
    /// Its numbers.
    #[serde(default)]
    pub numbers: PersistentNumbers,
    /// Everything wanted was here.
    #[serde(default)]
    pub complete: bool,
    /// It was taken on trust.
    #[serde(default)]
    pub trusted: bool,
    /// What its files were, in their order; of an unfinished one padding included, and none for one that was not there.
    #[serde(default)]
    pub files: Vec<Option<Identity>>,
    /// Pieces of an unfinished one, in base64.
    #[serde(default)]
    pub pieces: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// Why a file cannot be taken in.
#[derive(thiserror::Error, Debug)]
pub enum FormatError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as an export does.
    #[error(
        "is no export: its first line should be {{\"format\":\"{FORMAT}\",\"version\":{VERSION}}}; --from says whose file it is"
    )]
    Foreign,
    /// A later version wrote it.
    #[error("was written by a newer sower (version {0} of the form, this one knows up to {VERSION})")]
    Newer(u32),
}

impl Store {
    /// Writes everything that is kept; answers what could not be, by torrent. `resume`: notes of unfinished downloads.
    pub fn export(&self, loaded: &Loaded, resume: &Resume, out: &mut dyn Write) -> io::Result<Vec<String>> {
        let mut problems = Vec::new();
        line(out, &Head { format: FORMAT.to_owned(), version: VERSION })?;
        for record in &loaded.records {
            match self.exported(record, resume) {
                Ok(exported) => line(out, &Line::Torrent(Box::new(exported)))?,
                Err(error) => problems.push(format!("{}: {error}", record.about.name)),
            }
        }
        line(out, &Line::AllTime(loaded.all_time))?;
        line(
            out,
            &Line::Traffic(loaded.traffic.iter().map(|(month, traffic)| (month.to_string(), *traffic)).collect()),
        )?;
        line(out, &Line::Values(loaded.values.clone()))?;
        Ok(problems)
    }

    fn exported(&self, record: &Record, resume: &Resume) -> Result<Exported, StateError> {
        let mut exported = Exported {
            hash: record.info_hash.to_string(),
            name: record.about.name.clone(),
            file: None,
            magnet: record.magnet.as_deref().map(str::to_owned),
            choice: Choice::clone(&record.choice),
            numbers: record.numbers,
            complete: record.complete,
            trusted: record.trusted,
            files: self.identities(record.info_hash)?.unwrap_or_default().into_iter().map(Some).collect(),
            pieces: None,
        };
        if !record.about.has_metadata {
            return Ok(exported);
        }
        let path = self.torrent_path(record.info_hash);
        let gone = || StateError::Damaged { path, what: "it is gone".to_owned() };
        let bytes = self.read_torrent_bytes(record.info_hash)?.ok_or_else(gone)?;
        if !record.complete
            && let Ok(torrent) = Metainfo::parse(&bytes)
            // without the note it is checked, that is all
            && let Ok(Some(noted)) = resume.noted(&torrent, &content_of(&torrent, &record.choice))
        {
            exported.pieces = Some(STANDARD.encode(&noted.pieces));
            exported.files = noted.files;
        }
        exported.file = Some(STANDARD.encode(bytes));
        Ok(exported)
    }
}

impl Exported {
    /// The bytes of the torrent file.
    pub fn file(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.file.as_deref()?).ok()
    }

    /// Pieces of an unfinished one, a bit each.
    pub fn pieces(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.pieces.as_deref()?).ok()
    }

    /// Its swarm.
    pub fn info_hash(&self) -> Option<InfoHash> {
        InfoHash::from_hex(&self.hash)
    }
}

/// Reads an export, line by line; a line that makes no sense is an error of its own.
pub fn read_export(input: impl BufRead) -> Result<impl Iterator<Item = Result<Line, String>>, FormatError> {
    let mut lines = Lines { input, number: 0 };
    let head: Head = match lines.next().transpose()? {
        Some(text) => serde_json::from_slice(&text).map_err(|_| FormatError::Foreign)?,
        None => return Err(FormatError::Foreign),
    };
    match head {
        Head { format, .. } if format != FORMAT => Err(FormatError::Foreign),
        Head { version, .. } if version > VERSION => Err(FormatError::Newer(version)),
        _ => {
            let parse = |(text, number): (io::Result<Vec<u8>>, usize)| {
                let text = text.map_err(|error| format!("line {number}: {error}"))?;
                serde_json::from_slice(&text).map_err(|error| format!("line {number} makes no sense: {error}"))
            };
            Ok(lines.zip(2..).map(parse))
        }
    }
}

/// Lines of a bounded length; ends after one that is longer.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        let mut line = Vec::new();
        let read = io::Read::take(&mut self.input, LINE).read_until(b'\n', &mut line);
        self.number += 1;
        match read {
            Ok(0) => None,
            Ok(_) if line.len() as u64 == LINE => {
                Some(Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {} is too long", self.number))))
            }
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
