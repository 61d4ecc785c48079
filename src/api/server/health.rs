//! Whether the daemon lives, and whether it serves. For supervisors: no token, and nothing in the answer but yes or no.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::Mutex;

use crate::api::Context;
use crate::ids::TorrentId;
use crate::session::seedbox::RefusalKind;

/// For the keeper to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// For which an answer holds, however many ask.
const FRESH: Duration = Duration::from_secs(1);

type Answer = (StatusCode, &'static str);

/// The keeper's last sign of life.
struct Pulse {
    context: Arc<Context>,
    last: Mutex<Option<(Instant, bool)>>,
}

pub(super) fn router(context: Arc<Context>) -> Router {
    let pulse = Arc::new(Pulse { context: context.clone(), last: Mutex::default() });
    Router::new()
        .route("/healthz", get(async move || pulse.answer().await))
        .route("/readyz", get(async move || readiness(&context)))
}

impl Pulse {
    /// One asks, all others wait for what it hears.
    async fn answer(&self) -> Answer {
        let mut last = self.last.lock().await;
        let lives = match *last {
            Some((at, lives)) if at.elapsed() < FRESH => lives,
            _ => {
                // of a torrent that there is not: any answer will do but that it ends
                let asked = tokio::time::timeout(PATIENCE, self.context.seedbox.pieces(TorrentId(u32::MAX))).await;
                asked.is_ok_and(|answer| answer.err().is_none_or(|refusal| refusal.kind != RefusalKind::Busy))
            }
        };
        *last = Some((Instant::now(), lives));
        if lives { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "the keeper does not answer\n") }
    }
}

/// State is loaded, and torrents were told to begin.
fn readiness(context: &Context) -> Answer {
    match context.seedbox.view().revision {
        0 => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        _ => (StatusCode::OK, "ready\n"),
    }
}
