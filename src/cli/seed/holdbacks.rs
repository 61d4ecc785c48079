//! What limits speed, said at the start: what the operator chose, and what the system does without being asked.

use crate::cli::tune;
use crate::reactor::congestion::Congestion;
use crate::schedule::Slots;

use super::super::units::Rate;
use super::Args;

/// One line for each thing that holds upload back.
pub(super) fn find(args: &Args, congestion: &Congestion) -> Vec<String> {
    let chosen = [
        args.network.upload_limit.map(|rate| format!("--upload-limit {}", Rate(rate))),
        args.network.peer_limit.map(|rate| format!("--peer-limit {}", Rate(rate))),
        matches!(args.network.slots, Slots::Fixed(_))
            .then(|| format!("--slots {} for each torrent", args.network.slots)),
    ];
    let content = args.data.as_deref().or(args.paths.first().map(|path| path.as_path()));
    let system = tune::holdbacks(&congestion.name, args.network.bind_device.as_deref(), content);
    chosen.into_iter().flatten().chain(system).collect()
}
