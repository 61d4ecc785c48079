//! Limits of this process and of the control groups around it.

use super::super::facts::{Bound, Group, Process};
use super::tree::Tree;

/// CAP_SYS_ADMIN and CAP_SYS_RESOURCE, linux/capability.h.
const LIFTS_PIPE_BOUNDS: u64 = 1 << 21 | 1 << 24;
/// cgroup v1 writes "no limit" as the largest multiple of a page.
const NO_MEMORY_LIMIT: u64 = 1 << 60;

pub(super) fn process(tree: &Tree) -> Process {
    let limits = tree.text("proc/self/limits").unwrap_or_default();
    let status = tree.text("proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    Process {
        open_files: limit(&limits, "Max open files"),
        locked_bytes: limit(&limits, "Max locked memory"),
        privileged: capabilities & LIFTS_PIPE_BOUNDS != 0,
    }
}

fn limit(limits: &str, name: &str) -> Option<u64> {
    // soft, hard, unit
    let hard = limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().nth(1)?;
    if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() }
}

/// Processors that this process may use.
pub(super) fn cores(tree: &Tree) -> usize {
    let status = tree.text("proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map_or(1, super::super::facts::count_of_list).max(1)
}

/// The tightest bounds on the way from this process's groups to the root.
pub(super) fn group(tree: &Tree) -> Group {
    let mut group = Group::default();
    for line in tree.text("proc/self/cgroup").unwrap_or_default().lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        for controller in controllers.split(',') {
            let mount = match controller {
                "" => unified_mount(tree),
                name => format!("/sys/fs/cgroup/{name}"),
            };
            for folder in folders(tree, &mount, path) {
                if controller.is_empty() {
                    unified(tree, &folder, &mut group)
                } else {
                    separate(tree, &folder, &mut group)
                }
            }
        }
    }
    group
}

/// Beside the separate hierarchies of cgroup v1, the unified one has a folder of its own.
fn unified_mount(tree: &Tree) -> String {
    let beside = tree.exists("sys/fs/cgroup/unified/cgroup.controllers");
    if beside { "/sys/fs/cgroup/unified" } else { "/sys/fs/cgroup" }.to_owned()
}

/// The group's folder and those above it. A container may see its own group as the root of the mount while its path is
/// that of the host: then the root alone is looked at.
fn folders(tree: &Tree, mount: &str, path: &str) -> Vec<String> {
    let path = path.trim_matches('/');
    let mut folders = vec![mount.to_owned()];
    if !path.contains("..") && tree.exists(&format!("{mount}/{path}")) {
        for part in path.split('/').filter(|part| !part.is_empty()) {
            folders.push(format!("{}/{part}", folders.last().map_or(mount, String::as_str)));
        }
    }
    folders
}

/// cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
fn unified(tree: &Tree, folder: &str, group: &mut Group) {
    for name in ["memory.max", "memory.high"] {
        tighten(&mut group.memory_bytes, number(tree, folder, name));
    }
    tighten(&mut group.tasks, number(tree, folder, "pids.max"));
    let file = format!("{folder}/cpu.max");
    let cpu = tree.text(&file).unwrap_or_default();
    let mut words = cpu.split_whitespace().map(str::parse::<u64>);
    if let (Some(Ok(quota)), Some(Ok(period))) = (words.next(), words.next()) {
        tighten(&mut group.millicores, millicores(quota, period).map(|value| Bound { value, file }));
    }
    let file = format!("{folder}/io.max");
    let text = tree.text(&file).unwrap_or_default();
    let rates = text.split_whitespace().filter_map(|word| word.strip_prefix("rbps=")?.parse().ok());
    tighten(&mut group.read_rate, rates.min().map(|value| Bound { value, file }));
}

/// cgroup v1 (Documentation/admin-guide/cgroup-v1/).
fn separate(tree: &Tree, folder: &str, group: &mut Group) {
    let memory = number(tree, folder, "memory.limit_in_bytes").filter(|bound| bound.value < NO_MEMORY_LIMIT);
    tighten(&mut group.memory_bytes, memory);
    tighten(&mut group.tasks, number(tree, folder, "pids.max"));
    let period = tree.number(&format!("{folder}/cpu.cfs_period_us"));
    if let (Some(quota), Some(period)) = (number(tree, folder, "cpu.cfs_quota_us"), period) {
        tighten(&mut group.millicores, millicores(quota.value, period).map(|value| Bound { value, ..quota }));
    }
    let file = format!("{folder}/blkio.throttle.read_bps_device");
    let text = tree.text(&file).unwrap_or_default();
    let rates = text.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse().ok());
    tighten(&mut group.read_rate, rates.min().map(|value| Bound { value, file }));
}

fn number(tree: &Tree, folder: &str, name: &str) -> Option<Bound> {
    let file = format!("{folder}/{name}");
    Some(Bound { value: tree.number(&file)?, file })
}

fn millicores(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1_000)?.checked_div(period)
}

fn tighten(bound: &mut Option<Bound>, found: Option<Bound>) {
    if let Some(found) = found
        && bound.as_ref().is_none_or(|bound| found.value < bound.value)
    {
        *bound = Some(found);
    }
}
