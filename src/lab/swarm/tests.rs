//! Swarms of the program's own shards, in virtual time.

use super::*;
use crate::lab::network::Access;
use crate::schedule::Periods;

const KIB: u64 = 1024;

fn access(up_kib: u64, down_kib: u64) -> Access {
    Access { up: up_kib * KIB, down: down_kib * KIB, delay: Duration::from_millis(20) }
}

fn plan(size_kib: u64, piece_kib: u32, members: Vec<Member>, seed: u64) -> Plan {
    Plan {
        size: size_kib * KIB,
        piece_length: piece_kib * 1024,
        members,
        memory: 64 << 20,
        periods: Periods::default(),
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

/// A failing seed is printed; `SOWER_SIM_SEED` runs it alone.
#[test]
fn random_swarms_with_members_of_every_bad_habit_keep_the_rules() {
    let wish = std::env::var("SOWER_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let count = std::env::var("SOWER_SIM_SWARMS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let seeds = wish.map_or(0..count, |seed: u64| seed..seed + 1);
    let broken: Vec<String> = seeds
        .filter_map(|seed| random::check(&random::plan(seed)).err().map(|broken| format!("seed {seed}: {broken}")))
        .collect();
    assert!(broken.is_empty(), "SOWER_SIM_SEED=... replays one of\n{}", broken.join("\n"));
}
