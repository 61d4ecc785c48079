//! The commands: flags, progress, exit codes. Each subcommand is a file with `Args` and `run`.

use std::process::ExitCode;

use clap::Parser;

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
}

/// Runs the command line of this process. Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    #[expect(unreachable_code, reason = "no subcommand yet")]
    match Cli::parse().command {}
}
