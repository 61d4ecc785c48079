//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::tracker::network;

/// Who sends a request; the server puts it on each, and handlers take it as an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// By TCP, from there.
    Tcp(SocketAddr),
    /// By the Unix socket, whose mode lets only its owner in.
    Unix,
}

impl Caller {
    /// The address that guesses are counted by; none of the Unix socket.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Caller::Tcp(address) => Some(network(address.ip())),
            Caller::Unix => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, StatusCode> {
        parts.extensions.get().copied().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
