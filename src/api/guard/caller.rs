//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

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

/// The address itself; of IPv6 the /64 that one customer has.
pub(in crate::api) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, StatusCode> {
        parts.extensions.get().copied().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
