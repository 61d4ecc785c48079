//! All torrents, or those that changed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::fields::{Selection, Torrent, count};
use super::totals::{TotalsDocument, write_totals};
use super::{Answer, ErrorDocument, Failure, now};
use crate::api::Context;
use crate::api::json::write_text as text;
use crate::session::seedbox::View;

/// Torrents up to which a list is written by the thread that answers.
const AT_ONCE: usize = 500;
/// Views of one start, in a cursor; one every second makes them last 136 years, and JavaScript counts starts up to two million.
const START: u64 = 1 << 32;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The `revision` of an earlier answer: tells only what has changed since.
    since: Option<u64>,
    /// Members of a torrent that are wanted, with commas between; all if left out.
    #[param(example = "hash,name,upload_rate")]
    fields: Option<String>,
}

/// All torrents.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written by hand")]
pub(super) struct ListDocument {
    /// Say this as `since` the next time.
    revision: u64,
    /// In the order in which they were added.
    torrents: Vec<Torrent>,
    totals: TotalsDocument,
}

/// What has changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written by hand")]
pub(in crate::api) struct DeltaDocument {
    /// Say this as `since` the next time.
    revision: u64,
    /// `changed` are all torrents there are: too much has happened since, or the daemon has started anew. Forget the others.
    full: bool,
    /// Torrents that were added or changed, whole.
    changed: Vec<Torrent>,
    /// Hashes of torrents that are gone.
    removed: Vec<String>,
    totals: TotalsDocument,
}

/// What a client has seen: a view, and of which start. Revisions begin anew with each start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::api) struct Cursor(pub(in crate::api) u64);

impl Cursor {
    pub(in crate::api) fn of(view: &View) -> Cursor {
        Cursor(view.totals.starts.wrapping_mul(START).wrapping_add(view.revision % START))
    }

    /// The revision, if it is one of `view` or before it.
    fn within(self, view: &View) -> Option<u64> {
        let revision = self.0 % START;
        (self.0 / START == view.totals.starts && revision <= view.revision).then_some(revision)
    }
}

/// Lists all torrents, or those that changed.
///
/// With `since`, tells what has changed after the answer of that revision; see the second form of the answer.
#[utoipa::path(get, path = "/api/v1/torrents", tag = "torrents", params(ListQuery), responses(
    (status = 200, description = "without `since`: all torrents; with it: a delta", body = ListOrDelta),
    (status = 400, description = "an unknown field", body = ErrorDocument),
))]
pub(super) async fn list(
    State(context): State<Arc<Context>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer<Response> {
    let Query(query) = query?;
    let selection = Selection::parse(query.fields.as_deref())?;
    let view = context.seedbox.view();
    match query.since {
        Some(since) => Delta { view, since: Some(Cursor(since)), selection }.write().await,
        None => in_turn(view.rows.len(), move || write_list(&view, &selection)).await,
    }
    .map(json)
}

/// Either form.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is written by hand")]
pub(super) enum ListOrDelta {
    List(ListDocument),
    Delta(DeltaDocument),
}

fn write_list(view: &View, selection: &Selection) -> Vec<u8> {
    let mut out = Vec::with_capacity(selection.bytes(view.rows.len()));
    out.extend_from_slice(b"{\"revision\":");
    count(&mut out, Cursor::of(view).0);
    out.extend_from_slice(b",\"torrents\":");
    selection.write_rows(view.rows.iter().map(Arc::as_ref), now(), &mut out);
    write_totals(view, &mut out);
    out.push(b'}');
    out
}

/// What has changed between a cursor and a view.
pub(in crate::api) struct Delta {
    pub(in crate::api) view: Arc<View>,
    /// `None`: nothing was seen.
    pub(in crate::api) since: Option<Cursor>,
    pub(in crate::api) selection: Selection,
}

impl Delta {
    /// As JSON.
    pub(in crate::api) async fn write(self) -> Answer<Vec<u8>> {
        let since = self.since.and_then(|cursor| cursor.within(&self.view));
        let rows = since.map_or(self.view.rows.len(), |since| self.view.changed_since(since).count());
        in_turn(rows, move || self.text(rows)).await
    }

    /// With room for so many torrents.
    fn text(&self, rows: usize) -> Vec<u8> {
        let since = self.since.and_then(|cursor| cursor.within(&self.view));
        // of more removals than are remembered nobody can tell which this client has heard of
        let known = since.and_then(|since| Some((since, self.view.removed_since(since)?)));
        let after = known.as_ref().map(|(since, _)| *since);
        let mut out = Vec::with_capacity(self.selection.bytes(rows));
        out.extend_from_slice(b"{\"revision\":");
        count(&mut out, Cursor::of(&self.view).0);
        out.extend_from_slice(if known.is_none() { b",\"full\":true" } else { b",\"full\":false" });
        out.extend_from_slice(b",\"changed\":");
        let rows = self.view.rows.iter().map(Arc::as_ref);
        self.selection.write_rows(rows.filter(|row| after.is_none_or(|after| row.revision > after)), now(), &mut out);
        out.extend_from_slice(b",\"removed\":[");
        for (at, removed) in known.into_iter().flat_map(|(_, removed)| removed).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text(&mut out, &removed.info_hash.to_string());
        }
        out.push(b']');
        write_totals(&self.view, &mut out);
        out.push(b'}');
        out
    }
}

/// What `/api/v1/torrents` answers about this view, for measuring; `None` if a field is not known.
pub fn listing(view: &Arc<View>, since: Option<u64>, fields: &str) -> Option<Vec<u8>> {
    let selection = Selection::parse(Some(fields)).ok()?;
    let Some(since) = since else { return Some(write_list(view, &selection)) };
    let rows = view.rows.len();
    Some(Delta { view: view.clone(), since: Some(Cursor(since)), selection }.text(rows))
}

/// Writes here and now what is short, and on another thread what is long: others are answered meanwhile.
pub(super) async fn in_turn<T: Send + 'static>(rows: usize, write: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    if rows <= AT_ONCE {
        return Ok(write());
    }
    let failed =
        |_| Failure::of_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "the list could not be written".into());
    tokio::task::spawn_blocking(write).await.map_err(failed)
}

/// An answer of JSON that is written already.
pub(super) fn json(text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
