//! What the daemon speaks: the Transmission RPC, the qBittorrent Web API, its own API, metrics, and the web page.
//!
//! Nothing here decides anything: front ends read [`View`](crate::session::seedbox::View)s and send orders to the
//! [`Seedbox`](crate::session::seedbox::Seedbox). Each of them is a router; [`server`] puts them behind one door and looks at every
//! request before they do. Who may come in is decided in one place, [`guard`], and asked by each of them, because each has its own
//! way of saying no.

mod context;
mod events;
pub mod guard;
mod journal;
mod json;
pub mod metrics;
pub mod own;
pub mod page;
pub mod qbittorrent;
pub mod server;
pub mod transmission;

pub use context::Context;
pub use journal::Journal;
