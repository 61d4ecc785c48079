//! `sower top`: the seedbox in a terminal, through its own API.
//!
//! ```text
//!   keys  (a thread) ---\
//!   daemon (a task)  ----> events --> App: what is known and chosen --> one frame
//!   orders (a task each) /
//! ```
//!
//! Whatever the daemon takes its time for, keys are answered; a frame is drawn after each event, and only what differs is written.

mod app;
mod daemon;
mod details;
mod draw;
mod keys;
mod list;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use app::{App, Event};
use daemon::{Daemon, Wish};

/// Events that wait to be looked at. Those that make them wait when it is full: keys in the terminal, the daemon's answers where they are.
const EVENTS: usize = 64;

/// Arguments of `sower top`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower top --state /var/lib/sower                              the daemon of this machine, by its Unix socket
  sower top --url http://host:9091 --token-file ./token         another one; forward the port by ssh, or use https in front of it")]
pub(super) struct Args {
    /// State folder of a daemon on this machine: it is reached by DIR/api.sock.
    #[arg(long, value_name = "DIR", required_unless_present = "url", conflicts_with = "url")]
    state: Option<PathBuf>,
    /// Address of a daemon's API.
    #[arg(long, value_name = "URL", requires = "token_file")]
    url: Option<String>,
    /// File that holds the token of that daemon.
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
}

/// Runs the command until it is told to end.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let daemon = Daemon::new(&args)?;
        // said before the screen is taken, where it stays readable
        daemon.changes(None).await?;
        let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
        let result = show(daemon, &mut terminal).await;
        ratatui::restore();
        result
    })
}

async fn show(daemon: Daemon, terminal: &mut ratatui::DefaultTerminal) -> anyhow::Result<ExitCode> {
    let (sender, mut events) = mpsc::channel(EVENTS);
    let (wish, wishes) = watch::channel(Wish::default());
    keys::read(sender.clone());
    tokio::spawn(daemon.clone().follow(wishes, sender.clone()));
    let mut app = App::default();
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut app)).context("the terminal is gone")?;
        let Some(event) = events.recv().await else { return Ok(ExitCode::SUCCESS) };
        if let Event::Ended = event {
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(order) = app.take(event) {
            let (daemon, sender) = (daemon.clone(), sender.clone());
            tokio::spawn(async move {
                let outcome = daemon.change(&order).await.map_err(|error| format!("{error:#}"));
                // nobody listens when the command ends
                let _ = sender.send(Event::Ordered(order, outcome)).await;
            });
        }
        if app.ends {
            return Ok(ExitCode::SUCCESS);
        }
        wish.send_if_modified(|before| std::mem::replace(before, app.wish()) != app.wish());
    }
}
