//! Dictionaries of other programs, field by field: what is not of the right kind is not there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::bencode::{self, Bounds, Dict, Order, Value};
use crate::limits;

/// Torrents have up to a million files, and programs keep a handful of values for each. Some write keys in any order.
const BOUNDS: Bounds = Bounds { depth: limits::BENCODE_DEPTH, values: 8 * limits::FILES, order: Order::Any };
/// Bytes of a text for people.
const TEXT: usize = 4_096;

/// Decodes a file that is one dictionary, and hands it over.
pub(super) fn with_dict<T>(bytes: &[u8], read: impl FnOnce(Fields<'_, '_>) -> Result<T, String>) -> Result<T, String> {
    match bencode::decode(bytes, BOUNDS) {
        Ok(Value::Dict(dict)) => read(Fields(&dict)),
        Ok(_) => Err("is no dictionary: damaged, or of another program".to_owned()),
        Err(error) => Err(format!("is damaged: {error}")),
    }
}

/// A dictionary.
#[derive(Clone, Copy)]
pub(super) struct Fields<'d, 'a>(pub(super) &'d Dict<'a>);

impl<'d, 'a> Fields<'d, 'a> {
    pub(super) fn value(self, key: &str) -> Option<&'d Value<'a>> {
        self.0.get(key.as_bytes())
    }

    pub(super) fn dict(self, key: &str) -> Option<Fields<'d, 'a>> {
        self.value(key)?.as_dict().map(Fields)
    }

    pub(super) fn list(self, key: &str) -> Option<&'d [Value<'a>]> {
        self.value(key)?.as_list()
    }

    pub(super) fn bytes(self, key: &str) -> Option<&'a [u8]> {
        self.value(key)?.as_bytes()
    }

    pub(super) fn integer(self, key: &str) -> Option<i64> {
        self.value(key)?.as_integer()
    }

    /// A number of bytes or seconds; less than none is none.
    pub(super) fn count(self, key: &str) -> u64 {
        self.integer(key).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }

    /// A limit in bytes a second; programs write -1 or 0 for none.
    pub(super) fn limit(self, key: &str) -> Option<u64> {
        Some(self.count(key)).filter(|limit| *limit > 0)
    }

    pub(super) fn flag(self, key: &str) -> bool {
        self.integer(key).is_some_and(|number| number != 0)
    }

    /// Seconds since 1970; 0 is never.
    pub(super) fn time(self, key: &str) -> Option<i64> {
        self.integer(key).filter(|time| *time > 0)
    }

    /// A text that says something.
    pub(super) fn text(self, key: &str) -> Option<String> {
        self.bytes(key).and_then(text)
    }

    pub(super) fn path(self, key: &str) -> Option<PathBuf> {
        self.bytes(key).filter(|bytes| !bytes.is_empty() && bytes.len() <= limits::PATH_LENGTH).map(path)
    }
}

pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let text = (bytes.len() <= TEXT).then(|| String::from_utf8_lossy(bytes).trim().to_owned());
    text.filter(|text| !text.is_empty())
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Lists of lists of URLs.
pub(super) fn tiers(list: &[Value<'_>]) -> Vec<Vec<String>> {
    let url = |value: &Value<'_>| value.as_bytes().filter(|url| url.len() <= limits::URL_LENGTH).and_then(text);
    let tier = |tier: &Value<'_>| tier.as_list().unwrap_or_default().iter().filter_map(url).collect();
    let tiers: Vec<Vec<String>> = list.iter().take(limits::URLS).map(tier).collect();
    tiers.into_iter().filter(|tier| !tier.is_empty()).collect()
}
