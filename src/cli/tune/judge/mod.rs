//! Judges: from what is known of a machine to what is to be said of it. Plain computation, so that any machine can be judged in
//! a test. A judge says nothing of what is not known, and each reason is true of sower: what a setting is good for elsewhere
//! does not count. What each is worth is measured in tuning/README.md.

mod card;
mod host;
mod network;
mod process;

use super::facts::Facts;
use super::finding::Finding;

/// Everything there is to say, the worst first.
pub(crate) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = NETWORK.iter().filter_map(|judge| judge(facts)).collect();
    findings
        .extend(facts.devices.iter().filter(|device| device.is_card).flat_map(|device| card::all(device, facts.cores)));
    findings.extend(HOST.iter().filter_map(|judge| judge(facts)));
    findings.sort_by_key(|finding| finding.verdict);
    findings
}

type Judge = fn(&Facts) -> Option<Finding>;

const NETWORK: [Judge; 9] = [
    network::congestion,
    network::send_buffer,
    network::tcp_memory,
    network::unsent_low_water,
    network::idle_restart,
    network::mtu_probing,
    network::listen_queue,
    network::cookies,
    network::connection_tracking,
];

const HOST: [Judge; 15] = [
    process::ring,
    process::open_files,
    process::files_of_the_machine,
    process::pipe_size,
    process::pipe_pages,
    process::locked_memory,
    process::maps,
    process::group_cores,
    process::group_memory,
    process::group_reads,
    process::group_tasks,
    host::file_system,
    host::read_ahead,
    host::governor,
    host::huge_pages,
];
