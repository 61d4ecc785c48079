//! A real daemon in a namespace of its own, real clients for it, and what it says of itself.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sower::metainfo::{Builder, Metainfo};

use super::http::{Reply, try_ask};
use super::process::{Process, Workspace, wait_for};

/// For whatever has to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Whom the daemon runs as where root would be refused nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// A torrent of one file.
pub(crate) struct Torrent {
    pub(crate) name: String,
    pub(crate) file: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) hash: String,
}

impl Torrent {
    pub(crate) fn new(name: &str, length: usize) -> Torrent {
        Torrent::announced(name, length, &[])
    }

    /// With trackers, a tier each.
    pub(crate) fn announced(name: &str, length: usize, trackers: &[&str]) -> Torrent {
        const PIECE: usize = 32 * 1024;
        let seed = name.bytes().fold(length as u64, |seed, byte| seed * 31 + u64::from(byte));
        let mut rng = fastrand::Rng::with_seed(seed);
        let content: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        let digests = content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect();
        let builder = Builder::single(name.as_ref(), length as u64, 32 * 1024).hashes(digests);
        let tiers = trackers.iter().map(|url| vec![(*url).to_owned()]).collect::<Vec<_>>();
        let parsed = Metainfo::parse(&builder.write().expect("a torrent")).expect("good").with_trackers(tiers);
        Torrent { name: name.into(), hash: parsed.info_hash().to_string(), file: parsed.to_bytes(), content }
    }

    /// Its content, in `folder`.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(&self.name);
        fs::write(&path, &self.content).expect("written");
        path
    }
}

/// How a daemon is started.
#[derive(Default)]
pub(crate) struct Manner {
    /// Words before the program's own.
    pub(crate) before: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
    /// Not as root.
    pub(crate) nobody: bool,
}

/// A daemon, and where it lives.
pub(crate) struct Scene {
    pub(crate) workspace: Workspace,
    manner: Manner,
    daemon: Option<Process>,
    token: String,
    starts: u32,
    downloads: std::cell::Cell<u32>,
}

impl Scene {
    /// Nothing runs yet: folders can be mounted.
    pub(crate) fn prepare(manner: Manner) -> Scene {
        let workspace = Workspace::new();
        fs::set_permissions(workspace.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let scene = Scene { workspace, manner, daemon: None, token: String::new(), starts: 0, downloads: 0.into() };
        for folder in [scene.state(), scene.data()] {
            fs::create_dir_all(&folder).expect("made");
            scene.give(&folder);
        }
        scene
    }

    /// More arguments for the daemon.
    pub(crate) fn arguments(&mut self, arguments: &[&str]) {
        self.manner.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    pub(crate) fn new() -> Scene {
        let mut scene = Scene::prepare(Manner::default());
        scene.start();
        scene
    }

    /// Lets the daemon's user have `path`.
    pub(crate) fn give(&self, path: &Path) {
        let owner = self.manner.nobody.then_some(NOBODY);
        std::os::unix::fs::chown(path, owner, owner).expect("root may");
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.workspace.path().join("state")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.workspace.path().join("data")
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("it runs").id()
    }

    fn command(&self) -> Command {
        let binary = std::env::var_os("SOWER_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sower").into());
        let mut words: Vec<std::ffi::OsString> = self.manner.before.iter().map(Into::into).collect();
        if self.manner.nobody {
            // where the program lies may be nobody else's to look
            let here = self.workspace.path().join("sower");
            if !here.exists() {
                fs::write(&here, "").expect("made");
                super::process::run("mount", &["--bind", &binary.to_string_lossy(), &here.to_string_lossy()]);
            }
            let id = NOBODY.to_string();
            words.extend(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(Into::into));
            words.push(here.into());
        } else {
            words.push(binary);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["daemon", "--api", "127.0.0.1:9091", "--port", "6881", "--state"]);
        command.arg(self.state()).arg("--downloads").arg(self.data()).args(&self.manner.arguments);
        command.envs(self.manner.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        let name = format!("daemon-{}", self.starts);
        self.daemon = Some(Process::start(self.command(), &name, self.workspace.path(), false));
        wait_for("the daemon is ready", PATIENCE, || {
            self.daemon.as_mut().expect("just started").assert_runs();
            let reply = try_ask(api(), "GET /readyz HTTP/1.1", b"").ok()?;
            (reply.status == 200).then_some(())
        });
        if self.token.is_empty() {
            let token = fs::read_to_string(self.state().join("token")).expect("made at the start");
            self.token = token.trim().to_owned();
        }
    }

    /// Starts it where it cannot run: what it says.
    pub(crate) fn start_in_vain(&mut self) -> String {
        self.starts += 1;
        let name = format!("daemon-{}", self.starts);
        let mut daemon = Process::start(self.command(), &name, self.workspace.path(), false);
        let status = wait_for("the daemon gives up", PATIENCE, || daemon.ended());
        assert!(!status.success());
        fs::read_to_string(self.workspace.path().join(format!("{name}.log"))).expect("a log")
    }

    /// As a power cut of the program.
    pub(crate) fn kill(&mut self) {
        drop(self.daemon.take());
    }

    /// Ends it in order.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.signal("TERM");
        wait_for("the daemon ends", PATIENCE, || daemon.ended())
    }

    /// What the daemon has said since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.workspace.path().join(format!("daemon-{}.log", self.starts))).expect("a log")
    }

    /// What other threads may ask with.
    pub(crate) fn requests(&self) -> Requests {
        Requests { token: self.token.clone() }
    }

    pub(crate) fn request(&self, request: &str, body: Option<Value>) -> Reply {
        self.requests().request(request, body)
    }

    /// A request that is to be followed.
    pub(crate) fn order(&self, request: &str, body: Option<Value>) {
        let reply = self.request(request, body);
        assert!(reply.status < 300, "{request}: {} {}", reply.status, reply.text());
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.request(&format!("GET {path}"), None);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    pub(crate) fn row(&self, torrent: &Torrent) -> Value {
        self.get(&format!("/api/v1/torrents/{}", torrent.hash))
    }

    /// Waits until what is at `path` is as `is` says.
    pub(crate) fn until(&self, what: &str, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            last = self.get(path);
            if is(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("waited in vain: {what}: {last}")
    }

    pub(crate) fn until_row(&self, what: &str, torrent: &Torrent, is: impl Fn(&Value) -> bool) -> Value {
        self.until(what, &format!("/api/v1/torrents/{}", torrent.hash), is)
    }

    pub(crate) fn until_is(&self, torrent: &Torrent, activity: &str) -> Value {
        let what = format!("{} is {activity}", torrent.name);
        self.until_row(&what, torrent, |row| row["activity"] == activity)
    }

    /// Waits until the totals tell of trouble with all these words in it.
    pub(crate) fn until_trouble(&self, words: &[&str]) {
        let has = |totals: &Value| {
            totals["trouble"].as_str().is_some_and(|text| words.iter().all(|word| text.contains(word)))
        };
        self.until(&format!("trouble with {words:?}"), "/api/v1/totals", has);
    }

    pub(crate) fn until_no_trouble(&self) {
        self.until("no trouble", "/api/v1/totals", |totals| totals["trouble"].is_null());
    }

    /// Waits until the daemon has counted so many seconds more: numbers are kept every two, and a kill costs those since.
    pub(crate) fn pass(&self, seconds: u64) {
        let now = |totals: &Value| totals["session_seconds"].as_u64().expect("a number");
        let begun = now(&self.get("/api/v1/totals"));
        self.until("time passes", "/api/v1/totals", |totals| now(totals) > begun + seconds);
    }

    pub(crate) fn try_add(&self, torrent: &Torrent, folder: &Path) -> Reply {
        let body = json!({ "torrent": STANDARD.encode(&torrent.file), "folder": folder });
        self.request("POST /api/v1/torrents", Some(body))
    }

    pub(crate) fn add(&self, torrent: &Torrent, folder: &Path) {
        let reply = self.try_add(torrent, folder);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Puts content into `folder`, adds its torrent and waits until it is seeded.
    pub(crate) fn seed(&self, torrent: &Torrent, folder: &Path) {
        let path = torrent.write(folder);
        self.give(&path);
        self.add(torrent, folder);
        self.until_is(torrent, "seeding");
    }

    fn peer(&self, deed: &str, torrent: &Torrent, folder: &Path, seconds: u32) -> Command {
        let file = self.workspace.path().join(format!("{}.torrent", torrent.name));
        fs::write(&file, &torrent.file).expect("written");
        let mut command = Command::new("tests/.venv/bin/python");
        command.args(["tests/faults/peer.py", deed]).arg(file).arg(folder);
        command.args(["127.0.0.1", "6881", &seconds.to_string()]);
        command
    }

    /// Downloads with libtorrent, and compares every byte.
    pub(crate) fn download(&self, torrent: &Torrent) {
        self.downloads.set(self.downloads.get() + 1);
        let folder = self.workspace.folder(&format!("got-{}", self.downloads.get()));
        let status = self.peer("get", torrent, &folder, 40).status().expect("Python runs");
        assert!(status.success(), "{} was not downloaded: {}", torrent.name, self.row(torrent));
        assert!(fs::read(folder.join(&torrent.name)).expect("there") == torrent.content, "{} is wrong", torrent.name);
    }

    /// Begins to download with libtorrent what need not come.
    pub(crate) fn ask_for(&self, torrent: &Torrent) -> Process {
        let folder = self.workspace.folder(&format!("asks-{}", torrent.name));
        let _ = fs::remove_file(folder.join(&torrent.name));
        let command = self.peer("get", torrent, &folder, 60);
        Process::start(command, &format!("asks-{}", torrent.name), self.workspace.path(), false)
    }

    /// A libtorrent that has it, and connects to the daemon again and again.
    pub(crate) fn offer(&self, torrent: &Torrent) -> Process {
        let folder = self.workspace.folder("offered");
        torrent.write(&folder);
        let command = self.peer("seed", torrent, &folder, 300);
        Process::start(command, &format!("offers-{}", torrent.name), self.workspace.path(), false)
    }
}

/// Asks the API.
pub(crate) struct Requests {
    token: String,
}

impl Requests {
    pub(crate) fn request(&self, request: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let head =
            format!("{request} HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json", self.token);
        try_ask(api(), &head, body.as_bytes()).unwrap_or_else(|error| panic!("{request}: {error}"))
    }
}

/// Where the daemon's API is.
pub(crate) fn api() -> SocketAddr {
    "127.0.0.1:9091".parse().expect("an address")
}

/// Sums that must never shrink.
pub(crate) fn sent(value: &Value) -> u64 {
    value["uploaded"].as_u64().unwrap_or_else(|| panic!("uploaded: {value}"))
}

/// The message of a torrent; empty if there is none.
pub(crate) fn message(row: &Value) -> &str {
    row["message"].as_str().unwrap_or_default()
}

/// A small file system in memory; unmounted when dropped.
pub(crate) struct Memory {
    pub(crate) path: PathBuf,
}

impl Memory {
    /// At `path`, of so many KiB.
    pub(crate) fn new(path: &Path, kib: u32) -> Memory {
        fs::create_dir_all(path).expect("made");
        let size = format!("size={kib}k,mode=0777");
        super::process::run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &path.to_string_lossy()]);
        Memory { path: path.to_owned() }
    }

    /// Takes all space, but for what is less than a page.
    pub(crate) fn fill(&self) -> PathBuf {
        let filler = self.path.join("filler");
        let mut file = fs::File::create(&filler).expect("made");
        let page = [7; 4096];
        while std::io::Write::write_all(&mut file, &page).is_ok() {}
        filler
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).output();
    }
}
