//! A daemon in a scratch folder, and a service manager for it.

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// For anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a daemon lives.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        Home { folder: tempfile::tempdir().expect("a folder") }
    }

    /// One with this configuration.
    pub(crate) fn with(config: &str) -> Home {
        let home = Home::new();
        fs::create_dir(home.state()).expect("a folder");
        fs::write(home.config(), config).expect("a file");
        home
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.state().join("config.toml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state().join("api.sock")
    }

    /// `sower daemon` on ports that are free.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.bare();
        command.args(["--api", "127.0.0.1:0", "--port", "0"]);
        command
    }

    /// `sower daemon` with nothing but its folder.
    pub(crate) fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
        command.args(["daemon", "--state"]).arg(self.state()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
        command
    }

    /// What the API answers by the Unix socket.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let length = body.len();
        let head = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    /// Seeds `payload` from the download folder, announced at `tracker`; its info-hash, once it is being seeded.
    pub(crate) fn seed(&self, payload: &[u8], tracker: &str) -> String {
        let content = self.state().join("downloads");
        fs::create_dir_all(&content).expect("a folder");
        fs::write(content.join("payload"), payload).expect("a file");
        let mut create = Command::new(env!("CARGO_BIN_EXE_sower"));
        create.arg("create").arg(content.join("payload")).args(["--tracker", tracker]).current_dir(self.folder.path());
        assert!(create.output().expect("sower runs").status.success());
        let hash = self.add(&fs::read(self.torrent_file()).expect("a torrent"));
        until("it is seeded", || self.torrent(&hash)["activity"] == "seeding");
        hash
    }

    /// Adds a torrent; its info-hash.
    pub(crate) fn add(&self, torrent: &[u8]) -> String {
        let body = format!("{{\"torrent\": \"{}\"}}", base64(torrent));
        let (status, answer) = self.ask("POST", "/api/v1/torrents", &body).expect("it answers");
        assert!(status < 300, "{status} {answer}");
        let added: Value = serde_json::from_str(&answer).expect("JSON");
        added["added"][0]["hash"].as_str().unwrap_or_else(|| panic!("no hash: {answer}")).to_owned()
    }

    /// The torrent that [`Home::seed`] made.
    pub(crate) fn torrent_file(&self) -> PathBuf {
        [self.state().join("downloads"), self.folder.path().to_owned()]
            .map(|folder| folder.join("payload.torrent"))
            .into_iter()
            .find(|path| path.is_file())
            .expect("it was made")
    }

    /// A torrent as the API tells of it; `null` if it does not.
    pub(crate) fn torrent(&self, hash: &str) -> Value {
        let answer = self.ask("GET", &format!("/api/v1/torrents/{hash}"), "");
        answer.and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> Value {
        let (status, body) = self.ask("GET", "/api/v1/settings", "").expect("it answers");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    pub(crate) fn change_settings(&self, change: &str) {
        let (status, body) = self.ask("PATCH", "/api/v1/settings", change).expect("it answers");
        assert!(status < 300, "{status} {body}");
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Waits until `what` is so.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "it did not come about that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process, ended when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Running {
        Running(command.spawn().expect("sower runs"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the daemon ended", || {
            status = self.0.try_wait().expect("it can be asked");
            status.is_some()
        });
        status.expect("it was waited for")
    }

    /// Ends it in order; everything that it wrote.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::TERM);
        self.output()
    }

    /// Everything that it wrote, once it has ended.
    pub(crate) fn output(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
        self.ended();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays systemd: hears what a service says, and keeps its sockets.
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
    pub(crate) heard: Vec<String>,
    /// Sockets by their names, as a unit with FileDescriptorStoreMax= has them.
    pub(crate) kept: Vec<(String, OwnedFd)>,
}

impl Manager {
    pub(crate) fn new() -> Manager {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Manager { socket, path, _folder: folder, heard: Vec::new(), kept: Vec::new() }
    }

    /// Starts a service, with the sockets that were kept.
    pub(crate) fn start(&mut self, service: Command) -> Running {
        let kept: Vec<(String, OwnedFd)> = self.kept.drain(..).collect();
        // a shell puts the descriptors where sd_listen_fds(3) has them, and knows its own number
        let mut script = String::new();
        for (place, (_, socket)) in kept.iter().enumerate() {
            rustix::io::fcntl_setfd(socket, FdFlags::empty()).expect("a descriptor");
            let number = socket.as_raw_fd();
            script.push_str(&format!("exec {}<&{number} {number}<&-\n", place + 3));
        }
        assert!(kept.len() < 17, "the sockets have numbers from 20 on");
        script.push_str("export LISTEN_PID=$$\nexec \"$@\"");
        let mut command = Command::new("/bin/bash");
        command.arg("-c").arg(script).arg("bash").arg(service.get_program()).args(service.get_args());
        for (name, value) in service.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        if !kept.is_empty() {
            command.env("LISTEN_FDS", kept.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        }
        command.env("NOTIFY_SOCKET", &self.path).stdout(Stdio::null()).stderr(Stdio::piped());
        let running = Running::start(command);
        self.kept = kept;
        running
    }

    /// Listens until `wanted` is said, from now on.
    pub(crate) fn hear(&mut self, wanted: &str) -> String {
        loop {
            let said = self.next().unwrap_or_else(|error| panic!("no {wanted}: {error}; heard {:?}", self.heard));
            if said.contains(wanted) {
                return said;
            }
        }
    }

    fn next(&mut self) -> std::io::Result<String> {
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let parts = &mut [IoSliceMut::new(&mut buffer)];
        let received = recvmsg(&self.socket, parts, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let sockets: Vec<OwnedFd> = rights
            .drain()
            .filter_map(
                |message| if let RecvAncillaryMessage::ScmRights(sockets) = message { Some(sockets) } else { None },
            )
            .flatten()
            .collect();
        let said = String::from_utf8_lossy(&buffer[..received.bytes]).into_owned();
        let name = said.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored").to_owned();
        if said.contains("FDSTOREREMOVE=1") {
            self.kept.retain(|(kept, _)| *kept != name);
        }
        if said.contains("FDSTORE=1") {
            self.kept.extend(sockets.into_iter().map(|socket| (name.clone(), high(socket))));
        }
        self.heard.push(said.clone());
        Ok(said)
    }

    /// Until nothing more comes.
    pub(crate) fn hear_the_rest(&mut self) {
        self.socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        while self.next().is_ok() {}
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    }
}

/// The same socket by a number beyond those of [`Manager::start`].
fn high(socket: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&socket, 20).expect("a descriptor")
}
