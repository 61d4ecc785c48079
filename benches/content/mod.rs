//! Content to send, in the page cache.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use sower::ids::FileIndex;
use sower::limits::CHUNK;
use sower::metainfo::Geometry;
use sower::storage::{Files, Payload};

/// A scratch file in the page cache, as a torrent of 256 KiB pieces.
pub(crate) struct Content(tempfile::NamedTempFile);

impl Content {
    /// 1 GiB, more than any cache holds; 16 MiB where nothing is measured.
    pub(crate) fn new() -> Content {
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        let row: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1 << 20).collect();
        for _ in 0..if once() { 16 } else { 1024 } {
            file.as_file().write_all(&row).expect("scratch space");
        }
        Content(file)
    }

    pub(crate) fn geometry(&self) -> Geometry {
        let bytes = self.0.as_file().metadata().expect("an open file").len();
        Geometry::new(CHUNK, [(bytes, false)]).expect("valid")
    }

    pub(crate) fn payload(&self) -> Payload {
        Payload::new(Arc::new(self.geometry()), Arc::new(OneFile(self.0.path().to_owned())))
    }
}

struct OneFile(PathBuf);

impl Files for OneFile {
    fn open(&self, _: FileIndex) -> io::Result<File> {
        File::open(&self.0)
    }
    fn path(&self, _: FileIndex) -> PathBuf {
        self.0.clone()
    }
}

/// Whether each bench runs a single time to see that it works: `cargo bench -- --test`, `cargo test --benches`.
fn once() -> bool {
    let given = |word: &str| std::env::args().any(|argument| argument == word);
    given("--test") || !given("--bench")
}
