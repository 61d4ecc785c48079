//! A torrent of another program.

use std::path::{Path, PathBuf};

use crate::ids::InfoHash;
use crate::metainfo::{Magnet, Metainfo};
use crate::session::seedbox::{Addition, Choice, FilePriority, Source};
use crate::session::state::PersistentNumbers;

use super::judge::Verdict;

/// A torrent as another program knows it.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The file that tells most of it, for messages.
    pub path: PathBuf,
    /// Its torrent.
    pub subject: Subject,
    /// What its owner chose.
    pub choice: Choice,
    /// What was counted. Bytes that are here are for [`Foreign::judge`] to tell.
    pub numbers: PersistentNumbers,
    /// The pieces that the program had.
    pub have: Have,
    /// What the program noted of the files' times of modification, padding included; shorter where it noted nothing.
    pub modified: Vec<Modified>,
    /// Its place in the queue, where the program has one.
    pub queue: Option<u32>,
}

/// What names it.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A torrent file.
    Torrent(Metainfo),
    /// A link, because the program has no metadata yet.
    Magnet(Magnet),
}

/// Pieces that a program had.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Have {
    /// It does not say.
    #[default]
    Unknown,
    /// All.
    All,
    /// Those whose bits are set, the first the highest of the first byte.
    Pieces(Vec<u8>),
}

/// When a file was last changed, as a program noted it in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modified {
    /// Not noted.
    Unknown,
    /// Then.
    At(i64),
    /// Then or earlier: it was checked then.
    NotAfter(i64),
}

impl Subject {
    /// Its swarm.
    pub fn info_hash(&self) -> InfoHash {
        match self {
            Subject::Torrent(torrent) => torrent.info_hash(),
            Subject::Magnet(magnet) => magnet.info_hash,
        }
    }

    /// A name to show.
    pub fn name(&self) -> String {
        match self {
            Subject::Torrent(torrent) => torrent.name().into_owned(),
            Subject::Magnet(magnet) => magnet.name.clone().unwrap_or_else(|| magnet.info_hash.to_string()),
        }
    }
}

impl Foreign {
    pub(super) fn new(path: &Path, subject: Subject) -> Foreign {
        Foreign {
            path: path.to_owned(),
            subject,
            choice: Choice::default(),
            numbers: PersistentNumbers::default(),
            have: Have::Unknown,
            modified: Vec::new(),
            queue: None,
        }
    }

    /// The name to show, if the program has another one than the torrent.
    pub(super) fn set_name(&mut self, name: Option<String>) {
        self.choice.name = name.filter(|name| *name != self.subject.name());
    }

    /// Trackers and web seeds that the program has, in place of the torrent's. They become part of a torrent file that has none:
    /// programs write them beside it.
    pub(super) fn set_sources(&mut self, trackers: Vec<Vec<String>>, web_seeds: Vec<String>) {
        match &mut self.subject {
            Subject::Torrent(torrent) => {
                *torrent = torrent.with_web_seeds(web_seeds);
                let tidy = torrent.with_trackers(trackers);
                if torrent.trackers().is_empty() {
                    *torrent = tidy;
                } else if torrent.trackers() != tidy.trackers() {
                    self.choice.trackers = Some(tidy.trackers().to_vec());
                }
            }
            Subject::Magnet(magnet) => {
                magnet.trackers.extend(trackers.concat());
                magnet.trackers.dedup();
            }
        }
    }

    /// How much files are wanted; nothing is kept of what is usual everywhere.
    pub(super) fn set_priorities(&mut self, priorities: Vec<FilePriority>) {
        let Subject::Torrent(torrent) = &self.subject else { return };
        let fits = priorities.len() <= torrent.files().len();
        if fits && priorities.iter().any(|priority| *priority != FilePriority::Normal) {
            self.choice.files = priorities;
            // some leave out files at the end
            self.choice.files.resize(torrent.files().len(), FilePriority::Normal);
        }
    }

    /// Keeps `have` if it is about as many pieces as there are.
    pub(super) fn set_have(&mut self, have: Have) {
        let Subject::Torrent(torrent) = &self.subject else { return };
        let pieces = torrent.geometry().pieces() as usize;
        self.have = match have {
            Have::Pieces(bits) if bits.len() != pieces.div_ceil(8) => Have::Unknown,
            Have::Pieces(bits) if count(&bits, pieces) == pieces => Have::All,
            have => have,
        };
    }

    /// What adds it to a running seedbox, with what `verdict` says of its content. Pieces of unfinished ones are found by a check there.
    pub fn into_addition(self, verdict: &Verdict) -> Addition {
        let source = match self.subject {
            Subject::Torrent(torrent) => Source::File(torrent.to_bytes()),
            Subject::Magnet(magnet) => Source::Magnet(magnet.to_string()),
        };
        Addition {
            choice: self.choice,
            trusted: matches!(verdict, Verdict::Whole(_) | Verdict::Absent(_)),
            before: (self.numbers.uploaded, self.numbers.downloaded),
            added_at: Some(self.numbers.added_at).filter(|time| *time > 0),
            ..Addition::new(source)
        }
    }

    pub(super) fn torrent(&self) -> Option<&Metainfo> {
        match &self.subject {
            Subject::Torrent(torrent) => Some(torrent),
            Subject::Magnet(_) => None,
        }
    }
}

/// Bits that are set, of the first `pieces`.
fn count(bits: &[u8], pieces: usize) -> usize {
    (0..pieces).filter(|piece| is_set(bits, *piece)).count()
}

pub(super) fn is_set(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// As many bits as `flags` are.
pub(super) fn bits(flags: impl ExactSizeIterator<Item = bool>) -> Vec<u8> {
    let mut bits = vec![0; flags.len().div_ceil(8)];
    for (at, flag) in flags.enumerate() {
        bits[at / 8] |= u8::from(flag) << (7 - at % 8);
    }
    bits
}
