//! `sower lab`: experiments about distributing a file, in theory, in virtual time, and with real processes.

mod output;
mod setting;
mod simulate;
mod theory;

use std::process::ExitCode;

/// Which experiment.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower lab theory --plot bounds.svg                 the textbook's curves
  sower lab theory --size 1GiB --up 10Mbit --server-up 100Mbit --down 50Mbit -N 1..100
  sower lab simulate --plot curves.png               both ways simulated, beside their bounds
  sower lab simulate -N 1000 --size 64MiB --up 1Mbit --then leave")]
pub(super) struct Args {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(clap::Subcommand, Debug)]
enum Experiment {
    /// Lower bounds of the time until everybody has the file.
    Theory(theory::Args),
    /// The same in virtual time, with real peers over a modelled network.
    Simulate(simulate::Args),
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Theory(args) => theory::run(&args),
        Experiment::Simulate(args) => simulate::run(&args),
    }
}
