//! The peers of one torrent.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk};
use crate::shard::PeerStatus;

/// All of them each time: they are few, and nearly all of their numbers change from one answer to the next.
pub(super) async fn answer(desk: &Desk, call: &Call) -> Outcome {
    let hash = call.form.get("hash").ok_or_else(Fault::not_found)?;
    let row = super::super::call::find(&call.view, hash).ok_or_else(Fault::not_found)?;
    let peers = desk.seedbox().peers(row.id).await?;
    let rid = call.form.number::<u32>("rid").unwrap_or(0) % 1_000_000 + 1;
    let peers: Map<String, Value> = peers.iter().map(|peer| (peer.address.to_string(), describe(peer))).collect();
    Answer::json(&json!({ "full_update": true, "rid": rid, "show_flags": false, "peers": peers }))
}

fn describe(peer: &PeerStatus) -> Value {
    let flags = flags(peer);
    let letters: Vec<&str> = flags.iter().map(|(letter, _)| *letter).collect();
    let words: Vec<String> = flags.iter().map(|(letter, meaning)| format!("{letter} = {meaning}")).collect();
    json!({
        "client": peer.client.as_deref().unwrap_or_default(),
        "connection": "BT",
        "dl_speed": peer.received_rate,
        "downloaded": peer.received,
        "files": "",
        "flags": letters.join(" "),
        "flags_desc": words.join("\n"),
        "ip": peer.address.ip().to_string(),
        "peer_id_client": "",
        "port": peer.address.port(),
        "progress": f64::from(peer.progress_per_mille) / 1000.0,
        "relevance": 0.0,
        "up_speed": peer.sent_rate,
        "uploaded": peer.sent,
    })
}

/// The letters that qBittorrent has for these.
fn flags(peer: &PeerStatus) -> Vec<(&'static str, &'static str)> {
    let mut flags = Vec::new();
    match (peer.wanted, peer.chokes_us) {
        (true, false) => flags.push(("D", "it sends to us")),
        (true, true) => flags.push(("d", "we want something, it chokes us")),
        (false, false) => flags.push(("K", "it would send, we want nothing")),
        (false, true) => {}
    }
    match (peer.interested, peer.choked) {
        (true, false) => flags.push(("U", "we send to it")),
        (true, true) => flags.push(("u", "it wants something, we choke it")),
        (false, false) => flags.push(("?", "we would send, it wants nothing")),
        (false, true) => {}
    }
    if !peer.dialled {
        flags.push(("I", "it connected to us"));
    }
    flags
}
