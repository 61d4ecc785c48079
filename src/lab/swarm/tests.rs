//! Swarms of the program's own shards, in virtual time.

use super::*;
use crate::lab::network::Access;

const KIB: u64 = 1024;

fn access(up_kib: u64, down_kib: u64) -> Access {
    Access { up: up_kib * KIB, down: down_kib * KIB, delay: Duration::from_millis(20) }
}

fn plan(size_kib: u64, piece_kib: u32, members: Vec<Member>, seed: u64) -> Plan {
    Plan {
        size: size_kib * KIB,
        piece_length: piece_kib * 1024,
        members,
        neighbours: 50,
        seed,
        until: Duration::from_secs(100_000),
        cuts: false,
    }
}

fn run(plan: &Plan) -> Outcome {
    Swarm::new(plan, ()).expect("a plan that can be").run().0
}

/// A seed ten times as fast as each of so many downloaders, as in the textbooks.
fn textbook(downloaders: usize, up_kib: u64, size_kib: u64, piece_kib: u32, seed: u64) -> Plan {
    let mut members = vec![Member::seed(access(10 * up_kib, 10 * up_kib))];
    members.resize(downloaders + 1, Member::leecher(access(up_kib, 10 * up_kib)));
    plan(size_kib, piece_kib, members, seed)
}

#[test]
fn one_downloader_takes_as_long_as_the_link_does() {
    let outcome = run(&textbook(1, 10, 8 * 1024, 256, 1));
    let took = outcome.fates[1].took.expect("finished").as_secs_f64();
    assert!((81.9..86.0).contains(&took), "{took}");
}

#[test]
fn together_they_stay_near_the_lower_bound() {
    let plan = textbook(30, 64, 32 * 1024, 64, 1);
    let start = std::time::Instant::now();
    let outcome = run(&plan);
    let bound = 30.0 * 32.0 * 1024.0 / (40.0 * 64.0);
    println!("{:.3} of the bound, {:?}", outcome.ended.as_secs_f64() / bound, start.elapsed());
    assert!(outcome.complete);
}
