//! `sower bench`: how fast is a seeder?
//!
//! Without `--target` it makes a payload, starts this program as a seeder on its own processors, and measures that.

mod cpus;
mod memory;
mod payload;
mod scenario;
mod seeder;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::load::{self, LoadError, Machine, Mode, Order, Outcome, Plan, Progress, Report, Source};
use crate::metainfo::Metainfo;

use super::picture::Picture;
use super::scratch::Scratch;
use super::show::read_torrent;
use super::signals::cancelled_by_signals;
use super::text::json_for_terminal;
use super::units::{Date, parse_rate, parse_size};
use cpus::Cpus;
use payload::Payload;
use scenario::{Case, Scenario};
use seeder::Seeder;

/// What to measure, and how.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower bench                                        this program on this machine
  sower bench --peers 1,2,5,10,50 --plot curve.svg   throughput against the number of leechers
  sower bench --target 127.0.0.1:51413 --torrent big.torrent --pid 1234
                                                     any other seeder")]
pub(super) struct Args {
    /// Measure the seeder at this address instead of one of our own
    #[arg(long, value_name = "HOST:PORT", requires = "torrent")]
    target: Option<String>,
    /// The torrent that it seeds
    #[arg(long, value_name = "FILE")]
    torrent: Option<PathBuf>,
    /// A process of that seeder, for its processor time and memory; repeat for several
    #[arg(long, value_name = "PID", requires = "target")]
    pid: Vec<i32>,
    /// What the leechers do; a list, or several times
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "peers")]
    scenario: Vec<Scenario>,
    /// Leechers connected at once; a list gives one run each [default: 1,50]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    peers: Vec<u32>,
    /// Those of them that ask for data; the others are connected and silent [default: all]
    #[arg(long, value_name = "N", requires = "peers")]
    active: Option<u32>,
    /// Requests in flight of each leecher; a list gives one run each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "128", value_parser = clap::value_parser!(u16).range(1..=2000))]
    depth: Vec<u16>,
    /// What becomes of the payload: dropped in the kernel, copied, or copied and checked
    #[arg(long, value_enum, default_value = "discard")]
    mode: ModeName,
    /// In which order leechers ask for pieces
    #[arg(long, value_enum, default_value = "sequential")]
    order: OrderName,
    /// Bytes a second that each leecher of the scenario `slow` reads
    #[arg(long, value_name = "RATE", default_value = "1MiB", value_parser = parse_rate)]
    slow_rate: u64,
    /// Seconds of each measurement
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: u32,
    /// End a measurement after this much payload
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    bytes: Option<u64>,
    /// Seconds under load before each measurement
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u32).range(0..=3_600))]
    warm_up: u32,
    /// Measurements of each kind
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Measure the load itself: what it takes from a source that sends ready-made messages
    #[arg(long, conflicts_with_all = ["target", "torrent", "scenario", "order"])]
    calibrate: bool,
    /// Threads of the load
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Processors of the load, such as 4-7,12 [default: the last ones]
    #[arg(long, value_name = "LIST")]
    load_cpus: Option<Cpus>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw throughput against peers and latency against load
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    own: seeder::Flags,
    #[command(flatten)]
    payload: payload::Flags,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum ModeName {
    Discard,
    Copy,
    Verify,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum OrderName {
    Sequential,
    Random,
}

/// Exit codes: 0 measured, 1 not, 2 wrong usage, 130 interrupted.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let picture = args.plot.as_deref().map(Picture::open).transpose()?;
    let cancel = cancelled_by_signals()?;
    let _ = crate::session::raise_descriptor_limit();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let congestion = args.target.is_none().then(|| args.own.congestion()).flatten();
    let machine = Machine::look(Date(now.cast_signed()).to_string(), congestion);
    match measure(&args, &cancel) {
        Err(error) if cancel.load(Ordering::Relaxed) => {
            eprintln!("sower: ended early: {error}");
            Ok(ExitCode::from(130))
        }
        Err(error) => Err(error),
        Ok(outcomes) => report(&args, &Report::new(machine, outcomes), picture),
    }
}

/// All runs, each case `rounds` times, the rounds one after the other so that a disturbance hits one of each.
fn measure(args: &Args, cancel: &AtomicBool) -> anyhow::Result<Vec<Outcome>> {
    let cases = cases(args);
    let subject = Subject::new(args, cancel)?;
    let mut outcomes = Vec::new();
    for round in 0..args.rounds {
        for case in &cases {
            outcomes.push(subject.measure(args, case, u64::from(round), cancel)?);
        }
    }
    Ok(outcomes)
}

fn cases(args: &Args) -> Vec<Case> {
    let order = match args.order {
        OrderName::Sequential => Order::Sequential,
        OrderName::Random => Order::Random,
    };
    let named: Vec<Case> = args.scenario.iter().flat_map(|scenario| scenario.cases(order, args.slow_rate)).collect();
    let free = |&peers: &u32| Case::steady(peers as usize, args.active.map(|active| active as usize), order);
    let by_peers =
        if args.peers.is_empty() { [1, 50].iter().map(free).collect() } else { args.peers.iter().map(free).collect() };
    let cases = if named.is_empty() { by_peers } else { named };
    let depth = |case: Case| args.depth.iter().map(move |&depth| Case { depth: usize::from(depth), ..case.clone() });
    cases.into_iter().flat_map(depth).collect()
}

/// What is measured: a seeder that runs, or payload for our own.
enum Subject {
    Foreign {
        target: SocketAddr,
        torrent: Metainfo,
    },
    Own(Payload),
    /// No seeder: ready-made messages.
    ReadyMade,
}

impl Subject {
    fn new(args: &Args, cancel: &AtomicBool) -> anyhow::Result<Subject> {
        if let (Some(target), Some(torrent)) = (&args.target, &args.torrent) {
            ensure!(
                args.payload.is_empty(),
                "--payload and --payload-size are for a seeder of our own, not for --target"
            );
            return Ok(Subject::Foreign { target: resolve(target)?, torrent: usable(read_torrent(torrent)?)? });
        }
        if args.calibrate {
            return Ok(Subject::ReadyMade);
        }
        Ok(Subject::Own(Payload::new(&args.payload, args.torrent.as_deref(), cancel)?))
    }

    fn measure(&self, args: &Args, case: &Case, round: u64, cancel: &AtomicBool) -> anyhow::Result<Outcome> {
        match self {
            Subject::Foreign { target, torrent } => {
                ensure!(
                    !case.cold,
                    "the scenario cold is for a seeder of our own: it drops the payload from memory before that starts"
                );
                let plan = plan(args, case, *target, torrent, round);
                watched(&Plan { seeder: args.pid.clone(), ..plan }, cancel)
            }
            Subject::ReadyMade => calibrate(args, case, round, cancel),
            Subject::Own(payload) => {
                if case.cold {
                    payload.drop_from_memory()?
                } else {
                    payload.warm(cancel)?
                }
                let seeder = Seeder::start(&args.own, payload, case.peers, cancel)?;
                let plan = plan(args, case, seeder.address(), payload.torrent(), round);
                watched(&Plan { seeder: vec![seeder.pid()], ..plan }, cancel)
            }
        }
    }
}

/// The load against a source on the seeder's processors.
fn calibrate(args: &Args, case: &Case, round: u64, cancel: &AtomicBool) -> anyhow::Result<Outcome> {
    let folder = Scratch::new("bench")?;
    let source = Source::new(&folder.path().join("messages"), args.own.congestion().as_deref())?;
    let plan = plan(args, case, source.address()?, source.torrent(), round);
    let plan = Plan { scenario: format!("ready-made, {}", plan.scenario), ..plan };
    let (stop, cpus) = (AtomicBool::new(false), args.own.cpus());
    std::thread::scope(|scope| {
        let serving = std::thread::Builder::new().name("source".into());
        let serving = cpus::pinned(&cpus, || serving.spawn_scoped(scope, || source.run(&stop)))?;
        let outcome = watched(&plan, cancel);
        stop.store(true, Ordering::Relaxed);
        serving.join().map_err(|_| anyhow::anyhow!("the source failed"))??;
        outcome
    })
}

fn resolve(target: &str) -> anyhow::Result<SocketAddr> {
    let found = std::net::ToSocketAddrs::to_socket_addrs(target);
    let mut found = found.with_context(|| format!("{target:?} is not HOST:PORT of a host that can be found"))?;
    found.next().with_context(|| format!("{target:?} has no address"))
}

fn usable(torrent: Metainfo) -> anyhow::Result<Metainfo> {
    ensure!(torrent.geometry().pieces() > 0, "the torrent is empty: there is nothing to ask for");
    Ok(torrent)
}

fn plan(args: &Args, case: &Case, target: SocketAddr, torrent: &Metainfo, round: u64) -> Plan {
    let threads = usize::from(args.threads).min(case.peers);
    let total = torrent.geometry().total();
    let blocks = usize::try_from(total.div_ceil(16 * 1024)).unwrap_or(usize::MAX);
    Plan {
        scenario: case.name.clone(),
        target,
        torrent: torrent.clone(),
        peers: case.peers,
        active: case.active,
        // nobody has a block in flight twice
        depth: case.depth.min(blocks),
        mode: match args.mode {
            ModeName::Discard => Mode::Discard,
            ModeName::Copy => Mode::Copy,
            ModeName::Verify => Mode::Verify,
        },
        order: case.order,
        behaviour: case.behaviour,
        warm_up: Duration::from_secs(args.warm_up.into()),
        duration: Duration::from_secs(args.duration.into()),
        bytes: args.bytes,
        threads,
        cpus: cpus::of_load(args.load_cpus.as_ref(), threads),
        // beside a seeder on the same processor it would take the time from that
        spin: cpus::allowed().len() > threads,
        congestion: args.own.congestion(),
        seeder: Vec::new(),
        seed: 0x5eed + round,
    }
}

/// Runs `plan` under a progress bar.
fn watched(plan: &Plan, cancel: &AtomicBool) -> anyhow::Result<Outcome> {
    let bar = bar(plan);
    let mut before = (Duration::ZERO, 0u64);
    let mut watch = |progress: Progress| {
        bar.set_position(u64::try_from(progress.measured.as_millis()).unwrap_or(u64::MAX));
        let rate = if progress.measured > before.0 {
            (progress.bytes - before.1) as f64 / (progress.measured - before.0).as_secs_f64() / 1e9
        } else {
            0.0
        };
        if progress.measured.is_zero() {
            before = (Duration::ZERO, progress.bytes);
        } else if progress.measured > before.0 + Duration::from_secs(1) {
            before = (progress.measured, progress.bytes);
        }
        bar.set_message(format!(
            "{}: {}, {} connected, {} unchoked, {rate:.2} GB/s",
            plan.scenario, progress.stage, progress.connected, progress.unchoked
        ));
    };
    let outcome = load::run(plan, &mut watch, cancel);
    bar.finish_and_clear();
    match outcome {
        Err(LoadError::Interrupted) => bail!("interrupted"),
        outcome => Ok(outcome?),
    }
}

fn bar(plan: &Plan) -> ProgressBar {
    let total = u64::try_from(plan.duration.as_millis()).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{wide_bar} {msg}").expect("a template of ours");
    super::progress::plain(total).with_style(style)
}

/// The table is as wide as the terminal, or as the README's.
const COLUMNS: usize = 120;

/// The picture comes first: a reader of our output who leaves early does not cost it.
fn report(args: &Args, report: &Report, picture: Option<Picture>) -> anyhow::Result<ExitCode> {
    if let Some(picture) = picture {
        let drawn = report.plot(picture.format())?;
        picture.write(&drawn)?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        let json = serde_json::to_string_pretty(&report.document()).context("cannot write JSON")?;
        writeln!(out, "{}", json_for_terminal(&json))?;
    } else {
        write!(out, "{}", report.table(terminal_columns().unwrap_or(COLUMNS)))?;
    }
    Ok(if report.has_bad_pieces() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
