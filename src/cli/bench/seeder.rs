//! Our own seeder as a child process: this very program, on processors of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::units::parse_size;
use crate::reactor::driver::DriverChoice;
use crate::transmit::SendMode;

use super::cpus::{self, Cpus};
use super::memory::Memory;
use super::payload::Payload;

/// How our own seeder runs.
#[derive(clap::Args, Debug)]
#[group(skip)]
#[command(next_help_heading = "Our own seeder (without --target)")]
pub(super) struct Flags {
    /// Reactor threads of it
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with = "target")]
    reactors: u16,
    /// How it drives the kernel
    #[arg(long, default_value = "auto", value_name = "auto|io_uring|epoll", conflicts_with = "target")]
    driver: DriverChoice,
    /// How payload leaves it
    #[arg(long, default_value = "auto", value_name = "auto|splice|copy|zerocopy", conflicts_with = "target")]
    send: SendMode,
    /// TCP congestion control of both sides [default: cubic where the kernel has it, else the system's]
    #[arg(long, value_name = "NAME")]
    pub(super) congestion: Option<String>,
    /// Its processors, such as 0-3 [default: the first ones, one for each reactor]
    #[arg(long, value_name = "LIST", conflicts_with = "target")]
    seeder_cpus: Option<Cpus>,
    /// Memory that it may use, the page cache of the payload included (as root: a control group)
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "target")]
    memory_limit: Option<u64>,
}

impl Flags {
    /// Where it runs.
    pub(super) fn cpus(&self) -> Vec<usize> {
        cpus::of_seeder(self.seeder_cpus.as_ref(), self.reactors.into())
    }

    /// What both sides use: bbr without the fq qdisc would measure the kernel's timers.
    pub(super) fn congestion(&self) -> Option<String> {
        self.congestion.clone().or_else(|| {
            let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").ok()?;
            known.split_whitespace().any(|name| name == "cubic").then(|| "cubic".to_owned())
        })
    }
}

/// Time for the seeder to be ready: it has nothing to hash.
const READY: Duration = Duration::from_secs(20);
/// Time for it to end in order.
const FAREWELL: Duration = Duration::from_secs(5);

/// A running seeder; ended when dropped.
pub(super) struct Seeder {
    child: Child,
    address: SocketAddr,
    /// Outlives the process that it limits.
    _memory: Option<Memory>,
}

impl Seeder {
    /// Starts it and waits until it serves `payload`.
    pub(super) fn start(flags: &Flags, payload: &Payload, peers: usize, cancel: &AtomicBool) -> anyhow::Result<Seeder> {
        let memory = flags.memory_limit.map(Memory::limited_to).transpose()?;
        let mut command = command(flags, payload, peers)?;
        let mut child = cpus::pinned(&flags.cpus(), || command.spawn()).context("cannot start the seeder")?;
        let events = child.stdout.take().map(listen);
        let mut seeder = Seeder { child, address: (Ipv4Addr::LOCALHOST, 0).into(), _memory: memory };
        if let Some(memory) = &seeder._memory {
            memory.take_in(seeder.child.id())?;
        }
        let port = seeder.port(&events.context("the seeder has no output")?, cancel)?;
        seeder.address.set_port(port);
        Ok(seeder)
    }

    fn port(&mut self, events: &mpsc::Receiver<u16>, cancel: &AtomicBool) -> anyhow::Result<u16> {
        let begun = Instant::now();
        while begun.elapsed() < READY && !cancel.load(Ordering::Relaxed) {
            match events.recv_timeout(Duration::from_millis(20)) {
                Ok(port) => return Ok(port),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let mut said = String::new();
                    if let Some(mut stderr) = self.child.stderr.take() {
                        let _ = stderr.read_to_string(&mut said);
                    }
                    bail!("the seeder ended at once: {}", said.trim().trim_start_matches("sower: "));
                }
            }
        }
        bail!("the seeder was not ready within {} s", READY.as_secs())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }
}

impl Drop for Seeder {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < FAREWELL {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(flags: &Flags, payload: &Payload, peers: usize) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program to start it as a seeder")?;
    let mut command = Command::new(program);
    command.arg("seed").arg(payload.torrent_file()).arg("--data").arg(payload.data());
    command.args(["--json", "--no-tracker", "--skip-check", "--slots", "unlimited"]);
    // leechers that come in place of others may be there before those are gone
    command.arg("--connections").arg((peers * 2 + 64).to_string());
    command.args(["--connections-per-address", "65535"]);
    command.arg("--reactors").arg(flags.reactors.to_string());
    command.arg("--driver").arg(flags.driver.to_string()).arg("--send").arg(flags.send.to_string());
    if let Some(name) = flags.congestion() {
        command.arg("--congestion").arg(name);
    }
    command.current_dir(payload.folder()).env("SOWER_STATE", payload.folder().join("state"));
    // its standard input ends with us, even if we are killed
    command.arg("--until-input-ends").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Reads the seeder's events until it ends, so that it never waits for us; sends the port once it serves.
fn listen(output: ChildStdout) -> mpsc::Receiver<u16> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let port = event["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            if let (Some("seeding"), Some(port)) = (event["event"].as_str(), port) {
                let _ = sender.try_send(port);
            }
        }
    });
    receiver
}
