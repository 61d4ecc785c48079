//! Tells a service manager how it goes: sd_notify(3), for services of `Type=notify`. A datagram for each thing said, to the
//! socket that `NOTIFY_SOCKET` names; without one nothing is said.

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::time::{ClockId, clock_gettime};

/// The way to the service manager, if there is one.
#[derive(Default)]
pub(crate) struct Notifier {
    socket: Option<UnixDatagram>,
    status: String,
}

impl Notifier {
    /// To the manager that the environment names.
    pub(crate) fn from_environment() -> io::Result<Notifier> {
        let socket = std::env::var_os("NOTIFY_SOCKET").map(|address| connect(&address)).transpose()?;
        Ok(Notifier { socket, status: String::new() })
    }

    /// It seeds.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// It ends, and may take a while.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=letting peers go, telling the trackers");
    }

    /// Another process is the main one of this service from now on. The manager takes no other word of this one, so there is none.
    pub(crate) fn hand_over(&mut self, process: u32) {
        self.say(&format!("MAINPID={process}"));
        self.socket = None;
    }

    /// It reads its configuration again; [`Notifier::ready`] says that it is done. The manager tells by the clock which of two reloads
    /// that was.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    /// It lives: the manager starts it anew where that is not said in time, see [`watchdog`].
    pub(crate) fn lives(&self) {
        self.say("WATCHDOG=1");
    }

    /// The manager keeps these sockets under this name, and gives them to whoever is started next. It keeps one of each: what it has
    /// already it closes.
    pub(crate) fn keep(&self, name: &str, sockets: &[BorrowedFd<'_>]) {
        let Some(socket) = &self.socket else { return };
        for sockets in sockets.chunks(SOCKETS_AT_ONCE) {
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_AT_ONCE))];
            let mut rights = SendAncillaryBuffer::new(&mut space);
            rights.push(SendAncillaryMessage::ScmRights(sockets));
            // a listener has nothing to say by which the manager could tell that nobody is there
            let text = format!("FDSTORE=1\nFDPOLL=0\nFDNAME={name}");
            // a manager without a place for them (FileDescriptorStoreMax=) closes them: the next start opens its own
            let _ = sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut rights, SendFlags::empty());
        }
    }

    /// The manager keeps sockets of this name no more.
    pub(crate) fn let_go(&self, name: &str) {
        self.say(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
    }

    /// What it does, in one line; the same line is not sent again.
    pub(crate) fn status(&mut self, line: &str) {
        if self.socket.is_some() && self.status != line {
            line.clone_into(&mut self.status);
            // a line end would begin another assignment
            self.say(&format!("STATUS={}", line.replace('\n', " ")));
        }
    }

    /// A manager that is busy misses a line of status; one that has gone misses everything, and seeding goes on.
    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(what.as_bytes());
        }
    }
}

/// Sockets in one datagram; the kernel takes 253.
const SOCKETS_AT_ONCE: usize = 16;

/// How often the manager wants to hear that this process lives: twice within the time after which it acts, as sd_watchdog_enabled(3)
/// advises.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(address)?,
        // vsock: of virtual machines whose only service this is
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "NOTIFY_SOCKET names neither a path nor an abstract socket",
            ));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard_from(manager: &UnixDatagram, address: &OsStr) -> Vec<String> {
        let mut notifier =
            Notifier { socket: Some(connect(address).expect("the manager listens")), status: String::new() };
        notifier.status("hashing");
        notifier.status("hashing");
        notifier.ready();
        notifier.status("a\nREADY=0");
        notifier.lives();
        notifier.let_go("peers");
        notifier.stopping();
        let mut buffer = [0; 256];
        let mut next = || {
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        manager.set_nonblocking(true).expect("a socket");
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn the_manager_hears_each_thing_once_by_either_kind_of_address() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let expected = [
            "STATUS=hashing",
            "READY=1",
            "STATUS=a READY=0",
            "WATCHDOG=1",
            "FDSTOREREMOVE=1\nFDNAME=peers",
            "STOPPING=1\nSTATUS=letting peers go, telling the trackers",
        ];
        let by_path = UnixDatagram::bind(&path).expect("a socket");
        assert_eq!(heard_from(&by_path, path.as_os_str()), expected);

        let name = format!("sower-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let abstract_one = UnixDatagram::bind_addr(&address).expect("a socket");
        assert_eq!(heard_from(&abstract_one, OsStr::new(&format!("@{name}"))), expected);
    }

    #[test]
    fn an_address_of_another_kind_is_refused_and_silence_is_no_error() {
        assert!(connect(OsStr::new("vsock:2:1234")).is_err());
        assert!(connect(OsStr::new("")).is_err());
        let mut nobody = Notifier { socket: None, status: String::new() };
        nobody.status("x");
        nobody.ready();
    }
}
