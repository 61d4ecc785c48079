//! What is asked of every request before a front end sees it, and what is put on every answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::RequestExt as _;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{self, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::names::{Names, Sent};
use crate::api::own::Failure;
use crate::limits::{API_BODY, API_UPLOAD};

/// For a request to be received and answered: an upload of the largest size over 5 Mbit/s. Answers without an end begin at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// Our end of the connection that a request came by; the server puts it on those that came by TCP.
#[derive(Clone, Copy)]
pub(super) struct Reached(pub(super) IpAddr);

/// See the module.
pub(super) async fn gate(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let own = request.uri().path().starts_with("/api/v1/");
    let mut response = match admit(&names, request) {
        Ok(request) => tokio::time::timeout(PATIENCE, next.run(request))
            .await
            .unwrap_or_else(|_| (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response()),
        Err(refused) if own => Failure::of_status(refused.0, refused.1.trim_end().into()).into_response(),
        Err(refused) => refused.into_response(),
    };
    protect(response.headers_mut());
    response
}

/// Why a request is not passed on.
type Refused = (StatusCode, String);

fn admit(names: &Names, mut request: Request) -> Result<Request, Refused> {
    if let Some(Reached(reached)) = request.extensions().get().copied() {
        let sent = Sent { method: request.method(), uri: request.uri(), headers: request.headers() };
        names.admit(&sent, reached).map_err(|denied| (denied.status(), format!("{denied}\n")))?;
    }
    let most = body_most(request.uri().path(), request.headers());
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most as u64) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("a request may have {most} bytes\n")));
    }
    // for extractors, which say so properly, and for whoever reads the body bare
    DefaultBodyLimit::max(most).apply(&mut request);
    Ok(request.with_limited_body())
}

/// Bytes that the body of a request may have. The Transmission RPC has torrent files in JSON.
fn body_most(path: &str, headers: &HeaderMap) -> usize {
    let kind = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let multipart = kind.len() >= 10 && kind[..10].eq_ignore_ascii_case(b"multipart/");
    if multipart || path.starts_with("/transmission/") { API_UPLOAD } else { API_BODY }
}

/// Nothing of an answer is used by another site, framed, guessed at or kept, unless the front end said otherwise.
fn protect(headers: &mut HeaderMap) {
    const CONTENT: &str =
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
    let fields = [
        (header::CONTENT_SECURITY_POLICY, CONTENT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // with `no-referrer` browsers would call the origin of our own forms `null`
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fields {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
