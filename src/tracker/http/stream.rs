//! A connection that the runtime watches only if it has to wait.
//!
//! Most announces come on a connection of their own, with the request already there when it is accepted: read, write,
//! close. Registering the socket with epoll and taking it out again, and shutting it down just before it is closed,
//! were three of the eight system calls of such a connection.

use std::io::{self, Read as _, Write as _};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Requests are a few hundred bytes; a longer one takes several reads.
const READ_BYTES: usize = 2_048;

/// See the module.
pub(super) enum Stream {
    /// Not known to the runtime yet, and does not block.
    Bare(std::net::TcpStream),
    /// Had to wait once.
    Watched(TokioIo<TcpStream>),
    /// Could not be registered.
    Lost,
}

impl Stream {
    /// Registers a bare stream.
    fn watched(&mut self) -> io::Result<Pin<&mut TokioIo<TcpStream>>> {
        if let Stream::Bare(_) = self
            && let Stream::Bare(stream) = mem::replace(self, Stream::Lost)
        {
            *self = Stream::Watched(TokioIo::new(TcpStream::from_std(stream)?));
        }
        match self {
            Stream::Watched(stream) => Ok(Pin::new(stream)),
            Stream::Bare(_) | Stream::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// What a bare stream answered, unless it would have to wait.
fn unless_waiting<T>(result: io::Result<T>) -> Option<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result),
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Stream::Bare(stream) = &mut *self {
            let mut bytes = [0; READ_BYTES];
            let room = buffer.remaining().min(READ_BYTES);
            if let Some(result) = unless_waiting(stream.read(&mut bytes[..room])) {
                return Poll::Ready(result.map(|length| buffer.put_slice(&bytes[..length])));
            }
        }
        self.watched()?.poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Stream::Bare(stream) = &mut *self
            && let Some(result) = unless_waiting(stream.write(bytes))
        {
            return Poll::Ready(result);
        }
        self.watched()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // a socket has nothing to flush
    }

    /// The stream is dropped next, which closes it: that sends the same FIN.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
