//! Metrics for Prometheus, in its text format (version 0.0.4).
//!
//! Everything is read from the latest view, the engine's latest numbers and `/proc`; nothing is counted here. Series of each torrent
//! are many, so they are given only to who asks for them: `/metrics?torrents=1`.

mod engine;
mod process;
mod text;
mod torrents;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Context;
use super::guard::Caller;
use text::Text;

pub(super) use process::resident;

/// Its path.
pub fn router(context: Arc<Context>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(context)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    torrents: u8,
}

async fn metrics(
    State(context): State<Arc<Context>>,
    caller: Caller,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Response {
    if !context.open_metrics
        && let Err(denied) = context.guard.check(&headers, caller)
    {
        return denied.into_response();
    }
    let status = match context.seedbox.engine().await {
        Ok(status) => status,
        Err(refusal) => return (StatusCode::SERVICE_UNAVAILABLE, format!("{refusal}\n")).into_response(),
    };
    let view = context.seedbox.view();
    let each = context.metrics_per_torrent || wanted.torrents > 0;
    // files of /proc, and ten thousand names: not on a thread that others wait for
    let written = tokio::task::spawn_blocking(move || {
        let mut text = Text::default();
        torrents::write(&view, &mut text);
        engine::write(&status, &mut text);
        process::write(&status, &mut text);
        if each {
            torrents::write_each(&view, &mut text);
        }
        text.finish()
    });
    match written.await {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n").into_response(),
    }
}
