//! Which file of a torrent a path names: what web seeding asks.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::OnceLock;

use crate::ids::FileIndex;

use super::Metainfo;

/// The files of a torrent by their paths. Costs nothing before the first question, and four bytes a file after it.
#[derive(Debug)]
pub struct PathIndex {
    metainfo: Metainfo,
    /// Files but for padding, in the order of their paths.
    order: OnceLock<Box<[u32]>>,
}

impl PathIndex {
    /// Of `metainfo`, whose files it shares.
    pub fn new(metainfo: Metainfo) -> PathIndex {
        PathIndex { metainfo, order: OnceLock::new() }
    }

    /// The file at `path`, to the byte: `name` of a single file, `name/path` of one in a folder, which is what clients
    /// append to the address of a web seed (BEP 19). Padding is nobody's.
    pub fn find(&self, path: &[u8]) -> Option<FileIndex> {
        let name = self.metainfo.file_name().as_bytes();
        if self.metainfo.is_single_file() {
            return (path == name).then_some(FileIndex(0));
        }
        let below = path.strip_prefix(name)?.strip_prefix(b"/")?;
        let order = self.order.get_or_init(|| self.sort());
        let place = order.binary_search_by(|&file| self.path(file).cmp(below)).ok()?;
        Some(FileIndex(order[place]))
    }

    /// What [`PathIndex::find`] finds, in the order of the torrent, and how long it is.
    pub fn paths(&self) -> impl Iterator<Item = (Vec<u8>, u64)> {
        let files = self.metainfo.files().iter().filter(|file| !file.is_padding());
        let path = |file| self.metainfo.download_path(file).into_os_string().into_vec();
        files.map(move |file| (path(file), file.length()))
    }

    /// Most torrents list their files in this order, which a stable sort sees in one pass.
    fn sort(&self) -> Box<[u32]> {
        let files = (0..).zip(self.metainfo.files()).filter(|(_, file)| !file.is_padding());
        let mut order: Box<[u32]> = files.map(|(index, _)| index).collect();
        order.sort_by(|a, b| self.path(*a).cmp(self.path(*b)));
        order
    }

    fn path(&self, file: u32) -> &[u8] {
        self.metainfo.files()[file as usize].path().as_os_str().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::metainfo::Builder;

    fn index(builder: Builder) -> PathIndex {
        let pieces = builder.geometry().expect("valid").pieces();
        let bytes = builder.hashes(vec![[0; 20]; pieces as usize]).write().expect("valid");
        PathIndex::new(Metainfo::parse(&bytes).expect("just written"))
    }

    #[test]
    fn a_single_file_is_found_by_its_name_and_nothing_else() {
        let index = index(Builder::single(OsStr::new("a b.iso"), 5, 16_384));
        assert_eq!(index.find(b"a b.iso"), Some(FileIndex(0)));
        for other in [&b""[..], b"a", b"/a b.iso", b"a b.iso/", b"a b.iso/a b.iso", b"a b.isoo", b"a b.iso\0"] {
            assert_eq!(index.find(other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn files_of_a_folder_are_found_by_their_whole_path_whatever_their_order_and_padding_is_not() {
        let folder = Builder::folder(OsStr::new("show"), 16_384);
        let index = index(folder.file("z/last", 1).padding(9).file("a", 0).file("z/first", 2).file("z.txt", 3));
        let found = |path: &str| index.find(path.as_bytes()).map(|file| file.0);
        assert_eq!(found("show/z/last"), Some(0));
        assert_eq!(found("show/a"), Some(2));
        assert_eq!(found("show/z/first"), Some(3));
        assert_eq!(found("show/z.txt"), Some(4));
        let paths: Vec<(Vec<u8>, u64)> = index.paths().collect();
        assert_eq!(paths.iter().map(|(_, length)| *length).collect::<Vec<u64>>(), [1, 0, 2, 3]);
        assert!(paths.iter().all(|(path, _)| index.find(path).is_some()));
        for other in ["show", "show/", "show/z", "show/.pad/9", "a", "z/last", "show//a", "show/./a", "show/z/../a"] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
