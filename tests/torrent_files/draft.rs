//! Writes bencode by hand: the library's own encoder would refuse most of what is tested here.

use std::collections::BTreeMap;

/// A row of one piece hash.
pub(super) const HASH: &[u8] = b"20:aaaaabbbbbcccccddddd";

/// A torrent file under construction: raw bencoded values by key. Begins valid, with one file `a` of 5 bytes.
#[derive(Clone)]
pub(super) struct Draft {
    top: BTreeMap<Vec<u8>, Vec<u8>>,
    info: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Draft {
    pub(super) fn new() -> Draft {
        let info = [("length", b"i5e".as_slice()), ("name", b"1:a"), ("piece length", b"i16384e"), ("pieces", HASH)];
        let info = info.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec())).collect();
        Draft { top: BTreeMap::new(), info }
    }

    /// A torrent of a folder `a` with these `files`, each the inside of a dictionary.
    pub(super) fn folder(files: &[impl AsRef<[u8]>]) -> Draft {
        let files = files.iter().flat_map(|file| [b"d", file.as_ref(), b"e"].concat()).collect::<Vec<u8>>();
        Draft::new().without("length").info("files", [b"l", files.as_slice(), b"e"].concat())
    }

    /// Sets a key of the file.
    pub(super) fn top(mut self, key: &str, value: impl AsRef<[u8]>) -> Draft {
        self.top.insert(key.into(), value.as_ref().to_vec());
        self
    }

    /// Sets a key of `info`.
    pub(super) fn info(mut self, key: &str, value: impl AsRef<[u8]>) -> Draft {
        self.info.insert(key.into(), value.as_ref().to_vec());
        self
    }

    /// Removes a key of `info`.
    pub(super) fn without(mut self, key: &str) -> Draft {
        self.info.remove(key.as_bytes());
        self
    }

    /// The `info` dictionary.
    pub(super) fn info_bytes(&self) -> Vec<u8> {
        dict(&self.info)
    }

    /// The file.
    pub(super) fn bytes(self) -> Vec<u8> {
        let info = self.info_bytes();
        let mut top = self.top;
        top.entry(b"info".to_vec()).or_insert(info);
        dict(&top)
    }
}

fn dict(entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = entries.iter().map(|(key, value)| [string(key), value.clone()].concat()).collect();
    [b"d", entries.concat().as_slice(), b"e"].concat()
}

/// A bencoded string.
pub(super) fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [bytes.len().to_string().as_bytes(), b":", bytes].concat()
}

/// A bencoded list of strings.
pub(super) fn strings(items: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let inside: Vec<u8> = items.iter().flat_map(string).collect();
    [b"l", inside.as_slice(), b"e"].concat()
}

/// The inside of an entry of `files`: 5 bytes at `path`.
pub(super) fn file(path: &[impl AsRef<[u8]>]) -> Vec<u8> {
    [b"6:lengthi5e4:path".to_vec(), strings(path)].concat()
}

/// [`file`] with `attr` (BEP 47).
pub(super) fn file_with(attributes: &str, path: &[impl AsRef<[u8]>]) -> Vec<u8> {
    [b"4:attr".to_vec(), string(attributes), file(path)].concat()
}
