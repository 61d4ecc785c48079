//! A leecher's socket.
//!
//! Unsafe: recv(2) with MSG_TRUNC, which drops bytes of a TCP stream in the kernel and takes no buffer (tcp(7)), and a
//! setsockopt(2) of an int on the stack. Neither lets the kernel touch memory that is not ours.
#![expect(unsafe_code, reason = "recv with MSG_TRUNC and without a buffer, IP_BIND_ADDRESS_NO_PORT")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

/// What a connection is opened with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    pub(super) target: SocketAddr,
    /// Own address, where each leecher has one.
    pub(super) source: Option<IpAddr>,
    pub(super) congestion: Option<&'a str>,
    /// SO_RCVBUF; the kernel chooses by itself otherwise.
    pub(super) receive_buffer: Option<usize>,
}

/// Begins to connect; the socket becomes writable when that has an end.
pub(super) fn connect(opening: Opening<'_>) -> io::Result<OwnedFd> {
    let family = if opening.target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(name) = opening.congestion {
        sockopt::set_tcp_congestion(&socket, name)?;
    }
    if let Some(bytes) = opening.receive_buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    if let Some(source) = opening.source {
        choose_port_late(&socket)?;
        rustix::net::bind(&socket, &SocketAddr::new(source, 0))?;
    }
    match rustix::net::connect(&socket, &opening.target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// The port is then chosen by connect(2), which knows the target: the same port serves any number of sources.
fn choose_port_late(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
    let option = libc::IP_BIND_ADDRESS_NO_PORT;
    // SAFETY: the value is an int on the stack, and the size is its own.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, option, ptr::from_ref(&on).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How connecting ended.
pub(super) fn connected(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(sockopt::socket_error(socket)??)
}

/// Bytes that can be read at once.
pub(super) fn queued(socket: BorrowedFd<'_>) -> io::Result<usize> {
    Ok(usize::try_from(rustix::io::ioctl_fionread(socket)?).unwrap_or(usize::MAX))
}

/// Reads; 0 is the end.
pub(super) fn read(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, into, RecvFlags::DONTWAIT)?.1)
}

/// Drops up to `count` bytes unread; 0 is the end.
pub(super) fn discard(socket: BorrowedFd<'_>, count: usize) -> io::Result<usize> {
    let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: with MSG_TRUNC a TCP socket copies nothing, so that the null address is not written to.
    let dropped = unsafe { libc::recv(socket.as_raw_fd(), ptr::null_mut(), count, flags) };
    usize::try_from(dropped).map_err(|_| io::Error::last_os_error())
}

/// Sends what the socket takes.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        sent => Ok(sent?),
    }
}
