//! Sockets as the reactor wants them: non-blocking, closed on exec, with the options that matter.
//!
//! Options set on a listener are inherited by what it accepts, so an accepted connection costs no further call.
//! The unsafe call is recv(2) on a descriptor known by its number. It writes to memory that is ours for the length of the
//! call and nowhere else, whatever the descriptor is.
#![expect(unsafe_code, reason = "recv by number")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::options::bind_device;
pub use super::options::{Dscp, Options};

/// Address families that a listener serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Family {
    /// IPv6 and IPv4 on one socket; IPv4 alone where the host has no IPv6.
    #[default]
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// How a listener is opened.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// TCP port; 0 lets the kernel choose.
    pub port: u16,
    /// Address families.
    pub family: Family,
    /// Lets further listeners of this user share the port; the kernel spreads connections among them.
    pub shared: bool,
    /// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    pub backlog: i32,
}

/// Why there is no listener, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// `EADDRINUSE`.
    #[error("port {port} is in use; choose another with --port, or find its owner with: ss -ltnp 'sport = :{port}'")]
    InUse {
        /// The port asked for.
        port: u16,
    },
    /// `EACCES`.
    #[error(
        "no permission to listen on port {port}; choose one from 1024 up, or lower net.ipv4.ip_unprivileged_port_start"
    )]
    Forbidden {
        /// The port asked for.
        port: u16,
    },
    /// `ENODEV`.
    #[error("there is no network interface {device}; list them with: ip link")]
    NoDevice {
        /// The interface asked for.
        device: String,
    },
    /// `EPERM`.
    #[error("no permission to keep to the network interface {device}: that takes root, or the capability CAP_NET_RAW")]
    DeviceForbidden {
        /// The interface asked for.
        device: String,
    },
    /// `EADDRNOTAVAIL`.
    #[error("{address} is no address of this host; list those it has with: ip address")]
    NoAddress {
        /// The address asked for.
        address: IpAddr,
    },
    /// Something else was handed in as a listener.
    #[error(
        "a socket that was handed in does not listen for TCP connections; a socket unit for peers says ListenStream=PORT"
    )]
    NotListening,
    /// Anything else.
    #[error("cannot listen on port {port}: {source}")]
    Other {
        /// The port asked for.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Opens a listener on all addresses of the host.
pub fn listener(how: Listening) -> Result<OwnedFd, ListenError> {
    listener_of_device(how, None)
}

/// Opens a listener that is reached by one network interface only, if one is named.
pub fn listener_of_device(how: Listening, device: Option<&str>) -> Result<OwnedFd, ListenError> {
    let port = how.port;
    let any = |address: IpAddr, only_v6| listen_on(SocketAddr::new(address, port), only_v6, how, device);
    let opened = match how.family {
        Family::V4 => any(Ipv4Addr::UNSPECIFIED.into(), false),
        Family::V6 => any(Ipv6Addr::UNSPECIFIED.into(), true),
        Family::Both => match any(Ipv6Addr::UNSPECIFIED.into(), false) {
            Err(error) if no_ipv6(&error) => any(Ipv4Addr::UNSPECIFIED.into(), false),
            opened => opened,
        },
    };
    opened.map_err(|source| explained(source, port, device))
}

/// Opens a listener at one address; at `::` for IPv6 alone.
pub fn listener_at(address: IpAddr, how: Listening, device: Option<&str>) -> Result<OwnedFd, ListenError> {
    listen_on(SocketAddr::new(address, how.port), true, how, device).map_err(|source| {
        if no_ipv6(&source) { ListenError::NoAddress { address } } else { explained(source, how.port, device) }
    })
}

/// Makes a listener of ours of one that was opened elsewhere, which stays open there: whoever comes while nobody accepts here waits
/// in a queue that both share.
pub fn handed_listener(listener: &OwnedFd) -> Result<OwnedFd, ListenError> {
    let is_tcp = local_address(listener).is_ok() && sockopt::socket_type(listener) == Ok(SocketType::STREAM);
    if !is_tcp || sockopt::socket_acceptconn(listener) != Ok(true) {
        return Err(ListenError::NotListening);
    }
    let own = || -> io::Result<OwnedFd> {
        SockRef::from(listener).set_nonblocking(true)?;
        // closed on exec
        listener.try_clone()
    };
    own().map_err(|source| ListenError::Other { port: local_address(listener).map_or(0, |at| at.port()), source })
}

fn explained(source: io::Error, port: u16, device: Option<&str>) -> ListenError {
    match (Errno::from_io_error(&source), device) {
        (Some(Errno::ADDRINUSE), _) => ListenError::InUse { port },
        (Some(Errno::ACCESS), _) => ListenError::Forbidden { port },
        (Some(Errno::NODEV | Errno::INVAL), Some(device)) => ListenError::NoDevice { device: device.to_owned() },
        (Some(Errno::PERM), Some(device)) => ListenError::DeviceForbidden { device: device.to_owned() },
        _ => ListenError::Other { port, source },
    }
}

/// IPv6 is compiled out or off at boot (no such family), or off by sysctl (no such address).
fn no_ipv6(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn listen_on(address: SocketAddr, only_v6: bool, how: Listening, device: Option<&str>) -> io::Result<OwnedFd> {
    let socket = stream(address)?;
    bind_device(&socket, device)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // Connections of a former run in TIME_WAIT do not hold the port.
    socket.set_reuse_address(true)?;
    if how.shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(how.backlog)?;
    Ok(socket.into())
}

pub(super) fn stream(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))
}

/// Lets connections of a socket that listens already come by one network interface only, if one is named.
pub fn keep_to_device(socket: impl AsFd, device: Option<&str>) -> Result<(), ListenError> {
    let port = local_address(&socket).map_or(0, |address| address.port());
    // saying so again takes a privilege
    if SockRef::from(&socket).device().is_ok_and(|now| now.as_deref() == device.map(str::as_bytes)) {
        return Ok(());
    }
    bind_device(socket, device).map_err(|source| explained(source, port, device))
}

/// Begins to connect with the system's options; see [`Options::connect`].
pub fn connect(address: SocketAddr) -> io::Result<OwnedFd> {
    Options::default().connect(address)
}

/// The error that a socket met since it was last asked, such as a refused connect; asking clears it.
pub fn take_error(socket: impl AsFd) -> io::Result<Option<io::Error>> {
    SockRef::from(&socket).take_error()
}

/// The address a listener or connection has on this side.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    address_of(SockRef::from(&socket).local_addr()?)
}

/// The address a connection has on the other side.
pub fn peer_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    address_of(SockRef::from(&socket).peer_addr()?)
}

fn address_of(address: socket2::SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().map(without_mapping).ok_or_else(|| Errno::AFNOSUPPORT.into())
}

/// `::ffff:192.0.2.1` is the peer `192.0.2.1`, however it was reached.
pub fn without_mapping(address: SocketAddr) -> SocketAddr {
    match address {
        // Any other IPv6 address keeps its scope: link-local ones mean nothing without it.
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::from((ip, v6.port())),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// Receives what is there, without waiting; 0 at the end of the stream. By number, since a driver's table does not
/// own the sockets.
pub(super) fn receive(socket: RawFd, memory: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `memory.len()` bytes to `memory`, before the call returns.
    let length = unsafe { libc::recv(socket, memory.as_mut_ptr().cast(), memory.len(), libc::MSG_DONTWAIT) };
    usize::try_from(length).map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}
