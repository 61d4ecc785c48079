//! Reactors, sending paths, disk, announces.

use std::time::Duration;

use super::text::{Kind, Text, number};
use crate::session::Status;
use crate::shard::Waiting;

/// Bounds of the histogram of turns, in microseconds: eight doublings of what one system call takes, up to where people notice.
const TURN_BOUNDS_US: [u64; 12] = [8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 16_384, 65_536, 1_048_576];

pub(super) fn write(status: &Status, text: &mut Text) {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("driver", status.ways.driver),
        ("send", &status.ways.send),
        ("congestion", &status.ways.congestion),
    ];
    text.family(
        "sower_info",
        Kind::Gauge,
        "Version, driver of the reactors, path that payload takes, congestion control.",
    )
    .sample(&labels, 1);
    peers(status, text);
    reactors(status, text);
    sending(status, text);
    disk(status, text);
    announces(status, text);
}

fn announces(status: &Status, text: &mut Text) {
    let mut total =
        text.family("sower_announces_total", Kind::Counter, "Announces to trackers since start, by outcome.");
    for (outcome, count) in status.announces.outcomes.each() {
        total.sample(&[("outcome", outcome)], count);
    }
    let (waiting, in_flight) = status.announces.load;
    text.gauge(
        "sower_announces_waiting",
        "Announces that are due and wait for their turn at a tracker.",
        number(waiting as u64),
    );
    text.gauge("sower_announces_in_flight", "Announces that trackers have not answered yet.", number(in_flight as u64));
}

fn peers(status: &Status, text: &mut Text) {
    text.gauge("sower_connections", "Connections to peers, handshakes included.", number(status.connections as u64));
    text.family(
        "sower_peers",
        Kind::Gauge,
        "Peers that want something of us: those with a slot, and those that wait for one.",
    )
    .sample(&[("state", "unchoked")], status.unchoked)
    .sample(&[("state", "waiting")], status.waiting);
    let mut held =
        text.family("sower_peers_held", Kind::Gauge, "Peers, by why they are not being sent to; `served` are.");
    for waiting in Waiting::ALL {
        held.sample(&[("by", waiting.name())], status.census.waiting_for(waiting));
    }
    text.gauge("sower_requests_waiting", "Requests for blocks that wait.", number(status.census.requests as u64));
    text.family("sower_connections_opened_total", Kind::Counter, "Connections since start, by who opened them.")
        .sample(&[("by", "peer")], status.flow.accepted)
        .sample(&[("by", "us")], status.flow.dialled);
    let mut closed = text.family(
        "sower_connections_closed_total",
        Kind::Counter,
        "Connections that ended or never began, since start, by reason.",
    );
    for &(reason, count) in &status.closed {
        closed.sample(&[("reason", reason)], count);
    }
    text.counter("sower_requests_total", "Requests for blocks received since start.", status.flow.requests);
    text.counter("sower_unchokes_total", "Slots given since start.", status.flow.unchokes);
    text.counter("sower_chokes_total", "Slots taken since start.", status.flow.chokes);
    text.gauge(
        "sower_torrents_dormant",
        "Torrents that the reactors know and hold no memory for.",
        number(status.dormant as u64),
    );
}

fn reactors(status: &Status, text: &mut Text) {
    let numbers: Vec<String> = (0..status.reactors.len()).map(|number| number.to_string()).collect();
    let mut busy =
        text.family("sower_reactor_busy_ratio", Kind::Gauge, "Part of the last second for which a reactor worked.");
    for (number, reactor) in numbers.iter().zip(&status.reactors) {
        busy.sample(&[("reactor", number)], f64::from(reactor.busy_per_mille) / 1_000.0);
    }
    let mut connections = text.family("sower_reactor_connections", Kind::Gauge, "Connections of a reactor.");
    for (number, reactor) in numbers.iter().zip(&status.reactors) {
        connections.sample(&[("reactor", number)], reactor.connections);
    }
    let mut sent =
        text.family("sower_reactor_sent_bytes_total", Kind::Counter, "Payload bytes that a reactor sent since start.");
    for (number, reactor) in numbers.iter().zip(&status.reactors) {
        sent.sample(&[("reactor", number)], reactor.sent);
    }
    turns(status, text);
}

/// The reactors count finer: what falls between is in the bound above.
fn turns(status: &Status, text: &mut Text) {
    let help = "How long turns of the reactors took since start; the sum is right to an eighth.";
    let mut family = text.family("sower_reactor_turn_seconds", Kind::Histogram, help);
    for bound in TURN_BOUNDS_US.map(Duration::from_micros) {
        let within = status.turn_times.counts().filter(|(upper, _)| *upper <= bound).map(|(_, count)| count);
        family.line("_bucket", &[("le", &bound.as_secs_f64().to_string())], within.sum::<u64>());
    }
    let sum: f64 = status.turn_times.counts().map(|(upper, count)| upper.as_secs_f64() * number(count)).sum();
    let turns = status.turn_times.turns();
    family.line("_bucket", &[("le", "+Inf")], turns).line("_sum", &[], sum).line("_count", &[], turns);
    text.gauge(
        "sower_reactor_turn_longest_seconds",
        "The longest turn since start.",
        status.turn_times.longest_turn().as_secs_f64(),
    );
}

fn sending(status: &Status, text: &mut Text) {
    let sent = &status.transmit;
    text.family("sower_sent_bytes_total", Kind::Counter, "Bytes of framed blocks sent since start, by path.")
        .sample(&[("path", "splice")], sent.spliced_bytes)
        .sample(&[("path", "copy")], sent.copied_bytes)
        .sample(&[("path", "zerocopy")], sent.zero_copy_bytes);
    text.counter("sower_sent_control_bytes_total", "Bytes of other messages sent since start.", sent.control_bytes);
    text.counter("sower_sent_chunks_total", "Chunks of up to 256 KiB sent or begun since start.", sent.chunks);
    text.counter("sower_send_system_calls_total", "System calls that sent since start.", sent.system_calls);
    let bytes = sent.spliced_bytes + sent.copied_bytes + sent.zero_copy_bytes + sent.control_bytes;
    let each = (sent.system_calls > 0).then(|| number(bytes) / number(sent.system_calls));
    text.gauge("sower_send_bytes_per_system_call", "Bytes for each of them, since start.", each);
    text.counter("sower_send_leftovers_total", "Chunks that a socket did not take whole, since start.", sent.leftovers);
    text.counter(
        "sower_pipe_pool_misses_total",
        "Chunks that found no pipe and were copied, since start.",
        sent.pool_misses,
    );
    text.counter(
        "sower_zerocopy_completed_total",
        "MSG_ZEROCOPY sends that are complete, since start.",
        sent.zero_copy_completed,
    );
    text.counter("sower_zerocopy_copied_total", "Those of them that the kernel had copied.", sent.zero_copy_copied);
}

fn disk(status: &Status, text: &mut Text) {
    text.counter(
        "sower_cold_ranges_total",
        "Ranges of up to 256 KiB read from disk to be sent, since start.",
        status.paging.ranges,
    );
    text.counter("sower_cold_bytes_total", "Bytes of them that were not in memory.", status.paging.bytes);
    let warm = status.flow.sent.saturating_sub(status.paging.bytes);
    let part = (status.flow.sent > 0).then(|| number(warm) / number(status.flow.sent));
    text.gauge("sower_warm_ratio", "Part of the payload sent since start that was in memory.", part);
    text.gauge(
        "sower_read_amplification",
        "Bytes read from disk to be sent for each payload byte sent, since start.",
        status.read_amplification(),
    );
    let read = status.process_read.map(number);
    if let Some(read) = read {
        text.counter(
            "sower_process_read_bytes_total",
            "Bytes that the process read from disk for whatever reason.",
            read,
        );
    }
}
