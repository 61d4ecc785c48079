//! One reactor's world without its IO: the connections, whose turn it is, who is unchoked.
//!
//! Events come in (`accept`, `dial`, `received`, `sent`, `blocked`, `writable`, `cold`, `paged_in`, `piece_good`, `piece_bad`,
//! `tick`), work is asked for: [`Shard::next_output`] (control bytes to hand to a socket), [`Shard::next_turn`] (whose blocks go
//! next), [`Shard::next_whole`] (pieces to check and write) and [`Shard::next_close`] (connections to take down). Nothing here reads a clock, touches a socket or starts a thread, so
//! a whole swarm runs in virtual time.
//!
//! ```text
//!            handshake            requests, unchoked
//! accept --> Greeting ----------> Peer ------------> in turns --next_turn--> out with its blocks
//! dial   -->    |                  |                    ^                      |  sent: back in turns
//!               +------ close -----+                    |                      |  blocked: until writable
//!                                                       +----------------------+  cold: until paged_in
//! ```
//!
//! Pieces of content that was taken on trust are looked at before they are served: see `doubt.rs`.
//!
//! A connection that opens with the hash of a torrent that is ours and not in memory waits for it: see `dormant.rs`. One that begins with
//! an HTTP request is answered by `http.rs`, if files are published: it takes turns like a peer.
//!
//! Invariant: a connection is in turns exactly if it has requests, waits for nothing and is not being closed.

mod choking;
mod connection;
mod dormant;
mod doubt;
mod download;
mod farewell;
mod holding;
mod http;
mod input;
mod leeching;
mod limits;
mod peers;
mod serving;
mod super_seed;
mod swarm;
mod table;
#[cfg(test)]
mod tests;
mod torrents;
mod world;

pub use connection::Connection;
pub use download::{Download, Whole};
pub use peers::{Census, PeerStatus, Waiting};
pub use serving::Turn;
pub use table::Table;
pub use torrents::{DownloadStatus, TorrentStatus};
pub use world::{Config, Shard, Totals};
