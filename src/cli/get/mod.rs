//! `sower get`: from a torrent file or magnet link to a complete, checked copy that is seeded.

mod choice;
mod place;
mod view;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Interval, MissedTickBehavior};

use crate::metainfo::{Magnet, Metainfo};
use crate::schedule::picker::Order;
use crate::session::metadata::{self, MetadataProgress};
use crate::session::{
    Download, FleetConfig, Session, SessionConfig, TorrentState, TorrentView, raise_descriptor_limit,
};

use super::network::NetworkArgs;
use super::show::read_torrent;
use super::signals::StopSignals;
use super::units::{parse_rate, parse_size};
use choice::FileNumbers;
use view::View;

/// Arguments of `sower get`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower get debian.torrent                     into this folder, then seed until Ctrl-C
  sower get 'magnet:?xt=urn:btih:...' -o /srv   quote the link: & ends a command
  sower get shows.torrent --only 3,7-9 --then exit
  sower get big.torrent --peer 192.0.2.7:6881 --then 2.0   until twice its size has been sent

The same command goes on with a download that was interrupted, however that happened.")]
pub(super) struct Args {
    /// A .torrent file (`-` reads standard input) or a magnet link.
    #[arg(value_name = "TORRENT|MAGNET")]
    source: String,
    /// Folder to download into: NAME, or NAME/..., is made in it.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// What follows: `seed` until Ctrl-C, `exit`, or seed until so many times its size was sent, such as 1.5.
    #[arg(long, default_value = "seed", value_name = "seed|exit|RATIO")]
    then: Then,
    /// Download these files alone: numbers from 1 in the order of `sower show`, such as 1,4-6.
    #[arg(long, value_name = "LIST")]
    only: Option<FileNumbers>,
    /// Download these files first.
    #[arg(long, value_name = "LIST")]
    first: Option<FileNumbers>,
    /// Pieces in order, to use the content meanwhile. Worse for the swarm and, where peers are few, slower.
    #[arg(long)]
    sequential: bool,
    /// A peer to connect to, beside those that trackers name; repeat for several.
    #[arg(long, value_name = "HOST:PORT")]
    peer: Vec<String>,
    /// Announce to this tracker also; repeat for several.
    #[arg(long, value_name = "URL", conflicts_with = "no_tracker")]
    tracker: Vec<String>,
    /// Announce nowhere: only --peer, and peers that connect to us.
    #[arg(long)]
    no_tracker: bool,
    /// Take all disk space at the start, not as the data comes.
    #[arg(long)]
    preallocate: bool,
    /// Files that are there and something else become the torrent's.
    #[arg(long)]
    overwrite: bool,
    /// Memory for pieces that are not whole yet.
    #[arg(long, default_value = "32MiB", value_name = "SIZE", value_parser = parse_size)]
    memory: u64,
    /// Payload bytes a second from everybody together, such as 10MB, 800KiB or 100Mbit; kept by asking for no more.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    download_limit: Option<u64>,
    #[command(flatten)]
    network: NetworkArgs,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// What follows when everything is here.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Then {
    Seed,
    Exit,
    Ratio(f64),
}

impl FromStr for Then {
    type Err = String;

    fn from_str(text: &str) -> Result<Then, String> {
        match text {
            "seed" => Ok(Then::Seed),
            "exit" => Ok(Then::Exit),
            ratio => match ratio.parse::<f64>() {
                Ok(ratio) if ratio.is_finite() && ratio >= 0.0 => Ok(Then::Ratio(ratio)),
                _ => Err(format!("{text:?} is neither seed nor exit nor a ratio such as 1.5")),
            },
        }
    }
}

/// Where the torrent comes from.
enum Source {
    Torrent(Box<Metainfo>),
    Magnet(Magnet),
}

/// Runs the command until the download is done and what follows is over.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the control thread")?;
    runtime.block_on(get(args))
}

async fn get(args: Args) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::new(false)?;
    let source = read_source(&args.source)?;
    place::check_output(&args.output)?;
    let peers = resolve(&args.peer).await?;
    let mut view = View::new(args.json);
    let mut session = Session::start(session_config(&args)).await?;
    view.started(&session);
    let metainfo = match source {
        Source::Torrent(metainfo) => *metainfo,
        Source::Magnet(magnet) => tokio::select! {
            found = find_metadata(&mut session, without_trackers(magnet, &args), &peers, &mut view) => found?,
            () = stop.wait() => return finish(session, &mut view, stop).await,
        },
    };
    let metainfo = if args.no_tracker { metainfo.with_trackers(Vec::new()) } else { metainfo };
    let placed = tokio::select! {
        placed = place::place(&args, metainfo, &mut view) => placed?,
        () = stop.wait() => return finish(session, &mut view, stop).await,
    };
    let order = if args.sequential { Order::Sequential } else { Order::default() };
    let download = placed.download(order, args.memory, peers);
    view.downloading(&download.metainfo, &args.output, download.target.good());
    if has_no_way_to_peers(&session, &download) {
        view.warn(NO_WAY_TO_PEERS);
    }
    session.download(download).await?;
    go_on(session, &args, &mut view, stop).await
}

const NO_WAY_TO_PEERS: &str =
    "the torrent names no tracker: without --tracker or --peer nothing comes but from peers that find us by themselves";

fn has_no_way_to_peers(session: &Session, download: &Download) -> bool {
    let torrent = &download.metainfo;
    let is_complete = download.target.is_complete();
    let named = torrent.web_seeds().len() + torrent.trackers().len() + download.peers.len();
    named == 0 && !session.adds_trackers() && !is_complete
}

/// Shows how it gets on, until there is nothing more to do.
async fn go_on(mut session: Session, args: &Args, view: &mut View, mut stop: StopSignals) -> anyhow::Result<ExitCode> {
    let mut second = seconds();
    let (mut announced, mut settled) = (false, false);
    loop {
        tokio::select! {
            () = stop.wait() => return finish(session, view, stop).await,
            () = session.event() => {}
            _ = second.tick() => {
                session.turn().await.context("the reactor failed")?;
                session.take_warnings().iter().for_each(|warning| view.warn(warning));
                view.turn(session.status());
            }
        }
        if session.unfinished() == 0 && !announced {
            announced = true;
            session.turn().await.context("the reactor failed")?;
            if failure(&session).is_none() {
                view.complete(session.status());
            }
        }
        if session.unsettled() == 0 && !settled {
            settled = true;
            // a sync that failed shows here
            session.turn().await.context("the reactor failed")?;
        }
        let torrent = session.status().torrents.first();
        if let Some(cause) = failure(&session) {
            finish(session, view, stop).await?;
            anyhow::bail!("{cause}; what is here is kept, and the same command goes on with it");
        }
        if announced && settled && torrent.is_some_and(|torrent| is_enough(torrent, args.then)) {
            return finish(session, view, stop).await;
        }
    }
}

fn is_enough(torrent: &TorrentView, then: Then) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let sent = torrent.uploaded as f64 / torrent.size.max(1) as f64;
    match then {
        Then::Seed => false,
        Then::Exit => true,
        Then::Ratio(ratio) => sent >= ratio,
    }
}

/// What ended the download, or the seeding after it.
fn failure(session: &Session) -> Option<String> {
    match &session.status().torrents.first()?.state {
        TorrentState::Failed(cause) => Some(cause.clone()),
        _ => None,
    }
}

/// Ends in order; a second signal ends at once.
async fn finish(session: Session, view: &mut View, mut stop: StopSignals) -> anyhow::Result<ExitCode> {
    let unfinished = session.unfinished() > 0 || session.status().torrents.is_empty() || failure(&session).is_some();
    view.stopping();
    tokio::select! {
        farewell = session.shutdown() => view.stopped(&farewell, unfinished),
        () = stop.wait() => return Ok(ExitCode::from(130)),
    }
    Ok(if unfinished { ExitCode::from(130) } else { ExitCode::SUCCESS })
}

fn seconds() -> Interval {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second
}

fn read_source(source: &str) -> anyhow::Result<Source> {
    if source.starts_with("magnet:") {
        return Ok(Source::Magnet(source.parse()?));
    }
    if source.contains("://") {
        anyhow::bail!("{source} is a URL: fetch the .torrent first, for example with curl -O");
    }
    Ok(Source::Torrent(Box::new(read_torrent(Path::new(source))?)))
}

/// The addresses of the peers that were named by hand.
async fn resolve(peers: &[String]) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for peer in peers {
        let found = tokio::net::lookup_host(peer).await;
        let found = found.with_context(|| format!("--peer {peer}: no such host; it has to be HOST:PORT"))?;
        addresses.extend(found);
    }
    Ok(addresses)
}

fn without_trackers(magnet: Magnet, args: &Args) -> Magnet {
    if args.no_tracker { Magnet { trackers: Vec::new(), ..magnet } } else { magnet }
}

/// Asks peers for what a magnet link leaves out, unless an earlier start has done so.
async fn find_metadata(
    session: &mut Session,
    magnet: Magnet,
    peers: &[SocketAddr],
    view: &mut View,
) -> anyhow::Result<Metainfo> {
    if let Some(known) = place::recall(&magnet, view) {
        return Ok(known);
    }
    anyhow::ensure!(
        !peers.is_empty() || !magnet.trackers.is_empty() || !magnet.peers.is_empty() || session.adds_trackers(),
        "the link names no tracker and no peer: give one with --tracker or --peer"
    );
    view.seeking(&magnet);
    let named = session.seek(&magnet, peers).await?;
    let progress = Arc::new(MetadataProgress::default());
    let mut fetching = Box::pin(metadata::fetch(&magnet, session.asker(), named, progress.clone()));
    let mut second = seconds();
    loop {
        tokio::select! {
            found = &mut fetching => return Ok(found?),
            () = session.event() => {}
            _ = second.tick() => view.sought(progress.counts()),
        }
    }
}

fn session_config(args: &Args) -> SessionConfig {
    let fleet = args.network.fleet(1, raise_descriptor_limit());
    SessionConfig {
        fleet: FleetConfig { downloads: true, download_limit: args.download_limit, ..fleet },
        external: args.network.external_ip.clone(),
        tracker: None,
        added_trackers: args.tracker.clone(),
        web_seed: args.network.web_seed,
        super_seed: false,
    }
}
