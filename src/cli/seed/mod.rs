//! `sower seed`: from a path to a running seeder, in one command.

mod holdbacks;
mod notify;
mod prepare;
mod view;

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::limits;
use crate::reactor::congestion::CongestionChoice;
use crate::reactor::driver::DriverChoice;
use crate::reactor::sockets::{Dscp, Options};
use crate::schedule::Slots;
use crate::session::{FleetConfig, Session, SessionConfig, TrackerChoice, raise_descriptor_limit};
use crate::transmit::SendMode;

use super::units::parse_rate;
use prepare::Source;
use view::View;

/// Arguments of `sower seed`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower seed ubuntu.iso                      make a torrent of a file, track it, seed it
  sower seed show.torrent --data /srv/shows  seed data that is there already
  sower seed big.img --web-seed              let browsers and download tools have it too
  sower seed big.img --external-ip 203.0.113.7 --upload-limit 500Mbit")]
pub(super) struct Args {
    /// Files or folders to make torrents of, or .torrent files whose data is here.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the data of .torrent files is; the folder of each .torrent by default.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port for peers [default: 6881, or the next one that is free].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Announce to this tracker (also); repeat for several. Replaces the embedded tracker.
    #[arg(long, value_name = "URL")]
    tracker: Vec<String>,
    /// Run no tracker.
    #[arg(long)]
    no_tracker: bool,
    /// Port of the embedded tracker, TCP and UDP [default: 6969, or another one that is free].
    #[arg(long, value_name = "N", conflicts_with = "no_tracker")]
    tracker_port: Option<u16>,
    /// Peers served at once: `auto` as the capacity feeds, `unlimited`, or N for each torrent, one of them optimistic.
    #[arg(long, default_value = "auto", value_name = "auto|unlimited|N")]
    slots: Slots,
    /// Also serve the files by HTTP, on the port for peers, at /INFO-HASH/PATH; private torrents not.
    #[arg(long)]
    web_seed: bool,
    /// Payload bytes a second for everybody together, such as 10MB, 800KiB or 100Mbit.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    upload_limit: Option<u64>,
    /// Payload bytes a second for each peer.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    peer_limit: Option<u64>,
    /// Reactor threads [default: one for each core, at most 8].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    reactors: Option<u16>,
    /// How the kernel is driven.
    #[arg(long, default_value = "auto", value_name = "auto|io_uring|epoll")]
    driver: DriverChoice,
    /// How payload leaves: `splice` without a copy, `copy` with one, `zerocopy` for real network cards.
    #[arg(long, default_value = "auto", value_name = "auto|splice|copy|zerocopy")]
    send: SendMode,
    /// Address at which peers reach this host, one of each family at most [default: those of its interfaces].
    #[arg(long, value_name = "IP")]
    external_ip: Vec<IpAddr>,
    /// TCP congestion control of peer connections, such as cubic or bbr; `auto` is the system's, but cubic instead of bbr on short paths.
    #[arg(long, default_value = "auto", value_name = "auto|NAME")]
    congestion: CongestionChoice,
    /// Mark of outgoing packets to peers, such as cs1, le, af11 or a number from 0 to 63.
    #[arg(long, value_name = "NAME|N")]
    dscp: Option<Dscp>,
    /// Use this network interface alone: for peers, the embedded tracker and announces. Names are looked up as the system does.
    #[arg(long, value_name = "IFACE")]
    bind_device: Option<String>,
    /// Connections at most.
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS_BY_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Connections from one address (IPv6: one /64) at most.
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS_PER_ADDRESS)]
    connections_per_address: u16,
    /// The data is known to be right: do not hash it.
    #[arg(long)]
    skip_check: bool,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// End when standard input, a pipe, does: for a program that starts this one and may be killed.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// Runs the command until Ctrl-C.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the control thread")?;
    runtime.block_on(seed(args))
}

async fn seed(args: Args) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::new(args.until_input_ends)?;
    let sources = prepare::look(&args.paths, args.data.as_deref())?;
    let descriptors = raise_descriptor_limit();
    let mut view = View::new(args.json);
    let mut session = Session::start(session_config(&args, &sources, descriptors)).await?;
    let found = holdbacks::find(&args, session.fleet().congestion());
    view.started(&session, &found);
    for source in sources {
        let trackers = if args.tracker.is_empty() { session.tracker_urls() } else { args.tracker.clone() };
        let prepared = tokio::select! {
            prepared = prepare::prepare(source, trackers, session.web_seed_urls(), args.skip_check, &mut view) => prepared?,
            () = stop.wait() => return finish(session, &mut view, stop).await,
        };
        let (torrent, announced) = prepared;
        session.add(torrent).await?;
        view.seeding(&announced, &session);
    }
    view.ready();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wait() => return finish(session, &mut view, stop).await,
            _ = second.tick() => session.turn().await.context("a reactor failed")?,
        }
        view.turn(session.status());
        if session.status().all_failed() {
            finish(session, &mut view, stop).await?;
            anyhow::bail!("no torrent is left that can be served");
        }
    }
}

/// Ends in order; a second signal ends at once.
async fn finish(session: Session, view: &mut View, mut stop: Stop) -> anyhow::Result<ExitCode> {
    view.stopping();
    tokio::select! {
        farewell = session.shutdown() => view.stopped(&farewell),
        () = stop.wait() => return Ok(ExitCode::from(130)),
    }
    Ok(ExitCode::SUCCESS)
}

fn session_config(args: &Args, sources: &[Source], descriptors: u64) -> SessionConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let reactors = args.reactors.map_or(cores.min(limits::REACTORS_BY_DEFAULT), usize::from);
    let reserved = limits::DESCRIPTORS_BESIDE + limits::DESCRIPTORS_PER_REACTOR * reactors;
    let for_peers = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).max(64);
    let connections = usize::try_from(args.connections).unwrap_or(usize::MAX);
    let tracked = args.tracker.is_empty() && sources.iter().any(Source::needs_tracker);
    let tracker = args.tracker_port.map_or(TrackerChoice::AnyPort, TrackerChoice::Port);
    SessionConfig {
        fleet: FleetConfig {
            reactors,
            driver: args.driver,
            send: args.send,
            port: args.port,
            slots: args.slots,
            upload_limit: args.upload_limit,
            peer_limit: args.peer_limit,
            connections: connections.min(for_peers),
            connections_per_address: args.connections_per_address,
            congestion: args.congestion.clone(),
            options: Options { dscp: args.dscp, device: args.bind_device.clone(), ..Options::default() },
            downloads: false,
        },
        external: args.external_ip.clone(),
        tracker: (!args.no_tracker && (tracked || args.tracker_port.is_some())).then_some(tracker),
        added_trackers: args.tracker.clone(),
        web_seed: args.web_seed,
    }
}

/// Ctrl-C, the request of a service manager, and the end of whoever started us.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// Its other end closes when that program ends, however it ends.
    input: Option<pipe::Receiver>,
}

impl Stop {
    fn new(until_input_ends: bool) -> anyhow::Result<Stop> {
        let input = until_input_ends.then(input).transpose().context("standard input is no pipe")?;
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Stop { interrupt, terminate, input })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            // once is enough: what follows may go on in order
            () = end_of(self.input.as_mut()) => self.input = None,
        }
    }
}

fn input() -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)
}

async fn end_of(input: Option<&mut pipe::Receiver>) {
    let Some(input) = input else { return std::future::pending().await };
    // nothing is expected there, and nothing that comes is of any use
    while input.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
}
