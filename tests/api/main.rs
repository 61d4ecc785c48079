//! The daemon's own API, its events and its metrics, over real sockets to a real seedbox.

mod document;
mod events;
mod http;
mod metrics;
mod scene;
mod torrents;
