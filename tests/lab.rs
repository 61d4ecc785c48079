//! `sower lab` as its user sees it.

use std::process::{Command, Output};

use serde_json::Value;

fn lab(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.arg("lab").args(arguments.split_whitespace()).output().expect("the program starts")
}

fn stdout(arguments: &str) -> String {
    let output = lab(arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json(arguments: &str) -> Value {
    serde_json::from_str(&stdout(arguments)).expect("JSON")
}

#[test]
fn the_textbooks_numbers_come_out_of_the_theory() {
    let document = json("theory --json");
    let points = document["points"].as_array().expect("a list");
    assert_eq!((points.len(), &document["unit"]), (36, &Value::from("F/u")));
    let at = |n: usize| (points[n]["n"].as_u64(), points[n]["d_cs"].as_f64(), points[n]["d_p2p"].as_f64());
    assert_eq!(at(30), (Some(30), Some(3.0), Some(0.75)));
    assert_eq!(at(0), (Some(0), Some(0.0), Some(0.0)));
    let real = json("theory --json -N 10 --size 1MB --up 1kB --server-up 10kB --down 20kB");
    assert_eq!((&real["unit"], real["points"][0]["d_cs"].as_f64()), (&Value::from("s"), Some(1_000.0)));
    assert_eq!(real["points"][0]["d_p2p"].as_f64(), Some(500.0));
}

#[test]
fn a_simulation_repeats_byte_for_byte() {
    for experiment in ["distribution", "trading", "availability"] {
        let run = |seed: u32| {
            stdout(&format!(
                "simulate --experiment {experiment} --json --runs 2 -N 4 --size 1MiB --piece 64KiB --up 100KiB --seed {seed}"
            ))
        };
        let first = run(1);
        assert_eq!(first, run(1), "{experiment}");
        assert_ne!(first, run(2), "{experiment}");
    }
}

#[test]
fn pictures_are_what_their_names_say() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    for (name, start) in [("bounds.svg", &b"<svg "[..]), ("bounds.png", b"\x89PNG\r\n")] {
        let path = folder.path().join(name);
        stdout(&format!("theory --plot {}", path.display()));
        assert!(std::fs::read(&path).expect("drawn").starts_with(start), "{name}");
    }
    let refused = lab(&format!("theory --plot {}", folder.path().join("bounds.pdf").display()));
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(".svg or .png"));
}

#[test]
fn real_processes_distribute_a_file_both_ways() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no curl");
        return;
    }
    let document = json("run --json -N 2 --size 2MiB --up 512KiB --network limits");
    let point = &document["points"][0];
    let time = |name: &str| point[name].as_f64().expect("a time");
    // a limit lets a moment's worth through at once, and processes take a while to start
    assert!(time("cs") > 0.5 * time("d_cs") && time("p2p") > 0.5 * time("d_p2p"), "{document}");
    assert!(time("p2p_mean") <= time("p2p"), "{document}");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_reason() {
    for (arguments, reason) in [
        ("simulate --size 0 --up 1kB", "nothing to distribute"),
        ("simulate --size 1MB --up 0", "--server-up 0"),
        ("theory --size 1MB", "--up"),
        ("run -N 61", "at most 60"),
        ("simulate --then never", "neither a word"),
    ] {
        let output = lab(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{arguments}: {said}");
    }
}
