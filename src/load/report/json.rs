//! The JSON document. Field names are a promise; a change that breaks a reader raises [`FORMAT_VERSION`].
//!
//! Units stand in the names: `_bytes` and `_bytes_per_second`, `_us` microseconds, `_seconds`. `runs` holds every round as it was
//! measured, `summaries` the rounds of each run put together, each figure as `{median, min, max}`. Bytes are payload
//! unless a name says otherwise.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Summary;
use super::summary::{bytes_per_cpu_second, bytes_per_second, fairness};
use crate::load::{Limit, Machine, Mode, Order, Outcome, SeederUse, ThreadUse};

/// Version of this form.
const FORMAT_VERSION: u32 = 1;

/// The whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// `sower-bench`.
    pub format: String,
    /// 1.
    pub format_version: u32,
    /// Where it was measured.
    pub machine: Machine,
    /// A row of the table each.
    pub summaries: Vec<Summary>,
    /// Every round of all of them.
    pub runs: Vec<Run>,
}

/// One round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// What was done.
    pub scenario: String,
    /// Leechers connected at once.
    pub peers: usize,
    /// Those of them that asked for data.
    pub active_peers: usize,
    /// Requests in flight of each.
    pub depth: usize,
    /// `discard`, `copy` or `verify`.
    pub mode: Mode,
    /// `sequential` or `random`.
    pub order: Order,
    /// Whose figure this is: `seeder`; `load` (a lower bound of the seeder's); `elsewhere`.
    pub limit: Limit,
    /// The measured time, warm-up left out.
    pub window_seconds: f64,
    /// Received within it.
    pub bytes: u64,
    /// The same, a second.
    pub bytes_per_second: u64,
    /// For each second of the seeder's processor time; null where that is not known.
    pub bytes_per_cpu_second: Option<u64>,
    /// Jain's index of the bytes of the active leechers: 1 when all got the same.
    pub fairness: f64,
    /// What an active leecher received.
    pub bytes_of_active_peers: Bytes,
    /// From the handshake to the first unchoke.
    pub unchoke_us: Percentiles,
    /// From a request to the last byte of its block.
    pub latency_us: Percentiles,
    /// Connections made.
    pub connections: u64,
    /// Connects that failed, and connections that the seeder ended.
    pub disconnects: u64,
    /// Chokes after the first unchoke.
    pub chokes: u64,
    /// Requests rejected (BEP 6).
    pub rejects: u64,
    /// Messages that break the protocol.
    pub protocol_errors: u64,
    /// The first error, in words.
    pub first_error: Option<String>,
    /// Pieces whose SHA-1 was right.
    pub pieces_verified: u64,
    /// Pieces whose SHA-1 was wrong.
    pub pieces_bad: u64,
    /// All threads of the load.
    pub load_threads: Vec<Thread>,
    /// Payload for each second of their processor time: what one full core of the load would take.
    pub bytes_per_load_cpu_second: Option<u64>,
    /// The seeder, where its process is known.
    pub seeder: Option<Process>,
}

/// Bytes of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bytes {
    /// Who got least; all are null where there was nobody.
    pub min: Option<u64>,
    /// Who is in the middle (of two, the one that got more).
    pub median: Option<u64>,
    /// Who got most.
    pub max: Option<u64>,
}

/// Of a histogram with three digits; null where it is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half were faster.
    pub p50: Option<u64>,
    /// 99 of 100 were faster.
    pub p99: Option<u64>,
    /// 999 of 1,000 were faster.
    pub p99_9: Option<u64>,
    /// The slowest.
    pub max: Option<u64>,
}

/// One thread.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Thread {
    /// As the kernel knows it; `(ended)` for all that ended within the window.
    pub name: String,
    /// User and system time within the window.
    pub cpu_seconds: f64,
}

/// The seeder's process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Process {
    /// Its threads that did anything, the busiest first.
    pub threads: Vec<Thread>,
    /// Sum of these.
    pub cpu_seconds: f64,
    /// Anonymous memory at the end, in swap too.
    pub private_bytes: u64,
    /// Other mapped pages at the end: files above all, which are the page cache's.
    pub mapped_bytes: u64,
    /// Read from disk within the window.
    pub disk_read_bytes: u64,
}

impl Document {
    pub(super) fn of(machine: &Machine, outcomes: &[Outcome], summaries: &[Summary]) -> Document {
        Document {
            format: "sower-bench".into(),
            format_version: FORMAT_VERSION,
            machine: machine.clone(),
            summaries: summaries.to_vec(),
            runs: outcomes.iter().map(Run::of).collect(),
        }
    }
}

impl Run {
    fn of(run: &Outcome) -> Run {
        Run {
            scenario: run.scenario.clone(),
            peers: run.peers,
            active_peers: run.active,
            depth: run.depth,
            mode: run.mode,
            order: run.order,
            limit: run.limit(),
            window_seconds: run.window.as_secs_f64(),
            bytes: run.bytes,
            bytes_per_second: bytes_per_second(run),
            bytes_per_cpu_second: bytes_per_cpu_second(run),
            fairness: fairness(run),
            bytes_of_active_peers: Bytes::of(&run.bytes_of_peers),
            unchoke_us: Percentiles::of(&run.unchoke),
            latency_us: Percentiles::of(&run.latency),
            connections: run.connections,
            disconnects: run.disconnects,
            chokes: run.chokes,
            rejects: run.rejects,
            protocol_errors: run.protocol_errors,
            first_error: run.first_error.clone(),
            pieces_verified: run.pieces_verified,
            pieces_bad: run.pieces_bad,
            load_threads: run.load_threads.iter().map(Thread::of).collect(),
            bytes_per_load_cpu_second: super::summary::bytes_per_load_cpu_second(run),
            seeder: run.seeder.as_ref().map(Process::of),
        }
    }
}

impl Bytes {
    fn of(bytes_of_peers: &[u64]) -> Bytes {
        let mut sorted = bytes_of_peers.to_vec();
        sorted.sort_unstable();
        Bytes {
            min: sorted.first().copied(),
            median: sorted.get(sorted.len() / 2).copied(),
            max: sorted.last().copied(),
        }
    }
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile| super::summary::percentile(histogram, quantile);
        Percentiles { count: histogram.len(), p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: at(1.0) }
    }
}

impl Thread {
    fn of(thread: &ThreadUse) -> Thread {
        Thread { name: thread.name.clone(), cpu_seconds: thread.cpu.as_secs_f64() }
    }
}

impl Process {
    fn of(seeder: &SeederUse) -> Process {
        Process {
            threads: seeder.threads.iter().map(Thread::of).collect(),
            cpu_seconds: seeder.threads.iter().map(|thread| thread.cpu.as_secs_f64()).sum(),
            private_bytes: seeder.private_bytes,
            mapped_bytes: seeder.mapped_bytes,
            disk_read_bytes: seeder.read_bytes,
        }
    }
}
