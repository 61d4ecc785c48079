//! What a network card takes over from the processors, and which of them it interrupts.

use super::super::facts::{Device, Interrupt, count_of_list};
use super::super::finding::{Finding, quoted, when_it_comes};

/// All that is to be said of a card on a machine with so many cores.
pub(super) fn all(device: &Device, cores: usize) -> Vec<Finding> {
    let judges = [speed, offloads, ring];
    let mut findings: Vec<Finding> = judges.iter().filter_map(|judge| judge(device)).collect();
    let spread = [queues, interrupts, sending_queues, receiving_queue];
    findings.extend(spread.iter().filter_map(|judge| judge(device, cores)));
    findings
}

fn speed(device: &Device) -> Option<Finding> {
    const NAME: &str = "link";
    let megabits = device.megabits?;
    let half = device.duplex.as_deref() == Some("half");
    let state = format!("{megabits} Mbit/s{} ({})", if half { ", half duplex" } else { "" }, device.name);
    if megabits >= 1_000 && !half {
        return Some(Finding::good(NAME, state, "what the card and its other end agreed on"));
    }
    let why = "cards of servers do 1000 Mbit/s and more: the cable, the switch or a fixed setting agreed on less";
    let command = format!("ethtool -s {} autoneg on", quoted(&device.name));
    Some(Finding::holds_back(NAME, state, why).remedy([command], [""; 0]))
}

/// Offloads without which each packet costs what 40 cost with them: as ethtool calls them, and the kernel's names, of
/// which one is enough.
const OFFLOADS: [(&str, &[&str]); 4] = [
    ("sg", &["tx-scatter-gather"]),
    ("tx", &["tx-checksum-ip-generic", "tx-checksum-ipv4"]),
    ("gso", &["tx-generic-segmentation"]),
    ("tso", &["tx-tcp-segmentation"]),
];

fn offloads(device: &Device) -> Option<Finding> {
    const NAME: &str = "offloads";
    let known = device.offloads.as_ref()?;
    let any = |names: &[&str], list: &[String]| list.iter().any(|feature| names.contains(&feature.as_str()));
    let off = OFFLOADS.iter().filter(|(_, names)| !any(names, &known.on) && any(names, &known.switchable));
    let off: Vec<&str> = off.map(|(short, _)| *short).collect();
    if off.is_empty() {
        let state = format!("on, those that it has ({})", device.name);
        return Some(Finding::good(NAME, state, "the card cuts packets and sums them up"));
    }
    let state = format!("{} off ({})", off.join(", "), device.name);
    let why = "without them each packet goes through the stack by itself, and without sg payload is copied after all";
    let switches: Vec<String> = off.iter().map(|short| format!("{short} on")).collect();
    Some(by_ethtool(
        Finding::holds_back(NAME, state, why),
        device,
        &format!("-K {} {}", quoted(&device.name), switches.join(" ")),
    ))
}

/// Adds the ethtool command, and a rule that runs it when the device comes.
fn by_ethtool(finding: Finding, device: &Device, arguments: &str) -> Finding {
    let rule = when_it_comes(&device.name, &format!("/usr/sbin/ethtool {arguments}"));
    finding.remedy([format!("ethtool {arguments}")], [rule])
}

/// Only where packets were lost for it: a larger ring takes cache and adds delay.
fn ring(device: &Device) -> Option<Finding> {
    const NAME: &str = "receiving ring";
    let rings = device.rings?;
    let state =
        format!("{} of {} places, {} packets found it full ({})", rings.now, rings.most, device.missed, device.name);
    if device.missed == 0 || rings.now >= rings.most {
        return Some(Finding::good(NAME, state, "requests and acknowledgements wait there for a processor"));
    }
    let arguments = format!("-G {} rx {}", quoted(&device.name), rings.most);
    let why = "lost acknowledgements and requests slow their senders down";
    Some(by_ethtool(Finding::better(NAME, state, why), device, &arguments))
}

fn queues(device: &Device, cores: usize) -> Option<Finding> {
    const NAME: &str = "queues of the card";
    let state = format!("{} to send, {} to receive ({})", device.send_queues, device.receive_queues, device.name);
    let Some(channels) = device.channels else {
        return (device.send_queues > 0).then(|| Finding::good(NAME, state, "what the driver set up"));
    };
    let wanted = u32::try_from(cores).unwrap_or(u32::MAX).min(channels.most);
    if channels.now >= wanted {
        return Some(Finding::good(NAME, state, "one for each core, or all that the card has"));
    }
    let state = format!("{} of {} pairs, {cores} cores ({})", channels.now, channels.most, device.name);
    let arguments = format!("-L {} combined {wanted}", quoted(&device.name));
    let why = "cores wait for each other at a shared queue, and its interrupts go to one of them";
    Some(by_ethtool(Finding::better(NAME, state, why), device, &arguments))
}

fn interrupts(device: &Device, cores: usize) -> Option<Finding> {
    const NAME: &str = "interrupts of the card";
    let first = device.interrupts.first()?;
    let state = |what: &str| format!("{} {what} ({})", device.interrupts.len(), device.name);
    let crowded =
        cores > 1 && device.interrupts.len() > 1 && device.interrupts.iter().all(|each| is_alone_with(each, first));
    if !crowded {
        return Some(Finding::good(NAME, state("over the cores"), "no core takes all of them"));
    }
    let why = "that core alone does the work after each packet sent and received, while the others idle";
    let spread = |(place, interrupt): (usize, &Interrupt)| {
        format!("echo {} > /proc/irq/{}/smp_affinity_list", place % cores, interrupt.number)
    };
    let commands = device.interrupts.iter().enumerate().map(spread);
    let state = state(&format!("all on core {}", first.processors));
    Some(Finding::holds_back(NAME, state, why).remedy(commands, ["apt-get install irqbalance"]))
}

fn is_alone_with(interrupt: &Interrupt, first: &Interrupt) -> bool {
    interrupt.processors == first.processors && count_of_list(&interrupt.processors) == 1
}

/// Which queue a core sends by. Drivers set it up; one that did not leaves it to a hash.
fn sending_queues(device: &Device, cores: usize) -> Option<Finding> {
    const NAME: &str = "sending queue of a core";
    if device.xps.len() < 2 {
        return None;
    }
    if device.xps.iter().any(|mask| !is_empty_mask(mask)) {
        return Some(Finding::good(
            NAME,
            format!("set ({})", device.name),
            "each core sends by a queue of its own (XPS)",
        ));
    }
    let queues = device.xps.len();
    let why = "a hash of the connection chooses the queue, so that cores meet at its lock (XPS would keep them apart)";
    let mut finding = Finding::better(NAME, format!("not set, {queues} queues ({})", device.name), why);
    for queue in 0..queues.min(cores) {
        let mask = mask((queue..cores).step_by(queues));
        finding = finding.attribute(&rule(device), &folder(device), &format!("queues/tx-{queue}/xps_cpus"), &mask);
    }
    Some(finding)
}

/// One queue, one interrupt, one core for all that comes in.
fn receiving_queue(device: &Device, cores: usize) -> Option<Finding> {
    const NAME: &str = "cores that receive";
    let [mask_now] = device.rps.as_slice() else { return None };
    let one_only = cores > 1 && device.receive_queues == 1;
    if !one_only || !is_empty_mask(mask_now) {
        return one_only.then(|| Finding::good(NAME, format!("several ({})", device.name), "RPS hands packets on"));
    }
    let why = "the core that the only queue interrupts works off what all peers send: acknowledgements and requests";
    let finding = Finding::better(NAME, format!("one of {cores} ({})", device.name), why);
    Some(finding.attribute(&rule(device), &folder(device), "queues/rx-0/rps_cpus", &mask(0..cores)))
}

fn rule(device: &Device) -> String {
    format!(r#"SUBSYSTEM=="net", KERNEL=="{}""#, device.name)
}

fn folder(device: &Device) -> String {
    format!("/sys/class/net/{}", device.name)
}

fn is_empty_mask(mask: &str) -> bool {
    mask.chars().all(|digit| matches!(digit, '0' | ','))
}

/// As sysfs takes it: hexadecimal, groups of 32 processors, the highest first.
fn mask(processors: impl Iterator<Item = usize>) -> String {
    let mut groups = vec![0u32];
    for processor in processors {
        let group = processor / 32;
        if group >= groups.len() {
            groups.resize(group + 1, 0);
        }
        groups[group] |= 1 << (processor % 32);
    }
    let (highest, lower) = groups.split_last().map_or((0, &[][..]), |(highest, lower)| (*highest, lower));
    lower.iter().rev().fold(format!("{highest:x}"), |text, group| format!("{text},{group:08x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_groups_of_32_processors() {
        assert_eq!(mask(0..2), "3");
        assert_eq!(mask([1, 33].into_iter()), "2,00000002");
        assert_eq!(mask(0..64), "ffffffff,ffffffff");
        assert!(is_empty_mask("00000000,00000000") && !is_empty_mask("00000000,00000001"));
    }
}
