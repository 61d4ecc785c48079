//! Metrics for Prometheus.

use std::sync::Arc;

use axum::Router;

use super::Context;

/// Its paths.
pub fn router(_context: Arc<Context>) -> Router {
    Router::new()
}
