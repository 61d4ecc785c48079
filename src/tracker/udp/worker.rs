//! The thread that serves UDP sockets until it is told to stop.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::answer::{Clerk, Inbound};
use super::batch::{BATCH, Family, Inbox, Outbox, tell_local_address};
use super::connection_id::ConnectionIds;
use crate::clock::Time;
use crate::tracker::counters::Counts;
use crate::tracker::desk::Desk;

/// How long answers may wait for room at the network card before they are dropped like any datagram.
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// A bound socket, ready to be served.
pub(in crate::tracker) struct Served {
    socket: UdpSocket,
    family: Family,
    /// The address it is bound to; none if to all of them.
    address: Option<IpAddr>,
}

/// Readies a bound socket: one that is bound to all addresses learns which one each datagram was sent to.
pub(in crate::tracker) fn prepare(socket: UdpSocket) -> io::Result<Served> {
    let local = socket.local_addr()?;
    let family = if local.is_ipv4() { Family::V4 } else { Family::V6 };
    let address = (!local.ip().is_unspecified()).then_some(local.ip());
    if address.is_none() {
        tell_local_address(socket.as_fd(), family)?;
    }
    socket.set_write_timeout(Some(SEND_PATIENCE))?;
    Ok(Served { socket, family, address })
}

/// One UDP thread.
pub(in crate::tracker) struct UdpServer {
    pub(in crate::tracker) desk: Arc<Desk>,
    pub(in crate::tracker) key: [u8; 16],
    pub(in crate::tracker) sockets: Vec<Served>,
    /// An eventfd; readable means stop.
    pub(in crate::tracker) stop: Arc<OwnedFd>,
}

impl UdpServer {
    /// Serves until told to stop.
    pub(in crate::tracker) fn run(self) -> io::Result<()> {
        let ids = ConnectionIds::new(self.key);
        let mut clerk = Clerk::new(&self.desk, &ids);
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        let sockets = self.sockets.iter().map(|served| PollFd::new(&served.socket, PollFlags::IN));
        let mut waiting: Vec<PollFd<'_>> = sockets.chain([PollFd::new(&*self.stop, PollFlags::IN)]).collect();
        let count = self.sockets.len();
        loop {
            match poll(&mut waiting, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            if !waiting[count].revents().is_empty() {
                return Ok(());
            }
            let now = self.desk.now();
            for (served, poll) in self.sockets.iter().zip(&waiting) {
                if !poll.revents().is_empty() {
                    serve(served, now, &mut clerk, &mut inbox, &mut outbox);
                }
            }
            self.desk.counters.add(&clerk.counts);
            clerk.counts = Counts::default();
        }
    }
}

/// One batch.
fn serve(served: &Served, now: Time, clerk: &mut Clerk<'_>, inbox: &mut Inbox, outbox: &mut Outbox) {
    let socket = served.socket.as_fd();
    // an error is news of an earlier answer (ICMP) or nothing to read; the call has cleared it either way
    let received = inbox.receive(socket, served.family).unwrap_or(0);
    debug_assert!(received <= BATCH);
    for at in 0..received {
        let (bytes, path) = inbox.datagram(at);
        let from = path.from(served.family);
        let reached_at =
            served.address.or_else(|| path.reached_at(served.family)).unwrap_or(served.family.unspecified());
        let out = outbox.next();
        clerk.answer(now, Inbound { bytes, from, reached_at }, out);
        if !out.is_empty() {
            outbox.push(path, served.family);
        }
    }
    clerk.counts.udp_unsent += outbox.send(socket, served.family) as u64;
}
