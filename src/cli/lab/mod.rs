//! `sower lab`: experiments about distributing a file, in theory, in virtual time, and with real processes.

mod output;
mod run;
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
  sower lab simulate -N 1000 --size 64MiB --up 1Mbit --then leave
  sower lab simulate --experiment trading            who trades with whom, and what upload earns
  sower lab run -N 1,2,5,10,20 --plot measured.png   real processes, as root in networks of their own
  sower lab run -N 10 --client aria2")]
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
    /// The same with real processes on this machine.
    Run(run::Args),
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Theory(args) => theory::run(&args),
        Experiment::Simulate(args) => simulate::run(&args),
        Experiment::Run(args) => run::run(&args),
    }
}
