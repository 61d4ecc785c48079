//! Typed look-ups in a decoded dictionary. Each failure names the key by its whole path.

use std::fmt;

use crate::bencode::{Dict, Value};
use crate::limits;

use super::TorrentError;

/// Where in the torrent file a dictionary stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Top,
    Info,
    File(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Top => Ok(()),
            Place::Info => f.write_str("info."),
            Place::File(index) => write!(f, "info.files[{index}]."),
        }
    }
}

/// A dictionary and its place.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a, 'd> {
    pub(super) dict: &'d Dict<'a>,
    pub(super) place: Place,
}

impl<'a, 'd> Keys<'a, 'd> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.dict.get(key.as_bytes()).is_some()
    }

    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.place)
    }

    pub(super) fn missing(&self, key: &str) -> TorrentError {
        TorrentError::Missing { key: self.name(key) }
    }

    pub(super) fn wrong_type(&self, key: &str, expected: &'static str) -> TorrentError {
        TorrentError::WrongType { key: self.name(key), expected }
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'d Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, TorrentError> {
        let Some(value) = self.dict.get(key.as_bytes()) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong_type(key, expected))
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, TorrentError> {
        self.typed(key, "an integer", Value::as_integer)
    }

    pub(super) fn bytes(&self, key: &str) -> Result<Option<&'a [u8]>, TorrentError> {
        self.typed(key, "a string", Value::as_bytes)
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'d [Value<'a>]>, TorrentError> {
        self.typed(key, "a list", Value::as_list)
    }

    pub(super) fn dict(&self, key: &str) -> Result<Option<&'d Dict<'a>>, TorrentError> {
        self.typed(key, "a dictionary", Value::as_dict)
    }

    /// A length in bytes.
    pub(super) fn length(&self, key: &str) -> Result<Option<u64>, TorrentError> {
        let Some(length) = self.integer(key)? else { return Ok(None) };
        match u64::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(TorrentError::NegativeLength { key: self.name(key), length }),
        }
    }

    /// A text for humans, from `key.utf-8` where older clients left one. Bytes that are no text become U+FFFD.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, TorrentError> {
        let unicode = self.bytes(&format!("{key}.utf-8"))?.filter(|bytes| std::str::from_utf8(bytes).is_ok());
        let plain = self.bytes(key)?;
        let Some(bytes) = unicode.or(plain) else { return Ok(None) };
        if bytes.len() > limits::TEXT_LENGTH {
            return Err(TorrentError::TooLong { key: self.name(key), limit: limits::TEXT_LENGTH, unit: "bytes" });
        }
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// One URL. Blanks around it go; an empty one, which some programs write for "none", counts as absent.
    pub(super) fn url(&self, key: &str, bytes: &[u8]) -> Result<Option<String>, TorrentError> {
        if bytes.len() > limits::URL_LENGTH {
            return Err(TorrentError::TooLong { key: self.name(key), limit: limits::URL_LENGTH, unit: "bytes" });
        }
        let url = std::str::from_utf8(bytes).ok().map(str::trim).filter(|url| !url.contains(char::is_control));
        let url = url.ok_or_else(|| TorrentError::BadUrl { key: self.name(key) })?;
        Ok((!url.is_empty()).then(|| url.to_owned()))
    }
}
