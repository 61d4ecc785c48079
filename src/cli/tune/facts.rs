//! What is known of a machine. Plain values: collectors fill them, judges read them, tests make them up. Whatever could not
//! be read is `None` or empty, and nothing is said about it.

use std::collections::BTreeMap;

use crate::limits;
use crate::reactor::driver::RingRefused;

/// A machine as seen from this process.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    pub(crate) memory_bytes: Option<u64>,
    /// Kernel settings by name.
    pub(crate) sysctls: BTreeMap<&'static str, String>,
    /// Congestion control of peer connections.
    pub(crate) congestion: String,
    /// Pages in use by all of TCP.
    pub(crate) tcp_pages: Option<u64>,
    pub(crate) process: Process,
    /// What an attempt to use io_uring came to; `None`: not tried.
    pub(crate) ring: Option<Result<(), RingRefused>>,
    pub(crate) group: Group,
    /// The device that uploads leave by, then those below it (members of a bond, parent of a VLAN).
    pub(crate) devices: Vec<Device>,
    pub(crate) data: Option<Data>,
    /// Scaling driver and governor of each processor.
    pub(crate) governors: Vec<(String, String)>,
    /// Mode of transparent huge pages.
    pub(crate) huge_pages: Option<String>,
}

/// Hard limits of this process; `u64::MAX` for none. It raises its soft limit of open files to the hard one by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    pub(crate) open_files: Option<u64>,
    pub(crate) locked_bytes: Option<u64>,
    /// Has a capability that lifts the bounds on pipes.
    pub(crate) privileged: bool,
}

/// The tightest bounds of the control groups around this process, each with the file that sets it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) memory_bytes: Option<Bound>,
    /// Thousandths of a core.
    pub(crate) millicores: Option<Bound>,
    pub(crate) tasks: Option<Bound>,
    /// Bytes a second read from one device.
    pub(crate) read_rate: Option<Bound>,
}

/// A bound and the file that sets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    pub(crate) value: u64,
    pub(crate) file: String,
}

/// A network device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// A card, virtual or not, as opposed to a bridge, tunnel or loopback.
    pub(crate) is_card: bool,
    pub(crate) megabits: Option<u64>,
    pub(crate) duplex: Option<String>,
    /// Its root qdisc, and what is below that one; `None`: the kernel would not tell.
    pub(crate) qdisc: Option<Qdisc>,
    pub(crate) send_queues: usize,
    pub(crate) receive_queues: usize,
    /// Processors of each sending queue (XPS), where the kernel has that list.
    pub(crate) xps: Vec<String>,
    /// Processors that each receiving queue hands packets on to (RPS).
    pub(crate) rps: Vec<String>,
    /// Interrupts of its queues.
    pub(crate) interrupts: Vec<Interrupt>,
    /// `None`: the kernel would not tell.
    pub(crate) offloads: Option<Offloads>,
    pub(crate) rings: Option<Sizes>,
    pub(crate) channels: Option<Sizes>,
    /// Packets that came in and found the ring full.
    pub(crate) missed: u64,
}

/// The queueing discipline of a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Qdisc {
    pub(crate) root: String,
    /// One for each queue of the card, under `mq`.
    pub(crate) leaves: Vec<String>,
}

/// An interrupt of a network card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interrupt {
    pub(crate) number: u32,
    /// Processors that it goes to, as the kernel lists them: `0-3,8`.
    pub(crate) processors: String,
}

/// Features of a card by the kernel's names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Offloads {
    pub(crate) on: Vec<String>,
    /// Those that can be switched; a card that lacks one has it off for ever.
    pub(crate) switchable: Vec<String>,
}

/// A number that can be set, and how far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    pub(crate) now: u32,
    pub(crate) most: u32,
}

/// Where the content lies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    pub(crate) mount_point: String,
    pub(crate) file_system: String,
    pub(crate) options: Vec<String>,
    /// Name of the block device in /sys/class/block, where there is one.
    pub(crate) disk: Option<String>,
    /// What the kernel reads at most when asked to read ahead: the larger of the device's read-ahead and its largest
    /// transfer.
    pub(crate) ahead_kib: Option<u64>,
}

impl Facts {
    /// Kernel settings that are looked at.
    pub(crate) const SYSCTLS: [&'static str; 19] = [
        "fs.file-max",
        "fs.nr_open",
        "fs.pipe-max-size",
        "fs.pipe-user-pages-hard",
        "fs.pipe-user-pages-soft",
        "kernel.io_uring_disabled",
        "kernel.io_uring_group",
        "net.core.somaxconn",
        "net.ipv4.tcp_congestion_control",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_mem",
        "net.ipv4.tcp_mtu_probing",
        "net.ipv4.tcp_notsent_lowat",
        "net.ipv4.tcp_slow_start_after_idle",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
        "net.netfilter.nf_conntrack_count",
        "net.netfilter.nf_conntrack_max",
        "vm.max_map_count",
    ];

    /// The numbers of a setting; empty if it is not there.
    pub(crate) fn numbers(&self, sysctl: &str) -> Vec<u64> {
        let text = self.sysctls.get(sysctl).map_or("", String::as_str);
        text.split_whitespace().map_while(|word| word.parse().ok()).collect()
    }

    /// A setting of one number.
    pub(crate) fn number(&self, sysctl: &str) -> Option<u64> {
        self.numbers(sysctl).first().copied()
    }

    /// Reactor threads that `sower seed` starts here by itself.
    pub(crate) fn reactors(&self) -> u64 {
        self.cores.clamp(1, limits::REACTORS_BY_DEFAULT) as u64
    }
}

impl Device {
    /// Whether `fq` holds back what is to be paced, on every way out of the device.
    pub(crate) fn paces(&self) -> bool {
        self.qdisc.as_ref().is_some_and(Qdisc::paces)
    }
}

impl Qdisc {
    fn paces(&self) -> bool {
        let each_queue = matches!(self.root.as_str(), "mq" | "mqprio");
        self.root == "fq" || each_queue && !self.leaves.is_empty() && self.leaves.iter().all(|leaf| leaf == "fq")
    }
}

/// How many processors a list such as `0-3,8` names.
pub(crate) fn count_of_list(list: &str) -> usize {
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        Some(last.saturating_sub(first).saturating_add(1))
    };
    list.split(',').filter_map(count).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_a_list_are_counted() {
        assert_eq!(["", "0", "0-3", "0-1,4,6-7", "x"].map(count_of_list), [0, 1, 4, 5, 0]);
    }

    #[test]
    fn pacing_needs_fq_on_every_queue() {
        let qdisc = |root: &str, leaves: &[&str]| Qdisc {
            root: root.into(),
            leaves: leaves.iter().map(|&leaf| leaf.into()).collect(),
        };
        assert!(qdisc("fq", &[]).paces());
        assert!(qdisc("mq", &["fq", "fq"]).paces());
        assert!(!qdisc("mq", &["fq", "fq_codel"]).paces());
        assert!(!qdisc("mq", &[]).paces());
        assert!(!qdisc("noqueue", &[]).paces());
    }
}
