//! The tracker over UDP (BEP 15).
//!
//! ```text
//!  socket -> batch   64 datagrams a recvmmsg, with the local address each was sent to
//!         -> packet  bytes become requests
//!         -> answer  connection id checked, swarm asked
//!         -> batch   up to 64 answers a sendmmsg, each from the address that was asked
//! ```
//!
//! One thread serves an IPv4 and an IPv6 socket; it sleeps in `poll` when neither has anything. Nothing is allocated
//! for a request.

mod answer;
mod batch;
mod connection_id;
mod packet;
mod worker;

pub(super) use worker::{UdpServer, prepare};
