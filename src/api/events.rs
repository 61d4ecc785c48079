//! What changes, as it changes: server-sent events for pages and scripts.
//!
//! Each client gets what has changed since its own last event, so one that is slow gets fewer and larger ones, and nothing ever waits
//! for it: what it has not taken yet is not written.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::Context;
use super::own::{Answer, Cursor, Delta, DeltaDocument, ErrorDocument, Failure, Selection};
use super::server::Ending;
use crate::session::seedbox::View;

/// Between two events of one client. Rates are of the last second anyway.
const PAUSE: Duration = Duration::from_millis(500);
/// Without an event a comment is sent, so that proxies keep the connection and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// The `revision` of an earlier answer. Browsers that connect again send `Last-Event-ID` instead, which counts more.
    since: Option<u64>,
    /// Members of a torrent that are wanted, with commas between; all if left out.
    fields: Option<String>,
}

/// Tells changes as they happen (server-sent events).
///
/// Each event is called `change`, its id is the revision, and its data are as of `/api/v1/torrents?since=`; the first tells everything,
/// unless `since` or `Last-Event-ID` says what is known. At most two events a second.
#[utoipa::path(get, path = "/api/v1/events", tag = "daemon", params(EventsQuery), responses(
    (status = 200, description = "a stream of events, the data of each as described", body = DeltaDocument, content_type = "text/event-stream"),
    (status = 400, body = ErrorDocument),
    (status = 503, description = "too many listen already", body = ErrorDocument),
))]
pub(super) async fn events(
    State(context): State<Arc<Context>>,
    Extension(ending): Extension<Ending>,
    headers: HeaderMap,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Answer<([(&'static str, &'static str); 1], Sse<impl Stream<Item = Result<Event, Infallible>>>)> {
    let Query(query) = query?;
    let selection = Selection::parse(query.fields.as_deref())?;
    let crowded = |_| {
        Failure::of_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many clients listen for events; close some pages".into(),
        )
    };
    let place = context.listeners.clone().try_acquire_owned().map_err(crowded)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let listener = Listener {
        views: context.seedbox.watch(),
        seen: seen.or(query.since).map(Cursor),
        selection,
        next: Instant::now(),
        ending,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(([UNBUFFERED], Sse::new(unfold(listener, Listener::next)).keep_alive(keep_alive)))
}

/// nginx keeps an answer back until it has a page of it, unless it is told that somebody waits for each line.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// One client.
struct Listener {
    views: watch::Receiver<Arc<View>>,
    seen: Option<Cursor>,
    selection: Selection,
    /// Not before.
    next: Instant,
    ending: Ending,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next event, once there is something to tell; `None` when the server or the seedbox ends.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Listener)> {
        let ending = self.ending.clone();
        let delta = tokio::select! {
            delta = self.delta() => delta?,
            () = ending.wait() => return None,
        };
        let cursor = Cursor::of(&delta.view);
        let text = delta.write().await.ok()?;
        self.seen = Some(cursor);
        self.next = Instant::now() + PAUSE;
        let text = String::from_utf8(text).ok()?;
        Some((Ok(Event::default().event("change").id(cursor.0.to_string()).data(text)), self))
    }

    async fn delta(&mut self) -> Option<Delta> {
        sleep_until(self.next).await;
        loop {
            let view = self.views.borrow_and_update().clone();
            if self.seen != Some(Cursor::of(&view)) {
                return Some(Delta { view, since: self.seen, selection: self.selection.clone() });
            }
            self.views.changed().await.ok()?;
        }
    }
}
