//! A network of its own for every test.
//!
//! A test runs twice: the outer run starts this same binary again under `unshare`, for that one test, as the first
//! process of new network, process and mount namespaces; the inner run has the addresses below on `lo` and does the
//! work. Tests cannot meet each other's ports, Transmission (which refuses peers in 127/8) gets addresses it accepts,
//! and when the inner run ends, for whatever reason, the kernel kills everything it started.

use std::any::type_name;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::run;

/// Set in the inner run.
const MARK: &str = "SOWER_TEST_NAMESPACE";
/// Set by `tests/run`: what is missing fails the test instead of skipping it.
const REQUIRE: &str = "SOWER_REQUIRE_CLIENTS";
/// An inner run that is not done by then hangs: every wait inside has a shorter deadline of its own.
const INNER_DEADLINE: Duration = Duration::from_secs(300);
/// The seeder is host 1, clients follow.
const HOSTS: u8 = 8;

/// The addresses that a namespace has: one family alone, so that nothing can quietly use the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// 10.77.0.0/24
    V4,
    /// fd77::/64
    V6,
}

impl Family {
    /// Address of the host with that number, 1 to [`HOSTS`].
    pub(crate) fn host(self, number: u8) -> IpAddr {
        assert!((1..=HOSTS).contains(&number), "host {number} has no address");
        match self {
            Self::V4 => Ipv4Addr::new(10, 77, 0, number).into(),
            Self::V6 => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
        }
    }

    fn set_up(self) {
        run("ip", &["link", "set", "lo", "up"]);
        for number in 1..=HOSTS {
            let address = self.host(number);
            match self {
                Self::V4 => run("ip", &["address", "add", &format!("{address}/24"), "dev", "lo"]),
                Self::V6 => run("ip", &["-6", "address", "add", &format!("{address}/64"), "dev", "lo", "nodad"]),
            }
        }
        // some clients look for a route to the outside to learn whether they have this family at all
        match self {
            Self::V4 => run("ip", &["route", "add", "default", "dev", "lo"]),
            Self::V6 => run("ip", &["-6", "route", "add", "default", "dev", "lo", "src", "fd77::1"]),
        }
    }
}

/// Runs a test's body in a namespace of its own that has `programs`, or says what is missing.
///
/// Call it once, as all of a `#[test]` function: the inner run finds the test by the name of the closure's type.
pub(crate) fn isolated<F: FnOnce()>(family: Family, programs: &[&str], body: F) {
    if std::env::var_os(MARK).is_some() {
        family.set_up();
        return body();
    }
    if let Some(missing) = missing(programs) {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and missing: {missing}");
        // written past the test harness's capture, which would hide it from whoever runs `cargo test`
        let _ = writeln!(std::io::stderr(), "SKIPPED: {}: missing: {missing}", test_name::<F>());
        return;
    }
    rerun(&test_name::<F>());
}

fn test_name<F>() -> String {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").expect("a path in a crate").1.to_owned()
}

fn missing(programs: &[&str]) -> Option<String> {
    let mut missing: Vec<&str> = programs.iter().copied().filter(|program| !installed(program)).collect();
    let namespaces = unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !namespaces {
        missing.push("the right to create namespaces (root)");
    }
    (!missing.is_empty()).then(|| missing.join(", "))
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--mount-proc", "--fork", "--kill-child"]);
    command
}

fn rerun(name: &str) {
    let mut child = unshare()
        .arg(std::env::current_exe().expect("the path of this binary"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare was found a moment ago");
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    let end = Instant::now() + INNER_DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("killing a child"); // and with it, by --kill-child, all of the namespace
            break child.wait().expect("waiting for a child");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let stdout = stdout.join().expect("the reader of stdout");
    let stderr = stderr.join().expect("the reader of stderr");
    print!("{stdout}{stderr}");
    // a name that matches no test would succeed too: it must have been this one
    assert!(status.success() && stdout.contains("1 passed"), "{name} failed in its namespace: {status}");
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("reading a child's output");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
