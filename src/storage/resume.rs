//! What was found out about content before, so that a second start does not hash it again.
//!
//! One small file for each fact, in `$SOWER_STATE`, else `$XDG_STATE_HOME/sower`, else `~/.local/state/sower`:
//!
//! - `verified-<info-hash>-<path>.json`: the content at this path was right for this torrent when its files had these
//!   identities;
//! - `partial-<info-hash>-<path>`: the pieces of an unfinished download that are on disk (see [`super::checkpoint`]);
//! - `<info-hash>.torrent`: a torrent that came by a magnet link;
//! - `made-<path>-<recipe>.json` and `.torrent`: the torrent made of this path by this recipe, and the identities then.
//!
//! (`<path>` and `<recipe>` are hashes.) A fact holds as long as every file has the size, time of modification and inode
//! that it had. A file that cannot be read or understood is no fact: the caller warns and hashes. Nothing here is ever needed.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha1::Digest as _;

use crate::limits;
use crate::metainfo::Metainfo;

use super::{Content, Disk, Identity, Layout, Recipe};

/// Where facts are kept.
#[derive(Clone, Debug)]
pub struct Resume {
    folder: PathBuf,
}

/// A fact that cannot be read or kept. Worth a warning, never the end.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", .path.display())]
pub struct ResumeError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: ResumeFault,
}

/// What is wrong with a file of facts.
#[derive(Debug, thiserror::Error)]
pub enum ResumeFault {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is damaged, or of another version.
    #[error("not understood, and ignored: {0}")]
    Unknown(String),
}

#[derive(Serialize, Deserialize)]
struct Fact {
    version: u32,
    /// For people who look.
    path: String,
    identities: Vec<Identity>,
}

const VERSION: u32 = 1;
/// Longest file of facts: an identity takes less than 200 bytes.
const FACT_BYTES: u64 = 200 * limits::FILES as u64 + 64 * 1024;

impl Resume {
    /// Facts in the folder that the environment names; `None` if it names none (no home).
    pub fn from_environment() -> Option<Resume> {
        let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let folder = set("SOWER_STATE")
            .map(PathBuf::from)
            .or_else(|| set("XDG_STATE_HOME").map(|state| Path::new(&state).join("sower")))
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state/sower")))?;
        Some(Resume::new(folder))
    }

    /// Facts in `folder`, which is made once there is something to keep.
    pub fn new(folder: PathBuf) -> Resume {
        Resume { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether `content` was found right for `torrent` and has not changed since.
    pub fn is_verified(&self, torrent: &Metainfo, content: &Content) -> Result<bool, ResumeError> {
        let fact = read_fact(&self.verified_path(torrent, content))?;
        Ok(fact.is_some_and(|fact| still_holds(&fact, content)))
    }

    /// Keeps that `content` is right for `torrent` while its files are `identities`.
    pub fn keep_verified(
        &self,
        disk: &Disk,
        torrent: &Metainfo,
        content: &Content,
        identities: &[Identity],
    ) -> Result<(), ResumeError> {
        self.write(disk, &self.verified_path(torrent, content), fact(content, identities))
    }

    /// The torrent made before of the files of `layout` by `recipe`, if none of them has changed.
    pub fn made(&self, layout: &Layout, recipe: &Recipe) -> Result<Option<Metainfo>, ResumeError> {
        let path = self.made_path(&layout.content, recipe);
        let Some(fact) = read_fact(&path.with_extension("json"))? else { return Ok(None) };
        if !still_holds(&fact, &layout.content) {
            return Ok(None);
        }
        let path = path.with_extension("torrent");
        let Some(bytes) = read(&path, limits::TORRENT_FILE as u64)? else { return Ok(None) };
        let torrent = Metainfo::parse(&bytes)
            .map_err(|error| ResumeError { path, cause: ResumeFault::Unknown(error.to_string()) })?;
        // the same inodes under other names make another torrent
        let same = layout.content.is_of(&torrent) && *torrent.geometry() == layout.geometry;
        Ok(same.then_some(torrent))
    }

    /// Keeps `torrent`, which was made of the files of `layout` by `recipe` while they were `identities`.
    pub fn keep_made(
        &self,
        disk: &Disk,
        layout: &Layout,
        recipe: &Recipe,
        torrent: &Metainfo,
        identities: &[Identity],
    ) -> Result<(), ResumeError> {
        let path = self.made_path(&layout.content, recipe);
        // the fact last: it says that the torrent is there
        self.write(disk, &path.with_extension("torrent"), torrent.to_bytes())?;
        self.write(disk, &path.with_extension("json"), fact(&layout.content, identities))
    }

    pub(super) fn remove_verified(&self, torrent: &Metainfo, content: &Content) -> Result<(), ResumeError> {
        let path = self.verified_path(torrent, content);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ResumeError { path, cause: error.into() }),
            _ => Ok(()),
        }
    }

    fn verified_path(&self, torrent: &Metainfo, content: &Content) -> PathBuf {
        self.folder.join(format!("verified-{}-{}.json", torrent.info_hash(), path_key(content)))
    }

    /// Without its extension.
    fn made_path(&self, content: &Content, recipe: &Recipe) -> PathBuf {
        let recipe = serde_json::to_vec(recipe).expect("a recipe is plain data");
        self.folder.join(format!("made-{}-{}", path_key(content), key(&recipe)))
    }

    pub(super) fn write(&self, disk: &Disk, path: &Path, bytes: Vec<u8>) -> Result<(), ResumeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        let written = made.and_then(|()| disk.write_atomically(path, bytes, 0o600));
        written.map_err(|error| ResumeError { path: path.to_owned(), cause: error.into() })
    }
}

fn fact(content: &Content, identities: &[Identity]) -> Vec<u8> {
    let path = content.root().to_string_lossy().into_owned();
    let fact = Fact { version: VERSION, path, identities: identities.to_vec() };
    serde_json::to_vec(&fact).expect("a fact is plain data")
}

/// The files are as many as then, complete, and each is what it was.
fn still_holds(fact: &Fact, content: &Content) -> bool {
    content.identities().is_ok_and(|now| now == fact.identities)
}

fn read_fact(path: &Path) -> Result<Option<Fact>, ResumeError> {
    let Some(bytes) = read(path, FACT_BYTES)? else { return Ok(None) };
    let unknown = |text| ResumeError { path: path.to_owned(), cause: ResumeFault::Unknown(text) };
    let fact: Fact = serde_json::from_slice(&bytes).map_err(|error| unknown(error.to_string()))?;
    if fact.version == VERSION { Ok(Some(fact)) } else { Err(unknown(format!("version {}", fact.version))) }
}

/// `None` if there is no such file.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ResumeError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ResumeError { path: path.to_owned(), cause: error.into() }),
    }
}

/// Of a single file its own path: two of them may lie in one folder.
pub(super) fn path_key(content: &Content) -> String {
    key(content.place().as_os_str().as_bytes())
}

fn key(bytes: &[u8]) -> String {
    sha1::Sha1::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::storage::{DiskMode, Walk};

    struct Scene {
        _folder: tempfile::TempDir,
        data: PathBuf,
        resume: Resume,
        disk: Disk,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        fs::write(data.join("a"), b"12345").expect("a file");
        fs::write(data.join("b"), b"123").expect("a file");
        let resume = Resume::new(folder.path().join("deep/state"));
        Scene { data, resume, disk: Disk::start(DiskMode::Plain).expect("a disk thread"), _folder: folder }
    }

    fn make(scene: &Scene, recipe: &Recipe) -> (Layout, Metainfo) {
        let layout = Layout::new(&Walk::new(&scene.data).expect("a walk"), recipe).expect("a layout");
        let hashes = vec![[0; 20]; layout.geometry.pieces() as usize];
        let bytes = layout.builder.clone().hashes(hashes).write().expect("a torrent");
        (layout, Metainfo::parse(&bytes).expect("a torrent"))
    }

    #[test]
    fn a_made_torrent_is_remembered_until_its_files_or_its_recipe_change() {
        let scene = scene();
        let recipe = Recipe { pad: true, ..Recipe::default() };
        let (layout, torrent) = make(&scene, &recipe);
        let known = |layout: &Layout, recipe: &Recipe| scene.resume.made(layout, recipe).expect("readable");
        assert!(known(&layout, &recipe).is_none());
        let identities = layout.content.identities().expect("identities");
        scene.resume.keep_made(&scene.disk, &layout, &recipe, &torrent, &identities).expect("kept");
        assert_eq!(known(&layout, &recipe).expect("remembered").info_hash(), torrent.info_hash());
        let private = Recipe { private: true, ..recipe.clone() };
        assert!(known(&make(&scene, &private).0, &private).is_none());
        fs::write(scene.data.join("c"), b"new").expect("a file");
        assert!(known(&make(&scene, &recipe).0, &recipe).is_none(), "one file more");
        fs::remove_file(scene.data.join("c")).expect("removed");
        assert!(known(&make(&scene, &recipe).0, &recipe).is_some());
        fs::rename(scene.data.join("a"), scene.data.join("A")).expect("renamed");
        assert!(known(&make(&scene, &recipe).0, &recipe).is_none(), "the same files under other names");
    }

    #[test]
    fn verified_content_is_remembered_until_it_changes() {
        let scene = scene();
        let (layout, torrent) = make(&scene, &Recipe::default());
        let content = layout.content;
        let verified = || scene.resume.is_verified(&torrent, &content).expect("readable");
        assert!(!verified());
        let identities = content.identities().expect("identities");
        scene.resume.keep_verified(&scene.disk, &torrent, &content, &identities).expect("kept");
        assert!(verified());
        fs::write(scene.data.join("a"), b"123456").expect("a file");
        assert!(!verified());
    }

    #[test]
    fn facts_are_private_and_damaged_ones_are_named_and_ignored() {
        let scene = scene();
        let (layout, torrent) = make(&scene, &Recipe::default());
        let identities = layout.content.identities().expect("identities");
        scene.resume.keep_verified(&scene.disk, &torrent, &layout.content, &identities).expect("kept");
        let path = scene.resume.verified_path(&torrent, &layout.content);
        let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(scene.resume.folder())), (0o600, 0o700));
        for damage in ["", "{", "[]", r#"{"version":2,"path":"","identities":[]}"#, "\0\0\0"] {
            fs::write(&path, damage).expect("a file");
            let error = scene.resume.is_verified(&torrent, &layout.content).expect_err("damaged");
            assert!(error.to_string().contains("ignored"), "{error}");
        }
        scene.resume.keep_verified(&scene.disk, &torrent, &layout.content, &identities).expect("kept again");
        assert!(scene.resume.is_verified(&torrent, &layout.content).expect("readable"));
    }
}
