//! The system calls on a socket that have no safe wrapper for bare addresses.
//!
//! Unsafe: `sendmsg` gets a slice of address ranges that are mapped during the call and are only read, by the kernel, which
//! answers EFAULT where nothing backs them. `getsockopt`, `ioctl` and `recvmsg` fill buffers on the stack of the size that they
//! are told or that is fixed.
#![expect(unsafe_code, reason = "sendmsg takes bare addresses, which is the point")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Sends `ranges` without waiting and without a signal. `flags` are added (MSG_ZEROCOPY). Answers bytes.
pub(super) fn send(socket: BorrowedFd<'_>, ranges: &[libc::iovec], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: all zeros is a message without name, ranges and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = ranges.as_ptr().cast_mut();
    message.msg_iovlen = ranges.len();
    let flags = flags | libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `message` points to a live slice that is not written to; the kernel checks the addresses in it.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Bytes that the socket would take now (SO_MEMINFO). `None` where it cannot tell.
pub(super) fn room(socket: BorrowedFd<'_>) -> Option<u32> {
    /// Indexes of include/uapi/linux/sock_diag.h.
    const SNDBUF: usize = 3;
    const WMEM_QUEUED: usize = 5;
    const COUNT: usize = 9;
    let mut counts = [0u32; COUNT];
    let mut length = libc::socklen_t::try_from(size_of::<[u32; COUNT]>()).expect("36");
    let (socket, target) = (socket.as_raw_fd(), counts.as_mut_ptr().cast());
    // SAFETY: `counts` has the size that `length` says, and outlives the call.
    let answer = unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, target, &raw mut length) };
    if answer != 0 {
        return None;
    }
    Some(counts[SNDBUF].saturating_sub(counts[WMEM_QUEUED]))
}

/// linux/sockios.h
const SIOCOUTQNSD: libc::Ioctl = 0x894b;

/// Bytes written to the socket that have not been sent even once. `None` where it cannot tell.
pub(super) fn unsent(socket: BorrowedFd<'_>) -> Option<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: for this request the kernel writes one int to the third argument (tcp(7), SIOCOUTQ), which outlives the
    // call; on any other descriptor it fails.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCOUTQNSD, &raw mut bytes) };
    (answer == 0).then(|| u32::try_from(bytes).ok())?
}

/// Whether the socket takes bytes now; if not, the kernel will say when it does. A broken one counts as writable: the send
/// tells what is wrong.
pub(super) fn is_writable(socket: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec::default())) != Ok(0)
}

/// Lets the socket take MSG_ZEROCOPY.
pub(super) fn allow_zero_copy(socket: BorrowedFd<'_>) -> io::Result<()> {
    let one: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("4");
    let (socket, source) = (socket.as_raw_fd(), (&raw const one).cast());
    // SAFETY: `one` has the size that `length` says, and outlives the call.
    let answer = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, source, length) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Completions of MSG_ZEROCOPY sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Completions {
    /// Sends completed.
    pub(super) sends: u64,
    /// Those that the kernel copied after all, as it does on loopback.
    pub(super) copied: u64,
}

/// Takes one notification off the socket's error queue; it may stand for many sends. `None` when there is none.
pub(super) fn take_completions(socket: BorrowedFd<'_>) -> Option<Completions> {
    // a control message of sock_extended_err and the address that follows it
    let mut control = [0u64; 16];
    // SAFETY: all zeros is a message without name, ranges and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: `control` has the size that the message says, is aligned for a control header, and outlives the call.
    let answer = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    if answer < 0 {
        return None;
    }
    // SAFETY: the kernel has filled `message` and its control buffer.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    if header.is_null() {
        return Some(Completions::default());
    }
    // SAFETY: a control header that lies in `control`; its data follows it.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: the only control message of this queue is a sock_extended_err (ip_recv_error), 16 bytes, within `control`.
    let error: libc::sock_extended_err = unsafe { data.cast::<libc::sock_extended_err>().read_unaligned() };
    Some(completions(&error))
}

fn completions(error: &libc::sock_extended_err) -> Completions {
    // include/uapi/linux/errqueue.h; not in libc
    const SO_EE_ORIGIN_ZEROCOPY: u8 = 5;
    const SO_EE_CODE_ZEROCOPY_COPIED: u8 = 1;
    if error.ee_origin != SO_EE_ORIGIN_ZEROCOPY {
        return Completions::default();
    }
    // sends are numbered; the notification covers info..=data
    let sends = u64::from(error.ee_data.wrapping_sub(error.ee_info)) + 1;
    let copied = if error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED == 0 { 0 } else { sends };
    Completions { sends, copied }
}
