//! `sower daemon`: a seedbox that runs for months, driven through its APIs.

mod blocklist;
pub mod config;
mod flags;
mod hooks;
mod inherited;
mod life;
mod logs;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::api::Context;
use crate::api::guard::{Guard, Token};
use crate::api::server::{self, Doors};
use crate::session::raise_descriptor_limit;
use crate::session::seedbox::{Seedbox, SeedboxConfig};

use super::notify::Notifier;

use config::{Api, Beside, ConfigFile};
use flags::Flags;
use inherited::Inherited;
use life::{Life, Signals};
use logs::Log;

/// Arguments of `sower daemon`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every key of the configuration can be given by a variable too, such as SOWER_LIMITS_UPLOAD=10MiB/s. Flags go before variables, these before
the file.

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
    #[command(flatten)]
    flags: Flags,
}

/// Runs the command until it is told to end.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let path = args.config.clone().unwrap_or_else(|| args.state.join("config.toml"));
    let looks = args.check_config || args.print_config;
    let state = if looks { std::path::absolute(&args.state)? } else { make_folder(&args.state)? };
    let made = !looks && ConfigFile::make(&path).with_context(|| format!("cannot make {}", path.display()))?;
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
    runtime.block_on(daemon(file, state, log))
}

async fn daemon(file: ConfigFile, state: PathBuf, log: Log) -> anyhow::Result<ExitCode> {
    let signals = Signals::new()?;
    let mut inherited = Inherited::take()?;
    let manager = Notifier::from_environment().context("the service manager cannot be told how it goes")?;
    let settings = file.settings();
    make_folder(&settings.download_folder)?;
    let token = Token::of_folder(&state)?;
    let doors = open_doors(&file.config().api, &state, &mut inherited, &manager)?;
    let mut session = file.config().session(raise_descriptor_limit());
    session.fleet.listeners = inherited.open_peers(&session.fleet, &manager)?;
    let config = SeedboxConfig { session, state: state.clone(), settings };
    let (seedbox, keeper) = Seedbox::start(config).await?;
    seedbox.filter(life::read_lists(&file).await).await?;
    let (end, ending) = watch::channel(false);
    let mut context = Context::new(seedbox.clone(), Guard::new(token));
    context.open_metrics = file.config().api.metrics_open;
    context.metrics_per_torrent = file.config().api.metrics_per_torrent;
    context.journal = log.journal.clone();
    tracing::info!("peers: port {}; API: {}", seedbox.view().totals.port, addresses(&doors));
    let serving = tokio::spawn(server::serve(Arc::new(context), doors, ending));
    let webhooks = hooks::start(file.config(), &state, &seedbox)?;
    let mut life = Life { signals, seedbox: seedbox.clone(), file, log, manager, webhooks };
    life.run().await;
    end.send_replace(true);
    tokio::select! {
        _ = async { tokio::join!(seedbox.shutdown(), serving, keeper) } => Ok(ExitCode::SUCCESS),
        () = life.at_once() => Ok(ExitCode::from(130)),
    }
}

fn make_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))
}

fn open_doors(api: &Api, state: &Path, inherited: &mut Inherited, manager: &Notifier) -> anyhow::Result<Doors> {
    let mut doors = Doors::default();
    doors.names.extend(api.hosts.iter().map(|host| host.0.clone()));
    inherited.open_doors(api, &mut doors, manager)?;
    if let Some(socket) = &api.socket {
        doors.open_unix(&socket.below(state))?;
    }
    Ok(doors)
}

fn addresses(doors: &Doors) -> String {
    let addresses = doors.tcp.iter().filter_map(|listener| listener.local_addr().ok());
    addresses.map(|address| format!("http://{address}/")).collect::<Vec<_>>().join(", ")
}
