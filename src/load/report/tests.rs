//! The reports as a whole.

use std::time::Duration;

use serde_json::Value;

use super::samples::{full, machine, outcome, thread};
use super::*;
use crate::load::Mode;

fn report(outcomes: Vec<Outcome>) -> Report {
    Report::new(machine(), outcomes)
}

/// What `sower bench` shows without flags, twice.
fn suite() -> Vec<Outcome> {
    let once = |rate: u64| {
        [
            full("1 peer", 1, rate + 1_000_000_000, 0.99),
            full("50 peers", 50, rate, 0.8),
            full("1000 peers", 1_000, rate - 4_000_000_000, 0.7),
            Outcome { active: 100, ..full("mostly idle", 10_000, rate - 5_000_000_000, 0.6) },
            full("slow readers", 50, 90_000_000, 0.1),
        ]
    };
    once(15_200_000_000).into_iter().chain(once(14_900_000_000)).collect()
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn the_table_fits_the_terminal() {
    for columns in [80, 100, 120, 200] {
        let text = report(suite()).table(columns);
        println!("{text}"); // `--nocapture` to look at it
        assert!(widest(&text) <= columns, "{columns}:\n{text}");
    }
    let parts = |columns| report(suite()).table(columns).matches("scenario").count();
    assert_eq!((parts(80), parts(200)), (2, 1), "all in one where there is room");
}

#[test]
fn a_figure_held_back_by_the_load_says_so_in_its_row_and_in_words() {
    let text = report(suite()).table(200);
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("1 peer ").contains("≥16.1") && row("1 peer ").contains(" load "), "{text}");
    assert!(row("50 peers").contains(" 15.1 ") && row("50 peers").contains(" seeder "), "{text}");
    assert!(text.contains("1 peer: a lower bound: 16.1 GB/s") && text.contains("more --threads (it had 1 on 2 cores)"));
    let mut two = full("1 peer", 1, 1 << 30, 0.99);
    two.load_threads.push(thread("load-1", 0.5));
    let text = report(vec![two]).table(1_000);
    assert!(text.contains("Give the load more cores") && text.contains("load load-0 99 %, load-1 50 %"), "{text}");
}

#[test]
fn where_no_seeder_is_known_the_load_tells_what_it_would_take() {
    let mut run = full("ready-made, 50 peers", 50, 9_000_000_000, 0.4);
    let says = |run: &Outcome| report(vec![run.clone()]).table(1_000).contains("it took 22.5 GB for each second");
    assert!(!says(&run), "the seeder was full: nobody asks");
    run.seeder = None;
    assert!(says(&run));
    run.load_threads = vec![thread("load-0", 0.99)];
    assert!(!says(&run), "then it is in the table");
}

#[test]
fn bytes_per_cpu_second_carry_a_warning_where_the_seeder_had_time_left() {
    assert!(!report(vec![full("50 peers", 50, 1 << 33, 0.5)]).table(80).contains("CPU-second"));
    let mut idle = full("50 peers", 50, 1 << 33, 0.5);
    idle.seeder = Some(super::samples::seeder(0.4));
    assert!(report(vec![idle]).table(1_000).contains("Compare bytes per CPU-second only"));
}

#[test]
fn bad_pieces_and_errors_stand_in_words() {
    let mut run = full("50 peers", 50, 1 << 33, 0.5);
    run.mode = Mode::Verify;
    run.pieces_verified = 65_536;
    assert!(report(vec![run.clone()]).table(200).contains("65,536 pieces verified of 17.2 GB received, none bad"));
    run.pieces_bad = 3;
    run.disconnects = 2;
    run.first_error = Some("reset\x1b[2J".into());
    let text = report(vec![run]).table(200);
    assert!(text.contains("BAD DATA: the SHA-1 of 3 of 65,539 pieces was wrong"), "{text}");
    assert!(text.contains("2 connections failed or were closed by the seeder; the first: reset?[2J"), "{text}");
}

#[test]
fn any_outcome_can_be_reported() {
    let nothing = Outcome { bytes: 0, window: Duration::ZERO, ..outcome("none", 0) };
    let mut huge = full("1234567 peers with a name that goes on and on", 1, u64::MAX / 2, 1e9);
    huge.bytes = u64::MAX;
    huge.bytes_of_peers = vec![u64::MAX; 3];
    huge.peers = usize::MAX;
    huge.disconnects = u64::MAX;
    huge.protocol_errors = u64::MAX;
    huge.window = Duration::from_nanos(1);
    huge.latency.saturating_record(u64::MAX);
    for outcomes in [vec![], vec![outcome("1 peer", 1)], vec![nothing.clone()], vec![nothing, huge.clone()], vec![huge]]
    {
        let report = report(outcomes);
        for columns in [0, 1, 80, usize::MAX] {
            assert!(!report.table(columns).is_empty());
        }
        let text = serde_json::to_string(&report.document()).expect("plain data");
        assert!(serde_json::from_str::<Document>(&text).is_ok(), "no number is lost: {text}");
    }
    assert!(report(Vec::new()).table(80).starts_with("nothing was measured\n"));
}

#[test]
fn the_document_reads_back_as_it_was_written() {
    let document = report(suite()).document();
    let text = serde_json::to_string_pretty(&document).expect("plain data");
    assert_eq!(serde_json::from_str::<Document>(&text).expect("the same data"), document);
}

#[test]
fn field_names_of_the_document_are_kept() {
    let value = serde_json::to_value(report(suite()).document()).expect("plain data");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&value), "format format_version machine runs summaries");
    assert_eq!(
        keys(&value["machine"]),
        "congestion_control_chosen congestion_control_default cores cpu_model date default_qdisc kernel memory_bytes \
         sower_commit sower_optimised sower_version virtual_machine"
    );
    let run = &value["runs"][1];
    assert_eq!(
        keys(run),
        "active_peers bytes bytes_of_active_peers bytes_per_cpu_second bytes_per_load_cpu_second bytes_per_second chokes connections depth disconnects \
         fairness first_error latency_us limit load_threads mode order peers pieces_bad pieces_verified protocol_errors \
         rejects scenario seeder unchoke_us window_seconds"
    );
    assert_eq!(keys(&run["latency_us"]), "count max p50 p99 p99_9");
    assert_eq!(keys(&run["seeder"]), "cpu_seconds disk_read_bytes mapped_bytes private_bytes threads");
    assert_eq!(
        (&run["mode"], &run["order"], &run["limit"]),
        (&"discard".into(), &"sequential".into(), &"seeder".into())
    );
    assert_eq!(run["bytes_per_second"], 15_200_000_000_u64);
    let summary = &value["summaries"][1];
    assert_eq!(
        keys(summary),
        "active_peers bytes bytes_per_cpu_second bytes_per_second chokes depth disconnects disk_read_bytes fairness \
         latency_us limit mapped_bytes mode order peers pieces_bad pieces_verified private_bytes protocol_errors rejects \
         rounds scenario unchoke_p50_us"
    );
    assert_eq!(summary["bytes_per_second"]["min"], 14_900_000_000_u64);
    assert_eq!(keys(&summary["latency_us"]["p99_9"]), "max median min");
}

/// Runs of `peers`, each at `depths`, three rounds of each.
fn sweep(peers: &[usize], depths: &[usize]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for round in 0..3 {
        for (place, &count) in (0..).zip(peers) {
            for &depth in depths {
                let name = if count == 1 { "1 peer".into() } else { format!("{count} peers") };
                // as curves look: deeper is faster, more peers are slower, rounds differ
                let rate = 17_000 - 600 * place - 8_000 / (depth as u64 + 1) - 400 * round;
                let share = if place == 1 { 0.99 } else { 0.6 };
                let run = full(&name, count, rate * 1_000_000, share);
                outcomes.push(Outcome { depth, ..run });
            }
        }
    }
    outcomes
}

#[test]
fn every_set_of_outcomes_has_a_picture() {
    let crowds = [1, 2, 5, 10, 20, 50, 100, 500, 1_000, 10_000];
    let mut all = suite();
    all.extend(sweep(&crowds, &[128]));
    let sets = [
        ("none", Vec::new()),
        ("one", sweep(&[50], &[128])),
        ("two", sweep(&[1, 50], &[128])),
        ("ten", sweep(&crowds, &[128])),
        ("depths", sweep(&[50], &[1, 4, 16, 64, 128, 500])),
        ("both", sweep(&[1, 10, 100, 1_000], &[16, 128, 500])),
        ("suite", suite()),
        ("all", all),
        ("others", suite().split_off(3).into_iter().take(2).collect()),
        ("empty", vec![outcome("50 peers", 50)]),
    ];
    for (name, outcomes) in sets {
        let svg = report(outcomes).plot(Format::Svg).expect("memory can be written");
        let svg = String::from_utf8(svg).expect("text");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: a number that is none");
        // to look at them: a folder here, then `rsvg-convert`
        if let Some(folder) = std::env::var_os("SOWER_TEST_PICTURES") {
            let path = std::path::Path::new(&folder).join(format!("{name}.svg"));
            std::fs::write(path, svg).expect("the folder can be written");
        }
    }
}
