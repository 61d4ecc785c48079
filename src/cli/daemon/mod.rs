//! `sower daemon`: a seedbox that runs for months, driven through its APIs.

mod blocklist;
pub mod config;
mod flags;
mod front;
mod handed;
mod hooks;
mod inherited;
mod life;
mod logs;
mod predecessor;
mod successor;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinHandle;

use crate::api::Context;
use crate::api::guard::{Guard, Token};
use crate::api::server::Doors;
use crate::session::raise_descriptor_limit;
use crate::session::seedbox::{Seedbox, SeedboxConfig};

use super::notify::Notifier;

use config::{Beside, ConfigFile};
use flags::Flags;
use front::Front;
use inherited::Inherited;
use life::{Life, Outcome, Signals};
use logs::Log;
use predecessor::Predecessor;

/// The code of an end at once, by a second signal.
const AT_ONCE: u8 = 130;

/// Arguments of `sower daemon`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every key of the configuration can be given by a variable too, such as SOWER_LIMITS_UPLOAD=10MiB/s. Flags go before variables, these before
the file.

Signals:
  SIGTERM, SIGINT  end in order: peers get what they have asked for, within network.stop-grace, and trackers are told; a second one ends it
                   at once
  SIGHUP           read the configuration again
  SIGUSR2          restart without a break: the program as it is on disk now takes over, and peers that are connected are served on for
                   network.restart-grace. If it does not come up, everything goes on as before. Not for the first process of a
                   container, which ends with it, and not with trackers.embedded

Examples:
  sower daemon --state /var/lib/sower                    the API is at 127.0.0.1:9091, its password in /var/lib/sower/token
  sower daemon --state DIR --root /srv --port 51413      content may also be below /srv
  sower daemon --state DIR --check-config                say what is wrong with DIR/config.toml")]
pub(super) struct Args {
    /// Folder of its state; made if it is not there.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Its configuration [default: DIR/config.toml]. Made, with every key documented, if it is not there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what is wrong with the configuration, and end.
    #[arg(long)]
    check_config: bool,
    /// Print the configuration as it holds and where each value comes from, and end.
    #[arg(long)]
    print_config: bool,
    /// Take over from the daemon whose socket is standard input.
    #[arg(long, hide = true)]
    take_over: bool,
    #[command(flatten)]
    flags: Flags,
}

/// For threads that are still at work at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the command until it is told to end.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let path = args.config.clone().unwrap_or_else(|| args.state.join("config.toml"));
    let looks = args.check_config || args.print_config;
    let state = if looks { std::path::absolute(&args.state)? } else { make_folder(&args.state)? };
    let made = !looks && ConfigFile::make(&path).map_err(|error| cannot_make(&path, &error))?;
    let beside = Beside { flags: args.flags.0, ..Beside::from_environment() };
    let file = match ConfigFile::load(path, state.clone(), beside) {
        Ok(file) => file,
        // what was given has to be mended, as for a wrong command line: starting again does not help
        Err(error) => {
            super::report(&error.into());
            return Ok(ExitCode::from(2));
        }
    };
    if args.print_config {
        std::io::stdout().write_all(file.effective().as_bytes())?;
    }
    if looks {
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    let log = Log::start(&file.config().log);
    if made {
        tracing::info!("made {}: every key of the configuration stands there", file.path().display());
    }
    let result = runtime.block_on(daemon(file, state, log, args.take_over));
    // a thread that waits for a disk which does not answer is waited for by nobody
    runtime.shutdown_timeout(LAST_WORDS);
    result
}

async fn daemon(file: ConfigFile, state: PathBuf, log: Log, take_over: bool) -> anyhow::Result<ExitCode> {
    let (mut life, keeper) = begin(file, state, log, take_over).await?;
    let outcome = life.run().await;
    let Life { mut signals, seedbox, file, mut front, before, .. } = life;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let network = &file.config().network;
    if let Outcome::HandedOver(successor) = outcome {
        front.leave();
        let in_order = successor.see_off(&seedbox, seconds(network.restart_grace.0), &mut signals).await;
        return Ok(if in_order { ExitCode::SUCCESS } else { AT_ONCE.into() });
    }
    let end = async {
        if let Some(before) = before {
            before.end(seconds(network.stop_grace.0)).await;
        }
        tokio::join!(seedbox.shutdown(), front.close(), keeper)
    };
    tokio::select! {
        _ = end => Ok(ExitCode::SUCCESS),
        () = signals.end() => Ok(AT_ONCE.into()),
    }
}

/// Everything up to the moment from which it serves; in place of the daemon before, if it is to take over.
async fn begin(file: ConfigFile, state: PathBuf, log: Log, take_over: bool) -> anyhow::Result<(Life, JoinHandle<()>)> {
    let (signals, program) = (Signals::new()?, successor::program());
    let (mut before, mut inherited) = match take_over {
        true => Predecessor::meet().map(|(before, inherited)| (Some(before), inherited))?,
        false => (None, Inherited::take()?),
    };
    let manager = Notifier::from_environment().context("the service manager cannot be told how it goes")?;
    let settings = file.settings();
    // others may be on disks that are well
    if let Err(error) = make_folder(&settings.download_folder) {
        tracing::error!("the download folder cannot be used: {error:#}");
    }
    let token = Token::of_folder(&state)?;
    let mut doors = Doors::default();
    doors.names.extend(file.config().api.hosts.iter().map(|host| host.0.clone()));
    inherited.open_doors(&file.config().api, &state, &mut doors)?;
    let mut session = file.config().session(raise_descriptor_limit());
    session.fleet.listeners = inherited.open_peers(&session.fleet)?;
    let sockets = inherited.into_used();
    let handover = match &mut before {
        Some(before) => Some(before.prepared().await?),
        None => None,
    };
    let config = SeedboxConfig { session, state: state.clone(), settings };
    let (seedbox, keeper) = Seedbox::start_after(config, handover).await?;
    seedbox.filter(life::read_lists(&file).await).await?;
    let mut context = Context::new(seedbox.clone(), Guard::new(token));
    context.open_metrics = file.config().api.metrics_open;
    context.metrics_per_torrent = file.config().api.metrics_per_torrent;
    context.journal = log.journal.clone();
    let token = state.join("token");
    let (port, api) = (seedbox.view().totals.port, addresses(&doors));
    tracing::info!("peers: port {port}; API: {api}; log in as sower with what {} says", token.display());
    let webhooks = hooks::start(file.config(), &state, &seedbox)?;
    // last: whoever is let in is to be answered, and one that takes over may still fail before
    let mut front = Front::open(Arc::new(context), doors)?;
    let before = match before {
        Some(before) => Some(before.up(seedbox.clone()).await?),
        None => None,
    };
    // only now does the manager listen to one that takes over
    sockets.keep(&manager);
    front.own();
    Ok((Life { signals, seedbox, file, log, manager, webhooks, front, sockets, program, before }, keeper))
}

fn make_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_make(folder, &error))?;
    folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))
}

fn cannot_make(path: &Path, error: &io::Error) -> anyhow::Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; choose a folder that belongs to the user who runs sower, or run it as the user whose folder this is"
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "; a file is in its way: choose another folder",
        io::ErrorKind::NotFound => "; choose another folder: nothing can be made there",
        io::ErrorKind::ReadOnlyFilesystem => "; the file system is read-only: choose another folder",
        io::ErrorKind::StorageFull => "; free some space",
        _ => "",
    };
    anyhow::anyhow!("cannot make {}: {error}{remedy}", path.display())
}

fn addresses(doors: &Doors) -> String {
    let addresses = doors.tcp.iter().filter_map(|listener| listener.local_addr().ok());
    addresses.map(|address| format!("http://{address}/")).collect::<Vec<_>>().join(", ")
}
