//! What of an unfinished download is on disk, kept for the next start.
//!
//! One file, replaced as a whole every few seconds while pieces are written. Its own time of modification is part of what it
//! says: until when our own writing explains that a file of the content has changed. So it is set anew before writing begins after a
//! pause (see [`Resume::touch_partial`]).
//!
//! Binary, as a torrent may have four million pieces:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `sower partial 1\n`: kind and version |
//! | 20 | info-hash |
//! | 1 | 1: the download was going on, 0: it was ended, and nothing was written afterwards |
//! | 4 | pieces |
//! | pieces / 8, rounded up | one bit for each, the first the highest of the first byte: written, and synced since |
//! | 4 | files, padding included |
//! | 1 for each file | 0: not there |
//! | ... 40 more | 1: its size, seconds and nanoseconds of modification, inode, device |
//! | 20 | SHA-1 of all before it |
//!
//! Numbers are big-endian. What is damaged, cut short or of another torrent is no checkpoint.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use sha1::Digest as _;

use crate::ids::InfoHash;
use crate::limits;
use crate::metainfo::Metainfo;

use super::resume::{path_key, read};
use super::{Content, Disk, Identity, Resume, ResumeError, ResumeFault};

const MAGIC: &[u8; 16] = b"sower partial 1\n";
const IDENTITY: usize = 40;
const DIGEST: usize = 20;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Checkpoint {
    /// The download was going on: more may have been written afterwards.
    pub(super) going_on: bool,
    /// One bit a piece.
    pub(super) pieces: Box<[u8]>,
    /// By file, padding included; `None`: it was not there.
    pub(super) identities: Vec<Option<Identity>>,
}

/// Pieces of an unfinished download, and the files that they are in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// One bit a piece, the first the highest of the first byte.
    pub pieces: Box<[u8]>,
    /// By file, padding included; `None`: it was not there.
    pub files: Vec<Option<Identity>>,
}

impl Checkpoint {
    fn encode(&self, torrent: &Metainfo) -> Vec<u8> {
        let mut out = Vec::with_capacity(longest(torrent));
        out.extend(MAGIC);
        out.extend(torrent.info_hash().0);
        out.push(u8::from(self.going_on));
        out.extend(torrent.geometry().pieces().to_be_bytes());
        out.extend(&self.pieces);
        out.extend(u32::try_from(self.identities.len()).expect("files are bounded").to_be_bytes());
        for identity in &self.identities {
            out.push(u8::from(identity.is_some()));
            if let Some(Identity { size, modified, modified_nanos, inode, device }) = identity {
                out.extend(size.to_be_bytes());
                out.extend(modified.to_be_bytes());
                out.extend(modified_nanos.to_be_bytes());
                out.extend(inode.to_be_bytes());
                out.extend(device.to_be_bytes());
            }
        }
        let digest = sha1::Sha1::digest(&out);
        out.extend(digest);
        out
    }

    fn decode(bytes: &[u8], torrent: &Metainfo) -> Option<Checkpoint> {
        let (body, digest) = bytes.split_last_chunk::<DIGEST>()?;
        if sha1::Sha1::digest(body)[..] != digest[..] {
            return None;
        }
        let mut rest = Reader(body);
        let geometry = torrent.geometry();
        let same = rest.take()? == *MAGIC && InfoHash(rest.take()?) == torrent.info_hash();
        let [going_on] = rest.take()?;
        if !same || u32::from_be_bytes(rest.take()?) != geometry.pieces() {
            return None;
        }
        let pieces = rest.slice(geometry.pieces().div_ceil(8) as usize)?.into();
        let files = u32::from_be_bytes(rest.take()?) as usize;
        if files != geometry.files() {
            return None;
        }
        let identities = (0..files).map(|_| rest.identity()).collect::<Option<_>>()?;
        rest.0.is_empty().then_some(Checkpoint { going_on: going_on == 1, pieces, identities })
    }
}

/// Bytes of a checkpoint in which all files are there.
fn longest(torrent: &Metainfo) -> usize {
    let geometry = torrent.geometry();
    let pieces = geometry.pieces().div_ceil(8) as usize;
    MAGIC.len() + DIGEST + 1 + 4 + pieces + 4 + geometry.files() * (1 + IDENTITY) + DIGEST
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn identity(&mut self) -> Option<Option<Identity>> {
        match self.take()? {
            [0] => Some(None),
            [1] => Some(Some(Identity {
                size: u64::from_be_bytes(self.take()?),
                modified: i64::from_be_bytes(self.take()?),
                modified_nanos: i64::from_be_bytes(self.take()?),
                inode: u64::from_be_bytes(self.take()?),
                device: u64::from_be_bytes(self.take()?),
            })),
            _ => None,
        }
    }
}

impl Resume {
    /// The last checkpoint of downloading `torrent` to `content`, and until when its own writing explains changes.
    pub(super) fn partial(
        &self,
        torrent: &Metainfo,
        content: &Content,
    ) -> Result<Option<(Checkpoint, SystemTime)>, ResumeError> {
        let path = self.partial_path(torrent, content);
        let Some(bytes) = read(&path, longest(torrent) as u64 + 1)? else { return Ok(None) };
        let unknown = || ResumeFault::Unknown("damaged, or of another version".into());
        let checkpoint = Checkpoint::decode(&bytes, torrent).ok_or_else(unknown);
        let time = || Ok(path.metadata()?.modified()? + Duration::from_secs(limits::CHECKPOINT_MARGIN_SECONDS));
        let both = checkpoint.and_then(|checkpoint| Ok((checkpoint, time().map_err(ResumeFault::Io)?)));
        both.map(Some).map_err(|cause| ResumeError { path, cause })
    }

    /// The pieces that are noted of an ended or unfinished download of `torrent` to `content`, a bit each, and what its files were then,
    /// padding included.
    pub fn noted(&self, torrent: &Metainfo, content: &Content) -> Result<Option<Noted>, ResumeError> {
        let partial = self.partial(torrent, content)?;
        Ok(partial.map(|(checkpoint, _)| Noted { pieces: checkpoint.pieces, files: checkpoint.identities }))
    }

    /// Notes what somebody else found out, in place of hashing it: as of an ended download.
    pub fn note(&self, disk: &Disk, torrent: &Metainfo, content: &Content, noted: Noted) -> Result<(), ResumeError> {
        let geometry = torrent.geometry();
        let fits =
            noted.pieces.len() == geometry.pieces().div_ceil(8) as usize && noted.files.len() == geometry.files();
        if !fits {
            let path = self.partial_path(torrent, content);
            return Err(ResumeError { path, cause: ResumeFault::Unknown("of another torrent".into()) });
        }
        let checkpoint = Checkpoint { going_on: false, pieces: noted.pieces, identities: noted.files };
        self.keep_partial(disk, torrent, content, &checkpoint)
    }

    pub(super) fn keep_partial(
        &self,
        disk: &Disk,
        torrent: &Metainfo,
        content: &Content,
        checkpoint: &Checkpoint,
    ) -> Result<(), ResumeError> {
        self.write(disk, &self.partial_path(torrent, content), checkpoint.encode(torrent))
    }

    /// Says that writing goes on from now. Not synced: it matters when the program dies, not when the machine does.
    pub(super) fn touch_partial(&self, torrent: &Metainfo, content: &Content) {
        let file = File::options().append(true).open(self.partial_path(torrent, content));
        // a failure costs hashing after a crash, nothing else
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    pub(super) fn remove_partial(&self, torrent: &Metainfo, content: &Content) -> Result<(), ResumeError> {
        let path = self.partial_path(torrent, content);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ResumeError { path, cause: error.into() }),
            _ => Ok(()),
        }
    }

    /// Forgets what was noted of `torrent` at `content`, so that all of it is looked at anew.
    pub fn forget(&self, torrent: &Metainfo, content: &Content) -> Result<(), ResumeError> {
        self.remove_partial(torrent, content)?;
        self.remove_verified(torrent, content)
    }

    /// Keeps `torrent`, so that its magnet link needs no peers the next time.
    pub fn keep_torrent(&self, disk: &Disk, torrent: &Metainfo) -> Result<(), ResumeError> {
        self.write(disk, &self.torrent_path(torrent.info_hash()), torrent.to_bytes())
    }

    /// The torrent of this info-hash, if it was kept.
    pub fn torrent(&self, info_hash: InfoHash) -> Result<Option<Metainfo>, ResumeError> {
        let path = self.torrent_path(info_hash);
        let Some(bytes) = read(&path, limits::TORRENT_FILE as u64 + 1)? else { return Ok(None) };
        let torrent = Metainfo::parse(&bytes).map_err(|error| error.to_string());
        let right = torrent.and_then(|torrent| match torrent.info_hash() == info_hash {
            true => Ok(torrent),
            false => Err("it is another torrent".to_owned()),
        });
        right.map(Some).map_err(|text| ResumeError { path, cause: ResumeFault::Unknown(text) })
    }

    fn partial_path(&self, torrent: &Metainfo, content: &Content) -> PathBuf {
        self.folder().join(format!("partial-{}-{}", torrent.info_hash(), path_key(content)))
    }

    fn torrent_path(&self, info_hash: InfoHash) -> PathBuf {
        self.folder().join(format!("{info_hash}.torrent"))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::metainfo::Builder;
    use crate::storage::DiskMode;

    fn torrent(name: &str) -> Metainfo {
        let builder = Builder::folder(OsStr::new(name), 16_384).file("a", 100_000).padding(14_688).file("b", 60_000);
        let pieces = builder.geometry().expect("a geometry").pieces() as usize;
        Metainfo::parse(&builder.hashes(vec![[7; 20]; pieces]).write().expect("a torrent")).expect("a torrent")
    }

    fn checkpoint() -> Checkpoint {
        let identity = Identity { size: 1, modified: -2, modified_nanos: 3, inode: 4, device: u64::MAX };
        Checkpoint { going_on: true, pieces: [0xa5, 0x80].into(), identities: vec![Some(identity), None, None] }
    }

    #[test]
    fn a_checkpoint_survives_being_kept_and_no_damage_does() {
        let (torrent, checkpoint) = (torrent("name"), checkpoint());
        let bytes = checkpoint.encode(&torrent);
        assert!(bytes.len() <= longest(&torrent));
        assert_eq!(Checkpoint::decode(&bytes, &torrent), Some(checkpoint));
        for length in 0..bytes.len() {
            assert_eq!(Checkpoint::decode(&bytes[..length], &torrent), None, "cut short at {length}");
            let mut damaged = bytes.clone();
            damaged[length] ^= 1;
            assert_eq!(Checkpoint::decode(&damaged, &torrent), None, "byte {length}");
        }
        assert_eq!(Checkpoint::decode(&bytes, &self::torrent("other")), None);
    }

    #[test]
    fn a_count_that_lies_is_refused_even_with_the_right_digest() {
        let torrent = torrent("name");
        let mut body = checkpoint().encode(&torrent);
        body.truncate(body.len() - DIGEST);
        // the number of pieces, and of files
        for at in [37, 43] {
            let mut lying = body.clone();
            lying[at..at + 4].fill(0xff);
            lying.extend(sha1::Sha1::digest(&lying));
            assert_eq!(Checkpoint::decode(&lying, &torrent), None);
        }
        let longer = [&body[..], &[0]].concat();
        let longer = [&longer[..], &sha1::Sha1::digest(&longer)].concat();
        assert_eq!(Checkpoint::decode(&longer, &torrent), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_no_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::start(DiskMode::Plain).expect("a disk thread");
        let resume = Resume::new(folder.path().join("state"));
        let (torrent, content) = (torrent("name"), Content::empty(folder.path()));
        assert!(resume.partial(&torrent, &content).expect("readable").is_none());
        resume.keep_partial(&disk, &torrent, &content, &checkpoint()).expect("kept");
        let (found, until) = resume.partial(&torrent, &content).expect("readable").expect("there");
        assert_eq!(found, checkpoint());
        assert!(until > SystemTime::now());
        std::fs::write(resume.partial_path(&torrent, &content), b"sower").expect("damaged");
        let error = resume.partial(&torrent, &content).expect_err("damaged");
        assert!(error.to_string().contains("ignored"), "{error}");
        resume.remove_partial(&torrent, &content).expect("removed");
        resume.remove_partial(&torrent, &content).expect("and gone");
    }

    #[test]
    fn a_kept_torrent_is_found_by_its_hash_and_another_under_its_name_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::start(DiskMode::Plain).expect("a disk thread");
        let resume = Resume::new(folder.path().to_owned());
        let (one, other) = (torrent("one"), torrent("other"));
        assert!(resume.torrent(one.info_hash()).expect("readable").is_none());
        resume.keep_torrent(&disk, &one).expect("kept");
        assert_eq!(resume.torrent(one.info_hash()).expect("readable").expect("there").info_bytes(), one.info_bytes());
        std::fs::copy(resume.torrent_path(one.info_hash()), resume.torrent_path(other.info_hash())).expect("a copy");
        assert!(resume.torrent(other.info_hash()).is_err());
    }
}
