//! What sockets of peers are set to.
//!
//! A listener's options are inherited by what it accepts, so they cost an accepted connection nothing; only where the
//! congestion control of its path differs is there a call.
//!
//! **Dead peers.** A host that is switched off or a translation of addresses that was forgotten says nothing. Left to itself
//! the kernel goes on for a quarter of an hour, and our own limits ([`SILENCE_SECONDS`](limits::SILENCE_SECONDS),
//! [`STALL_SECONDS`](limits::STALL_SECONDS)) have to spare a peer that merely pauses. Whether the *host* still answers, TCP knows
//! better: after a minute of quiet it is asked every ten seconds, and what answers neither that nor data for
//! [`DEAD_SECONDS`](limits::DEAD_SECONDS) is gone. BEP 3's keep-alives, every two minutes, are too rare for that.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::str::FromStr;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};

use super::congestion::Elsewhere;
use super::sockets::stream;
use crate::limits;

/// What a listener or a connection is set to; `None` leaves the system's choice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Congestion control by its name in `net.ipv4.tcp_available_congestion_control`.
    pub congestion_control: Option<String>,
    /// Another one for peers that are not near.
    pub elsewhere: Option<Elsewhere>,
    /// Send buffer in bytes. Setting one ends the kernel's own tuning of it.
    pub send_buffer_bytes: Option<usize>,
    /// Unsent bytes below which the socket counts as writable.
    pub unsent_low_water_bytes: Option<u32>,
    /// Mark of outgoing packets.
    pub dscp: Option<Dscp>,
    /// Network interface that packets may come and go by.
    pub device: Option<String>,
    /// Addresses of this host that connections are opened from, the first of the peer's family; without one the system chooses.
    pub sources: Vec<IpAddr>,
}

impl Options {
    /// Sets them, and always TCP_NODELAY, since what we send is whole messages, and the probes for dead peers. The device is
    /// set earlier: before a socket is bound or connected.
    pub fn apply(&self, socket: impl AsFd) -> io::Result<()> {
        self.apply_with(self.congestion_control.as_deref(), &socket)
    }

    /// Sets a connection that was accepted from a listener with these options to what its path needs beyond those.
    pub fn apply_to_accepted(&self, socket: impl AsFd, address: SocketAddr) {
        if let Some(name) = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.congestion_control(address.ip())) {
            // it is the system's own choice, which anybody may make; if not, the connection works as it is
            let _ = SockRef::from(&socket).set_tcp_congestion(name.as_bytes());
        }
    }

    /// Begins to connect. The driver says when it stands ([`Event::Writable`](super::driver::Event::Writable)) or
    /// that it failed ([`Event::Closed`](super::driver::Event::Closed)).
    pub fn connect(&self, address: SocketAddr) -> io::Result<OwnedFd> {
        let socket = stream(address)?;
        bind_device(&socket, self.device.as_deref())?;
        if let Some(source) = self.source(address) {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        let far = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.congestion_control(address.ip()));
        self.apply_with(far.or(self.congestion_control.as_deref()), &socket)?;
        match socket.connect(&address.into()) {
            Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
            _ => Ok(socket.into()),
        }
    }

    /// Where a connection to `peer` comes from. Loopback reaches nobody else, and nobody else reaches loopback.
    fn source(&self, peer: SocketAddr) -> Option<IpAddr> {
        let peer = peer.ip();
        let fits = |source: &&IpAddr| source.is_ipv4() == peer.is_ipv4() && source.is_loopback() == peer.is_loopback();
        self.sources.iter().find(fits).copied()
    }

    fn apply_with(&self, congestion_control: Option<&str>, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(true)?;
        let seconds = Duration::from_secs;
        let probes = TcpKeepalive::new()
            .with_time(seconds(limits::PROBE_AFTER_SECONDS))
            .with_interval(seconds(limits::PROBE_EVERY_SECONDS));
        socket.set_tcp_keepalive(&probes)?;
        socket.set_tcp_user_timeout(Some(seconds(limits::DEAD_SECONDS)))?;
        if let Some(name) = congestion_control {
            socket.set_tcp_congestion(name.as_bytes()).map_err(|cause| refused(name, &cause))?;
        }
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(dscp) = self.dscp {
            dscp.apply(&socket)?;
        }
        self.unsent_low_water_bytes.map_or(Ok(()), |bytes| socket.set_tcp_notsent_lowat(bytes))
    }
}

/// Lets packets of `socket` come and go by one network interface only (SO_BINDTODEVICE). Before it is bound or connected,
/// so that not a single packet goes another way.
pub(super) fn bind_device(socket: impl AsFd, device: Option<&str>) -> io::Result<()> {
    device.map_or(Ok(()), |device| SockRef::from(&socket).bind_device(Some(device.as_bytes())))
}

/// Without privileges only the algorithms of a list may be chosen, which is the system's own and `reno` unless somebody
/// has added to it (tcp(7)).
fn refused(name: &str, cause: &io::Error) -> io::Error {
    io::Error::new(
        cause.kind(),
        format!(
            "congestion control {name} cannot be chosen ({cause}): see sysctl net.ipv4.tcp_allowed_congestion_control, to \
             which root can add any of net.ipv4.tcp_available_congestion_control"
        ),
    )
}

/// The six bits by which networks tell kinds of traffic apart (RFC 2474).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dscp(u8);

impl Dscp {
    /// The number, below 64.
    pub fn number(self) -> u8 {
        self.0
    }

    fn apply(self, socket: &SockRef<'_>) -> io::Result<()> {
        // the two low bits of the byte belong to ECN, and the kernel keeps them
        let byte = u32::from(self.0) << 2;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        if is_ipv6 {
            socket.set_tclass_v6(byte)?;
        }
        // of an IPv6 socket this marks its IPv4 connections; one that takes no IPv4 may refuse
        let marked = socket.set_tos_v4(byte);
        if is_ipv6 { Ok(()) } else { marked }
    }
}

/// Text that is no DSCP.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no DSCP; give a number from 0 to 63, or cs0 to cs7, af11 to af43, ef, va, le")]
pub struct ParseDscpError(String);

impl FromStr for Dscp {
    type Err = ParseDscpError;

    fn from_str(text: &str) -> Result<Dscp, ParseDscpError> {
        let digit = |at: usize, most: u8| {
            let digit = text.get(at..=at)?.parse::<u8>().ok()?;
            (digit <= most).then_some(digit)
        };
        let named = match (text, text.get(..2), text.len()) {
            ("le", ..) => Some(1),  // RFC 8622
            ("va", ..) => Some(44), // RFC 5865
            ("ef", ..) => Some(46), // RFC 3246
            (_, Some("cs"), 3) => digit(2, 7).map(|class| class << 3),
            (_, Some("af"), 4) => match (digit(2, 4), digit(3, 3)) {
                (Some(class @ 1..), Some(drop @ 1..)) => Some(class << 3 | drop << 1), // RFC 2597
                _ => None,
            },
            _ => text.parse().ok().filter(|number| *number < 64),
        };
        named.map(Dscp).ok_or_else(|| ParseDscpError(text.into()))
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sockets::{Family, Listening, listener};
    use super::*;

    fn any_port(family: Family) -> OwnedFd {
        listener(Listening { port: 0, family, shared: false, backlog: 1 }).expect("any port")
    }

    #[test]
    fn a_congestion_control_that_cannot_be_had_is_named() {
        let options = Options { congestion_control: Some("no_such".into()), ..Options::default() };
        let error = options.apply(any_port(Family::V4)).expect_err("nobody has it").to_string();
        assert!(error.contains("no_such") && error.contains("tcp_allowed_congestion_control"), "{error}");
    }

    #[test]
    fn a_connection_comes_from_the_address_that_was_chosen() {
        let sources = ["127.0.0.5", "192.0.2.1"].map(|text| text.parse().expect("an address")).to_vec();
        let options = Options { sources, ..Options::default() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let _dialled = options.connect(listener.local_addr().expect("bound")).expect("loopback");
        let (_, from) = listener.accept().expect("it dialled");
        assert_eq!(from.ip().to_string(), "127.0.0.5");
        assert_eq!(options.source("[2001:db8::1]:1".parse().expect("an address")), None);
    }

    #[test]
    fn names_of_dscp_are_those_of_the_rfcs() {
        let number = |text: &str| text.parse().map(Dscp::number).ok();
        let known = [("cs1", 8), ("cs7", 56), ("af11", 10), ("af43", 38), ("ef", 46), ("le", 1), ("0", 0), ("63", 63)];
        known.into_iter().for_each(|(text, expected)| assert_eq!(number(text), Some(expected), "{text}"));
        for text in ["", "64", "-1", "cs8", "cs", "cs11", "af10", "af14", "af51", "afä", "x"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn the_mark_the_bound_and_the_probes_are_on_every_kind_of_socket() {
        let bound = Some(limits::UNSENT_MIN);
        let options = Options { dscp: Some(Dscp(8)), unsent_low_water_bytes: bound, ..Options::default() };
        for family in [Family::V4, Family::V6, Family::Both] {
            let socket = any_port(family);
            options.apply(&socket).expect("nothing that needs privileges");
            let socket = SockRef::from(&socket);
            let is_ipv6 = socket.local_addr().expect("bound").is_ipv6();
            let byte = if is_ipv6 { socket.tclass_v6() } else { socket.tos_v4() };
            assert_eq!(byte.expect("a socket"), 32);
            assert!(socket.keepalive().expect("a socket"));
            assert_eq!(socket.tcp_notsent_lowat().ok(), bound);
            assert_eq!(socket.tcp_user_timeout().expect("a socket"), Some(Duration::from_secs(limits::DEAD_SECONDS)));
        }
    }
}
