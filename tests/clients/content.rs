//! What is seeded: files with odd sizes, torrents this program did not make, and the comparison at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha1::{Digest, Sha1};

const PIECE: usize = 256 * 1024;

/// The shapes of data that are seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// one file, its last piece and last block cut short; `sower seed FILE`
    Single,
    /// nested files of odd sizes, one of one byte and one empty; `sower seed FOLDER`
    Folder,
    /// such files in a torrent made elsewhere, with padding files between them (BEP 47); `sower seed X.torrent --data DIR`
    Padded,
}

impl Content {
    fn files(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Single => &[("one file.bin", 41 * PIECE + 16_384 + 7)],
            Self::Folder => &[
                ("many/a.bin", 5_242_893),
                ("many/b/empty.txt", 0),
                ("many/b/one.bin", 1),
                ("many/b/three pieces.bin", 3 * PIECE),
                ("many/z/long.bin", 6_000_001),
            ],
            Self::Padded => &[
                ("padded/first.bin", 2 * PIECE + 1),
                ("padded/second.bin", 4_194_303),
                ("padded/sub/empty.txt", 0),
                ("padded/sub/third.bin", 5_000_011),
                ("padded/sub/whole.bin", PIECE),
            ],
        }
    }

    /// Names of the files that hold no byte.
    pub(crate) fn empty_files(self) -> impl Iterator<Item = &'static str> {
        self.files().iter().filter(|(_, size)| *size == 0).map(|(name, _)| *name)
    }

    /// Writes the files, the same bytes every time, into `folder`; answers the arguments of `sower seed` for them.
    pub(crate) fn write(self, folder: &Path) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(self as u64);
        for (name, size) in self.files() {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder of the content");
            let mut bytes = vec![0; *size];
            random.fill(&mut bytes);
            std::fs::write(path, bytes).expect("a file of the content");
        }
        let text = |path: PathBuf| path.into_os_string().into_string().expect("an ASCII path");
        let first = Path::new(self.files()[0].0);
        let root = folder.join(first.components().next().expect("a name"));
        if self != Self::Padded {
            return vec![text(root)];
        }
        let torrent = folder.join("padded.torrent");
        std::fs::write(&torrent, torrent_file(&padded_info(self.files(), folder), None)).expect("a torrent file");
        vec![text(torrent), "--data".to_owned(), text(folder.to_owned())]
    }
}

/// Writes the padding between the files, for clients that take it for files like any others.
pub(crate) fn write_padding(folder: &Path) {
    let padding = folder.join("padded/.pad");
    std::fs::create_dir_all(&padding).expect("a folder of the content");
    for (_, size) in Content::Padded.files() {
        let length = size.next_multiple_of(PIECE) - size;
        std::fs::write(padding.join(length.to_string()), vec![0; length]).expect("padding");
    }
}

/// A torrent file around an info dictionary.
pub(crate) fn torrent_file(info: &[u8], tracker: Option<&str>) -> Vec<u8> {
    let announce = tracker.map(|url| format!("8:announce{}:{url}", url.len())).unwrap_or_default();
    [b"d", announce.as_bytes(), b"4:info", info, b"e"].concat()
}

/// The info dictionary of a torrent file, as it stands there.
pub(crate) fn info_of(torrent: &[u8]) -> &[u8] {
    let mut at = 1;
    while torrent[at] != b'e' {
        let key_end = end_of_value(torrent, at);
        let value_end = end_of_value(torrent, key_end);
        if &torrent[at..key_end] == b"4:info" {
            return &torrent[key_end..value_end];
        }
        at = value_end;
    }
    panic!("a torrent file without an info dictionary")
}

fn end_of_value(bytes: &[u8], start: usize) -> usize {
    let find = |byte: u8| start + bytes[start..].iter().position(|&b| b == byte).expect("well-formed bencode") + 1;
    match bytes[start] {
        b'i' => find(b'e'),
        b'd' | b'l' => {
            let mut at = start + 1;
            while bytes[at] != b'e' {
                at = end_of_value(bytes, at);
            }
            at + 1
        }
        _ => {
            let colon = find(b':');
            let length = std::str::from_utf8(&bytes[start..colon - 1]).expect("digits");
            colon + length.parse::<usize>().expect("a length")
        }
    }
}

/// BEP 47: after each file that ends inside a piece, a file of zeros up to the next one.
fn padded_info(files: &[(&str, usize)], folder: &Path) -> Vec<u8> {
    let string = |text: &str| format!("{}:{text}", text.len());
    let (mut list, mut data) = (String::new(), Vec::new());
    for (name, size) in files {
        data.extend(std::fs::read(folder.join(name)).expect("a file just written"));
        let path: String = name.split('/').skip(1).map(string).collect();
        list += &format!("d6:lengthi{size}e4:pathl{path}ee");
        let padding = data.len().next_multiple_of(PIECE) - data.len();
        if padding > 0 {
            list += &format!("d4:attr1:p6:lengthi{padding}e4:pathl4:.pad{}ee", string(&padding.to_string()));
            data.resize(data.len() + padding, 0);
        }
    }
    let pieces: Vec<u8> = data.chunks(PIECE).flat_map(Sha1::digest).collect();
    let head = format!("d5:filesl{list}e4:name6:padded12:piece lengthi{PIECE}e6:pieces{}:", pieces.len());
    [head.as_bytes(), &pieces, b"e"].concat()
}

/// SHA-256 of every file of the content, by its path below `folder`; a missing file is `None`.
pub(crate) fn digests(content: Content, folder: &Path) -> BTreeMap<&'static str, Option<String>> {
    content.files().iter().map(|(name, _)| (*name, sha256(&folder.join(name)))).collect()
}

fn sha256(path: &Path) -> Option<String> {
    let output = Command::new("sha256sum").arg("--").arg(path).output().expect("sha256sum of coreutils");
    let text = String::from_utf8(output.stdout).expect("hex digits");
    output.status.success().then(|| text.split(' ').next().expect("a digest").to_owned())
}

/// Whether every file has the size it will have in the end: cheap to ask again and again.
pub(crate) fn sizes_match(content: Content, folder: &Path) -> bool {
    content
        .files()
        .iter()
        .filter(|(_, size)| *size > 0)
        .all(|(name, size)| std::fs::metadata(folder.join(name)).is_ok_and(|metadata| metadata.len() == *size as u64))
}

/// SHA-1 of the info dictionary of a torrent file.
pub(crate) fn info_hash(torrent: &[u8]) -> [u8; 20] {
    Sha1::digest(info_of(torrent)).into()
}
