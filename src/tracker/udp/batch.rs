//! Many datagrams a system call: `recvmmsg(2)` and `sendmmsg(2)`.
//!
//! One datagram a call is most of what a UDP tracker costs; neither std nor rustix has the batched calls. The unsafe
//! code is those two calls and one `setsockopt`. It is sound because every pointer in a `mmsghdr` is made from a
//! live, exclusively borrowed buffer directly before the call and is not used after it; lengths given to the kernel
//! are the lengths of those buffers; and what the kernel wrote is plain data, of which only as much is looked at as
//! the kernel says it wrote.
#![expect(unsafe_code, reason = "recvmmsg and sendmmsg have no safe wrapper")]

use std::io;
use std::mem::{offset_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::limits;

/// Datagrams in one call. 16 were 8 % slower than 64, 256 no faster.
pub(super) const BATCH: usize = 64;
/// The longest request, a scrape of 74 torrents, is 1,496 bytes; the rest is for options (BEP 41).
const REQUEST_BYTES: usize = 2_048;
/// The longest answer: peers for an IPv4 announce.
const ANSWER_BYTES: usize = 20 + 6 * limits::TRACKER_PEERS_IN_ANSWER;
/// A `sockaddr_in6`; a `sockaddr_in` is shorter.
const NAME_BYTES: usize = size_of::<libc::sockaddr_in6>();

/// Room for one control message that tells or sets the local address: `in_pktinfo` or the longer `in6_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Control {
    header: libc::cmsghdr,
    info: [u8; size_of::<libc::in6_pktinfo>()],
}

// CMSG_DATA: the payload follows the header, which ends on a boundary of `size_t`
const _: () = assert!(offset_of!(Control, info) == size_of::<libc::cmsghdr>());
const _: () = assert!(size_of::<libc::cmsghdr>().is_multiple_of(align_of::<usize>()));

/// Address family of a socket: ours carry one each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn info_bytes(self) -> usize {
        match self {
            Family::V4 => size_of::<libc::in_pktinfo>(),
            Family::V6 => size_of::<libc::in6_pktinfo>(),
        }
    }

    fn control_kind(self) -> (i32, i32) {
        match self {
            Family::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO),
        }
    }

    /// The address that stands for all of them.
    pub(super) fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    fn name_bytes(self) -> usize {
        match self {
            Family::V4 => size_of::<libc::sockaddr_in>(),
            Family::V6 => NAME_BYTES,
        }
    }
}

/// Has the kernel say with every datagram which of our addresses it was sent to (`ip(7)`, `ipv6(7)`).
pub(super) fn tell_local_address(socket: BorrowedFd<'_>, family: Family) -> io::Result<()> {
    let (level, option) = match family {
        Family::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).expect("four bytes");
    // SAFETY: the pointer and length are those of `on`, which outlives the call
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(&on).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where a datagram came from and which local address it was sent to, as the kernel writes and wants them.
#[derive(Clone, Copy)]
pub(super) struct Path {
    name: [u8; NAME_BYTES],
    control: Control,
    has_control: bool,
}

impl Path {
    const fn empty() -> Path {
        // SAFETY: a `cmsghdr` is integers only, for which zero is a value
        let header = unsafe { zeroed() };
        let control = Control { header, info: [0; size_of::<libc::in6_pktinfo>()] };
        Path { name: [0; NAME_BYTES], control, has_control: false }
    }

    /// Who sent it. In a `sockaddr` the port is at 2, an IPv4 address at 4, an IPv6 address at 8.
    pub(super) fn from(&self, family: Family) -> SocketAddr {
        let port = u16::from_be_bytes([self.name[2], self.name[3]]);
        let ip = match family {
            Family::V4 => ipv4(&self.name[4..8]),
            Family::V6 => ipv6(&self.name[8..24]),
        };
        SocketAddr::new(ip, port)
    }

    /// Which of our addresses it was sent to, if the kernel told.
    pub(super) fn reached_at(&self, family: Family) -> Option<IpAddr> {
        self.has_control.then(|| match family {
            // `ipi_spec_dst`
            Family::V4 => ipv4(&self.control.info[4..8]),
            Family::V6 => ipv6(&self.control.info[..16]),
        })
    }

    /// Keeps what of the control message makes the answer leave from the address that was asked.
    fn turn_round(&mut self, family: Family) {
        match family {
            // interface 0: routing chooses it; only the address is fixed
            Family::V4 => self.control.info[..4].fill(0),
            // the interface stays: a link-local address means nothing without it
            Family::V6 => {}
        }
    }
}

fn ipv4(bytes: &[u8]) -> IpAddr {
    Ipv4Addr::from(<[u8; 4]>::try_from(bytes).expect("four bytes")).into()
}

fn ipv6(bytes: &[u8]) -> IpAddr {
    Ipv6Addr::from(<[u8; 16]>::try_from(bytes).expect("sixteen bytes")).into()
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: a `mmsghdr` is integers and pointers, for which zero is a value
    unsafe { zeroed() }
}

fn empty_iovec() -> libc::iovec {
    libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }
}

/// Datagrams received in one call.
pub(super) struct Inbox {
    bytes: Box<[[u8; REQUEST_BYTES]]>,
    paths: Box<[Path]>,
    /// Length of each datagram; none for one that did not fit.
    lengths: [Option<usize>; BATCH],
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            bytes: vec![[0; REQUEST_BYTES]; BATCH].into(),
            paths: vec![Path::empty(); BATCH].into(),
            lengths: [None; BATCH],
        }
    }

    /// Takes what waits at the socket, up to [`BATCH`] datagrams; returns how many those are. Never blocks.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, family: Family) -> io::Result<usize> {
        let mut iovecs = [empty_iovec(); BATCH];
        let mut headers = [empty_header(); BATCH];
        for (at, header) in headers.iter_mut().enumerate() {
            let path = &mut self.paths[at];
            iovecs[at] = libc::iovec { iov_base: self.bytes[at].as_mut_ptr().cast(), iov_len: REQUEST_BYTES };
            header.msg_hdr.msg_iov = &raw mut iovecs[at];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = path.name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = libc::socklen_t::try_from(NAME_BYTES).expect("28 bytes");
            header.msg_hdr.msg_control = (&raw mut path.control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        let (first, count) = (headers.as_mut_ptr(), libc::c_uint::try_from(BATCH).expect("64"));
        // SAFETY: `first` points to BATCH headers; each names an iovec of `iovecs` over its own row of `self.bytes`, and
        // the name and control of its own element of `self.paths`, with their lengths. All of them are borrowed
        // exclusively here and outlive the call; the kernel keeps none of the pointers.
        let received =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), first, count, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (at, header) in headers[..received].iter().enumerate() {
            let fits = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            self.lengths[at] = fits.then_some(header.msg_len as usize);
            let path = &mut self.paths[at];
            let told = header.msg_hdr.msg_controllen >= size_of::<libc::cmsghdr>() + family.info_bytes();
            let kind = (path.control.header.cmsg_level, path.control.header.cmsg_type);
            path.has_control = told && kind == family.control_kind();
        }
        Ok(received)
    }

    /// A datagram of the last call; no bytes if it was too long to be a request.
    pub(super) fn datagram(&self, at: usize) -> (&[u8], &Path) {
        (&self.bytes[at][..self.lengths[at].unwrap_or(0)], &self.paths[at])
    }
}

/// Answers that leave in one call.
pub(super) struct Outbox {
    bytes: Vec<Vec<u8>>,
    paths: Vec<Path>,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox {
            bytes: (0..BATCH).map(|_| Vec::with_capacity(ANSWER_BYTES)).collect(),
            paths: Vec::with_capacity(BATCH),
        }
    }

    /// An empty buffer for the next answer; it counts only after [`Outbox::push`].
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        let buffer = &mut self.bytes[self.paths.len()];
        buffer.clear();
        buffer
    }

    /// Sends what was written to the last buffer back the way the request came.
    pub(super) fn push(&mut self, path: &Path, family: Family) {
        let mut path = *path;
        path.turn_round(family);
        self.paths.push(path);
    }

    /// Sends all answers and is empty afterwards; returns how many the kernel refused.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, family: Family) -> usize {
        let mut iovecs = [empty_iovec(); BATCH];
        let mut headers = [empty_header(); BATCH];
        let count = self.paths.len();
        for (at, path) in self.paths.iter_mut().enumerate() {
            iovecs[at] = libc::iovec { iov_base: self.bytes[at].as_mut_ptr().cast(), iov_len: self.bytes[at].len() };
            let header = &mut headers[at].msg_hdr;
            header.msg_iov = &raw mut iovecs[at];
            header.msg_iovlen = 1;
            header.msg_name = path.name.as_mut_ptr().cast();
            header.msg_namelen = libc::socklen_t::try_from(family.name_bytes()).expect("28 bytes");
            if path.has_control {
                header.msg_control = (&raw mut path.control).cast();
                // CMSG_LEN, and CMSG_SPACE rounded up; in6_pktinfo and in_pktinfo with its rounding both fit
                let length = size_of::<libc::cmsghdr>() + family.info_bytes();
                path.control.header.cmsg_len = length as _;
                header.msg_controllen = length.next_multiple_of(size_of::<usize>()) as _;
            }
        }
        // SAFETY: the first `count` headers were built above over elements of `iovecs`, `self.bytes` and `self.paths`,
        // which stay borrowed or local and unmoved until the call returns
        let unsent = unsafe { send_all(socket, &mut headers[..count]) };
        self.paths.clear();
        unsent
    }
}

/// Sends every message that the kernel takes; returns the number of others.
///
/// # Safety
/// - Every pointer in `headers` is null or points to memory of the length given beside it, until this returns.
unsafe fn send_all(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr]) -> usize {
    let mut unsent = 0;
    let mut at = 0;
    while at < headers.len() {
        let rest = &mut headers[at..];
        let (first, count) = (rest.as_mut_ptr(), libc::c_uint::try_from(rest.len()).expect("at most 64"));
        // SAFETY: `first` points to `count` headers, borrowed exclusively; what they point to is valid by the
        // obligation above, and the kernel uses it during the call only
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), first, count, 0) };
        match usize::try_from(sent) {
            Ok(sent) if sent > 0 => at += sent,
            // the first one was refused (unreachable, filtered, no room for 100 ms): the others may still go
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => {
                unsent += 1;
                at += 1;
            }
        }
    }
    unsent
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    fn echo_once(address: &str, family: Family, told: bool) {
        let server = UdpSocket::bind(address).expect("loopback can be bound");
        if told {
            tell_local_address(server.as_fd(), family).expect("the kernel tells");
        }
        let port = server.local_addr().expect("bound").port();
        let target = if family == Family::V4 { format!("127.0.0.5:{port}") } else { format!("[::1]:{port}") };
        let clients: Vec<UdpSocket> = (0..5)
            .map(|_| UdpSocket::bind(if family == Family::V4 { "127.0.0.1:0" } else { "[::1]:0" }).expect("bound"))
            .collect();
        for (at, client) in clients.iter().enumerate() {
            client.connect(&target).expect("loopback is there");
            client.send(&[u8::try_from(at).expect("few"); 20]).expect("sent");
        }
        clients[0].send(&[9; REQUEST_BYTES + 1]).expect("sent");
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        assert_eq!(inbox.receive(server.as_fd(), family).expect("six datagrams wait"), 6);
        for (at, client) in clients.iter().enumerate() {
            let (bytes, path) = inbox.datagram(at);
            assert_eq!(bytes, [u8::try_from(at).expect("few"); 20]);
            assert_eq!(path.from(family), client.local_addr().expect("bound"));
            let target: SocketAddr = target.parse().expect("an address");
            assert_eq!(path.reached_at(family), told.then_some(target.ip()));
            outbox.next().extend_from_slice(bytes);
            outbox.push(path, family);
        }
        assert!(inbox.datagram(5).0.is_empty(), "too long to be a request");
        assert_eq!(inbox.receive(server.as_fd(), family).expect_err("none waits").kind(), io::ErrorKind::WouldBlock);
        if !told && family == Family::V4 {
            return; // the answer would leave from 127.0.0.1, and a connected client does not take it
        }
        assert_eq!(outbox.send(server.as_fd(), family), 0);
        for (at, client) in clients.iter().enumerate() {
            let mut answer = [0; 32];
            // a connected socket takes answers from the address that it asked only
            assert_eq!(client.recv(&mut answer).expect("answered"), 20);
            assert_eq!(answer[0], u8::try_from(at).expect("few"));
        }
    }

    #[test]
    fn answers_leave_from_the_address_that_was_asked() {
        echo_once("0.0.0.0:0", Family::V4, true);
        echo_once("[::]:0", Family::V6, true);
    }

    #[test]
    fn the_local_address_is_unknown_unless_asked_for() {
        echo_once("0.0.0.0:0", Family::V4, false);
        echo_once("[::1]:0", Family::V6, false);
    }

    #[test]
    fn one_refused_answer_does_not_hold_up_the_others() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let client = UdpSocket::bind("127.0.0.1:0").expect("bound");
        for _ in 0..2 {
            client.send_to(b"question", server.local_addr().expect("bound")).expect("sent");
        }
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        assert_eq!(inbox.receive(server.as_fd(), Family::V4).expect("two wait"), 2);
        for at in 0..2 {
            outbox.next().extend_from_slice(b"answer");
            let mut path = *inbox.datagram(at).1;
            if at == 0 {
                path.name[2..4].fill(0); // port 0: the kernel refuses it
            }
            outbox.push(&path, Family::V4);
        }
        assert_eq!(outbox.send(server.as_fd(), Family::V4), 1);
        let mut answer = [0; 32];
        assert_eq!(client.recv(&mut answer).expect("the second one came"), 6);
    }
}
