//! The sockets that peers connect to: one for each reactor and address, all on one port.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::limits::LISTEN_BACKLOG;
use crate::reactor::sockets::{self, Family, ListenError, Listening};

use super::{FleetConfig, FleetError};

/// The ports of BitTorrent by custom (BEP 3).
const PORTS: std::ops::RangeInclusive<u16> = 6881..=6889;
/// How often the kernel is asked for a free port: one that is free at the first address may be taken at another.
const TRIES: usize = 8;

/// Opens the sockets that a fleet would listen on, for a caller that wants to have them too; they go into
/// [`FleetConfig::listeners`]. Address by address, one for each reactor.
pub fn listen(config: &FleetConfig) -> Result<Vec<Arc<OwnedFd>>, FleetError> {
    let mut of_reactors: Vec<_> = open(config)?.into_iter().map(Vec::into_iter).collect();
    let mut in_order = Vec::new();
    while let Some(one) = of_reactors.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>() {
        in_order.extend(one.into_iter().map(Arc::new));
    }
    Ok(in_order)
}

/// The listeners of each reactor.
pub(super) fn of_each_reactor(config: &FleetConfig) -> Result<Vec<Vec<OwnedFd>>, FleetError> {
    match config.listeners.as_slice() {
        [] => open(config),
        given => spread(given, config.reactors, config.options.device.as_deref()),
    }
}

/// Every reactor gets a socket, and every socket a reactor, or connections would wait at it for ever. Reactors without one of their own
/// share.
fn spread(given: &[Arc<OwnedFd>], reactors: usize, device: Option<&str>) -> Result<Vec<Vec<OwnedFd>>, FleetError> {
    let mut listeners: Vec<Vec<OwnedFd>> = (0..reactors).map(|_| Vec::new()).collect();
    for (number, socket) in given.iter().enumerate() {
        sockets::keep_to_device(&**socket, device)?;
        let takers = if given.len() < reactors { 0..reactors } else { number % reactors..number % reactors + 1 };
        for taker in takers {
            listeners[taker].push(sockets::handed_listener(socket)?);
        }
    }
    Ok(listeners)
}

fn open(config: &FleetConfig) -> Result<Vec<Vec<OwnedFd>>, FleetError> {
    let wishes =
        Wishes { addresses: &config.listen, device: config.options.device.as_deref(), reactors: config.reactors };
    wishes.listen(config.port)
}

/// What the listeners are to be like.
struct Wishes<'a> {
    addresses: &'a [IpAddr],
    device: Option<&'a str>,
    reactors: usize,
}

impl Wishes<'_> {
    fn listen(&self, port: Option<u16>) -> Result<Vec<Vec<OwnedFd>>, FleetError> {
        let any = std::iter::repeat_n(0, TRIES);
        let candidates: Vec<u16> = match port {
            None => PORTS.chain(any).collect(),
            Some(0) => any.collect(),
            Some(port) => vec![port],
        };
        let mut last = None;
        for port in candidates {
            match self.listen_on(port) {
                Ok(listeners) => return Ok(listeners),
                Err(error @ ListenError::InUse { .. }) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| io::Error::other("no port").into(), FleetError::from))
    }

    fn listen_on(&self, port: u16) -> Result<Vec<Vec<OwnedFd>>, ListenError> {
        let how = Listening { port, family: Family::Both, shared: false, backlog: LISTEN_BACKLOG };
        // SO_REUSEPORT would let a second program of the same user share the port and steal half the peers, so the port is
        // first taken without it
        let exclusive = self.at_all_addresses(how)?;
        let port = port_of(&exclusive[0])?;
        if self.reactors == 1 {
            return Ok(vec![exclusive]);
        }
        drop(exclusive);
        let shared = Listening { port, shared: true, ..how };
        (0..self.reactors).map(|_| self.at_all_addresses(shared)).collect()
    }

    /// One listener for each address; at least one.
    fn at_all_addresses(&self, how: Listening) -> Result<Vec<OwnedFd>, ListenError> {
        if self.addresses.is_empty() {
            return Ok(vec![sockets::listener_of_device(how, self.device)?]);
        }
        let (mut port, mut opened) = (how.port, Vec::new());
        let names_v4 = self.addresses.iter().any(IpAddr::is_ipv4);
        for &address in self.addresses {
            let how = Listening { port, ..how };
            // `::` alone is all of this host; with an IPv4 address beside it, IPv4 is that address
            let listener = match address {
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !names_v4 => sockets::listener_of_device(how, self.device)?,
                _ => sockets::listener_at(address, how, self.device)?,
            };
            port = port_of(&listener)?;
            opened.push(listener);
        }
        Ok(opened)
    }
}

pub(super) fn port_of(listener: &OwnedFd) -> Result<u16, ListenError> {
    let address = sockets::local_address(listener).map_err(|source| ListenError::Other { port: 0, source })?;
    Ok(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn listen(addresses: &[&str], reactors: usize) -> Result<Vec<Vec<OwnedFd>>, FleetError> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        Wishes { addresses: &addresses, device: None, reactors }.listen(Some(0))
    }

    #[test]
    fn every_reactor_has_a_listener_at_every_address_and_all_share_a_port() {
        for reactors in [1, 3] {
            let listeners = listen(&["127.0.0.1", "127.0.0.3"], reactors).expect("addresses of loopback");
            assert_eq!(listeners.iter().map(Vec::len).collect::<Vec<_>>(), vec![2; reactors]);
            let ports: Vec<u16> = listeners.iter().flatten().map(|l| port_of(l).expect("bound")).collect();
            assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
            assert!(TcpStream::connect(("127.0.0.3", ports[0])).is_ok());
            assert!(TcpStream::connect(("127.0.0.2", ports[0])).is_err(), "nobody listens there");
        }
    }

    #[test]
    fn sockets_that_are_there_already_go_round_and_none_is_left_without_a_reactor() {
        let wishes = Wishes { addresses: &["127.0.0.1".parse().expect("an address")], device: None, reactors: 1 };
        let open = || Arc::new(wishes.listen(Some(0)).expect("any port").remove(0).remove(0));
        let counts = |sockets: usize, reactors: usize| {
            let given: Vec<_> = (0..sockets).map(|_| open()).collect();
            let spread = spread(&given, reactors, None).expect("sockets can be shared");
            spread.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(counts(1, 1), [1]);
        assert_eq!(counts(1, 3), [1, 1, 1], "one for all");
        assert_eq!(counts(2, 3), [2, 2, 2]);
        assert_eq!(counts(3, 2), [2, 1]);
        assert_eq!(counts(4, 2), [2, 2]);
    }

    #[test]
    fn both_families_of_all_addresses_may_be_named() {
        let listeners = listen(&["0.0.0.0", "::"], 1).expect("both families");
        let port = port_of(&listeners[0][0]).expect("bound");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok() && TcpStream::connect(("::1", port)).is_ok());
    }

    #[test]
    fn the_unspecified_address_of_ipv6_is_all_of_this_host_unless_ipv4_is_named() {
        let reached = |listeners: &[Vec<OwnedFd>], address: &str| {
            TcpStream::connect((address, port_of(&listeners[0][0]).expect("bound"))).is_ok()
        };
        let all = listen(&["::"], 1).expect("all addresses");
        assert!(reached(&all, "127.0.0.1") && reached(&all, "127.0.0.2") && reached(&all, "::1"));
        let some = listen(&["::", "127.0.0.2"], 1).expect("IPv6, and one address of loopback");
        assert!(!reached(&some, "127.0.0.1") && reached(&some, "127.0.0.2") && reached(&some, "::1"));
    }

    #[test]
    fn an_address_that_is_not_of_this_host_is_named() {
        let error = listen(&["127.0.0.1", "192.0.2.1"], 1).expect_err("nobody has it").to_string();
        assert!(error.contains("192.0.2.1") && error.contains("ip address"), "{error}");
    }
}
