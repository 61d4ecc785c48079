//! The qBittorrent Web API, version 2.11, as its clients use it: Sonarr and its kin, cross-seed, Flood, autobrr, qbit_manage, and
//! whatever speaks through `qbittorrent-api` or `go-qbittorrent`.
//!
//! ```text
//!   /api/v2/SCOPE/ACTION -> auth -> form -> app | sync | torrents | transfer | log -> answer
//! ```
//!
//! Everything that is read comes from one [`View`](crate::session::seedbox::View), taken when the request came; everything that is
//! written becomes orders. Lists are written straight from rows into the bytes that are sent. Verbs of older versions (`pause`,
//! `resume`, `paused`) are understood too. What qBittorrent does and sower does not is answered with a status that says so, never with
//! a silent `200`; there are no RSS feeds and no search, whose paths do not exist here.

mod answer;
mod app;
mod auth;
mod call;
mod fields;
mod form;
mod labels;
mod limit;
mod log;
#[cfg(test)]
mod sample;
mod state;
mod sync;
mod torrents;
mod transfer;
mod value;

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;

use super::Context;
use super::guard::Caller;
use crate::limits::API_UPLOAD;
use answer::{Fault, Outcome};
use call::{Call, Client, Desk};
use form::Form;
use sync::Told;

pub use sync::write_main_data;

/// Its paths.
pub fn router(context: Arc<Context>) -> Router {
    let desk = Desk { context, told: Mutex::new(Told::new(now())) };
    let routes = Router::new().route("/api/v2/{scope}/{action}", any(serve));
    routes.layer(DefaultBodyLimit::max(API_UPLOAD)).with_state(Arc::new(desk))
}

async fn serve(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Path((scope, action)): Path<(String, String)>,
    request: Request,
) -> Response {
    if auth::is_foreign(request.headers()) {
        return Fault::foreign().into_response();
    }
    let guard = &desk.context.guard;
    let is_login = (scope.as_str(), action.as_str()) == ("auth", "login");
    if !is_login && let Err(denied) = guard.check(request.headers(), caller) {
        return auth::refuse(denied);
    }
    if let Err(fault) = check_method(request.method(), &scope, &action) {
        return fault.into_response();
    }
    if (scope.as_str(), action.as_str()) == ("auth", "logout") {
        return auth::logout(guard, request.headers());
    }
    let client = Client::new(guard.session(request.headers()), caller);
    match Form::read(request).await {
        Ok(form) if is_login => auth::login(guard, &form, caller),
        Ok(form) => {
            let call = Call { form, view: desk.seedbox().view(), client, now: now() };
            follow(&desk, call, &scope, &action).await.into_response()
        }
        Err(fault) => fault.into_response(),
    }
}

async fn follow(desk: &Desk, call: Call, scope: &str, action: &str) -> Outcome {
    match scope {
        "app" => app::answer(desk, &call, action).await,
        "log" => log::answer(desk, &call, action),
        "sync" => sync::answer(desk, &call, action).await,
        "torrents" => torrents::answer(desk, &call, action).await,
        "transfer" => transfer::answer(desk, &call, action).await,
        _ => Err(Fault::not_found()),
    }
}

/// What changes something must be a POST: a GET can be caused by any link.
fn check_method(method: &Method, scope: &str, action: &str) -> Result<(), Fault> {
    let allowed = match *method {
        Method::POST => true,
        Method::GET => is_reading(scope, action),
        _ => false,
    };
    if allowed { Ok(()) } else { Err(Fault::method()) }
}

fn is_reading(scope: &str, action: &str) -> bool {
    match scope {
        "app" => !matches!(action, "setPreferences" | "shutdown" | "setCookies" | "sendTestEmail"),
        "auth" => false,
        "torrents" => torrents::is_reading(action),
        "transfer" => !matches!(action, "banPeers" | "toggleSpeedLimitsMode") && !action.starts_with("set"),
        _ => true,
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
