//! Memory, descriptors and processor time of this process, as the kernel counts them.

use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};

use super::text::{Kind, Text, number};
use crate::session::Status;

pub(super) fn write(_: &Status, text: &mut Text) {
    memory(&fs::read_to_string("/proc/self/status").unwrap_or_default(), text);
    let open = descriptors();
    text.gauge("sower_descriptors", "Open descriptors.", open);
    let most = getrlimit(Resource::Nofile).current;
    text.gauge("sower_descriptors_max", "Descriptors that may be open.", most.map(number));
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_ticks(&stat)) {
        let seconds = number(ticks) / number(clock_ticks_per_second());
        text.counter("sower_cpu_seconds_total", "Processor time of all threads.", seconds);
    }
}

/// Resident memory, private and mapped.
pub(in crate::api) fn resident() -> (Option<u64>, Option<u64>) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name| kib(&status, name).map(|kib| kib * 1_024);
    (bytes("RssAnon"), bytes("RssFile"))
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What is private and what is mapped apart: mapped payload is the page cache's, and goes when anybody needs memory.
fn memory(status: &str, text: &mut Text) {
    let kib = |name: &str| kib(status, name);
    let mut family = text.family(
        "sower_memory_bytes",
        Kind::Gauge,
        "Resident memory: private to the process, mapped files (page cache), shared.",
    );
    for (kind, name) in [("private", "RssAnon"), ("mapped", "RssFile"), ("shared", "RssShmem")] {
        if let Some(kib) = kib(name) {
            family.sample(&[("kind", kind)], kib * 1_024);
        }
    }
    text.gauge(
        "sower_memory_virtual_bytes",
        "Address space, payload that is mapped and not resident included.",
        kib("VmSize").map(|kib| number(kib * 1_024)),
    );
}

/// Linux 6.2 and later say it as the size of the folder.
fn descriptors() -> Option<f64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(number(size));
    }
    Some(number(fs::read_dir("/proc/self/fd").ok()?.count() as u64))
}

/// User and system time: the twelfth and thirteenth field after the name, which may hold anything but ends at the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(175));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn private_and_mapped_memory_are_told_apart() {
        let mut text = Text::default();
        memory("VmSize:\t  9 kB\nRssAnon:\t     4 kB\nRssFile:\t   2 kB\n", &mut text);
        let text = text.finish();
        assert!(
            text.contains("sower_memory_bytes{kind=\"private\"} 4096\nsower_memory_bytes{kind=\"mapped\"} 2048\n"),
            "{text}"
        );
    }
}
