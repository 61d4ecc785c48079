//! Sockets that a service manager opened, or kept while we were started anew: sd_listen_fds(3). And those of the process before, which
//! has handed them over.
//!
//! | name | from | used |
//! |---|---|---|
//! | `peers` `api` | socket units, which say where to listen | all of them |
//! | `kept-peers` `kept-api` | an earlier run of this service, see [`Notifier::keep`] | those that the configuration still wants |
//! | `kept-unix` | the process before, see [`Handed`](super::handed) | if the configuration still has it there |
//!
//! The one unsafe call takes a descriptor by its number. The manager promises by LISTEN_PID that the descriptors from 3 on are this
//! process's, and nobody else here takes them: they are asked for once, at the start of the command.
#![expect(unsafe_code, reason = "descriptors by number")]

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use socket2::SockRef;

use crate::api::server::Doors;
use crate::cli::notify::Notifier;
use crate::reactor::sockets::ListenError;
use crate::session::{self, FleetConfig, FleetError};

use super::config::Api;

const PEERS: &str = "peers";
const API: &str = "api";
const KEPT_PEERS: &str = "kept-peers";
const KEPT_API: &str = "kept-api";
const KEPT_UNIX: &str = "kept-unix";
/// For a predecessor's sockets to be closed.
const PREDECESSOR: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// Sockets of others, by what they are for.
#[derive(Default)]
pub(super) struct Inherited {
    peers: Vec<OwnedFd>,
    kept_peers: Vec<OwnedFd>,
    api: Vec<OwnedFd>,
    kept_api: Vec<OwnedFd>,
    kept_unix: Vec<OwnedFd>,
    used: Sockets,
}

/// Sockets that are listened on, by the names under which they are handed on.
#[derive(Default)]
pub(super) struct Sockets(Vec<(&'static str, OwnedFd)>);

impl Inherited {
    /// Those of this process. To be called once.
    pub(super) fn take() -> anyhow::Result<Inherited> {
        let named = sd_notify::listen_fds_with_names().context("the service manager's sockets cannot be used")?;
        let named = named.into_iter().map(|(number, name)| {
            // SAFETY: LISTEN_PID says that descriptor `number` was opened for this process, `listen_fds_with_names` has just
            // set a flag of it, so that it is open, and it is taken nowhere else.
            (name, unsafe { OwnedFd::from_raw_fd(number) })
        });
        Inherited::sort(named)
    }

    /// Sockets by their names.
    pub(super) fn sort(named: impl IntoIterator<Item = (String, OwnedFd)>) -> anyhow::Result<Inherited> {
        let mut inherited = Inherited::default();
        for (name, socket) in named {
            let listens = SockRef::from(&socket).is_listener().unwrap_or(false);
            anyhow::ensure!(listens, "socket {name:?} of the service manager does not listen: it takes ListenStream=");
            match name.as_str() {
                PEERS => inherited.peers.push(socket),
                API => inherited.api.push(socket),
                KEPT_PEERS => inherited.kept_peers.push(socket),
                KEPT_API => inherited.kept_api.push(socket),
                KEPT_UNIX => inherited.kept_unix.push(socket),
                _ => anyhow::bail!(
                    "socket {name:?} of the service manager is for nobody: write FileDescriptorName=peers or \
                     FileDescriptorName=api"
                ),
            }
        }
        Ok(inherited)
    }

    /// Has the API listen: at what was inherited, and at what the configuration wants beside. What is no longer wanted is closed.
    pub(super) fn open_doors(&mut self, config: &Api, folder: &Path, doors: &mut Doors) -> anyhow::Result<()> {
        for socket in std::mem::take(&mut self.api) {
            self.used.add(API, &socket)?;
            match address(&socket) {
                Some(_) => doors.tcp.push(socket.into()),
                None => doors.unix.push(socket.into()),
            }
        }
        let of_unit = doors.tcp.len();
        let kept = std::mem::take(&mut self.kept_api).into_iter();
        let still = kept
            .filter(|socket| address(socket).is_some_and(|at| config.listen.iter().any(|wanted| is_at(wanted, &at))));
        doors.tcp.extend(still.map(TcpListener::from));
        let there: Vec<SocketAddr> = doors.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        for &address in config.listen.iter().filter(|wanted| !there.iter().any(|at| is_at(wanted, at))) {
            doors.open_tcp(address)?;
        }
        doors.tcp[of_unit..].iter().try_for_each(|listener| self.used.add(KEPT_API, listener))?;
        if let Some(socket) = &config.socket {
            self.open_unix(&socket.below(folder), doors)?;
        }
        Ok(())
    }

    fn open_unix(&mut self, path: &Path, doors: &mut Doors) -> anyhow::Result<()> {
        let kept = std::mem::take(&mut self.kept_unix).into_iter().find(|socket| file(socket).as_deref() == Some(path));
        match kept {
            Some(socket) => doors.adopt_unix(path, socket.into())?,
            None => doors.open_unix(path)?,
        }
        doors.unix.last().map_or(Ok(()), |listener| self.used.add(KEPT_UNIX, listener))
    }

    /// The sockets for peers: what was inherited, or new ones. Those of socket units hold whatever the configuration says.
    pub(super) fn open_peers(&mut self, fleet: &FleetConfig) -> anyhow::Result<Vec<Arc<OwnedFd>>> {
        let of_unit = std::mem::take(&mut self.peers);
        let kept = std::mem::take(&mut self.kept_peers);
        let as_wanted = !kept.is_empty() && kept.iter().all(|socket| is_as_wanted(socket, fleet));
        let everywhere = fleet.listen.iter().all(|wanted| kept.iter().any(|socket| ip_of(socket) == Some(*wanted)));
        let (name, sockets) = match () {
            () if !of_unit.is_empty() => (PEERS, of_unit.into_iter().map(Arc::new).collect()),
            () if as_wanted && everywhere => (KEPT_PEERS, kept.into_iter().map(Arc::new).collect()),
            () => {
                // their port may be the one that is wanted
                drop(kept);
                (KEPT_PEERS, listen(fleet)?)
            }
        };
        sockets.iter().try_for_each(|socket: &Arc<OwnedFd>| self.used.add(name, &**socket))?;
        Ok(sockets)
    }

    /// All that are listened on.
    pub(super) fn into_used(self) -> Sockets {
        self.used
    }
}

impl Sockets {
    fn add(&mut self, name: &'static str, socket: &impl AsFd) -> anyhow::Result<()> {
        self.0.push((name, socket.as_fd().try_clone_to_owned().context("no descriptor is left")?));
        Ok(())
    }

    /// Has the manager keep those that are not a unit's and do not end with their file, and no others of an earlier run.
    pub(super) fn keep(&self, notifier: &Notifier) {
        for name in [KEPT_PEERS, KEPT_API] {
            let sockets: Vec<BorrowedFd<'_>> = self.named(name).collect();
            notifier.let_go(name);
            notifier.keep(name, &sockets);
        }
    }

    fn named(&self, wanted: &str) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().filter(move |(name, _)| *name == wanted).map(|(_, socket)| socket.as_fd())
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, BorrowedFd<'_>)> {
        self.0.iter().map(|(name, socket)| (*name, socket.as_fd()))
    }
}

/// Opens sockets; of a daemon that was killed a moment ago, the kernel may still be closing them: it does so after the end of the process
/// where io_uring is used.
fn listen(fleet: &FleetConfig) -> Result<Vec<Arc<OwnedFd>>, FleetError> {
    let end = Instant::now() + PREDECESSOR;
    loop {
        match session::listen(fleet) {
            Err(FleetError::Listen(ListenError::InUse { .. })) if Instant::now() < end => std::thread::sleep(AGAIN),
            done => return done,
        }
    }
}

/// A kept socket listens where a new one would.
fn is_as_wanted(socket: &OwnedFd, fleet: &FleetConfig) -> bool {
    let Some(at) = address(socket) else { return false };
    let device = SockRef::from(socket).device().ok().flatten();
    let address = if fleet.listen.is_empty() { at.ip().is_unspecified() } else { fleet.listen.contains(&at.ip()) };
    address
        && fleet.port.is_none_or(|port| port == 0 || port == at.port())
        && device.as_deref() == fleet.options.device.as_deref().map(str::as_bytes)
}

/// Where it is wanted; port 0 is any that is free, so one that is open is as good.
fn is_at(wanted: &SocketAddr, at: &SocketAddr) -> bool {
    wanted.ip() == at.ip() && (wanted.port() == 0 || wanted.port() == at.port())
}

fn ip_of(socket: &OwnedFd) -> Option<IpAddr> {
    address(socket).map(|address| address.ip())
}

/// Where a socket listens; `None` of one in the file system.
fn address(socket: &OwnedFd) -> Option<SocketAddr> {
    SockRef::from(socket).local_addr().ok()?.as_socket()
}

/// Where a socket in the file system is.
fn file(socket: &OwnedFd) -> Option<PathBuf> {
    SockRef::from(socket).local_addr().ok()?.as_pathname().map(Path::to_owned)
}
