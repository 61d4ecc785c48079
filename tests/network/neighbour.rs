//! A host at the other end of a cable.

use std::fs::{File, read_link};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{Process, Workspace, run, wait_for};

/// Of every neighbour: each has a cable of its own.
pub(crate) const HARDWARE_ADDRESS: &str = "02:00:00:00:00:02";

/// A network namespace with a pair of virtual interfaces between it and the test's: `cable` there. It ends with this.
pub(crate) struct Neighbour {
    process: Process,
    _logs: Workspace,
}

impl Neighbour {
    /// Lays a cable from `interface` with the addresses 10.`net`.0.1 and fd`net`::1 to the same networks' 2.
    pub(crate) fn new(interface: &str, net: u8) -> Neighbour {
        let logs = Workspace::new();
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let process = Process::start(command, interface, logs.path(), false);
        let neighbour = Neighbour { process, _logs: logs };
        let own = read_link("/proc/self/ns/net").expect("of every process");
        wait_for("a network of its own", Duration::from_secs(10), || {
            read_link(neighbour.link()).is_ok_and(|link| link != own).then_some(())
        });
        let id = neighbour.process.id().to_string();
        let there = ["peer", "name", "cable", "address", HARDWARE_ADDRESS, "netns", &id];
        run("ip", &[&["link", "add", interface, "type", "veth"], &there[..]].concat());
        for (host, device) in [(1, interface), (2, "cable")] {
            let run_there = |arguments: &[&str]| match host {
                1 => run("ip", arguments),
                _ => neighbour.run("ip", arguments),
            };
            // nothing but what the test sends
            run_there(&["link", "set", device, "addrgenmode", "none"]);
            run_there(&["address", "add", &format!("10.{net}.0.{host}/24"), "dev", device]);
            run_there(&["-6", "address", "add", &format!("fd{net}::{host}/64"), "dev", device, "nodad"]);
            run_there(&["link", "set", device, "up"]);
        }
        neighbour.run("ip", &["link", "set", "lo", "up"]);
        neighbour.run("ip", &["address", "add", &format!("{}/32", crate::TRACKER), "dev", "lo"]);
        neighbour.run("ip", &["route", "add", "default", "via", &format!("10.{net}.0.1")]);
        neighbour
    }

    fn link(&self) -> String {
        format!("/proc/{}/ns/net", self.process.id())
    }

    /// Runs a short command there.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let id = self.process.id().to_string();
        run("nsenter", &[&["--target", &id, "--net", program], arguments].concat());
    }

    /// Does something there; sockets that it makes stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let there = File::open(self.link()).expect("it runs");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
                work()
            });
            thread.join().expect("done there")
        })
    }
}
