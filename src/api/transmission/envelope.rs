//! The envelope of the protocol: `{"method","arguments","tag"}` comes in, `{"arguments","result","tag"}` goes out.

use serde_json::{Map, Number, Value};

use crate::limits::RPC_VALUES;
use crate::session::seedbox::Refusal;

use super::arguments::Arguments;
use crate::api::json::Json;

/// Why a request is not followed, in the words that become its `result`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault(pub(super) String);

impl Fault {
    /// With these words.
    pub(super) fn new(text: impl Into<String>) -> Fault {
        Fault(text.into())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault(refusal.text)
    }
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Request {
    /// What to do.
    pub(super) method: String,
    /// With what.
    pub(super) arguments: Arguments,
    /// Comes back with the answer.
    pub(super) tag: Option<Number>,
}

/// A request that cannot be understood, with the tag that it had.
pub(super) type Refused = (Fault, Option<Number>);

impl Request {
    /// Reads the body of a request. Nesting is bounded by the parser; the number of values is that of commas, but for a few.
    pub(super) fn parse(body: &[u8]) -> Result<Request, Refused> {
        if body.iter().filter(|byte| **byte == b',').count() > RPC_VALUES {
            return Err((Fault(format!("a request may have {RPC_VALUES} values at most")), None));
        }
        let mut fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| (Fault(format!("not a request in JSON: {error}")), None))?;
        let tag = match fields.remove("tag") {
            Some(Value::Number(tag)) => Some(tag),
            _ => None,
        };
        let Some(Value::String(method)) = fields.remove("method") else {
            return Err((Fault::new("no method name"), tag));
        };
        let arguments = match fields.remove("arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Err((Fault::new("arguments: an object is expected"), tag)),
        };
        Ok(Request { method, arguments: Arguments::new(arguments), tag })
    }
}

/// The body of an answer: `arguments` is what [`begin`] began.
pub(super) fn finish(outcome: Result<Json, Fault>, tag: Option<&Number>) -> Vec<u8> {
    let (mut json, result) = match outcome {
        Ok(json) => (json, "success".into()),
        Err(Fault(text)) => (begin(|_| {}), text),
    };
    json.pair("result", result);
    if let Some(tag) = tag {
        json.pair("tag", tag);
    }
    json.close(b'}');
    json.into_bytes()
}

/// An answer up to its arguments, which `fill` writes.
pub(super) fn begin(fill: impl FnOnce(&mut Json)) -> Json {
    let mut json = open();
    json.object(fill);
    json
}

/// An answer up to where its arguments begin, for those that are written bit by bit.
pub(super) fn open() -> Json {
    let mut json = Json::default();
    json.open(b'{');
    json.key("arguments");
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn the_tag_comes_back_whatever_becomes_of_the_request() {
        let request = Request::parse(br#"{"method":"session-get","tag":912313}"#).expect("a request");
        assert_eq!(
            text(finish(Ok(begin(|json| json.pair("a", 1))), request.tag.as_ref())),
            r#"{"arguments":{"a":1},"result":"success","tag":912313}"#
        );
        assert_eq!(
            text(finish(Err(Fault::new("no \"way\"")), request.tag.as_ref())),
            r#"{"arguments":{},"result":"no \"way\"","tag":912313}"#
        );
        let (fault, tag) = Request::parse(br#"{"tag":7}"#).expect_err("no method");
        assert_eq!((fault, tag), (Fault::new("no method name"), Some(7.into())));
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_reason() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep_arguments =
            format!(r#"{{"method":"a","arguments":{}{}}}"#, "{\"a\":".repeat(50_000), "}".repeat(50_000));
        for body in ["", "[]", "7", "{", r#"{"method":7}"#, r#"{"method":"a","arguments":[]}"#, &deep, &deep_arguments]
        {
            assert!(Request::parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(40)]);
        }
        assert!(Request::parse(b"{\"method\":\"\xff\"}").is_err());
        assert!(Request::parse(br#"{"method":"a","tag":1e999}"#).is_err());
    }
}
