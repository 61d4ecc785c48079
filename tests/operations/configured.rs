//! The configuration and the daemon: what is wrong ends it, what clients change is written, what the owner writes holds.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::daemon::{Home, Manager, Running, until};

#[test]
fn the_first_start_makes_a_file_in_which_every_key_stands() {
    let (home, mut manager) = (Home::new(), Manager::new());
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    let text = fs::read_to_string(home.config()).expect("it was made");
    assert!(text.contains("#upload = \"unlimited\"") && text.contains("[webhooks]"));
    assert!(daemon.end().contains("every key of the configuration"));
}

#[test]
fn a_wrong_configuration_ends_it_with_every_mistake_and_the_code_of_wrong_usage() {
    let home = Home::with("[limits]\nuplaod = 1\nupload = \"fast\"\n");
    let mut command = home.command();
    command.env("SOWER_NETWORK_PORT", "x");
    let mut daemon = Running::start(command);
    let output = daemon.output();
    for mistake in [
        "config.toml:2: there is no key limits.uplaod; did you mean upload?",
        "config.toml:3: ",
        "SOWER_NETWORK_PORT: ",
    ] {
        assert!(output.contains(mistake), "{mistake} is not in {output}");
    }
    assert_eq!(daemon.ended().code(), Some(2));
    assert!(!home.state().join("token").exists(), "it began all the same");
}

#[test]
fn a_look_at_the_configuration_starts_and_makes_nothing() {
    let home = Home::new();
    for (flag, code) in [("--check-config", 0), ("--print-config", 0)] {
        let output = home.command().arg(flag).args(["--upload-limit", "5MiB/s"]).output().expect("sower runs");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!home.state().exists());
    let mut print = home.command();
    let output =
        print.arg("--print-config").args(["--upload-limit", "5MiB/s"]).stdout(std::process::Stdio::piped()).output();
    let shown = String::from_utf8(output.expect("sower runs").stdout).expect("text");
    assert!(shown.contains("# from --upload-limit\nupload = \"5MiB/s\"\n"), "{shown}");
    let wrong = home.command().args(["--check-config", "--set", "limits.upload=fast"]).output().expect("sower runs");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn what_a_client_changes_is_in_the_file_and_holds_after_a_restart() {
    let text = "# mine\n[limits]\nupload = \"10MiB/s\" # half of the line\n";
    let (home, mut manager) = (Home::with(text), Manager::new());
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    assert_eq!(home.settings()["upload_limit"], 10 << 20);
    home.change_settings("{\"upload_limit\": 2097152, \"seeds_max\": 3}");
    let changed = "# mine\n[limits]\nupload = \"2 MiB/s\" # half of the line\n";
    until("the file says so", || fs::read_to_string(home.config()).is_ok_and(|text| text.starts_with(changed)));
    drop(daemon);
    let mut again = manager.start(home.command());
    manager.hear("READY=1");
    let settings = home.settings();
    assert_eq!((&settings["upload_limit"], &settings["seeds_max"]), (&(2 << 20).into(), &3.into()));
    again.signal(Signal::TERM);
    again.ended();
}

#[test]
fn what_the_owner_writes_holds_after_a_hangup_and_a_mistake_changes_nothing() {
    let (home, mut manager) = (Home::with("[seeding]\nratio = 1\n"), Manager::new());
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    let reload = |manager: &mut Manager, text: &str| {
        fs::write(home.config(), text).expect("a file");
        daemon.signal(Signal::HUP);
        manager.hear("RELOADING=1");
        manager.hear("READY=1");
    };
    reload(&mut manager, "[seeding]\nratio = 3\n[network]\ndscp = \"cs1\"\n");
    assert_eq!(home.settings()["ratio_limit"], 3.0);
    reload(&mut manager, "[seeding]\nratio = 4\nidle = \"long\"\n");
    assert_eq!(home.settings()["ratio_limit"], 3.0, "half of a wrong file holds");
    let output = daemon.end();
    assert!(output.contains("changed: seeding.ratio; a restart is needed for: network.dscp"), "{output}");
    assert!(output.contains("config.toml:3: seeding.idle"), "{output}");
}

#[test]
fn a_read_only_file_is_a_warning_and_the_change_holds() {
    let (home, mut manager) = (Home::with(""), Manager::new());
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o444)).expect("permissions");
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    home.change_settings("{\"upload_limit\": 1048576}");
    assert_eq!(home.settings()["upload_limit"], 1 << 20);
    let output = daemon.end();
    assert!(output.contains("read-only") && output.contains("limits.upload"), "{output}");
}

#[test]
fn addresses_of_a_list_are_blocked_and_a_list_that_is_missing_is_named() {
    let home = Home::with("[filter]\nfiles = [\"list.p2p\", \"gone.dat\"]\n");
    fs::write(home.state().join("list.p2p"), "somebody:192.0.2.0-192.0.2.255\nnonsense\n").expect("a file");
    let mut manager = Manager::new();
    let daemon = manager.start(home.command());
    manager.hear("READY=1");
    let output = daemon.end();
    assert!(
        output.contains("list.p2p: 1 ranges are blocked; 1 lines say nothing known, the first is line 2"),
        "{output}"
    );
    assert!(output.contains("gone.dat"), "{output}");
}
