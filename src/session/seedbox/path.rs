//! Paths in JSON. Names on Linux are bytes: those that are no UTF-8 are written as `{"bytes": "hexadecimal digits"}`, all others as text.
//!
//! For `#[serde(with = "path")]` on a path, an optional one, a list, or a list with numbers.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<P: Written, S: Serializer>(path: &P, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_text().serialize(serializer)
}

pub(crate) fn deserialize<'de, P: Written, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    P::from_text(P::Text::deserialize(deserializer)?)
        .ok_or_else(|| D::Error::custom("not a path in hexadecimal digits"))
}

/// One path.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Utf8(String),
    Other { bytes: String },
}

/// What has paths in it.
pub(crate) trait Written: Sized {
    type Text: Serialize + DeserializeOwned;
    fn to_text(&self) -> Self::Text;
    fn from_text(text: Self::Text) -> Option<Self>;
}

impl Written for PathBuf {
    type Text = Text;

    fn to_text(&self) -> Text {
        match self.to_str() {
            Some(text) => Text::Utf8(text.to_owned()),
            None => {
                Text::Other { bytes: self.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect() }
            }
        }
    }

    fn from_text(text: Text) -> Option<PathBuf> {
        let digits = match text {
            Text::Utf8(text) => return Some(text.into()),
            Text::Other { bytes } => bytes.into_bytes(),
        };
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks(2).map(byte).collect::<Option<_>>().map(|bytes| OsString::from_vec(bytes).into())
    }
}

impl<P: Written> Written for Option<P> {
    type Text = Option<P::Text>;

    fn to_text(&self) -> Self::Text {
        self.as_ref().map(P::to_text)
    }

    fn from_text(text: Self::Text) -> Option<Self> {
        text.map_or(Some(None), |text| P::from_text(text).map(Some))
    }
}

impl<P: Written> Written for Vec<P> {
    type Text = Vec<P::Text>;

    fn to_text(&self) -> Self::Text {
        self.iter().map(P::to_text).collect()
    }

    fn from_text(text: Self::Text) -> Option<Self> {
        text.into_iter().map(P::from_text).collect()
    }
}

impl<P: Written> Written for (u32, P) {
    type Text = (u32, P::Text);

    fn to_text(&self) -> Self::Text {
        (self.0, self.1.to_text())
    }

    fn from_text((number, text): Self::Text) -> Option<Self> {
        Some((number, P::from_text(text)?))
    }
}
