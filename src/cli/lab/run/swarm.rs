//! The experiment itself: a payload, a seeder, clients, and a clock.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::client::{Client, Task};
use super::network::{Kind, Link, Network};
use super::process::{Process, Said};
use crate::cli::progress;
use crate::cli::scratch::Scratch;
use crate::lab::theory::{Setting, whole};
use crate::metainfo::Metainfo;

/// The seeder's number among the processes, and its place in the network; clients follow.
const SEEDER: usize = 0;
/// Time for the seeder to be ready: it has nothing to hash.
const READY: Duration = Duration::from_secs(20);
/// Everybody gets so many times what the server alone would take at best, and a while to start.
const PATIENCE: f64 = 4.0;
const START: Duration = Duration::from_secs(60);
const STEP: usize = 1 << 20;

pub(super) struct Experiment<'run> {
    setting: &'run Setting,
    client: Client,
    cancel: &'run AtomicBool,
    // processes are gone before it is
    network: Network,
    scratch: Scratch,
    payload: PathBuf,
    torrent_file: PathBuf,
    torrent: Metainfo,
    tracker_port: u16,
}

impl<'run> Experiment<'run> {
    /// Everything that the runs with up to `clients` clients share.
    pub(super) fn new(
        setting: &'run Setting,
        client: Client,
        kind: Kind,
        clients: usize,
        cancel: &'run AtomicBool,
    ) -> anyhow::Result<Experiment<'run>> {
        let scratch = Scratch::new("lab")?;
        let server = Link { up: whole(setting.server_up), down: whole(setting.server_up) };
        let link = |client| Link { up: whole(setting.up_of(client)), down: whole(setting.down_of(client)) };
        let links: Vec<Link> = std::iter::once(server).chain((0..clients).map(link)).collect();
        ensure!(links.iter().all(|link| link.up > 0), "a client that may upload nothing cannot even ask");
        let network = Network::new(kind, &links)?;
        let payload = scratch.path().join("payload");
        write_payload(&payload, whole(setting.file))?;
        let tracker_port = free_port()?;
        let torrent_file = scratch.path().join("payload.torrent");
        let tracker = format!("http://{}:{tracker_port}/announce", network.address(SEEDER));
        create(&payload, &torrent_file, &tracker)?;
        let torrent = crate::cli::show::read_torrent(&torrent_file)?;
        Ok(Experiment { setting, client, cancel, network, scratch, payload, torrent_file, torrent, tracker_port })
    }

    pub(super) fn network(&self) -> &'static str {
        self.network.name()
    }

    /// Seconds until each of `n` clients has fetched the file from the server by HTTP.
    pub(super) fn client_server(&self, n: usize) -> anyhow::Result<Vec<f64>> {
        let folder = self.scratch.folder(&format!("server-{n}"))?;
        let (ear, said) = mpsc::channel();
        let (seeder, port) = self.seeder(&folder, &ear, &said)?;
        let url = format!("http://{}:{port}/{}/payload", self.network.address(SEEDER), self.torrent.info_hash());
        let start = |client: usize, ear: &Sender<Said>| {
            let mut command = self.network.command(client, "curl");
            command.args(["--silent", "--show-error", "--fail", "--output", "/dev/null"]);
            command.args(["--write-out", "%{size_download}\n", &url]);
            Process::start(&mut command, client, ear)
        };
        let size = whole(self.setting.file).to_string();
        let times = self.run(n, "clients of the server", &ear, &said, start, |line| line.trim() == size);
        Process::end(vec![seeder]);
        times
    }

    /// Seconds until each of `n` peers has the file.
    pub(super) fn peer_to_peer(&self, n: usize) -> anyhow::Result<Vec<f64>> {
        let folder = self.scratch.folder(&format!("swarm-{n}"))?;
        let (ear, said) = mpsc::channel();
        let (seeder, _) = self.seeder(&folder, &ear, &said)?;
        let start = |client: usize, ear: &Sender<Said>| {
            let own = folder.join(client.to_string());
            fs::create_dir(&own).with_context(|| format!("cannot make the folder {}", own.display()))?;
            let limits = !self.network.limits();
            let task = Task {
                node: client,
                torrent: &self.torrent_file,
                folder: &own,
                port: free_port()?,
                upload_limit: limits.then(|| whole(self.setting.up_of(client - 1))),
            };
            Process::start(&mut self.client.command(&self.network, &task)?, client, ear)
        };
        let times = self.run(n, "peers", &ear, &said, start, |line| self.client.is_complete(line));
        Process::end(vec![seeder]);
        // the room is for the next ones
        let _ = fs::remove_dir_all(&folder);
        times
    }

    /// Starts `n` clients, from 1 on, and waits until each has said that it is done.
    fn run(
        &self,
        n: usize,
        what: &'static str,
        ear: &Sender<Said>,
        said: &Receiver<Said>,
        start: impl Fn(usize, &Sender<Said>) -> anyhow::Result<Process>,
        is_done: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Vec<f64>> {
        let bar = progress::plain(n as u64).with_message(format!("{n} {what}"));
        let begun = Instant::now();
        let deadline = START + Duration::from_secs_f64(PATIENCE * self.setting.client_server(n).time);
        let processes = (1..=n).map(|client| start(client, ear)).collect::<anyhow::Result<Vec<Process>>>()?;
        let mut done: Vec<Option<f64>> = vec![None; n + 1];
        let mut left = n;
        while left > 0 {
            ensure!(!self.cancel.load(Ordering::Relaxed), "interrupted");
            ensure!(
                begun.elapsed() < deadline,
                "{left} of {n} {what} had not everything after {} s",
                deadline.as_secs()
            );
            let Said { who, line, at } = match said.recv_timeout(Duration::from_millis(100)) {
                Ok(said) => said,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => bail!("everybody has ended"),
            };
            match line {
                Some(line) if who != SEEDER && done[who].is_none() && is_done(&line) => {
                    done[who] = Some((at - begun).as_secs_f64());
                    left -= 1;
                    bar.inc(1);
                }
                None if who == SEEDER => bail!("the seeder has ended"),
                None if done[who].is_none() => bail!("one of the {what} has ended before it had everything"),
                _ => {}
            }
        }
        bar.finish_and_clear();
        Process::end(processes);
        Ok(done.into_iter().flatten().collect())
    }

    /// Starts the seeder, which is the tracker and the HTTP server too; its port.
    fn seeder(&self, folder: &Path, ear: &Sender<Said>, said: &Receiver<Said>) -> anyhow::Result<(Process, u16)> {
        let program = std::env::current_exe().context("cannot find this program to start it as a seeder")?;
        let mut command = self.network.command(SEEDER, program);
        command.arg("seed").arg(&self.torrent_file).arg("--data").arg(&self.payload);
        command.args(["--json", "--skip-check", "--web-seed", "--connections-per-address", "65535"]);
        command.arg("--tracker-port").arg(self.tracker_port.to_string()).arg("--until-input-ends");
        if !self.network.limits() {
            command.arg("--upload-limit").arg(whole(self.setting.server_up).to_string());
        }
        command.current_dir(folder).env("SOWER_STATE", folder.join("state"));
        let process = Process::start(&mut command, SEEDER, ear)?;
        let begun = Instant::now();
        while begun.elapsed() < READY && !self.cancel.load(Ordering::Relaxed) {
            match said.recv_timeout(Duration::from_millis(100)) {
                Ok(Said { line: Some(line), .. }) => {
                    let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                    let port = event["port"].as_u64().and_then(|port| u16::try_from(port).ok());
                    if let (Some("seeding"), Some(port)) = (event["event"].as_str(), port) {
                        return Ok((process, port));
                    }
                }
                Ok(Said { line: None, .. }) | Err(RecvTimeoutError::Disconnected) => bail!("the seeder ended at once"),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        bail!("the seeder was not ready within {} s", READY.as_secs())
    }
}

/// A file that no compression makes smaller, the same at each call.
fn write_payload(path: &Path, size: u64) -> anyhow::Result<()> {
    let refused = || format!("cannot write {}; TMPDIR names another place", path.display());
    let mut file = File::create_new(path).with_context(refused)?;
    let (mut random, mut buffer, mut left) = (fastrand::Rng::with_seed(size), vec![0; STEP], size);
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(STEP).min(STEP);
        random.fill(&mut buffer[..step]);
        file.write_all(&buffer[..step]).with_context(refused)?;
        left -= step as u64;
    }
    Ok(())
}

fn create(payload: &Path, torrent: &Path, tracker: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("cannot find this program to make a torrent with it")?;
    let mut command = Command::new(program);
    command.arg("create").arg(payload).arg("-o").arg(torrent).args(["-t", tracker]).stdout(Stdio::null());
    let output = command.stderr(Stdio::piped()).output().context("cannot start this program to make a torrent")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot make the torrent: {}", said.trim());
    Ok(())
}

/// A port that is free now. In a namespace all are.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
