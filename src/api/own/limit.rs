//! Limits of one torrent in JSON: a number, `"global"` or `"unlimited"`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::failure::{Answer, Failure};
use crate::session::seedbox::LimitChoice;

/// A limit of one torrent: a number, or a word.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Limit<T> {
    /// This one.
    At(T),
    /// None of its own.
    Word(LimitWord),
}

/// How a torrent is limited without a number.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LimitWord {
    /// As everywhere.
    Global,
    /// Not at all.
    Unlimited,
}

impl<T> From<Limit<T>> for LimitChoice<T> {
    fn from(limit: Limit<T>) -> LimitChoice<T> {
        match limit {
            Limit::At(limit) => LimitChoice::At(limit),
            Limit::Word(LimitWord::Global) => LimitChoice::Global,
            Limit::Word(LimitWord::Unlimited) => LimitChoice::Unlimited,
        }
    }
}

/// A ratio that can be a limit.
pub(super) fn ratio(limit: Limit<f64>) -> Answer<LimitChoice<f64>> {
    match limit {
        Limit::At(ratio) if !ratio.is_finite() || ratio < 0.0 => Err(Failure::invalid("a ratio is a number from 0 on")),
        limit => Ok(limit.into()),
    }
}

/// For members that may be absent, null, or there: absent is `None`, null `Some(None)`.
pub(super) fn maybe<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
