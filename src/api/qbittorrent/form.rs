//! What a request brings along: the query of a GET, the form of a POST, URL-encoded or in parts.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use url::form_urlencoded;

use super::answer::Fault;
use crate::limits::{API_BODY, API_FORM_FIELDS};

/// Fields and files of one request.
#[derive(Default)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// In the order in which they came.
    pub(super) files: Vec<Upload>,
}

/// A file of a form.
pub(super) struct Upload {
    /// As its sender calls it.
    pub(super) name: String,
    /// It.
    pub(super) bytes: Bytes,
}

impl Form {
    /// Reads it. Of a GET the query counts, of a POST the body alone, as clients expect.
    pub(super) async fn read(request: Request) -> Result<Form, Fault> {
        if request.method() == Method::GET {
            return Form::decode(request.uri().query().unwrap_or_default().as_bytes());
        }
        if is_multipart(request.headers()) {
            return Form::parts(request).await;
        }
        let body = axum::body::to_bytes(request.into_body(), API_BODY).await;
        Form::decode(&body.map_err(|_| Fault::too_large(format!("a form holds {API_BODY} bytes at most")))?)
    }

    /// Of URL-encoded text.
    pub(super) fn decode(text: &[u8]) -> Result<Form, Fault> {
        let fields: Vec<_> = form_urlencoded::parse(text).take(API_FORM_FIELDS + 1).map(owned).collect();
        if fields.len() > API_FORM_FIELDS {
            return Err(too_many());
        }
        Ok(Form { fields, files: Vec::new() })
    }

    /// The router's limit bounds the whole.
    async fn parts(request: Request) -> Result<Form, Fault> {
        let mut parts =
            Multipart::from_request(request, &()).await.map_err(|error| Fault::invalid(error.body_text()))?;
        let mut form = Form::default();
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            if form.fields.len() + form.files.len() >= API_FORM_FIELDS {
                return Err(too_many());
            }
            let file = part.file_name().map(str::to_owned);
            let name = part.name().unwrap_or_default().to_owned();
            match file {
                Some(name) => form.files.push(Upload { name, bytes: part.bytes().await.map_err(broken)? }),
                None => form.fields.push((name, part.text().await.map_err(broken)?)),
            }
        }
        Ok(form)
    }

    /// The value of a field; of several the last.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::invalid("Bad Request"))
    }

    /// The value of a field; empty if it is not there.
    pub(super) fn or_empty(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// `true` or `false` in any case; anything else is as if it were not there.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        parse_truth(self.get(name)?)
    }

    /// A number; anything else is as if it were not there.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.trim().parse().ok()
    }

    /// Parts of a field, empty ones left out.
    pub(super) fn list<'form>(&'form self, name: &str, separator: char) -> impl Iterator<Item = &'form str> {
        self.or_empty(name).split(separator).map(str::trim).filter(|part| !part.is_empty())
    }
}

pub(super) fn parse_truth(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.get(..20).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data;"))
}

fn owned((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

fn too_many() -> Fault {
    Fault::too_large(format!("a form has {API_FORM_FIELDS} fields at most"))
}

fn broken(error: axum::extract::multipart::MultipartError) -> Fault {
    match error.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => Fault::too_large(error.body_text()),
        _ => Fault::invalid(error.body_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_the_last_of_a_name_counts() {
        let form = Form::decode(b"a=1&b=x+y%7C&a=2&c=TRUE&d=maybe&e&%FF=%FF").expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("e")), (Some("2"), Some("x y|"), Some("")));
        assert_eq!((form.truth("c"), form.truth("d"), form.truth("f")), (Some(true), None, None));
        assert_eq!((form.number::<i64>("a"), form.number::<i64>("b")), (Some(2), None));
        assert!(form.need("f").is_err());
    }

    #[test]
    fn a_form_of_countless_fields_is_refused() {
        assert!(Form::decode("a&".repeat(API_FORM_FIELDS).as_bytes()).is_ok());
        assert!(Form::decode("a&".repeat(API_FORM_FIELDS + 1).as_bytes()).is_err());
    }

    #[test]
    fn lists_leave_empty_parts_out() {
        let form = Form::decode(b"tags=a,,+b+,&none=").expect("a form");
        assert_eq!(form.list("tags", ',').collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.list("none", ',').count() + form.list("absent", ',').count(), 0);
    }
}
