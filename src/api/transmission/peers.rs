//! Peers of a torrent, as JSON.

use crate::shard::PeerStatus;

use super::details::Details;
use crate::api::json::Json;

/// `peers`: an object each. "Client" is we, "peer" the other, in the protocol's words.
pub(super) fn write_peers(json: &mut Json, details: &Details) {
    json.list(|json| details.peers.iter().for_each(|peer| json.object(|json| write(json, peer))));
}

/// `peersFrom`: how connections came about.
pub(super) fn write_origins(json: &mut Json, details: &Details) {
    let dialled = details.peers.iter().filter(|peer| peer.dialled).count();
    json.object(|json| {
        json.pair("fromCache", 0);
        json.pair("fromDht", 0);
        json.pair("fromIncoming", details.peers.len() - dialled);
        json.pair("fromLpd", 0);
        json.pair("fromLtep", 0);
        json.pair("fromPex", 0);
        json.pair("fromTracker", dialled);
    });
}

fn write(json: &mut Json, peer: &PeerStatus) {
    json.pair("address", peer.address.ip().to_canonical().to_string());
    json.pair("port", peer.address.port());
    json.pair("clientName", peer.client.as_deref().unwrap_or(""));
    json.pair("clientIsChoked", peer.chokes_us);
    json.pair("clientIsInterested", peer.wanted);
    json.pair("peerIsChoked", peer.choked);
    json.pair("peerIsInterested", peer.interested);
    json.pair("isDownloadingFrom", peer.wanted && !peer.chokes_us);
    json.pair("isUploadingTo", peer.interested && !peer.choked);
    json.pair("isIncoming", !peer.dialled);
    json.pair("isEncrypted", false);
    json.pair("isUTP", false);
    json.pair("flagStr", flags(peer));
    json.pair("progress", f64::from(peer.progress_per_mille.min(1000)) / 1000.0);
    json.pair("rateToClient", peer.received_rate);
    json.pair("rateToPeer", peer.sent_rate);
}

/// D and d: we download, or would; K: it would let us and we do not want. U, u and ?: the same the other way. I: it came to us.
fn flags(peer: &PeerStatus) -> String {
    let down = match (peer.wanted, peer.chokes_us) {
        (true, false) => "D",
        (true, true) => "d",
        (false, false) => "K",
        (false, true) => "",
    };
    let up = match (peer.interested, peer.choked) {
        (true, false) => "U",
        (true, true) => "u",
        (false, false) => "?",
        (false, true) => "",
    };
    format!("{down}{up}{}", if peer.dialled { "" } else { "I" })
}
