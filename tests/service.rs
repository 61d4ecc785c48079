//! What surrounds a service: what `sower seed` tells its manager (sd_notify(3)), and the profile of a container.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ended when dropped.
struct Seeder(Child);

impl Drop for Seeder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn seed(folder: &Path, manager: OsString) -> Seeder {
    std::fs::write(folder.join("payload"), vec![7; 300_000]).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sower"));
    command.args(["seed", "--no-tracker", "--reactors", "1", "payload"]).current_dir(folder);
    command.env("NOTIFY_SOCKET", manager).env("SOWER_STATE", folder.join("state"));
    Seeder(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sower runs"))
}

/// Everything said until `wanted` is.
fn hear(manager: &UnixDatagram, wanted: &str) -> Vec<String> {
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !heard.iter().any(|line: &String| line.contains(wanted)) {
        let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {wanted}: {error}; heard {heard:?}"));
        heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    heard
}

fn life_of_a_service(manager: &UnixDatagram, address: OsString) {
    let folder = tempfile::tempdir().expect("a folder");
    let seeder = seed(folder.path(), address);
    assert!(folder.path().join("payload").exists());
    let heard = hear(manager, "READY=1");
    assert!(folder.path().join("payload.torrent").exists(), "it was ready before there was anything to seed");
    assert!(heard.iter().all(|line| !line.contains("STOPPING")), "{heard:?}");
    hear(manager, "STATUS=up ");
    let process = rustix::process::Pid::from_child(&seeder.0);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it runs");
    hear(manager, "STOPPING=1");
}

#[test]
fn a_service_manager_hears_when_it_seeds_and_when_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let by_path = UnixDatagram::bind(&path).expect("a socket");
    life_of_a_service(&by_path, path.into_os_string());
}

#[test]
fn a_service_manager_may_have_an_abstract_address() {
    let name = format!("sower-tune-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    life_of_a_service(&manager, format!("@{name}").into());
}

#[test]
fn a_service_manager_that_is_not_there_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut seeder = seed(folder.path(), folder.path().join("nobody").into_os_string());
    let torrent = folder.path().join("payload.torrent");
    let made = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        torrent.exists()
    });
    assert!(made && seeder.0.try_wait().expect("it can be asked").is_none());
}

/// tuning/seccomp.json, taken by libseccomp as a container runtime does. `without`: names that are left out.
fn under_the_profile(without: &[&str], arguments: &[&str]) -> Option<std::process::Output> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("/usr/bin/python3");
    command.arg(root.join("tests/under_profile.py")).arg(root.join("tuning/seccomp.json")).args(without);
    let output = command.arg(env!("CARGO_BIN_EXE_sower")).args(arguments).output().ok();
    // what the script ends with where Debian's python3-seccomp is missing
    let output = output.filter(|output| output.status.code() != Some(77));
    if output.is_none() {
        println!("skipped: no /usr/bin/python3 with the seccomp module (Debian: python3-seccomp)");
    }
    output
}

fn io_uring_under_the_profile(without: &[&str]) -> Option<String> {
    let output = under_the_profile(without, &["tune", "--json", "--device", "lo"])?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().expect("a list");
    let ring = findings.iter().find(|finding| finding["name"] == "io_uring").expect("it was tried");
    Some(ring["state"].as_str().expect("a text").to_owned())
}

#[test]
fn the_container_profile_lets_sower_use_io_uring_and_epoll_remains_without() {
    let outside =
        Command::new(env!("CARGO_BIN_EXE_sower")).args(["tune", "--device", "lo"]).output().expect("sower runs");
    let works_here = String::from_utf8_lossy(&outside.stdout).contains("io_uring: works");
    let Some(allowed) = io_uring_under_the_profile(&[]) else { return };
    assert_eq!(allowed == "works", works_here, "{allowed}");
    let refused = io_uring_under_the_profile(&["--without", "io_uring"]).expect("it ran before");
    assert!(refused.starts_with("refused"), "{refused}");
}

#[test]
fn the_container_profile_is_well_formed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/seccomp.json");
    let profile: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the profile")).expect("JSON");
    let groups = profile["syscalls"].as_array().expect("groups");
    let names: Vec<&str> = groups
        .iter()
        .flat_map(|group| group["names"].as_array().expect("names"))
        .filter_map(|name| name.as_str())
        .collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "a name stands twice");
    for needed in ["io_uring_setup", "io_uring_enter", "io_uring_register", "vmsplice", "splice", "execve", "cachestat"]
    {
        assert!(names.contains(&needed), "{needed}");
    }
}
