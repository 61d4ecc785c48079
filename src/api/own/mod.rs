//! The daemon's own API: `/api/v1`, JSON, described by the OpenAPI document at `/api/v1/openapi.json`.
//!
//! Every handler carries its own description, and is reached by the path that stands there, so the document and the routes are the
//! same. Lists are written from one immutable view in one pass; nobody waits for them.

mod add;
mod change;
mod command;
mod details;
mod document;
mod failure;
mod fields;
mod limit;
mod list;
mod settings;
mod totals;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, get, on};
use utoipa::openapi::path::HttpMethod;

use super::guard::Caller;
use super::{Context, events};
use crate::ids::InfoHash;
use crate::session::seedbox::{Row, View};

pub use document::document;
pub(super) use document::{DeltaDocument, ErrorDocument};
pub(super) use failure::{Answer, Failure};
pub(super) use fields::{Selection, activity_name, trouble_name};
pub use list::listing;
pub(super) use list::{Cursor, Delta};

/// Its paths.
pub fn router(context: Arc<Context>) -> Router {
    let routes = Routes::default()
        .add::<list::__path_list, _, _>(list::list)
        .add::<add::__path_add, _, _>(add::add)
        .add::<details::__path_torrent, _, _>(details::torrent)
        .add::<details::__path_files, _, _>(details::files)
        .add::<details::__path_torrent_file, _, _>(details::torrent_file)
        .add::<details::__path_peers, _, _>(details::peers)
        .add::<details::__path_trackers, _, _>(details::trackers)
        .add::<details::__path_pieces, _, _>(details::pieces)
        .add::<change::__path_act, _, _>(change::act)
        .add::<change::__path_patch, _, _>(change::patch)
        .add::<change::__path_remove, _, _>(change::remove)
        .add::<change::__path_many, _, _>(change::many)
        .add::<settings::__path_settings, _, _>(settings::settings)
        .add::<settings::__path_patch_settings, _, _>(settings::patch_settings)
        .add::<totals::__path_totals, _, _>(totals::totals)
        .add::<totals::__path_engine, _, _>(totals::engine)
        .add::<events::__path_events, _, _>(events::events);
    (routes.router)
        .route("/api/v1/openapi.json", get(document::serve))
        .route("/api/v1/{*path}", axum::routing::any(nothing_here))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(context.clone(), owner_only))
        .with_state(context)
}

/// Routes at the paths that their descriptions say.
#[derive(Default)]
struct Routes {
    router: Router<Arc<Context>>,
}

impl Routes {
    fn add<P: utoipa::Path, H: Handler<T, Arc<Context>>, T: 'static>(self, handler: H) -> Routes {
        let methods = P::methods().into_iter().map(|method| match method {
            HttpMethod::Post => MethodFilter::POST,
            HttpMethod::Patch => MethodFilter::PATCH,
            HttpMethod::Delete => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        });
        let filter = methods.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET);
        Routes { router: self.router.route(&P::path(), on(filter, handler)) }
    }
}

/// Asks for the token.
async fn owner_only(State(context): State<Arc<Context>>, caller: Caller, request: Request, next: Next) -> Response {
    match context.guard.check(request.headers(), caller) {
        Ok(()) => next.run(request).await,
        Err(denied) => Failure::from(denied).into_response(),
    }
}

async fn nothing_here() -> Failure {
    Failure::not_found("there is nothing at this path; /api/v1/openapi.json lists what there is")
}

pub(super) async fn wrong_method() -> Failure {
    let message = "this path does not know that method; /api/v1/openapi.json lists those that it knows";
    Failure::of_status(StatusCode::METHOD_NOT_ALLOWED, message.into())
}

/// The torrent of a hash in a path.
fn find(view: &View, hash: &str) -> Answer<Arc<Row>> {
    let info_hash = parse_hash(hash)?;
    view.find(info_hash).cloned().ok_or_else(|| Failure::not_found(format!("there is no torrent {info_hash}")))
}

fn parse_hash(hash: &str) -> Answer<InfoHash> {
    InfoHash::from_hex(hash)
        .ok_or_else(|| Failure::invalid("a torrent is named by the 40 hexadecimal digits of its info-hash"))
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
