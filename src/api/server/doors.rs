//! Listening sockets.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 256;

/// What the server listens on: sockets that it opened itself, or that somebody handed over.
#[derive(Debug, Default)]
pub struct Doors {
    /// TCP.
    pub tcp: Vec<TcpListener>,
    /// Unix sockets; who reaches them needs no token.
    pub unix: Vec<UnixListener>,
    /// Names by which it is called beside its addresses and `localhost`.
    pub names: Vec<String>,
    /// Sockets in the file system that go with the server.
    files: Vec<SocketFile>,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Of that address.
    #[error("cannot listen on {0}: {1}; choose another address with --api")]
    Tcp(SocketAddr, io::Error),
    /// Another daemon is there.
    #[error("another daemon listens on {}: end it first", .0.display())]
    Alive(PathBuf),
    /// Of that path.
    #[error("cannot listen on {}: {error}", .path.display())]
    Unix {
        /// It.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl Doors {
    /// Listens on this address.
    pub fn open_tcp(&mut self, address: SocketAddr) -> Result<SocketAddr, DoorError> {
        let failed = |error| DoorError::Tcp(address, error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        self.tcp.push(listener);
        Ok(bound)
    }

    /// Listens on a Unix socket that its owner alone can reach, from the moment it exists. The socket of a daemon that is gone is
    /// replaced, that of a living one is not.
    pub fn open_unix(&mut self, path: &Path) -> Result<(), DoorError> {
        let failed = |error| DoorError::Unix { path: path.into(), error };
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        // bind(2) gives the file the mode of the socket, less the umask
        fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(|error| failed(error.into()))?;
        socket.bind(&SockAddr::unix(path).map_err(failed)?).map_err(failed)?;
        let file = SocketFile::of(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        socket.listen(BACKLOG).map_err(failed)?;
        self.unix.push(UnixListener::from(std::os::fd::OwnedFd::from(socket)));
        self.files.push(file);
        Ok(())
    }
}

impl Doors {
    /// The same listeners once more; sockets in the file system go with these here.
    pub fn try_clone(&self) -> io::Result<Doors> {
        Ok(Doors {
            tcp: self.tcp.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?,
            unix: self.unix.iter().map(UnixListener::try_clone).collect::<Result<_, _>>()?,
            names: self.names.clone(),
            files: Vec::new(),
        })
    }

    /// Listens on a Unix socket that another process has opened at `path`. It stays when this is dropped, as that process may go on with
    /// it, until [`Doors::own`] is called.
    pub fn adopt_unix(&mut self, path: &Path, listener: UnixListener) -> Result<(), DoorError> {
        let mut file = SocketFile::of(path).map_err(|error| DoorError::Unix { path: path.into(), error })?;
        file.adopted = true;
        self.unix.push(listener);
        self.files.push(file);
        Ok(())
    }

    /// Sockets that were adopted go with these from now on.
    pub fn own(&mut self) {
        self.files.iter_mut().for_each(|file| file.adopted = false);
    }

    /// Another process goes on with these listeners: sockets in the file system stay.
    pub fn leave(mut self) {
        self.files.iter_mut().for_each(|file| file.adopted = true);
    }
}

fn remove_stale(path: &Path) -> Result<(), DoorError> {
    let failed = |error| DoorError::Unix { path: path.into(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(failed(io::Error::other("there is a file of this name that is no socket; remove it")));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
        Ok(_) => Err(DoorError::Alive(path.into())),
    }
}

/// A socket in the file system; removed when dropped, unless another one is in its place by then.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// It is another process's to remove.
    adopted: bool,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.into(), identity: identity(path)?, adopted: false })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.adopted && identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // left over, it is stale, and replaced at the next start
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn the_socket_is_its_owners_and_goes_with_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("api.sock");
        let mut doors = Doors::default();
        doors.open_unix(&path).expect("opened");
        assert_eq!(mode(&path), 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        assert!(matches!(Doors::default().open_unix(&path), Err(DoorError::Alive(_))), "a living one is left alone");
        drop(doors);
        assert!(!path.exists());
    }

    #[test]
    fn the_socket_of_a_daemon_that_was_killed_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("api.sock");
        drop(UnixListener::bind(&path).expect("bound"));
        let mut doors = Doors::default();
        doors.open_unix(&path).expect("replaced");
        assert!(UnixStream::connect(&path).is_ok());
        let file = folder.path().join("notes");
        fs::write(&file, "mine").expect("written");
        assert!(doors.open_unix(&file).is_err());
        assert_eq!(fs::read(&file).expect("still there"), b"mine");
    }
}
