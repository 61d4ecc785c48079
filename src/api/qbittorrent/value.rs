//! Values of fields, as JSON has them.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::api::json::Json;

/// A value of one field.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value<'row> {
    Text(Cow<'row, str>),
    Integer(i64),
    Number(f64),
    Truth(bool),
    /// `null`.
    Unknown,
}

impl<'row> Value<'row> {
    pub(super) fn text(text: impl Into<Cow<'row, str>>) -> Value<'row> {
        Value::Text(text.into())
    }

    /// Counts of bytes stay far below what JSON readers can take.
    pub(super) fn count(number: impl TryInto<i64>) -> Value<'row> {
        Value::Integer(number.try_into().unwrap_or(i64::MAX))
    }

    /// Writes it where `json` is.
    pub(super) fn write(&self, json: &mut Json) {
        match self {
            Value::Text(text) => json.text(text),
            Value::Integer(number) => json.value(number),
            Value::Number(number) => json.value(number),
            Value::Truth(truth) => json.value(truth),
            Value::Unknown => json.value(()),
        }
    }

    /// Order of a sorted list. Values of one field are of one kind, or unknown.
    pub(super) fn order(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Text(one), Value::Text(two)) => one.cmp(two),
            (Value::Integer(one), Value::Integer(two)) => one.cmp(two),
            (Value::Number(one), Value::Number(two)) => one.total_cmp(two),
            (Value::Truth(one), Value::Truth(two)) => one.cmp(two),
            (Value::Unknown, Value::Unknown) => Ordering::Equal,
            (Value::Unknown, _) => Ordering::Less,
            (_, Value::Unknown) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}
