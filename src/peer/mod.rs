//! One connection's protocol rules, from a finished handshake to its end (BEP 3, 6, 9, 10, 21).
//!
//! A [`Peer`] gets decoded messages and answers with bytes for the control buffer and an [`Event`] for the shard. It
//! never reads a clock, never touches a socket, and holds no payload: a request becomes a `BlockRef` in a bounded queue.
//! Every rule that a stranger can break ends in a [`Reason`], which closes the connection and is counted.
//!
//! Requests stay queued only while they may be served: choking empties the queue but for allowed-fast pieces, so "has
//! requests" means "wants its turn".
//!
//! [`HttpClient`] is the same for a connection that speaks HTTP.

mod asking;
mod connection;
mod http;
mod metadata;
mod parting;
mod pieces;
mod reason;
mod requests;

pub use connection::{Event, Identity, Peer, Torrent};
pub use http::{Body, HttpClient};
pub use pieces::Pieces;
pub use reason::Reason;
pub use requests::Requests;
