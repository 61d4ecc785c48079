//! What the benches on loopback share: cores and sockets with cubic.

use std::net::{SocketAddr, TcpListener, TcpStream};

/// The core of what is measured, and that of what only feeds or drains it.
pub(crate) const MEASURED: usize = 0;
pub(crate) const OTHER: usize = 1;

/// Keeps this thread, and those that it starts, on one core.
pub(crate) fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    // one that has a single core measures what it can
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

/// A socket with cubic from its birth: one that began with bbr keeps bbr's pacing timer whatever is chosen later, and is
/// several times slower on loopback.
pub(crate) fn socket() -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("descriptors");
    socket.set_tcp_congestion(b"cubic").expect("cubic is built in");
    socket
}

/// A listener on a free port of loopback, and its address.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = socket();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback");
    listener.listen(1_024).expect("a port");
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = socket();
    socket.connect(&address.into()).expect("it listens");
    socket.set_tcp_nodelay(true).expect("a socket");
    socket.into()
}
