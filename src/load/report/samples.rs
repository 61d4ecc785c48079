//! Outcomes for the tests of the reports.

use std::time::Duration;

use crate::load::{Machine, Outcome, SeederUse, ThreadUse};

pub(super) fn outcome(scenario: &str, peers: usize) -> Outcome {
    Outcome {
        depth: 128,
        window: Duration::from_secs(2),
        bytes: 30_000_000_000,
        bytes_of_peers: vec![30_000_000_000 / peers.max(1) as u64; peers],
        connections: peers as u64,
        ..Outcome::new(scenario, peers)
    }
}

/// A run with everything in it. `share` of a core was used by the load.
pub(super) fn full(scenario: &str, peers: usize, rate: u64, share: f64) -> Outcome {
    let mut run = outcome(scenario, peers);
    run.bytes = rate * 2;
    run.bytes_of_peers = (0..peers as u64).map(|peer| run.bytes / peers as u64 + peer).collect();
    (1..=2_000).for_each(|value| run.latency.saturating_record(value * value / 100 * peers as u64 / 10 + 60));
    run.unchoke.saturating_record(430);
    run.load_threads = vec![thread("load-0", share)];
    run.seeder = Some(seeder(0.99));
    run
}

pub(super) fn thread(name: &str, share: f64) -> ThreadUse {
    ThreadUse { name: name.into(), cpu: Duration::from_secs_f64(2.0 * share) }
}

pub(super) fn seeder(share: f64) -> SeederUse {
    SeederUse {
        threads: vec![thread("reactor-0", share)],
        private_bytes: 23_400_000,
        mapped_bytes: 1_073_741_824,
        read_bytes: 0,
    }
}

pub(super) fn machine() -> Machine {
    Machine {
        cpu_model: "AMD EPYC".into(),
        cores: 2,
        virtual_machine: true,
        memory_bytes: 24 << 30,
        kernel: "Linux 6.18.44".into(),
        congestion_control_default: "bbr".into(),
        congestion_control_chosen: Some("cubic".into()),
        default_qdisc: Some("pfifo_fast".into()),
        date: "2026-11-22 22:00:00 UTC".into(),
        sower_version: "0.1.0".into(),
        sower_commit: Some("233e156".into()),
        sower_optimised: true,
    }
}
