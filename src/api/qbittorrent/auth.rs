//! Logging in and out, and whether a request comes from our own pages.

use axum::http::header::{HOST, ORIGIN, REFERER, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use url::Url;

use super::answer::{Answer, Fault};
use super::form::Form;
use crate::api::guard::{Caller, Denied, Guard};

/// `auth/login`: a wrong password is told by a word, not by a status, as clients of this version expect.
pub(super) fn login(guard: &Guard, form: &Form, caller: Caller) -> Response {
    match guard.login(form.or_empty("username"), form.or_empty("password"), caller) {
        Ok(sid) => {
            let mut response = Answer::Text("Ok.".into()).into_response();
            response.headers_mut().append(SET_COOKIE, Guard::cookie(&sid));
            response
        }
        Err(Denied::Wrong | Denied::Nobody) => Answer::Text("Fails.".into()).into_response(),
        Err(denied) => refuse(denied),
    }
}

/// `auth/logout`
pub(super) fn logout(guard: &Guard, headers: &HeaderMap) -> Response {
    if let Some(sid) = Guard::sid(headers) {
        guard.logout(sid);
    }
    let mut response = Answer::Done.into_response();
    let ended = "SID=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    response.headers_mut().append(SET_COOKIE, HeaderValue::from_static(ended));
    response
}

/// Clients of this API know 403 and no other answer to who has not logged in.
pub(super) fn refuse(denied: Denied) -> Response {
    let mut response = match denied {
        Denied::Nobody | Denied::Wrong => Fault::forbidden("Forbidden").into_response(),
        Denied::Foreign(_) | Denied::Misdirected => Fault::foreign().into_response(),
        Denied::Guessing { .. } => Fault::forbidden(denied.to_string()).into_response(),
    };
    if let Denied::Guessing { wait } = denied {
        response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
    }
    response
}

/// Whether `Origin` or, without one, `Referer` names another place than the request went to. A client that sends neither is no
/// browser.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(from) = text(ORIGIN).or_else(|| text(REFERER)).filter(|from| !from.is_empty()) else { return false };
    let here = text(HOST).and_then(|host| Url::parse(&format!("http://{host}")).ok());
    let there = Url::parse(from).ok();
    !matches!((here, there), (Some(here), Some(there)) if is_same(&here, &there))
}

/// The scheme does not count: TLS may end at a proxy. Then the port is the default one on both sides.
fn is_same(here: &Url, there: &Url) -> bool {
    here.host().is_some() && here.host() == there.host() && here.port() == there.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn requests_that_other_sites_cause_are_known() {
        let host = (HOST, "seed.example:9091");
        for (name, from, foreign) in [
            (ORIGIN, "http://seed.example:9091", false),
            (REFERER, "http://seed.example:9091/api/v2/app/version?x", false),
            (ORIGIN, "http://seed.example", true),
            (ORIGIN, "http://evil.example:9091", true),
            (REFERER, "http://evil.example/seed.example:9091", true),
            (ORIGIN, "null", true),
            (ORIGIN, "http://seed.example:9091@evil.example", true),
        ] {
            assert_eq!(is_foreign(&headers(&[host.clone(), (name, from)])), foreign, "{from}");
        }
        assert!(!is_foreign(&headers(&[host])), "no browser");
        assert!(is_foreign(&headers(&[(ORIGIN, "http://evil.example")])), "no host");
        let behind_tls = [(HOST, "seed.example"), (ORIGIN, "https://seed.example")];
        assert!(!is_foreign(&headers(&behind_tls)));
    }
}
