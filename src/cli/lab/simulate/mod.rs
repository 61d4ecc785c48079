//! `sower lab simulate`: experiments in virtual time, with the code that also runs on real sockets.

mod availability;
mod circumstances;
mod distribution;
mod random;
mod sweep;
mod trading;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::output;
use super::setting::{self, Clients};
use crate::cli::progress;

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
    /// Clients that upload nothing, beside the others (trading)
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8))]
    free_riders: u8,
    /// Repeat with this many seeds, each the next; results are means (all but distribution)
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    runs: u16,
    #[command(flatten)]
    output: output::Flags,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Experiment {
    /// Time until everybody has the file, with a server alone and with peers, beside both bounds
    Distribution,
    /// Who trades with whom, and what upload earns
    Trading,
    /// Copies of pieces over time: rarest first against random and sequential
    Availability,
    /// What a seed sends until all is out: pieces shown at once, or one by one
    SuperSeed,
    /// Number of peers that each serves at once
    Slots,
    /// Length of rounds
    Periods,
    /// A small swarm with members of every bad habit, as the tests run thousands of; --seed says which
    Random,
}

impl Args {
    /// Clients of an experiment that has one number of them: the largest.
    fn clients_or(&self, usual: usize) -> usize {
        self.clients.as_ref().and_then(|clients| clients.0.last().copied()).unwrap_or(usual)
    }

    fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.circumstances.seed;
        (0..u64::from(self.runs)).map(move |number| first.wrapping_add(number))
    }
}

/// Does all of `work` on as many threads as there are processors, under a bar; results in order.
fn spread<W: Sync, R: Send>(work: &[W], job: impl Fn(&W) -> R + Sync) -> Vec<R> {
    let bar = progress::plain(work.len() as u64);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let hands = || {
        loop {
            // the last ones first: they are the long ones
            let taken = next.fetch_add(1, Ordering::Relaxed);
            let Some(number) = work.len().checked_sub(taken + 1) else { return };
            let result = job(&work[number]);
            bar.inc(1);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(work.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(hands))));
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.experiment {
        Experiment::Distribution => distribution::run(args),
        Experiment::Trading => trading::run(args),
        Experiment::Availability => availability::orders(args),
        Experiment::SuperSeed => availability::super_seed(args),
        Experiment::Slots => sweep::slots(args),
        Experiment::Periods => sweep::periods(args),
        Experiment::Random => random::run(args),
    }
}
