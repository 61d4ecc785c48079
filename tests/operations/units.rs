//! The units of systemd.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{program, repository};

const UNITS: [&str; 3] = ["sowerd.service", "sowerd-peers.socket", "sowerd-api.socket"];

/// The units in a folder, with the program as it is here in place of where it will be.
fn units_in(folder: &Path) {
    for unit in UNITS {
        let text = fs::read_to_string(repository("tuning").join(unit)).expect("a unit");
        fs::write(folder.join(unit), text.replace("/usr/local/bin/sower", env!("CARGO_BIN_EXE_sower")))
            .expect("a file");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(mut analyze) = program("systemd-analyze") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    units_in(folder.path());
    analyze.args(["verify", "--man=no"]).args(UNITS.map(|unit| folder.path().join(unit)));
    let output = analyze.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("sowerd"), "{said}");
}

#[test]
fn the_service_is_exposed_as_little_as_a_seeder_can_be() {
    let Some(mut analyze) = program("systemd-analyze") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    units_in(folder.path());
    // in tenths; what is left is mostly the network
    analyze.args(["security", "--offline=true", "--threshold=16"]).arg(folder.path().join("sowerd.service"));
    let output = analyze.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What systemd-analyze cannot know: that the parts agree with each other and with the program.
#[test]
fn the_units_name_what_there_is() {
    let unit = |name: &str| fs::read_to_string(repository("tuning").join(name)).expect("a unit");
    let service = unit("sowerd.service");
    let has = |line: &str| assert!(service.lines().any(|found| found == line), "{line} is not in the service");
    has("Type=notify");
    // wrong usage and a wrong configuration end with it
    has("RestartPreventExitStatus=2");
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let state = start.split_whitespace().skip_while(|word| *word != "--state").nth(1).expect("a folder");
    let folder = service.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("a folder");
    assert_eq!(state, format!("/var/lib/{folder}"));
    for (socket, name) in [("sowerd-peers.socket", "peers"), ("sowerd-api.socket", "api")] {
        let text = unit(socket);
        assert!(
            text.contains(&format!("\nFileDescriptorName={name}\n")) && text.contains("\nService=sowerd.service\n")
        );
    }
}

/// A systemd of its own, in namespaces, runs the real units: what a program that plays systemd takes for right is not all that counts.
#[test]
fn the_service_is_started_handed_over_and_watched_by_systemd() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a systemd of its own takes root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("output");
    fs::write(&output, "").expect("a file");
    let mut run = Command::new("timeout");
    run.args(["--kill-after=5", "150"]).arg(repository("tests/operations/under_systemd"));
    run.arg(env!("CARGO_BIN_EXE_sower")).arg(repository("tests/operations/service.sh")).arg(&output);
    let ended = run.output().expect("it runs");
    let said = fs::read_to_string(&output).expect("text");
    if !said.contains("step: systemd runs") {
        println!("SKIPPED: systemd cannot be started here: {}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let script = fs::read_to_string(repository("tests/operations/service.sh")).expect("a script");
    for step in script.lines().filter_map(|line| line.strip_prefix("echo \"")?.strip_suffix('"')) {
        assert!(said.contains(step), "{step}\n{said}");
    }
    assert!(!said.contains("an answer is missing"), "{said}");
}
