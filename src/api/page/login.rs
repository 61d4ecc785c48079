//! The login of the page: the token is shown once, for a cookie that scripts cannot read and other sites cannot send.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::Context;
use crate::api::guard::{Caller, Guard, USER};
use crate::api::own::{ErrorDocument, Failure, wrong_method};

/// Ends the cookie of a session.
const NO_COOKIE: HeaderValue = HeaderValue::from_static("SID=; Max-Age=0; HttpOnly; SameSite=Strict; Path=/");

/// What is sent to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct LoginRequest {
    /// The token of the state folder.
    token: String,
}

/// `/api/v1/login` and `/api/v1/logout`.
pub(super) fn router(context: Arc<Context>) -> Router {
    let routes = Router::new().route("/api/v1/login", post(login)).route("/api/v1/logout", post(logout));
    routes.method_not_allowed_fallback(wrong_method).with_state(context)
}

/// Logs in: the token for a cookie.
#[utoipa::path(post, path = "/api/v1/login", tag = "daemon", security(()), request_body = LoginRequest, responses(
    (status = 204, description = "let in, by the cookie `SID` that comes with this answer"),
    (status = 400, body = ErrorDocument),
    (status = 401, description = "another token", body = ErrorDocument),
    (status = 429, description = "too many wrong tokens", body = ErrorDocument),
))]
pub(in crate::api) async fn login(
    State(context): State<Arc<Context>>,
    caller: Caller,
    request: Result<Json<LoginRequest>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(LoginRequest { token }) = request?;
    let sid = context.guard.login(USER, &token, caller)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, Guard::cookie(&sid))]).into_response())
}

/// Logs out: the cookie that comes along is worth nothing any more.
#[utoipa::path(post, path = "/api/v1/logout", tag = "daemon", security(()), responses((status = 204)))]
pub(in crate::api) async fn logout(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    if let Some(sid) = Guard::sid(&headers) {
        context.guard.logout(sid);
    }
    (StatusCode::NO_CONTENT, [(SET_COOKIE, NO_COOKIE)]).into_response()
}
