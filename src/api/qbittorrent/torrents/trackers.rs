//! Trackers of one torrent: how they do, and which they are.

use std::net::SocketAddr;

use percent_encoding::percent_decode_str;

use super::super::answer::{Answer, Fault, Outcome};
use super::super::call::{Call, Desk, ids};
use crate::api::json::Json;
use crate::discovery::{EndpointStatus, TrackerStatus, TrackerUrl};
use crate::session::seedbox::{Change, Row, TrackerChange};

/// Numbers for how a tracker does.
const NOT_CONTACTED: i64 = 1;
const WORKING: i64 = 2;
const UPDATING: i64 = 3;
const NOT_WORKING: i64 = 4;

/// `torrents/trackers`
pub(super) async fn list(desk: &Desk, call: &Call) -> Outcome {
    let row = call.row()?;
    let trackers = desk.seedbox().trackers(row.id).await?;
    let mut json = Json::default();
    json.list(|json| {
        for (name, message) in [("DHT", row.about.private), ("PeX", row.about.private), ("LSD", row.about.private)] {
            write_other_source(name, message, json);
        }
        trackers.iter().for_each(|tracker| write_one(tracker, json));
    });
    Ok(Answer::Json(json.into_bytes()))
}

/// Where qBittorrent finds peers without trackers: clients expect these three first. Disabled is 0.
fn write_other_source(name: &str, private: bool, json: &mut Json) {
    json.object(|json| {
        json.key("url").text(&format!("** [{name}] **"));
        json.key("tier").value(-1);
        json.key("status").value(0);
        json.key("msg").text(if private { "This torrent is private" } else { "" });
        for count in ["num_peers", "num_seeds", "num_leeches", "num_downloaded"] {
            json.key(count).value(0);
        }
    });
}

/// Writes trackers as an array.
pub(super) fn write(trackers: &[TrackerStatus], json: &mut Json) {
    json.list(|json| trackers.iter().for_each(|tracker| write_one(tracker, json)));
}

fn write_one(tracker: &TrackerStatus, json: &mut Json) {
    let count =
        |of: fn(&EndpointStatus) -> Option<u32>| tracker.endpoints.iter().filter_map(of).max().map_or(-1, i64::from);
    let peers = |endpoint: &EndpointStatus| endpoint.answered.and_then(|_| u32::try_from(endpoint.peers).ok());
    json.object(|json| {
        json.key("url").text(tracker.url.as_str());
        json.key("tier").value(i64::try_from(tracker.tier).unwrap_or(0));
        json.key("status").value(status(tracker));
        json.key("msg").text(&message(tracker));
        json.key("num_peers").value(count(peers));
        json.key("num_seeds").value(count(|endpoint| endpoint.seeders));
        json.key("num_leeches").value(count(|endpoint| endpoint.leechers));
        json.key("num_downloaded").value(-1);
    });
}

fn status(tracker: &TrackerStatus) -> i64 {
    let any = |is: fn(&EndpointStatus) -> bool| tracker.endpoints.iter().any(is);
    match () {
        () if tracker.works() => WORKING,
        () if any(|endpoint| endpoint.failures > 0) => NOT_WORKING,
        () if any(|endpoint| endpoint.announcing) => UPDATING,
        () => NOT_CONTACTED,
    }
}

/// What the tracker says, or why it cannot be asked.
fn message(tracker: &TrackerStatus) -> String {
    let warning = tracker.endpoints.iter().find_map(|endpoint| endpoint.warning.clone());
    let failed = tracker.endpoints.iter().filter(|endpoint| endpoint.failures > 0);
    let error = failed.filter_map(|endpoint| endpoint.error.as_ref()).map(ToString::to_string).next();
    if tracker.works() { warning.unwrap_or_default() } else { error.or(warning).unwrap_or_default() }
}

/// `torrents/addTrackers`
pub(super) async fn add(desk: &Desk, call: &Call) -> Outcome {
    let (row, _) = (call.row()?, call.form.need("urls")?);
    let urls: Vec<String> = call.form.list("urls", '\n').map(str::to_owned).collect();
    for url in &urls {
        check(url)?;
    }
    if !urls.is_empty() {
        desk.change(vec![row.id], Change::Trackers(TrackerChange::Add(urls))).await?;
    }
    Ok(Answer::Done)
}

/// `torrents/editTracker`
pub(super) async fn edit(desk: &Desk, call: &Call) -> Outcome {
    let (from, to) = (call.form.need("origUrl")?, call.form.need("newUrl")?);
    let row = call.row()?;
    if from == to {
        return Ok(Answer::Done);
    }
    if TrackerUrl::parse(to).is_err() {
        return Err(Fault::invalid("New tracker URL is invalid"));
    }
    if has(row, to) {
        return Err(Fault::conflict("New tracker URL already exists"));
    }
    if !has(row, from) {
        return Err(Fault::conflict("Tracker not found"));
    }
    let change = TrackerChange::Replace { from: from.to_owned(), to: to.to_owned() };
    desk.change(vec![row.id], Change::Trackers(change)).await?;
    Ok(Answer::Done)
}

/// `torrents/removeTrackers`: of one torrent, or of all.
pub(super) async fn remove(desk: &Desk, call: &Call) -> Outcome {
    call.form.need("urls")?;
    let urls: Vec<String> =
        call.form.list("urls", '|').map(|url| percent_decode_str(url).decode_utf8_lossy().into_owned()).collect();
    let having = match call.form.need("hash")? {
        "*" | "all" => ids(call.view.rows.iter().filter(|row| urls.iter().any(|url| has(row, url)))),
        _ => ids([call.row()?].into_iter().filter(|row| urls.iter().any(|url| has(row, url)))),
    };
    desk.change(having, Change::Trackers(TrackerChange::Remove(urls))).await?;
    Ok(Answer::Done)
}

fn has(row: &Row, url: &str) -> bool {
    row.trackers().iter().flatten().any(|known| known == url)
}

fn check(url: &str) -> Result<(), Fault> {
    TrackerUrl::parse(url).map(drop).map_err(|error| Fault::invalid(error.to_string()))
}

/// `torrents/addPeers`
pub(super) async fn add_peers(desk: &Desk, call: &Call) -> Outcome {
    let (rows, list) = (call.rows("hashes")?, call.form.need("peers")?);
    let peers: Vec<SocketAddr> = list.split('|').filter_map(|peer| peer.trim().parse().ok()).collect();
    if peers.is_empty() {
        return Err(Fault::invalid("No valid peers were specified"));
    }
    let failed = list.split('|').count() - peers.len();
    let counts = serde_json::json!({ "added": peers.len(), "failed": failed });
    let results = rows.iter().map(|row| (row.info_hash().to_string(), counts.clone())).collect();
    desk.change(ids(rows), Change::AddPeers(peers)).await?;
    Answer::json(&serde_json::Value::Object(results))
}
