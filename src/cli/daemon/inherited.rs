//! Sockets that a service manager opened, or kept while we were started anew: sd_listen_fds(3).
//!
//! | name | from | used |
//! |---|---|---|
//! | `peers` `api` | socket units, which say where to listen | all of them |
//! | `kept-peers` `kept-api` | an earlier run of this service, see [`Notifier::keep`] | those that the configuration still wants |
//!
//! The one unsafe call takes a descriptor by its number. The manager promises by LISTEN_PID that the descriptors from 3 on are this
//! process's, and nobody else here takes them: they are asked for once, at the start of the command.
#![expect(unsafe_code, reason = "descriptors by number")]

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::Arc;

use anyhow::Context as _;
use socket2::SockRef;

use crate::api::server::Doors;
use crate::cli::notify::Notifier;
use crate::session::{self, FleetConfig};

use super::config::Api;

const KEPT_PEERS: &str = "kept-peers";
const KEPT_API: &str = "kept-api";

/// Sockets of others, by what they are for.
#[derive(Default)]
pub(super) struct Inherited {
    peers: Vec<OwnedFd>,
    kept_peers: Vec<OwnedFd>,
    api: Vec<OwnedFd>,
    kept_api: Vec<OwnedFd>,
}

impl Inherited {
    /// Those of this process. To be called once.
    pub(super) fn take() -> anyhow::Result<Inherited> {
        let mut inherited = Inherited::default();
        let named = sd_notify::listen_fds_with_names().context("the service manager's sockets cannot be used")?;
        for (number, name) in named {
            // SAFETY: LISTEN_PID says that descriptor `number` was opened for this process, `listen_fds_with_names` has just
            // set a flag of it, so that it is open, and it is taken nowhere else.
            let socket = unsafe { OwnedFd::from_raw_fd(number) };
            let listens = SockRef::from(&socket).is_listener().unwrap_or(false);
            anyhow::ensure!(listens, "socket {name:?} of the service manager does not listen: it takes ListenStream=");
            match name.as_str() {
                "peers" => inherited.peers.push(socket),
                "api" => inherited.api.push(socket),
                KEPT_PEERS => inherited.kept_peers.push(socket),
                KEPT_API => inherited.kept_api.push(socket),
                _ => anyhow::bail!(
                    "socket {name:?} of the service manager is for nobody: write FileDescriptorName=peers or \
                     FileDescriptorName=api"
                ),
            }
        }
        Ok(inherited)
    }

    /// Has the API listen: at what was inherited, and at what the configuration wants beside. What is no longer wanted is closed; the
    /// rest is kept for the next start, but for what ends with its file or is a unit's.
    pub(super) fn open_doors(&mut self, config: &Api, doors: &mut Doors, notifier: &Notifier) -> anyhow::Result<()> {
        for socket in std::mem::take(&mut self.api) {
            match address(&socket) {
                Some(_) => doors.tcp.push(socket.into()),
                None => doors.unix.push(socket.into()),
            }
        }
        let of_unit = doors.tcp.len();
        let kept = std::mem::take(&mut self.kept_api).into_iter();
        let still = kept.filter(|socket| address(socket).is_some_and(|address| config.listen.contains(&address)));
        doors.tcp.extend(still.map(TcpListener::from));
        let there: Vec<SocketAddr> = doors.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        for &address in config.listen.iter().filter(|address| !there.contains(address)) {
            doors.open_tcp(address)?;
        }
        let own: Vec<BorrowedFd<'_>> = doors.tcp[of_unit..].iter().map(|listener| listener.as_fd()).collect();
        notifier.let_go(KEPT_API);
        notifier.keep(KEPT_API, &own);
        Ok(())
    }

    /// The sockets for peers: what was inherited, or new ones. Those of socket units hold whatever the configuration says.
    pub(super) fn open_peers(&mut self, fleet: &FleetConfig, notifier: &Notifier) -> anyhow::Result<Vec<Arc<OwnedFd>>> {
        let of_unit = std::mem::take(&mut self.peers);
        let kept = std::mem::take(&mut self.kept_peers);
        if !of_unit.is_empty() {
            return Ok(of_unit.into_iter().map(Arc::new).collect());
        }
        let as_wanted = !kept.is_empty() && kept.iter().all(|socket| is_as_wanted(socket, fleet));
        if as_wanted && fleet.listen.iter().all(|wanted| kept.iter().any(|socket| ip_of(socket) == Some(*wanted))) {
            return Ok(kept.into_iter().map(Arc::new).collect());
        }
        drop(kept);
        notifier.let_go(KEPT_PEERS);
        let opened = session::listen(fleet)?;
        notifier.keep(KEPT_PEERS, &opened.iter().map(|socket| socket.as_fd()).collect::<Vec<_>>());
        Ok(opened)
    }
}

/// A kept socket listens where a new one would.
fn is_as_wanted(socket: &OwnedFd, fleet: &FleetConfig) -> bool {
    let Some(at) = address(socket) else { return false };
    let device = SockRef::from(socket).device().ok().flatten();
    let address = if fleet.listen.is_empty() { at.ip().is_unspecified() } else { fleet.listen.contains(&at.ip()) };
    address
        && fleet.port.is_none_or(|port| port == at.port())
        && device.as_deref() == fleet.options.device.as_deref().map(str::as_bytes)
}

fn ip_of(socket: &OwnedFd) -> Option<IpAddr> {
    address(socket).map(|address| address.ip())
}

/// Where a socket listens; `None` of one in the file system.
fn address(socket: &OwnedFd) -> Option<SocketAddr> {
    SockRef::from(socket).local_addr().ok()?.as_socket()
}
