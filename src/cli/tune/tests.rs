//! Machines of other people, as trees of files, and what is said of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::collect::{self, Asking, Tree};
use super::facts::{Facts, Offloads, Qdisc, Sizes};
use super::finding::{Finding, Verdict};
use super::{judge, report};
use crate::reactor::driver::RingRefused;

/// A tree of files below a folder of its own.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(files: &[(&str, &str)]) -> Machine {
        let machine = Machine { folder: tempfile::tempdir().expect("a folder") };
        files.iter().for_each(|(path, text)| machine.file(path, text));
        machine
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        symlink(target, path).expect("a link");
    }

    fn facts(&self) -> Facts {
        collect::facts(&Tree::new(self.folder.path()), None, Some(Path::new("/srv/content/a.iso")), Asking::Files)
    }
}

/// What every machine has, as the kernel sets it up by itself.
const DEFAULTS: &[(&str, &str)] = &[
    ("proc/sys/kernel/osrelease", "6.12.0\n"),
    ("proc/sys/net/ipv4/tcp_congestion_control", "cubic\n"),
    ("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n"),
    ("proc/sys/net/ipv4/tcp_mem", "188301\t251070\t376602\n"),
    ("proc/sys/net/ipv4/tcp_notsent_lowat", "4294967295\n"),
    ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1\n"),
    ("proc/sys/net/ipv4/tcp_mtu_probing", "0\n"),
    ("proc/sys/net/ipv4/tcp_syncookies", "1\n"),
    ("proc/sys/net/core/somaxconn", "4096\n"),
    ("proc/sys/fs/file-max", "9223372036854775807\n"),
    ("proc/sys/fs/nr_open", "1048576\n"),
    ("proc/sys/fs/pipe-max-size", "1048576\n"),
    ("proc/sys/fs/pipe-user-pages-soft", "16384\n"),
    ("proc/sys/fs/pipe-user-pages-hard", "0\n"),
    ("proc/sys/vm/max_map_count", "65530\n"),
    ("proc/net/sockstat", "sockets: used 20\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3\nUDP: inuse 1 mem 0\n"),
    ("proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n"),
    ("proc/self/status", "Name:\tsower\nCapEff:\t0000000000000000\nCpus_allowed_list:\t0-7\n"),
    (
        "proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n\
         Max open files            1024                 524288               files     \n\
         Max locked memory         8388608              unlimited            bytes     \n",
    ),
    ("proc/self/cgroup", "0::/system.slice/sower.service\n"),
    (
        "proc/self/mountinfo",
        "24 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n\
         30 24 259:3 / /srv/content rw,noatime shared:2 - xfs /dev/nvme0n1p3 rw\n",
    ),
    (
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
         wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
         eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
         eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    ),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
];

fn defaults() -> Machine {
    Machine::new(DEFAULTS)
}

/// A server with a card of four queues and an NVMe disk, and its kernel set up as in tuning/.
fn good_server() -> Machine {
    let machine = defaults();
    machine.file("proc/sys/net/ipv4/tcp_wmem", "4096 16384 67108864");
    machine.file("proc/sys/net/ipv4/tcp_slow_start_after_idle", "0");
    machine.file("proc/sys/net/ipv4/tcp_mtu_probing", "1");
    machine.file("proc/sys/fs/pipe-user-pages-soft", "65536");
    for queue in 0..4 {
        machine.file(&format!("sys/class/net/eth0/queues/tx-{queue}/xps_cpus"), &format!("{:x}", 0x11 << queue));
        machine.file(&format!("sys/class/net/eth0/queues/rx-{queue}/rps_cpus"), "00");
        machine.file(&format!("proc/irq/{}/effective_affinity_list", 60 + queue), &format!("{queue}\n"));
    }
    machine.file(
        "proc/interrupts",
        "      CPU0 CPU1\n 59: 1 0 IR-PCI-MSI 0-edge eth0-async\n 60: 9 0 PCI eth0-TxRx-0\n 61: 0 9 PCI eth0-TxRx-1\n \
         62: 9 0 PCI eth0-TxRx-2\n 63: 9 0 PCI eth0-TxRx-3\n 64: 1 1 PCI veth0-TxRx-0\n NMI: 0 0\n",
    );
    machine.file("sys/devices/pci0000:00/0000:00:03.0/vendor", "0x8086");
    machine.link("sys/class/net/eth0/device", "../../../devices/pci0000:00/0000:00:03.0");
    machine.file("sys/class/net/eth0/speed", "10000\n");
    machine.file("sys/class/net/eth0/duplex", "full\n");
    machine.file("sys/devices/pci0000:00/nvme/nvme0n1/queue/read_ahead_kb", "128\n");
    machine.file("sys/devices/pci0000:00/nvme/nvme0n1/queue/max_sectors_kb", "1280\n");
    machine.file("sys/devices/pci0000:00/nvme/nvme0n1/nvme0n1p3/partition", "3\n");
    machine.link("sys/dev/block/259:3", "../../devices/pci0000:00/nvme/nvme0n1/nvme0n1p3");
    machine.link("sys/class/block/nvme0n1p3", "../../devices/pci0000:00/nvme/nvme0n1/nvme0n1p3");
    for cpu in 0..8 {
        machine.file(&format!("sys/devices/system/cpu/cpufreq/policy{cpu}/scaling_driver"), "intel_pstate");
        machine.file(&format!("sys/devices/system/cpu/cpufreq/policy{cpu}/scaling_governor"), "powersave");
    }
    machine
}

/// What the kernel would say when asked.
fn asked(mut facts: Facts) -> Facts {
    facts.ring = Some(Ok(()));
    if let Some(device) = facts.devices.first_mut() {
        let leaves = vec!["fq".to_owned(); device.send_queues];
        device.qdisc = Some(Qdisc { root: "mq".to_owned(), leaves });
        let all = ["tx-scatter-gather", "tx-checksum-ip-generic", "tx-tcp-segmentation", "tx-generic-segmentation"];
        let all: Vec<String> = all.map(str::to_owned).to_vec();
        device.offloads = Some(Offloads { on: all.clone(), switchable: all });
        device.channels = Some(Sizes { now: 4, most: 4 });
        device.rings = Some(Sizes { now: 512, most: 4096 });
    }
    facts
}

fn verdict(findings: &[Finding], name: &str) -> Option<Verdict> {
    findings.iter().find(|finding| finding.name == name).map(|finding| finding.verdict)
}

fn finding<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.name == name).unwrap_or_else(|| panic!("nothing is said of {name}"))
}

/// Every finding has a reason, every complaint about a setting a command, every line fits; JSON says the same.
fn is_well_said(facts: &Facts) -> Vec<Finding> {
    let findings = judge::all(facts);
    for finding in &findings {
        assert!(finding.why.len() > 5 && !finding.state.is_empty(), "{finding:?}");
        assert!(finding.verdict != Verdict::Good || finding.now.is_empty(), "{finding:?}");
        let commands = finding.now.iter().chain(&finding.for_good);
        assert!(commands.into_iter().all(|command| !command.contains('\n')), "{finding:?}");
    }
    let text = report::text(facts, &findings);
    let is_command = |line: &str| line.starts_with("    ");
    let long = text.lines().find(|line| line.chars().count() > 80 && !is_command(line));
    assert_eq!(long, None);
    let json = report::json(facts, &findings);
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(findings.len()));
    let count = |key: &str| json[key].as_u64().expect("a count");
    assert_eq!(count("holds_back") + count("could_be_better") + count("good"), findings.len() as u64);
    findings
}

#[test]
fn nothing_holds_a_good_server_back() {
    let machine = good_server();
    let facts = asked(machine.facts());
    assert_eq!(facts.cores, 8);
    assert_eq!(facts.devices.len(), 1);
    let device = &facts.devices[0];
    assert_eq!((device.name.as_str(), device.send_queues, device.interrupts.len()), ("eth0", 4, 4));
    let data = facts.data.as_ref().expect("the mount of the content");
    assert_eq!((data.file_system.as_str(), data.disk.as_deref()), ("xfs", Some("nvme0n1p3")));
    assert_eq!(data.ahead_kib, Some(1280), "the larger of read-ahead and transfer, of the whole disk");
    let findings = is_well_said(&facts);
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for name in
        ["congestion control", "offloads", "interrupts of the card", "read-ahead of the disk", "processor frequency"]
    {
        assert_eq!(verdict(&findings, name), Some(Verdict::Good), "{name}");
    }
}

#[test]
fn bbr_without_fq_holds_back_and_bbr_with_it_does_not() {
    let machine = good_server();
    machine.file("proc/sys/net/ipv4/tcp_congestion_control", "bbr\n");
    let mut facts = asked(machine.facts());
    assert_eq!(verdict(&is_well_said(&facts), "congestion control"), Some(Verdict::Good));

    facts.devices[0].qdisc = Some(Qdisc { root: "mq".into(), leaves: vec!["fq_codel".into(); 4] });
    let findings = is_well_said(&facts);
    let said = finding(&findings, "congestion control");
    assert_eq!(said.verdict, Verdict::HoldsBack);
    assert_eq!(said.now[0], "sysctl -w net.core.default_qdisc=fq");
    assert_eq!(said.now[1], "tc qdisc replace dev eth0 root mq", "each queue keeps a qdisc of its own");

    facts.devices[0].send_queues = 1;
    facts.devices[0].qdisc = Some(Qdisc { root: "pfifo_fast".into(), leaves: Vec::new() });
    let findings = is_well_said(&facts);
    let said = finding(&findings, "congestion control");
    assert_eq!(said.now[0], "tc qdisc replace dev eth0 root fq");
    assert_eq!(said.for_good, ["echo 'net.core.default_qdisc = fq' >> /etc/sysctl.d/99-sower.conf"]);

    facts.congestion = "cubic".into();
    assert_eq!(verdict(&judge::all(&facts), "congestion control"), Some(Verdict::Good), "it paces nothing");
    facts.congestion = "bbr".into();
    facts.devices[0].qdisc = None;
    assert_eq!(verdict(&judge::all(&facts), "congestion control"), None, "what is not known is not judged");
}

#[test]
fn under_a_bond_the_qdiscs_of_its_cards_count() {
    let machine = good_server();
    machine.file("proc/sys/net/ipv4/tcp_congestion_control", "bbr\n");
    machine.file(
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
         bond0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    );
    machine.file("sys/class/net/bond0/ifindex", "9\n");
    machine.link("sys/class/net/bond0/lower_eth0", "../eth0");
    let mut facts = machine.facts();
    assert_eq!(facts.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["bond0", "eth0"]);
    facts.devices[0].qdisc = Some(Qdisc { root: "noqueue".into(), leaves: Vec::new() });
    facts.devices[1].qdisc = Some(Qdisc { root: "fq".into(), leaves: Vec::new() });
    assert_eq!(verdict(&is_well_said(&facts), "congestion control"), Some(Verdict::Good));
    facts.devices[1].qdisc = Some(Qdisc { root: "fq_codel".into(), leaves: Vec::new() });
    let findings = is_well_said(&facts);
    assert!(finding(&findings, "congestion control").now.iter().any(|command| command.contains("dev eth0")));
}

#[test]
fn a_bad_container_is_told_of_everything_that_binds_it() {
    let machine = defaults();
    machine.file("proc/self/cgroup", "0::/\n");
    machine.file("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    machine.file("sys/fs/cgroup/memory.max", "536870912\n");
    machine.file("sys/fs/cgroup/memory.high", "max\n");
    machine.file("sys/fs/cgroup/cpu.max", "150000 100000\n");
    machine.file("sys/fs/cgroup/pids.max", "64\n");
    machine.file("sys/fs/cgroup/io.max", "259:0 rbps=10485760 wbps=max riops=max wiops=max\n");
    machine.file(
        "proc/self/mountinfo",
        "24 1 0:40 / / rw - overlay overlay rw\n25 24 0:50 / /srv/content rw - fuse.s3fs s3fs rw\n",
    );
    machine
        .file("proc/self/limits", "Max open files            1024                 1024                 files     \n");
    machine.file("proc/net/route", "Iface\tDestination\n");
    let mut facts = machine.facts();
    facts.ring = Some(Err(RingRefused::Forbidden));
    let findings = is_well_said(&facts);
    for name in ["open files", "processor quota", "disk quota"] {
        assert_eq!(verdict(&findings, name), Some(Verdict::HoldsBack), "{name}");
    }
    for name in ["io_uring", "memory quota", "threads", "file system of the content"] {
        assert_eq!(verdict(&findings, name), Some(Verdict::CouldBeBetter), "{name}");
    }
    assert_eq!(finding(&findings, "processor quota").state, "1.50 of 8 cores");
    assert_eq!(finding(&findings, "processor quota").now, ["echo max > /sys/fs/cgroup/cpu.max"]);
    assert!(facts.devices.is_empty() && report::text(&facts, &findings).contains("no way out"));
}

#[test]
fn the_tightest_group_on_the_way_up_counts() {
    let machine = defaults();
    for (folder, memory) in [("system.slice", "1073741824"), ("system.slice/sower.service", "max")] {
        machine.file(&format!("sys/fs/cgroup/{folder}/memory.max"), memory);
    }
    let bound = machine.facts().group.memory_bytes.expect("the slice has a bound");
    assert_eq!((bound.value, bound.file.as_str()), (1 << 30, "/sys/fs/cgroup/system.slice/memory.max"));
}

#[test]
fn groups_of_the_first_version_are_read_too() {
    let machine = defaults();
    machine.file(
        "proc/self/cgroup",
        "9:name=systemd:/\n5:memory:/box/1\n3:cpu,cpuacct:/box/1\n2:pids:/gone\n1:blkio:/\n0::/\n",
    );
    machine.file("sys/fs/cgroup/unified/cgroup.controllers", "");
    machine.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    machine.file("sys/fs/cgroup/memory/box/1/memory.limit_in_bytes", "2147483648\n");
    machine.file("sys/fs/cgroup/cpu/box/1/cpu.cfs_quota_us", "200000\n");
    machine.file("sys/fs/cgroup/cpu/box/1/cpu.cfs_period_us", "100000\n");
    machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    machine.file("sys/fs/cgroup/pids/pids.max", "100\n");
    machine.file("sys/fs/cgroup/blkio/blkio.throttle.read_bps_device", "259:0 1048576\n");
    let facts = machine.facts();
    let value = |bound: &Option<super::facts::Bound>| bound.as_ref().map(|bound| bound.value);
    let group = &facts.group;
    assert_eq!(value(&group.memory_bytes), Some(2 << 30));
    assert_eq!(value(&group.millicores), Some(2_000));
    assert_eq!(value(&group.tasks), Some(100), "a path of the host is not there in a container: its root is");
    assert_eq!(value(&group.read_rate), Some(1 << 20));
    let findings = is_well_said(&facts);
    let quota = finding(&findings, "processor quota");
    assert_eq!(quota.now, ["echo -1 > /sys/fs/cgroup/cpu/box/1/cpu.cfs_quota_us"]);
}

#[test]
fn tiny_limits_are_seen_and_the_commands_lift_them() {
    let machine = defaults();
    let tiny = [
        ("proc/sys/net/ipv4/tcp_wmem", "4096 16384 65536", "send buffer of a connection", Verdict::HoldsBack),
        ("proc/sys/net/ipv4/tcp_mem", "100 200 300", "memory of all connections", Verdict::CouldBeBetter),
        ("proc/sys/net/ipv4/tcp_notsent_lowat", "16384", "unsent bytes of a connection", Verdict::CouldBeBetter),
        ("proc/sys/net/core/somaxconn", "128", "connections that wait", Verdict::CouldBeBetter),
        ("proc/sys/fs/pipe-max-size", "4096", "largest pipe", Verdict::CouldBeBetter),
        ("proc/sys/fs/pipe-user-pages-soft", "1024", "pipe pages of one user", Verdict::HoldsBack),
        ("proc/sys/fs/file-max", "1000", "open files of all programs", Verdict::CouldBeBetter),
        ("proc/sys/vm/max_map_count", "1000", "maps of one process", Verdict::HoldsBack),
    ];
    tiny.iter().for_each(|(path, text, ..)| machine.file(path, text));
    machine.file("proc/sys/net/netfilter/nf_conntrack_count", "65000");
    machine.file("proc/sys/net/netfilter/nf_conntrack_max", "65536");
    let findings = is_well_said(&machine.facts());
    for (_, _, name, wanted) in tiny {
        assert_eq!(verdict(&findings, name), Some(wanted), "{name}");
    }
    assert_eq!(verdict(&findings, "firewall's connection table"), Some(Verdict::HoldsBack));

    // the settings that the commands name, put in place, leave nothing to say of them
    for command in findings.iter().flat_map(|finding| &finding.now) {
        let Some((name, value)) = command.strip_prefix("sysctl -w ").and_then(|rest| rest.split_once('=')) else {
            continue;
        };
        machine.file(&format!("proc/sys/{}", name.replace('.', "/")), value.trim_matches('\''));
    }
    let findings = is_well_said(&machine.facts());
    for (_, _, name, _) in tiny {
        assert_eq!(verdict(&findings, name), Some(Verdict::Good), "{name}");
    }
    assert_eq!(verdict(&findings, "firewall's connection table"), Some(Verdict::Good));
}

#[test]
fn bounds_on_pipes_do_not_bind_who_is_privileged() {
    let machine = defaults();
    machine.file("proc/sys/fs/pipe-user-pages-soft", "1024");
    assert_eq!(verdict(&judge::all(&machine.facts()), "pipe pages of one user"), Some(Verdict::HoldsBack));
    machine.file("proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-7\n");
    assert_eq!(verdict(&judge::all(&machine.facts()), "pipe pages of one user"), Some(Verdict::Good));
}

#[test]
fn a_card_that_leaves_the_work_to_one_core_is_seen() {
    let machine = good_server();
    for queue in 0..4 {
        machine.file(&format!("sys/class/net/eth0/queues/tx-{queue}/xps_cpus"), "00");
        machine.file(&format!("proc/irq/{}/effective_affinity_list", 60 + queue), "0\n");
    }
    machine.file("sys/class/net/eth0/statistics/rx_missed_errors", "17\n");
    machine.file("sys/class/net/eth0/speed", "100\n");
    let mut facts = asked(machine.facts());
    facts.devices[0].channels = Some(Sizes { now: 4, most: 16 });
    let known = facts.devices[0].offloads.as_mut().expect("asked");
    known.on.retain(|name| name == "tx-tcp-segmentation");
    let findings = is_well_said(&facts);
    for name in ["link", "offloads", "interrupts of the card"] {
        assert_eq!(verdict(&findings, name), Some(Verdict::HoldsBack), "{name}");
    }
    for name in ["queues of the card", "sending queue of a core", "receiving ring"] {
        assert_eq!(verdict(&findings, name), Some(Verdict::CouldBeBetter), "{name}");
    }
    assert_eq!(finding(&findings, "offloads").now, ["ethtool -K eth0 sg on tx on gso on"]);
    assert_eq!(finding(&findings, "queues of the card").now, ["ethtool -L eth0 combined 8"]);
    let interrupts = finding(&findings, "interrupts of the card");
    assert_eq!(interrupts.now[3], "echo 3 > /proc/irq/63/smp_affinity_list");
    let xps = finding(&findings, "sending queue of a core");
    assert_eq!(xps.now[1], "echo 22 > /sys/class/net/eth0/queues/tx-1/xps_cpus", "cores 1 and 5");

    let known = facts.devices[0].offloads.as_mut().expect("asked");
    known.switchable.clear();
    assert_eq!(verdict(&judge::all(&facts), "offloads"), Some(Verdict::Good), "no command gives a card what it lacks");
}

#[test]
fn a_processor_that_is_kept_slow_is_told_from_one_that_chooses() {
    let machine = good_server();
    machine.file("sys/devices/system/cpu/cpufreq/policy3/scaling_driver", "acpi-cpufreq");
    let findings = is_well_said(&machine.facts());
    assert_eq!(verdict(&findings, "processor frequency"), Some(Verdict::HoldsBack));
    assert!(finding(&findings, "processor frequency").state.starts_with("1 of 8"));
}

#[test]
fn a_disk_that_reads_less_than_a_window_at_a_time_is_seen() {
    let machine = good_server();
    machine.file("sys/devices/pci0000:00/nvme/nvme0n1/queue/max_sectors_kb", "64\n");
    let findings = is_well_said(&machine.facts());
    assert_eq!(verdict(&findings, "read-ahead of the disk"), Some(Verdict::CouldBeBetter));
}

#[test]
fn a_machine_that_tells_nothing_is_accused_of_nothing() {
    let facts = Machine::new(&[]).facts();
    let findings = is_well_said(&facts);
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:#?}");
}

#[test]
fn nonsense_in_the_files_is_no_panic() {
    let machine = good_server();
    let numbers = ["", "-1", "99999999999999999999999", "18446744073709551615", "x y z", "\u{1b}[2J", "0 0 0"];
    let paths: Vec<&str> = DEFAULTS.iter().map(|(path, _)| *path).collect();
    for number in numbers {
        for path in &paths {
            machine.file(path, number);
        }
        machine.file("sys/fs/cgroup/cpu.max", &format!("{number} {number}"));
        machine.file("sys/class/net/eth0/speed", number);
        let facts = asked(machine.facts());
        let text = report::text(&facts, &judge::all(&facts));
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

/// tuning/99-sower.conf says what the judges say: for a link of 1 Gbit/s, and eight reactors.
#[test]
fn the_settings_that_come_with_sower_satisfy_its_judges() {
    let machine = good_server();
    machine.file("sys/class/net/eth0/speed", "1000");
    DEFAULTS.iter().for_each(|(path, text)| machine.file(path, text));
    let settings = include_str!("../../../tuning/99-sower.conf");
    for line in settings.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, value) = line.split_once('=').expect("NAME = VALUE");
        machine.file(&format!("proc/sys/{}", name.trim().replace('.', "/")), value.trim());
    }
    let findings = is_well_said(&asked(machine.facts()));
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
