//! Small torrents with their content.

use std::path::{Path, PathBuf};

use sha1::{Digest as _, Sha1};
use sower::metainfo::Builder;

const PIECE: usize = 32 * 1024;

/// A tracker where nobody is.
pub(crate) const TRACKER: &str = "http://127.0.0.1:9/announce";

/// A torrent and the files of it.
pub(crate) struct Torrent {
    pub(crate) file: Vec<u8>,
    pub(crate) hash: String,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Torrent {
    /// A folder of this name with two files, `a.bin` and `sub/b.bin`.
    pub(crate) fn folder(name: &str) -> Torrent {
        let files: Vec<(PathBuf, Vec<u8>)> = [("a.bin", 100_000), ("sub/b.bin", 70_000)]
            .into_iter()
            .map(|(path, size)| (path.into(), bytes(name, size)))
            .collect();
        let builder = files
            .iter()
            .fold(Builder::folder(name.as_ref(), u32::try_from(PIECE).expect("small")), |builder, (path, bytes)| {
                builder.file(path, bytes.len() as u64)
            });
        let whole: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let files = files.into_iter().map(|(path, bytes)| (Path::new(name).join(path), bytes)).collect();
        Torrent::of(builder, &whole, files)
    }

    /// One file of this name.
    pub(crate) fn single(name: &str) -> Torrent {
        let content = bytes(name, 150_000);
        let builder = Builder::single(name.as_ref(), content.len() as u64, u32::try_from(PIECE).expect("small"));
        Torrent::of(builder, &content, vec![(name.into(), content.clone())])
    }

    fn of(builder: Builder, content: &[u8], files: Vec<(PathBuf, Vec<u8>)>) -> Torrent {
        let hashes = content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect();
        let file = builder.hashes(hashes).trackers(vec![vec![TRACKER.to_owned()]]).write().expect("a torrent");
        let hash = sower::metainfo::Metainfo::parse(&file).expect("a torrent").info_hash().to_string();
        Torrent { file, hash, files }
    }

    /// Writes its content below `folder`.
    pub(crate) fn write(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a file")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
    }

    /// All of its content is below `folder`.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        self.files.iter().all(|(path, bytes)| std::fs::read(folder.join(path)).is_ok_and(|found| found == *bytes))
    }

    /// Nothing of its content is below `folder`.
    pub(crate) fn is_gone_from(&self, folder: &Path) -> bool {
        self.files.iter().all(|(path, _)| !folder.join(path).exists())
    }
}

fn bytes(name: &str, size: usize) -> Vec<u8> {
    let seed = name.bytes().fold(size as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
