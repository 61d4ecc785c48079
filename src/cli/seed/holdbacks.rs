//! What limits speed, said at the start: what the operator chose, and what the system does without being asked.

use crate::reactor::congestion::{Congestion, has_fq};
use crate::schedule::Slots;

use super::super::units::Rate;
use super::Args;

/// One line for each thing that holds upload back.
pub(super) fn find(args: &Args, congestion: &Congestion, descriptors: Option<String>) -> Vec<String> {
    let chosen = [
        args.upload_limit.map(|rate| format!("--upload-limit {}", Rate(rate))),
        args.peer_limit.map(|rate| format!("--peer-limit {}", Rate(rate))),
        matches!(args.slots, Slots::Fixed(_)).then(|| format!("--slots {} for each torrent", args.slots)),
    ];
    chosen.into_iter().chain([congestion_control(congestion), descriptors]).flatten().collect()
}

/// bbr paces by itself where no `fq` qdisc does it: a timer for each train of packets, which costs half of the
/// throughput or more on fast paths. Another choice costs far more where packets are lost.
fn congestion_control(chosen: &Congestion) -> Option<String> {
    (chosen.name == "bbr" && !has_fq()).then(|| {
        "congestion control is bbr without the fq qdisc: try sysctl net.core.default_qdisc=fq, or on fast paths without loss \
         --congestion cubic"
            .to_owned()
    })
}
