//! The commands: flags, progress, exit codes. Each subcommand is a file with `Args` and `run`.

use std::io;
use std::process::ExitCode;

use clap::Parser;

mod background;
mod bench;
mod create;
pub mod daemon;
mod export;
mod get;
mod health;
mod import;
mod lab;
mod man;
mod network;
mod notify;
mod picture;
mod progress;
mod scratch;
mod screen;
mod seed;
mod show;
mod signals;
pub mod text;
mod top;
mod tracker;
mod tune;
pub mod units;
mod verify;

/// High-throughput, zero-copy BitTorrent seeder for Linux.
#[derive(Parser, Debug)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    // one line a subcommand: its file holds `Args` and `run(Args) -> anyhow::Result<ExitCode>`
    /// Measure a seeder, this one or any other, with simulated leechers.
    Bench(bench::Args),
    /// Print what makes a shell complete the commands.
    Completions(man::CompletionArgs),
    /// Make a torrent file of a file or folder.
    Create(create::Args),
    /// Run a seedbox: thousands of torrents, driven by the programs you have.
    Daemon(daemon::Args),
    /// Write the state of a daemon into one file.
    Export(export::Args),
    /// Download a torrent, then seed it.
    Get(get::Args),
    /// Ask a daemon on this host whether it is well.
    Health(health::Args),
    /// Take over torrents of qBittorrent, Transmission, rTorrent, Deluge or libtorrent, or an export.
    Import(import::Args),
    /// Client-server against peer-to-peer distribution, in theory and experiment.
    Lab(lab::Args),
    /// Write the man pages.
    Man(man::Args),
    /// Seed files, folders or torrents: make, track, serve.
    Seed(seed::Args),
    /// Print what a torrent file says.
    Show(show::Args),
    /// Watch and drive a seedbox from a terminal.
    Top(top::Args),
    /// Run a tracker.
    Tracker(tracker::Args),
    /// Look at this machine: what holds upload back, and the command for each.
    Tune(tune::Args),
    /// Check data against a torrent file.
    Verify(verify::Args),
}

/// Runs the command line of this process. Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    // the allocator asks for them, and the few bytes that each thread has of its own fill one: 21 MiB instead of 4 of a program that
    // does nothing yet. A kernel without the switch is no reason to end.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(args),
        Command::Completions(args) => man::completions(args),
        Command::Create(args) => create::run(args),
        Command::Daemon(args) => daemon::run(args),
        Command::Export(args) => export::run(args),
        Command::Get(args) => get::run(args),
        Command::Health(args) => health::run(args),
        Command::Import(args) => import::run(args),
        Command::Lab(args) => lab::run(args),
        Command::Man(args) => man::run(args),
        Command::Seed(args) => seed::run(args),
        Command::Show(args) => show::run(args),
        Command::Top(args) => top::run(args),
        Command::Tracker(args) => tracker::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Verify(args) => verify::run(args),
    };
    result.unwrap_or_else(|error| report(&error))
}

/// Prints what went wrong, its causes after it. A reader of our output who left (`sower show FILE | head`) is no error;
/// the exit code is then that of a program ended by SIGPIPE, as shells write it.
fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::from(141);
    }
    // names from torrents stand in messages; line ends are ours
    // many errors say their cause themselves: it is not said twice
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !said.contains(&cause) {
            said = if said.is_empty() { cause } else { format!("{said}: {cause}") };
        }
    }
    let lines: Vec<_> = said.lines().map(|line| text::Printable(line.as_bytes()).to_string()).collect();
    eprintln!("sower: {}", lines.join("\n"));
    ExitCode::FAILURE
}
