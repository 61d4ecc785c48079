//! `sower lab simulate`: experiments in virtual time, with the code that also runs on real sockets.

mod circumstances;
mod distribution;

use std::process::ExitCode;

use super::output;
use super::setting::{self, Clients};

/// Which experiment, and under which circumstances.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The network is modelled: access links with a rate up, a rate down and a delay, shared evenly by the connections that use
them. Peers, choker, picker and tracker are the real ones. The same seed gives the same numbers, digit by digit.")]
pub(super) struct Args {
    /// What is looked at
    #[arg(long, value_enum, default_value = "distribution")]
    experiment: Experiment,
    #[command(flatten)]
    setting: setting::Flags,
    /// Numbers of clients, such as 30, 0..35:5 or 1,2,5
    #[arg(short = 'N', long, value_name = "N")]
    clients: Option<Clients>,
    #[command(flatten)]
    circumstances: circumstances::Flags,
    #[command(flatten)]
    output: output::Flags,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Experiment {
    /// Time until everybody has the file, with a server alone and with peers, beside both bounds
    Distribution,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Distribution => distribution::run(args),
    }
}
