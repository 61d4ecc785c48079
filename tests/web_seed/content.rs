//! A torrent, its bytes, and where they are in files.

use std::path::{Path, PathBuf};

use sower::bencode::Encoder;
use sower::ids::{BlockRef, PieceIndex};
use sower::metainfo::Metainfo;

use crate::reactor::BLOCK;

/// Bytes of a piece.
const PIECE: u32 = 4 * BLOCK;

pub(crate) struct Content {
    pub(crate) metainfo: Metainfo,
    /// All of it, padding included.
    pub(crate) bytes: Vec<u8>,
}

impl Content {
    /// One file.
    pub(crate) fn single(name: &str, length: usize) -> Content {
        let mut out = Encoder::new();
        out.dict(|info| {
            info.key(b"length").integer(i64::try_from(length).expect("small"));
            tail(info, name, length);
        });
        Content::of(&out.finish(), length)
    }

    /// Files of those lengths; those in `.pad` are padding.
    pub(crate) fn folder(name: &str, files: &[(&str, u64)]) -> Content {
        let total = usize::try_from(files.iter().map(|(_, length)| length).sum::<u64>()).expect("small");
        let mut out = Encoder::new();
        out.dict(|info| {
            info.key(b"files").list(|list| {
                for (path, length) in files {
                    list.dict(|file| {
                        if path.starts_with(".pad/") {
                            file.key(b"attr").bytes(b"p");
                        }
                        file.key(b"length").integer(i64::try_from(*length).expect("small"));
                        file.key(b"path").list(|parts| path.split('/').for_each(|part| parts.bytes(part.as_bytes())));
                    });
                }
            });
            tail(info, name, total);
        });
        Content::of(&out.finish(), total)
    }

    fn of(info: &[u8], length: usize) -> Content {
        let metainfo = Metainfo::from_info(info, Vec::new()).expect("valid");
        let mut rng = fastrand::Rng::with_seed(length as u64);
        let mut bytes = vec![0; length];
        rng.fill(&mut bytes);
        let mut start = 0;
        for file in metainfo.files() {
            let end = start + usize::try_from(file.length()).expect("small");
            if file.is_padding() {
                bytes[start..end].fill(0);
            }
            start = end;
        }
        Content { metainfo, bytes }
    }

    /// Writes the files below `folder`.
    pub(crate) fn write(&self, folder: &Path) {
        let mut rest = &self.bytes[..];
        for file in self.metainfo.files() {
            let (bytes, others) = rest.split_at(usize::try_from(file.length()).expect("small"));
            rest = others;
            if !file.is_padding() {
                let path: PathBuf = folder.join(self.metainfo.download_path(file));
                std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
                std::fs::write(path, bytes).expect("a file");
            }
        }
    }

    /// Every block, in order.
    pub(crate) fn blocks(&self) -> Vec<BlockRef> {
        let geometry = self.metainfo.geometry();
        let pieces = (0..geometry.pieces()).map(PieceIndex);
        pieces
            .flat_map(|piece| {
                let length = geometry.piece_length(piece);
                (0..length.div_ceil(BLOCK)).map(move |number| {
                    let begin = number * BLOCK;
                    BlockRef { piece, begin, length: BLOCK.min(length - begin) }
                })
            })
            .collect()
    }

    /// Where a block lies in the bytes.
    pub(crate) fn place(&self, block: BlockRef) -> std::ops::Range<usize> {
        let start = usize::try_from(self.metainfo.geometry().offset(block)).expect("small");
        start..start + block.length as usize
    }

    pub(crate) fn check(&self, block: BlockRef, data: &[u8]) {
        assert!(self.bytes[self.place(block)] == *data, "{block:?} is wrong");
    }
}

fn tail(info: &mut sower::bencode::DictEncoder<'_>, name: &str, length: usize) {
    info.key(b"name").bytes(name.as_bytes());
    info.key(b"piece length").integer(i64::from(PIECE));
    // nobody looks at the hashes here
    info.key(b"pieces").bytes(&vec![7; length.div_ceil(PIECE as usize) * 20]);
}
