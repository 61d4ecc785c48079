//! Accepts connections without registering them with the runtime, as tokio's own listener does: see `stream`.
//!
//! The unsafe code is the registration of the listener itself. It is sound because the listener is owned by what
//! registers it, never handed out, and closed only after it has been taken out of epoll, when that is dropped.
#![expect(unsafe_code, reason = "a watched descriptor must stay open and the same, which only its owner can promise")]

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A listening socket.
pub(super) struct Listener {
    watched: AsyncFd<TcpListener>,
    /// The address it is bound to; none if to all of them.
    address: Option<IpAddr>,
}

/// A connection just accepted; it does not block.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) source: SocketAddr,
    /// Our address that it came to.
    pub(super) reached_at: IpAddr,
}

impl Listener {
    /// Inside a runtime.
    pub(super) fn new(listener: TcpListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?.ip();
        // SAFETY: `TcpListener` answers the same open descriptor all its life; it is moved into the `AsyncFd`, of which
        // only shared references are given out, and never taken out of it
        let watched = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?;
        Ok(Listener { watched, address: (!address.is_unspecified()).then_some(address) })
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        let (stream, source) = self.watched.async_io(Interest::READABLE, accept).await?;
        let reached_at = match self.address {
            Some(address) => address,
            None => stream.local_addr()?.ip(),
        };
        Ok(Accepted { stream, source, reached_at })
    }
}

fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, source) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let source = source.and_then(|source| SocketAddr::try_from(source).ok());
    Ok((socket.into(), source.ok_or(io::ErrorKind::ConnectionAborted)?))
}
