//! A run from its first connection to its outcome.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use super::meter::Meter;
use super::phase::{Phase, Published, Shared};
use super::plan::Plan;
use super::thread::{Harvest, Thread};
use super::{Measuring, Outcome, ProcessError, Seeder, SeederUse, ThreadUse};

/// Time between two looks at how far a run is.
const LOOK: Duration = Duration::from_millis(20);

/// How far a run is, for a progress bar.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// In a word.
    pub stage: &'static str,
    /// Leechers whose handshake was answered.
    pub connected: usize,
    /// Leechers that may ask.
    pub unchoked: usize,
    /// Payload so far.
    pub bytes: u64,
    /// Of the measured time.
    pub measured: Duration,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No handshake was answered.
    #[error(
        "no leecher got a handshake from {target}: {cause}. Is a seeder listening there, and does it seed the torrent {info_hash}?"
    )]
    Unreachable {
        /// The seeder.
        target: std::net::SocketAddr,
        /// What was asked for.
        info_hash: crate::ids::InfoHash,
        /// The first error.
        cause: String,
    },
    /// Some handshakes were answered, not all.
    #[error(
        "{connected} of {wanted} leechers were let in: {cause}. Raise the seeder's limits of connections (in all, of a torrent, of an address), or use fewer --peers"
    )]
    Crowded {
        /// Those let in.
        connected: usize,
        /// Those that wanted to be.
        wanted: usize,
        /// The first error.
        cause: String,
    },
    /// Nobody was unchoked.
    #[error(
        "the seeder unchoked none of {0} leechers within the warm-up: give it upload slots, or --warm-up more time (some clients unchoke every 10 s)"
    )]
    Choked(usize),
    /// Nothing came.
    #[error("not a byte came within the measured time, though {unchoked} leechers were unchoked at its end: {cause}")]
    Silent {
        /// Leechers that might ask.
        unchoked: usize,
        /// The first error.
        cause: String,
    },
    /// The operator ended it.
    #[error("interrupted")]
    Interrupted,
    /// The seeder's processes cannot be measured.
    #[error(transparent)]
    Seeder(#[from] ProcessError),
    /// The machine gives too little.
    #[error("{0}")]
    Machine(String),
}

/// Runs `plan`. `watch` is called many times a second; `cancel` ends the run early.
pub fn run(plan: &Plan, watch: &mut dyn FnMut(Progress), cancel: &AtomicBool) -> Result<Outcome, LoadError> {
    check(plan)?;
    let seeder = if plan.seeder.is_empty() { None } else { Some(Seeder::of(&plan.seeder)?) };
    let shared = Shared::new(plan.threads);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|index| {
                let (shared, cpu) = (&shared, plan.cpus.get(index % plan.cpus.len().max(1)).copied());
                let builder = std::thread::Builder::new().name(format!("load-{index}"));
                builder.spawn_scoped(scope, move || {
                    pin(cpu);
                    Thread::new(plan, shared, index)?.run()
                })
            })
            .collect();
        let mut director = Director { plan, shared: &shared, seeder: seeder.as_ref(), watch, cancel };
        let directed = director.direct();
        shared.enter(Phase::Stop);
        let mut harvests = Vec::new();
        for thread in threads {
            let joined = thread.map(std::thread::ScopedJoinHandle::join).map_err(machine)?;
            harvests
                .push(joined.map_err(|_| LoadError::Machine("a thread of the load failed".into()))?.map_err(machine)?);
        }
        conclude(plan, directed?, harvests)
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn machine(error: std::io::Error) -> LoadError {
    LoadError::Machine(format!("a thread of the load failed: {error}"))
}

/// Looks at what the machine has to give, before a run.
fn check(plan: &Plan) -> Result<(), LoadError> {
    let needed = plan.peers as u64 + 64;
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < needed {
        return Err(LoadError::Machine(format!(
            "{} leechers need {needed} open files and {allowed} are allowed: raise the limit with `ulimit -n {needed}`",
            plan.peers
        )));
    }
    Ok(())
}

/// A pin that is refused leaves the thread where it was; the report shows which processors were busy.
fn pin(cpu: Option<usize>) {
    let Some(cpu) = cpu else { return };
    let mut set = CpuSet::new();
    set.set(cpu);
    let _ = sched_setaffinity(None, &set);
}

/// Leads the threads from phase to phase.
struct Director<'run> {
    plan: &'run Plan,
    shared: &'run Shared,
    seeder: Option<&'run Seeder>,
    watch: &'run mut dyn FnMut(Progress),
    cancel: &'run AtomicBool,
}

/// How the phases went.
enum Directed {
    Done { unchoked: usize, seeder: Option<SeederUse> },
    NotConnected(usize),
    NotUnchoked,
    Interrupted,
}

impl Director<'_> {
    fn direct(&mut self) -> Result<Directed, ProcessError> {
        let all = self.plan.peers;
        let connecting = Instant::now();
        while self.look("connecting", Duration::ZERO).connected < all {
            if self.cancelled() {
                return Ok(Directed::Interrupted);
            }
            let waited = connecting.elapsed();
            let connected = self.look("connecting", Duration::ZERO).connected;
            // nobody at all is a sign soon enough
            if waited > self.plan.patience() || (connected == 0 && waited > Duration::from_secs(5)) {
                return Ok(Directed::NotConnected(connected));
            }
        }
        self.shared.enter(Phase::WarmUp);
        let warming = Instant::now();
        while warming.elapsed() < self.plan.warm_up {
            if self.cancelled() {
                return Ok(Directed::Interrupted);
            }
            self.look("warming up", Duration::ZERO);
        }
        if self.look("warming up", Duration::ZERO).unchoked == 0 && self.bytes() == 0 {
            return Ok(Directed::NotUnchoked);
        }
        self.measure()
    }

    fn measure(&mut self) -> Result<Directed, ProcessError> {
        let measuring = self.seeder.map(Seeder::begin).transpose()?;
        self.shared.enter(Phase::Measure);
        let begun = Instant::now();
        while begun.elapsed() < self.plan.duration {
            if self.cancelled() {
                return Ok(Directed::Interrupted);
            }
            self.look("measuring", begun.elapsed());
            let measured = sum(&self.shared.threads, |thread| &thread.measured);
            if self.plan.bytes.is_some_and(|bytes| measured >= bytes) {
                break;
            }
        }
        self.shared.enter(Phase::Close);
        let seeder = measuring.map(Measuring::end).transpose()?;
        Ok(Directed::Done { unchoked: self.look("measuring", begun.elapsed()).unchoked, seeder })
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        sum(&self.shared.threads, |thread| &thread.bytes)
    }

    fn look(&mut self, stage: &'static str, measured: Duration) -> Progress {
        std::thread::sleep(LOOK);
        let threads = &self.shared.threads;
        let progress = Progress {
            stage,
            connected: threads.iter().map(|thread| thread.handshakes.load(Ordering::Relaxed)).sum(),
            unchoked: threads.iter().map(|thread| thread.unchoked.load(Ordering::Relaxed)).sum(),
            bytes: self.bytes(),
            measured,
        };
        (self.watch)(progress);
        progress
    }
}

fn sum(threads: &[Published], count: fn(&Published) -> &AtomicU64) -> u64 {
    threads.iter().map(|thread| count(thread).load(Ordering::Relaxed)).sum()
}

fn conclude(plan: &Plan, directed: Directed, harvests: Vec<Harvest>) -> Result<Outcome, LoadError> {
    let mut outcome = merge(plan, harvests);
    let cause = || outcome.first_error.clone().unwrap_or_else(|| "no error was seen".into());
    match directed {
        Directed::Interrupted => Err(LoadError::Interrupted),
        Directed::NotConnected(0) => {
            let info_hash = plan.torrent.info_hash();
            Err(LoadError::Unreachable { target: plan.target, info_hash, cause: cause() })
        }
        Directed::NotConnected(connected) => Err(LoadError::Crowded { connected, wanted: plan.peers, cause: cause() }),
        Directed::NotUnchoked => Err(LoadError::Choked(plan.active)),
        Directed::Done { unchoked, .. } if outcome.bytes == 0 => Err(LoadError::Silent { unchoked, cause: cause() }),
        Directed::Done { seeder, .. } => {
            outcome.seeder = seeder;
            Ok(outcome)
        }
    }
}

fn merge(plan: &Plan, harvests: Vec<Harvest>) -> Outcome {
    let mut sum = Meter::new();
    let (mut bytes, mut bytes_of_peers, mut load_threads) = (0, Vec::new(), Vec::new());
    let (mut pieces_verified, mut pieces_bad, mut window) = (0, 0, Duration::ZERO);
    for (index, harvest) in harvests.into_iter().enumerate() {
        let meter = harvest.meter;
        // all have the same bounds
        let _ = (sum.unchoke.add(&meter.unchoke), sum.latency.add(&meter.latency));
        sum.connections += meter.connections;
        sum.disconnects += meter.disconnects;
        sum.chokes += meter.chokes;
        sum.rejects += meter.rejects;
        sum.protocol_errors += meter.protocol_errors;
        sum.first_error = sum.first_error.or(meter.first_error);
        bytes += harvest.bytes;
        bytes_of_peers.extend(harvest.bytes_of_peers);
        pieces_verified += harvest.verified;
        pieces_bad += harvest.bad;
        window = window.max(harvest.window);
        load_threads.push(ThreadUse { name: format!("load-{index}"), cpu: harvest.cpu });
    }
    Outcome {
        scenario: plan.scenario.clone(),
        peers: plan.peers,
        active: plan.active,
        depth: plan.depth,
        mode: plan.mode,
        order: plan.order,
        window,
        bytes,
        bytes_of_peers,
        unchoke: sum.unchoke,
        latency: sum.latency,
        connections: sum.connections,
        disconnects: sum.disconnects,
        chokes: sum.chokes,
        rejects: sum.rejects,
        protocol_errors: sum.protocol_errors,
        first_error: sum.first_error,
        pieces_verified,
        pieces_bad,
        load_threads,
        seeder: None,
    }
}
