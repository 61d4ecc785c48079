//! One port number, TCP and UDP, on every address asked for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Socket, Type};

use crate::limits::LISTEN_BACKLOG;

/// Tries to find a number that is free for both protocols and families; each try fails rarely.
const TRIES: usize = 32;
/// Bytes of datagrams that wait to be read: 50 ms of a full core's announces. The kernel may allow less
/// (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The sockets of one HTTP and one UDP thread each.
pub(super) struct Bound {
    pub(super) port: u16,
    /// By HTTP thread, then by address.
    pub(super) listeners: Vec<Vec<TcpListener>>,
    /// By UDP thread, then by address.
    pub(super) datagrams: Vec<Vec<UdpSocket>>,
}

/// Binds, on one network interface if one is named, `addresses` (none: all of both families, IPv6 if the host has it) for so many threads.
pub(super) fn bind(
    addresses: &[IpAddr],
    device: Option<&str>,
    port: u16,
    http: usize,
    udp: usize,
) -> io::Result<Bound> {
    for _ in 0..TRIES {
        match bind_once(addresses, device, port, http, udp) {
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

fn bind_once(addresses: &[IpAddr], device: Option<&str>, mut port: u16, http: usize, udp: usize) -> io::Result<Bound> {
    let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let mut bound = Bound {
        port,
        listeners: (0..http).map(|_| Vec::new()).collect(),
        datagrams: (0..udp).map(|_| Vec::new()).collect(),
    };
    for &address in if addresses.is_empty() { &any } else { addresses } {
        let sockets = match address_sockets(SocketAddr::new(address, port), device, http, udp) {
            Err(error) if addresses.is_empty() && address.is_ipv6() && has_no_ipv6(&error) => continue,
            result => result?,
        };
        for (thread, socket) in bound.listeners.iter_mut().zip(sockets.0) {
            socket.listen(LISTEN_BACKLOG)?;
            thread.push(socket.into());
        }
        for (thread, socket) in bound.datagrams.iter_mut().zip(sockets.1) {
            // a smaller buffer than wanted is no reason to fail
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
            thread.push(socket.into());
        }
        port = sockets.2;
    }
    bound.port = port;
    Ok(bound)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Sockets of one address for all threads, and the port that they have.
fn address_sockets(
    address: SocketAddr,
    device: Option<&str>,
    http: usize,
    udp: usize,
) -> io::Result<(Vec<Socket>, Vec<Socket>, u16)> {
    let streams = group(address, device, Type::STREAM, http)?;
    let port = port_of(streams.first()).unwrap_or(address.port());
    let datagrams = group(SocketAddr::new(address.ip(), port), device, Type::DGRAM, udp)?;
    let port = port_of(datagrams.first()).unwrap_or(port);
    Ok((streams, datagrams, port))
}

fn port_of(socket: Option<&Socket>) -> Option<u16> {
    socket?.local_addr().ok()?.as_socket().map(|address| address.port())
}

/// `count` sockets on one address, among which the kernel spreads what arrives (SO_REUSEPORT). The first one is bound
/// without that option: otherwise a second tracker of the same user would silently take half of the requests.
fn group(mut address: SocketAddr, device: Option<&str>, kind: Type, count: usize) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for at in 0..count {
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if kind == Type::STREAM {
            // connections of an earlier run that linger in TIME_WAIT do not hold the port
            socket.set_reuse_address(true)?;
        }
        socket.set_reuse_port(at > 0)?;
        socket.bind(&address.into())?;
        socket.set_reuse_port(count > 1)?;
        address.set_port(port_of(Some(&socket)).unwrap_or(address.port()));
        sockets.push(socket);
    }
    Ok(sockets)
}
