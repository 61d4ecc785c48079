//! Small torrents, and their content.

use std::fs;
use std::path::Path;

use sha1::Digest as _;
use sower::metainfo::{Builder, Metainfo};

const PIECE: usize = 32 * 1024;

/// A torrent file, and its content: paths below a folder, bytes.
pub(crate) struct Sample {
    pub(crate) torrent: Vec<u8>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Sample {
    /// One file.
    pub(crate) fn single(name: &str) -> Sample {
        let bytes = noise(name, 100_000);
        let builder = Builder::single(name.as_ref(), bytes.len() as u64, u32::try_from(PIECE).expect("small"));
        Sample { torrent: finish(builder, &bytes), files: vec![(name.to_owned(), bytes)] }
    }

    /// A folder of two files with padding between.
    pub(crate) fn folder(name: &str) -> Sample {
        let (one, two) = (noise(name, 70_000), noise(name, 33_000));
        let padding = PIECE * 3 - one.len();
        let builder = Builder::folder(name.as_ref(), u32::try_from(PIECE).expect("small"));
        let builder =
            builder.file("one.bin", one.len() as u64).padding(padding as u64).file("sub/two.bin", two.len() as u64);
        let bytes = [one.as_slice(), &vec![0; padding], &two].concat();
        let files = vec![(format!("{name}/one.bin"), one), (format!("{name}/sub/two.bin"), two)];
        Sample { torrent: finish(builder, &bytes), files }
    }

    pub(crate) fn hash(&self) -> String {
        Metainfo::parse(&self.torrent).expect("a torrent").info_hash().to_string()
    }

    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Puts the content into `folder`.
    pub(crate) fn write(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }

    /// Whether all of the content is in `folder`.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        self.files.iter().all(|(path, bytes)| fs::read(folder.join(path)).is_ok_and(|found| found == *bytes))
    }
}

fn noise(name: &str, length: usize) -> Vec<u8> {
    let seed = name.bytes().fold(length as u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| rng.u8(..)).collect()
}

fn finish(builder: Builder, bytes: &[u8]) -> Vec<u8> {
    let digests = bytes.chunks(PIECE).map(|piece| sha1::Sha1::digest(piece).into());
    let builder = builder.hashes(digests.collect()).comment(Some("a comment".into()));
    // a port on which nobody is
    builder.trackers(vec![vec!["http://127.0.0.1:9/announce".into()]]).write().expect("a torrent")
}
