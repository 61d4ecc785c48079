//! What limits speed, said at the start: what the operator chose, and what the system does without being asked.

use std::fs;

use crate::schedule::Slots;

use super::super::units::Rate;
use super::Args;

/// One line for each thing that holds upload back.
pub(super) fn find(args: &Args, descriptors: Option<String>) -> Vec<String> {
    let chosen = [
        args.upload_limit.map(|rate| format!("--upload-limit {}", Rate(rate))),
        args.peer_limit.map(|rate| format!("--peer-limit {}", Rate(rate))),
        matches!(args.slots, Slots::Fixed(_)).then(|| format!("--slots {} for each torrent", args.slots)),
    ];
    chosen.into_iter().chain([congestion_control(args), descriptors]).flatten().collect()
}

/// bbr paces by itself where no `fq` qdisc does it: a timer for each train of packets, which costs two thirds of the
/// throughput on fast paths.
fn congestion_control(args: &Args) -> Option<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default().trim().to_owned();
    let chosen = args.congestion.clone().unwrap_or_else(|| read("ipv4/tcp_congestion_control"));
    let fq = read("core/default_qdisc") == "fq";
    (chosen == "bbr" && !fq).then(|| {
        "congestion control is bbr without the fq qdisc: try --congestion cubic, or sysctl net.core.default_qdisc=fq"
            .to_owned()
    })
}
