//! `sower daemon`: a seedbox that runs for months, driven through its APIs.

pub mod config;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::api::Context;
use crate::api::guard::{Guard, Token};
use crate::api::server::{self, Doors};
use crate::session::seedbox::{Seedbox, SeedboxConfig, Settings};
use crate::session::{FleetConfig, SessionConfig, raise_descriptor_limit};

use super::network::NetworkArgs;
use super::signals::StopSignals;

/// Arguments of `sower daemon`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder of its state; made if it is not there.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Address of its APIs and its page; repeat for several.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9091")]
    api: Vec<SocketAddr>,
    /// Folder for content [default: DIR/downloads].
    #[arg(long, value_name = "DIR")]
    downloads: Option<PathBuf>,
    /// A folder that content may be in; repeat for several.
    #[arg(long, value_name = "DIR")]
    root: Vec<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// Runs the command until it is told to end.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    runtime.block_on(daemon(args))
}

async fn daemon(args: Args) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::new(false)?;
    let state = make_folder(&args.state)?;
    let downloads = make_folder(args.downloads.as_deref().unwrap_or(&state.join("downloads")))?;
    let token = Token::of_folder(&state)?;
    let doors = open_doors(&args, &state)?;
    let settings = Settings { roots: args.root.clone(), ..Settings::new(downloads) };
    let config = SeedboxConfig { session: session_config(&args), state: state.clone(), settings };
    let (seedbox, keeper) = Seedbox::start(config).await?;
    let (end, ending) = watch::channel(false);
    let context = Arc::new(Context::new(seedbox.clone(), Guard::new(token)));
    let serving = tokio::spawn(server::serve(context, doors, ending));
    let view = seedbox.view();
    eprintln!("peers: port {}; API: {}", view.totals.port, own_addresses(&args));
    stop.wait().await;
    end.send_replace(true);
    tokio::select! {
        _ = async { tokio::join!(seedbox.shutdown(), serving, keeper) } => Ok(ExitCode::SUCCESS),
        () = stop.wait() => Ok(ExitCode::from(130)),
    }
}

fn own_addresses(args: &Args) -> String {
    args.api.iter().map(|address| format!("http://{address}/")).collect::<Vec<_>>().join(", ")
}

fn make_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))
}

fn open_doors(args: &Args, state: &Path) -> anyhow::Result<Doors> {
    let mut doors = Doors::default();
    for address in &args.api {
        doors.open_tcp(*address)?;
    }
    doors.open_unix(&state.join("api.sock"))?;
    Ok(doors)
}

fn session_config(args: &Args) -> SessionConfig {
    let fleet = args.network.fleet(1, raise_descriptor_limit());
    SessionConfig {
        fleet: FleetConfig { downloads: true, ..fleet },
        external: args.network.external_ip.clone(),
        tracker: None,
        added_trackers: Vec::new(),
        web_seed: args.network.web_seed,
        super_seed: false,
    }
}
