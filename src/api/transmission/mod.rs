//! The Transmission RPC, in the form that every client speaks: `{"method","arguments","tag"}`, as rpc-spec 17 (Transmission 4.0)
//! has it. Transmission 4.1 added JSON-RPC 2.0; clients that know it use it only where a header offers it, and here none does.
//!
//! ```text
//!   POST /transmission/rpc -> guard -> session id -> envelope -> method -> Seedbox
//!                                                                  \--> View, details -> JSON
//! ```
//!
//! An error of a request is an answer with HTTP status 200 whose `result` says what is wrong. What has no counterpart here is
//! refused in words (bandwidth groups, scripts) or passed over where it is only a hint (`bandwidthPriority`).

mod act;
mod add;
mod arguments;
mod defaults;
mod details;
mod envelope;
mod field;
mod files;
mod get;
mod history;
mod ids;
mod limits;
mod measure;
mod method;
mod peers;
mod place;
#[cfg(test)]
mod sample;
mod server;
mod session_get;
mod session_set;
mod set;
mod torrent;
mod trackers;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};

use super::Context;
use server::Server;

pub use get::listing;

/// Its paths. A task follows the views for as long as there are any; there has to be a runtime.
pub fn router(context: Arc<Context>) -> Router {
    let mut views = context.seedbox.watch();
    let server = Arc::new(Server::new(context));
    let followed = Arc::downgrade(&server);
    tokio::spawn(async move {
        while views.changed().await.is_ok() {
            let Some(server) = followed.upgrade() else { break };
            server.note(&views.borrow_and_update());
        }
    });
    // where people look for Transmission's page is ours
    let page = || get(async || Redirect::permanent("/"));
    Router::new()
        .route("/transmission/rpc", any(server::answer))
        .route("/transmission/rpc/", any(server::answer))
        .route("/transmission", page())
        .route("/transmission/", page())
        .route("/transmission/web", page())
        .route("/transmission/web/", page())
        .with_state(server)
}
