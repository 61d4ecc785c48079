//! What TCP is set to.

use super::super::facts::{Device, Facts};
use super::super::finding::{Finding, quoted, sysctl_line};
use crate::cli::units::Bytes;
use crate::limits::{CHUNK, LISTEN_BACKLOG};

/// The round trip that buffers are judged by: across an ocean, or a continent and a home line.
const ROUND_TRIP_MS: u64 = 100;
/// What a server's link is taken for where its speed is not known.
const MEGABITS_ASSUMED: u64 = 1_000;
/// Beyond this a single connection is no longer worth the memory: 5.4 Gbit/s over 100 ms.
const SEND_BUFFER_ENOUGH: u64 = 64 << 20;
const PAGE: u64 = 4096;

/// Bytes under way on a link of that speed over [`ROUND_TRIP_MS`].
fn bytes_under_way(megabits: u64) -> u64 {
    megabits.saturating_mul(1_000_000 / 8 / 1_000 * ROUND_TRIP_MS)
}

pub(super) fn congestion(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "congestion control";
    let device = facts.devices.first();
    let below = facts.devices.get(1..).unwrap_or_default();
    let paced =
        device.is_some_and(|device| device.paces()) || !below.is_empty() && below.iter().all(|device| device.paces());
    let qdisc = device.and_then(|device| Some((device.name.as_str(), device.qdisc.as_ref()?.root.as_str())));
    let state = match qdisc {
        Some((device, root)) => format!("{} on {root} ({device})", facts.congestion),
        None => facts.congestion.clone(),
    };
    if facts.congestion.is_empty() {
        return None;
    }
    if facts.congestion != "bbr" {
        return Some(Finding::good(NAME, state, "needs no pacing, so any qdisc serves it"));
    }
    // the kernel did not tell of any device's qdisc
    qdisc?;
    if paced {
        return Some(Finding::good(NAME, state, "bbr has its pacing done by fq"));
    }
    let why = "bbr spaces its packets; where no fq qdisc does that, TCP sets a timer for each train of packets, which \
               costs more than half of what a core can send";
    // under a bond or a VLAN, the card's is the one that counts
    let device = below.iter().find(|device| device.is_card && !device.paces()).or(device)?;
    let mut now = fq_on(device);
    now.push(
        "# where the kernel has no fq: sower seed --congestion cubic PATH (bad on paths that lose packets)".to_owned(),
    );
    Some(Finding::holds_back(NAME, state, why).remedy(now, [sysctl_line("net.core.default_qdisc", "fq")]))
}

/// A card with several queues keeps `mq`, which gives each queue the default qdisc; one `fq` for all would be one lock.
fn fq_on(device: &Device) -> Vec<String> {
    let name = quoted(&device.name);
    if device.send_queues > 1 {
        return vec!["sysctl -w net.core.default_qdisc=fq".to_owned(), format!("tc qdisc replace dev {name} root mq")];
    }
    vec![format!("tc qdisc replace dev {name} root fq")]
}

pub(super) fn send_buffer(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "send buffer of a connection";
    let setting = facts.numbers("net.ipv4.tcp_wmem");
    let &[least, first, most] = setting.as_slice() else { return None };
    let speed = facts.devices.iter().find_map(|device| device.megabits);
    let link = speed.unwrap_or(MEGABITS_ASSUMED);
    let wanted = bytes_under_way(link).min(SEND_BUFFER_ENOUGH).next_power_of_two();
    let carried = most.saturating_mul(8) / (1_000 * ROUND_TRIP_MS);
    let state = format!("at most {}", Bytes(most));
    let link = format!("{}{link} Mbit/s", if speed.is_some() { "" } else { "assumed " });
    let why = format!(
        "one peer {ROUND_TRIP_MS} ms away gets {carried} Mbit/s at most, whatever the link ({link}) has: a buffer a round trip"
    );
    if most >= wanted.min(SEND_BUFFER_ENOUGH) / 2 {
        return Some(Finding::good(NAME, state, why));
    }
    // a chunk must fit, or each goes out in pieces with a wait between
    let finding = if most < 2 * u64::from(CHUNK) { Finding::holds_back } else { Finding::better };
    Some(finding(NAME, state, why).sysctl("net.ipv4.tcp_wmem", &format!("{least} {first} {wanted}")))
}

pub(super) fn tcp_memory(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "memory of all connections";
    let setting = facts.numbers("net.ipv4.tcp_mem");
    let &[low, pressure, high] = setting.as_slice() else { return None };
    let used = facts.tcp_pages.unwrap_or(0);
    let bytes = |pages: u64| Bytes(pages.saturating_mul(PAGE));
    let state = format!("{} in use, squeezed from {} on", bytes(used), bytes(pressure));
    if used < pressure && pressure.saturating_mul(PAGE) >= 256 << 20 {
        return Some(Finding::good(NAME, state, "what is sent and not yet acknowledged counts, spliced pages too"));
    }
    let why =
        "above that the kernel stops the growth of send buffers, whose pages sent and not yet acknowledged count here";
    let finding = if used >= pressure { Finding::holds_back } else { Finding::better };
    // an eighth of memory; the kernel begins at a sixteenth
    let wanted = facts.memory_bytes.map_or(pressure * 2, |bytes| bytes / PAGE / 8).max(pressure);
    let (low, high) = (low.max(wanted / 4 * 3), high.max(wanted / 2 * 3));
    Some(finding(NAME, state, why).sysctl("net.ipv4.tcp_mem", &format!("{low} {wanted} {high}")))
}

pub(super) fn unsent_low_water(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "unsent bytes of a connection";
    let most = facts.number("net.ipv4.tcp_notsent_lowat")?;
    // the kernel's default is the largest number of 32 bits; 4 GiB and more are none
    if most >= u64::from(u32::MAX) {
        return Some(Finding::good(NAME, "not bounded", "the send buffer alone bounds them"));
    }
    let state = format!("{} (tcp_notsent_lowat)", Bytes(most));
    if most >= u64::from(CHUNK) {
        return Some(Finding::good(NAME, state, "a whole chunk fits"));
    }
    let why = "less than a chunk of 256 KiB: a connection takes each in several parts, with a wake-up for each";
    Some(Finding::better(NAME, state, why).sysctl("net.ipv4.tcp_notsent_lowat", "4294967295"))
}

pub(super) fn idle_restart(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "window after a pause";
    if facts.number("net.ipv4.tcp_slow_start_after_idle")? == 0 {
        return Some(Finding::good(NAME, "kept", "a peer that paused goes on at its speed"));
    }
    let why = "a peer that asks for nothing during one timeout (some 0.3 s) begins again with 10 packets a round trip; costs far \
               peers that pause, such as after a choke";
    Some(Finding::better(NAME, "dropped", why).sysctl("net.ipv4.tcp_slow_start_after_idle", "0"))
}

pub(super) fn mtu_probing(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "packet size of a path";
    if facts.number("net.ipv4.tcp_mtu_probing")? > 0 {
        return Some(Finding::good(NAME, "probed where packets vanish", "a path that hides its packet size works"));
    }
    let why =
        "behind a tunnel whose router drops the messages that say so, full packets vanish and the peer gets nothing";
    Some(Finding::better(NAME, "not probed", why).sysctl("net.ipv4.tcp_mtu_probing", "1"))
}

pub(super) fn listen_queue(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "connections that wait";
    let most = facts.number("net.core.somaxconn")?;
    let wanted = u64::from(LISTEN_BACKLOG.unsigned_abs());
    let state = format!("{} for each reactor", most.min(wanted));
    if most >= wanted {
        return Some(Finding::good(NAME, state, "a swarm that comes all at once is taken in"));
    }
    let why = "when a swarm comes at once, those beyond it are dropped and try again after 1, 3, 7 s";
    Some(Finding::better(NAME, state, why).sysctl("net.core.somaxconn", &wanted.to_string()))
}

/// With cookies (the default) half-open connections beyond the queue cost no memory, and its length does not matter.
pub(super) fn cookies(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "half-open connections";
    if facts.number("net.ipv4.tcp_syncookies")? > 0 {
        return Some(Finding::good(NAME, "SYN cookies on", "more than wait in the queue are answered all the same"));
    }
    let most = facts.number("net.ipv4.tcp_max_syn_backlog")?;
    let why = "without SYN cookies a new connection is dropped when so many others are half open, by a flood or by slow paths";
    let finding = Finding::better(NAME, format!("SYN cookies off, {most} at most"), why);
    Some(finding.sysctl("net.ipv4.tcp_syncookies", "1"))
}

/// Only where a stateful firewall is loaded.
pub(super) fn connection_tracking(facts: &Facts) -> Option<Finding> {
    const NAME: &str = "firewall's connection table";
    let count = facts.number("net.netfilter.nf_conntrack_count")?;
    let most = facts.number("net.netfilter.nf_conntrack_max")?;
    let state = format!("{count} of {most}");
    let wanted = 4 * u64::from(crate::limits::CONNECTIONS_BY_DEFAULT);
    let free = most.saturating_sub(count);
    if free >= wanted / 2 {
        return Some(Finding::good(NAME, state, "has room for a swarm"));
    }
    let why = "when it is full, packets of new connections are dropped, and those of connections that it forgot";
    let finding = if free < most / 10 { Finding::holds_back } else { Finding::better };
    Some(finding(NAME, state, why).sysctl("net.netfilter.nf_conntrack_max", &(most.max(wanted) * 2).to_string()))
}
