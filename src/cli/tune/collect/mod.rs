//! Collectors: read what the kernel says of this machine, judge nothing. Most of it are files below a [`Tree`]; the rest is
//! asked over netlink, or found out by trying (io_uring).

mod card;
mod data;
mod device;
mod netlink;
mod process;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use super::facts::Facts;
use crate::reactor::driver;
pub(crate) use tree::Tree;

/// Whether to ask the running kernel what no file tells: not for a tree of another machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asking {
    /// Files and netlink.
    Kernel,
    /// Files alone.
    #[cfg_attr(not(test), expect(dead_code, reason = "trees of other machines are for tests"))]
    Files,
}

/// All but io_uring. `device`: that of the default route unless named; `data`: absolute and free of links.
pub(crate) fn facts(tree: &Tree, device: Option<&str>, data: Option<&Path>, asking: Asking) -> Facts {
    let sysctl = |name: &'static str| Some((name, tree.text(&format!("proc/sys/{}", name.replace('.', "/")))?));
    let sysctls: BTreeMap<_, _> = Facts::SYSCTLS.into_iter().filter_map(sysctl).collect();
    Facts {
        kernel: tree.text("proc/sys/kernel/osrelease").unwrap_or_default(),
        cores: process::cores(tree),
        memory_bytes: memory(tree),
        congestion: sysctls.get("net.ipv4.tcp_congestion_control").cloned().unwrap_or_default(),
        sysctls,
        tcp_pages: tcp_pages(tree),
        process: process::process(tree),
        ring: None,
        group: process::group(tree),
        devices: device::devices(tree, device, asking),
        data: data.and_then(Path::to_str).and_then(|path| data::data(tree, path)),
        governors: governors(tree),
        huge_pages: huge_pages(tree),
    }
}

/// Tries io_uring on this machine.
pub(crate) fn try_ring(facts: &mut Facts) {
    facts.ring = Some(driver::probe());
}

/// Whether the machine has a network device of that name.
pub(crate) fn has_device(tree: &Tree, name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.') && tree.exists(&format!("sys/class/net/{name}"))
}

fn memory(tree: &Tree) -> Option<u64> {
    let text = tree.text("proc/meminfo")?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3`
fn tcp_pages(tree: &Tree) -> Option<u64> {
    let text = tree.text("proc/net/sockstat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_whitespace().skip_while(|&word| word != "mem").nth(1)?.parse().ok()
}

fn governors(tree: &Tree) -> Vec<(String, String)> {
    let folders = tree.names("sys/devices/system/cpu/cpufreq").into_iter().filter(|name| name.starts_with("policy"));
    let policy = |name: String| {
        let of = |file: &str| tree.text(&format!("sys/devices/system/cpu/cpufreq/{name}/{file}"));
        Some((of("scaling_driver")?, of("scaling_governor")?))
    };
    folders.filter_map(policy).collect()
}

/// `always [madvise] never`: the word in brackets.
fn huge_pages(tree: &Tree) -> Option<String> {
    let text = tree.text("sys/kernel/mm/transparent_hugepage/enabled")?;
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}
