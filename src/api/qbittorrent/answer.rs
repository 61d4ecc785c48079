//! What comes back: texts, JSON, files, and faults with the statuses that clients of this API know.

use std::borrow::Cow;

use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::session::seedbox::{Refusal, RefusalKind};

/// An answer to a request that was followed.
pub(super) enum Answer {
    /// Nothing to tell.
    Done,
    /// Plain text.
    Text(Cow<'static, str>),
    /// JSON.
    Json(Vec<u8>),
    /// A torrent file.
    Torrent {
        /// What the browser calls it.
        name: String,
        /// It.
        bytes: Vec<u8>,
    },
}

/// Why a request was not followed.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fault {
    status: StatusCode,
    text: Cow<'static, str>,
}

/// What an action comes to.
pub(super) type Outcome = Result<Answer, Fault>;

impl Answer {
    pub(super) fn text(text: impl Into<Cow<'static, str>>) -> Outcome {
        Ok(Answer::Text(text.into()))
    }

    /// For small values; lists are written by [`Json`](crate::api::json::Json).
    pub(super) fn json(value: &serde_json::Value) -> Outcome {
        Ok(Answer::Json(value.to_string().into_bytes()))
    }
}

impl Fault {
    fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault { status, text: text.into() }
    }

    /// Not understood.
    pub(super) fn invalid(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, text)
    }

    /// Not let in.
    pub(super) fn forbidden(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::FORBIDDEN, text)
    }

    /// Another web site asks.
    pub(super) fn foreign() -> Fault {
        Fault::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// No such torrent, or no such action.
    pub(super) fn not_found() -> Fault {
        Fault::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// Read where only writing is allowed.
    pub(super) fn method() -> Fault {
        Fault::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    /// Does not go with what is there.
    pub(super) fn conflict(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::CONFLICT, text)
    }

    /// No torrent file.
    pub(super) fn bad_file(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    }

    /// Beyond a bound.
    pub(super) fn too_large(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// Our own mistake.
    pub(super) fn internal() -> Fault {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    /// qBittorrent does this and sower does not: better said than left undone. Not by a 501: `qbittorrent-api` takes any of those for
    /// a fault of the server, throws its session away and tries again.
    pub(super) fn unsupported(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(StatusCode::CONFLICT, text)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let status = match refusal.kind {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Conflict | RefusalKind::Environment => StatusCode::CONFLICT,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        Fault::new(status, refusal.text)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Answer::Done => plain(StatusCode::OK, ""),
            Answer::Text(text) => plain(StatusCode::OK, text),
            Answer::Json(bytes) => with_type("application/json", bytes.into_response()),
            Answer::Torrent { name, bytes } => {
                let mut response = with_type("application/x-bittorrent", bytes.into_response());
                // the name is digits of a hash
                if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
                    response.headers_mut().insert(CONTENT_DISPOSITION, value);
                }
                response
            }
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        plain(self.status, self.text)
    }
}

fn plain(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Response {
    with_type("text/plain; charset=UTF-8", (status, text.into()).into_response())
}

fn with_type(kind: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
