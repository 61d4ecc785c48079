//! Saying no in JSON: `{"error": {"kind": "not_found", "message": "..."}}`.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::guard::Denied;
use crate::session::seedbox::{Refusal, RefusalKind};

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ErrorDocument {
    error: ErrorBody,
}

#[derive(Serialize, ToSchema)]
struct ErrorBody {
    /// For programs.
    #[schema(example = "not_found")]
    kind: &'static str,
    /// For people: what is wrong, and what to do.
    message: String,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(in crate::api) struct Failure {
    status: StatusCode,
    message: String,
    denied: Option<Denied>,
}

/// What handlers answer.
pub(in crate::api) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// One of this status.
    pub(in crate::api) fn of_status(status: StatusCode, message: String) -> Failure {
        Failure { status, message, denied: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Failure {
        Failure::of_status(StatusCode::BAD_REQUEST, message.into())
    }

    pub(super) fn not_found(message: impl Into<String>) -> Failure {
        Failure::of_status(StatusCode::NOT_FOUND, message.into())
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => "invalid",
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::CONFLICT => "conflict",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported",
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            StatusCode::REQUEST_TIMEOUT => "timeout",
            StatusCode::SERVICE_UNAVAILABLE => "busy",
            _ => "environment",
        }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let status = match refusal.kind {
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Invalid => StatusCode::BAD_REQUEST,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Environment => StatusCode::INTERNAL_SERVER_ERROR,
            RefusalKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        Failure::of_status(status, refusal.text)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure { status: denied.status(), message: denied.to_string(), denied: Some(denied) }
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Failure {
        Failure::of_status(rejection.status(), rejection.body_text())
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Failure {
        Failure::of_status(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Failure {
        Failure::of_status(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let document = ErrorDocument { error: ErrorBody { kind: self.kind(), message: self.message } };
        let mut response = (self.status, Json(document)).into_response();
        if let Some(denied) = self.denied {
            denied.mark(&mut response);
            // asked for Basic auth, a browser would put a question of its own before the page's login
            if let Some(challenge) = response.headers_mut().get_mut(WWW_AUTHENTICATE) {
                *challenge = HeaderValue::from_static("Bearer realm=\"sower\"");
            }
        }
        response
    }
}
