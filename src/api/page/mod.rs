//! The web page: a few files that are part of the program, and the login that lets a browser in.
//!
//! Nothing is built, and nothing comes from elsewhere: what a browser is given is what stands in `files`, plain HTML, CSS and ES
//! modules. All it shows and does goes through the daemon's own API, so the page can do nothing that a script could not.

mod files;
pub(super) mod login;

use std::sync::Arc;

use axum::Router;

use super::Context;

/// Its paths.
pub fn router(context: Arc<Context>) -> Router {
    files::router().merge(login::router(context))
}
