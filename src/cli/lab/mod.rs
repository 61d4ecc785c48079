//! `sower lab`: experiments about distributing a file, in theory, in virtual time, and with real processes.

mod output;
mod setting;
mod theory;

use std::process::ExitCode;

/// Which experiment.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower lab theory --plot bounds.svg                 the textbook's curves
  sower lab theory --size 1GiB --up 10Mbit --server-up 100Mbit --down 50Mbit -N 1..100")]
pub(super) struct Args {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(clap::Subcommand, Debug)]
enum Experiment {
    /// Lower bounds of the time until everybody has the file.
    Theory(theory::Args),
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Theory(args) => theory::run(&args),
    }
}
