//! The tracker over HTTP (BEP 3): axum's router on connections that hyper serves within limits.
//!
//! Each HTTP thread runs a single-threaded runtime with listeners of its own, so a connection is accepted, served and
//! closed on one core. Whatever is wrong with a request for `/announce` or `/scrape`, the answer is `200 OK` and a
//! bencoded failure reason, because that is what clients show; only what is no HTTP at all gets a bare status.

mod crowd;
mod listener;
mod page;
mod query;
mod reply;
mod routes;
mod server;
mod stream;

pub use crowd::{Crowd, Seat, network};
pub(super) use server::HttpServer;
