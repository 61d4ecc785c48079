//! Where a figure was measured: without that it is worth nothing.

use std::fs;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The machine that the load ran on, and the program. For a seeder elsewhere, congestion control and queueing discipline
/// are those of its machine, of which nothing is known here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// As the processor calls itself.
    pub cpu_model: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Whether the processor says that a hypervisor runs it; no word of it on processors other than x86.
    pub virtual_machine: bool,
    /// Main memory.
    pub memory_bytes: u64,
    /// System and release.
    pub kernel: String,
    /// `net.ipv4.tcp_congestion_control`.
    pub congestion_control_default: String,
    /// Chosen for the connections of a seeder that was started for the run.
    pub congestion_control_chosen: Option<String>,
    /// `net.core.default_qdisc`; not to be seen inside a network namespace.
    pub default_qdisc: Option<String>,
    /// When the first run started, in UTC.
    pub date: String,
    /// Version of this program.
    pub sower_version: String,
    /// Commit that it was built from, where the build was told (`SOWER_COMMIT` in its environment).
    pub sower_commit: Option<String>,
    /// Whether it was built without debug assertions.
    pub sower_optimised: bool,
}

impl Machine {
    /// Looks around. What cannot be found out is `unknown`.
    pub fn look(date: String, congestion_control_chosen: Option<String>) -> Machine {
        let processor = read("/proc/cpuinfo").unwrap_or_default();
        let kernel = rustix::system::uname();
        let kernel = format!("{} {}", kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
        Machine {
            cpu_model: cpu_model(&processor).unwrap_or_else(unknown),
            cores: available_parallelism().map_or(1, usize::from),
            virtual_machine: value(&processor, "flags")
                .is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor")),
            memory_bytes: read("/proc/meminfo").and_then(|text| memory_bytes(&text)).unwrap_or(0),
            kernel,
            congestion_control_default: read("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_else(unknown),
            congestion_control_chosen,
            default_qdisc: read("/proc/sys/net/core/default_qdisc"),
            date,
            sower_version: env!("CARGO_PKG_VERSION").into(),
            // asking git when the program runs would name what is checked out then, not what it was built from
            sower_commit: option_env!("SOWER_COMMIT").map(str::to_owned).filter(|commit| !commit.is_empty()),
            sower_optimised: !cfg!(debug_assertions),
        }
    }

    /// The congestion control of the seeder, as far as it is known.
    pub fn congestion_control(&self) -> &str {
        self.congestion_control_chosen.as_deref().unwrap_or(&self.congestion_control_default)
    }

    /// In three phrases: hardware, system, program.
    pub fn phrases(&self) -> [String; 3] {
        let plural = if self.cores == 1 { "" } else { "s" };
        let kind = if self.virtual_machine { ", virtual machine" } else { "" };
        let gib = self.memory_bytes.saturating_add(1 << 29) >> 30;
        let hardware = format!("{}, {} core{plural}{kind}, {gib} GiB", self.cpu_model, self.cores);
        let qdisc = self.default_qdisc.as_ref().map(|qdisc| format!(", qdisc {qdisc}")).unwrap_or_default();
        let system = format!("{}, TCP {}{qdisc}", self.kernel, self.congestion_control());
        let commit = self.sower_commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
        let build = if self.sower_optimised { "" } else { ", built without optimisation" };
        [hardware, system, format!("sower {}{commit}{build}, {}", self.sower_version, self.date)]
    }
}

fn unknown() -> String {
    "unknown".into()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// x86 says `model name`; ARM boards `Model` or `Hardware`, if anything.
fn cpu_model(text: &str) -> Option<String> {
    ["model name", "Model", "Hardware", "cpu"].iter().find_map(|name| value(text, name)).map(str::to_owned)
}

fn memory_bytes(text: &str) -> Option<u64> {
    let kib: u64 = value(text, "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// What follows `name :` on the first line that has it.
fn value<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines()
        .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_describes_itself() {
        let machine = Machine::look("today".into(), Some("cubic".into()));
        assert!(machine.cores > 0 && machine.memory_bytes > 0 && machine.kernel.starts_with("Linux "));
        assert_eq!(machine.congestion_control(), "cubic");
        assert!(machine.phrases()[2].ends_with("today"));
        let text = serde_json::to_string(&machine).expect("plain data");
        assert_eq!(serde_json::from_str::<Machine>(&text).expect("the same data"), machine);
    }

    #[test]
    fn processors_name_themselves_in_several_ways() {
        let x86 = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("AMD EPYC"));
        assert_eq!(cpu_model("processor : 0\n\nModel\t: Raspberry Pi 5\n").as_deref(), Some("Raspberry Pi 5"));
        assert_eq!(cpu_model(""), None);
        assert_eq!(memory_bytes("MemTotal:       24610216 kB\n"), Some(24_610_216 * 1024));
    }
}
