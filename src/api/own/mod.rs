//! The daemon's own API.

use std::sync::Arc;

use axum::Router;

use super::Context;

mod failure;

pub(super) use failure::Failure;

/// Its paths.
pub fn router(_context: Arc<Context>) -> Router {
    Router::new()
}
