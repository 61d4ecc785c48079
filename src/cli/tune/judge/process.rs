//! What this process may have: a ring, descriptors, pipes, memory, processors.

use super::super::facts::{Bound, Facts};
use super::super::finding::{Finding, append, quoted};
use crate::cli::units::{Bytes, Rate};
use crate::limits;
use crate::reactor::driver::RingRefused;

const PAGE: u64 = 4096;
/// Beyond CONNECTIONS_BY_DEFAULT, and a round number.
const OPEN_FILES: u64 = 65_536;
const LIMITS_FILE: &str = "/etc/security/limits.d/sower.conf";
/// Threads of a sower with eight reactors: reactors, control, disk, hashers, page-in workers.
const TASKS: u64 = 256;

pub(super) fn ring(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "io_uring";
    let why = "sower runs on epoll instead: no slower for warm content, and cold content is read in by threads";
    let finding = |state: &str| Finding::better(NAME, state, why);
    Some(match facts.ring.as_ref()? {
        Ok(()) => Finding::good(NAME, "works", "tried with a ring like that of a reactor"),
        Err(RingRefused::Disabled { value }) => {
            let state = format!("refused: kernel.io_uring_disabled is {value}");
            finding(&state).sysctl("kernel.io_uring_disabled", "0")
        }
        Err(RingRefused::Forbidden) => finding("refused by a security policy, such as a container's seccomp profile")
            .remedy(["docker run --security-opt seccomp=tuning/seccomp.json ..."], [""; 0]),
        Err(RingRefused::Memory) => finding("no memory for a ring: locked memory is bounded")
            .remedy(["ulimit -l unlimited"], [append("sower - memlock unlimited", LIMITS_FILE)]),
        Err(other) => finding(&other.to_string()),
    })
}

pub(super) fn open_files(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "open files";
    let hard = facts.process.open_files?;
    let reactors = facts.reactors();
    let beside = (limits::DESCRIPTORS_BESIDE as u64).saturating_add(reactors * limits::DESCRIPTORS_PER_REACTOR as u64);
    let peers = hard.saturating_sub(beside);
    let state = match hard {
        u64::MAX => "no limit".to_owned(),
        hard => format!("{hard} (hard limit), so {peers} connections"),
    };
    if peers >= limits::CONNECTIONS_BY_DEFAULT.into() {
        return Some(Finding::good(NAME, state, "sower raises its soft limit to the hard one"));
    }
    let why = "each connection takes one; peers beyond are turned away";
    let finding = if peers < 1_024 { Finding::holds_back } else { Finding::better };
    // the machine's own bound on what a process may ask for
    let most = facts.number("fs.nr_open").unwrap_or(u64::MAX).min(OPEN_FILES);
    let now = [format!("ulimit -n {most}"), format!("# in a service: LimitNOFILE={most}")];
    Some(finding(NAME, state, why).remedy(now, [append(&format!("sower hard nofile {most}"), LIMITS_FILE)]))
}

pub(super) fn files_of_the_machine(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "open files of all programs";
    let most = facts.number("fs.file-max")?;
    if most >= 4 * OPEN_FILES {
        return Some(Finding::good(
            NAME,
            if most > 1 << 62 { "no limit".to_owned() } else { most.to_string() },
            "enough",
        ));
    }
    let why = "connections are refused when all programs together have so many";
    Some(Finding::better(NAME, most.to_string(), why).sysctl("fs.file-max", &(16 * OPEN_FILES).to_string()))
}

pub(super) fn pipe_size(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "largest pipe";
    let most = facts.number("fs.pipe-max-size")?;
    let wanted = limits::PIPE_PAGES as u64 * PAGE;
    let state = Bytes(most).to_string();
    if most >= wanted || facts.process.privileged {
        return Some(Finding::good(NAME, state, "a whole chunk fits one pipe"));
    }
    let why = "a chunk of 256 KiB and its headers need 512 KiB of pipe; in a smaller one it goes in parts";
    Some(Finding::better(NAME, state, why).sysctl("fs.pipe-max-size", "1048576"))
}

pub(super) fn pipe_pages(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "pipe pages of one user";
    let (soft, hard) = (facts.number("fs.pipe-user-pages-soft")?, facts.number("fs.pipe-user-pages-hard")?);
    // 0 is no limit
    let bound = [soft, hard].into_iter().filter(|&pages| pages > 0).min();
    let of_reactor = (limits::PIPES_PER_REACTOR * limits::PIPE_PAGES) as u64;
    let wanted = facts.reactors() * of_reactor;
    let state =
        bound.map_or("no limit".to_owned(), |pages| format!("{pages}, full pipes for {} reactors", pages / of_reactor));
    if facts.process.privileged {
        return Some(Finding::good(NAME, state, "does not bind this user, who is privileged"));
    }
    if bound.is_none_or(|pages| pages >= wanted) {
        return Some(Finding::good(NAME, state, "all pipes of all reactors fit"));
    }
    let why = "beyond it pipes get too small for splice, and payload is copied once";
    let finding = if bound.is_some_and(|pages| pages < of_reactor) { Finding::holds_back } else { Finding::better };
    let mut found = finding(NAME, state, why);
    for (name, pages) in [("fs.pipe-user-pages-soft", soft), ("fs.pipe-user-pages-hard", hard)] {
        if pages > 0 && pages < wanted {
            found = found.sysctl(name, &wanted.next_power_of_two().max(65_536).to_string());
        }
    }
    Some(found)
}

/// Nothing to do on its own: a ring that it refuses is told of by [`ring()`].
pub(super) fn locked_memory(facts: &Facts) -> Option<Finding> {
    let limit = facts.process.locked_bytes?;
    let state = if limit == u64::MAX { "no limit".to_owned() } else { Bytes(limit).to_string() };
    Some(Finding::good("locked memory", state, "charged only by --send zerocopy, and by io_uring before Linux 5.12"))
}

pub(super) fn maps(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "maps of one process";
    let most = facts.number("vm.max_map_count")?;
    let wanted = facts.reactors() * limits::MAPS_PER_REACTOR as u64;
    if most >= wanted {
        return Some(Finding::good(NAME, most.to_string(), "each reactor keeps at most 4096 files mapped"));
    }
    let why = "each reactor keeps up to 4096 files mapped; a file that cannot be mapped is not served";
    Some(Finding::holds_back(NAME, most.to_string(), why).sysctl("vm.max_map_count", "65530"))
}

pub(super) fn group_cores(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "processor quota";
    let Some(bound) = &facts.group.millicores else {
        return Some(Finding::good(NAME, format!("none, {} cores", facts.cores), "all cores may be used"));
    };
    let state = format!("{}.{:02} of {} cores", bound.value / 1_000, bound.value % 1_000 / 10, facts.cores);
    if bound.value >= facts.cores as u64 * 1_000 {
        return Some(Finding::good(NAME, state, "all cores may be used"));
    }
    let why = "when it is used up, every thread stands still until the next period of, mostly, 100 ms";
    let v1 = bound.file.ends_with("cfs_quota_us");
    Some(lifted(Finding::holds_back(NAME, state, why), bound, if v1 { "-1" } else { "max" }, "CPUQuota="))
}

pub(super) fn group_memory(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "memory quota";
    let (bound, memory) = (facts.group.memory_bytes.as_ref(), facts.memory_bytes?);
    let Some(bound) = bound.filter(|bound| bound.value < memory) else {
        return Some(Finding::good(NAME, "none", "the page cache may take what is free"));
    };
    let state = format!("{} of {}", Bytes(bound.value), Bytes(memory));
    let why =
        "the page cache of the content counts: what does not fit is read from disk again each time it is asked for";
    let v1 = bound.file.ends_with("limit_in_bytes");
    Some(lifted(Finding::better(NAME, state, why), bound, if v1 { "-1" } else { "max" }, "MemoryMax=infinity"))
}

pub(super) fn group_reads(facts: &Facts) -> Option<Finding> {
    let bound = facts.group.read_rate.as_ref()?;
    let why = "content that is not in the page cache goes out no faster";
    let finding = Finding::holds_back("disk quota", format!("{} of reads", Rate(bound.value)), why);
    // the lines name a device each
    let look = format!("cat {}", quoted(&bound.file));
    Some(finding.remedy(
        [look, "# for each of its lines write 'DEVICE rbps=max' to it (cgroup v1: 'DEVICE 0')".to_owned()],
        [service("IOReadBandwidthMax=")],
    ))
}

pub(super) fn group_tasks(facts: &Facts) -> Option<Finding> {
    let bound = facts.group.tasks.as_ref()?;
    if bound.value >= TASKS {
        return Some(Finding::good("threads", format!("{} at most", bound.value), "enough for any number of reactors"));
    }
    let why = "a sower of eight reactors with its hashers and page-in workers may need more";
    Some(lifted(Finding::better("threads", format!("{} at most", bound.value), why), bound, "max", "TasksMax=512"))
}

/// Adds how a group's bound is lifted: in its file, and as the property of a service.
fn lifted(finding: Finding, bound: &Bound, value: &str, property: &str) -> Finding {
    finding.remedy([format!("echo {value} > {}", quoted(&bound.file))], [service(property)])
}

fn service(property: &str) -> String {
    format!("systemctl set-property sower.service {property}")
}
