//! `sower seed`: from a path to a running seeder, in one command.

mod holdbacks;
mod prepare;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::time::MissedTickBehavior;

use crate::limits;
use crate::session::{Session, SessionConfig, TrackerChoice, raise_descriptor_limit};

use super::network::NetworkArgs;
use super::signals::StopSignals;
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
    /// Announce to this tracker (also); repeat for several. Replaces the embedded tracker.
    #[arg(long, value_name = "URL")]
    tracker: Vec<String>,
    /// Run no tracker.
    #[arg(long)]
    no_tracker: bool,
    /// Port of the embedded tracker, TCP and UDP [default: 6969, or another one that is free].
    #[arg(long, value_name = "N", conflicts_with = "no_tracker")]
    tracker_port: Option<u16>,
    /// Be a first seed that sends each piece about once: show each peer other pieces, and more to those that pass them on. Ends by
    /// itself when a second seed appears. Runs one reactor.
    #[arg(long = "super", conflicts_with = "reactors")]
    super_seed: bool,
    /// Reactor threads [default: one for each core, at most 8].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    reactors: Option<u16>,
    #[command(flatten)]
    network: NetworkArgs,
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
    let mut stop = StopSignals::new(args.until_input_ends)?;
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
            () = session.event() => continue,
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
async fn finish(session: Session, view: &mut View, mut stop: StopSignals) -> anyhow::Result<ExitCode> {
    view.stopping();
    tokio::select! {
        farewell = session.shutdown() => view.stopped(&farewell),
        () = stop.wait() => return Ok(ExitCode::from(130)),
    }
    Ok(ExitCode::SUCCESS)
}

fn session_config(args: &Args, sources: &[Source], descriptors: u64) -> SessionConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let reactors = if args.super_seed { 1 } else { cores.min(limits::REACTORS_BY_DEFAULT) };
    let reactors = args.reactors.map_or(reactors, usize::from);
    let tracked = args.tracker.is_empty() && sources.iter().any(Source::needs_tracker);
    let tracker = args.tracker_port.map_or(TrackerChoice::AnyPort, TrackerChoice::Port);
    SessionConfig {
        fleet: args.network.fleet(reactors, descriptors),
        external: args.network.external_ip.clone(),
        tracker: (!args.no_tracker && (tracked || args.tracker_port.is_some())).then_some(tracker),
        added_trackers: args.tracker.clone(),
        web_seed: args.network.web_seed,
        super_seed: args.super_seed,
    }
}
