//! Network devices: the one that uploads leave by, and those below it.

use super::super::facts::{Device, Interrupt};
use super::Asking;
use super::card::{self, Ethtool};
use super::tree::{Tree, last_part};

/// Devices looked at: a bond of eight cards, or a mistake in a tree of links.
const DEVICES: usize = 16;

/// The device named, or that of the default route, and those below it. Empty without either.
pub(super) fn devices(tree: &Tree, named: Option<&str>, asking: Asking) -> Vec<Device> {
    let Some(first) = named.map(str::to_owned).or_else(|| default_route(tree)) else { return Vec::new() };
    let ethtool = (asking == Asking::Kernel).then(Ethtool::find).flatten();
    let mut names = vec![first];
    let mut at = 0;
    while at < names.len() && names.len() < DEVICES {
        let entries = tree.names(&format!("sys/class/net/{}", names[at]));
        let below = entries.iter().filter_map(|entry| entry.strip_prefix("lower_"));
        let new: Vec<String> =
            below.filter(|&name| !names.iter().any(|known| known == name)).map(str::to_owned).collect();
        names.extend(new);
        at += 1;
    }
    names.into_iter().map(|name| device(tree, name, ethtool.as_ref(), asking)).collect()
}

/// The device of the default route with the least metric, IPv4 before IPv6.
fn default_route(tree: &Tree) -> Option<String> {
    let v4 = tree.text("proc/net/route").unwrap_or_default();
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_default = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        is_default.then_some((fields.get(6)?.parse::<u64>().ok()?, (*fields.first()?).to_owned()))
    });
    let v6 = tree.text("proc/net/ipv6_route").unwrap_or_default();
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let everywhere = fields.first()?.bytes().all(|digit| digit == b'0') && fields.get(1) == Some(&"00");
        let name = fields.get(9).filter(|&&name| name != "lo")?;
        everywhere.then_some((u64::from_str_radix(fields.get(5)?, 16).ok()?, (*name).to_owned()))
    });
    v4.min().or_else(|| v6.min()).map(|(_, name)| name)
}

fn device(tree: &Tree, name: String, ethtool: Option<&Ethtool>, asking: Asking) -> Device {
    let folder = format!("sys/class/net/{name}");
    let queues = tree.names(&format!("{folder}/queues"));
    let of = |kind: &str| queues.iter().filter(|queue| queue.starts_with(kind)).cloned().collect::<Vec<_>>();
    let (send, receive) = (of("tx-"), of("rx-"));
    let mask = |queue: &String, file: &str| tree.text(&format!("{folder}/queues/{queue}/{file}"));
    let index = tree.number(&format!("{folder}/ifindex")).and_then(|index| u32::try_from(index).ok());
    let missed = |counter: &str| tree.number(&format!("{folder}/statistics/{counter}")).unwrap_or(0);
    Device {
        is_card: tree.exists(&format!("{folder}/device")),
        // -1 where the driver does not know
        megabits: tree.number(&format!("{folder}/speed")).filter(|&speed| speed > 0),
        duplex: tree.text(&format!("{folder}/duplex")),
        qdisc: index.filter(|_| asking == Asking::Kernel).and_then(card::qdisc),
        send_queues: send.len(),
        receive_queues: receive.len(),
        xps: send.iter().filter_map(|queue| mask(queue, "xps_cpus")).collect(),
        rps: receive.iter().filter_map(|queue| mask(queue, "rps_cpus")).collect(),
        interrupts: interrupts(tree, &name),
        offloads: ethtool.and_then(|ethtool| ethtool.offloads(&name)),
        rings: ethtool.and_then(|ethtool| ethtool.rings(&name)),
        channels: ethtool.and_then(|ethtool| ethtool.channels(&name)),
        missed: missed("rx_missed_errors").max(missed("rx_fifo_errors")),
        name,
    }
}

/// The interrupts of the device's queues: those whose action in /proc/interrupts names the device, its PCI address or its
/// virtio number. Those for configuration alone are left out.
fn interrupts(tree: &Tree, name: &str) -> Vec<Interrupt> {
    let behind = tree.target(&format!("sys/class/net/{name}/device"));
    let behind = behind.as_deref().and_then(last_part).unwrap_or(name);
    let table = tree.text("proc/interrupts").unwrap_or_default();
    let mut found = Vec::new();
    for line in table.lines() {
        let Some((number, rest)) = line.split_once(':') else { continue };
        let Ok(number) = number.trim().parse::<u32>() else { continue };
        let action = rest.split_whitespace().last().unwrap_or_default();
        let of_device = mentions(action, name) || mentions(action, behind);
        let slow = ["config", "async", "mgmnt", "cmd", "ctrl"].iter().any(|kind| action.contains(kind));
        if !of_device || slow {
            continue;
        }
        let folder = format!("proc/irq/{number}");
        let effective = tree.text(&format!("{folder}/effective_affinity_list")).filter(|list| !list.is_empty());
        let allowed = || tree.text(&format!("{folder}/smp_affinity_list"));
        found.extend(effective.or_else(allowed).map(|processors| Interrupt { number, processors }));
    }
    found
}

/// `eth1-TxRx-0` mentions `eth1` and not `eth`; `mlx5_comp3@pci:0000:81:00.0` mentions `0000:81:00.0`.
fn mentions(action: &str, name: &str) -> bool {
    let joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    action
        .match_indices(name)
        .any(|(at, _)| !joined(action[..at].chars().next_back()) && !joined(action[at + name.len()..].chars().next()))
}
