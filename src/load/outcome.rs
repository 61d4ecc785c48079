//! What one run measured.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::meter;

/// What a leecher does with payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The kernel drops it (MSG_TRUNC): the seeder is what is measured.
    #[default]
    Discard,
    /// Copied to memory.
    Copy,
    /// Copied, and the SHA-1 of every piece compared with the torrent's.
    Verify,
}

/// In which order a leecher asks for pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after the other, each leecher from a place of its own.
    #[default]
    Sequential,
    /// At random.
    Random,
}

/// What a run was held back by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The seeder's cores were full: the figure is the seeder's.
    Seeder,
    /// The load's own cores were full: the figure is a lower bound of the seeder's.
    Load,
    /// Neither was: a rate limit, the network, the disk, or leechers that ask for little.
    Elsewhere,
}

/// What one run measured. Bytes are payload unless a name says otherwise; durations of a histogram are microseconds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done, in a word or two: `50 peers`, `churn`.
    pub scenario: String,
    /// Leechers connected at once.
    pub peers: usize,
    /// Those of them that asked for data.
    pub active: usize,
    /// Requests in flight of each.
    pub depth: usize,
    /// What became of the payload.
    pub mode: Mode,
    /// Order of the pieces.
    pub order: Order,
    /// The measured time, warm-up left out.
    pub window: Duration,
    /// Received within it.
    pub bytes: u64,
    /// The same, of each active leecher.
    pub bytes_of_peers: Vec<u64>,
    /// From the handshake to the first unchoke.
    pub unchoke: Histogram<u64>,
    /// From a request to the last byte of its block.
    pub latency: Histogram<u64>,
    /// Connections made, those that replaced others (churn) included.
    pub connections: u64,
    /// Connects that failed, and connections that the seeder ended.
    pub disconnects: u64,
    /// Chokes after the first unchoke.
    pub chokes: u64,
    /// Requests rejected (BEP 6).
    pub rejects: u64,
    /// Messages that break the protocol; the first of them in words.
    pub protocol_errors: u64,
    /// The first error, in words.
    pub first_error: Option<String>,
    /// Pieces whose SHA-1 was right.
    pub pieces_verified: u64,
    /// Pieces whose SHA-1 was wrong.
    pub pieces_bad: u64,
    /// What each thread of the load used within the window.
    pub load_threads: Vec<ThreadUse>,
    /// What the seeder used, where its process is known.
    pub seeder: Option<SeederUse>,
}

/// CPU time of one thread within the window.
#[derive(Clone, PartialEq, Debug)]
pub struct ThreadUse {
    /// As the kernel knows it.
    pub name: String,
    /// User and system time.
    pub cpu: Duration,
}

/// What the seeder's process used, by /proc.
#[derive(Clone, PartialEq, Debug)]
pub struct SeederUse {
    /// Its threads that did anything.
    pub threads: Vec<ThreadUse>,
    /// Memory that is its own, at the end: anonymous pages, in swap too. See the `process` module.
    pub private_bytes: u64,
    /// Other pages that it had mapped, at the end: files above all. The page cache's, not the seeder's.
    pub mapped_bytes: u64,
    /// Read from disk within the window (`read_bytes` of /proc/PID/io).
    pub read_bytes: u64,
}

impl Outcome {
    /// A run of `peers` leechers, all of them active, in which nothing has happened yet.
    pub fn new(scenario: &str, peers: usize) -> Outcome {
        Outcome {
            scenario: scenario.into(),
            peers,
            active: peers,
            depth: 1,
            mode: Mode::default(),
            order: Order::default(),
            window: Duration::ZERO,
            bytes: 0,
            bytes_of_peers: Vec::new(),
            unchoke: meter::histogram(),
            latency: meter::histogram(),
            connections: 0,
            disconnects: 0,
            chokes: 0,
            rejects: 0,
            protocol_errors: 0,
            first_error: None,
            pieces_verified: 0,
            pieces_bad: 0,
            load_threads: Vec::new(),
            seeder: None,
        }
    }

    /// Payload bytes a second; zero where no time passed.
    pub fn rate(&self) -> f64 {
        if self.window.is_zero() { 0.0 } else { self.bytes as f64 / self.window.as_secs_f64() }
    }

    /// Jain's index of what the active leechers got: 1 when all got the same, 1/n when one got all (Jain, Chiu, Hawe 1984).
    pub fn fairness(&self) -> f64 {
        let sum: f64 = self.bytes_of_peers.iter().map(|&bytes| bytes as f64).sum();
        let squares: f64 = self.bytes_of_peers.iter().map(|&bytes| (bytes as f64).powi(2)).sum();
        if squares == 0.0 { 1.0 } else { sum * sum / (squares * self.bytes_of_peers.len() as f64) }
    }

    /// Payload bytes for each second of the seeder's CPU time.
    pub fn bytes_per_cpu_second(&self) -> Option<f64> {
        let cpu: Duration = self.seeder.as_ref()?.threads.iter().map(|thread| thread.cpu).sum();
        (!cpu.is_zero()).then(|| self.bytes as f64 / cpu.as_secs_f64())
    }

    /// Whether a thread of the seeder took all of a core: from 95 % of the window on, timer ticks take the rest.
    pub fn is_seeder_full(&self) -> bool {
        self.seeder.as_ref().is_some_and(|seeder| seeder.threads.iter().any(|thread| self.is_full(thread)))
    }

    fn is_full(&self, thread: &ThreadUse) -> bool {
        !self.window.is_zero() && thread.cpu.as_secs_f64() >= 0.95 * self.window.as_secs_f64()
    }

    /// Whose figure this is.
    pub fn limit(&self) -> Limit {
        if self.load_threads.iter().any(|thread| self.is_full(thread)) {
            Limit::Load
        } else if self.is_seeder_full() {
            Limit::Seeder
        } else {
            Limit::Elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes_of_peers: &[u64]) -> Outcome {
        Outcome {
            window: Duration::from_secs(2),
            bytes: bytes_of_peers.iter().sum(),
            bytes_of_peers: bytes_of_peers.to_vec(),
            ..Outcome::new("test", bytes_of_peers.len())
        }
    }

    #[test]
    fn fairness_is_one_for_equals_and_one_of_n_for_one_who_takes_all() {
        assert!((outcome(&[7, 7, 7]).fairness() - 1.0).abs() < 1e-9);
        assert!((outcome(&[9, 0, 0, 0]).fairness() - 0.25).abs() < 1e-9);
        assert!((outcome(&[0, 0]).fairness() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_full_load_thread_takes_the_figure_away_from_the_seeder() {
        let thread = |seconds: f64| ThreadUse { name: "t".into(), cpu: Duration::from_secs_f64(seconds) };
        let seeder =
            |seconds| SeederUse { threads: vec![thread(seconds)], private_bytes: 0, mapped_bytes: 0, read_bytes: 0 };
        let mut run = outcome(&[1_000]);
        assert_eq!(run.limit(), Limit::Elsewhere);
        run.seeder = Some(seeder(1.95));
        assert_eq!(run.limit(), Limit::Seeder);
        assert!(run.bytes_per_cpu_second().is_some_and(|rate| (rate - 1_000.0 / 1.95).abs() < 1e-6));
        run.load_threads = vec![thread(0.3), thread(1.92)];
        assert_eq!(run.limit(), Limit::Load);
    }
}
