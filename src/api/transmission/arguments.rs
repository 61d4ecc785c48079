//! The arguments of a request, by name and type.
//!
//! `null` is as good as absent. A whole number may be written with a fraction of zero and a truth value as 0 or 1, because clients
//! do. Anything else of a wrong type is refused, so that no wish is passed over in silence; names that nobody knows are passed
//! over, so that newer clients work.

use serde_json::{Map, Value};

use super::envelope::Fault;

/// Arguments by name.
#[derive(Debug, Default)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    /// These.
    pub(super) fn new(arguments: Map<String, Value>) -> Arguments {
        Arguments(arguments)
    }

    /// As it came.
    pub(super) fn raw(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that is long and needed once.
    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.get(name, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => match integer(value)? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
        })
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name, "a whole number", integer)
    }

    /// A whole number that is not negative and not beyond `u32`.
    pub(super) fn count(&self, name: &str) -> Result<Option<u32>, Fault> {
        self.get(name, "a whole number from 0 to 4294967295", |value| u32::try_from(integer(value)?).ok())
    }

    /// Kilobytes (of 1,000 bytes) a second, as bytes.
    pub(super) fn rate(&self, name: &str) -> Result<Option<u64>, Fault> {
        let rate = |value: &Value| Some(u64::try_from(integer(value)?).ok()?.saturating_mul(KILOBYTE));
        self.get(name, "kilobytes a second, a whole number of at least 0", rate)
    }

    /// A number.
    pub(super) fn real(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.get(name, "a number", Value::as_f64)
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.get(name, "a text", Value::as_str)
    }

    /// Texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Fault> {
        self.get(name, "a list of texts", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// Places, counted from 0. Negative ones are passed over: `transmission-remote` says -1 for none.
    pub(super) fn places(&self, name: &str) -> Result<Option<Vec<i64>>, Fault> {
        self.get(name, "a list of whole numbers", |value| value.as_array()?.iter().map(integer).collect())
    }

    fn get<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        self.raw(name).map(|value| read(value).ok_or_else(|| wrong(name, expected))).transpose()
    }
}

/// Bytes; what the protocol calls a speed unit.
pub(super) const KILOBYTE: u64 = 1000;

/// A whole number, written with a fraction of zero or without.
#[expect(clippy::cast_possible_truncation, reason = "bounds are looked at first")]
pub(super) fn integer(value: &Value) -> Option<i64> {
    // beyond 2^53 a fraction is no longer told from none
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let real = |value: f64| (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(real))
}

fn wrong(name: &str, expected: &str) -> Fault {
    Fault(format!("{name}: {expected} is expected"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: Value) -> Arguments {
        Arguments::new(value.as_object().expect("an object").clone())
    }

    #[test]
    fn values_are_read_as_clients_write_them() {
        let given = arguments(json!({
            "yes": true, "one": 1, "zero": 0, "two": 2, "whole": 3.0, "part": 3.5, "negative": -1, "text": "a", "null": null,
            "list": ["a", "b"], "mixed": ["a", 1], "places": [0, -1, 2.0],
        }));
        assert_eq!(given.flag("yes"), Ok(Some(true)));
        assert_eq!(given.flag("one"), Ok(Some(true)));
        assert_eq!(given.flag("zero"), Ok(Some(false)));
        assert!(given.flag("two").is_err());
        assert_eq!(given.integer("whole"), Ok(Some(3)));
        assert!(given.integer("part").is_err());
        assert_eq!(given.real("one"), Ok(Some(1.0)));
        assert_eq!(given.text("null"), Ok(None));
        assert_eq!(given.text("absent"), Ok(None));
        assert_eq!(given.texts("list"), Ok(Some(vec!["a", "b"])));
        assert!(given.texts("mixed").is_err());
        assert_eq!(given.places("places"), Ok(Some(vec![0, -1, 2])));
        assert_eq!(given.rate("two"), Ok(Some(2_000)));
        assert_eq!(
            given.rate("negative"),
            Err(Fault::new("negative: kilobytes a second, a whole number of at least 0 is expected"))
        );
        assert!(given.count("negative").is_err());
    }

    #[test]
    fn huge_numbers_are_refused_or_bounded() {
        let given = arguments(json!({"large": u64::MAX, "float": 1e300, "rate": i64::MAX, "count": 4_294_967_296_u64}));
        assert!(given.integer("large").is_err());
        assert!(given.integer("float").is_err());
        assert_eq!(given.rate("rate"), Ok(Some(u64::MAX)));
        assert!(given.count("count").is_err());
    }
}
